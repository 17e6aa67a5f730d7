//! A server for this crate's tests: keeps what a kiosk sends, says what it is told to say. The real one is
//! tested with the real kiosk in `tests/`.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use admission::{
    Millis, Verdict,
    card::{CardKey, CardNumber},
    decide::{StationKind, TicketState, Use},
    scan::{Chain, Entry, Scan},
    sync::{
        CardKeyAnswer, CardRow, Check, Checked, Corrected, Enrolled, Enrolment, EventInfo, Feed,
        IssuerPublicKey, KIOSK_HEADER, OfferInfo, People, PersonRow, Post, REVOCATION_HEADER,
        Receipt, RequestKey, SIGNATURE_HEADER, TicketRow, Upload, sign_revocation,
    },
    ticket::{IssuerKey, TicketFact, TicketId},
    time::{DAY, HOUR},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::json;

/// The time of the tests.
pub(crate) const NOW: Millis = Millis(1_800_000_000_000);
pub(crate) const KIOSK: &str = "0198c0de-0000-7000-8000-000000000001";
/// A synthetic card whose holder has person id `p1`.
pub(crate) const CARD: &str = ";6210300000000007=30122200000000000000?";

/// Whoever holds a ticket here.
pub(crate) const NAME: &str = "欧阳小明";

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// 503 to everything.
    Down,
    /// Syncs, but never answers a check.
    Slow,
    /// Takes the journal, and says to everything else that the kiosk was revoked.
    Revoked,
    /// Says so to everything.
    Lost,
    /// Somebody on the way answers that the kiosk was revoked.
    Forged,
    /// The same, who signs that with a key of their own.
    SignedByAnother,
    /// Somebody on the way takes no request of more than some kilobytes.
    Narrow,
}

pub(crate) struct Inner {
    pub(crate) mood: Mood,
    /// What its clock shows.
    pub(crate) now: Millis,
    pub(crate) tickets: Vec<TicketRow>,
    pub(crate) cards: Vec<CardRow>,
    pub(crate) page: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) chain: Chain,
    pub(crate) uploads_with_entries: usize,
    /// What was told with the last upload of the clock under which entries were written.
    pub(crate) corrected: Vec<Corrected>,
    pub(crate) checks: usize,
    pub(crate) post: Post,
    public: [u8; 32],
}

/// A running fake.
#[derive(Clone)]
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<Inner>>,
}

pub(crate) fn issuer() -> IssuerKey {
    IssuerKey::new(1, &[3; 32])
}

/// Somebody on the way.
pub(crate) fn forger() -> IssuerKey {
    IssuerKey::new(1, &[4; 32])
}

pub(crate) fn public(key: &IssuerKey) -> IssuerPublicKey {
    IssuerPublicKey::new(key.id, &key.public())
}

pub(crate) fn fact(id: u8) -> TicketFact {
    TicketFact {
        id: TicketId([id; 12]),
        event: 4,
        class: 0,
        valid_from: NOW.plus(-HOUR),
        valid_to: NOW.plus(HOUR),
        reissue: 0,
    }
}

pub(crate) fn code(id: u8) -> String {
    fact(id).sign(&issuer())
}

pub(crate) fn ticket(id: u8, revision: i64) -> TicketRow {
    TicketRow {
        fact: fact(id),
        state: TicketState::Valid,
        person: Some(format!("p{id}")),
        holder: "欧**明".to_owned(),
        place: None,
        uses: Vec::new(),
        revision,
    }
}

fn card_key() -> [u8; 32] {
    [5; 32]
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let fingerprint =
            CardNumber::read(CARD).expect("a card").fingerprint(&CardKey::new(card_key()));
        let state = Inner {
            mood: Mood::Well,
            now: NOW,
            tickets: (1..=5).map(|id| ticket(id, i64::from(id))).collect(),
            cards: vec![CardRow { fingerprint, person: "p1".into(), blocked: false, revision: 1 }],
            page: 2,
            entries: Vec::new(),
            chain: Chain::start(KIOSK),
            uploads_with_entries: 0,
            corrected: Vec::new(),
            checks: 0,
            post: Post {
                name: "东门 1".into(),
                station_kind: StationKind::Gate,
                station: "东门".into(),
                event: EventInfo {
                    number: 4,
                    id: "event".into(),
                    title: "乒乓球赛".into(),
                    time_zone: "Asia/Shanghai".into(),
                    starts_at: NOW,
                    ends_at: NOW.plus(HOUR),
                    cancelled: false,
                    offers: vec![OfferInfo::once(0, "男子单打".into())],
                },
                keys: vec![public(&issuer())],
                keys_signed: String::new(),
                card_bins: vec!["621030".into()],
                lease_until: NOW.plus(DAY),
                allotments: Vec::new(),
                room: None,
                peers: Vec::new(),
                moving_key: None,
                venue: None,
            },
            public: [0; 32],
        };
        let fake = Self { address, state: Arc::new(Mutex::new(state)) };
        let router = Router::new()
            .route("/api/v1/kiosks/enrolment", post(enrol))
            .route("/api/v1/kiosk/feed", get(feed))
            .route("/api/v1/kiosk/scans", post(scans))
            .route("/api/v1/kiosk/check", post(check))
            .route("/api/v1/kiosk/card-key", get(key))
            .route("/api/v1/kiosk/people", get(people))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().expect("no handler panics while it holds the lock")
    }

    /// How many questions it was asked.
    pub(crate) fn checks(&self) -> usize {
        self.state().checks
    }

    pub(crate) fn scans(&self) -> Vec<Scan> {
        self.state().entries.iter().map(|entry| entry.scan().expect("a scan")).collect()
    }

    /// Why a request is refused, if it is.
    fn refusal(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Response> {
        let state = self.state();
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let (kiosk, signature) = (header(KIOSK_HEADER), header(SIGNATURE_HEADER));
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let problem = |status: StatusCode, code: &str| {
            Some((status, Json(json!({ "code": code, "title": code }))).into_response())
        };
        if state.mood == Mood::Down {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "busy");
        }
        if state.mood == Mood::Narrow && body.len() > 20_000 {
            return Some((StatusCode::PAYLOAD_TOO_LARGE, "<html>too large</html>").into_response());
        }
        let key = RequestKey::read(&state.public);
        let claim = key.and_then(|key| key.claim(signature, kiosk, method.as_str(), path, body));
        if !claim.is_some_and(|claim| claim.holds()) {
            return problem(StatusCode::UNAUTHORIZED, "not_signed");
        }
        match state.mood {
            Mood::Revoked if uri.path() == "/api/v1/kiosk/scans" => None,
            Mood::Revoked | Mood::Lost | Mood::Forged | Mood::SignedByAnother => {
                // As signed as can be, for another request.
                let of = if state.mood == Mood::Forged { "another" } else { signature };
                let by = if state.mood == Mood::SignedByAnother { forger() } else { issuer() };
                let signed = sign_revocation(&by, kiosk, of).parse().expect("plain text");
                let mut response = problem(StatusCode::UNAUTHORIZED, "kiosk_revoked")?;
                response.headers_mut().insert(REVOCATION_HEADER, signed);
                Some(response)
            }
            _ => None,
        }
    }
}

async fn enrol(State(fake): State<FakeServer>, Json(enrolment): Json<Enrolment>) -> Response {
    if enrolment.code != "GOOD" {
        let problem = json!({ "code": "code_unknown", "title": "no such code" });
        return (StatusCode::FORBIDDEN, Json(problem)).into_response();
    }
    let public = HEXLOWER.decode(enrolment.public_key.as_bytes()).expect("hex");
    fake.state().public = public.try_into().expect("32 bytes");
    Json(Enrolled { kiosk: KIOSK.into(), name: "东门 1".into() }).into_response()
}

#[derive(Deserialize)]
struct After {
    after: i64,
    cards_after: i64,
}

async fn feed(
    State(fake): State<FakeServer>,
    Query(after): Query<After>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = fake.refusal(&Method::GET, &uri, &headers, b"") {
        return refusal;
    }
    let state = fake.state();
    let mut rows: Vec<TicketRow> =
        state.tickets.iter().filter(|row| row.revision > after.after).cloned().collect();
    rows.sort_by_key(|row| row.revision);
    let more = rows.len() > state.page;
    rows.truncate(state.page);
    let cards: Vec<CardRow> =
        state.cards.iter().filter(|row| row.revision > after.cards_after).cloned().collect();
    Json(Feed {
        server_now: state.now,
        post: state.post.clone(),
        revision: rows.last().map_or(after.after, |row| row.revision),
        tickets: rows,
        cards_revision: cards.last().map_or(after.cards_after, |row| row.revision),
        cards,
        heard: Vec::new(),
        more,
    })
    .into_response()
}

async fn scans(
    State(fake): State<FakeServer>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = fake.refusal(&Method::POST, &uri, &headers, &body) {
        return refusal;
    }
    let upload: Upload = serde_json::from_slice(&body).expect("an upload");
    let mut state = fake.state();
    state.uploads_with_entries += usize::from(!upload.entries.is_empty());
    if !upload.entries.is_empty() {
        state.corrected = upload.corrected;
    }
    for (seq, entry) in (upload.from_seq..).zip(upload.entries) {
        let have = state.entries.len() as u64;
        if seq != have + 1 {
            continue;
        }
        let Ok(scan) = entry.scan() else { return StatusCode::BAD_REQUEST.into_response() };
        state.chain = state.chain.after(seq, &entry);
        state.entries.push(entry);
        let newest = state.tickets.iter().map(|row| row.revision).max().unwrap_or(0);
        let admits = scan.verdict.is_admitted();
        let row = state.tickets.iter_mut().find(|row| Some(row.fact.id) == scan.ticket);
        if let Some(row) = row.filter(|_| admits) {
            let kind = scan.station_kind;
            row.uses.push(Use { at: scan.true_at(), station: scan.station, kind });
            row.revision = newest + 1;
        }
    }
    let have_through = state.entries.len() as u64;
    Json(Receipt { have_through, chain: state.chain, server_now: state.now }).into_response()
}

async fn check(
    State(fake): State<FakeServer>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = fake.refusal(&Method::POST, &uri, &headers, &body) {
        return refusal;
    }
    let check: Check = serde_json::from_slice(&body).expect("a check");
    let (have_through, server_now) = {
        let state = fake.state();
        (state.entries.len() as u64, state.now)
    };
    let row = {
        let mut state = fake.state();
        state.checks += 1;
        let id = check.ticket.map(|(id, _)| id);
        let of_card =
            |row: &&TicketRow| check.card.is_some() && row.person.as_deref() == Some("p1");
        state.tickets.iter().find(|row| Some(row.fact.id) == id || of_card(row)).cloned()
    };
    if fake.state().mood == Mood::Slow {
        std::future::pending::<()>().await;
    }
    let verdict = match &row {
        None => Verdict::Refused(admission::Refusal::NotBooked),
        Some(row) => row.uses.first().map_or(Verdict::Admitted, |used| {
            let station = used.station.clone();
            Verdict::Refused(admission::Refusal::AlreadyUsed { at: used.at, station })
        }),
    };
    let uses = row.as_ref().map(|row| row.uses.clone()).unwrap_or_default();
    Json(Checked { verdict, ticket: row, uses, have_through, barred: Vec::new(), server_now })
        .into_response()
}

async fn people(State(fake): State<FakeServer>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.refusal(&Method::GET, &uri, &headers, b"") {
        return refusal;
    }
    let state = fake.state();
    let person = |row: &TicketRow| PersonRow {
        ticket: row.fact.id,
        name: NAME.to_owned(),
        booker: None,
        // Digits alone also stand in a hash, by chance.
        phone4: Some("尾号4321".to_owned()),
        cards4: vec!["0007".to_owned()],
        organisation: Some("千灵山公园".to_owned()),
    };
    let revision = state.tickets.iter().map(|row| row.revision).max().unwrap_or(0);
    let people = state.tickets.iter().map(person).collect();
    Json(People { people, revision, more: false }).into_response()
}

async fn key(State(fake): State<FakeServer>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.refusal(&Method::GET, &uri, &headers, b"") {
        return refusal;
    }
    Json(CardKeyAnswer { card_key: HEXLOWER.encode(&card_key()) }).into_response()
}
