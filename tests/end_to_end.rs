//! The main job as people meet it: a member books on a phone, the QR is taken from the screenshot, the kiosk decides, the
//! organizer's open page counts. With the real programs, a real browser, and the network pulled.

use std::{collections::HashMap, path::Path, process::Command, time::Duration};

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{
    Engine,
    browser::Browser,
    data,
    programs::{DemoServer, KioskProgram},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    main_job(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    main_job(Engine::Postgres).await;
}

async fn main_job(engine: Engine) {
    let mut server = DemoServer::start(engine).await;
    let already = server.already;
    let (url, notes) = (server.url.clone(), server.notes.clone());
    let kiosk_folder = server.folder.path().join("kiosk");
    KioskProgram::enroll(&url, text(&notes["kiosk_code"]), &kiosk_folder).await;
    let mut kiosk = KioskProgram::run(&kiosk_folder).await;
    let fair = &notes["events"][0];

    // A member books on a phone. What the kiosk gets is what the screenshot shows.
    let phone = Browser::phone().await;
    let member = &notes["members"][0];
    sign_in(&phone, &url, text(&member["phone"])).await;
    let code = book_and_show(&phone, &url, fair, server.folder.path()).await;

    // The organizer's page is open before anybody comes.
    let laptop = Browser::laptop().await;
    open_attendance(&laptop, &url, &notes, fair).await;
    laptop.script("window.neverReloaded = true").await;
    let admitted = |more: usize| (already + more).to_string();
    laptop.sees("#admitted", &admitted(0)).await;

    let verdict = kiosk.scan(&code).await;
    assert_eq!(
        (&verdict["verdict"], &verdict["reason"]),
        (&json!("admitted"), &Value::Null),
        "{verdict}"
    );
    assert_eq!(verdict["trust"], "live", "{verdict}");
    assert!(text(&verdict["holder"]).contains('*'), "{verdict}");
    laptop.sees("#admitted", &admitted(1)).await;
    assert_eq!(laptop.script("return window.neverReloaded === true").await, json!(true));

    // The same ticket again, and codes that are none.
    let forged = kiosk.scan(&one_character_changed(&code)).await;
    assert_eq!(
        (&forged["verdict"], &forged["reason"]),
        (&json!("refused"), &json!("forged")),
        "{forged}"
    );
    let again = kiosk.scan(&code).await;
    assert_eq!(
        (&again["verdict"], &again["reason"]),
        (&json!("refused"), &json!("already_used")),
        "{again}"
    );
    laptop.sees("#refused", "2").await;

    // A ticket for another event, and one that was cancelled.
    let elsewhere = kiosk.scan(&book(&url, member, &notes["events"][3]).await).await;
    assert_eq!(elsewhere["reason"], "wrong_event", "{elsewhere}");
    let cancelled = book_and_cancel(&url, &notes["members"][6], fair).await;
    await_copy_with(&kiosk_folder, text(&cancelled["id"]), "cancelled").await;
    let cancelled = kiosk.scan(text(&cancelled["code"])).await;
    assert_eq!(cancelled["reason"], "cancelled", "{cancelled}");

    // Somebody else comes with a card.
    let cards = cards_by_phone();
    let with_card = &notes["members"][1];
    let booked = booking(&url, with_card, fair).await;
    await_copy(&kiosk_folder, text(&booked["tickets"][0]["id"])).await;
    let swipe =
        |member: &Value| format!(";{}=30122200000000000000?", cards[text(&member["phone"])]);
    let verdict = kiosk.scan(&swipe(with_card)).await;
    assert_eq!(verdict["verdict"], "admitted", "{verdict}");
    let unbooked = kiosk.scan(&swipe(&notes["members"][2])).await;
    assert_eq!(unbooked["reason"], "not_booked", "{unbooked}");
    let stranger = kiosk.scan(";6029690000000002=30122200000000000000?").await;
    assert_eq!(stranger["reason"], "unknown_card", "{stranger}");
    laptop.sees("#admitted", &admitted(2)).await;

    // The server is gone; nothing changes but the trust label.
    let (by_code, by_card) = (&notes["members"][3], &notes["members"][4]);
    let ticket = book(&url, by_code, fair).await;
    let last = booking(&url, by_card, fair).await;
    await_copy(&kiosk_folder, text(&last["tickets"][0]["id"])).await;
    server.kill().await;
    let offline = kiosk.scan(&ticket).await;
    assert_eq!(offline["verdict"], "admitted", "{offline}");
    assert!(text(&offline["trust"]).starts_with("local"), "{offline}");
    let offline = kiosk.scan(&swipe(by_card)).await;
    assert_eq!(offline["verdict"], "admitted", "{offline}");
    let again = kiosk.scan(&ticket).await;
    assert_eq!(again["reason"], "already_used", "{again}");
    let screen = Browser::laptop().await;
    screen.go(&kiosk.page).await;

    // The kiosk's plug is pulled as well. What was green is still there, and goes up once.
    kiosk.kill().await;
    let mut kiosk = KioskProgram::run(&kiosk_folder).await;
    server.serve_again().await;
    laptop.sees("#admitted", &admitted(4)).await;
    assert_eq!(laptop.script("return window.neverReloaded === true").await, json!(true));
    let again = kiosk.scan(&ticket).await;
    assert_eq!(again["reason"], "already_used", "{again}");
    let counted = attendance(&url, &notes, fair).await;
    assert_eq!(counted["admitted"], already + 4, "{counted}");

    // A scanner that types into the kiosk's screen.
    screen.go(&kiosk.page).await;
    screen.sees("body", "请出示").await;
    screen.types(&book(&url, &notes["members"][5], fair).await).await;
    screen.sees("#headline", "请进").await;
    server.await_admitted(5).await;

    // For the README: a fair in the middle of its day.
    laptop.sees("#admitted", &admitted(5)).await;
    laptop.picture("organizer", server.folder.path()).await;

    assert!(kiosk.stop().await.success(), "a kiosk that is asked to stop stops well");
    for browser in [phone, laptop, screen] {
        browser.close().await;
    }
}

/// Signs a member in as they do: phone, then the code that was sent, which the demo page shows.
pub(crate) async fn sign_in(phone: &Browser, url: &str, number: &str) {
    phone.go(&format!("{url}/login")).await;
    phone.fill("#phone", number).await;
    phone.click("form.form button").await;
    phone.sees("h1", "验证码").await;
    let page = Client::builder()
        .no_proxy()
        .build()
        .expect("client")
        .get(format!("{url}/demo"))
        .send()
        .await;
    let page = page.expect("demo page").text().await.expect("body");
    let at = page.find("登录验证码 ").expect("a message with a code") + "登录验证码 ".len();
    phone.fill("#code", &page[at..at + 6]).await;
    phone.click("form.form button").await;
    phone.sees("nav", "我的票").await;
}

/// Books the fair, opens the ticket, and reads its QR from a screenshot.
async fn book_and_show(phone: &Browser, url: &str, fair: &Value, folder: &Path) -> String {
    phone.go(&format!("{url}/")).await;
    phone.picture("member", folder).await;
    phone.go(&format!("{url}/events/{}", text(&fair["id"]))).await;
    phone.click("button[form^=book], form[id^=book] button").await;
    phone.click("a[href^='/tickets/']").await;
    phone.sees(".ticket", text(&fair["title"])).await;
    let picture = phone.picture("ticket", folder).await;
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(&picture)
        .output()
        .expect("zbarimg runs");
    let code = String::from_utf8_lossy(&read.stdout).trim().to_owned();
    assert!(code.starts_with("T1"), "no ticket code is read from the screenshot: {code:?}");
    code
}

async fn open_attendance(laptop: &Browser, url: &str, notes: &Value, fair: &Value) {
    let staff = notes["staff"].as_array().expect("staff");
    let organizer = staff.iter().find(|staff| staff["role"] == "organizer").expect("an organizer");
    laptop.go(&format!("{url}/staff/login")).await;
    laptop.fill("#name", text(&organizer["name"])).await;
    laptop.fill("#password", text(&organizer["password"])).await;
    laptop.click("form.form button").await;
    laptop.sees("nav", "退出").await;
    laptop.go(&format!("{url}/admin/events/{}", text(&fair["id"]))).await;
}

/// Books one place over the API; gives the ticket's code.
pub(crate) async fn book(url: &str, member: &Value, event: &Value) -> String {
    text(&booking(url, member, event).await["tickets"][0]["code"]).to_owned()
}

/// Books and cancels; gives the code of the ticket that is worth nothing any more.
/// The ticket, which is of no use any more.
async fn book_and_cancel(url: &str, member: &Value, event: &Value) -> Value {
    let booked = booking(url, member, event).await;
    let http = Client::builder().no_proxy().build().expect("client");
    let path = format!("{url}/api/v1/bookings/{}/cancellation", text(&booked["id"]));
    let answer = http.post(path).bearer_auth(text(&member["token"])).send().await.expect("answer");
    assert_eq!(answer.status(), 200);
    booked["tickets"][0].clone()
}

async fn booking(url: &str, member: &Value, event: &Value) -> Value {
    let http = Client::builder().no_proxy().build().expect("client");
    let request = http.post(format!("{url}/api/v1/bookings")).bearer_auth(text(&member["token"]));
    let body = json!({ "offer": event["offers"][0]["id"] });
    let answer = request
        .header("idempotency-key", text(&member["phone"]))
        .json(&body)
        .send()
        .await
        .expect("answer");
    assert_eq!(answer.status(), 201);
    answer.json().await.expect("a booking")
}

/// Waits until the kiosk's copy holds this ticket.
pub(crate) async fn await_copy(kiosk_folder: &Path, ticket: &str) {
    await_copy_with(kiosk_folder, ticket, "").await;
}

/// The same, with that word in what the copy says of the ticket.
async fn await_copy_with(kiosk_folder: &Path, ticket: &str, word: &str) {
    let url = format!("sqlite://{}?mode=ro", kiosk_folder.join("kiosk.db").display());
    let mut copy = SqliteConnection::connect(&url).await.expect("the kiosk's store");
    let waiting = async {
        loop {
            let held = "select 1 from ticket where id = $1 and instr(body, $2) > 0";
            let held = sqlx::query(held).bind(ticket).bind(word);
            if held.fetch_optional(&mut copy).await.expect("readable").is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("the kiosk's copy is complete");
}

async fn attendance(url: &str, notes: &Value, event: &Value) -> Value {
    let http = Client::builder().no_proxy().build().expect("client");
    let path = format!("{url}/api/v1/events/{}/attendance", text(&event["id"]));
    let request = http.get(path).bearer_auth(text(&notes["organizer"]["token"]));
    request.send().await.expect("answer").json().await.expect("attendance")
}

/// Synthetic card numbers of the demo's members.
pub(crate) fn cards_by_phone() -> HashMap<String, String> {
    let roster = std::fs::read_to_string(data("members.csv")).expect("tests/data/members.csv");
    let rows = roster.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[3].to_owned(), row[7].to_owned())).collect()
}

fn one_character_changed(code: &str) -> String {
    let other = if code.as_bytes()[60] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &code[..60], &code[61..])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
