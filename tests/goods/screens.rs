//! A hand-out on a real counter: the kiosk program with and without a network, a volunteer's phone, the organizer's page.

use std::time::Duration;

use admission::{Clock as _, Millis, time::HOUR};
use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};
use turnout_server::{SystemClock, web::frame::zone};

use crate::support::{
    Engine,
    browser::Browser,
    programs::{DemoServer, KioskProgram},
};

const PATIENCE: Duration = Duration::from_secs(60);

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// An organizer at work over HTTP.
struct Organizer {
    http: Client,
    url: String,
    token: String,
}

impl Organizer {
    async fn json(&self, path: &str, body: Value) -> Value {
        let request =
            self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) {
        let request =
            self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).form(fields);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        assert_eq!(status.as_u16(), 303, "{path}: {}", answer.text().await.expect("a page"));
    }

    async fn page(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.expect("an answer").text().await.expect("a page")
    }
}

/// A moment as a browser's field holds it, so many hours from now in Beijing.
fn hours_from(now: Millis, hours: i64) -> String {
    let there = admission::say::zoned(now.plus(hours * HOUR), &zone("Asia/Shanghai"));
    there.strftime("%Y-%m-%dT%H:%M").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_hands_out_with_and_without_a_network() {
    let mut server = DemoServer::start(Engine::Sqlite).await;
    let (url, notes, folder) =
        (server.url.clone(), server.notes.clone(), server.folder.path().to_owned());
    let http = Client::builder().no_proxy().redirect(Policy::none()).build().expect("client");
    let organizer = Organizer {
        http: http.clone(),
        url: url.clone(),
        token: text(&notes["organizer"]["token"]).to_owned(),
    };
    let now = SystemClock.now();
    let event = organizer
        .json(
            "/api/v1/events",
            json!({
                "kind": "voucher", "title": "杂粮领取", "place": "文化中心", "status": "published",
                "starts_ms": now.0 - HOUR, "ends_ms": now.0 + 6 * HOUR,
            }),
        )
        .await;
    let event = text(&event["id"]).to_owned();
    let goods = format!("/admin/events/{event}/goods");
    organizer.form(&goods, &[("item", "杂粮礼盒"), ("unit", "份"), ("cents", "46")]).await;
    let (before, later, end) = (hours_from(now, -1), hours_from(now, 2), hours_from(now, 5));
    organizer
        .form(
            &format!("{goods}/points"),
            &[
                ("name", "文化中心"),
                ("place", "一层大厅"),
                ("quota", "20"),
                ("opens", &before),
                ("closes", &later),
                ("from", &before),
                ("to", &end),
                ("leftover", ""),
                ("leftover_to", "line"),
                ("accept", "30"),
            ],
        )
        .await;
    let shown = organizer.page(&goods).await;
    let point = shown
        .split(&format!("{goods}/"))
        .find(|part| part.len() > 36 && part[36..].starts_with('"'));
    let point = point.expect("a point")[..36].to_owned();
    organizer
        .form(&format!("{goods}/{point}/stock"), &[("kind", "delivery"), ("units", "9")])
        .await;

    // Three members book there.
    let offers: Value = http
        .get(format!("{url}/api/v1/events/{event}"))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("an event");
    let mut tickets = Vec::new();
    for member in &notes["members"].as_array().expect("members")[..3] {
        let request = http
            .post(format!("{url}/api/v1/bookings"))
            .bearer_auth(text(&member["token"]))
            .header("idempotency-key", text(&member["phone"]))
            .json(&json!({ "offer": offers["offers"][0]["id"] }));
        let booked: Value =
            request.send().await.expect("an answer").json().await.expect("a booking");
        tickets.push((
            text(&member["name"]).to_owned(),
            text(&booked["tickets"][0]["code"]).to_owned(),
        ));
    }

    // A kiosk at the counter of that name.
    let made = organizer
        .json("/api/v1/kiosks", json!({ "name": "文化中心", "event": event, "station": "counter" }))
        .await;
    let home = folder.join("counter");
    KioskProgram::enroll(&url, text(&made["code"]), &home).await;
    let mut kiosk = KioskProgram::run(&home).await;
    let laptop = Browser::laptop().await;
    sign_in(&laptop, &url, &notes, "organizer").await;
    laptop.go(&format!("{url}{goods}")).await;
    laptop.sees("#promised", "3").await;
    laptop.script("window.neverReloaded = true").await;
    let verdict = kiosk.scan(&tickets[0].1).await;
    assert_eq!(
        (&verdict["verdict"], &verdict["trust"]),
        (&json!("admitted"), &json!("live")),
        "{verdict}"
    );
    laptop.sees("#handed", "1").await;
    laptop.sees("#left", "8").await;
    assert_eq!(laptop.script("return window.neverReloaded === true").await, json!(true));
    laptop.picture("goods-desk", &folder).await;

    // Without a network the counter goes on, and gives nobody a second one.
    server.kill().await;
    let verdict = kiosk.scan(&tickets[1].1).await;
    assert_eq!(verdict["verdict"], "admitted", "{verdict}");
    assert_ne!(verdict["trust"], "live", "{verdict}");
    let again = kiosk.scan(&tickets[0].1).await;
    assert_eq!(again["reason"], "already_used", "{again}");
    server.serve_again().await;
    let counted = async {
        while !organizer.page(&goods).await.contains("id=\"handed\">2<") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("the kiosk tells what it did");

    // A volunteer's phone does the third, and sees that the second has theirs.
    let phone = Browser::phone().await;
    sign_in(&phone, &url, &notes, "volunteer").await;
    phone.go(&format!("{url}{goods}/{point}")).await;
    phone.fill("#card", &tickets[1].0).await;
    phone.click("button[value=look]").await;
    phone.sees("#found", "已经领过").await;
    phone.fill("#card", &tickets[2].1).await;
    phone.click("button[value=look]").await;
    phone.sees("#found", "发 1 份").await;
    phone.picture("goods-counter", &folder).await;
    phone.click("#found button[value=give]").await;
    phone.sees("#given", "已发 1 份").await;
    let third = kiosk.scan(&tickets[2].1).await;
    assert_eq!(third["reason"], "already_used", "{third}");

    // The year has it.
    laptop.go(&format!("{url}/admin/report")).await;
    laptop.sees("#sentence", "发放物资").await;
    laptop.sees("main", "杂粮领取").await;
    laptop.picture("report", &folder).await;
    assert!(kiosk.stop().await.success());
    for browser in [phone, laptop] {
        browser.close().await;
    }
}

async fn sign_in(browser: &Browser, url: &str, notes: &Value, role: &str) {
    let staff = notes["staff"].as_array().expect("staff");
    let account = staff.iter().find(|staff| staff["role"] == role).expect("an account");
    browser.go(&format!("{url}/staff/login")).await;
    browser.fill("#name", text(&account["name"])).await;
    browser.fill("#password", text(&account["password"])).await;
    browser.click("form.form button").await;
    browser.sees("nav", "退出").await;
}
