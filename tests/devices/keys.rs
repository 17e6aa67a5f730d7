//! Scanners that type into the page: real key events in a real Chromium, whatever the keyboard is set to.

use fantoccini::{Locator, wd::WebDriverCompatibleCommand};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::Venue;
use crate::support::browser::Browser;

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
    let swipe = [
        &["Semicolon"][..],
        &["Digit6", "Digit0", "Digit2", "Digit9", "Digit6", "Digit9"],
        &["Digit0"; 9],
        &["Digit2", "Equal", "Digit3", "Digit0", "Digit1", "Digit2"],
    ]
    .concat();
    for code in swipe {
        pressed_under_input_method(&browser, code, false).await;
    }
    pressed_under_input_method(&browser, "Slash", true).await;
    pressed_under_input_method(&browser, "Enter", false).await;
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
