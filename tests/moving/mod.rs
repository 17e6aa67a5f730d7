//! Tickets whose code moves: what is asked of whom, on the server, at a venue's counter, at a real kiosk and on a real phone.

mod desk;
mod kiosk;
mod page;

use std::{fs::File, path::Path, time::Instant};

use admission::{
    Millis, Reason, Verdict,
    decide::Proof,
    moving::{EventKey, Moment},
    ticket,
};
use qr::Luma;
use serde_json::{Value, json};
use turnout_server::{execute, fetch, web::access::Role};

use crate::{
    support::{TestApp, on_both},
    voucher::{agent, campaign, serial, venue, voucher},
};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// An event with one offer whose tickets are shown on their page; its id and the offer's.
async fn moving_event(app: &TestApp) -> (String, String) {
    app.event(|draft| draft["offers"][0]["moving_code"] = true.into()).await
}

/// What the page of a ticket with that plain code shows at a moment.
pub(crate) fn shown(app: &TestApp, event: &str, code: &str, at: Millis) -> String {
    let fact = ticket::verify(code, &app.app.keys.trusted()).expect("our own");
    let key = app.app.keys.moving(event).ticket(fact.id, fact.reissue);
    format!("{code}{}", key.proof(at))
}

/// What a code that was read proves at a moment.
fn judged(app: &TestApp, event: &str, code: &str, at: Millis) -> Proof {
    let read = ticket::verify_moving(code, &app.app.keys.trusted());
    let (fact, letters) = read.expect("our own signature");
    let key: EventKey = app.app.keys.moving(event);
    key.ticket(fact.id, fact.reissue).judge(letters, Moment::certain(at))
}

/// The code in a picture.
pub(crate) fn read_qr(picture: &Path) -> String {
    let luma = Luma::open(File::open(picture).expect("it is there")).expect("a picture");
    let until = Instant::now() + std::time::Duration::from_secs(20);
    let codes = qr::read_still(&luma, until);
    codes.first().expect("a code is read from the picture").text.to_string()
}

fn reason(verdict: &Verdict) -> (&'static str, Option<Reason>) {
    (verdict.word(), verdict.reason())
}

on_both! {
    async fn the_server_decides_by_what_the_kiosk_saw(app) {
        let (event, offer) = moving_event(&app).await;
        let mut kiosk = app.kiosk(&event, "东门").await;
        let feed = kiosk.feed(0).await;
        assert!(feed.post.event.terms(0).moving_code);
        assert_eq!(feed.post.moving_key, Some(app.app.keys.moving(&event)));
        let booked = app.booked(&app.member("王小明").await, &offer).await;
        let id = booked["tickets"][0]["id"].as_str().expect("an id");
        assert_eq!(booked["tickets"][0]["code"].as_str().map(str::len), Some(150), "what is printed does not move");
        for (proof, told) in [
            (Proof::Stale, ("refused", Some(Reason::StaleCode))),
            (Proof::Absent, ("attention", Some(Reason::ShowId))),
            (Proof::Fresh, ("admitted", None)),
        ] {
            assert_eq!(reason(&kiosk.check_shown(id, proof).await), told, "{proof:?}");
        }
        // What the door did is what counts, whatever the time is when the server hears of it.
        kiosk.decide(id, Verdict::Admitted);
        app.advance(3 * 60 * MINUTE);
        kiosk.upload().await;
        assert_eq!(reason(&kiosk.check_shown(id, Proof::Stale).await).1, Some(Reason::AlreadyUsed));
        // Staff see who it is, at the kiosk or on the organizer's page.
        let other = app.booked(&app.member("李小红").await, &offer).await;
        let other = other["tickets"][0]["id"].as_str().expect("an id");
        assert_eq!(kiosk.check_shown(other, Proof::Seen).await, Verdict::Admitted);
        let third = app.booked(&app.member("赵大力").await, &offer).await;
        let third = third["tickets"][0]["id"].as_str().expect("an id");
        let path = format!("{}/admin/events/{event}/list/{third}/admission", app.url);
        let organizer = app.staff(Role::Organizer).await;
        let done = app.http.post(path).bearer_auth(&organizer).form(&[("note", "核对了证件")]).send().await.expect("answer");
        assert_eq!(done.status(), 303);
        // Where nobody asked for it nothing is asked, and no key is given.
        let (event, _) = app.event(|_| {}).await;
        let kiosk = app.kiosk(&event, "西门").await;
        let feed = kiosk.feed(0).await;
        assert!(feed.post.moving_key.is_none() && !feed.post.event.terms(0).moving_code);
    }

    async fn a_venue_takes_a_code_that_moves_and_looks_at_an_id_otherwise(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| offer["moving_code"] = true.into()).await;
        let (ticket, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        let agent = agent(&app, &springs).await;
        let look = async |said: &str| agent.form(&app, "/venue/look", &[("said", said)]).await.page(200);

        // A forwarded screenshot, and paper: neither is redeemed by a tap alone.
        let screenshot = shown(&app, &event, &code, app.now());
        app.advance(2 * MINUTE);
        let told = look(&screenshot).await;
        assert!(told.contains("截图无效") && told.contains("打开手机上的券页面"), "{told}");
        assert!(told.contains("王*明") && told.contains("value=\"id\"") && !told.contains("value=\"code\""), "{told}");
        for said in [&code, &serial(&ticket)] {
            let told = look(said).await;
            assert!(told.contains("请看证件") && told.contains("证件姓名一致"), "{told}");
        }
        let refused = agent.redeem(&app, "tap-00001", &screenshot).await;
        assert_eq!((&refused["verdict"], &refused["reason"]), (&json!("refused"), &json!("stale_code")), "{refused}");
        let asked = agent.redeem(&app, "tap-00002", &code).await;
        assert_eq!((&asked["verdict"], &asked["reason"]), (&json!("attention"), &json!("show_id")), "{asked}");

        // The page itself is good, and still is when the tap comes a minute later.
        let live = shown(&app, &event, &code, app.now());
        let told = look(&live).await;
        assert!(told.contains("可以使用") && told.contains("name=\"seen\" value=\"code\""), "{told}");
        app.advance(MINUTE);
        let fields = [("id", "form-0001"), ("said", live.as_str()), ("seen", "code")];
        agent.form(&app, "/venue/redemptions", &fields).await.leads_to("done=form-0001");
        // And what was redeemed by an ID says so in the books.
        let fields = [("id", "form-0002"), ("said", screenshot.as_str()), ("seen", "id")];
        agent.form(&app, "/venue/redemptions", &fields).await.leads_to("done=form-0002");
        let mut tx = app.app.db.read().await.expect("read");
        let notes: Vec<(Option<String>,)> = fetch!(
            tx,
            fetch_all,
            "select note from scan where ticket_id = $1 and verdict = 'admitted' order by id",
            &ticket,
        )
        .expect("scans");
        assert_eq!(notes, [(None,), (Some("已核对证件".to_owned()),)]);
        assert_eq!(agent.redeem(&app, "tap-00003", &screenshot).await["reason"], "already_used");
    }

    async fn what_a_venue_redeemed_without_a_network_is_not_called_stale_when_it_is_sent(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| offer["moving_code"] = true.into()).await;
        let (_, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        let agent = agent(&app, &springs).await;
        let (_, list) = agent.get(&app, "/api/v1/venue/vouchers").await;
        let list: Value = serde_json::from_str(&list).expect("JSON");
        assert_eq!(list["batches"][0]["moving_code"], true, "the phone says to look at an ID: {list}");
        let scanned = shown(&app, &event, &code, app.now());
        app.advance(50 * SECOND);
        let soon = agent.redeem_late(&app, "tap-00001", &scanned, 45 * SECOND).await;
        assert_eq!(soon["verdict"], "admitted", "it moved when it was scanned: {soon}");
        app.advance(20 * MINUTE);
        let late = agent.redeem_late(&app, "tap-00002", &scanned, 20 * MINUTE).await;
        assert_eq!((&late["verdict"], &late["late"]), (&json!("admitted"), &json!(true)), "{late}");
    }

    async fn a_ticket_that_was_issued_anew_moves_otherwise(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| offer["moving_code"] = true.into()).await;
        let member = app.member("王小明").await;
        let (ticket, code) = voucher(&app, &member, &offer).await;
        let old = shown(&app, &event, &code, app.now());
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update ticket set reissue = 1 where id = $1", &ticket).expect("reissued");
        tx.commit().await.expect("commit");
        let agent = agent(&app, &springs).await;
        let refused = agent.redeem(&app, "tap-00001", &old).await;
        assert_eq!(refused["reason"], "revoked", "{refused}");
        let page = app.get(&format!("/tickets/{ticket}"), &member.token).await.text;
        let new = between(&page, "data-moving=\"", "\"");
        assert_ne!(new, code);
        // What the old page would append is worth nothing behind the new code.
        let mixed = format!("{new}{}", &old[code.len()..]);
        assert_eq!(judged(&app, &event, &mixed, app.now()), Proof::Stale);
        assert_eq!(agent.redeem(&app, "tap-00002", &mixed).await["reason"], "stale_code");
        let live = shown(&app, &event, &new, app.now());
        assert_eq!(agent.redeem(&app, "tap-00003", &live).await["verdict"], "admitted");
    }

    async fn a_ticket_page_has_what_its_code_moves_by_and_nothing_else_has(app) {
        let (event, offer) = moving_event(&app).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("an id");
        let page = app.get(&format!("/tickets/{ticket}"), &member.token).await.text;
        for part in ["截图无效，请打开本页出示", "A screenshot is not valid", "请同时出示证件", "moving.js"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(between(&page, "data-now=\"", "\""), app.now().to_string());
        let key = between(&page, "data-key=\"", "\"");
        assert_eq!(key.len(), 64);
        let stranger = app.member("李小红").await;
        assert_eq!(app.get(&format!("/tickets/{ticket}"), &stranger.token).await.status, 404);
        for path in [
            format!("/events/{event}"),
            format!("/bookings/{}", booked["id"].as_str().expect("an id")),
            format!("/tickets/{ticket}/ticket.ics"),
            format!("/api/v1/bookings/{}", booked["id"].as_str().expect("an id")),
        ] {
            let text = app.get(&path, &member.token).await.text;
            assert!(!text.contains(&key), "{path}");
        }
        let terms = app.get(&format!("/events/{event}"), &stranger.token).await.text;
        assert!(terms.contains("截图无效"), "who books is told: {terms}");
        let (_, plain) = app.event(|_| {}).await;
        let booked = app.booked(&member, &plain).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("an id");
        let page = app.get(&format!("/tickets/{ticket}"), &member.token).await.text;
        assert!(!page.contains("data-key") && !page.contains("截图"), "{page}");
    }

    async fn an_organizer_asks_for_it_with_one_tick(app) {
        let (event, offer) = app.event(|_| {}).await;
        let organizer = app.staff(Role::Organizer).await;
        let path = format!("/admin/events/{event}/offers/{offer}");
        let asks = async |ticked: bool| {
            let page = app.get(&path, &organizer).await.text;
            assert!(page.contains("截图无效，要出示会动的票码") && page.contains("核对证件上的姓名"), "{page}");
            assert_eq!(page.contains("name=\"moving_code\" value=\"yes\" checked"), ticked);
        };
        asks(false).await;
        let mut form = vec![
            ("name", "入场"), ("quota", "100"), ("opens", "2027-03-04T09:00"), ("closes", "2027-03-05T13:00"),
            ("per_person", "1"), ("guests_max", "0"), ("eligibility", "members"), ("mode", "first_come"), ("accept", "120"),
            ("moving_code", "yes"),
        ];
        crate::fair::send(&app, &path, (&organizer, ""), &form).await.leads_to("done=offer");
        asks(true).await;
        form.pop();
        crate::fair::send(&app, &path, (&organizer, ""), &form).await.leads_to("done=offer");
        asks(false).await;
    }
}

fn between(text: &str, from: &str, to: &str) -> String {
    crate::fair::between(text, from, to).to_owned()
}
