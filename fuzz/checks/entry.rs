//! A journal's entry and a message of the sync, as the other side might send them.

use admission::{
    scan::{Chain, Entry},
    sync::{Check, Checked, Enrolled, Feed, People, Receipt, RequestKey, Upload},
    ticket::IssuerKey,
};

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let entry = Entry(text.clone());
    let chain = Chain::start("kiosk").after(1, &entry);
    assert_ne!(chain, Chain::start("kiosk"));
    if let Ok(scan) = entry.scan() {
        // What was read can be written and read again.
        let again = Entry::of(&scan);
        assert_eq!(Entry::of(&again.scan().expect("our own")), again);
    }
    drop(serde_json::from_str::<Upload>(&text));
    drop(serde_json::from_str::<Feed>(&text));
    drop(serde_json::from_str::<Check>(&text));
    drop(serde_json::from_str::<Checked>(&text));
    drop(serde_json::from_str::<People>(&text));
    drop(serde_json::from_str::<Receipt>(&text));
    drop(serde_json::from_str::<Enrolled>(&text));
    // Whoever signed nothing has not signed this.
    let key = RequestKey::read(&IssuerKey::new(1, &[7; 32]).public()).expect("a key");
    let claim = key.claim(&text, "k", "POST", "/", bytes);
    assert!(!claim.is_some_and(|claim| claim.holds()));
}
