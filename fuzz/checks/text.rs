//! What a scanner sends: a ticket code, a card, several in one go, anything.

// The file alone: the kiosk's crate brings a database with it, which nobody fuzzes here.
#[path = "../../kiosk/src/devices/pieces.rs"]
mod sorted;

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
    let code = ticket::without_proof(&text);
    assert_eq!(code.is_some(), ticket::looks_like_code(&text));
    assert!(code.is_none_or(|code| code.len() == ticket::CODE_CHARS));
    let pieces = sorted::pieces(&text);
    assert!(pieces.len() <= 8, "one go is a handful of scans at most");
    for piece in &pieces {
        // What goes to the door is a part of what came.
        if let sorted::Piece::Text(part) = piece {
            assert!(!part.is_empty() && text.contains(part));
        }
    }
    if sorted::whole(&text).is_some() {
        assert!(!pieces.is_empty());
    }
    if let Some(card) = CardNumber::read(&text) {
        let number: String = text.chars().filter(char::is_ascii_digit).collect();
        assert!(number.len() >= 12);
        // A number is never echoed.
        assert!(!format!("{card:?} {:?}", Reading::of(&text)).contains(&number[..12]));
    }
}
