//! Desks: numbers from the phone, calling, waiting told honestly, consultations counted once; and the capacity line.

use admission::Verdict;
use serde_json::json;
use tempfile::TempDir;
use turnout_server::{fetch, web::access::Role};

use super::{between, fair, page, send, stand::visitor};
use crate::{
    end_to_end::await_copy,
    support::{TestApp, on_both, programs::KioskProgram},
};

async fn desk(app: &TestApp, event: &str) -> String {
    let mut tx = app.app.db.read().await.expect("read");
    let (id,): (String,) = fetch!(
        tx,
        fetch_one,
        "select id from desk where event_id = $1 order by letter limit 1",
        event
    )
    .expect("a desk");
    id
}

on_both! {
    async fn numbers_are_taken_called_skipped_and_counted(app) {
        let (event, offer) = fair(&app).await;
        let desk = desk(&app, &event).await;
        let (list, take) = (format!("/events/{event}/desks"), format!("/events/{event}/desks/{desk}/turns"));
        let staff_page = format!("/admin/events/{event}/desks/{desk}");
        let volunteer = app.staff(Role::Volunteer).await;
        let mut visitors = Vec::new();
        for name in ["王小明", "李华", "张伟", "赵敏"] {
            let (member, ..) = visitor(&app, name, &offer).await;
            for _ in 0..2 {
                send(&app, &take, (&member.token, ""), &[]).await.leads_to("/desks");
            }
            visitors.push(member);
        }
        let shown = page(&app, &list, &visitors[2].token).await;
        assert!(shown.contains("A3") && shown.contains("前面 2 人在等") && shown.contains("还说不准"), "{shown}");
        let public = page(&app, &list, "").await;
        assert!(public.contains("登录取号") && public.contains("4 人在等"), "{public}");

        let act = |act: &'static str, turn: String| {
            let (app, staff_page, volunteer) = (&app, &staff_page, &volunteer);
            async move { send(app, staff_page, (volunteer, ""), &[("act", act), ("turn", &turn)]).await.leads_to("/desks/") }
        };
        act("next", String::new()).await;
        let told = app.messages_to(&visitors[0].phone).await.pop().expect("a message");
        assert!(told.contains("A1 号请到"), "{told}");
        assert!(page(&app, &format!("{list}/board"), "").await.contains("A1"));
        let called = |shown: &str| between(shown, "name=\"turn\" value=\"", "\"").to_owned();
        let first = called(&page(&app, &staff_page, &volunteer).await);
        app.advance(5 * 60_000);
        act("next", first.clone()).await;
        // A tap on an old page changes nothing and calls nobody twice.
        act("done", first).await;
        let second = called(&page(&app, &staff_page, &volunteer).await);
        act("skip", second.clone()).await;
        assert!(!page(&app, &list, &visitors[1].token).await.contains("A2"), "a missed number is no longer shown as open");
        act("again", second.clone()).await;
        app.advance(7 * 60_000);
        act("next", second).await;
        app.advance(6 * 60_000);
        let third = called(&page(&app, &staff_page, &volunteer).await);
        act("done", third).await;
        // Three visits of 5, 7 and 6 minutes: now it can be told. Nobody is served, so the next may go.
        let shown = page(&app, &list, &visitors[3].token).await;
        assert!(shown.contains("现在就可以过去"), "{shown}");
        act("next", String::new()).await;
        let fourth = page(&app, &list, "").await;
        assert!(fourth.contains("大约要等 6 分钟") || fourth.contains("大约要等 5–6 分钟") || fourth.contains("大约要等 6–7 分钟"), "{fourth}");
        send(&app, &staff_page, (&volunteer, ""), &[("act", "walk_in"), ("card", "")]).await.leads_to("/desks/");
        let organizer = app.staff(Role::Organizer).await;
        let report = page(&app, &format!("/admin/events/{event}/fair/report"), &organizer).await;
        assert!(report.contains("接受咨询 4 人次"), "{report}");
    }

    async fn a_scan_at_the_desks_kiosk_takes_a_number(app) {
        let (event, offer) = fair(&app).await;
        let desk = desk(&app, &event).await;
        let organizer = app.staff(Role::Organizer).await;
        let staff_page = format!("/admin/events/{event}/desks/{desk}");
        send(&app, &staff_page, (&organizer, ""), &[("act", "kiosk"), ("numbers", "yes")]).await.leads_to("/desks/");
        let name = between(&page(&app, &staff_page, &organizer).await, "<h1>", "</h1>").to_owned();
        let new = json!({ "name": "取号机", "event": event, "station": "desk", "station_name": name });
        let made = app.post("/api/v1/kiosks", &organizer, new).await.expect(201);
        let folder = TempDir::new().expect("a folder");
        KioskProgram::enroll(&app.url, made["code"].as_str().expect("a code"), folder.path()).await;
        let (first, ..) = visitor(&app, "王小明", &offer).await;
        let take = format!("/events/{event}/desks/{desk}/turns");
        send(&app, &take, (&first.token, ""), &[]).await.leads_to("/desks");

        // Another visitor has no phone at hand: they scan their ticket, twice, and have one number.
        let second = app.member("李华").await;
        let booked = app.booked(&second, &offer).await;
        let ticket = |what: &str| booked["tickets"][0][what].as_str().expect("of a ticket").to_owned();
        let mut kiosk = KioskProgram::run(folder.path()).await;
        await_copy(folder.path(), &ticket("id")).await;
        for _ in 0..2 {
            let told = kiosk.scan(&ticket("code")).await;
            assert_eq!(told["verdict"], "admitted", "{told}");
        }
        let list = page(&app, &format!("/events/{event}/desks"), &second.token).await;
        assert!(list.contains("A2") && !list.contains("A3") && list.contains("前面 1 人在等"), "{list}");
        let report = format!("/admin/events/{event}/fair/report");
        assert!(page(&app, &report, &organizer).await.contains("接受咨询 0 人次"), "a number is no visit yet");
        for _ in 0..2 {
            let shown = page(&app, &staff_page, &organizer).await;
            let turn = shown.split("name=\"turn\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            send(&app, &staff_page, (&organizer, ""), &[("act", "next"), ("turn", turn)]).await.leads_to("/desks/");
        }
        let called = page(&app, &format!("/events/{event}/desks"), &second.token).await;
        assert!(called.contains("轮到您了"), "{called}");
        let shown = page(&app, &staff_page, &organizer).await;
        let turn = between(&shown, "name=\"turn\" value=\"", "\"");
        send(&app, &staff_page, (&organizer, ""), &[("act", "done"), ("turn", turn)]).await.leads_to("/desks/");
        assert!(kiosk.stop().await.success());
        let told = page(&app, &report, &organizer).await;
        assert!(told.contains("接受咨询 2 人次"), "two visits, however often was scanned: {told}");

        // Without the server there is no number, and the scan is a visit by itself.
        let third = app.member("张伟").await;
        let booked = app.booked(&third, &offer).await;
        let (id, code) = (&booked["tickets"][0]["id"], &booked["tickets"][0]["code"]);
        let kiosk = KioskProgram::run(folder.path()).await;
        await_copy(folder.path(), id.as_str().expect("an id")).await;
        assert!(kiosk.stop().await.success());
        let mut kiosk = KioskProgram::run_with(folder.path(), &["--offline"]).await;
        assert_eq!(kiosk.scan(code.as_str().expect("a code")).await["verdict"], "admitted");
        assert!(kiosk.stop().await.success());
        let kiosk = KioskProgram::run(folder.path()).await;
        let counting = async {
            while !page(&app, &report, &organizer).await.contains("接受咨询 3 人次") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), counting).await.expect("it is counted");
        assert!(kiosk.stop().await.success());
    }

    async fn a_number_is_its_holders_to_give_up(app) {
        let (event, offer) = fair(&app).await;
        let desk = desk(&app, &event).await;
        let take = format!("/events/{event}/desks/{desk}/turns");
        let (one, ..) = visitor(&app, "王小明", &offer).await;
        let (other, ..) = visitor(&app, "李华", &offer).await;
        send(&app, &take, (&one.token, ""), &[]).await.leads_to("/desks");
        let shown = page(&app, &format!("/events/{event}/desks"), &one.token).await;
        let turn = between(&shown, "/turns/", "/leaving").to_owned();
        send(&app, &format!("{take}/{turn}/leaving"), (&other.token, ""), &[]).await.leads_to("/desks");
        assert!(page(&app, &format!("/events/{event}/desks"), &one.token).await.contains("A1"), "not the other's to give up");
        send(&app, &format!("{take}/{turn}/leaving"), (&one.token, ""), &[]).await.leads_to("/desks");
        assert!(!page(&app, &format!("/events/{event}/desks"), &one.token).await.contains("A1"));
        // Who has no ticket is led to one.
        let guest = app.guest_token("13812345679").await;
        send(&app, &take, (&guest, ""), &[]).await.leads_to("/fair/entry");
    }

    async fn many_take_numbers_at_once_and_none_is_given_twice(app) {
        let (event, offer) = fair(&app).await;
        let desk = desk(&app, &event).await;
        let take = format!("/events/{event}/desks/{desk}/turns");
        let mut tokens = Vec::new();
        for n in 0..20 {
            tokens.push(visitor(&app, &format!("会员{n}"), &offer).await.0.token);
        }
        let taps = tokens.iter().chain(&tokens).map(|token| send(&app, &take, (token, ""), &[]));
        futures_util::future::join_all(taps).await;
        let mut tx = app.app.db.read().await.expect("read");
        let (turns, numbers, people): (i64, i64, i64) = fetch!(
            tx,
            fetch_one,
            "select count(*), count(distinct number), count(distinct ticket_id) from desk_turn where desk_id = $1",
            &desk,
        )
        .expect("turns");
        assert_eq!((turns, numbers, people), (20, 20, 20));
    }

    async fn the_gate_refuses_when_the_approved_size_is_reached(app) {
        let (event, offer) = fair(&app).await;
        let organizer = app.staff(Role::Organizer).await;
        let capacity = format!("/admin/events/{event}/fair/capacity");
        assert_eq!(send(&app, &capacity, (&organizer, ""), &[("capacity", "很多")]).await.answer.status.as_u16(), 422);
        send(&app, &capacity, (&organizer, ""), &[("capacity", "2")]).await.leads_to("/fair");
        let mut gate = app.kiosk(&event, "东门").await;
        let mut tickets = Vec::new();
        for name in ["王小明", "李华", "张伟"] {
            tickets.push(visitor(&app, name, &offer).await.1);
        }
        for ticket in &tickets[..2] {
            assert_eq!(gate.check(ticket).await, Verdict::Admitted);
            // A retry is the same question.
            assert_eq!(gate.check(ticket).await, Verdict::Admitted);
            gate.decide(ticket, Verdict::Admitted);
        }
        gate.upload().await;
        let refused = gate.check(&tickets[2]).await;
        assert_eq!(refused.reason().map(admission::Reason::word), Some("full"));
        let board = page(&app, &format!("/admin/events/{event}/fair"), &organizer).await;
        assert!(board.contains("已到核准的 2 人"), "{board}");
        send(&app, &capacity, (&organizer, ""), &[("capacity", "")]).await.leads_to("/fair");
        assert_eq!(gate.check(&tickets[2]).await, Verdict::Admitted);
    }
}
