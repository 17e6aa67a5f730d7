//! The moving code: what a ticket page appends to its ticket code, so that a picture of it is soon worth nothing.
//!
//! Four Base32 letters of `HMAC-SHA256(ticket key, step)`, a step being [`STEP_MS`] of true time: 20 bits, as the six digits
//! of a TOTP have (RFC 6238), and as many as a QR code of version 6 at level M has room for behind the ticket code, so that
//! a moving code is no finer than a plain one. Who guesses has to show each guess to a kiosk, before people.
//!
//! Keys come from each other: installation → event → ticket and reissue. A kiosk holds those of its own event: whoever has its
//! disk can make a screenshot of this event look live, but no ticket, which takes a signature.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    decide::Proof,
    ticket::TicketId,
    time::{MINUTE, Millis, SECOND},
};

/// Characters that follow a ticket code.
pub const PROOF_CHARS: usize = 4;
/// A proof is shown for so long, then another. Half of what is usual for codes that are typed: this one is scanned.
pub const STEP_MS: i64 = 15 * SECOND;
/// A proof counts for so long after its step: a phone that is behind, a queue that moved on a little late.
const BEHIND_MS: i64 = 30 * SECOND;
/// And so long before it: a phone that is ahead.
const AHEAD_MS: i64 = 15 * SECOND;
/// Who knows the time no better than this does not know whether a proof is of now.
const UNSURE_MS: i64 = MINUTE;
const EVENT_LABEL: &[u8] = b"turnout moving code 1\0";

/// What a reading showed behind the ticket code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letters(pub(crate) [u8; PROOF_CHARS]);

/// From what the proofs of an event's tickets are made; wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventKey([u8; 32]);

/// From what the proofs of one ticket are made, as it was last issued; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TicketKey([u8; 32]);

/// What time it is, as far as that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The best estimate of true time.
    pub now: Millis,
    /// How far off it may be; none: nobody knows.
    pub error_ms: Option<i64>,
}

impl EventKey {
    /// The key of an event, from a secret of the installation.
    #[must_use]
    pub fn of(installation: &[u8; 32], event_id: &str) -> Self {
        Self(mac(installation, &[EVENT_LABEL, event_id.as_bytes()]))
    }

    /// The key of one of its tickets, as it was issued that often.
    #[must_use]
    pub fn ticket(&self, id: TicketId, reissue: u8) -> TicketKey {
        TicketKey(mac(&self.0, &[&id.0, &[reissue]]))
    }
}

impl TicketKey {
    /// What the ticket page appends at `now`.
    #[must_use]
    pub fn proof(&self, now: Millis) -> String {
        String::from_utf8_lossy(&self.letters(step(now)).0).into_owned()
    }

    /// For the ticket page, which makes its proofs itself: 64 hexadecimal digits.
    #[must_use]
    pub fn for_its_page(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&self.0))
    }

    /// What a reading proves at a moment. A proof that fits is one whatever the clock; that one is stale, or another
    /// ticket's, only a clock that can be relied on may say.
    #[must_use]
    pub fn judge(&self, read: Option<Letters>, at: Moment) -> Proof {
        let Some(read) = read else { return Proof::Absent };
        let known = at.error_ms.filter(|error_ms| (0..=UNSURE_MS).contains(error_ms));
        let error_ms = known.unwrap_or_default();
        let first = step(at.now.plus(-BEHIND_MS - error_ms));
        let last = step(at.now.plus(AHEAD_MS + error_ms));
        // Each step is looked at, whichever fits.
        let fits = (first..=last).fold(false, |fits, step| fits | same(self.letters(step), read));
        match (fits, known) {
            (true, _) => Proof::Fresh,
            (false, Some(_)) => Proof::Stale,
            (false, None) => Proof::Absent,
        }
    }

    fn letters(&self, step: i64) -> Letters {
        let mac = mac(&self.0, &[&step.to_be_bytes()]);
        let text = BASE32_NOPAD.encode(&mac);
        let mut letters = [0; PROOF_CHARS];
        letters.copy_from_slice(&text.as_bytes()[..PROOF_CHARS]);
        Letters(letters)
    }
}

impl Moment {
    /// A moment that a server tells.
    #[must_use]
    pub const fn certain(now: Millis) -> Self {
        Self { now, error_ms: Some(0) }
    }
}

const fn step(at: Millis) -> i64 {
    at.0.div_euclid(STEP_MS)
}

/// Whether they are the same, in a time that does not tell how many are.
fn same(one: Letters, other: Letters) -> bool {
    one.0.iter().zip(other.0).fold(0, |apart, (one, other)| apart | (one ^ other)) == 0
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventKey(…)")
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(…)")
    }
}

impl From<EventKey> for String {
    fn from(key: EventKey) -> Self {
        HEXLOWER.encode(&key.0)
    }
}

impl TryFrom<String> for EventKey {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        let hex = Zeroizing::new(hex);
        let bytes = HEXLOWER.decode(hex.as_bytes()).ok().map(Zeroizing::new);
        let bytes = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
        bytes.map(Self).ok_or("a key is 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Millis = Millis(1_800_000_000_000);
    const VECTOR: (&str, &str) =
        ("4dcbbcceef759ec2d1819f21d1bc28e879b855169954979cbe4325ea79f5b16e", "ZZUW");

    fn key() -> EventKey {
        EventKey::of(&[7; 32], "an event")
    }

    fn ticket() -> TicketKey {
        key().ticket(TicketId([1; 12]), 0)
    }

    fn read(proof: &str) -> Option<Letters> {
        proof.as_bytes().try_into().ok().map(Letters)
    }

    /// Whether `proof` is that of one of the steps that count at `now`.
    fn shows_soon(proof: &str, now: Millis) -> bool {
        (-2..=1).any(|n| ticket().proof(now.plus(n * STEP_MS)) == proof)
    }

    fn judged(shown: Millis, at: Moment) -> Proof {
        ticket().judge(read(&ticket().proof(shown)), at)
    }

    #[test]
    fn a_ticket_page_computes_the_same() {
        // Computed with Python: hmac, hashlib, base64.b32encode.
        let told = (ticket().for_its_page().to_string(), ticket().proof(NOON));
        assert_eq!(told, (VECTOR.0.to_owned(), VECTOR.1.to_owned()));
    }

    #[test]
    fn a_proof_is_good_for_its_step_and_a_little_on_either_side() {
        let begins = Millis(NOON.0.div_euclid(STEP_MS) * STEP_MS);
        let at = |ms| judged(begins, Moment::certain(begins.plus(ms)));
        for (ms, is) in [
            (-AHEAD_MS - 1, Proof::Stale),
            (-AHEAD_MS, Proof::Fresh),
            (0, Proof::Fresh),
            (STEP_MS + BEHIND_MS - 1, Proof::Fresh),
            (STEP_MS + BEHIND_MS, Proof::Stale),
        ] {
            assert_eq!(at(ms), is, "{ms} ms after the step began");
        }
    }

    #[test]
    fn who_does_not_know_the_time_calls_nothing_stale() {
        let late = NOON.plus(10 * MINUTE);
        for error_ms in [None, Some(UNSURE_MS + 1), Some(-1)] {
            assert_eq!(judged(NOON, Moment { now: late, error_ms }), Proof::Absent);
            assert_eq!(judged(NOON, Moment { now: NOON, error_ms }), Proof::Fresh);
        }
        let known = Moment { now: late, error_ms: Some(UNSURE_MS) };
        assert_eq!(judged(NOON, known), Proof::Stale);
        let late = Moment { now: NOON.plus(80 * SECOND), error_ms: Some(40 * SECOND) };
        assert_eq!(judged(NOON, late), Proof::Fresh, "it may be forty seconds earlier");
        assert_eq!(ticket().judge(None, known), Proof::Absent);
    }

    #[test]
    fn a_key_is_an_events_and_a_tickets_and_an_issues_and_never_shown() {
        let now = Moment::certain(NOON);
        let shown = read(&ticket().proof(NOON));
        let others = [
            key().ticket(TicketId([2; 12]), 0),
            key().ticket(TicketId([1; 12]), 1),
            EventKey::of(&[7; 32], "another").ticket(TicketId([1; 12]), 0),
            EventKey::of(&[8; 32], "an event").ticket(TicketId([1; 12]), 0),
        ];
        assert_eq!(ticket().judge(shown, now), Proof::Fresh);
        for other in others {
            assert_eq!(other.judge(shown, now), Proof::Stale);
        }
        assert_eq!(format!("{:?} {:?}", key(), ticket()), "EventKey(…) TicketKey(…)");
        let told = serde_json::to_string(&key()).expect("plain");
        assert_eq!(serde_json::from_str::<EventKey>(&told).expect("our own"), key());
        assert!(serde_json::from_str::<EventKey>("\"nonsense\"").is_err());
    }

    proptest! {
        #[test]
        fn fresh_through_its_window_and_no_longer(shown in 0_i64..4_000_000_000_000, off in -200_000_i64..200_000) {
            let shown = Millis(shown);
            let late = shown.plus(off).since(Millis(shown.0.div_euclid(STEP_MS) * STEP_MS));
            let inside = (-AHEAD_MS..STEP_MS + BEHIND_MS).contains(&late);
            let judged = judged(shown, Moment::certain(shown.plus(off)));
            // One step in two hundred thousand has the letters of one that counts now.
            let chance = shows_soon(&ticket().proof(shown), shown.plus(off));
            prop_assert_eq!(judged == Proof::Fresh, inside || chance);
            prop_assert_ne!(judged, Proof::Absent);
        }

        #[test]
        fn any_changed_letter_is_stale(shown in 0_i64..4_000_000_000_000, at in 0..PROOF_CHARS, to in any::<u8>()) {
            let now = Millis(shown);
            let mut proof = ticket().proof(now).into_bytes();
            prop_assume!(proof[at] != to);
            proof[at] = to;
            let by_chance = std::str::from_utf8(&proof).is_ok_and(|proof| shows_soon(proof, now));
            let read = proof.try_into().ok().map(Letters);
            prop_assert!(by_chance || ticket().judge(read, Moment::certain(now)) == Proof::Stale);
        }

        #[test]
        fn no_letters_and_no_moment_panic(letters in any::<[u8; 4]>(), now in any::<i64>(), error_ms in any::<Option<i64>>()) {
            let moment = Moment { now: Millis(now), error_ms };
            let judged = ticket().judge(Some(Letters(letters)), moment);
            prop_assert_ne!(judged, Proof::Seen);
        }
    }
}
