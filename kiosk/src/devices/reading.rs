//! What came in one go goes to the door, piece by piece.
//!
//! A scanner may be torn from its code, two that type into one page may type at once, a swipe may be too slow.
//! Such a text is no refusal of anybody: the holder is asked to show it again, and nothing is recorded.

use zeroize::Zeroizing;

use super::pieces::{Half, Piece, pieces};
use crate::{
    door::Trigger,
    doorkeeper::Kiosk,
    shown::{Shown, Unread},
};

/// Takes what came in one go to the door, piece by piece; gives what is shown last.
pub async fn take(kiosk: &Kiosk, text: &Zeroizing<String>, trigger: Trigger) -> Option<Shown> {
    let mut last = None;
    for piece in pieces(text) {
        last = match piece {
            Piece::Text(text) => kiosk.scan(Zeroizing::new(text.to_owned()), trigger).await,
            Piece::Torn(Half::Code) => kiosk.unread(Unread::Code).await,
            Piece::Torn(Half::Swipe) => kiosk.unread(Unread::Swipe).await,
        };
    }
    last
}
