//! A kiosk as the server sees it: a key, signed requests, a journal. The real program is tested elsewhere.

use admission::{
    Millis, Verdict,
    card::Fingerprint,
    decide::{Proof, StationKind},
    scan::{Chain, Deed, Entry, Medium, Scan, Skew, Trust},
    sync::{
        Check, Checked, Feed, KIOSK_HEADER, REVOCATION_HEADER, Receipt, SIGNATURE_HEADER, Upload,
        revocation_is_signed, sign_request,
    },
    ticket::{TicketFact, TicketId},
};
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use reqwest::Method;
use serde_json::json;
use turnout_server::web::access::Role;

use super::{TestApp, app::Answer};

/// A kiosk as the server sees it.
pub(crate) struct TestKiosk<'a> {
    app: &'a TestApp,
    pub(crate) id: String,
    pub(crate) station: String,
    key: SigningKey,
    pub(crate) journal: Vec<Entry>,
    /// Server minus kiosk, as this kiosk measured.
    pub(crate) skew_ms: i64,
    pub(crate) event_number: u32,
}

impl TestApp {
    /// An enrolled kiosk at a gate of `event`.
    pub(crate) async fn kiosk(&self, event: &str, station: &str) -> TestKiosk<'_> {
        let organizer = self.staff(Role::Organizer).await;
        let new = json!({ "name": station, "event": event, "station": "gate" });
        let made = self.post("/api/v1/kiosks", &organizer, new).await.expect(201);
        let key = SigningKey::from_bytes(&std::array::from_fn(|at| {
            station.as_bytes()[at % station.len()]
        }));
        let enrolment = json!({ "code": made["code"], "public_key": HEXLOWER.encode(key.verifying_key().as_bytes()) });
        let enrolled = self.post("/api/v1/kiosks/enrolment", "", enrolment).await.expect(200);
        let id = enrolled["kiosk"].as_str().expect("id").to_owned();
        let station = station.to_owned();
        let mut kiosk = TestKiosk {
            app: self,
            id,
            station,
            key,
            journal: Vec::new(),
            skew_ms: 0,
            event_number: 0,
        };
        kiosk.event_number = kiosk.feed(0).await.post.event.number;
        kiosk
    }
}

impl TestKiosk<'_> {
    /// Sends a signed request.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        let path = format!("/api/v1{path}");
        let signature = sign_request(&self.key, &self.id, method.as_str(), &path, body.as_bytes());
        let request = self
            .app
            .http
            .request(method, format!("{}{path}", self.app.url))
            .header(KIOSK_HEADER, &self.id)
            .header(SIGNATURE_HEADER, signature)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let response = request.send().await.expect("the server answers");
        Answer { status: response.status(), text: response.text().await.expect("a body") }
    }

    pub(crate) async fn feed(&self, after: i64) -> Feed {
        let answer =
            self.send(Method::GET, &format!("/kiosk/feed?after={after}&cards_after=0"), "").await;
        serde_json::from_value(answer.expect(200)).expect("a feed")
    }

    /// Asks about a ticket under the next place of the journal.
    pub(crate) async fn check(&self, ticket: &str) -> Verdict {
        self.check_ticket(ticket.parse().expect("a ticket id")).await.verdict
    }

    /// The whole answer to that.
    pub(crate) async fn check_ticket(&self, ticket: TicketId) -> Checked {
        self.ask(Some((ticket, 0)), None, Medium::Code, Proof::Absent).await
    }

    /// Asks about a ticket that is shown with that proof, or its holder known.
    pub(crate) async fn check_shown(&self, ticket: &str, proof: Proof) -> Verdict {
        let ticket = ticket.parse().expect("a ticket id");
        self.ask(Some((ticket, 0)), None, Medium::Code, proof).await.verdict
    }

    /// Asks about a ticket whose code says this.
    pub(crate) async fn check_signed(&self, fact: TicketFact) -> Checked {
        let (seq, ticket) = (self.journal.len() as u64 + 1, Some((fact.id, fact.reissue)));
        let (medium, at, fact) = (Medium::Code, self.app.now(), Some(fact));
        let (card, proof) = (None, Proof::Absent);
        self.asks(&Check { seq, ticket, card, medium, proof, at, fact }).await
    }

    /// What the server says in answer to a request for the feed, and whether it signed that the kiosk was revoked.
    pub(crate) async fn is_revoked(&self) -> (u16, bool) {
        let path = "/api/v1/kiosk/feed?after=0";
        let signature = sign_request(&self.key, &self.id, "GET", path, b"");
        let request = self.app.http.get(format!("{}{path}", self.app.url));
        let request = request.header(KIOSK_HEADER, &self.id).header(SIGNATURE_HEADER, &signature);
        let response = request.send().await.expect("the server answers");
        let header = response.headers().get(REVOCATION_HEADER).and_then(|text| text.to_str().ok());
        let (keys, _) = self.app.app.keys.told();
        let signed =
            header.is_some_and(|header| revocation_is_signed(&keys, header, &self.id, &signature));
        (response.status().as_u16(), signed)
    }

    /// Asks about a card.
    pub(crate) async fn check_card(&self, card: Fingerprint) -> Checked {
        self.ask(None, Some(card), Medium::Card, Proof::Absent).await
    }

    async fn ask(
        &self,
        ticket: Option<(TicketId, u8)>,
        card: Option<Fingerprint>,
        medium: Medium,
        proof: Proof,
    ) -> Checked {
        let seq = self.journal.len() as u64 + 1;
        let check = Check { seq, ticket, card, medium, proof, at: self.app.now(), fact: None };
        self.asks(&check).await
    }

    async fn asks(&self, check: &Check) -> Checked {
        let body = serde_json::to_string(check).expect("plain data");
        serde_json::from_value(self.send(Method::POST, "/kiosk/check", &body).await.expect(200))
            .expect("an answer")
    }

    /// Journals what the door decided.
    pub(crate) fn decide(&mut self, ticket: &str, verdict: Verdict) {
        self.decide_at(ticket, verdict, self.app.now());
    }

    /// Journals what the door decided at a moment of its own clock.
    pub(crate) fn decide_at(&mut self, ticket: &str, verdict: Verdict, at: Millis) {
        let scan = Scan {
            seq: self.journal.len() as u64 + 1,
            event: self.event_number,
            station_kind: StationKind::Gate,
            station: self.station.clone(),
            medium: Medium::Code,
            ticket: Some(ticket.parse().expect("a ticket id")),
            verdict,
            trust: Trust::Local { age_ms: 0 },
            at,
            skew: Some(Skew { ms: self.skew_ms, error_ms: 5 }),
            deed: Deed::default(),
        };
        self.journal.push(Entry::of(&scan));
    }

    /// Journals an entry with a deed at a station of some kind.
    pub(crate) fn record(
        &mut self,
        kind: StationKind,
        ticket: TicketId,
        verdict: Verdict,
        deed: Deed,
    ) {
        let scan = Scan {
            seq: self.journal.len() as u64 + 1,
            event: self.event_number,
            station_kind: kind,
            station: self.station.clone(),
            medium: Medium::Card,
            ticket: Some(ticket),
            verdict,
            trust: Trust::Local { age_ms: 0 },
            at: self.app.now(),
            skew: Some(Skew { ms: self.skew_ms, error_ms: 5 }),
            deed,
        };
        self.journal.push(Entry::of(&scan));
    }

    /// Uploads the journal from a place on.
    pub(crate) async fn upload_from(&self, from_seq: u64) -> Answer {
        self.upload_as_of(from_seq, self.journal.len()).await
    }

    /// Uploads the journal from a place on, as it was when it had so many entries.
    pub(crate) async fn upload_as_of(&self, from_seq: u64, entries: usize) -> Answer {
        self.sends(&self.as_of(from_seq, entries)).await
    }

    /// The upload of the journal from a place on, as it was when it had so many entries; the server was heard just now.
    pub(crate) fn as_of(&self, from_seq: u64, entries: usize) -> Upload {
        let kept = usize::try_from(from_seq - 1).expect("small");
        Upload {
            from_seq,
            before: self.chain(kept),
            entries: self.journal[kept..entries].to_vec(),
            head_seq: entries as u64,
            skew_ms: Some(self.skew_ms),
            heard: Some(self.app.now()),
            ..Upload::default()
        }
    }

    /// Sends an upload.
    pub(crate) async fn sends(&self, upload: &Upload) -> Answer {
        let body = serde_json::to_string(upload).expect("plain data");
        self.send(Method::POST, "/kiosk/scans", &body).await
    }

    /// Uploads all of the journal.
    pub(crate) async fn upload(&self) -> Receipt {
        serde_json::from_value(self.upload_from(1).await.expect(200)).expect("a receipt")
    }

    /// The chain after so many entries.
    pub(crate) fn chain(&self, entries: usize) -> Chain {
        let numbered = (1..).zip(&self.journal[..entries]);
        numbered.fold(Chain::start(&self.id), |chain, (seq, entry)| chain.after(seq, entry))
    }
}
