//! Two doors without a network let one ticket in; when their records arrive, a person finds it in the inbox at once.

use admission::Verdict;
use serde_json::Value;
use turnout_server::{fetch, web::access::Role};

use crate::support::{TestApp, on_both};

async fn attendance(app: &TestApp, event: &str) -> Value {
    let organizer = app.staff(Role::Organizer).await;
    app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200)
}

/// A ticket of 王小明 that the east gate and the west gate let in, a minute apart; the ids of event and ticket.
async fn in_twice(app: &TestApp) -> (String, String) {
    let (event, offer) = app.event(|_| {}).await;
    let booked = app.booked(&app.member("王小明").await, &offer).await;
    let ticket = booked["tickets"][0]["id"].as_str().expect("a ticket").to_owned();
    let (mut east, mut west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
    east.decide_at(&ticket, Verdict::Admitted, app.now().plus(-120_000));
    west.decide_at(&ticket, Verdict::Admitted, app.now().plus(-60_000));
    // The later one arrives first.
    west.upload().await;
    let alone = attendance(app, &event).await;
    assert_eq!((&alone["admitted"], &alone["conflicts"]), (&1.into(), &0.into()));
    east.upload().await;
    let both = attendance(app, &event).await;
    assert_eq!((&both["admitted"], &both["conflicts"]), (&1.into(), &1.into()));
    (event, ticket)
}

async fn choose(app: &TestApp, event: &str, ticket: &str, verdict: &str, token: &str) -> u16 {
    let path = format!("{}/admin/events/{event}/conflicts/{ticket}", app.url);
    let form = [("verdict", verdict), ("note", "看过录像")];
    let answer = app.http.post(path).bearer_auth(token).form(&form).send().await.expect("answer");
    answer.status().as_u16()
}

async fn inbox(app: &TestApp, event: &str, token: &str) -> String {
    let answer = app.get(&format!("/admin/events/{event}/conflicts"), token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

on_both! {
    async fn a_double_admission_stands_in_the_inbox_with_doors_and_times_until_somebody_says_what_it_was(app) {
        let (event, ticket) = in_twice(&app).await;
        let organizer = app.staff(Role::Organizer).await;
        let page = inbox(&app, &event, &organizer).await;
        for shown in ["王小明", "东门", "西门", "08:58:00 ± 0.1 秒", "08:59:00 ± 0.1 秒", "离线"] {
            assert!(page.contains(shown), "{shown} is missing");
        }
        assert!(page.find("08:58").expect("there") < page.find("08:59").expect("there"), "by true time");
        let dashboard = app.get(&format!("/admin/events/{event}"), &organizer).await.text;
        assert!(dashboard.contains("1 张票在两个入口都放行了"));
        assert_eq!(choose(&app, &event, &ticket, "passed_on", &app.staff(Role::Volunteer).await).await, 403);
        assert_eq!(choose(&app, &event, &ticket, "nonsense", &organizer).await, 422);
        assert_eq!(choose(&app, "none", &ticket, "passed_on", &organizer).await, 404);
        assert_eq!(choose(&app, &event, &ticket, "passed_on", &organizer).await, 303);
        let after = attendance(&app, &event).await;
        assert_eq!((&after["admitted"], &after["conflicts"]), (&1.into(), &0.into()));
        let page = inbox(&app, &event, &organizer).await;
        assert!(page.contains("没有要核对的") && page.contains("转给了别人") && page.contains("看过录像"));
        let mut tx = app.app.db.read().await.expect("read");
        let rows: Vec<(String, String)> =
            fetch!(tx, fetch_all, "select action, note from audit where subject = $1", &ticket).expect("audit");
        assert_eq!(rows, [("conflict.passed_on".to_owned(), "看过录像".to_owned())]);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn one_more_admission_opens_a_settled_conflict_again(app) {
        let (event, ticket) = in_twice(&app).await;
        let organizer = app.staff(Role::Organizer).await;
        assert_eq!(choose(&app, &event, &ticket, "same_person", &organizer).await, 303);
        let mut south = app.kiosk(&event, "南门").await;
        south.decide(&ticket, Verdict::Admitted);
        south.upload().await;
        assert_eq!(attendance(&app, &event).await["conflicts"], 1);
        south.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 1, "sent twice, counted once");
    }

    async fn a_wrong_scan_is_taken_back_and_the_first_admission_stays(app) {
        let (event, ticket) = in_twice(&app).await;
        let organizer = app.staff(Role::Organizer).await;
        assert_eq!(choose(&app, &event, &ticket, "error", &organizer).await, 303);
        let after = attendance(&app, &event).await;
        assert_eq!((&after["admitted"], &after["conflicts"]), (&1.into(), &0.into()));
        let by_station: Vec<_> = after["stations"].as_array().expect("stations").iter()
            .map(|station| (station["station"].as_str().expect("a name"), station["admitted"].as_i64()))
            .collect();
        assert_eq!(by_station, [("东门", Some(1)), ("西门", Some(0))]);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn an_admission_that_is_taken_back_ends_the_conflict(app) {
        let (event, ticket) = in_twice(&app).await;
        let organizer = app.staff(Role::Organizer).await;
        let path = format!("{}/admin/events/{event}/list/{ticket}/undo", app.url);
        let answer = app.http.post(path).bearer_auth(&organizer).form(&[("reason", "扫错了")]).send().await;
        assert_eq!(answer.expect("answer").status().as_u16(), 303);
        let after = attendance(&app, &event).await;
        assert_eq!((&after["admitted"], &after["conflicts"]), (&0.into(), &0.into()));
    }

    async fn an_open_page_hears_of_a_conflict_within_a_second_of_the_sync(app) {
        let (event, offer) = app.event(|_| {}).await;
        let booked = app.booked(&app.member("王小明").await, &offer).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("a ticket").to_owned();
        let (mut east, mut west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
        east.decide(&ticket, Verdict::Admitted);
        west.decide(&ticket, Verdict::Admitted);
        east.upload().await;
        let organizer = app.staff(Role::Organizer).await;
        let path = format!("{}/api/v1/events/{event}/attendance/stream", app.url);
        let mut stream = app.http.get(path).bearer_auth(&organizer).send().await.expect("stream");
        let mut heard = String::new();
        while !heard.contains("\"conflicts\":0") {
            heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.expect("open").expect("more")));
        }
        west.upload().await;
        let synced = std::time::Instant::now();
        while !heard.contains("\"conflicts\":1") {
            heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.expect("open").expect("more")));
        }
        assert!(synced.elapsed().as_millis() < 1_000, "{:?}", synced.elapsed());
    }
}
