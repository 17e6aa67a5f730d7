//! What a kiosk tells the others of one entry of its journal, signed with the key it was enrolled with. No name, no
//! card, no phone: a ticket's id, a time, a station.

use std::fmt;

use admission::{
    decide::Use,
    scan::{Act, Chain, Scan},
    ticket::TicketId,
};
use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is signed begins with this, so that no signature of another kind is one of these.
const SIGNED: &[u8] = b"turnout told 1\n";

/// What one entry of a kiosk's journal means to other doors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whose journal.
    pub kiosk: String,
    /// The event's number.
    pub event: u32,
    /// The place in the journal.
    pub seq: u64,
    /// The chain after it: who tells two stories under one number is found out.
    pub chain: Chain,
    /// What was done; nothing that matters elsewhere, when somebody was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
}

/// A ticket was used, or a use was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    /// Which ticket.
    pub ticket: TicketId,
    /// The use, or the one that is taken back.
    pub used: Use,
    /// The place of the entry that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// For a place given to somebody without a ticket: who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// A person, recognisable to whoever knows the id and to nobody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Holder([u8; 16]);

impl Holder {
    /// Who has the id `person`, at the event of that number.
    #[must_use]
    pub fn of(event: u32, person: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(b"turnout holder 1\n")
            .chain_update(event.to_be_bytes())
            .chain_update(person)
            .finalize();
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest[..16]);
        Self(tag)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({})", HEXLOWER.encode(&self.0[..4]))
    }
}

impl From<Holder> for String {
    fn from(holder: Holder) -> Self {
        HEXLOWER.encode(&holder.0)
    }
}

impl TryFrom<String> for Holder {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        let bytes = HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a holder is 32 hexadecimal digits")
    }
}

impl Told {
    /// What the entry that records `scan` tells. `about` is the entry that it takes back.
    #[must_use]
    pub fn of(kiosk: &str, chain: Chain, scan: &Scan, about: Option<&Scan>) -> Self {
        let used = |scan: &Scan| Use {
            at: scan.true_at(),
            station: scan.station.clone(),
            kind: scan.station_kind,
        };
        let did = match (scan.deed.act, scan.ticket) {
            (Act::Undo, Some(ticket)) => about.map(|undone| Did {
                ticket,
                used: used(undone),
                undoes: Some(undone.seq),
                holder: None,
            }),
            (Act::Consent, _) | (_, None) => None,
            (_, Some(ticket)) => scan.verdict.is_admitted().then(|| Did {
                ticket,
                used: used(scan),
                undoes: None,
                holder: scan.deed.walk_in.as_ref().map(|w| Holder::of(scan.event, &w.person)),
            }),
        };
        Self { kiosk: kiosk.to_owned(), event: scan.event, seq: scan.seq, chain, did }
    }
}

/// Something told, as it goes over the network: the text that was signed, so that the signature holds across versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The JSON of a [`Told`].
    pub told: String,
    /// Ed25519, Base64.
    pub signature: String,
}

/// Something told whose signature was checked, or made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    told: Told,
    signed: Signed,
}

impl Proven {
    /// What this kiosk tells.
    ///
    /// # Panics
    /// Never: what is told is plain data.
    #[must_use]
    pub fn sign(told: Told, key: &SigningKey) -> Self {
        let text = serde_json::to_string(&told).expect("what is told is plain data");
        let signature = BASE64.encode(&key.sign(&signed_text(&text)).to_bytes());
        Self { told, signed: Signed { told: text, signature } }
    }

    /// What `signed` tells, if the kiosk that it names signed it; `key_of` gives the keys of those who are believed.
    #[must_use]
    pub fn check(signed: Signed, key_of: impl Fn(&str) -> Option<VerifyingKey>) -> Option<Self> {
        let told: Told = serde_json::from_str(&signed.told).ok()?;
        let key = key_of(&told.kiosk)?;
        let bytes = BASE64.decode(signed.signature.as_bytes()).ok()?.try_into().ok()?;
        let signature = Signature::from_bytes(&bytes);
        key.verify_strict(&signed_text(&signed.told), &signature).ok()?;
        Some(Self { told, signed })
    }

    /// What was checked before it was kept. None when it is no longer readable.
    #[must_use]
    pub fn kept(signed: Signed) -> Option<Self> {
        let told = serde_json::from_str(&signed.told).ok()?;
        Some(Self { told, signed })
    }

    /// For a simulation, in which nobody forges: without a signature.
    #[must_use]
    pub fn unsigned(told: Told) -> Self {
        let nothing = Signed { told: String::new(), signature: String::new() };
        Self { told, signed: nothing }
    }

    /// What is told.
    #[must_use]
    pub const fn told(&self) -> &Told {
        &self.told
    }

    /// As it goes on to others.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.signed
    }
}

fn signed_text(text: &str) -> Vec<u8> {
    [SIGNED, text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use admission::{Millis, Verdict, decide::StationKind, scan::*};

    use super::*;

    fn scan(deed: Deed, verdict: Verdict) -> Scan {
        Scan {
            seq: 7,
            event: 4,
            station_kind: StationKind::Gate,
            station: "东门".into(),
            medium: Medium::Code,
            ticket: Some(TicketId([9; 12])),
            verdict,
            trust: Trust::SignatureOnly,
            at: Millis(1_000),
            skew: Some(Skew { ms: 500, error_ms: 1 }),
            deed,
        }
    }

    fn told(scan: &Scan, about: Option<&Scan>) -> Told {
        Told::of("k", Chain::start("k"), scan, about)
    }

    #[test]
    fn an_admission_tells_ticket_time_and_door_and_nobodys_name() {
        let walk_in = WalkIn { person: "p-1".into(), allotment: 3, class: 0 };
        let deed = Deed {
            act: Act::WalkIn,
            walk_in: Some(walk_in),
            operator: Some("小李".into()),
            why: Some("没带手机".into()),
            ..Deed::default()
        };
        let told = told(&scan(deed, Verdict::Admitted), None);
        let did = told.did.clone().expect("somebody went in");
        assert_eq!(did.used, Use::entry(Millis(1_500), "东门".into()));
        assert_eq!(did.holder, Some(Holder::of(4, "p-1")));
        assert_ne!(
            did.holder,
            Some(Holder::of(5, "p-1")),
            "not to be followed from event to event"
        );
        let text = serde_json::to_string(&told).expect("plain");
        for secret in ["p-1", "小李", "手机"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn an_undo_tells_what_it_takes_back_and_a_refusal_nothing() {
        let first = Scan { seq: 3, at: Millis(10), ..scan(Deed::default(), Verdict::Admitted) };
        let undo = Deed { act: Act::Undo, about: Some(3), ..Deed::default() };
        let refused = Verdict::Attention(admission::Refusal::Unknown);
        let did = told(&scan(undo, refused.clone()), Some(&first)).did.expect("told");
        assert_eq!((did.undoes, did.used.at), (Some(3), Millis(510)));
        assert_eq!(told(&scan(Deed::default(), refused), None).did, None);
    }

    #[test]
    fn what_is_told_holds_only_as_it_was_signed_by_whom_it_names() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let own = Proven::sign(told(&scan(Deed::default(), Verdict::Admitted), None), &key);
        let keys = |kiosk: &str| (kiosk == "k").then(|| key.verifying_key());
        let check = |signed: Signed| Proven::check(signed, keys);
        assert_eq!(check(own.signed().clone()).as_ref(), Some(&own));
        let of_other = Proven::sign(own.told().clone(), &other);
        assert_eq!(check(of_other.signed().clone()), None);
        let of_stranger = Told { kiosk: "x".into(), ..own.told().clone() };
        assert_eq!(check(Proven::sign(of_stranger, &key).signed().clone()), None);
        let changed = Signed {
            told: own.signed().told.replace("\"seq\":7", "\"seq\":8"),
            ..own.signed().clone()
        };
        assert_eq!(check(changed), None);
        for nonsense in ["", "{}", "null"] {
            let signature = own.signed().signature.clone();
            assert_eq!(check(Signed { told: nonsense.into(), signature }), None);
        }
    }
}
