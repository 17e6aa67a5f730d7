//! A ticket page on a phone whose clock is wrong, and then without a network: its code moves, as the server's clock says.

use std::{path::Path, process::Command, time::Instant};

use admission::decide::Proof;
use serde_json::json;

use super::{MINUTE, SECOND, judged, kiosk::Wire, moving_event, read_qr};
use crate::support::{Engine, TestApp, browser::Browser};

/// The phone's clock is three days and seven hours ahead. `moved` lets time pass, and `set` sets its clock, whatever page is
/// open.
const WRONG_CLOCK: &str = "
    const [wall, counted] = [Date.now.bind(Date), performance.now.bind(performance)];
    const before = window.moved = Number(localStorage.getItem('moved'));
    window.set = Number(localStorage.getItem('set'));
    Date.now = () => wall() + 284400000 + window.moved + window.set;
    performance.now = () => counted() + window.moved - before;";

/// A phone that shows a ticket of an event.
struct Holder<'a> {
    app: &'a TestApp,
    event: &'a str,
    phone: &'a Browser,
}

impl Holder<'_> {
    /// Whether what the page shows is taken at a door to which so much time has passed. The picture takes a while.
    async fn is_let_in(&self, passed: i64) -> String {
        let begun = self.app.now().plus(passed);
        let code = scanned(self.phone, self.app.folder.path()).await;
        let took = self.app.now().plus(passed).since(begun);
        let fresh = |ms| judged(self.app, self.event, &code, begun.plus(ms)) == Proof::Fresh;
        assert!((0..=took).step_by(1_000).any(fresh), "{passed} ms later: {code}");
        code
    }
}

/// What a QR reader makes of the page: ours, and another.
async fn scanned(phone: &Browser, folder: &Path) -> String {
    let picture = phone.picture("moving", folder).await;
    let zbar = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&picture).output();
    let zbar = String::from_utf8(zbar.expect("zbarimg runs").stdout).expect("letters");
    let code = read_qr(&picture);
    assert_eq!(zbar.trim(), code);
    assert_eq!(code.len(), admission::ticket::MOVING_CHARS);
    code
}

/// Lets so much time pass on the phone, and waits for the next code.
async fn lets_pass(phone: &Browser, ms: i64) {
    let code = "document.querySelector('.moves path:last-child').getAttribute('d')";
    phone.script(&format!("window.before = {code}; window.moved += {ms}; localStorage.setItem('moved', window.moved)")).await;
    phone.until(&format!("{code} !== window.before")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_moves_without_a_network_and_by_the_servers_clock() {
    let app = TestApp::new(Engine::Sqlite).await;
    app.let_time_run_since(Instant::now());
    let (event, offer) = moving_event(&app).await;
    let member = app.member("王小明").await;
    let booked = app.booked(&member, &offer).await;
    let ticket = booked["tickets"][0]["id"].as_str().expect("an id");
    let folder = app.folder.path().to_owned();

    let mut wire = Wire::to(&app.url).await;
    let phone = Browser::phone().await;
    phone.go(&format!("{}/login", wire.url)).await;
    phone.script(&format!("document.cookie = 'turnout={}; path=/'", member.token)).await;
    let wrong = json!({ "source": WRONG_CLOCK });
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", wrong).await;
    phone.go(&format!("{}/tickets/{ticket}", wire.url)).await;
    phone.sees(".qr.in-motion", "截图无效，请打开本页出示").await;
    let kept = "return caches.match(location.pathname).then(Boolean)";
    while phone.script(kept).await != json!(true) {}

    wire.cut().await;
    let holder = Holder { app: &app, event: &event, phone: &phone };
    let first = holder.is_let_in(0).await;

    // Two minutes later on the phone, and at the door.
    lets_pass(&phone, 2 * MINUTE).await;
    let second = holder.is_let_in(2 * MINUTE).await;
    assert_ne!(first, second);
    let later = app.now().plus(2 * MINUTE);
    assert_eq!(judged(&app, &event, &first, later), Proof::Stale, "a screenshot by then");

    // Hours without a signal.
    let evening = 5 * 60 * MINUTE;
    lets_pass(&phone, evening).await;
    holder.is_let_in(evening + 2 * MINUTE).await;

    // Somebody sets the phone's clock back while the page is open.
    phone.script("window.set = -3600000; localStorage.setItem('set', window.set)").await;
    lets_pass(&phone, 15 * SECOND).await;
    holder.is_let_in(evening + 2 * MINUTE + 15 * SECOND).await;

    // Opened again without a network: the page that was kept says a time of hours ago, and the phone knows better.
    phone.go(&format!("{}/tickets/{ticket}", wire.url)).await;
    phone.sees(".qr.in-motion", "截图无效，请打开本页出示").await;
    let again = holder.is_let_in(evening + 2 * MINUTE + 15 * SECOND).await;
    assert_ne!(again, first);
    phone.script("localStorage.removeItem('moved'); localStorage.removeItem('set')").await;

    // Where the phone keeps nothing, the server is asked for its time as soon as there is one to ask.
    let nothing_kept = json!({ "source": "
        Storage.prototype.setItem = () => { throw new Error('full'); };
        Storage.prototype.getItem = () => null;
        const asks = window.fetch.bind(window);
        window.fetch = (...what) => asks(...what).then((answer) => {
            const read = answer.text.bind(answer);
            answer.text = () => read().then((text) => { setTimeout(() => { window.told = true; }); return text; });
            return answer;
        });" });
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", nothing_kept).await;
    app.advance(10 * MINUTE);
    phone.go(&format!("{}/tickets/{ticket}", wire.url)).await;
    phone.sees(".qr.in-motion", "截图无效，请打开本页出示").await;
    let old = scanned(&phone, &folder).await;
    assert_eq!(judged(&app, &event, &old, app.now()), Proof::Stale, "it knows no better");
    wire.mend().await;
    phone.script("dispatchEvent(new Event('online'))").await;
    phone.until("window.told").await;
    holder.is_let_in(0).await;
    wire.cut().await;

    // On paper, and in the picture that is saved, the code does not move, and says what to bring.
    phone.devtools("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
    phone.sees(".still", "请同时出示证件").await;
    let printed = read_qr(&phone.picture("printed", &folder).await);
    assert_eq!(printed, booked["tickets"][0]["code"].as_str().expect("a code"));
    phone.close().await;
}
