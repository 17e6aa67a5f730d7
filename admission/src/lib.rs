//! What server and kiosk must agree on. Pure: no I/O, no clock, no randomness of its own.
//!
//! In reading order: [`time`], [`ticket`] (the signed fact), [`moving`] (what its page appends), [`card`] (what a swipe becomes),
//! [`pin`] (who may use the operating page), [`days`] and [`decide()`] (the one decision), [`say`] (what people are told), [`scan`] (the recorded fact),
//! [`sync`] (what kiosk and server say to each other).

pub mod card;
pub mod days;
pub mod decide;
pub mod moving;
pub mod name;
pub mod pin;
pub mod say;
pub mod scan;
pub mod sync;
pub mod ticket;
pub mod time;

pub use decide::{Reason, Refusal, Verdict, decide};
pub use time::{Clock, Millis};
