//! The server that the simulated days of the kiosk (`kiosk/src/day`) believe in is a model of a few hundred lines. Here it is
//! held against the real one: whatever kiosks ask, do, take back and send in whatever order, late and twice, both say the
//! same. `TURNOUT_STEPS` makes the walks longer, `TURNOUT_SEED` replays one.

use std::collections::{BTreeMap, BTreeSet};

use admission::{
    Verdict,
    card::{CardNumber, Fingerprint},
    decide::{Proof, Refusal, TicketState, Use},
    scan::{Act, Deed, Medium, WalkIn},
    sync::{CardRow, Check, Heard, Post, Receipt, Upload},
    ticket::TicketId,
};
use serde_json::json;
use turnout_server::web::access::Role;

use crate::support::{TestApp, kiosk::TestKiosk, on_both, people::Member, random::Random};

#[path = "../kiosk/src/day/sabotage.rs"]
#[expect(dead_code, reason = "nothing is sabotaged here")]
mod sabotage;
#[path = "../kiosk/src/day/server.rs"]
#[expect(dead_code, reason = "the simulated day asks it more")]
mod server;

const STEPS: u64 = 150;
const DOORS: [&str; 3] = ["东门", "西门", "南门"];
const TICKETS: usize = 8;
/// Members with a card and no ticket, and places that are left for such, less than there are.
const WITHOUT_TICKETS: usize = 6;
const SPARE: usize = 9;
const WALK_INS: u32 = 2;

/// The same venue twice: real kiosks' requests go to both servers.
struct Walk<'a> {
    app: &'a TestApp,
    event: String,
    organizer: String,
    random: Random,
    model: server::Server,
    kiosks: Vec<TestKiosk<'a>>,
    posts: Vec<Post>,
    tickets: Vec<TicketId>,
    /// Whose booking each ticket is.
    bookings: Vec<(Member, String)>,
    without_tickets: Vec<Member>,
    given: u8,
    /// Admissions of each door that stand, with their places.
    standing: Vec<Vec<(u64, TicketId)>>,
    /// Uploads that are under way.
    under_way: Vec<(usize, Upload)>,
}

impl<'a> Walk<'a> {
    async fn begin(app: &'a TestApp) -> Self {
        let quota = TICKETS + SPARE;
        let (event, offer) = app
            .event(|draft| {
                draft["offers"][0]["quota"] = quota.into();
                draft["offers"][0]["walk_ins"] = WALK_INS.into();
            })
            .await;
        let mut kiosks = Vec::new();
        for (door, station) in DOORS.into_iter().enumerate() {
            let mut kiosk = app.kiosk(&event, station).await;
            kiosk.skew_ms = [0, 90 * 60_000, -45 * 60_000][door];
            kiosks.push(kiosk);
        }
        let (mut tickets, mut bookings) = (Vec::new(), Vec::new());
        for n in 0..TICKETS {
            let member = app.member(&format!("会员{n}")).await;
            let booked = app.booked(&member, &offer).await;
            let ticket = booked["tickets"][0]["id"].as_str().expect("a ticket");
            tickets.push(ticket.parse().expect("a ticket id"));
            bookings.push((member, booked["id"].as_str().expect("an id").to_owned()));
        }
        let mut without_tickets = Vec::new();
        for n in 0..WITHOUT_TICKETS {
            without_tickets.push(app.member(&format!("散客{n}")).await);
        }
        let mut posts = Vec::new();
        for kiosk in &kiosks {
            posts.push(kiosk.feed(0).await.post);
        }
        let ids: Vec<String> = kiosks.iter().map(|kiosk| kiosk.id.clone()).collect();
        let small = |n| u32::try_from(n).expect("small");
        let places =
            server::Places { quota: small(quota), taken: small(TICKETS), walk_ins: WALK_INS };
        let members = bookings.iter().map(|(member, _)| member).chain(&without_tickets);
        let cards = members.map(|member| CardRow {
            fingerprint: fingerprint(app, member),
            person: member.id.clone(),
            blocked: false,
            revision: 0,
        });
        let feed = kiosks[0].feed(0).await;
        let offers = feed.post.event.offers;
        let mut model =
            server::Server::new(feed.tickets, cards.collect(), &ids, (offers, places), None);
        for (id, post) in ids.iter().zip(&posts) {
            let told = model.feed(id, post.clone(), (i64::MAX, i64::MAX), app.now());
            assert_eq!(told.post, *post);
        }
        Self {
            app,
            organizer: app.staff(Role::Organizer).await,
            random: Random::seeded(),
            model,
            event,
            standing: vec![Vec::new(); kiosks.len()],
            kiosks,
            posts,
            tickets,
            bookings,
            without_tickets,
            given: 0,
            under_way: Vec::new(),
        }
    }

    async fn step(&mut self) {
        // No two things happen at one moment: in which order they count then is nobody's promise.
        self.app.advance(1 + i64::try_from(self.random.below(400)).expect("small"));
        let door = self.random.index(DOORS.len());
        let ticket = self.tickets[self.random.index(TICKETS)];
        let revoked = self.model.kiosks[&self.kiosks[door].id].revoked;
        match self.random.below(23) {
            0..=4 | 16 | 17 | 20 if revoked => self.sends(door).await,
            0..=4 => self.asks(door, ticket).await,
            16 | 17 => self.asks_for_card(door).await,
            18 | 19 => self.gives(door),
            20 => self.hears(door).await,
            21 if !self.under_way.is_empty() => {
                let which = self.random.index(self.under_way.len());
                let (door, upload) = self.under_way.swap_remove(which);
                self.arrives(door, upload).await;
            }
            22 if door == 2 && !revoked && self.random.below(10) == 0 => {
                let kiosk = &self.kiosks[door].id;
                self.app.revoke(kiosk).await;
                self.model.revoke(kiosk);
            }
            21 | 22 => {}
            5 | 6 => self.decides(door, ticket, Verdict::Admitted),
            7 => self.decides(door, ticket, Verdict::Refused(Refusal::Cancelled)),
            8 | 9 => self.takes_back(door),
            10..=13 => self.sends(door).await,
            14 => self.app.advance(i64::try_from(self.random.below(14_000)).expect("small")),
            _ => self.cancels().await,
        }
    }

    /// A door asks; then its plug is pulled, or it does as it was told, or otherwise.
    async fn asks(&mut self, door: usize, ticket: TicketId) {
        let kiosk = &self.kiosks[door];
        let seq = kiosk.journal.len() as u64 + 1;
        let now = self.app.now();
        let real = kiosk.check_ticket(ticket).await;
        let check = Check {
            seq,
            ticket: Some((ticket, 0)),
            card: None,
            medium: Medium::Code,
            proof: Proof::Absent,
            at: now,
            fact: None,
        };
        let told = self.model.check(&kiosk.id, &self.posts[door], &check, now);
        assert_eq!(
            (&real.verdict, &real.uses, real.have_through),
            (&told.verdict, &told.uses, told.have_through),
            "{door} asks for {ticket:?}"
        );
        match self.random.below(6) {
            0 => {}
            1 => self.decides(door, ticket, Verdict::Refused(Refusal::Unknown)),
            _ => self.decides(door, ticket, real.verdict),
        }
    }

    /// A door asks about somebody's card, and does as it was told.
    async fn asks_for_card(&mut self, door: usize) {
        let which = self.random.index(TICKETS + WITHOUT_TICKETS);
        let member = match self.bookings.get(which) {
            Some((member, _)) => member,
            None => &self.without_tickets[which - TICKETS],
        };
        let card = fingerprint(self.app, member);
        let kiosk = &self.kiosks[door];
        let seq = kiosk.journal.len() as u64 + 1;
        let now = self.app.now();
        let real = kiosk.check_card(card).await;
        let (ticket, medium, proof, fact) = (None, Medium::Card, Proof::Absent, None);
        let check = Check { seq, ticket, card: Some(card), medium, proof, at: now, fact };
        let told = self.model.check(&kiosk.id, &self.posts[door], &check, now);
        let id =
            |ticket: &Option<admission::sync::TicketRow>| ticket.as_ref().map(|row| row.fact.id);
        assert_eq!(
            (&real.verdict, &real.uses, id(&real.ticket)),
            (&told.verdict, &told.uses, id(&told.ticket)),
            "{door} asks for a card"
        );
        if let Some(ticket) = id(&real.ticket) {
            self.decides(door, ticket, real.verdict);
        }
    }

    /// A door gives somebody without a ticket a place, whether it has one or not.
    fn gives(&mut self, door: usize) {
        let member = &self.without_tickets[self.random.index(WITHOUT_TICKETS)];
        let walk_in = WalkIn { person: member.id.clone(), allotment: 1, class: 0 };
        let deed = Deed { act: Act::WalkIn, walk_in: Some(walk_in), ..Deed::default() };
        self.given += 1;
        let ticket = TicketId([self.given; 12]);
        let kind = self.posts[door].station_kind;
        let kiosk = &mut self.kiosks[door];
        self.standing[door].push((kiosk.journal.len() as u64 + 1, ticket));
        kiosk.record(kind, ticket, Verdict::Admitted, deed);
    }

    /// A door asks for news, and is lent places.
    async fn hears(&mut self, door: usize) {
        let kiosk = &self.kiosks[door];
        let real = kiosk.feed(0).await;
        let post = self.posts[door].clone();
        let told = self.model.feed(&kiosk.id, post, (i64::MAX, i64::MAX), self.app.now());
        assert_eq!(real.post.allotments, told.post.allotments);
    }

    fn decides(&mut self, door: usize, ticket: TicketId, verdict: Verdict) {
        let kiosk = &mut self.kiosks[door];
        if verdict.is_admitted() {
            self.standing[door].push((kiosk.journal.len() as u64 + 1, ticket));
        }
        let at = self.app.now().plus(-kiosk.skew_ms);
        kiosk.decide_at(&String::from(ticket), verdict, at);
    }

    fn takes_back(&mut self, door: usize) {
        let standing = &mut self.standing[door];
        if standing.is_empty() {
            return;
        }
        let (about, ticket) = standing.swap_remove(self.random.index(standing.len()));
        let why = Some("扫错了".to_owned());
        let deed = Deed { act: Act::Undo, about: Some(about), why, ..Deed::default() };
        let verdict = Verdict::Attention(Refusal::Unknown);
        let kind = self.posts[door].station_kind;
        self.kiosks[door].record(kind, ticket, verdict, deed);
    }

    /// A part of a journal goes up, as it was at some time: what is next, or what was sent before, or what cannot be taken
    /// yet.
    async fn sends(&mut self, door: usize) {
        let kiosk = &self.kiosks[door];
        let now_has = self.model.kiosks[&kiosk.id].entries.len();
        let entries = match self.random.below(3) {
            0 => self.random.index(kiosk.journal.len() + 1),
            _ => kiosk.journal.len(),
        };
        let from = match self.random.below(3) {
            0 => self.random.index(entries + 1),
            _ => now_has.min(entries),
        };
        let upload = kiosk.as_of(from as u64 + 1, entries);
        match self.random.below(5) {
            0 => self.under_way.push((door, upload)),
            _ => self.arrives(door, upload).await,
        }
    }

    async fn arrives(&mut self, door: usize, upload: Upload) {
        let kiosk = &self.kiosks[door];
        let told = self.model.upload(&kiosk.id, &upload, self.app.now());
        let real = kiosk.sends(&upload).await;
        match told {
            Some(told) => {
                let real: Receipt = serde_json::from_value(real.expect(200)).expect("a receipt");
                assert_eq!(real, told, "{upload:?}");
            }
            None => assert_eq!(real.refused(409), "kiosk_quarantined", "{upload:?}"),
        }
    }

    async fn cancels(&mut self) {
        let which = self.random.index(TICKETS);
        let (member, booking) = &self.bookings[which];
        let path = format!("/api/v1/bookings/{booking}/cancellation");
        let answer = self.app.post(&path, &member.token, json!({})).await;
        let cancelled = self.model.rows[&self.tickets[which]].state == TicketState::Cancelled;
        if answer.status.is_success() && !cancelled {
            self.model.cancel(self.tickets[which]);
        }
    }

    /// Both tell kiosks the same of every ticket, have as much of each journal, and have as many conflicts.
    async fn agree(&mut self) {
        let feed = self.kiosks[0].feed(0).await;
        let real: BTreeMap<TicketId, (TicketState, Vec<Use>)> =
            feed.tickets.into_iter().map(|row| (row.fact.id, (row.state, row.uses))).collect();
        let post = self.posts[0].clone();
        let model = self.model.feed(&self.kiosks[0].id, post, (0, 0), self.app.now());
        assert!(!model.more, "one page has all");
        let rows = model.tickets.into_iter();
        let told = rows.map(|row| (row.fact.id, (row.state, row.uses))).collect();
        assert_eq!(real, told);
        let told = model.heard;
        let heard = |heard: Vec<Heard>| -> BTreeSet<(String, u64)> {
            let heard = heard.into_iter().filter(|heard| heard.through > 0);
            heard.map(|heard| (heard.kiosk, heard.through)).collect()
        };
        assert_eq!(heard(feed.heard), heard(told));
        let path = format!("/api/v1/events/{}/attendance", self.event);
        let counted = self.app.get(&path, &self.organizer).await.expect(200);
        assert_eq!(counted["conflicts"], self.model.conflicts.len(), "{counted}");
    }
}

fn fingerprint(app: &TestApp, member: &Member) -> Fingerprint {
    CardNumber::read(&member.card).expect("a card").fingerprint(&app.app.keys.card)
}

on_both! {
    async fn the_model_of_the_simulated_day_says_what_the_real_server_says(app) {
        let mut walk = Walk::begin(&app).await;
        let steps = std::env::var("TURNOUT_STEPS").ok().and_then(|steps| steps.parse().ok());
        for step in 0..steps.unwrap_or(STEPS) {
            walk.step().await;
            if step % 10 == 0 {
                walk.agree().await;
            }
        }
        for (door, upload) in std::mem::take(&mut walk.under_way) {
            walk.arrives(door, upload).await;
        }
        // Everything arrives, and then a copied disk that tells the last entry of one journal otherwise.
        for door in 0..DOORS.len() {
            let entries = walk.kiosks[door].journal.len();
            let ends = walk.model.kiosks[&walk.kiosks[door].id].revoked;
            let upload = Upload { ends, ..walk.kiosks[door].as_of(1, entries) };
            walk.arrives(door, upload).await;
        }
        walk.agree().await;
        let last = walk.kiosks[0].journal.pop().and_then(|last| last.scan().ok()).expect("entries");
        let ticket = walk.tickets[usize::from(last.ticket == Some(walk.tickets[0]))];
        walk.decides(0, ticket, Verdict::Refused(Refusal::Forged));
        let entries = walk.kiosks[0].journal.len();
        let fork = walk.kiosks[0].as_of(entries as u64, entries);
        walk.arrives(0, fork).await;
    }
}
