//! The browser's camera before a moving phone: the kiosk reads the ticket, once, and shows what it decided.

use std::{io::Write as _, path::Path};

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{
    Engine,
    browser::Browser,
    programs::{DemoServer, KioskProgram},
    scenes::Scene,
};

const FRAMES: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_held_into_the_camera_is_one_scan() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let kiosk_folder = server.folder.path().join("kiosk");
    let code = text(&server.notes["kiosk_code"]);
    KioskProgram::enroll(&server.url, code, &kiosk_folder).await;
    let kiosk = KioskProgram::run(&kiosk_folder).await;

    // A hand that is never still: to and fro, turning, tilting.
    let ticket = book(&server, 0).await;
    let moving = |at: f32| Scene {
        turned: (25.0 * at.sin(), 20.0 * at.cos(), 30.0 * at.sin()),
        aside: (0.1 * at.cos(), 0.06 * at.sin()),
        ..small(&ticket)
    };
    let video = server.folder.path().join("moving.y4m");
    film(&video, moving);
    let screen = Browser::with_camera(&video).await;
    screen.go(&kiosk.page).await;
    screen.sees("body", "请出示").await;
    switch_on(&screen, code, server.folder.path()).await;
    admitted_by_camera(screen, server.folder.path()).await;
    server.await_admitted(1).await;
    assert_eq!(scans(&kiosk_folder).await, 1);

    // A dark screen with a light code, out of focus.
    let ticket = book(&server, 1).await;
    let dark = |at: f32| Scene {
        inverted: true,
        blur: 1,
        aside: (0.05 * at.cos(), 0.0),
        ..small(&ticket)
    };
    let video = server.folder.path().join("dark.y4m");
    film(&video, dark);
    let screen = Browser::with_camera(&video).await;
    // What staff set, the program keeps: another browser begins with it.
    screen.go(&kiosk.page).await;
    admitted_by_camera(screen, server.folder.path()).await;
    server.await_admitted(2).await;
    assert_eq!(scans(&kiosk_folder).await, 2);
}

/// A visitor finds no switch; staff do, behind their PIN, and see at once what the camera sees.
async fn switch_on(screen: &Browser, code: &str, folder: &Path) {
    let switches = "return document.querySelectorAll('body button').length";
    assert_eq!(screen.script(switches).await, json!(2), "the language, and one that is hidden");
    screen.click("#staff").await;
    screen.fill("#code", code).await;
    for digit in "246810".chars() {
        screen.click(&format!("[data-key='{digit}']")).await;
    }
    screen.click("#pin-form .go").await;
    screen.until("document.body.dataset.state === 'open'").await;
    screen.sees("#hint", "可查").await;
    screen.resize(820, 760).await;
    screen.script("document.getElementById('machine').open = true").await;
    screen.sees("#camera", "关").await;
    screen.click("#camera").await;
    screen.sees("#camera", "开").await;
    screen.until("document.getElementById('video').videoWidth > 0").await;
    screen.picture("desk-machine", folder).await;
    screen.script("document.getElementById('machine').open = false").await;
    screen.script("document.getElementById('ready').open = true").await;
    screen.sees("#findings", "摄像头 1 个").await;
    screen.resize(820, 740).await;
    screen.picture("desk-ready", folder).await;
    screen.resize(1280, 800).await;
    screen.click("#back").await;
}

/// Waits for green, and looks on for a while.
async fn admitted_by_camera(screen: Browser, folder: &Path) {
    let green = "document.querySelector('#headline').innerText.includes('请进') && document.body.dataset.look === 'admitted'";
    screen.until(green).await;
    // What is still held into view is not another scan, however many frames show it.
    screen.script("performance.clearResourceTimings()").await;
    screen.until("performance.getEntriesByType('resource').length > 20").await;
    screen.sees("body", "请出示").await;
    let seen = screen.script("return document.getElementById('sight').hidden").await;
    assert_eq!(seen, json!(false), "people see themselves");
    screen.picture("kiosk-camera", folder).await;
    screen.close().await;
}

fn small(ticket: &str) -> Scene {
    Scene { width: 640, height: 480, module: 5.0, ..Scene::of(ticket) }
}

/// Writes what the camera sees through one round, as YUV4MPEG2 without colour.
fn film(file: &Path, scene: impl Fn(f32) -> Scene) {
    let mut film = b"YUV4MPEG2 W640 H480 F8:1 Ip A1:1 C420jpeg\n".to_vec();
    for frame in 0..FRAMES {
        let pixels = scene(frame as f32 / FRAMES as f32 * std::f32::consts::TAU).pixels();
        film.extend(b"FRAME\n");
        film.extend(&pixels);
        film.resize(film.len() + pixels.len() / 2, 128);
    }
    std::fs::File::create(file).and_then(|mut to| to.write_all(&film)).expect("written");
}

async fn book(server: &DemoServer, member: usize) -> String {
    let (member, event) = (&server.notes["members"][member], &server.notes["events"][0]);
    let http = Client::builder().no_proxy().build().expect("client");
    let request = http
        .post(format!("{}/api/v1/bookings", server.url))
        .bearer_auth(text(&member["token"]))
        .header("idempotency-key", text(&member["phone"]))
        .json(&json!({ "offer": event["offers"][0]["id"] }));
    let booking: Value = request.send().await.expect("answer").json().await.expect("a booking");
    text(&booking["tickets"][0]["code"]).to_owned()
}

/// How many scans the kiosk's journal holds.
async fn scans(kiosk_folder: &Path) -> i64 {
    let url = format!("sqlite://{}?mode=ro", kiosk_folder.join("kiosk.db").display());
    let mut store = SqliteConnection::connect(&url).await.expect("the kiosk's store");
    sqlx::query_scalar("select count(*) from journal").fetch_one(&mut store).await.expect("a count")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
