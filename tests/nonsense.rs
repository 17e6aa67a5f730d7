//! What nobody should send, and faults that nobody wants: each is answered in words, and the server goes on.

use std::time::Duration;

use admission::{
    Verdict,
    decide::StationKind,
    scan::{Act, Deed, WalkIn},
    sync::Upload,
    ticket::TicketId,
};
use reqwest::Method;
use serde_json::json;
use turnout_server::{execute, fetch, web::access::Role};

use crate::support::{Engine, TestApp, on_both};

on_both! {
    async fn nonsense_is_refused_in_words(app) {
        let (_, offer) = app.event(|draft| {
            draft["offers"][0]["per_person"] = 2.into();
            draft["offers"][0]["guests_max"] = 1.into();
        }).await;
        let member = app.member("王小明").await;
        for path in ["/events/%00", "/api/v1/events/%00", "/tickets/%00", "/api/v1/bookings/%ff"] {
            let answer = app.get(path, &member.token).await;
            assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        }
        let request = |kind: &'static str, body: &'static str| {
            let request = app.http.post(format!("{}/api/v1/bookings", app.url)).bearer_auth(&member.token);
            request.header("content-type", kind).body(body)
        };
        for (kind, body, status) in [("application/json", "{", 400), ("text/plain", "{}", 415), ("application/json", "[]", 422)] {
            let answer = request(kind, body).send().await.expect("answer");
            assert_eq!(answer.status(), status, "{body}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{body}");
            let problem: serde_json::Value = answer.json().await.expect("a problem");
            assert_eq!((&problem["code"], &problem["status"]), (&json!("bad_request"), &json!(status)));
        }
        assert_eq!(app.book_with(&member.token, "a", json!({ "offer": "\0" })).await.refused(404), "not_found");
        // What fails in the ledger takes others with it, so it does not get there.
        for path in ["/api/v1/bookings/%00/cancellation", "/api/v1/bookings/%00/confirmation", "/bookings/a%00b/cancellation"] {
            assert_eq!(app.post(path, &member.token, json!({})).await.status, 404, "{path}");
        }
        let form = app.http.post(format!("{}/events/x/booking", app.url)).bearer_auth(&member.token);
        let answer = form.form(&[("offer", offer.as_str()), ("key", "a\0b")]).send().await.expect("answer");
        assert_ne!(answer.status(), 303, "a key that cannot be kept");
        // Nor is anything made for a crowd that no offer lets in.
        let crowd = json!({ "offer": offer, "guests": vec!["客"; 21] });
        assert_eq!(app.book_with(&member.token, "crowd", crowd).await.refused(422), "guests");
        let turned = json!({ "offer": offer, "guests": ["妈\0妈\u{202e}"] });
        let booked = app.book_with(&member.token, "b", turned).await.expect(201);
        assert_eq!(booked["tickets"].as_array().expect("tickets").len(), 2);
    }

    async fn a_time_beyond_the_calendar_is_refused(app) {
        let organizer = app.staff(Role::Organizer).await;
        let draft = |starts: i64, ends: i64| json!({
            "kind": "activity", "title": "讲座", "place": "礼堂", "starts_ms": starts, "ends_ms": ends, "status": "published",
        });
        for (starts, ends, code) in [(i64::MIN, 1, "starts"), (1, i64::MAX, "ends")] {
            assert_eq!(app.post("/api/v1/events", &organizer, draft(starts, ends)).await.refused(422), code);
        }
        assert!(app.get("/", "").await.status.is_success());
    }

    async fn a_kiosk_that_sends_nonsense_stops_nobody(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let mut kiosk = app.kiosk(&event, "东门").await;
        // Its clock runs centuries ahead.
        kiosk.decide_at(&ticket, Verdict::Admitted, admission::Millis(i64::MAX));
        kiosk.skew_ms = i64::MIN;
        kiosk.upload().await;
        let organizer = app.staff(Role::Organizer).await;
        for page in [format!("/admin/events/{event}"), format!("/admin/events/{event}/kiosks")] {
            assert!(app.get(&page, &organizer).await.status.is_success(), "{page}");
        }
        let attendance = app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200);
        assert_eq!(attendance["admitted"], 1);
        let upload = Upload {
            from_seq: u64::MAX,
            before: kiosk.chain(0),
            entries: vec![kiosk.journal[0].clone(), kiosk.journal[0].clone()],
            head_seq: u64::MAX,
            ..Upload::default()
        };
        let body = serde_json::to_string(&upload).expect("plain data");
        assert_eq!(kiosk.send(Method::POST, "/kiosk/scans", &body).await.refused(422), "seq");
        app.booked(&app.member("李华").await, &offer).await;
    }

    async fn an_entry_that_no_database_takes_as_it_is_holds_up_nothing_behind_it(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let mut kiosk = app.kiosk(&event, "东门").await;
        let (name, id) = (kiosk.station.clone(), ticket.parse().expect("a ticket id"));
        kiosk.station = "东\0门".to_owned();
        let by = |act| Deed { act, operator: Some("小\0李".to_owned()), why: Some("\0".to_owned()), ..Deed::default() };
        kiosk.record(StationKind::Gate, id, Verdict::Admitted, by(Act::Hand));
        let walk_in = Some(WalkIn { person: "\0".to_owned(), allotment: 1, class: 0 });
        let given = Deed { walk_in, ..by(Act::WalkIn) };
        kiosk.record(StationKind::Gate, TicketId([9; 12]), Verdict::Admitted, given);
        kiosk.station = name;
        kiosk.decide(&ticket, Verdict::Refused(admission::Refusal::Cancelled));
        assert_eq!(kiosk.upload().await.have_through, 3);
        let mut tx = app.app.db.read().await.expect("read");
        let rows: Vec<(String, Option<String>)> =
            fetch!(tx, fetch_all, "select station, operator from scan order by seq").expect("scans");
        assert_eq!(rows[0], ("东门".to_owned(), Some("小李".to_owned())));
        drop(tx);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
        // What contradicts is kept too, whatever it is.
        kiosk.journal[2] = admission::scan::Entry("\0".to_owned());
        assert_eq!(kiosk.upload_from(1).await.refused(409), "kiosk_quarantined");
    }

    async fn what_staff_took_back_stays_taken_back_when_the_journal_arrives(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let mut kiosk = app.kiosk(&event, "东门").await;
        assert_eq!(kiosk.check(&ticket).await, Verdict::Admitted);
        let volunteer = app.staff(Role::Volunteer).await;
        let undo = app.http.post(format!("{}/admin/events/{event}/list/{ticket}/undo", app.url));
        let answer = undo.bearer_auth(&volunteer).form(&[("reason", "认错了人"), ("note", "认错了人")]).send().await;
        assert!(answer.expect("answer").status().is_redirection());
        kiosk.decide(&ticket, Verdict::Admitted);
        kiosk.upload().await;
        let attendance = app.get(&format!("/api/v1/events/{event}/attendance"), &volunteer).await.expect(200);
        assert_eq!(attendance["admitted"], 0);
    }

    async fn a_kiosk_learns_nothing_of_another_event(app) {
        let (event, _) = app.event(|_| {}).await;
        let (_, other) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &other).await);
        let kiosk = app.kiosk(&event, "东门").await;
        let check = json!({ "seq": 1, "ticket": [ticket, 0], "card": null, "medium": "code", "at": app.now().0 });
        let answer = kiosk.send(Method::POST, "/kiosk/check", &check.to_string()).await.expect(200);
        assert_eq!(answer["ticket"], serde_json::Value::Null, "{answer}");
    }

    async fn every_holder_hears_of_a_cancelled_event(app) {
        const HOLDERS: usize = 120;
        let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = 500.into()).await;
        for n in 0..HOLDERS {
            app.booked(&app.member(&format!("会员{n}")).await, &offer).await;
        }
        let organizer = app.staff(Role::Organizer).await;
        let change = json!({ "status": "cancelled", "cancel_note": "因暴雨取消" });
        app.send(Method::PATCH, &format!("/api/v1/events/{event}"), &organizer, Some(change)).await.expect(200);
        let all_sent = async {
            loop {
                let mut tx = app.app.db.read().await.expect("read");
                let (sent,): (i64,) = fetch!(tx, fetch_one, "select count(*) from message where sent_ms is not null").expect("count");
                drop(tx);
                if sent == HOLDERS as i64 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all_sent).await.expect("all are sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_full_disk_the_next_write_works() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (_, offer) = app.event(|_| {}).await;
    let member = app.member("王小明").await;
    let mut tx = app.app.db.write().await.expect("write");
    execute!(tx, "pragma max_page_count = 1").expect("pragma");
    let full = execute!(
        tx,
        "insert into message (id, body, phone, created_ms) values ('full', $1, '', 0)",
        "x".repeat(4_000_000),
    );
    assert!(full.is_err_and(|error| error.to_string().contains("full")));
    drop(tx);
    app.booked(&member, &offer).await;
}

#[tokio::test]
async fn the_database_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = TestApp::new(Engine::Sqlite).await;
    for file in ["turnout.db", "turnout.db-wal"] {
        let mode =
            std::fs::metadata(app.folder.path().join(file)).expect(file).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

fn ticket_of(booked: &serde_json::Value) -> String {
    booked["tickets"][0]["id"].as_str().expect("id").to_owned()
}
