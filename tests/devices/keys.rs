//! Scanners that type into the page: real key events in a real Chromium, whatever the keyboard is set to.

use fantoccini::{Locator, wd::WebDriverCompatibleCommand};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::Venue;
use crate::support::{browser::Browser, programs::client};

/// One command of Chromium's own protocol, through chromedriver.
#[derive(Debug)]
struct Chromium(&'static str, Value);

impl WebDriverCompatibleCommand for Chromium {
    fn endpoint(
        &self,
        base: &Url,
        session: Option<&str>,
    ) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

/// Types as one keyboard does, with what ends a code.
async fn types(browser: &Browser, text: &str) {
    let body = browser.client.find(Locator::Css("body")).await.expect("a body");
    body.send_keys(text).await.expect("type");
}

/// Presses one key while an input method has the keyboard: the page learns the key, not the character.
async fn pressed_under_input_method(browser: &Browser, code: &str, shift: bool) {
    let modifiers = if shift { 8 } else { 0 };
    pressed(browser, json!({ "code": code, "key": "Process", "windowsVirtualKeyCode": 229, "modifiers": modifiers })).await;
}

/// Swipes `;6029690000000002=3012?` so, a card that nobody has.
async fn swiped_under_input_method(browser: &Browser) {
    let swipe = [
        &["Semicolon"][..],
        &["Digit6", "Digit0", "Digit2", "Digit9", "Digit6", "Digit9"],
        &["Digit0"; 9],
        &["Digit2", "Equal", "Digit3", "Digit0", "Digit1", "Digit2"],
    ];
    for code in swipe.concat() {
        pressed_under_input_method(browser, code, false).await;
    }
    pressed_under_input_method(browser, "Slash", true).await;
    pressed_under_input_method(browser, "Enter", false).await;
}

async fn pressed(browser: &Browser, key: Value) {
    for kind in ["rawKeyDown", "keyUp"] {
        let mut event = key.clone();
        event["type"] = json!(kind);
        browser.client.issue_cmd(Chromium("Input.dispatchKeyEvent", event)).await.expect("a key");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wedge_is_read_whatever_the_keyboard_is_set_to() {
    let mut venue = Venue::open(&[]).await;
    let browser = Browser::laptop().await;
    browser.go(&venue.kiosk.page).await;
    browser.sees("body", "请出示").await;

    for (member, suffix) in ["\n", "\u{E004}", ""].into_iter().enumerate() {
        let code = venue.ticket(member).await;
        types(&browser, &format!("{code}{suffix}")).await;
        assert_eq!(venue.headline().await, "请进", "ended by {suffix:?}");
    }

    // CapsLock turns the letters over.
    let code = venue.ticket(3).await.to_lowercase();
    types(&browser, &format!("{code}\n")).await;
    assert_eq!(venue.headline().await, "请进");

    // An input method holds back every character; only the keys are known.
    swiped_under_input_method(&browser).await;
    let shown = venue.screen.shows().await;
    assert_eq!(shown["look"], "refused", "a card that nobody has: {shown}");

    // One that writes full width.
    pressed(&browser, json!({ "code": "Semicolon", "key": "；" })).await;
    types(&browser, "6029690000000010").await;
    pressed(&browser, json!({ "code": "Equal", "key": "＝" })).await;
    pressed(&browser, json!({ "code": "Slash", "key": "？" })).await;
    assert_eq!(venue.screen.shows().await["look"], "refused");

    // Two codes without an end between them are two.
    let (a, b) = (venue.ticket(4).await, venue.ticket(5).await);
    types(&browser, &format!("{a}{b}\n")).await;
    for _ in 0..2 {
        assert_eq!(venue.headline().await, "请进");
    }

    // Two scanners at once, key by key: nobody is refused, nothing is recorded.
    let (a, b) = (venue.ticket(6).await, venue.ticket(7).await);
    let mixed: String = a.chars().zip(b.chars()).flat_map(|(a, b)| [a, b]).collect();
    types(&browser, &format!("{mixed}\n\n")).await;
    let shown = venue.screen.shows().await;
    assert_eq!((&shown["zh"]["headline"], &shown["scan"]), (&json!("请再扫一次"), &Value::Null));
    browser.sees("#headline", "请再扫一次").await;
    types(&browser, &format!("{a}\n")).await;
    assert_eq!(venue.headline().await, "请进", "and then it goes on");
    assert!(venue.kiosk.stop().await.success());
    browser.close().await;
}

/// Types into whatever has the focus.
async fn types_on(browser: &Browser, text: &str) {
    let element = browser.client.active_element().await.expect("something has it");
    element.send_keys(text).await.expect("type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_at_the_desk_goes_neither_into_a_field_nor_on_a_button() {
    const NAME: &str = "刘诗龙";
    let mut venue = Venue::open(&[]).await;
    let mut codes = Vec::new();
    for member in 0..5 {
        codes.push(venue.ticket(member).await);
    }
    let browser = Browser::laptop().await;
    venue.desk(&browser).await;
    browser.sees("#hint", "可查").await;
    let sought = "document.getElementById('search').value";
    browser.fill("#search", NAME).await;
    browser.until("document.querySelectorAll('#rows li').length === 1").await;

    // While staff search: the queue goes on, and what was typed by hand stays.
    types_on(&browser, &format!("{}\n", codes[0])).await;
    assert_eq!(venue.headline().await, "请进");
    browser.sees("#said", "扫码").await;
    browser.sees("#said", "请进").await;
    assert_eq!(browser.script(&format!("return {sought}")).await, json!(NAME));
    types_on(&browser, ";6029690000000010=3012?").await;
    assert_eq!(venue.screen.shows().await["look"], "refused", "a card that nobody has");
    browser
        .until(&format!("{sought} === '{NAME}' && document.activeElement.id === 'search'"))
        .await;
    swiped_under_input_method(&browser).await;
    assert_eq!(venue.screen.shows().await["look"], "refused", "likewise");
    browser.until(&format!("{sought} === '{NAME}'")).await;
    assert!(!browser.client.source().await.expect("a page").contains("602969"));

    // While staff are asked why somebody may pass: its Enter is no answer.
    let seen = |css: &str| format!("document.querySelector('{css}')?.checkVisibility()");
    browser.until(&seen("#rows .in")).await;
    browser.click("#rows .in").await;
    assert_eq!(venue.headline().await, "请进");
    browser.until(&seen("#rows .over")).await;
    browser.click("#rows .over").await;
    browser.until("document.getElementById('why').open").await;
    types_on(&browser, "2\n").await;
    types_on(&browser, &format!("{}\n", codes[2])).await;
    assert_eq!(venue.headline().await, "请进", "who was scanned");
    browser.sees("#said", "扫码").await;
    assert_eq!(browser.script("return document.getElementById('why').open").await, json!(true));
    browser.click("#why button[value='']").await;
    venue.server.await_admitted(3).await;

    // Shut by the program meanwhile, it names nobody.
    let closing = client().post(format!("{}/desk/closing", venue.kiosk.page)).json(&json!({}));
    assert!(closing.send().await.expect("an answer").status().is_success());
    browser.until("document.body.dataset.state === 'closed'").await;
    assert!(!browser.client.source().await.expect("a page").contains(NAME));

    // Where the PIN is asked for: a scan is no PIN, and presses none of its keys again.
    for key in ["[data-key='1']", "[data-key='back']"] {
        browser.click(key).await;
    }
    types_on(&browser, &format!("{}\n", codes[3])).await;
    assert_eq!(venue.headline().await, "请进");
    browser.sees("#said", "请进").await;
    let pin = "return document.getElementById('dots').textContent + document.getElementById('pin-fault').textContent";
    assert_eq!(browser.script(pin).await, json!(""));
    let who = browser.client.find(Locator::Css("#who")).await.expect("a field");
    who.send_keys(&format!("{}\n", codes[4])).await.expect("type");
    assert_eq!(venue.headline().await, "请进");
    browser.until("document.getElementById('who').value === ''").await;
    assert_eq!(browser.script(pin).await, json!(""));
    // The PIN itself may be typed.
    browser.script("document.activeElement.blur()").await;
    types_on(&browser, "246810\n").await;
    browser.until("document.body.dataset.state === 'open'").await;
    assert!(venue.kiosk.stop().await.success());
    browser.close().await;
}
