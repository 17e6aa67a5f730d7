//! Allocation: each union's officers give its places to its own people, exactly as many as it has, and what is left
//! flows back at the stated time.

use futures_util::future::join_all;
use serde_json::{Value, json};
use turnout_server::{allocation, archive::verify, booking::held, fetch, web::access::Role};

use crate::support::{Engine, TestApp, app::Answer, browser::Browser, on_both, people::Member};

const HOUR: i64 = 3_600_000;

/// Unions with an officer and some members each, and an offer that is divided among them.
struct World {
    event: String,
    offer: String,
    organizer: String,
    unions: Vec<Union>,
}

struct Union {
    id: String,
    name: String,
    officer: Member,
    members: Vec<Member>,
}

impl World {
    /// `sizes` are the unions' members beside the officer; places flow back in an hour.
    async fn new(
        app: &TestApp,
        quota: i64,
        sizes: &[usize],
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let organizer = app.staff(Role::Organizer).await;
        let mut unions = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            let name = format!("第{}工会", n + 1);
            let id = app.union(&name).await;
            let officer = app.member(&format!("经办{n}")).await;
            app.join_union(&officer, &id).await;
            let mut members = Vec::new();
            for at in 0..*size {
                let member = app.member(&format!("会员{n}之{at}")).await;
                app.join_union(&member, &id).await;
                members.push(member);
            }
            let fields =
                [("union", id.as_str()), ("name", &officer.name), ("phone", &officer.phone)];
            assert_eq!(app.sends("/admin/officers", &organizer, &fields).await.status, 303);
            unions.push(Union { id, name, officer, members });
        }
        let flow_back = app.now().0 + HOUR;
        let (event, offer) = app
            .event(|draft| {
                let offer = &mut draft["offers"][0];
                offer["mode"] = "allocation".into();
                offer["quota"] = quota.into();
                offer["flow_back_ms"] = flow_back.into();
                change(draft);
            })
            .await;
        Self { event, offer, organizer, unions }
    }

    async fn divide(&self, app: &TestApp, places: &[i64]) -> Answer {
        let fields: Vec<(String, String)> = self
            .unions
            .iter()
            .zip(places)
            .map(|(union, places)| (format!("places-{}", union.id), places.to_string()))
            .collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
        app.sends(&self.desk(), &self.organizer, &fields).await
    }

    fn desk(&self) -> String {
        format!("/admin/events/{}/offers/{}/allocation", self.event, self.offer)
    }

    fn page(&self, union: &Union) -> String {
        format!("/officer/offers/{}/{}", self.offer, union.id)
    }

    /// The officer of `union` names `member`; the status.
    async fn name(&self, app: &TestApp, union: &Union, member: &Member) -> u16 {
        let fields = [("person", member.id.as_str())];
        app.sends(&self.page(union), &union.officer.token, &fields).await.status.as_u16()
    }

    async fn left(&self, app: &TestApp) -> i64 {
        let event = app.get(&format!("/api/v1/events/{}", self.event), "").await.expect(200);
        event["offers"][0]["left"].as_i64().expect("a number")
    }
}

impl TestApp {
    async fn sends(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(token);
        let answer = request.form(fields).send().await.expect("answer");
        Answer { status: answer.status(), text: answer.text().await.expect("a body") }
    }

    /// A member's newest booking: its id and status.
    async fn newest(&self, member: &Member) -> (String, String) {
        let mut tx = self.app.db.read().await.expect("read");
        fetch!(
            tx,
            fetch_one,
            "select id, status from booking where person_id = $1 order by created_ms desc, id desc limit 1",
            &member.id,
        )
        .expect("a booking")
    }

    async fn balanced(&self) {
        let findings = verify(&self.app.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");
    }
}

on_both! {
    async fn an_officers_program_names_takes_back_and_sees_what_flowed_back(app) {
        let world = World::new(&app, 5, &[3, 1], |_| {}).await;
        assert_eq!(world.divide(&app, &[2, 1]).await.status, 303);
        let (first, second) = (&world.unions[0], &world.unions[1]);
        let [a, b, c] = first.members.as_slice() else { unreachable!("three") };
        let token = &first.officer.token;
        let listed = app.get("/api/v1/officer/allocations", token).await.expect(200);
        assert_eq!(listed.as_array().map(Vec::len), Some(1));
        assert_eq!((&listed[0]["union"], &listed[0]["places"], &listed[0]["given"], &listed[0]["state"]),
                   (&json!(first.id), &json!(2), &json!(0), &json!("naming")));
        assert_eq!(app.get("/api/v1/officer/allocations", &a.token).await.expect(200), json!([]));
        let path = format!("/api/v1/officer/allocations/{}/{}", world.offer, first.id);
        let names = async |token: &str, person: &str| {
            app.post(&format!("{path}/bookings"), token, json!({ "person": person })).await
        };
        // Only the union's own officer, and only for its own people.
        assert_eq!(names(&second.officer.token, &a.id).await.refused(404), "not_found");
        assert_eq!(names(&a.token, &b.id).await.refused(404), "not_found");
        assert_eq!(names(token, &second.members[0].id).await.refused(404), "not_found");
        assert_eq!(app.get(&path, &second.officer.token).await.refused(404), "not_found");
        for _ in 0..2 {
            let named = names(token, &a.id).await.expect(201);
            assert_eq!((&named["given"], named["named"].as_array().map(Vec::len)), (&json!(1), Some(1)), "twice is once");
        }
        let named = names(token, &b.id).await.expect(201);
        assert_eq!(names(token, &c.id).await.refused(409), "union_full");
        let members = app.get(&format!("{path}/members?q=会员"), token).await.expect(200);
        let statuses: Vec<_> = members.as_array().expect("members").iter().map(|one| one["status"].as_str()).collect();
        assert_eq!(statuses, [Some("confirmed"), Some("confirmed"), None]);
        assert!(!members.to_string().contains(&a.phone), "no phones");
        let booking = named["named"][0]["booking"].as_str().expect("id");
        let back = format!("{path}/bookings/{booking}/return");
        assert_eq!(app.post(&back, &second.officer.token, json!({})).await.refused(404), "not_found");
        for _ in 0..2 {
            let shown = app.post(&back, token, json!({})).await.expect(200);
            assert_eq!((&shown["given"], &shown["named"][0]["ended_by"]), (&json!(1), &json!("taken_back")));
        }
        app.advance(HOUR);
        assert_eq!(allocation::sweep(&app.app).await.expect("sweep"), 1);
        let shown = app.get(&path, token).await.expect(200);
        assert_eq!((&shown["state"], &shown["flowed_back_ms"]), (&json!("flowed_back"), &json!(app.now().0)));
        assert_eq!(names(token, &c.id).await.refused(409), "not_open");
        let document = app.get("/api/v1/openapi.json", "").await.expect(200);
        assert!(document["paths"]["/officer/allocations/{offer}/{union}/bookings"]["post"].is_object());
        app.balanced().await;
    }

    async fn a_unions_places_are_not_lent_to_gates(app) {
        let organizer = app.staff(Role::Organizer).await;
        let mut draft = app.draft();
        draft["offers"][0]["mode"] = "allocation".into();
        draft["offers"][0]["flow_back_ms"] = (app.now().0 + HOUR).into();
        draft["offers"][0]["walk_ins"] = 2.into();
        assert_eq!(app.post("/api/v1/events", &organizer, draft.clone()).await.refused(422), "walk_ins");
        draft["offers"][0]["walk_ins"] = 0.into();
        app.post("/api/v1/events", &organizer, draft).await.expect(201);
    }

    async fn an_officer_names_who_then_has_a_ticket_and_may_decline(app) {
        let world = World::new(&app, 5, &[3, 1], |_| {}).await;
        assert_eq!(world.divide(&app, &[2, 1]).await.status, 303);
        let (first, second) = (&world.unions[0], &world.unions[1]);
        let [a, b, c] = first.members.as_slice() else { unreachable!("three") };
        assert!(app.get("/me", &first.officer.token).await.text.contains("工会经办"));
        assert!(!app.get("/me", &a.token).await.text.contains("工会名额"));
        assert!(app.get("/officer", &first.officer.token).await.text.contains("还剩 2 个"));
        // Nobody else can book before the stated time, and the page says when.
        let early = app.book_with(&c.token, "tap", json!({ "offer": world.offer })).await;
        assert_eq!(early.refused(403), "not_open");
        let shown = app.get(&format!("/events/{}", world.event), &c.token).await.text;
        assert!(shown.contains("名额先分到各工会") && shown.contains("10:00"), "{shown}");
        for _ in 0..2 {
            assert_eq!(world.name(&app, first, a).await, 303, "twice is once");
        }
        assert_eq!(world.name(&app, first, b).await, 303);
        assert_eq!(world.name(&app, first, c).await, 409, "the union has two places");
        let (booking, status) = app.newest(a).await;
        assert_eq!(status, "confirmed");
        let booked = app.get(&format!("/api/v1/bookings/{booking}"), &a.token).await.expect(200);
        assert_eq!(booked["tickets"].as_array().map(Vec::len), Some(1));
        let told = app.messages_to(&a.phone).await.join("");
        assert!(told.contains(&first.name) && told.contains(&booking), "{told}");
        assert!(app.get(&format!("/bookings/{booking}"), &a.token).await.text.contains("谢绝这个名额"));
        // Who declines gives the place back to the union, and the officer hears of it.
        app.post(&format!("/api/v1/bookings/{booking}/cancellation"), &a.token, json!({})).await.expect(200);
        assert!(app.messages_to(&first.officer.phone).await.join("").contains("谢绝"));
        let page = app.get(&world.page(first), &first.officer.token).await.text;
        assert!(page.contains("本人谢绝") && page.contains("还剩 1 个"), "{page}");
        assert_eq!(world.name(&app, first, c).await, 303);
        // The officer takes one back.
        let (booking, _) = app.newest(b).await;
        let back = format!("{}/{booking}/return", world.page(first));
        assert_eq!(app.sends(&back, &second.officer.token, &[]).await.status, 404);
        assert_eq!(app.sends(&back, &first.officer.token, &[]).await.status, 303);
        assert_eq!(app.newest(b).await.1, "cancelled");
        assert!(app.messages_to(&b.phone).await.join("").contains("收回"));
        assert_eq!(world.left(&app).await, 4);
        app.balanced().await;
    }

    async fn an_officer_sees_and_names_only_their_own(app) {
        let world = World::new(&app, 5, &[1, 1], |_| {}).await;
        world.divide(&app, &[2, 2]).await;
        let (first, second) = (&world.unions[0], &world.unions[1]);
        let stranger = &second.members[0];
        let fields = [("person", stranger.id.as_str())];
        let refused = app.sends(&world.page(first), &first.officer.token, &fields).await;
        assert_eq!(refused.status, 404);
        assert!(refused.text.contains("不在本工会的名册上") && !refused.text.contains(&stranger.name), "{}", refused.text);
        let page = app.get(&world.page(first), &first.officer.token).await.text;
        assert!(page.contains(&first.members[0].name) && !page.contains(&stranger.name), "{page}");
        let sought = format!("{}?q=%E4%BC%9A", world.page(first));
        assert!(!app.get(&sought, &first.officer.token).await.text.contains(&stranger.name));
        // Another union's page, and one's own as no officer, are not there.
        for (path, token) in [
            (world.page(second), &first.officer.token),
            (world.page(first), &first.members[0].token),
            ("/officer".to_owned(), &first.members[0].token),
        ] {
            assert_eq!(app.get(&path, token).await.status, 404, "{path}");
        }
        let refused = app.sends(&world.page(second), &first.officer.token, &fields).await;
        assert_eq!((refused.status.as_u16(), refused.text.contains("名册")), (404, false), "{}", refused.text);
        // Who moved to another union, or was dismissed, is an officer no more.
        app.join_union(&first.officer, &second.id).await;
        assert_eq!(world.name(&app, first, &first.members[0]).await, 404);
        let dismissal = format!("/admin/officers/{}/{}/dismissal", second.id, second.officer.id);
        assert_eq!(app.sends(&dismissal, &world.organizer, &[]).await.status, 303);
        assert_eq!(world.name(&app, second, stranger).await, 404);
        app.balanced().await;
    }

    async fn the_organizer_divides_by_hand_or_by_members(app) {
        let world = World::new(&app, 7, &[4, 2, 0], |_| {}).await;
        assert_eq!(world.divide(&app, &[5, 3, 0]).await.status, 422, "more than there are");
        assert_eq!(world.divide(&app, &[1, 1, 1]).await.status, 303);
        // 5, 3 and 1 members: 3.9, 2.3 and 0.8 of 7.
        let proposal = app.get(&format!("{}?by=members", world.desk()), &world.organizer).await.text;
        assert!(proposal.contains("还没有保存"), "{proposal}");
        for (union, places) in world.unions.iter().zip([4, 2, 1]) {
            assert!(proposal.contains(&format!("name=\"places-{}\" value=\"{places}\"", union.id)), "{proposal}");
        }
        let first = &world.unions[0];
        assert_eq!(world.name(&app, first, &first.members[0]).await, 303);
        assert_eq!(world.name(&app, first, &first.members[1]).await, 409);
        assert_eq!(world.divide(&app, &[0, 3, 3]).await.status, 422, "one is given already");
        assert_eq!(world.divide(&app, &[4, 2, 1]).await.status, 303);
        assert_eq!(world.name(&app, first, &first.members[1]).await, 303);
        let volunteer = app.staff(Role::Volunteer).await;
        assert_eq!(app.get(&world.desk(), &volunteer).await.status, 403);
        app.balanced().await;
    }

    async fn what_is_left_flows_back_to_first_come(app) {
        let world = World::new(&app, 3, &[2], |_| {}).await;
        world.divide(&app, &[2]).await;
        let union = &world.unions[0];
        world.name(&app, union, &union.members[0]).await;
        let (one, two, three) = (app.member("甲").await, app.member("乙").await, app.member("丙").await);
        app.advance(HOUR - 1);
        assert_eq!(app.book_with(&one.token, "tap", json!({ "offer": world.offer })).await.refused(403), "not_open");
        app.advance(1);
        assert_eq!(world.name(&app, union, &union.members[1]).await, 409, "naming is over");
        app.booked(&one, &world.offer).await;
        app.booked(&two, &world.offer).await;
        assert_eq!(app.book_with(&three.token, "tap", json!({ "offer": world.offer })).await.refused(409), "sold_out");
        allocation::sweep(&app.app).await.expect("sweep");
        assert_eq!(allocation::sweep(&app.app).await.expect("sweep"), 0, "once");
        // A place that was named and is given up now is anybody's.
        let (booking, _) = app.newest(&union.members[0]).await;
        app.post(&format!("/api/v1/bookings/{booking}/cancellation"), &union.members[0].token, json!({})).await.expect(200);
        app.booked(&three, &world.offer).await;
        app.balanced().await;
    }

    async fn what_is_left_flows_back_to_those_in_line_first(app) {
        let world = World::new(&app, 2, &[2], |draft| draft["offers"][0]["waiting_list"] = true.into()).await;
        world.divide(&app, &[2]).await;
        let union = &world.unions[0];
        let (one, two) = (app.member("甲").await, app.member("乙").await);
        let waiting = app.booked(&one, &world.offer).await;
        assert_eq!((&waiting["status"], &waiting["position"]), (&json!("waiting"), &json!(1)));
        app.booked(&two, &world.offer).await;
        world.name(&app, union, &union.members[0]).await;
        // A place that comes back before the time is the union's, not the line's.
        let (booking, _) = app.newest(&union.members[0]).await;
        app.post(&format!("/api/v1/bookings/{booking}/cancellation"), &union.members[0].token, json!({})).await.expect(200);
        assert_eq!(app.newest(&one).await.1, "waiting");
        assert_eq!(world.name(&app, union, &union.members[1]).await, 303);
        app.advance(HOUR);
        allocation::sweep(&app.app).await.expect("sweep");
        assert_eq!((app.newest(&one).await.1, app.newest(&two).await.1), ("held".to_owned(), "waiting".to_owned()));
        assert!(app.messages_to(&one.phone).await.join("").contains("轮到您了"));
        // Held for too long: the next.
        app.advance(2 * HOUR + 1);
        held::sweep(&app.app).await.expect("sweep");
        assert_eq!(app.newest(&two).await.1, "held");
        app.balanced().await;
    }

    async fn the_limits_are_those_of_any_booking(app) {
        let world = World::new(&app, 3, &[2], |draft| draft["offers"][0]["limit_month"] = 1.into()).await;
        world.divide(&app, &[3]).await;
        let union = &world.unions[0];
        let (_, other) = app.event(|_| {}).await;
        app.booked(&union.members[0], &other).await;
        assert_eq!(world.name(&app, union, &union.members[0]).await, 409, "one a month");
        assert_eq!(world.name(&app, union, &union.members[1]).await, 303);
        // Refused naming took nothing.
        assert_eq!(world.left(&app).await, 2);
        app.balanced().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_officers_at_two_servers_give_exactly_what_their_union_has() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let world = World::new(&app, 30, &[20, 20], |_| {}).await;
    world.divide(&app, &[7, 9]).await;
    let (world, app, twin) = (&world, &app, &twin);
    let tries = world.unions.iter().flat_map(|union| {
        union.members.iter().enumerate().map(move |(n, member)| async move {
            let at = if n % 2 == 0 { app } else { twin };
            world.name(at, union, member).await
        })
    });
    let statuses = join_all(tries).await;
    let named = |part: &[u16]| part.iter().filter(|status| **status == 303).count();
    assert_eq!((named(&statuses[..20]), named(&statuses[20..])), (7, 9));
    assert!(statuses.iter().all(|status| matches!(status, 303 | 409)), "{statuses:?}");
    assert_eq!(world.left(app).await, 14);
    app.balanced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_names_somebody_on_a_phone() {
    let app = TestApp::new(Engine::Sqlite).await;
    let world = World::new(&app, 5, &[3], |_| {}).await;
    world.divide(&app, &[2]).await;
    let union = &world.unions[0];
    let browser = Browser::phone().await;
    browser.go(&format!("{}/login", app.url)).await;
    browser.script(&format!("document.cookie = 'turnout={}; path=/'", union.officer.token)).await;
    browser.go(&format!("{}{}", app.url, world.page(union))).await;
    browser.sees("main", "还剩 2 个").await;
    browser.fill("#q", "之1").await;
    browser.click("form.search button").await;
    browser.sees("main", &union.members[1].name).await;
    browser.click("ul.rows form button").await;
    browser.sees("main", "还剩 1 个").await;
    browser.picture("officer", app.folder.path()).await;
    let wide = browser.script("return document.documentElement.scrollWidth").await;
    assert_eq!(wide, 390, "nothing hangs over the side of a phone");
    let small = browser
        .script("return [...document.querySelectorAll('main .button')].filter(b => b.offsetHeight < 48).length")
        .await;
    assert_eq!(small, 0);
    assert_eq!(app.newest(&union.members[1]).await.1, "confirmed");
    // The organizer divides them, and a member sees what will happen.
    for (token, path, name) in [
        (&world.organizer, world.desk(), "allocation"),
        (&world.organizer, "/admin/officers".to_owned(), "officers"),
        (&union.members[2].token, format!("/events/{}", world.event), "reserved"),
    ] {
        browser.script(&format!("document.cookie = 'turnout={token}; path=/'")).await;
        browser.go(&format!("{}{path}", app.url)).await;
        browser
            .sees("main", if name == "reserved" { "名额先分到各工会" } else { &union.name })
            .await;
        browser.picture(name, app.folder.path()).await;
        let wide = browser.script("return document.documentElement.scrollWidth").await;
        assert_eq!(wide, 390, "{name}");
    }
    browser.close().await;
}
