//! What kiosk and server say to each other. JSON over HTTP, each request signed by the kiosk's own key.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    card::Fingerprint,
    decide::{Proof, Station, StationKind, Terms, Ticket, TicketState, Use, Verdict},
    moving::EventKey,
    scan::{Chain, Entry, Medium, Skew},
    ticket::{IssuerKey, TicketFact, TicketId, TrustedKeys},
    time::Millis,
};

/// Header that names the kiosk.
pub const KIOSK_HEADER: &str = "turnout-kiosk";
/// Header that carries the Base64 signature of [`request_text`].
pub const SIGNATURE_HEADER: &str = "turnout-signature";
/// Scans of one upload at most.
pub const UPLOAD_MAX: usize = 500;
/// How long a kiosk waits for the server before it decides alone.
pub const CHECK_TIMEOUT_MS: u64 = 300;

/// What a kiosk signs of a request: method, path with query, and the body's SHA-256, each on a line.
///
/// There is no time and no counter in it: every kiosk request is idempotent, so a replay changes nothing,
/// and a kiosk with a wrong clock is never locked out.
#[must_use]
pub fn request_text(kiosk: &str, method: &str, path_and_query: &str, body: &[u8]) -> Vec<u8> {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(body));
    format!("turnout request 1\n{kiosk}\n{method}\n{path_and_query}\n{digest}").into_bytes()
}

/// The value of [`SIGNATURE_HEADER`] for a request.
#[must_use]
pub fn sign_request(
    key: &SigningKey,
    kiosk: &str,
    method: &str,
    path_and_query: &str,
    body: &[u8],
) -> String {
    BASE64.encode(&key.sign(&request_text(kiosk, method, path_and_query, body)).to_bytes())
}

/// The key by which a kiosk's requests are known, read once for many of them.
#[derive(Clone, Debug)]
pub struct RequestKey(VerifyingKey);

impl RequestKey {
    /// The key of those 32 public bytes. None when they are no key, or one for which anybody can sign.
    #[must_use]
    pub fn read(public: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(public.try_into().ok()?).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// That `signature` (Base64) is this key's for this request, which is [not known](Claim::holds) yet. None when it is none at all.
    #[must_use]
    pub fn claim(
        &self,
        signature: &str,
        kiosk: &str,
        method: &str,
        path_and_query: &str,
        body: &[u8],
    ) -> Option<Claim> {
        let signature = BASE64.decode(signature.as_bytes()).ok()?.try_into().ok()?;
        let text = request_text(kiosk, method, path_and_query, body);
        Some(Claim { key: self.0, signature: Signature::from_bytes(&signature), text })
    }
}

/// That a kiosk signed a request.
#[derive(Clone, Debug)]
pub struct Claim {
    key: VerifyingKey,
    signature: Signature,
    text: Vec<u8>,
}

impl Claim {
    /// Whether it did.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.key.verify_strict(&self.text, &self.signature).is_ok()
    }
}

/// Which of the claims hold, in their order. Looked at together, eight and more cost less than half of what they cost one by
/// one; if one of them does not hold, each is looked at for itself.
///
/// Together, a kiosk could have signatures of its own pass that would not pass strictly (with a part of small order): it can
/// sign anyway. Nobody can do so for another's key, as weak ones are not [read](RequestKey::read).
#[must_use]
pub fn are_signed(claims: &[Claim]) -> Vec<bool> {
    if claims.len() > 1 {
        let texts: Vec<&[u8]> = claims.iter().map(|claim| claim.text.as_slice()).collect();
        let signatures: Vec<Signature> = claims.iter().map(|claim| claim.signature).collect();
        let keys: Vec<VerifyingKey> = claims.iter().map(|claim| claim.key).collect();
        if verify_batch(&texts, &signatures, &keys).is_ok() {
            return vec![true; claims.len()];
        }
    }
    claims.iter().map(Claim::holds).collect()
}

/// Header of the answer to a revoked kiosk: `KEY:SIGNATURE`, the id of a key that signs tickets and a Base64 signature of
/// [`revocation_text`], with a comma between several.
pub const REVOCATION_HEADER: &str = "turnout-revocation";

/// What the server signs when it tells a kiosk that it was revoked, in answer to one request: nobody else on the way may have
/// a kiosk wipe itself, and what was answered to one request is none to another.
#[must_use]
pub fn revocation_text(kiosk: &str, request_signature: &str) -> Vec<u8> {
    format!("turnout revoked 1\n{kiosk}\n{request_signature}").into_bytes()
}

/// One element of [`REVOCATION_HEADER`]'s value, by that key.
#[must_use]
pub fn sign_revocation(key: &IssuerKey, kiosk: &str, request_signature: &str) -> String {
    element(key, &revocation_text(kiosk, request_signature))
}

/// Whether one of `keys` signed that the kiosk was revoked, in answer to this request.
#[must_use]
pub fn revocation_is_signed(
    keys: &[IssuerPublicKey],
    header: &str,
    kiosk: &str,
    request_signature: &str,
) -> bool {
    is_signed(keys, header, &revocation_text(kiosk, request_signature))
}

/// What the server signs of its keys, with each of them: who knows one knows the others then. (Somebody on the way may say
/// that others are the server's, but signs with none that is known.)
#[must_use]
pub fn keys_text(keys: &[IssuerPublicKey]) -> Vec<u8> {
    let lines = keys.iter().map(|key| format!("\n{}:{}", key.id, key.public_key));
    format!("turnout keys 1{}", lines.collect::<String>()).into_bytes()
}

/// One element of [`Post::keys_signed`], by that key.
#[must_use]
pub fn sign_keys(key: &IssuerKey, keys: &[IssuerPublicKey]) -> String {
    element(key, &keys_text(keys))
}

/// Whether one of those that are `known` signed `keys`.
#[must_use]
pub fn keys_are_signed(known: &[IssuerPublicKey], signed: &str, keys: &[IssuerPublicKey]) -> bool {
    is_signed(known, signed, &keys_text(keys))
}

/// `KEY:SIGNATURE`.
fn element(key: &IssuerKey, text: &[u8]) -> String {
    format!("{}:{}", key.id, BASE64.encode(&key.sign(text).to_bytes()))
}

/// Whether one of the elements is one of the keys' signature of `text`.
fn is_signed(keys: &[IssuerPublicKey], elements: &str, text: &[u8]) -> bool {
    let holds = |one: &str| -> Option<bool> {
        let (id, signature) = one.trim().split_once(':')?;
        let id: u8 = id.parse().ok()?;
        let signature = BASE64.decode(signature.as_bytes()).ok()?.try_into().ok()?;
        let signature = Signature::from_bytes(&signature);
        let mut of_id =
            keys.iter().filter(|key| key.id == id).filter_map(IssuerPublicKey::verifying);
        Some(of_id.any(|key| key.verify_strict(text, &signature).is_ok()))
    };
    elements.split(',').any(|one| holds(one) == Some(true))
}

/// `POST /kiosks/enrolment`: a new kiosk shows its one-time code and its public key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// The one-time code an organizer was shown.
    pub code: String,
    /// The kiosk's Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
}

/// The answer to [`Enrolment`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    /// The kiosk's id, a UUID.
    pub kiosk: String,
    /// Its name.
    pub name: String,
}

/// What `GET /kiosk/feed?after=REVISION&cards_after=REVISION` answers: what changed, a page at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Feed {
    /// The server's clock, for measuring skew.
    pub server_now: Millis,
    /// Where this kiosk stands and what it serves. Small, so it comes with every page.
    pub post: Post,
    /// Tickets changed after the asked revision, in order of revision.
    pub tickets: Vec<TicketRow>,
    /// Ask on from this revision.
    pub revision: i64,
    /// Cards changed after the asked revision, in order of revision.
    pub cards: Vec<CardRow>,
    /// Ask on from this card revision.
    pub cards_revision: i64,
    /// How far the server has the journals of the event's other kiosks, read before the tickets: what stands there
    /// through that place, the tickets tell.
    #[serde(default)]
    pub heard: Vec<Heard>,
    /// Whether there is more to fetch at once.
    pub more: bool,
}

/// How far the server has a kiosk's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The kiosk's id.
    pub kiosk: String,
    /// All through this place.
    pub through: u64,
}

/// Where a kiosk stands and what it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The kiosk's name.
    pub name: String,
    /// What is done here.
    pub station_kind: StationKind,
    /// The station's name.
    pub station: String,
    /// The event.
    pub event: EventInfo,
    /// Public keys that sign tickets.
    pub keys: Vec<IssuerPublicKey>,
    /// Those, signed with each of them: `KEY:SIGNATURE` of [`keys_text`], with a comma between several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keys_signed: String,
    /// Issuer numbers of union cards; any other card is "not a union card".
    pub card_bins: Vec<String>,
    /// What the kiosk holds expires then, without further contact.
    pub lease_until: Millis,
    /// Places that this kiosk may give to members without a ticket.
    #[serde(default)]
    pub allotments: Vec<Allotment>,
    /// The id of the venue where it stands, which takes its own vouchers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// How many may still come in at this gate, where the event has an approved size.
    #[serde(default)]
    pub room: Option<Room>,
    /// The event's other kiosks that the server vouches for: enrolled, not revoked, not in contradiction with
    /// themselves. Only these are believed on the local network.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// From what the moving codes of the event's tickets are made, when an offer of it asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_key: Option<EventKey>,
}

/// This gate's share of the places that the event's approved size leaves. The shares of all gates together are no more
/// than what is left, so that however long they are alone, they never let in more than were approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// So many more may come in here.
    pub share: u32,
    /// What this kiosk did up to this place of its journal is counted already.
    pub through: u64,
}

/// Another kiosk of the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub kiosk: String,
    /// Its name.
    pub name: String,
    /// The name of its station.
    pub station: String,
    /// Its Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
}

/// Places of an offer's quota that one kiosk may give away by itself, however long it is alone: nobody else gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allotment {
    /// Its number among the kiosk's allotments.
    pub number: i64,
    /// The offer's class.
    pub class: u8,
    /// How many places, those already given included.
    pub places: u32,
    /// It may give places until then, by true time.
    pub until: Millis,
}

impl Post {
    /// The station as the decision sees it.
    #[must_use]
    pub fn as_station(&self) -> Station {
        Station {
            kind: self.station_kind,
            name: self.station.clone(),
            event: self.event.number,
            event_cancelled: self.event.cancelled,
            venue: self.venue.clone(),
        }
    }

    /// The keys that sign tickets; one that is not readable is left out, so its codes are refused.
    #[must_use]
    pub fn trusted_keys(&self) -> TrustedKeys {
        let mut keys = TrustedKeys::default();
        for key in &self.keys {
            if let Some(public) = key.bytes() {
                keys.trust(key.id, &public);
            }
        }
        keys
    }
}

/// An event as a kiosk knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInfo {
    /// Its number, as ticket codes carry it.
    pub number: u32,
    /// Its id, a UUID.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// It begins.
    pub starts_at: Millis,
    /// It ends.
    pub ends_at: Millis,
    /// Cancelled as a whole.
    pub cancelled: bool,
    /// What can be booked at it.
    pub offers: Vec<OfferInfo>,
}

impl EventInfo {
    /// The offer of that class.
    #[must_use]
    pub fn offer(&self, class: u8) -> Option<&OfferInfo> {
        self.offers.iter().find(|offer| offer.class == class)
    }

    /// How the tickets of that class may be used; once, when it is not known.
    #[must_use]
    pub fn terms(&self, class: u8) -> Terms {
        self.offer(class).map_or(Terms::ONCE, |offer| offer.terms.clone())
    }
}

/// An offer as a kiosk knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferInfo {
    /// Its number within the event, as ticket codes carry it.
    pub class: u8,
    /// What it is called.
    pub name: String,
    /// How often and how its tickets may be used.
    pub terms: Terms,
    /// Admission begins.
    pub valid_from: Millis,
    /// Admission ends.
    pub valid_to: Millis,
}

impl OfferInfo {
    /// An offer whose tickets are used once, at any time.
    #[must_use]
    pub const fn once(class: u8, name: String) -> Self {
        let (valid_from, valid_to) = (Millis(0), Millis(i64::MAX));
        Self { class, name, terms: Terms::ONCE, valid_from, valid_to }
    }
}

/// A public key that signs tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerPublicKey {
    /// Its id inside codes.
    pub id: u8,
    /// 64 hexadecimal digits.
    pub public_key: String,
}

impl IssuerPublicKey {
    /// The key of that id, as kiosks are told it.
    #[must_use]
    pub fn new(id: u8, public: &[u8; 32]) -> Self {
        Self { id, public_key: HEXLOWER_PERMISSIVE.encode(public) }
    }

    fn bytes(&self) -> Option<[u8; 32]> {
        HEXLOWER_PERMISSIVE.decode(self.public_key.as_bytes()).ok()?.try_into().ok()
    }

    fn verifying(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&self.bytes()?).ok()
    }
}

/// A ticket as a kiosk keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRow {
    /// What its code says, with the reissue number in force.
    pub fact: TicketFact,
    /// What has become of it.
    pub state: TicketState,
    /// The person whose card opens it; none for a companion.
    pub person: Option<String>,
    /// The holder's name, masked.
    pub holder: String,
    /// Where the holder goes, or what they wear: a walker's number, a seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the server knows of its uses, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Use>,
    /// The event's revision at its last change.
    pub revision: i64,
}

impl TicketRow {
    /// This ticket as a code with reissue number `reissue` shows it. The times are those of the row, which
    /// are newer than the code's when an event was moved.
    #[must_use]
    pub fn shown_by_code(&self, reissue: u8, terms: Terms) -> Ticket {
        let fact = TicketFact { reissue, ..self.fact };
        let proof = Proof::Absent;
        Ticket { fact, state: self.state, reissue: self.fact.reissue, terms, proof }
    }

    /// This ticket as its holder's card shows it: in force whatever the reissue.
    #[must_use]
    pub fn shown_by_card(&self, terms: Terms) -> Ticket {
        self.shown_by_code(self.fact.reissue, terms)
    }
}

/// A membership card as a kiosk keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRow {
    /// Its keyed fingerprint.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub person: String,
    /// Reported lost, or its member left.
    pub blocked: bool,
    /// The roster's revision at its last change.
    pub revision: i64,
}

/// `POST /kiosk/scans`: what is in the journal from `from_seq` on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Upload {
    /// The place of the first entry.
    pub from_seq: u64,
    /// The chain before it.
    pub before: Chain,
    /// The entries, at most [`UPLOAD_MAX`]. None is a sign of life.
    pub entries: Vec<Entry>,
    /// The last place in the journal: places above it were never decided here.
    pub head_seq: u64,
    /// The clock skew last measured, milliseconds.
    pub skew_ms: Option<i64>,
    /// What the server's clock showed when this kiosk last heard it in this run, before it looked where its journal ends:
    /// so the server knows how much of what it was asked this upload speaks of, however late it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Millis>,
    /// The journal ends there: this kiosk was revoked, heard of it, and decides nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends: bool,
    /// How many wrong PINs were typed at it within the last day.
    #[serde(default)]
    pub wrong_pins: u32,
    /// What is known by now of the clock under which entries were written. They stay as they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrected: Vec<Corrected>,
}

/// A kiosk that begins after a power cut, without a network, does not know how long it was off. What it wrote meanwhile is
/// put right once it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// From this place of its journal.
    pub from: u64,
    /// Through this one.
    pub through: u64,
    /// So much later than their entries say.
    pub by_ms: i64,
    /// As exactly as that.
    pub error_ms: i64,
}

impl Corrected {
    /// The skew that holds for the entry at `seq`, when it was written with `skew`.
    #[must_use]
    pub fn of(all: &[Self], seq: u64, skew: Option<Skew>) -> Option<Skew> {
        let found = all.iter().find(|one| (one.from..=one.through).contains(&seq));
        let Some(Self { by_ms, error_ms, .. }) = found else { return skew };
        let ms = skew.map_or(0, |skew| skew.ms).saturating_add(*by_ms);
        Some(Skew { ms, error_ms: (*error_ms).max(0) })
    }
}

/// The answer to [`Upload`], given after commit: "have all through m".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// All entries through this place are kept.
    pub have_through: u64,
    /// The chain after that entry.
    pub chain: Chain,
    /// The server's clock, for measuring skew.
    pub server_now: Millis,
}

/// `POST /kiosk/check`: the server is asked about a scan that is about to be journaled under the same id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// The place the scan will have in the kiosk's journal.
    pub seq: u64,
    /// The ticket its code names (signature already verified), with the code's reissue number.
    pub ticket: Option<(TicketId, u8)>,
    /// Or the card's fingerprint.
    pub card: Option<Fingerprint>,
    /// How the holder showed who they are.
    pub medium: Medium,
    /// What the kiosk saw of the holder, when that is asked for.
    #[serde(default, skip_serializing_if = "Proof::is_absent")]
    pub proof: Proof,
    /// The kiosk's clock.
    pub at: Millis,
    /// What the code says, by which a server that has lost the ticket (it was restored from a backup) can still decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<TicketFact>,
}

/// The server's word on a [`Check`]. An admission is counted provisionally until the journal confirms it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checked {
    /// What the server would decide.
    pub verdict: Verdict,
    /// The ticket it found. None of one that is signed and not in its books: of that one the server knows what doors told it,
    /// and nothing else.
    pub ticket: Option<TicketRow>,
    /// Its uses as the server decided by them: all it knows but what it only believes this kiosk to have done.
    #[serde(default)]
    pub uses: Vec<Use>,
    /// The server has the kiosk's journal through this place; what was done after it is not among `uses`.
    #[serde(default)]
    pub have_through: u64,
    /// Classes of which no gate gives the card's holder a place: they stayed away too often.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barred: Vec<u8>,
    /// The server's clock.
    pub server_now: Millis,
}

/// `POST /kiosk/numbers`: somebody whose scan was just journaled at a desk wants its next call number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NumberWanted {
    /// Whose.
    pub ticket: TicketId,
}

/// A call number at a desk. Asking again gives the same one until it was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNumber {
    /// A12.
    pub label: String,
    /// It is its turn.
    pub called: bool,
    /// How many wait before it.
    pub before: u32,
    /// How many minutes it will take, from and to, as the last visits took; none when they are too few to tell.
    pub wait: Option<(u32, u32)>,
}

/// What `GET /kiosk/people?after=REVISION` answers: who holds tickets, for the list at a staffed kiosk. Kept sealed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct People {
    /// In order of revision.
    pub people: Vec<PersonRow>,
    /// Ask on from this revision.
    pub revision: i64,
    /// Whether there is more to fetch at once.
    pub more: bool,
}

/// Who holds a ticket, as staff look for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRow {
    /// The ticket.
    pub ticket: TicketId,
    /// The holder's name in full.
    pub name: String,
    /// For a companion: who booked.
    pub booker: Option<String>,
    /// The last four digits of the phone of who booked.
    pub phone4: Option<String>,
    /// The last four digits of the holder's cards.
    pub cards4: Vec<String>,
    /// The firm, or the union.
    pub organisation: Option<String>,
}

/// `GET /kiosk/card-key`: the secret under which cards are fingerprinted. Kept in memory, on disk only sealed.
#[derive(Serialize, Deserialize)]
pub struct CardKeyAnswer {
    /// 64 hexadecimal digits.
    pub card_key: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signed_request_holds_for_that_request_alone() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let public = RequestKey::read(key.verifying_key().as_bytes()).expect("a key");
        let signature = sign_request(&key, "k1", "POST", "/api/v1/kiosk/scans", b"{}");
        let holds = |kiosk: &str, method: &str, path: &str, body: &[u8]| {
            public.claim(&signature, kiosk, method, path, body).expect("a signature").holds()
        };
        assert!(holds("k1", "POST", "/api/v1/kiosk/scans", b"{}"));
        assert!(!holds("k2", "POST", "/api/v1/kiosk/scans", b"{}"));
        assert!(!holds("k1", "GET", "/api/v1/kiosk/scans", b"{}"));
        assert!(!holds("k1", "POST", "/api/v1/kiosk/check", b"{}"));
        assert!(!holds("k1", "POST", "/api/v1/kiosk/scans", b"[]"));
        assert!(public.claim("nonsense", "k1", "POST", "/", b"").is_none());
        assert!(RequestKey::read(&[5; 31]).is_none());
        // The point that is nothing: for it, anybody can sign.
        let mut nothing = [0; 32];
        nothing[0] = 1;
        assert!(VerifyingKey::from_bytes(&nothing).is_ok() && RequestKey::read(&nothing).is_none());
    }

    #[test]
    fn claims_that_are_looked_at_together_hold_as_they_do_one_by_one() {
        let keys = [5, 6, 7].map(|byte| SigningKey::from_bytes(&[byte; 32]));
        let claim = |n: usize, body: &[u8]| {
            let key = &keys[n % keys.len()];
            let signature = sign_request(key, "k", "POST", "/", &n.to_le_bytes());
            let public = RequestKey::read(key.verifying_key().as_bytes()).expect("a key");
            public.claim(&signature, "k", "POST", "/", body).expect("a signature")
        };
        for count in [0, 1, 2, 9, 64] {
            let sound: Vec<Claim> = (0..count).map(|n| claim(n, &n.to_le_bytes())).collect();
            assert_eq!(are_signed(&sound), vec![true; count]);
            for wrong in [0, count / 2, count.saturating_sub(1)].into_iter().filter(|n| *n < count)
            {
                let mut claims = sound.clone();
                claims[wrong] = claim(wrong, b"another");
                let expected: Vec<bool> = (0..count).map(|n| n != wrong).collect();
                assert_eq!(are_signed(&claims), expected, "{wrong} of {count}");
                // The other's signature, the other's key.
                claims[wrong] =
                    Claim { key: keys[(wrong + 1) % 3].verifying_key(), ..sound[wrong].clone() };
                assert_eq!(are_signed(&claims), expected, "{wrong} of {count}");
            }
        }
    }

    #[test]
    fn a_revocation_is_the_servers_for_one_kiosk_and_one_request() {
        let (other, key) = (IssuerKey::new(1, &[8; 32]), IssuerKey::new(2, &[7; 32]));
        let public = |key: &IssuerKey| IssuerPublicKey::new(key.id, &key.public());
        let keys = [public(&other), public(&key)];
        let said = sign_revocation(&key, "k1", "request");
        let unknown = IssuerKey::new(9, &[8; 32]);
        let several = format!("{}, {said}", sign_revocation(&unknown, "k1", "request"));
        assert!(revocation_is_signed(&keys, &said, "k1", "request"));
        assert!(revocation_is_signed(&keys, &several, "k1", "request"));
        assert!(!revocation_is_signed(&keys, &said, "k2", "request"));
        assert!(!revocation_is_signed(&keys, &said, "k1", "another"));
        assert!(!revocation_is_signed(&keys[..1], &said, "k1", "request"));
        let (_, signature) = said.split_once(':').expect("two parts");
        for text in ["", ":", "2:", "1:AAAA", "300:AAAA", &format!("1:{signature}"), signature] {
            assert!(!revocation_is_signed(&keys, text, "k1", "request"), "{text}");
        }
    }

    #[test]
    fn an_entry_is_corrected_where_its_place_is_told() {
        let all = [Corrected { from: 3, through: 4, by_ms: 60_000, error_ms: 2 }];
        let skew = Some(Skew { ms: -5, error_ms: 900 });
        assert_eq!(Corrected::of(&all, 2, skew), skew);
        assert_eq!(Corrected::of(&all, 3, skew), Some(Skew { ms: 59_995, error_ms: 2 }));
        assert_eq!(Corrected::of(&all, 4, None), Some(Skew { ms: 60_000, error_ms: 2 }));
        assert_eq!(Corrected::of(&all, 5, None), None);
    }

    #[test]
    fn new_keys_are_the_servers_when_one_that_is_known_signed_them() {
        let (old, new) = (IssuerKey::new(1, &[8; 32]), IssuerKey::new(2, &[7; 32]));
        let public = |key: &IssuerKey| IssuerPublicKey::new(key.id, &key.public());
        let both = [public(&old), public(&new)];
        let known = [public(&old)];
        let signed = [&old, &new].map(|key| sign_keys(key, &both)).join(", ");
        assert!(keys_are_signed(&known, &signed, &both));
        assert!(!keys_are_signed(&known, &sign_keys(&new, &both), &both), "by itself alone");
        assert!(!keys_are_signed(&known, &signed, &both[1..]), "other keys");
        assert!(!keys_are_signed(&known, "", &both));
        // What is signed of keys is no revocation, nor the other way round.
        assert!(!revocation_is_signed(&known, &signed, "k1", "request"));
        let revocation = sign_revocation(&old, "k1", "request");
        assert!(!keys_are_signed(&known, &revocation, &both));
    }

    fn message() -> String {
        let upload = Upload {
            from_seq: 7,
            before: Chain::start("k"),
            entries: vec![Entry("{\"seq\":7}".to_owned())],
            head_seq: 7,
            skew_ms: Some(-3),
            heard: Some(Millis(5)),
            ends: true,
            wrong_pins: 4,
            corrected: vec![Corrected { from: 1, through: 7, by_ms: 60_000, error_ms: 2 }],
        };
        serde_json::to_string(&upload).expect("plain data")
    }

    proptest! {
        /// Whatever the other side sends is read or refused; nothing breaks. (The fuzz target `entry` does the same for longer.)
        #[test]
        fn whatever_is_sent_is_read_or_refused(noise in "\\PC{0,200}", at in 0_usize..200, byte in any::<u8>()) {
            let mut mutated = message().into_bytes();
            let at = at % mutated.len();
            mutated[at] = byte;
            for text in [noise, String::from_utf8_lossy(&mutated).into_owned()] {
                drop(serde_json::from_str::<Upload>(&text));
                drop(serde_json::from_str::<Feed>(&text));
                drop(serde_json::from_str::<Check>(&text));
                drop(serde_json::from_str::<Checked>(&text));
                drop(serde_json::from_str::<People>(&text));
                let key = RequestKey::read(SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes());
                let claim = key.expect("a key").claim(&text, "k", "POST", "/", text.as_bytes());
                prop_assert!(!claim.is_some_and(|claim| claim.holds()));
                let entry = Entry(text);
                if let Ok(scan) = entry.scan() {
                    let ours = Entry::of(&scan);
                    prop_assert_eq!(Entry::of(&ours.scan().expect("our own")), ours);
                }
            }
        }
    }
}
