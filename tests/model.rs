//! Booking against a model of a few lines: whatever people and staff do in whatever order, the server and the model say the
//! same, and what must never happen has not happened. `TURNOUT_STEPS` makes the walks longer, `TURNOUT_SEED` replays one.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};
use turnout_server::{archive::verify, booking::held, draw, fetch, web::access::Role};

use crate::support::{Engine, TestApp, kiosk::TestKiosk, people::Member, random::Random};

const HOUR: i64 = 3_600_000;
const PEOPLE: usize = 9;
const QUOTA: i64 = 6;
const PER_PERSON: i64 = 4;
/// Who is promoted has so long to accept.
const ACCEPT: i64 = 2 * HOUR;
/// So long after it has begun a ballot closes.
const ENTERING: i64 = 3 * HOUR;

/// How places are given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    FirstCome,
    /// The same, with a line.
    Line,
    /// An organizer approves; who is approved when it is full stands in line.
    Approval,
    /// Everybody enters; it is drawn when it closes, and who is not drawn stands in line in the order of the draw.
    Ballot,
}

/// The model: who asked for how many places in what order, and what became of it.
struct Model {
    mode: Mode,
    bookings: Vec<Row>,
    /// The last place in the line that was ever given.
    last: i64,
    /// It was drawn: nobody enters any more.
    drawn: bool,
}

struct Row {
    person: usize,
    places: i64,
    status: &'static str,
    until: i64,
    /// Its place in the line.
    line: i64,
}

impl Row {
    fn is_open(&self) -> bool {
        matches!(self.status, "entered" | "requested" | "confirmed" | "held" | "waiting")
    }
}

impl Model {
    fn new(mode: Mode) -> Self {
        Self { mode, bookings: Vec::new(), last: 0, drawn: false }
    }

    fn taken(&self) -> i64 {
        self.sum(|row| matches!(row.status, "confirmed" | "held"))
    }

    fn sum(&self, counts: impl Fn(&Row) -> bool) -> i64 {
        self.bookings.iter().filter(|row| counts(row)).map(|row| row.places).sum()
    }

    fn fits(&self, places: i64) -> bool {
        self.taken() + places <= QUOTA
    }

    /// The first in the line.
    fn head(&self) -> Option<usize> {
        let waiting = self.bookings.iter().enumerate().filter(|(_, row)| row.status == "waiting");
        waiting.min_by_key(|(_, row)| row.line).map(|(at, _)| at)
    }

    fn place_in_line(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    fn book(&mut self, person: usize, places: i64) -> &'static str {
        if self.mode == Mode::FirstCome && self.taken() == QUOTA {
            return "sold_out";
        }
        if self.drawn {
            return "not_open";
        }
        let held = self.sum(|row| row.person == person && row.is_open());
        let once = matches!(self.mode, Mode::Approval | Mode::Ballot);
        if held + places > PER_PERSON || (once && held > 0) {
            return "limit_reached";
        }
        let fits = self.fits(places) && self.head().is_none();
        let (status, line) = match (self.mode, fits) {
            (Mode::Approval, _) => ("requested", 0),
            (Mode::Ballot, _) => ("entered", 0),
            (_, true) => ("confirmed", 0),
            (Mode::Line, false) => ("waiting", self.place_in_line()),
            (Mode::FirstCome, false) => return "sold_out",
        };
        self.bookings.push(Row { person, places, status, until: 0, line });
        status
    }

    /// What a draw makes of the entries: of those who lost, each stands in line behind those drawn before.
    fn draw(&mut self, won: &[usize], lost: &[usize]) {
        let entered = self.bookings.iter().enumerate().filter(|(_, row)| row.status == "entered");
        let entered: Vec<usize> = entered.map(|(at, _)| at).collect();
        let mut drawn = [won, lost].concat();
        drawn.sort_unstable();
        assert_eq!(drawn, entered, "who entered was drawn or not, once, and nobody else");
        for at in won {
            self.bookings[*at].status = "confirmed";
        }
        let left = QUOTA - self.taken();
        for at in lost {
            assert!(self.bookings[*at].places > left, "a place is left, and somebody got none");
            (self.bookings[*at].status, self.bookings[*at].line) =
                ("waiting", self.place_in_line());
        }
        self.drawn = true;
    }

    fn end(&mut self, at: usize, status: &'static str, now: i64) {
        self.bookings[at].status = status;
        self.advance(now);
    }

    fn advance(&mut self, now: i64) {
        while let Some(head) = self.head().filter(|head| self.fits(self.bookings[*head].places)) {
            self.hold(head, now);
        }
    }

    fn hold(&mut self, at: usize, now: i64) {
        (self.bookings[at].status, self.bookings[at].until) = ("held", now + ACCEPT);
    }

    fn lapse(&mut self, now: i64) {
        while let Some(at) = self.due(now) {
            self.end(at, "lapsed", now);
        }
    }

    /// The held booking that lapses first: the earliest hour, then as they were made.
    fn due(&self, now: i64) -> Option<usize> {
        let late = |row: &Row| row.status == "held" && row.until < now;
        let due = self.bookings.iter().enumerate().filter(|(_, row)| late(row));
        due.min_by_key(|(_, row)| row.until).map(|(at, _)| at)
    }

    /// What staff do to a booking; false when it cannot be done.
    fn staff(&mut self, at: usize, deed: Deed, now: i64) -> bool {
        let Row { status, places, .. } = self.bookings[at];
        match (deed, status) {
            (Deed::Remove, "entered" | "requested" | "confirmed" | "held" | "waiting") => {
                self.end(at, "cancelled", now);
            }
            (Deed::Remove, _) | (Deed::Call, "held" | "confirmed") => {}
            (Deed::Call, "waiting") if self.fits(places) => self.hold(at, now),
            (Deed::PutLast, "waiting") => {
                self.bookings[at].line = self.place_in_line();
                self.advance(now);
            }
            (Deed::Approve, "confirmed" | "held" | "waiting") | (Deed::Decline, "declined") => {}
            (Deed::Approve, "requested") => {
                let fits = self.fits(places) && self.head().is_none();
                if fits {
                    self.bookings[at].status = "confirmed";
                } else {
                    (self.bookings[at].status, self.bookings[at].line) =
                        ("waiting", self.place_in_line());
                }
            }
            (Deed::Decline, "requested") => self.end(at, "declined", now),
            _ => return false,
        }
        true
    }
}

/// What staff do at the desk.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Remove,
    Call,
    PutLast,
    Approve,
    Decline,
}

impl Deed {
    const ALL: [Self; 5] = [Self::Remove, Self::Call, Self::PutLast, Self::Approve, Self::Decline];

    /// The last part of the path of its form, and what is filled in.
    const fn form(self) -> (&'static str, &'static [(&'static str, &'static str)]) {
        match self {
            Self::Remove => ("removal", &[("reason", "重复报名")]),
            Self::Call => ("turn", &[("what", "now"), ("reason", "轮椅")]),
            Self::PutLast => ("turn", &[("what", "last"), ("reason", "联系不上")]),
            Self::Approve => ("decision", &[("what", "approve")]),
            Self::Decline => ("decision", &[("what", "decline")]),
        }
    }
}

/// Somebody who reads the feed as a kiosk does, a piece at a time.
#[derive(Default)]
struct Reader {
    after: i64,
    tickets: BTreeMap<String, (i64, String)>,
}

impl Reader {
    /// Reads what is new.
    async fn read(&mut self, kiosk: &TestKiosk<'_>) {
        loop {
            let feed = kiosk.feed(self.after).await;
            for row in &feed.tickets {
                assert!(row.revision > self.after, "it was read before");
                let state = serde_json::to_value(row.state).expect("a word");
                let state = state.as_str().expect("a word").to_owned();
                self.tickets.insert(row.fact.id.to_string(), (row.revision, state));
            }
            self.after = feed.revision;
            if !feed.more {
                return;
            }
        }
    }

    /// What was read is what there is: nothing was missed.
    async fn agrees(&self, app: &TestApp, event: &str) {
        let mut tx = app.app.db.read().await.expect("read");
        let rows: Vec<(String, i64, String)> = fetch!(
            tx,
            fetch_all,
            "select t.id, t.revision, t.state from ticket t join offer o on o.id = t.offer_id
             where o.event_id = $1 order by t.id",
            event
        )
        .expect("tickets");
        let there: BTreeMap<String, (i64, String)> =
            rows.into_iter().map(|(id, revision, state)| (id, (revision, state))).collect();
        assert_eq!(self.tickets, there, "the feed has a gap");
    }
}

struct World {
    /// The server that is asked now, and those that died.
    servers: Vec<TestApp>,
    event: String,
    offer: String,
    members: Vec<Member>,
    organizer: String,
    /// Ids by the model's order.
    ids: Vec<String>,
    keys: u64,
}

impl World {
    async fn make(engine: Engine, change: impl FnOnce(&mut Value)) -> Self {
        let app = TestApp::new(engine).await;
        let (event, offer) = app
            .event(|draft| {
                let offer = &mut draft["offers"][0];
                (offer["quota"], offer["per_person"]) = (QUOTA.into(), PER_PERSON.into());
                offer["guests_max"] = (PER_PERSON - 1).into();
                offer["accept_ms"] = ACCEPT.into();
                draft["ends_ms"] = (app.now().0 + 9_000 * HOUR).into();
                draft["offers"][0]["closes_ms"] = (app.now().0 + 8_000 * HOUR).into();
                draft["offers"][0]["cancel_until_ms"] = (app.now().0 + 8_000 * HOUR).into();
                change(draft);
            })
            .await;
        let mut members = Vec::new();
        for n in 0..PEOPLE {
            members.push(app.member(&format!("会员{n}")).await);
        }
        let organizer = app.staff(Role::Organizer).await;
        Self { servers: vec![app], event, offer, members, organizer, ids: Vec::new(), keys: 0 }
    }

    fn app(&self) -> &TestApp {
        self.servers.last().expect("one at least")
    }

    /// Books; gives the status or the refusal.
    async fn book(&mut self, person: usize, places: i64) -> String {
        self.keys += 1;
        let guests: Vec<&str> = (1..places).map(|_| "客人").collect();
        let request = json!({ "offer": self.offer, "guests": guests });
        let (key, token) = (self.keys.to_string(), &self.members[person].token);
        let answer = self.app().book_with(token, &key, request).await;
        if answer.status != 201 {
            return answer.code();
        }
        let booked = answer.json();
        self.ids.push(booked["id"].as_str().expect("id").to_owned());
        booked["status"].as_str().expect("status").to_owned()
    }

    async fn act(&self, person: usize, booking: &str, what: &str) -> u16 {
        let path = format!("/api/v1/bookings/{booking}/{what}");
        let answer = self.app().post(&path, &self.members[person].token, json!({})).await;
        answer.status.as_u16()
    }

    /// Sends the desk's form.
    async fn staff(&self, booking: &str, deed: Deed) -> u16 {
        let (what, fields) = deed.form();
        let app = self.app();
        let url = format!("{}/admin/events/{}/line/{booking}/{what}", app.url, self.event);
        let request = app.http.post(url).bearer_auth(&self.organizer).form(fields);
        request.send().await.expect("answer").status().as_u16()
    }

    /// The statuses of the bookings that were made, in that order.
    async fn statuses(&self) -> Vec<String> {
        let mut tx = self.app().app.db.read().await.expect("read");
        let rows: Vec<(String, String)> = fetch!(
            tx,
            fetch_all,
            "select id, status from booking where offer_id = $1",
            &self.offer
        )
        .expect("bookings");
        let by_id: BTreeMap<String, String> = rows.into_iter().collect();
        assert_eq!(by_id.len(), self.ids.len(), "one too many");
        self.ids.iter().map(|id| by_id[id].clone()).collect()
    }

    /// Who won and who lost by the published record, by the model's order.
    async fn record(&self) -> [Vec<usize>; 2] {
        let path = format!("/api/v1/offers/{}/draw", self.offer);
        let record = self.app().get(&path, "").await.expect(200);
        let order = |id: &Value| self.ids.iter().position(|mine| id == mine.as_str());
        ["won", "lost"].map(|what| {
            let ids = record[what].as_array().expect("ids");
            ids.iter().map(|id| order(id).expect("an entry")).collect()
        })
    }

    async fn taken(&self) -> i64 {
        let mut tx = self.app().app.db.read().await.expect("read");
        let (taken,): (i64,) =
            fetch!(tx, fetch_one, "select taken from offer where id = $1", &self.offer)
                .expect("the offer");
        taken
    }
}

fn steps() -> usize {
    std::env::var("TURNOUT_STEPS").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

/// Books, cancels, accepts, lets lapse and crashes at random, and staff remove, call, put last, approve and decline; after
/// each step server and model agree.
async fn walk(engine: Engine, mode: Mode) {
    let mut random = Random::seeded();
    let mut model = Model::new(mode);
    let mut world = World::make(engine, |draft| {
        let offer = &mut draft["offers"][0];
        offer["waiting_list"] = (mode != Mode::FirstCome).into();
        let word = match mode {
            Mode::FirstCome | Mode::Line => "first_come",
            Mode::Approval => "approval",
            Mode::Ballot => "draw",
        };
        offer["mode"] = word.into();
        if mode == Mode::Ballot {
            offer["closes_ms"] = (crate::support::app::MORNING.0 + ENTERING).into();
        }
    })
    .await;
    let mut reader = Reader::default();
    let watcher = world.app().twin().await;
    let kiosk = watcher.kiosk(&world.event, "东门").await;
    for step in 0..steps() {
        let now = world.app().now().0;
        match random.below(14) {
            0..=4 => {
                let (person, places) = (random.index(PEOPLE), 1 + random.below(3) as i64);
                let said = world.book(person, places).await;
                assert_eq!(said, model.book(person, places), "step {step}");
            }
            // Somebody acts on a booking of theirs, old or new.
            5..=7 if !model.bookings.is_empty() => {
                let at = random.index(model.bookings.len());
                let Row { person, status, until, .. } = model.bookings[at];
                let accept = random.below(2) == 0;
                let what = if accept { "confirmation" } else { "cancellation" };
                let answer = world.act(person, &world.ids[at].clone(), what).await;
                match (accept, status) {
                    (true, "held") if until >= now => model.bookings[at].status = "confirmed",
                    (false, _) if model.bookings[at].is_open() => model.end(at, "cancelled", now),
                    _ => {}
                }
                assert!(matches!(answer, 200 | 409), "step {step}: {what} {status}: {answer}");
            }
            // Time passes; what was held too long goes to the next.
            8 => {
                world.app().advance(HOUR);
                held::sweep(&world.app().app).await.expect("the sweep");
                model.lapse(world.app().now().0);
                if draw::sweep(&world.app().app).await.expect("the draw") > 0 {
                    let [won, lost] = world.record().await;
                    model.draw(&won, &lost);
                }
                // Staff who sit idle for two hours are signed out.
                world.organizer = world.app().staff(Role::Organizer).await;
            }
            // The server dies and is started again: what it had in memory is gone.
            9 if random.below(4) == 0 => {
                let next = world.app().twin().await;
                world.servers.push(next);
            }
            // Staff do something to a booking, whether it makes sense or not; what awaits approval soon has it.
            10.. if !model.bookings.is_empty() => {
                let open = model.bookings.iter().position(|row| row.status == "requested");
                let any = random.index(model.bookings.len());
                let (at, deed) = match open.filter(|_| random.below(2) == 0) {
                    Some(asked) => {
                        (asked, [Deed::Approve, Deed::Approve, Deed::Decline][random.index(3)])
                    }
                    None => (any, Deed::ALL[random.index(Deed::ALL.len())]),
                };
                let before = model.bookings[at].status;
                let expected = if model.staff(at, deed, now) { 303 } else { 409 };
                let answer = world.staff(&world.ids[at], deed).await;
                assert_eq!(answer, expected, "step {step}: {deed:?} of {before}");
            }
            _ => {}
        }
        let expected: Vec<&str> = model.bookings.iter().map(|row| row.status).collect();
        assert_eq!(world.statuses().await, expected, "step {step}");
        assert_eq!(world.taken().await, model.taken(), "step {step}");
        if random.below(3) == 0 {
            reader.read(&kiosk).await;
        }
    }
    reader.read(&kiosk).await;
    reader.agrees(world.app(), &world.event).await;
    let findings = verify(&world.app().app.db).await.expect("verify runs");
    assert!(findings.is_empty(), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_come_does_what_the_model_does_on_sqlite() {
    walk(Engine::Sqlite, Mode::FirstCome).await;
    walk(Engine::Sqlite, Mode::Line).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_come_does_what_the_model_does_on_postgres() {
    walk(Engine::Postgres, Mode::FirstCome).await;
    walk(Engine::Postgres, Mode::Line).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approval_with_a_line_does_what_the_model_does() {
    walk(Engine::Sqlite, Mode::Approval).await;
    walk(Engine::Postgres, Mode::Approval).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ballot_with_a_line_does_what_the_model_does() {
    walk(Engine::Sqlite, Mode::Ballot).await;
    walk(Engine::Postgres, Mode::Ballot).await;
}

/// Entries, leavings and a draw on two servers at once: the draw sees exactly those who had entered and not left, its
/// winners fit into the quota, and nobody stays in between.
async fn ballot(engine: Engine) {
    let mut random = Random::seeded();
    let mut world = World::make(engine, |draft| {
        draft["offers"][0]["mode"] = "draw".into();
        draft["offers"][0]["closes_ms"] = (crate::support::app::MORNING.0 + 4 * HOUR).into();
    })
    .await;
    let mut entered: Vec<(usize, i64, bool)> = Vec::new();
    for _ in 0..steps() / 4 {
        let (person, places) = (random.index(PEOPLE), 1 + random.below(3) as i64);
        let is_in = entered.iter().position(|(who, _, left)| *who == person && !left);
        match is_in {
            Some(at) if random.below(3) == 0 => {
                let booking = world.ids[at].clone();
                assert_eq!(world.act(person, &booking, "cancellation").await, 200);
                entered[at].2 = true;
            }
            Some(_) => assert_eq!(world.book(person, places).await, "limit_reached"),
            None => {
                assert_eq!(world.book(person, places).await, "entered");
                entered.push((person, places, false));
            }
        }
    }
    let twin = world.app().twin().await;
    world.app().advance(5 * HOUR);
    let draws = join_all([draw::sweep(&world.app().app), draw::sweep(&twin.app)]).await;
    let drawn: usize = draws.into_iter().map(|drawn| drawn.expect("the draw")).sum();
    assert_eq!(drawn, 1, "it was drawn more than once");
    let mut taken = 0;
    for ((_, places, left), status) in entered.iter().zip(world.statuses().await) {
        match (left, status.as_str()) {
            (true, "cancelled") | (false, "drawn_out") => {}
            (false, "confirmed") => taken += places,
            (left, status) => panic!("left: {left}, and {status}"),
        }
    }
    assert_eq!(world.taken().await, taken);
    let wanted: i64 = entered.iter().filter(|(.., left)| !left).map(|(_, places, _)| places).sum();
    // At most a group of three did not fit into what was left.
    assert!(taken <= QUOTA && (taken == wanted || taken > QUOTA - 3), "{taken} of {wanted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draw_does_what_it_says() {
    ballot(Engine::Sqlite).await;
    ballot(Engine::Postgres).await;
}

/// Many write at once on two servers of one PostgreSQL: within the limits at every moment, and a reader of the feed
/// misses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_side_by_side_stay_within_the_limits_and_the_feed_has_no_gap() {
    let mut random = Random::seeded();
    let world = World::make(Engine::Postgres, |draft| {
        draft["offers"][0]["waiting_list"] = true.into();
    })
    .await;
    let twin = world.app().twin().await;
    let kiosk = twin.kiosk(&world.event, "东门").await;
    let mut reader = Reader::default();
    let luck: Vec<Random> = world.members.iter().map(|_| random.fork()).collect();
    let acts = join_all(world.members.iter().zip(luck).map(|(member, mut luck)| {
        let (app, twin, offer) = (world.app(), &twin, &world.offer);
        async move {
            let mut mine: Vec<String> = Vec::new();
            for tap in 0..steps() / 8 {
                let server = if luck.below(2) == 0 { app } else { twin };
                if luck.below(3) == 0 && !mine.is_empty() {
                    let id = mine.swap_remove(luck.index(mine.len()));
                    let what = ["cancellation", "confirmation"][luck.index(2)];
                    let path = format!("/api/v1/bookings/{id}/{what}");
                    let answer = server.post(&path, &member.token, json!({})).await;
                    assert!(matches!(answer.status.as_u16(), 200 | 409), "{}", answer.text);
                    continue;
                }
                let guests: Vec<&str> = (0..luck.below(3)).map(|_| "客人").collect();
                let request = json!({ "offer": offer, "guests": guests });
                let answer = server.book_with(&member.token, &tap.to_string(), request).await;
                match answer.status.as_u16() {
                    201 => mine.push(answer.json()["id"].as_str().expect("id").to_owned()),
                    409 => assert_eq!(answer.code(), "limit_reached"),
                    429 => assert_eq!(answer.code(), "too_many_requests"),
                    status => panic!("{status} {}", answer.text),
                }
            }
        }
    }));
    let watch = async {
        let mut acts = std::pin::pin!(acts);
        loop {
            tokio::select! {
                _ = &mut acts => break,
                () = async {
                    reader.read(&kiosk).await;
                    within_limits(&world).await;
                } => {}
            }
        }
    };
    watch.await;
    reader.read(&kiosk).await;
    reader.agrees(world.app(), &world.event).await;
    within_limits(&world).await;
    let findings = verify(&world.app().app.db).await.expect("verify runs");
    assert!(findings.is_empty(), "{findings:?}");
}

/// No more places are given than there are, and nobody has more than one may.
async fn within_limits(world: &World) {
    let mut tx = world.app().app.db.snapshot().await.expect("read");
    let rows: Vec<(String, i64, String)> = fetch!(
        tx,
        fetch_all,
        "select person_id, places, status from booking
         where offer_id = $1 and status in ('confirmed', 'held', 'waiting')",
        &world.offer
    )
    .expect("bookings");
    let (taken,): (i64,) =
        fetch!(tx, fetch_one, "select taken from offer where id = $1", &world.offer)
            .expect("the offer");
    tx.rollback().await.expect("the end");
    let given: i64 =
        rows.iter().filter(|(.., status)| status != "waiting").map(|(_, places, _)| places).sum();
    assert_eq!(given, taken, "the count is wrong");
    assert!(taken <= QUOTA, "{taken} of {QUOTA} places are given");
    let mut each = BTreeMap::<&str, i64>::new();
    for (person, places, _) in &rows {
        *each.entry(person).or_default() += places;
    }
    assert!(each.values().all(|places| *places <= PER_PERSON), "{each:?}");
}
