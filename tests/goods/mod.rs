//! Goods at pick-up points: handed out once a person, by kiosk and by phone, with and without a network; stock computed
//! from scans; units by delegates; leftovers to those in line.

mod screens;
mod units;

use admission::{Reason, Refusal, Verdict, decide::StationKind, scan::Deed, ticket::TicketId};
use futures_util::future::join_all;
use serde_json::json;
use turnout_server::{execute, fetch, web::access::Role};

use crate::{
    fair::{page, send},
    moving::shown,
    support::{TestApp, kiosk::TestKiosk, on_both, people::Member},
};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// A hand-out with an organizer and pick-up points.
pub(crate) struct HandOut {
    pub(crate) event: String,
    organizer: String,
    volunteer: String,
}

/// A point: its id and its offer's.
pub(crate) struct Point {
    id: String,
    offer: String,
}

/// A moment as a browser's field holds it; the tests' clock stands at 9:00 in Beijing on 5 March 2027.
fn at(hour: i64) -> String {
    format!("2027-03-05T{hour:02}:00")
}

impl HandOut {
    pub(crate) async fn new(app: &TestApp) -> Self {
        let (event, _) = app.event(|draft| draft["offers"] = json!([{
            "name": "志愿者", "quota": 1, "opens_ms": app.now().0 - HOUR, "closes_ms": app.now().0 + HOUR,
            "eligibility": "members",
        }])).await;
        let (organizer, volunteer) =
            (app.staff(Role::Organizer).await, app.staff(Role::Volunteer).await);
        let set = [("item", "杂粮礼盒"), ("unit", "份"), ("cents", "18.50")];
        send(app, &format!("/admin/events/{event}/goods"), (&organizer, ""), &set)
            .await
            .leads_to("done=set");
        Self { event, organizer, volunteer }
    }

    pub(crate) async fn point(
        &self,
        app: &TestApp,
        name: &str,
        quota: i64,
        leftover: Option<&str>,
    ) -> Point {
        let (quota, leftover_at) =
            (quota.to_string(), leftover.map(|_| at(12)).unwrap_or_default());
        let fields = [
            ("name", name),
            ("place", "王佐镇文化中心"),
            ("quota", &quota),
            ("opens", &at(6)),
            ("closes", &at(11)),
            ("from", &at(8)),
            ("to", &at(17)),
            ("leftover", &leftover_at),
            ("leftover_to", leftover.unwrap_or("line")),
            ("accept", "60"),
        ];
        let path = format!("/admin/events/{}/goods/points", self.event);
        send(app, &path, (&self.organizer, ""), &fields).await.leads_to("done=point");
        let mut tx = app.app.db.read().await.expect("read");
        let (id, offer): (String, String) = fetch!(
            tx,
            fetch_one,
            "select id, offer_id from goods_point where event_id = $1 and name = $2",
            &self.event,
            name
        )
        .expect("a point");
        Point { id, offer }
    }

    async fn enter(&self, app: &TestApp, point: &Point, fields: &[(&str, &str)]) -> u16 {
        let path = format!("/admin/events/{}/goods/{}/stock", self.event, point.id);
        send(app, &path, (&self.organizer, ""), fields).await.answer.status.as_u16()
    }

    pub(crate) async fn deliver(&self, app: &TestApp, point: &Point, units: i64) {
        let fields = [("kind", "delivery"), ("units", &units.to_string())];
        assert_eq!(self.enter(app, point, &fields).await, 303);
    }

    /// The organizer writes down that `delegate` comes for a union's units; gives the ticket for them.
    pub(crate) async fn batch(
        &self,
        app: &TestApp,
        (union, units): (&str, i64),
        point: &Point,
        delegate: &Member,
    ) -> String {
        let units = units.to_string();
        let line = [
            ("act", "add"),
            ("organisation", union),
            ("units", &units),
            ("point", &point.id),
            ("name", &delegate.name),
            ("phone", &delegate.phone),
        ];
        let list = format!("/admin/events/{}/goods/batches", self.event);
        send(app, &list, (&self.organizer, ""), &line).await.leads_to("made=1");
        let (_, ticket) = self.delegates(app, delegate).await;
        ticket
    }

    /// The booking and the ticket of a delegate who is to come.
    async fn delegates(&self, app: &TestApp, delegate: &Member) -> (String, String) {
        let mut tx = app.app.db.read().await.expect("read");
        fetch!(
            tx,
            fetch_one,
            "select b.id, t.id from goods_batch g join booking b on b.id = g.booking_id join ticket t on t.booking_id = b.id
             where g.event_id = $1 and b.person_id = $2 and b.status = 'confirmed'",
            &self.event,
            &delegate.id,
        )
        .expect("a delegate's ticket")
    }

    /// A volunteer's phone at a point.
    async fn phone(
        &self,
        app: &TestApp,
        point: &Point,
        fields: &[(&str, &str)],
    ) -> crate::fair::Sent {
        let path = format!("/admin/events/{}/goods/{}", self.event, point.id);
        send(app, &path, (&self.volunteer, ""), fields).await
    }

    pub(crate) async fn give(&self, app: &TestApp, point: &Point, ticket: &str) -> u16 {
        self.phone(app, point, &[("act", "give"), ("ticket", ticket)]).await.answer.status.as_u16()
    }

    /// Brought, handed out, left, promised: of all points together.
    pub(crate) async fn figures(&self, app: &TestApp) -> [i64; 4] {
        let shown =
            page(app, &format!("/admin/events/{}/goods", self.event), &self.organizer).await;
        ["brought", "handed", "left", "promised"].map(|id| {
            let text = shown.split(&format!("id=\"{id}\">")).nth(1).expect(id);
            text.split('<').next().and_then(|number| number.parse().ok()).expect(id)
        })
    }
}

async fn ticket(app: &TestApp, member: &Member, point: &Point) -> String {
    app.booked(member, &point.offer).await["tickets"][0]["id"]
        .as_str()
        .expect("a ticket")
        .to_owned()
}

fn id(ticket: &str) -> TicketId {
    ticket.parse().expect("a ticket id")
}

/// A kiosk at the counter of a point.
async fn counter<'a>(app: &'a TestApp, event: &str, name: &str) -> TestKiosk<'a> {
    let kiosk = app.kiosk(event, name).await;
    let mut tx = app.app.db.write().await.expect("write");
    execute!(tx, "update kiosk set station_kind = 'counter' where id = $1", &kiosk.id)
        .expect("a counter");
    tx.commit().await.expect("commit");
    kiosk
}

async fn sound(app: &TestApp) {
    assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
}

on_both! {
    async fn a_member_collects_once_wherever_they_come(app) {
        let hand_out = HandOut::new(&app).await;
        let (east, west) = (hand_out.point(&app, "东点", 10, None).await, hand_out.point(&app, "西点", 10, None).await);
        hand_out.deliver(&app, &east, 5).await;
        hand_out.deliver(&app, &west, 5).await;
        let member = app.member("王小明").await;
        let ticket = ticket(&app, &member, &east).await;
        let again = app.book_with(&member.token, "again", json!({ "offer": west.offer })).await;
        assert_eq!(again.refused(409), "limit_reached", "one each in the whole campaign");
        assert_eq!(hand_out.figures(&app).await, [10, 0, 10, 1]);

        // The volunteer finds them by card; the card stands in no address, and a big button hands out.
        let found = hand_out.phone(&app, &east, &[("act", "look"), ("card", &member.card)]).await.page(200);
        assert!(found.contains("王小明") && found.contains("发 1 份"), "{found}");
        assert!(!found.contains(&member.card));
        assert_eq!(hand_out.give(&app, &east, &ticket).await, 303);
        assert_eq!(hand_out.figures(&app).await, [10, 1, 9, 0]);
        assert_eq!(hand_out.give(&app, &west, &ticket).await, 409);
        let kiosk = counter(&app, &hand_out.event, "西点").await;
        assert_eq!(kiosk.check(&ticket).await.reason(), Some(Reason::AlreadyUsed));
        let found = hand_out.phone(&app, &west, &[("act", "look"), ("card", "小明")]).await.page(200);
        assert!(found.contains("已经领过"), "{found}");
        let shown = page(&app, &format!("/events/{}", hand_out.event), &member.token).await;
        assert!(shown.contains(&format!("/events/{}/goods", hand_out.event)), "the event leads there: {shown}");
        let mine = page(&app, &format!("/events/{}/goods", hand_out.event), &member.token).await;
        assert!(mine.contains("已领 1 份"), "{mine}");
        sound(&app).await;
    }

    async fn a_picture_of_a_ticket_is_handed_out_on_after_a_look_at_an_id_and_by_no_scanners_enter(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 10, None).await;
        hand_out.deliver(&app, &east, 5).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update offer set moving_code = true where id = $1", &east.offer).expect("an offer");
        tx.commit().await.expect("commit");
        let booked = app.booked(&app.member("王小明").await, &east.offer).await;
        let code = booked["tickets"][0]["code"].as_str().expect("a code");
        let picture = shown(&app, &hand_out.event, code, app.now().plus(-10 * MINUTE));
        let live = shown(&app, &hand_out.event, code, app.now());
        let look = async |card: &str| hand_out.phone(&app, &east, &[("act", "look"), ("card", card)]).await.page(200);
        let pressed = "value=\"give\" autofocus";
        let found = look(&picture).await;
        assert!(found.contains("截图无效") && found.contains("证件姓名一致"), "{found}");
        assert!(!found.contains(pressed), "the next Enter hands out nothing: {found}");
        for good in [live.as_str(), code] {
            let found = look(good).await;
            assert!(found.contains(pressed) && !found.contains("证件姓名一致"), "{found}");
        }
    }

    async fn stock_is_what_was_brought_less_what_was_scanned_and_never_written_below_nothing(app) {
        let hand_out = HandOut::new(&app).await;
        let (east, west) = (hand_out.point(&app, "东点", 10, None).await, hand_out.point(&app, "西点", 10, None).await);
        hand_out.deliver(&app, &east, 3).await;
        let correct = |units: &'static str, note: &'static str| [("kind", "correction"), ("units", units), ("note", note)];
        assert_eq!(hand_out.enter(&app, &east, &correct("-4", "盘亏")).await, 422);
        assert_eq!(hand_out.enter(&app, &east, &correct("-1", "")).await, 422, "a reason is asked for");
        assert_eq!(hand_out.enter(&app, &east, &correct("-1", "破损")).await, 303);
        assert_eq!(hand_out.enter(&app, &east, &[("kind", "transfer"), ("units", "3"), ("to_point", &west.id)]).await, 422);
        assert_eq!(hand_out.enter(&app, &east, &[("kind", "transfer"), ("units", "-1"), ("to_point", &west.id)]).await, 422);
        assert_eq!(hand_out.enter(&app, &east, &[("kind", "transfer"), ("units", "1"), ("to_point", &west.id)]).await, 303);
        assert_eq!(hand_out.figures(&app).await, [2, 0, 2, 0]);
        // A volunteer hands out; stock is the organizers'.
        let path = format!("/admin/events/{}/goods/{}/stock", hand_out.event, east.id);
        let sent = send(&app, &path, (&hand_out.volunteer, ""), &[("kind", "delivery"), ("units", "5")]).await;
        assert_eq!(sent.answer.status.as_u16(), 403);
        // Another event's point is nowhere to be found.
        let other = HandOut::new(&app).await;
        let path = format!("/admin/events/{}/goods/{}", other.event, east.id);
        assert_eq!(app.get(&path, &other.organizer).await.status.as_u16(), 404);
    }

    async fn a_point_that_is_empty_says_where_there_is_some_left(app) {
        let hand_out = HandOut::new(&app).await;
        let (east, west) = (hand_out.point(&app, "东点", 10, None).await, hand_out.point(&app, "西点", 10, None).await);
        let kiosk = counter(&app, &hand_out.event, "东点").await;
        let (first, second) = (app.member("王小明").await, app.member("李小红").await);
        let tickets = [ticket(&app, &first, &east).await, ticket(&app, &second, &east).await];
        let none = Verdict::Refused(Refusal::OutOfStock { elsewhere: String::new() });
        assert_eq!(kiosk.check(&tickets[0]).await, none);
        hand_out.deliver(&app, &west, 1).await;
        let there = Verdict::Refused(Refusal::OutOfStock { elsewhere: "西点".to_owned() });
        assert_eq!(kiosk.check(&tickets[0]).await, there);
        let shown = hand_out.phone(&app, &east, &[("act", "give"), ("ticket", &tickets[0])]).await.page(409);
        assert!(shown.contains("「西点」还有"), "{shown}");
        // There it is free: promised to nobody. The second has to wait.
        assert_eq!(hand_out.give(&app, &west, &tickets[0]).await, 303);
        assert_eq!(hand_out.give(&app, &west, &tickets[1]).await, 409);
        assert_eq!(hand_out.figures(&app).await, [1, 1, 0, 1]);
    }

    async fn one_person_at_two_points_at_once_has_one(app) {
        let hand_out = HandOut::new(&app).await;
        let (east, west) = (hand_out.point(&app, "东点", 10, None).await, hand_out.point(&app, "西点", 10, None).await);
        hand_out.deliver(&app, &east, 9).await;
        hand_out.deliver(&app, &west, 9).await;
        let member = app.member("王小明").await;
        let ticket = ticket(&app, &member, &east).await;
        let tries = (0..6).map(|n| hand_out.give(&app, if n % 2 == 0 { &east } else { &west }, &ticket));
        let mut statuses = join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 409, 409, 409, 409, 409]);
        assert_eq!(hand_out.figures(&app).await[1], 1);
        sound(&app).await;
    }

    async fn the_last_unit_goes_to_one_of_many(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 20, None).await;
        hand_out.deliver(&app, &east, 3).await;
        let mut tickets = Vec::new();
        for _ in 0..8 {
            tickets.push(ticket(&app, &app.member("王小明").await, &east).await);
        }
        let statuses = join_all(tickets.iter().map(|ticket| hand_out.give(&app, &east, ticket))).await;
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 3, "{statuses:?}");
        assert_eq!(hand_out.figures(&app).await, [3, 3, 0, 5]);
    }

    async fn two_kiosks_alone_hand_out_twice_and_a_person_hears_of_it(app) {
        let hand_out = HandOut::new(&app).await;
        let (east, _west) = (hand_out.point(&app, "东点", 10, None).await, hand_out.point(&app, "西点", 10, None).await);
        hand_out.deliver(&app, &east, 5).await;
        let member = app.member("王小明").await;
        let ticket = ticket(&app, &member, &east).await;
        for name in ["东点", "西点"] {
            let mut kiosk = counter(&app, &hand_out.event, name).await;
            kiosk.record(StationKind::Counter, id(&ticket), Verdict::Admitted, Deed::default());
            app.advance(MINUTE);
            kiosk.upload().await;
        }
        // What the kiosks did is what happened: two units are gone, one of them where none was written down.
        assert_eq!(hand_out.figures(&app).await, [5, 2, 3, 0]);
        let shown = page(&app, &format!("/admin/events/{}/goods", hand_out.event), &hand_out.organizer).await;
        assert!(shown.contains("1 人领了不止一次") && shown.contains("西点：发出的比记下的到货多 1"), "{shown}");
        let attendance = app.get(&format!("/api/v1/events/{}/attendance", hand_out.event), &hand_out.organizer).await.expect(200);
        assert_eq!(attendance["conflicts"], 1);
        // Writing the delivery down puts the books right.
        let west = Point { id: _west.id, offer: _west.offer };
        hand_out.deliver(&app, &west, 1).await;
        assert_eq!(hand_out.figures(&app).await, [6, 2, 4, 0]);
        sound(&app).await;
    }

    async fn a_counter_alone_that_hands_out_more_than_was_brought_is_shown_to_the_organizer(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 10, None).await;
        hand_out.deliver(&app, &east, 2).await;
        let mut kiosk = counter(&app, &hand_out.event, "东点").await;
        let mut tickets = Vec::new();
        for n in 0..4 {
            tickets.push(ticket(&app, &app.member(&format!("会员{n}")).await, &east).await);
        }
        // Somebody brought one more and wrote it down nowhere; the kiosk could not ask, and its verdicts stand.
        for ticket in &tickets[..3] {
            kiosk.record(StationKind::Counter, id(ticket), Verdict::Admitted, Deed::default());
        }
        kiosk.upload().await;
        assert_eq!(hand_out.figures(&app).await, [2, 3, -1, 1]);
        let desk = format!("/admin/events/{}/goods", hand_out.event);
        let shown = page(&app, &desk, &hand_out.organizer).await;
        assert!(shown.contains("东点：发出的比记下的到货多 1"), "{shown}");
        // With a network again it gives nothing that is not there, until somebody writes down what came.
        assert_eq!(kiosk.check(&tickets[3]).await.reason(), Some(Reason::OutOfStock));
        let found = [("kind", "correction"), ("units", "2"), ("note", "漏记一箱")];
        assert_eq!(hand_out.enter(&app, &east, &found).await, 303);
        assert_eq!(hand_out.figures(&app).await, [4, 3, 1, 1]);
        assert!(!page(&app, &desk, &hand_out.organizer).await.contains("发出的比记下的到货多"));
        assert_eq!(kiosk.check(&tickets[3]).await, Verdict::Admitted);
        sound(&app).await;
    }

    async fn a_kiosks_claim_counts_until_its_journal_says_what_it_did(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 10, None).await;
        hand_out.deliver(&app, &east, 1).await;
        let (one, two) = (app.member("王小明").await, app.member("李小红").await);
        let (first, second) = (ticket(&app, &one, &east).await, ticket(&app, &two, &east).await);
        let mut kiosk = counter(&app, &hand_out.event, "东点").await;
        assert_eq!(kiosk.check(&first).await, Verdict::Admitted);
        assert_eq!(kiosk.check(&first).await, Verdict::Admitted, "a retry finds its own claim");
        assert_eq!(hand_out.figures(&app).await[1], 1);
        assert_eq!(hand_out.give(&app, &east, &second).await, 409, "it is gone, for all the server knows");
        // The door did otherwise: nothing was handed out.
        kiosk.record(StationKind::Counter, id(&first), Verdict::Refused(Refusal::Full), Deed::default());
        kiosk.upload().await;
        assert_eq!(hand_out.figures(&app).await[1], 0);
        assert_eq!(hand_out.give(&app, &east, &second).await, 303);
    }

    async fn a_delegate_collects_for_a_unit_at_one_scan(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 10, None).await;
        hand_out.deliver(&app, &east, 100).await;
        app.union("北京市王佐机械厂工会").await;
        let delegate = app.member("赵经办").await;
        let list = format!("/admin/events/{}/goods/batches", hand_out.event);
        let line = |units: &'static str| [
            ("act", "add"), ("organisation", "北京市王佐机械厂工会"), ("units", units), ("point", east.id.as_str()),
            ("name", "赵经办"), ("phone", delegate.phone.as_str()),
        ];
        send(&app, &list, (&hand_out.organizer, ""), &line("0")).await.page(422);
        send(&app, &list, (&hand_out.organizer, ""), &line("84")).await.leads_to("made=1");
        send(&app, &list, (&hand_out.organizer, ""), &line("5")).await.page(422);
        assert_eq!(hand_out.figures(&app).await, [100, 0, 100, 84]);
        // The delegate books their own besides; neither stands in the way of the other.
        let own = ticket(&app, &delegate, &east).await;
        let found = hand_out.phone(&app, &east, &[("act", "look"), ("card", "王佐机械厂")]).await.page(200);
        assert!(found.contains("代领 84 份"), "{found}");
        let batch = found.split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a ticket").to_owned();
        let sent = hand_out.phone(&app, &east, &[("act", "give"), ("ticket", &batch), ("note", "赵经办")]).await;
        sent.leads_to("given=");
        assert_eq!(hand_out.figures(&app).await, [100, 84, 16, 1]);
        assert_eq!(hand_out.give(&app, &east, &batch).await, 409);
        assert_eq!(hand_out.give(&app, &east, &own).await, 303);
        let shown = page(&app, &format!("/admin/events/{}/goods", hand_out.event), &hand_out.organizer).await;
        assert!(shown.contains("<th>北京市王佐机械厂工会</th><td class=\"num\">84</td><td class=\"num\">84</td>"), "{shown}");
        sound(&app).await;
    }

    async fn a_list_of_units_is_imported_and_what_is_wrong_is_told_by_row(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 10, None).await;
        app.union("南宫村工会").await;
        let delegate = app.member("赵经办").await;
        let csv = format!(
            "2027 年送清凉\n单位名称,人数,领取人,手机号\n南宫村工会,120人,赵经办,{}\n没有的工会,5,赵经办,{}\n南宫村工会,,赵经办,{}\n",
            delegate.phone, delegate.phone, delegate.phone
        );
        let body = format!(
            "--b\r\ncontent-disposition: form-data; name=\"point\"\r\n\r\n{}\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"units.csv\"\r\n\r\n{csv}\r\n--b--\r\n",
            east.id
        );
        let request = app.http.post(format!("{}/admin/events/{}/goods/batches/import", app.url, hand_out.event));
        let request = request.header("content-type", "multipart/form-data; boundary=b").body(body);
        let answer = request.bearer_auth(&hand_out.organizer).send().await.expect("an answer");
        let shown = answer.text().await.expect("a page");
        assert!(shown.contains("加了 1 家") && shown.contains("没有这个名称的工会或企业") && shown.contains("必填项是空的"), "{shown}");
        assert_eq!(hand_out.figures(&app).await[3], 120);
    }

    async fn what_nobody_collected_goes_to_those_in_line_and_then_to_whoever_comes(app) {
        let mut hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 2, Some("line")).await;
        hand_out.deliver(&app, &east, 2).await;
        let (came, stayed, waits, walks) =
            (app.member("王小明").await, app.member("李没来").await, app.member("孙候补").await, app.member("周路过").await);
        let first = ticket(&app, &came, &east).await;
        ticket(&app, &stayed, &east).await;
        let waiting = app.booked(&waits, &east.offer).await;
        assert_eq!(waiting["status"], "waiting");
        assert_eq!(hand_out.give(&app, &east, &first).await, 303);
        let walk_in = hand_out.phone(&app, &east, &[("act", "walk_in"), ("person", &walks.id)]).await;
        assert_eq!(walk_in.answer.status.as_u16(), 409, "promised to others");

        app.advance(3 * HOUR + MINUTE);
        hand_out.volunteer = app.staff(Role::Volunteer).await;
        hand_out.organizer = app.staff(Role::Organizer).await;
        assert_eq!(turnout_server::goods::sweep(&app.app).await.expect("swept"), 1);
        assert_eq!(turnout_server::goods::sweep(&app.app).await.expect("swept"), 0, "once");
        assert!(app.messages_to(&stayed.phone).await.last().expect("a message").contains("没有按时领取"));
        assert!(app.messages_to(&waits.phone).await.last().expect("a message").contains("轮到您了"));
        assert_eq!(hand_out.give(&app, &east, &first).await, 409);
        // Who was in line does not answer in their hour; whoever comes with a card has it.
        app.advance(HOUR + MINUTE);
        turnout_server::booking::held::sweep(&app.app).await.expect("swept");
        let found = hand_out.phone(&app, &east, &[("act", "look"), ("card", &walks.card)]).await.page(200);
        assert!(found.contains("现场发 1 份"), "{found}");
        hand_out.phone(&app, &east, &[("act", "walk_in"), ("person", &walks.id)]).await.leads_to("given=");
        assert_eq!(hand_out.figures(&app).await, [2, 2, 0, 0]);
        let again = hand_out.phone(&app, &east, &[("act", "walk_in"), ("person", &walks.id)]).await;
        assert_eq!(again.answer.status.as_u16(), 409);
        sound(&app).await;
    }
}
