//! Whoever comes with paper to a kiosk that is alone and has not heard of them: staff look at an ID, and let them in.

use std::time::Instant;

use serde_json::{Value, json};
use turnout_server::{fetch, web::access::Role};

use super::{kiosk::enrolled, moving_event};
use crate::{
    end_to_end::await_copy,
    kiosk_screen::MISFITS,
    support::{Engine, TestApp, browser::Browser, programs::KioskProgram},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_booked_after_the_network_went_is_let_in_after_a_look_at_an_id() {
    let app = TestApp::new(Engine::Sqlite).await;
    app.let_time_run_since(Instant::now());
    let (event, offer) = moving_event(&app).await;
    let first = app.booked(&app.member("王小明").await, &offer).await;
    let organizer = app.staff(Role::Organizer).await;
    let (code, mut wire, folder) = enrolled(&app, &event).await;
    let mut kiosk = KioskProgram::run(folder.path()).await;
    await_copy(folder.path(), first["tickets"][0]["id"].as_str().expect("an id")).await;
    let staff = kiosk.staff("246810", &code).await;
    loop {
        let found: Value =
            staff.post("search", json!({ "text": "王" })).await.json().await.expect("JSON");
        if found["found"] == 1 {
            break;
        }
    }
    let browser = Browser::phone().await;
    browser.go(&kiosk.page).await;
    browser.until("document.body.hasAttribute('data-online')").await;
    wire.cut().await;

    let late = app.booked(&app.member("李小红").await, &offer).await;
    let (id, paper) =
        (&late["tickets"][0]["id"], late["tickets"][0]["code"].as_str().expect("a code"));
    let told = kiosk.scan(paper).await;
    assert_eq!(
        (&told["reason"], &told["trust"]),
        (&json!("show_id"), &json!("signature only")),
        "{told}"
    );
    browser.sees("#headline", "请看证件").await;
    let held = "import('/assets/kiosk.js').then((page) => page.hold({ stays_ms: 600000 }))";
    browser.script(held).await;
    for (width, height) in [(390, 844), (1280, 800)] {
        browser.resize(width, height).await;
        assert_eq!(browser.script(MISFITS).await, json!([]), "{width} x {height}");
        browser.picture(&format!("show-id-{width}"), folder.path()).await;
    }
    browser.click("#choices button").await;
    browser.sees("#pin-title", "请输入操作密码").await;
    for digit in "246810".chars() {
        browser.click(&format!("[data-key='{digit}']")).await;
    }
    browser.click("#pin-form .go").await;
    browser.sees("#rows", "本机名单里还没有").await;
    browser.sees("#hint", "请对照票面上的姓名和证件").await;
    for (width, height) in [(390, 844), (1280, 800)] {
        browser.resize(width, height).await;
        assert_eq!(browser.script(MISFITS).await, json!([]), "{width} x {height}");
        browser.picture(&format!("desk-unnamed-{width}"), folder.path()).await;
    }
    browser.click("#rows .in").await;
    browser.sees("#said", "这张票：已放行").await;
    assert_eq!(kiosk.scan(paper).await["reason"], "already_used");
    // Somebody whom the list names is named.
    let paper = first["tickets"][0]["code"].as_str().expect("a code");
    assert_eq!(kiosk.scan(paper).await["reason"], "show_id");
    browser.sees("#rows", "王小明").await;
    browser.sees("#hint", "姓名一致").await;
    browser.close().await;

    wire.mend().await;
    loop {
        let told =
            app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200);
        if told["admitted"] == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut tx = app.app.db.read().await.expect("read");
    let scans: Vec<(String, Option<String>)> = fetch!(
        tx,
        fetch_all,
        "select act, note from scan where ticket_id = $1 and verdict = 'admitted'",
        id.as_str().expect("an id"),
    )
    .expect("scans");
    assert_eq!(scans, [("hand".to_owned(), Some("已核对证件".to_owned()))]);
    assert!(kiosk.stop().await.success());
}
