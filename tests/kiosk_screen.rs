//! The kiosk's screen in every state, upright and level, large and small: nothing sticks out or lies over another thing,
//! and what is tapped is large enough. Leaves the pictures of docs/kiosk.md where `make pictures` wants them.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    end_to_end::book,
    support::{
        Engine,
        browser::Browser,
        programs::{DemoServer, KioskProgram, client},
        screen::Screen,
    },
};

const SIZES: [(u32, u32); 3] = [(1080, 1920), (1280, 800), (390, 844)];

/// Lists what sticks out of the page, what can be tapped and is smaller than 48 pixels, and what of the one thing in the
/// middle lies outside of it.
pub(crate) const MISFITS: &str = "
    const found = [];
    const shown = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0;
    for (const e of document.querySelectorAll('h1, h2, p, a, button, summary, input, strong, time, span')) {
        if (!shown(e) || e.classList.contains('hide')) continue;
        const r = e.getBoundingClientRect();
        if (r.left < -1 || r.right > innerWidth + 1) found.push(`${e.id || e.className || e.textContent} sticks out: ${r.left} to ${r.right}`);
        if (['A', 'BUTTON', 'SUMMARY', 'INPUT'].includes(e.tagName) && (r.width < 47.5 || r.height < 47.5)) found.push(`${e.id || e.textContent} is ${r.width} x ${r.height}`);
    }
    const middle = document.querySelector('body > main')?.getBoundingClientRect();
    if (document.body.dataset.state !== 'open' && document.body.dataset.state !== 'closed')
        for (const e of document.querySelectorAll('body > main *:not(svg *)')) {
            if (!shown(e) || e.closest('.sight')) continue;
            const r = e.getBoundingClientRect();
            if (r.top < middle.top - 1 || r.bottom > middle.bottom + 1) found.push(`${e.id || e.className || e.tagName} is at ${r.top} to ${r.bottom} of ${middle.top} to ${middle.bottom}`);
        }
    return found;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_fits_every_screen() {
    let mut server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code").to_owned();
    KioskProgram::enroll(&server.url, &code, folder.path()).await;
    let mut kiosk = KioskProgram::run(folder.path()).await;
    let screen = Seen { browser: Browser::laptop().await, folder };
    let browser = &screen.browser;

    browser.go(&kiosk.page).await;
    browser.sees("#prompt", "请出示二维码或刷京卡").await;
    screen.fits("ready").await;
    screen.picture("kiosk-ready").await;
    // The sound is staff's to switch, and who finds it off is told.
    let staff = kiosk.staff("246810", &code).await;
    staff.set(false, false, false).await;
    browser.sees("#muted", "声音已关").await;
    screen.fits("muted").await;

    // Spoken where staff want it: the verdict and the next step, in the language on the screen.
    browser
        .script("window.said = []; speechSynthesis.speak = (u) => said.push([u.lang, u.text])")
        .await;
    staff.set(false, true, true).await;
    browser.until("!document.getElementById('muted').checkVisibility()").await;

    let ticket = book(&server.url, &server.notes["members"][0], &server.notes["events"][0]).await;
    kiosk.scan(&ticket).await;
    browser.sees("#headline", "请进").await;
    screen.hold().await;
    screen.fits("admitted").await;
    screen.picture("kiosk-admitted").await;
    kiosk.scan(&ticket).await;
    browser.sees("#headline", "已使用").await;
    screen.hold().await;
    screen.fits("refused").await;
    screen.picture("kiosk-refused").await;
    let said = browser.script("return said").await;
    assert_eq!(said[0], json!(["zh-CN", "请进"]));
    let refused = said[1][1].as_str().expect("a text");
    assert!(refused.starts_with("已使用。此票已于"), "{refused}");
    browser.click("#language").await;
    browser.sees("#headline", "Already used").await;
    screen.fits("refused, in English").await;
    browser.click("#language").await;

    // Half a code is no refusal.
    let half = client().post(format!("{}/scan", kiosk.page)).body(ticket[..80].to_owned());
    assert_eq!(half.send().await.expect("an answer").status(), StatusCode::OK);
    browser.sees("#headline", "请再扫一次").await;
    screen.hold().await;
    screen.fits("look here").await;
    screen.picture("kiosk-look").await;

    // Every reason, as the drill shows it, in both languages.
    for reason in admission::Reason::ALL {
        let drill = staff.post("drill", json!({ "what": reason.word() })).await;
        let view: Value = drill.json().await.expect("a view");
        let headline = view["zh"]["headline"].as_str().expect("a headline");
        browser.sees("#headline", headline).await;
        browser.sees("#strip", "演练").await;
        screen.hold().await;
        screen.fits(headline).await;
        browser.click("#language").await;
        screen.fits(view["en"]["headline"].as_str().expect("a headline")).await;
        browser.click("#language").await;
        if reason == admission::Reason::Ambiguous {
            screen.picture("kiosk-choose").await;
        }
    }

    // The network goes, and admission goes on.
    server.kill().await;
    let ticket = kiosk.scan("nonsense").await;
    assert_eq!(ticket["verdict"], "refused");
    browser.sees("#strip", "网络已断开").await;
    screen.release().await;
    browser.sees("#prompt", "请出示").await;
    screen.fits("offline").await;
    screen.picture("kiosk-offline").await;

    // The program is gone, and comes back by itself.
    kiosk.kill().await;
    browser.until("document.body.dataset.state === 'lost'").await;
    screen.fits("lost").await;
    browser.script("window.said.length = 0").await;
}

/// While one scan is told, the next one changes what the kiosk says of itself. Once each stood in the other's way, and the kiosk stood
/// still with both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scans_that_come_at_once_are_all_told() {
    const AT_ONCE: usize = 4;
    const EACH: usize = 200;
    // The more are told, the more often one is told just as the next one comes.
    const SCREENS: usize = 40;
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code");
    KioskProgram::enroll(&server.url, code, folder.path()).await;
    let kiosk = KioskProgram::run(folder.path()).await;
    let ticket = book(&server.url, &server.notes["members"][0], &server.notes["events"][0]).await;
    let mut screens = Vec::new();
    for _ in 0..SCREENS {
        screens.push(Screen::open(&kiosk.page).await);
    }
    let scan = || async {
        let client = client();
        for _ in 0..EACH {
            let sent = client.post(format!("{}/scan", kiosk.page)).body(ticket.clone());
            let answer = sent.timeout(Duration::from_secs(60)).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
        }
    };
    join_all((0..AT_ONCE).map(|_| scan())).await;
    assert!(kiosk.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_kiosk_and_one_with_a_full_disk_say_where_to_go() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code");
    KioskProgram::enroll(&server.url, code, folder.path()).await;
    let kiosk = KioskProgram::run(folder.path()).await;
    let screen = Seen { browser: Browser::laptop().await, folder };
    screen.browser.go(&kiosk.page).await;
    screen.browser.sees("#prompt", "请出示").await;

    // What a page shows follows from what it is told: here it is told by the test.
    for (phase, headline) in [("out_of_order", "暂停使用"), ("starting", "正在准备")] {
        screen.browser.script(&format!("document.body.dataset.state = '{phase}'")).await;
        screen.browser.sees(&format!("[data-for='{phase}'] h1"), headline).await;
        screen.fits(phase).await;
    }

    let event = server.notes["events"][0]["id"].as_str().expect("an event");
    let token = server.notes["organizer"]["token"].as_str().expect("a token");
    let health: Value = client()
        .get(format!("{}/healthz", kiosk.page))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(health["phase"], "ready");
    let id = std::fs::read(screen.folder.path().join("kiosk.json")).expect("an enrolment");
    let id: Value = serde_json::from_slice(&id).expect("JSON");
    let revocation = format!(
        "{}/admin/events/{event}/kiosks/{}/revocation",
        server.url,
        id["kiosk"].as_str().expect("an id")
    );
    let revoked = client().post(revocation).bearer_auth(token).form(&[("why", "x")]).send().await;
    assert!(revoked.expect("an answer").status().as_u16() < 400);
    screen.browser.until("document.body.dataset.state === 'locked'").await;
    screen.fits("locked").await;
    // It has forgotten where it stood, and so what time it is there; what can be tapped stays where it was.
    screen.browser.until("!document.getElementById('clock').textContent").await;
    screen.browser.resize(1280, 800).await;
    let edge =
        "innerWidth - document.getElementById('language').getBoundingClientRect().right < 40";
    screen.browser.until(edge).await;
    screen.picture("kiosk-locked").await;
    assert!(kiosk.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_it_opens_a_kiosk_says_when() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    // The demo's occasion that is furthest ahead.
    let token = server.notes["organizer"]["token"].as_str().expect("a token");
    let get = |path: &str| client().get(format!("{}{path}", server.url)).bearer_auth(token).send();
    let events: Value = get("/api/v1/events").await.expect("an answer").json().await.expect("JSON");
    let events = events.as_array().expect("events");
    let later = events.iter().max_by_key(|event| event["starts_ms"].as_i64()).expect("an event");
    let made = client()
        .post(format!("{}/api/v1/kiosks", server.url))
        .bearer_auth(token)
        .json(&json!({ "name": "北门", "event": later["id"], "station": "gate" }))
        .send();
    let made: Value = made.await.expect("an answer").json().await.expect("JSON");
    KioskProgram::enroll(&server.url, made["code"].as_str().expect("a code"), folder.path()).await;
    let kiosk = KioskProgram::run(folder.path()).await;
    let screen = Seen { browser: Browser::laptop().await, folder };
    screen.browser.go(&kiosk.page).await;
    screen.browser.sees("#prompt", "还没开始").await;
    screen.browser.sees("#hours", "起入场，还有").await;
    screen.fits("idle").await;
    screen.picture("kiosk-idle").await;
    screen.browser.click("#language").await;
    screen.browser.sees("#hours", "Admission begins").await;
    screen.fits("idle, in English").await;
    // Whoever shows a code all the same is told at length.
    screen.browser.types("nonsense").await;
    screen.browser.sees("#headline", "Not recognised").await;
    assert!(kiosk.stop().await.success());
}

/// What the page finds when it begins: an hour-glass that runs fast, and no loudspeaker.
const BEFORE: &str = "
    const later = window.setTimeout.bind(window);
    window.setTimeout = (then, ms) => ms === 60000 ? later(() => { then(); window.minuteOver = true; }, 100) : later(then, ms);
    window.AudioContext = function () { throw new Error('no loudspeaker'); };
    navigator.wakeLock.request = async (what) => { window.awake = what; };
    window.prevented = {};
    addEventListener('keydown', (event) => { prevented[event.code] = event.defaultPrevented; });";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_visitor_shows_presses_or_chooses_is_over_for_the_next() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code");
    KioskProgram::enroll(&server.url, code, folder.path()).await;
    let mut kiosk = KioskProgram::run(folder.path()).await;
    let screen = Seen { browser: Browser::laptop().await, folder };
    let browser = &screen.browser;
    let new_page = "Page.addScriptToEvaluateOnNewDocument";
    browser.devtools(new_page, json!({ "source": BEFORE })).await;
    browser.go(&kiosk.page).await;
    browser.sees("#prompt", "请出示").await;
    browser.until("window.awake === 'screen'").await;

    // A verdict is shown on a machine that cannot sound.
    let ticket = book(&server.url, &server.notes["members"][0], &server.notes["events"][0]).await;
    browser.types(&ticket).await;
    browser.until("document.body.dataset.look === 'admitted'").await;
    browser.until("document.body.dataset.state === 'ready'").await;

    // Whoever reads in English reads on; the next one finds Chinese, also one who comes at once.
    for next in [None, Some("nonsense")] {
        kiosk.scan(&ticket).await;
        browser.until("document.body.dataset.state === 'verdict'").await;
        screen.hold().await;
        browser.script("window.minuteOver = false").await;
        browser.click("#language").await;
        browser.until("window.minuteOver").await;
        browser.sees("#headline", "Already used").await;
        match next {
            None => screen.release().await,
            Some(text) => drop(kiosk.scan(text).await),
        }
        browser.until("document.documentElement.lang === 'zh-CN'").await;
    }
    browser.sees("#headline", "无法识别").await;

    // A code that is longer than anything is told like any other that is none.
    browser
        .script(
            "document.getElementById('headline').textContent = '';
            const data = new DataTransfer();
            data.setData('text', 'BEGIN:VCARD ' + '王'.repeat(20000));
            dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));",
        )
        .await;
    browser.sees("#headline", "无法识别").await;

    // A camera that is not there is told with what to do, and staff can switch it off; a visitor can only have it tried again.
    browser.until("document.body.dataset.state === 'ready'").await;
    let staff = kiosk.staff("246810", code).await;
    staff.set(true, true, false).await;
    browser.sees("#camera-hint", "没有找到摄像头").await;
    screen.fits("no camera").await;
    browser.click("#camera-again").await;
    browser.sees("#camera-hint", "没有找到摄像头").await;
    staff.set(false, true, false).await;
    browser.until("document.getElementById('camera-hint').textContent === ''").await;
    browser.until("!document.getElementById('camera-again').checkVisibility()").await;

    // What a barcode can have a scanner press, or a visitor, opens nothing of the browser's.
    for (key, code, modifiers) in
        [("o", "KeyO", 2), ("p", "KeyP", 2), ("F12", "F12", 0), ("ArrowLeft", "ArrowLeft", 1)]
    {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": code, "modifiers": modifiers });
            browser.devtools("Input.dispatchKeyEvent", event).await;
        }
        assert_eq!(
            browser.script(&format!("return prevented.{code}")).await,
            json!(true),
            "{code}"
        );
    }
    let menu = "return dispatchEvent(new MouseEvent('contextmenu', { cancelable: true }))";
    assert_eq!(browser.script(menu).await, json!(false));
    assert!(kiosk.stop().await.success());
}

struct Seen {
    browser: Browser,
    folder: TempDir,
}

impl Seen {
    /// In each size nothing is wrong.
    async fn fits(&self, state: &str) {
        for (width, height) in SIZES {
            self.browser.resize(width, height).await;
            let found = self.browser.script(MISFITS).await;
            assert_eq!(found, json!([]), "{state} at {width} x {height}");
        }
    }

    async fn picture(&self, name: &str) {
        self.browser.resize(1280, 800).await;
        self.browser.picture(name, self.folder.path()).await;
    }

    /// Keeps the verdict that is shown on the screen, whatever this test takes to look at it.
    async fn hold(&self) {
        let held = "import('/assets/kiosk.js').then((page) => page.hold({ stays_ms: 600000 }))";
        self.browser.script(held).await;
    }

    async fn release(&self) {
        self.browser
            .script("import('/assets/kiosk.js').then((page) => page.hold({ stays_ms: 0 }))")
            .await;
    }
}
