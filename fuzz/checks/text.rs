//! What a scanner sends: a ticket code, a card, anything.

use admission::{
    card::{CardNumber, Reading},
    ticket::{self, IssuerKey, TrustedKeys},
};

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut keys = TrustedKeys::default();
    assert!(keys.trust(1, &IssuerKey::new(1, &[7; 32]).public()));
    assert!(ticket::verify(&text, &keys).is_err() || text.len() >= ticket::CODE_CHARS);
    drop(ticket::grouped(&text));
    if let Some(card) = CardNumber::read(&text) {
        let number: String = text.chars().filter(char::is_ascii_digit).collect();
        assert!(number.len() >= 12);
        // A number is never echoed.
        assert!(!format!("{card:?} {:?}", Reading::of(&text)).contains(&number[..12]));
    }
}
