//! No-shows: who stays away is counted once, told, may appeal, and is kept out of scarce offers when it happens too
//! often; who cancelled, who came and whose event was cancelled is not counted.

use admission::{Refusal, Verdict, card::CardNumber};
use serde_json::{Value, json};
use turnout_server::{archive::verify, no_show::sweep, web::access::Role};

use crate::support::{Engine, TestApp, browser::Browser, on_both, people::Member};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn counted(draft: &mut Value) {
    draft["offers"][0]["no_shows_count"] = true.into();
}

fn with_a_line(draft: &mut Value) {
    counted(draft);
    draft["offers"][0]["waiting_list"] = true.into();
    draft["offers"][0]["quota"] = 1.into();
}

impl TestApp {
    /// Sends a form; gives the status.
    async fn form(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> u16 {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(token);
        request.form(fields).send().await.expect("answer").status().as_u16()
    }

    /// The rule that tests use: two within 100 days, barred for 10 days.
    async fn strict(&self) {
        let admin = self.staff(Role::Admin).await;
        let rule = [("times", "2"), ("period_days", "100"), ("bar_days", "10")];
        assert_eq!(self.form("/admin/no-shows/rule", &admin, &rule).await, 303);
    }

    /// Nine in the morning two days later: what is on now was over more than a day ago.
    async fn counted_later(&self) -> usize {
        self.advance(2 * DAY);
        sweep(&self.app).await.expect("sweep")
    }

    /// An event at which `member` does not turn up; gives their booking.
    async fn missed(&self, member: &Member) -> String {
        let (_, offer) = self.event(counted).await;
        let booked = self.booked(member, &offer).await;
        assert_eq!(self.counted_later().await, 1);
        booked["id"].as_str().expect("id").to_owned()
    }

    async fn refused_for_no_shows(&self, member: &Member) -> bool {
        let (_, offer) = self.event(counted).await;
        let answer = self.book_with(&member.token, &offer, json!({ "offer": offer })).await;
        if answer.status == 201 {
            let booking = answer.json()["id"].as_str().expect("id").to_owned();
            let path = format!("/api/v1/bookings/{booking}/cancellation");
            self.post(&path, &member.token, json!({})).await.expect(200);
            return false;
        }
        assert_eq!(answer.refused(403), "not_eligible");
        true
    }

    async fn status(&self, member: &Member, booked: &Value) -> String {
        let path = format!("/api/v1/bookings/{}", booked["id"].as_str().expect("id"));
        let now = self.get(&path, &member.token).await.expect(200);
        now["status"].as_str().expect("a status").to_owned()
    }

    async fn sound(&self) {
        let findings = verify(&self.app.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");
    }
}

on_both! {
    async fn only_who_stays_away_with_a_place_is_counted(app) {
        let (event, offer) = app.event(counted).await;
        let (comes, stays, cancels) = (app.member("来的人").await, app.member("没来").await, app.member("取消的人").await);
        let ticket = app.booked(&comes, &offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
        app.booked(&stays, &offer).await;
        let given_up = app.booked(&cancels, &offer).await["id"].as_str().expect("id").to_owned();
        app.post(&format!("/api/v1/bookings/{given_up}/cancellation"), &cancels.token, json!({})).await.expect(200);
        let (_, uncounted) = app.event(|_| {}).await;
        app.booked(&cancels, &uncounted).await;
        let mut kiosk = app.kiosk(&event, "东门").await;
        kiosk.decide(&ticket, Verdict::Admitted);
        kiosk.upload().await;
        // Kiosks without a network have a day to catch up: the event ends at five in the afternoon.
        app.advance(8 * HOUR + DAY);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        // Nobody is told at night.
        app.advance(8 * HOUR);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        app.advance(7 * HOUR);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0, "counted once");
        let told = app.messages_to(&stays.phone).await.join("\n");
        assert!(told.contains("没有来") && told.contains("第 1 次") && told.contains("/me#no-shows"), "{told}");
        for other in [&comes, &cancels] {
            assert!(!app.messages_to(&other.phone).await.join("\n").contains("没有来"));
        }
        let page = app.get("/me", &stays.token).await;
        let (record, past) = (page.text.find("id=\"no-shows\""), page.text.find("以往的报名"));
        assert!(record.is_some() && record < past, "{}", page.text);
        let own = app.get("/api/v1/no-shows", &stays.token).await.expect(200);
        assert_eq!((&own["no_shows"][0]["counts"], &own["barred_until_ms"]), (&json!(true), &Value::Null));
        app.sound().await;
    }

    async fn too_many_bar_for_a_time_and_only_from_offers_that_count(app) {
        app.strict().await;
        let member = app.member("王小明").await;
        app.missed(&member).await;
        assert!(!app.refused_for_no_shows(&member).await);
        app.missed(&member).await;
        // The second was missed on 7 March.
        let told = app.messages_to(&member.phone).await.join("\n");
        assert!(told.contains("2027年3月17日 起才能再报"), "{told}");
        assert!(app.refused_for_no_shows(&member).await);
        let (event, offer) = app.event(counted).await;
        let answer = app.book_with(&member.token, "tap", json!({ "offer": offer })).await;
        assert!(answer.text.contains("3月17日") && answer.text.contains("申诉"), "{}", answer.text);
        let form = app.form(&format!("/events/{event}/booking"), &member.token, &[("offer", &offer), ("key", "tap")]).await;
        assert_eq!(form, 403);
        let page = app.get(&format!("/events/{event}"), &member.token).await.text;
        assert!(page.contains("3月17日 起才能再报这类名额") && !page.contains("book-0\""), "{page}");
        let (_, plain) = app.event(|_| {}).await;
        app.booked(&member, &plain).await;
        app.advance(9 * DAY);
        assert!(!app.refused_for_no_shows(&member).await, "it ends");
        app.sound().await;
    }

    async fn who_is_barred_is_given_no_place_at_a_gate(app) {
        app.strict().await;
        let (barred, other) = (app.member("总不来").await, app.member("第一次来").await);
        app.missed(&barred).await;
        app.missed(&barred).await;
        for (counts, classes) in [(true, vec![0]), (false, vec![])] {
            let (event, _) = app.event(|draft| {
                draft["offers"][0]["no_shows_count"] = counts.into();
                draft["offers"][0]["walk_ins"] = 3.into();
            }).await;
            let gate = app.kiosk(&event, "东门").await;
            for (member, classes) in [(&barred, &classes), (&other, &vec![])] {
                let number = CardNumber::read(&member.card).expect("a valid number");
                let answer = gate.check_card(number.fingerprint(&app.app.keys.card)).await;
                assert_eq!(answer.verdict, Verdict::Refused(Refusal::NotBooked));
                assert_eq!(&answer.barred, classes, "{counts}");
            }
        }
    }

    async fn who_is_barred_in_the_meantime_gets_no_turn(app) {
        app.strict().await;
        let (barred, next, winner) = (app.member("总不来").await, app.member("下一位").await, app.member("先到").await);
        app.missed(&barred).await;
        // They stand in line and in a draw before the second no-show is counted.
        let far = |draft: &mut Value| {
            let offer = &mut draft["offers"][0];
            for field in ["closes_ms", "cancel_until_ms"] {
                offer[field] = (offer[field].as_i64().expect("a time") + 4 * DAY).into();
            }
            draft["ends_ms"] = (draft["ends_ms"].as_i64().expect("a time") + 5 * DAY).into();
        };
        let (_, line) = app.event(|draft| { with_a_line(draft); far(draft) }).await;
        let won = app.booked(&winner, &line).await;
        let (waits, behind) = (app.booked(&barred, &line).await, app.booked(&next, &line).await);
        assert_eq!((&waits["position"], &behind["position"]), (&json!(1), &json!(2)));
        let (_, ballot) = app.event(|draft| { counted(draft); far(draft); draft["offers"][0]["mode"] = "draw".into() }).await;
        let (entered, other) = (app.booked(&barred, &ballot).await, app.booked(&next, &ballot).await);
        let (approving, asked) = app.event(|draft| { counted(draft); far(draft); draft["offers"][0]["mode"] = "approval".into() }).await;
        let requested = app.booked(&barred, &asked).await;
        app.missed(&barred).await;
        let given_up = format!("/api/v1/bookings/{}/cancellation", won["id"].as_str().expect("id"));
        app.post(&given_up, &winner.token, json!({})).await.expect(200);
        assert_eq!(app.status(&barred, &waits).await, "cancelled");
        assert_eq!(app.status(&next, &behind).await, "held");
        assert!(app.messages_to(&barred.phone).await.join("\n").contains("候补或抽签不再保留"));
        let page = app.get(&format!("/bookings/{}", waits["id"].as_str().expect("id")), &barred.token).await;
        assert!(page.text.contains("这次报名不再保留"), "{}", page.text);
        let organizer = app.staff(Role::Organizer).await;
        let decision = format!("/admin/events/{approving}/line/{}/decision", requested["id"].as_str().expect("id"));
        assert_eq!(app.form(&decision, &organizer, &[("what", "approve")]).await, 409);
        app.advance(3 * DAY);
        turnout_server::draw::sweep(&app.app).await.expect("the draw");
        assert_eq!(app.status(&barred, &entered).await, "cancelled");
        assert_eq!(app.status(&next, &other).await, "confirmed");
        let record = app.get(&format!("/api/v1/offers/{ballot}/draw"), "").await.expect(200);
        assert_eq!(record["entries"].as_array().map(Vec::len), Some(1), "the published list is the one that was drawn");
        app.sound().await;
    }

    async fn a_cancelled_event_and_a_late_scan_do_not_count(app) {
        app.strict().await;
        let member = app.member("王小明").await;
        let (event, offer) = app.event(counted).await;
        app.booked(&member, &offer).await;
        let organizer = app.staff(Role::Organizer).await;
        let change = json!({ "status": "cancelled", "cancel_note": "因暴雨取消" });
        app.send(reqwest::Method::PATCH, &format!("/api/v1/events/{event}"), &organizer, Some(change)).await.expect(200);
        let (event, offer) = app.event(counted).await;
        let ticket = app.booked(&member, &offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
        let mut kiosk = app.kiosk(&event, "东门").await;
        kiosk.decide(&ticket, Verdict::Admitted);
        let (third, other) = app.event(counted).await;
        app.booked(&member, &other).await;
        assert_eq!(app.counted_later().await, 2);
        assert!(app.refused_for_no_shows(&member).await);
        // The kiosk was alone for more than a day: its journal says that they came.
        kiosk.upload().await;
        assert!(!app.refused_for_no_shows(&member).await);
        assert!(app.get("/me", &member.token).await.text.contains("不计"));
        for _ in 0..2 {
            sweep(&app.app).await.expect("sweep");
        }
        let told = app.messages_to(&member.phone).await;
        assert_eq!(told.iter().filter(|body| body.contains("已查到您参加了")).count(), 1, "{told:?}");
        // An event that is cancelled afterwards takes its no-shows back too. Staff sign in anew each day.
        let organizer = app.staff(Role::Organizer).await;
        let change = json!({ "status": "cancelled", "cancel_note": "当天停电" });
        app.send(reqwest::Method::PATCH, &format!("/api/v1/events/{third}"), &organizer, Some(change)).await.expect(200);
        let own = app.get("/api/v1/no-shows", &member.token).await.expect(200);
        assert!(own["no_shows"].as_array().expect("rows").iter().all(|row| row["counts"] == false), "{own}");
        app.sound().await;
    }

    async fn who_asked_for_leave_is_not_counted(app) {
        let member = app.member("王小明").await;
        let (event, offer) = app.event(counted).await;
        let booked = app.booked(&member, &offer).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("id");
        let (organizer, volunteer) = (app.staff(Role::Organizer).await, app.staff(Role::Volunteer).await);
        let address = format!("/admin/events/{event}/list/{ticket}");
        let excuse = format!("{address}/excuse");
        assert!(app.get(&address, &organizer).await.text.contains("准假"));
        assert!(!app.get(&address, &volunteer).await.text.contains("准假"));
        assert_eq!(app.form(&excuse, &volunteer, &[("reason", "住院")]).await, 403);
        assert_eq!(app.form(&excuse, &organizer, &[("reason", " ")]).await, 422);
        let (elsewhere, _) = app.event(counted).await;
        let foreign = format!("/admin/events/{elsewhere}/list/{ticket}/excuse");
        assert_eq!(app.form(&foreign, &organizer, &[("reason", "住院")]).await, 404);
        assert_eq!(app.form(&excuse, &organizer, &[("reason", "住院")]).await, 303);
        assert!(app.get(&address, &organizer).await.text.contains("已准假"));
        assert!(app.messages_to(&member.phone).await.join("").contains("请了假"));
        assert_eq!(app.counted_later().await, 0);
        assert!(!app.get("/me", &member.token).await.text.contains("没有来的记录"));
        // Another took leave too, and the organizer takes it back: then the day decides.
        let (event, offer) = app.event(counted).await;
        let booked = app.booked(&member, &offer).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("id");
        let excuse = format!("/admin/events/{event}/list/{ticket}/excuse");
        let organizer = app.staff(Role::Organizer).await;
        assert_eq!(app.form(&excuse, &organizer, &[("reason", "有事")]).await, 303);
        let decision = format!("/admin/no-shows/{}/decision", booked["id"].as_str().expect("id"));
        assert_eq!(app.form(&decision, &organizer, &[("what", "kept"), ("reason", "弄错了人")]).await, 303);
        assert_eq!(app.counted_later().await, 1);
        app.sound().await;
    }

    async fn an_appeal_is_excused_or_kept(app) {
        app.strict().await;
        let member = app.member("王小明").await;
        let (first, second) = (app.missed(&member).await, app.missed(&member).await);
        assert!(app.refused_for_no_shows(&member).await);
        let stranger = app.member("路人").await;
        let appeal = |booking: &str| format!("/bookings/{booking}/appeal");
        assert_eq!(app.form(&appeal(&first), &stranger.token, &[("text", "我")]).await, 404);
        assert_eq!(app.form(&appeal(&first), &member.token, &[("text", " ")]).await, 422);
        assert_eq!(app.form(&appeal(&first), &member.token, &[("text", "当天<b>住院</b>")]).await, 303);
        let api = format!("/api/v1/bookings/{second}/appeal");
        assert_eq!(app.post(&api, &stranger.token, json!({ "text": "我" })).await.refused(404), "not_found");
        let heard = app.post(&api, &member.token, json!({ "text": "堵车" })).await.expect(200);
        assert_eq!((&heard["appeal"], &heard["counts"]), (&json!("堵车"), &json!(true)));
        let page = app.get(&appeal(&first), &member.token).await.text;
        assert!(page.contains("申诉已收到"), "{page}");
        let organizer = app.staff(Role::Organizer).await;
        let desk = app.get("/admin/no-shows", &organizer).await.text;
        assert!(desk.contains("待处理的申诉") && desk.contains("住院") && !desk.contains("<b>住院"), "{desk}");
        let decision = |booking: &str| format!("/admin/no-shows/{booking}/decision");
        assert_eq!(app.form(&decision(&second), &organizer, &[("what", "kept")]).await, 422, "a no wants a reason");
        assert_eq!(app.form(&decision(&second), &organizer, &[("what", "kept"), ("reason", "班车照常")]).await, 303);
        assert!(app.refused_for_no_shows(&member).await);
        for _ in 0..2 {
            assert_eq!(app.form(&decision(&first), &organizer, &[("what", "excused")]).await, 303);
        }
        let told = app.messages_to(&member.phone).await;
        assert_eq!(told.iter().filter(|body| body.contains("已经谅解")).count(), 1, "{told:?}");
        assert!(told.iter().any(|body| body.contains("仍然计入") && body.contains("班车照常")), "{told:?}");
        assert!(!app.refused_for_no_shows(&member).await);
        // What was decided is not argued again.
        assert_eq!(app.form(&appeal(&second), &member.token, &[("text", "再说一次")]).await, 303);
        assert_eq!(app.post(&api, &member.token, json!({ "text": "再说" })).await.refused(409), "decided");
        assert!(!app.get("/admin/no-shows", &organizer).await.text.contains("再说一次"));
        assert!(app.get(&appeal(&second), &member.token).await.text.contains("班车照常"));
    }

    async fn the_rule_is_the_administrators_and_within_reason(app) {
        let (admin, organizer) = (app.staff(Role::Admin).await, app.staff(Role::Organizer).await);
        let rule = |times| [("times", times), ("period_days", "120"), ("bar_days", "120")];
        assert_eq!(app.form("/admin/no-shows/rule", &organizer, &rule("2")).await, 403);
        assert_eq!(app.form("/admin/no-shows/rule", &admin, &rule("100")).await, 422);
        assert_eq!(app.form("/admin/no-shows/rule", &admin, &rule("２")).await, 303);
        let page = app.get("/admin/no-shows", &organizer).await.text;
        assert!(page.contains("120 天内满 2 次没有来，120 天不能报这类名额。"), "{page}");
    }

    async fn counting_begins_before_the_first_booking_or_not_at_all(app) {
        let (event, offer) = app.event(|_| {}).await;
        let organizer = app.staff(Role::Organizer).await;
        let form = async |counts: bool| {
            let mut fields = vec![
                ("name", "入场"), ("quota", "100"), ("opens", "2027-03-04T09:00"), ("closes", "2027-03-05T13:00"), ("per_person", "1"),
                ("guests_max", "0"), ("mode", "first_come"), ("eligibility", "members"), ("accept", "120"),
            ];
            if counts {
                fields.push(("no_shows_count", "yes"));
            }
            app.form(&format!("/admin/events/{event}/offers/{offer}"), &organizer, &fields).await
        };
        assert_eq!(form(true).await, 303);
        assert_eq!(form(false).await, 303);
        app.booked(&app.member("王小明").await, &offer).await;
        assert_eq!(form(true).await, 422, "who booked was not told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_count_an_offer_once() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (_, offer) = app.event(counted).await;
    let member = app.member("王小明").await;
    app.booked(&member, &offer).await;
    app.advance(2 * DAY);
    let (one, other) = tokio::join!(sweep(&app.app), sweep(&twin.app));
    assert_eq!(one.expect("sweep") + other.expect("sweep"), 1);
    let told = app.messages_to(&member.phone).await;
    assert_eq!(told.iter().filter(|body| body.contains("没有来")).count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_appeals_on_a_phone_and_an_organizer_decides() {
    let app = TestApp::new(Engine::Sqlite).await;
    app.strict().await;
    let member = app.member("王小明").await;
    app.missed(&member).await;
    app.missed(&member).await;
    let organizer = app.staff(Role::Organizer).await;
    let browser = Browser::phone().await;
    let signed_in = async |token: &str, path: &str| {
        browser.go(&format!("{}/login", app.url)).await;
        browser.script(&format!("document.cookie = 'turnout={token}; path=/'")).await;
        browser.go(&format!("{}{path}", app.url)).await;
    };
    let fits = async || {
        let wide = browser.script("return document.documentElement.scrollWidth").await;
        assert_eq!(wide, 390, "nothing hangs over the side of a phone");
    };
    signed_in(&member.token, "/me").await;
    browser.sees("main", "起才能再报限量名额").await;
    fits().await;
    browser.picture("no-shows", app.folder.path()).await;
    browser.click("ul.rows a.button").await;
    browser.fill("#text", "当天住院").await;
    browser.click("main form button").await;
    browser.sees("main", "申诉已收到").await;
    fits().await;
    browser.picture("appeal", app.folder.path()).await;
    signed_in(&organizer, "/admin/no-shows").await;
    browser.sees("main", "当天住院").await;
    fits().await;
    browser.picture("no-show-desk", app.folder.path()).await;
    browser.fill("#r-1", "已核实").await;
    browser.click("button[value=excused]").await;
    browser.sees("main", "没有待处理的申诉").await;
    assert!(!app.refused_for_no_shows(&member).await);
    browser.close().await;
}
