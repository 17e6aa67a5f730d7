//! The ticket code: a signed fact in 150 letters and digits.
//!
//! `T1` and Base32 (RFC 4648, no padding) over 92 bytes of fixed layout, so the parser has no lengths to trust:
//!
//! | bytes | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1 | id of the key that signed |
//! | 2..14 | ticket id |
//! | 14..18 | event number, big-endian |
//! | 18 | offer class |
//! | 19..23, 23..27 | valid from, valid to: seconds since 1970, big-endian |
//! | 27 | reissue number |
//! | 28..92 | Ed25519 signature over [`DOMAIN`] and bytes 0..28 |
//!
//! 150 alphanumeric characters fit a QR code of version 6 at level M (154 at most). The four that are left are for the proof
//! of a [moving code](crate::moving): a code has 150 characters or 154.

use std::{collections::BTreeMap, fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{
    moving::{Letters, PROOF_CHARS},
    time::{DAY, Millis},
};

/// Signed before the payload, so that a signature made for something else is never a ticket.
pub const DOMAIN: &[u8] = b"turnout ticket 1\0";
/// What every ticket code begins with.
pub const PREFIX: &str = "T1";
/// Characters of a ticket code, prefix included.
pub const CODE_CHARS: usize = 150;
/// Characters of a moving code: the ticket code and a proof.
pub const MOVING_CHARS: usize = CODE_CHARS + PROOF_CHARS;
const PAYLOAD_BYTES: usize = 28;
const CODE_BYTES: usize = PAYLOAD_BYTES + 64;
const VERSION: u8 = 1;

/// Names one ticket, written as 20 Base32 characters: 40 bits for when it was made and 56 random ones, or (when a kiosk
/// made it, or an older server) 96 random bits. Knowing it gives no right.
///
/// An index of ids grows at its end, however many there were before. Those of one moment stand in no order: nobody who
/// has one can guess the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketId(pub [u8; 12]);

/// Characters at the front of an id that tell when it was made.
const WHEN_CHARS: usize = 8;
/// Ids of so many milliseconds stand in no order. Five bytes count them for five hundred years.
const MOMENT: i64 = 16;

impl TicketId {
    /// The id of a ticket that is made `now`.
    #[must_use]
    pub fn new(now: Millis, random: [u8; 7]) -> Self {
        let when = (now.0 / MOMENT).to_be_bytes();
        let mut id = [0; 12];
        id[..5].copy_from_slice(&when[3..]);
        id[5..].copy_from_slice(&random);
        Self(id)
    }
}

/// Whether who holds that ticket, made at `made`, would type `typed`: at least the beginning of its number. Before ids told
/// their time they were their tickets' numbers, and stand so on what was printed.
#[must_use]
pub fn is_typed(id: &str, made: Millis, typed: &str) -> bool {
    let tells_time = || {
        let when = id
            .parse::<TicketId>()
            .map(|id| id.0[..5].iter().fold(0, |n, byte| n << 8 | i64::from(*byte)));
        when.is_ok_and(|when| made.since(Millis(when * MOMENT)).abs() < DAY)
    };
    number(id).starts_with(typed) || (id.starts_with(typed) && !tells_time())
}

/// A ticket's number, as people read, say and type it: the characters of its id, the random ones first. The first ten hold
/// 50 random bits.
#[must_use]
pub fn number(id: &str) -> String {
    let (when, random) = id.split_at_checked(WHEN_CHARS).unwrap_or(("", id));
    format!("{random}{when}")
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketId({self})")
    }
}

/// The text is not a ticket id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a ticket id is 20 letters and digits")]
pub struct NotATicketId;

impl FromStr for TicketId {
    type Err = NotATicketId;

    fn from_str(text: &str) -> Result<Self, NotATicketId> {
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| NotATicketId)?;
        bytes.try_into().map(Self).map_err(|_| NotATicketId)
    }
}

impl TryFrom<String> for TicketId {
    type Error = NotATicketId;

    fn try_from(text: String) -> Result<Self, NotATicketId> {
        text.parse()
    }
}

impl From<TicketId> for String {
    fn from(id: TicketId) -> Self {
        id.to_string()
    }
}

/// What a ticket code says, before or after its signature was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketFact {
    /// Which ticket.
    pub id: TicketId,
    /// The event's number ([`crate::sync::EventInfo::number`]).
    pub event: u32,
    /// The offer's class within the event.
    pub class: u8,
    /// First moment of admission.
    pub valid_from: Millis,
    /// Admission ends here (exclusive).
    pub valid_to: Millis,
    /// 0 at first issue; each reissue adds one and revokes the codes below it.
    pub reissue: u8,
}

impl TicketFact {
    /// The ticket code: this fact signed with `key`.
    #[must_use]
    pub fn sign(&self, key: &IssuerKey) -> String {
        let payload = self.payload(key.id);
        let signature = key.signing.sign(&signed_bytes(&payload));
        let mut bytes = [0; CODE_BYTES];
        bytes[..PAYLOAD_BYTES].copy_from_slice(&payload);
        bytes[PAYLOAD_BYTES..].copy_from_slice(&signature.to_bytes());
        format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes))
    }

    fn payload(&self, key: u8) -> [u8; PAYLOAD_BYTES] {
        let mut payload = [0; PAYLOAD_BYTES];
        payload[0] = VERSION;
        payload[1] = key;
        payload[2..14].copy_from_slice(&self.id.0);
        payload[14..18].copy_from_slice(&self.event.to_be_bytes());
        payload[18] = self.class;
        payload[19..23].copy_from_slice(&self.valid_from.as_seconds().to_be_bytes());
        payload[23..27].copy_from_slice(&self.valid_to.as_seconds().to_be_bytes());
        payload[27] = self.reissue;
        payload
    }

    fn from_payload(payload: &[u8; PAYLOAD_BYTES]) -> Self {
        let four = |at: usize| {
            u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]])
        };
        let mut id = [0; 12];
        id.copy_from_slice(&payload[2..14]);
        Self {
            id: TicketId(id),
            event: four(14),
            class: payload[18],
            valid_from: Millis::from_seconds(four(19)),
            valid_to: Millis::from_seconds(four(23)),
            reissue: payload[27],
        }
    }
}

/// The private key that signs tickets, with the id by which codes name it.
pub struct IssuerKey {
    /// The key id inside each code.
    pub id: u8,
    signing: SigningKey,
}

impl IssuerKey {
    /// A key from its 32 secret bytes.
    #[must_use]
    pub fn new(id: u8, secret: &[u8; 32]) -> Self {
        Self { id, signing: SigningKey::from_bytes(secret) }
    }

    /// Signs what else the server says in its own name. Such a text begins with a label of its own, so it is never a ticket.
    pub(crate) fn sign(&self, text: &[u8]) -> Signature {
        self.signing.sign(text)
    }

    /// The 32 public bytes that verify this key's signatures.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({})", self.id)
    }
}

/// The public keys that are valid now, by key id. Several at once while keys rotate.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys(BTreeMap<u8, VerifyingKey>);

impl TrustedKeys {
    /// Trusts `public` under `id`. False when the bytes are not a public key.
    pub fn trust(&mut self, id: u8, public: &[u8; 32]) -> bool {
        match VerifyingKey::from_bytes(public) {
            Ok(key) => {
                self.0.insert(id, key);
                true
            }
            Err(_) => false,
        }
    }

    /// How many keys are trusted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key is trusted, so that every code is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a text is no valid ticket code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not the shape of a ticket code: another QR code, or one read in part.
    #[error("this is not a ticket code")]
    NotATicket,
    /// The shape of a ticket code, but not signed by a key we trust.
    #[error("the signature of this ticket code is not valid")]
    Forged,
}

/// Whether `text` claims to be a ticket code, so that it is not looked up as anything else.
#[must_use]
pub fn looks_like_code(text: &str) -> bool {
    tidy(text).is_some()
}

/// The ticket code within `text`, if it claims to be one: of a moving code what does not move. The same for every way in
/// which that ticket, as it was issued, is shown and typed.
#[must_use]
pub fn without_proof(text: &str) -> Option<String> {
    let mut code = tidy(text)?;
    code.truncate(CODE_CHARS);
    String::from_utf8(code).ok()
}

/// Reads and verifies a ticket code. Never returns a fact whose signature was not checked.
///
/// Letters may be lower case (CapsLock) and groups may be parted by spaces or hyphens (typed by hand).
///
/// # Errors
/// [`CodeError::NotATicket`] when the text has not the shape of a code, [`CodeError::Forged`] when
/// it has the shape and no trusted key signed it.
pub fn verify(text: &str, keys: &TrustedKeys) -> Result<TicketFact, CodeError> {
    verify_moving(text, keys).map(|(fact, _)| fact)
}

/// The same, with what a moving code shows behind the ticket code: whether that proves anything is another question.
///
/// # Errors
/// As [`verify`].
pub fn verify_moving(
    text: &str,
    keys: &TrustedKeys,
) -> Result<(TicketFact, Option<Letters>), CodeError> {
    let code = tidy(text).ok_or(CodeError::NotATicket)?;
    let (code, proof) = code.split_at(CODE_CHARS);
    let decoded = BASE32_NOPAD.decode(&code[PREFIX.len()..]).map_err(|_| CodeError::Forged)?;
    let bytes: [u8; CODE_BYTES] = decoded.try_into().map_err(|_| CodeError::Forged)?;
    let mut payload = [0; PAYLOAD_BYTES];
    payload.copy_from_slice(&bytes[..PAYLOAD_BYTES]);
    let mut signature = [0; 64];
    signature.copy_from_slice(&bytes[PAYLOAD_BYTES..]);
    let key = keys.0.get(&payload[1]).ok_or(CodeError::Forged)?;
    key.verify_strict(&signed_bytes(&payload), &Signature::from_bytes(&signature))
        .map_err(|_| CodeError::Forged)?;
    if payload[0] != VERSION {
        return Err(CodeError::Forged);
    }
    Ok((TicketFact::from_payload(&payload), proof.try_into().ok().map(Letters)))
}

/// The code in groups of five, for reading aloud and typing.
#[must_use]
pub fn grouped(code: &str) -> String {
    let mut groups = String::with_capacity(code.len() + code.len() / 5);
    for (at, c) in code.chars().enumerate() {
        if at > 0 && at % 5 == 0 {
            groups.push(' ');
        }
        groups.push(c);
    }
    groups
}

fn tidy(text: &str) -> Option<Vec<u8>> {
    // Far longer than any typed code: not worth reading on.
    if text.len() > 4 * CODE_CHARS {
        return None;
    }
    let code: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-')
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let alphanumeric = code.iter().all(u8::is_ascii_alphanumeric);
    (matches!(code.len(), CODE_CHARS | MOVING_CHARS)
        && code.starts_with(PREFIX.as_bytes())
        && alphanumeric)
        .then_some(code)
}

fn signed_bytes(payload: &[u8; PAYLOAD_BYTES]) -> Vec<u8> {
    [DOMAIN, payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> IssuerKey {
        IssuerKey::new(7, &[42; 32])
    }

    fn keys() -> TrustedKeys {
        let mut keys = TrustedKeys::default();
        assert!(keys.trust(7, &key().public()));
        keys
    }

    fn any_fact() -> impl Strategy<Value = TicketFact> {
        (any::<[u8; 12]>(), any::<u32>(), any::<u8>(), any::<u32>(), any::<u32>(), any::<u8>())
            .prop_map(|(id, event, class, from, to, reissue)| TicketFact {
                id: TicketId(id),
                event,
                class,
                valid_from: Millis::from_seconds(from),
                valid_to: Millis::from_seconds(to),
                reissue,
            })
    }

    #[test]
    fn an_id_begins_with_its_time_and_a_number_does_not() {
        let id = |now, random| TicketId::new(Millis(now), [random; 7]).to_string();
        let (one, later) = (id(1_800_000_000_000, 0xff), id(1_800_000_000_016, 0));
        assert!(one < later && one[..7] == later[..7], "{one} {later}");
        assert_eq!(number(&one), format!("77777777777Q{}", &one[..8]));
        assert_eq!(number("x"), "x");
        let made = Millis(1_800_000_000_000 + DAY / 2);
        assert!(
            is_typed(&one, made, "7777777777") && !is_typed(&one, made, &one[..10]),
            "nobody guesses a moment"
        );
        // An older one: all of it is by chance.
        let old = "ABCDE23456FGHIJ72345";
        assert!(
            is_typed(old, made, "ABCDE23456")
                && is_typed(old, made, "56FGHIJ723")
                && !is_typed(old, made, "BCDE")
        );
    }

    proptest! {
        #[test]
        fn a_signed_fact_reads_back_as_it_was(fact in any_fact()) {
            let code = fact.sign(&key());
            prop_assert_eq!(code.len(), CODE_CHARS);
            prop_assert!(code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
            prop_assert_eq!(verify(&code, &keys()), Ok(fact));
            prop_assert_eq!(verify(&code.to_lowercase(), &keys()), Ok(fact));
            prop_assert_eq!(verify(&grouped(&code), &keys()), Ok(fact));
        }

        #[test]
        fn any_changed_bit_is_forged(fact in any_fact(), bit in 0..CODE_BYTES * 8) {
            let code = fact.sign(&key());
            let mut bytes = BASE32_NOPAD.decode(&code.as_bytes()[2..]).expect("own code");
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
            prop_assert_eq!(verify(&forged, &keys()), Err(CodeError::Forged));
        }

        #[test]
        fn any_changed_character_is_refused(fact in any_fact(), at in 0..CODE_CHARS, to in any::<u8>()) {
            let code = fact.sign(&key());
            let mut bytes = code.clone().into_bytes();
            prop_assume!(!bytes[at].eq_ignore_ascii_case(&to));
            bytes[at] = to;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(verify(&text, &keys()).is_err());
            }
        }

        #[test]
        fn what_follows_a_code_is_read_and_changes_nothing(fact in any_fact(), proof in "[A-Z0-9]{4}") {
            let code = fact.sign(&key());
            let moving = format!("{code}{proof}");
            let letters = proof.as_bytes().try_into().ok().map(Letters);
            prop_assert_eq!(moving.len(), MOVING_CHARS);
            prop_assert_eq!(verify_moving(&moving, &keys()), Ok((fact, letters)));
            prop_assert_eq!(verify_moving(&grouped(&moving.to_lowercase()), &keys()), Ok((fact, letters)));
            prop_assert_eq!(verify_moving(&code, &keys()), Ok((fact, None)));
            prop_assert_eq!(without_proof(&moving.to_lowercase()), Some(code.clone()));
            prop_assert_eq!(without_proof(&code), Some(code.clone()));
            for part in 151..MOVING_CHARS {
                prop_assert_eq!(verify(&moving[..part], &keys()), Err(CodeError::NotATicket));
            }
            let longer = format!("{moving}A");
            prop_assert_eq!(verify(&longer, &keys()), Err(CodeError::NotATicket));
        }

        #[test]
        fn no_text_panics_or_passes(text in any::<String>()) {
            prop_assert!(verify(&text, &keys()).is_err());
        }

        #[test]
        fn no_bytes_in_the_right_shape_pass(bytes in prop::collection::vec(any::<u8>(), CODE_BYTES)) {
            let text = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
            prop_assert_eq!(verify(&text, &keys()), Err(CodeError::Forged));
            prop_assert_eq!(verify(&format!("{text}AB23"), &keys()), Err(CodeError::Forged));
        }
    }

    #[test]
    fn another_key_is_forged() {
        let fact = TicketFact::from_payload(&[0; PAYLOAD_BYTES]);
        assert_eq!(
            verify(&fact.sign(&IssuerKey::new(7, &[1; 32])), &keys()),
            Err(CodeError::Forged)
        );
        assert_eq!(
            verify(&fact.sign(&IssuerKey::new(8, &[42; 32])), &keys()),
            Err(CodeError::Forged)
        );
    }

    #[test]
    fn spare_bits_of_the_last_character_must_be_zero() {
        let code = TicketFact::from_payload(&[3; PAYLOAD_BYTES]).sign(&key());
        // 92 bytes leave four spare bits in the last of 148 characters: only A and Q are canonical there.
        let last = if code.ends_with('A') { 'B' } else { 'R' };
        let altered = format!("{}{last}", &code[..CODE_CHARS - 1]);
        assert_eq!(verify(&altered, &keys()), Err(CodeError::Forged));
    }

    #[test]
    fn a_partial_read_is_not_called_forged() {
        let code = TicketFact::from_payload(&[3; PAYLOAD_BYTES]).sign(&key());
        assert_eq!(verify(&code[..149], &keys()), Err(CodeError::NotATicket));
        assert_eq!(verify("https://example.org/", &keys()), Err(CodeError::NotATicket));
    }
}
