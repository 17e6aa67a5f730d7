//! The kiosk's operating page in a real Chromium, on a phone and on a tablet: opened by a PIN, it finds people by whatever
//! they say of themselves, and what staff tap there stands in the journal and at the server.

use std::{path::Path, time::Instant};

use admission::{
    Reason,
    scan::{Act, Entry, Scan},
};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use turnout_server::web::access::Role;

use crate::{
    end_to_end::{await_copy, book},
    support::{
        Engine, TestApp,
        browser::Browser,
        programs::{DemoServer, KioskProgram, client},
        screen::Screen,
    },
};

/// The member who comes without a phone, as the demo's roster has them.
const NAME: &str = "刘诗龙";
const SOUGHT: [&str; 7] = ["刘", "诗龙", "liushilong", "lsl", "0001", "0015", "沙锅村桂春"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_find_and_admit_people_on_a_phone() {
    at_the_desk(Browser::phone().await, (390, 844)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_find_and_admit_people_on_a_tablet() {
    at_the_desk(Browser::tablet().await, (820, 1180)).await;
}

async fn at_the_desk(browser: Browser, (width, height): (u32, u32)) {
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code");
    KioskProgram::enroll(&server.url, code, folder.path()).await;
    let kiosk = KioskProgram::run(folder.path()).await;
    let mut screen = Screen::open(&kiosk.page).await;
    for member in 0..4 {
        book(&server.url, &server.notes["members"][member], &server.notes["events"][0]).await;
    }

    // The first PIN is set by who has the enrolment code, not by whoever comes by.
    browser.go(&kiosk.page).await;
    browser.click("#staff").await;
    browser.sees("#pin-title", "请设一个").await;
    browser.fill("#who", "小李").await;
    press(&browser, "246810").await;
    browser.sees("#pin-fault", "登记码不对").await;
    browser.fill("#code", &code.to_lowercase()).await;
    press(&browser, "246810").await;
    opened(&browser).await;
    browser.sees("#operator", "小李").await;
    fits(&browser, "the list").await;

    // By one character, pinyin, initials, ends of phone and card, organisation.
    for sought in SOUGHT {
        browser.fill("#search", sought).await;
        browser.sees("#rows", NAME).await;
        if sought == "lsl" {
            browser.resize(width, 640).await;
            browser.picture("desk", folder.path()).await;
            browser.resize(width, height).await;
        }
    }
    browser.fill("#search", "没有这个人").await;
    browser.sees("#hint", "没有找到").await;
    browser.fill("#search", NAME).await;
    browser.until("document.querySelectorAll('#rows li').length === 1").await;
    browser.sees("#rows", NAME).await;
    fits(&browser, "who was found").await;

    // Checked in by hand: staff see the name, the people in the queue do not.
    tap(&browser, "#rows .in").await;
    browser.sees("#said", &format!("{NAME}：已放行")).await;
    let shown = screen.shows().await;
    assert_eq!((&shown["look"], &shown["holder"]), (&json!("admitted"), &json!("刘*龙")));
    assert!(!shown.to_string().contains(NAME), "{shown}");
    server.await_admitted(1).await;

    // Once more is refused; a supervisor may, and says why.
    browser.sees("#rows .state", "如非本人").await;
    tap(&browser, "#rows .over").await;
    browser.sees("#why-title", "为什么").await;
    fits(&browser, "the question why").await;
    browser.click("#whys [value='负责人同意']").await;
    browser.sees("#said", &format!("{NAME}：已放行")).await;
    assert_eq!(screen.shows().await["look"], "admitted");
    // Whoever thinks better of it does nothing.
    tap(&browser, "#rows .undo").await;
    browser.click("#why button[value='']").await;
    for _ in 0..2 {
        browser.until("!document.getElementById('why').open").await;
        browser.script("document.getElementById('said').textContent = ''").await;
        tap(&browser, "#rows .undo").await;
        browser.click("#whys [value='扫错了人']").await;
        browser.sees("#said", &format!("{NAME}：已撤销")).await;
    }
    browser.until("document.querySelector('#rows li')?.dataset.verdict === 'admitted'").await;
    server.await_admitted(0).await;

    // A supervisor gets a PIN of their own: from now on nobody else overrules.
    browser.fill("#search", "").await;
    browser.script("document.getElementById('machine').open = true").await;
    fits(&browser, "this machine").await;
    browser.click("#change-supervisor").await;
    for (asked, digits) in
        [("现在的操作密码", "246810"), ("新密码", "808017"), ("再输一次", "808017")]
    {
        browser.sees("#asks-title", asked).await;
        fits(&browser, "a PIN is asked for").await;
        answer(&browser, digits).await;
    }
    browser.sees("#said", "密码已换好").await;
    browser.sees("#change-supervisor", "换主管密码").await;
    browser.fill("#search", NAME).await;
    tap(&browser, "#rows .in").await;
    browser.until("document.querySelector('#rows li')?.dataset.verdict === 'refused'").await;
    tap(&browser, "#rows .over").await;
    browser.click("#whys [value='负责人同意']").await;
    browser.sees("#asks-title", "主管密码").await;
    answer(&browser, "246810").await;
    browser.sees("#asks-fault", "密码不对").await;
    browser.script("document.getElementById('said').textContent = ''").await;
    answer(&browser, "808017").await;
    browser.sees("#said", &format!("{NAME}：已放行")).await;
    server.await_admitted(1).await;

    // What it looks like is practised on a preview, and leaves no trace.
    let entries = journal(folder.path()).await.len();
    browser.fill("#search", "").await;
    browser.script("document.getElementById('drill').open = true").await;
    let preview = "document.getElementById('preview').contentDocument";
    browser.until(&format!("{preview}?.body?.dataset.state === 'ready'")).await;
    // What is shown stays there until the next, however long this test takes to look at it.
    browser.script("document.getElementById('preview').contentWindow.setTimeout = () => 0").await;
    for reason in Reason::ALL {
        browser.click(&format!("#reasons [data-what='{}']", reason.word())).await;
        let headline = admission::say::headline(reason, admission::say::Lang::Zh);
        let headline = if reason == Reason::Ambiguous { "选一张" } else { headline };
        browser
            .until(&format!("{preview}.getElementById('headline').textContent === '{headline}'"))
            .await;
        browser.until(&format!("{preview}.body.hasAttribute('data-practice')")).await;
    }
    browser.resize(width, height.min(1130)).await;
    browser.script("document.getElementById('drill').scrollIntoView()").await;
    browser.picture("desk-drill", folder.path()).await;
    browser.resize(width, height).await;
    assert_eq!(journal(folder.path()).await.len(), entries);
    browser.script("document.getElementById('drill').open = false").await;
    browser.script("document.getElementById('ready').open = true").await;
    browser.until("document.querySelectorAll('#findings li').length > 8").await;
    fits(&browser, "whether it is ready").await;

    // Locked, nobody is named; wrong PINs slow down, and the right one too.
    browser.click("#close").await;
    browser.until("document.body.dataset.state === 'closed'").await;
    assert!(!browser.client.source().await.expect("a page").contains(NAME));
    for tries in 1..=4 {
        press(&browser, "000000").await;
        browser.sees("#pin-fault", if tries < 4 { "密码不对" } else { "秒后再试" }).await;
    }
    let right = json!({ "pin": "246810", "operator": "小王" });
    let sent = client().post(format!("{}/desk/opening", kiosk.page)).json(&right).send().await;
    assert_eq!(sent.expect("an answer").status(), StatusCode::TOO_MANY_REQUESTS);
    browser.click("[data-key='1']").await;
    let dots = browser.script("return document.getElementById('dots').textContent").await;
    assert_eq!(dots, json!(""), "no key is taken while one waits");
    browser.until("document.getElementById('pin-fault').textContent === ''").await;
    press(&browser, "246810").await;
    opened(&browser).await;
    browser.close().await;

    // All of it is in the journal, with who and why, and nothing that names anybody else.
    let scans = journal(folder.path()).await;
    let deeds: Vec<_> = scans.iter().map(|scan| &scan.deed).collect();
    let acts: Vec<_> = deeds.iter().map(|deed| deed.act).collect();
    let first = [Act::Hand, Act::Override, Act::Undo, Act::Undo];
    assert_eq!(acts, [&first[..], &[Act::Hand, Act::Override]].concat());
    assert!(deeds.iter().all(|deed| deed.operator.as_deref() == Some("小李")));
    assert_eq!(
        (deeds[1].why.as_deref(), deeds[1].against),
        (Some("负责人同意"), Some(Reason::AlreadyUsed))
    );
    assert_eq!((deeds[2].about, deeds[3].about), (Some(2), Some(1)));
    assert!(kiosk.stop().await.success());
}

/// A minute passes when the test says so.
const MINUTE_BY_HAND: &str = "
    const later = window.setTimeout.bind(window);
    window.minutes = 0;
    window.setTimeout = (then, ms) => ms === 60000 ? (window.minute = then, ++window.minutes) : later(then, ms);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_somebody_left_shut_gives_the_screen_back_to_the_queue() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code");
    KioskProgram::enroll(&server.url, code, folder.path()).await;
    let kiosk = KioskProgram::run(folder.path()).await;
    kiosk.staff("246810", code).await;
    let browser = Browser::laptop().await;
    let new_page = "Page.addScriptToEvaluateOnNewDocument";
    browser.devtools(new_page, json!({ "source": MINUTE_BY_HAND })).await;

    // A visitor taps it and walks away: the camera is the other page's.
    browser.go(&kiosk.page).await;
    browser.click("#staff").await;
    browser.sees("#pin-title", "请输入操作密码").await;
    browser.until("window.minute").await;
    browser.script("minute()").await;
    browser.until("location.pathname === '/'").await;
    browser.sees("#prompt", "请出示").await;

    // Whoever works there is left alone; once it is locked, the queue has the screen again.
    browser.click("#staff").await;
    press(&browser, "246810").await;
    browser.until("document.body.dataset.state === 'open'").await;
    browser.script("window.before = minutes; minute()").await;
    browser.until("minutes > before").await;
    assert_eq!(browser.script("return location.pathname").await, json!("/desk"));
    browser.click("#close").await;
    browser.until("document.body.dataset.state === 'closed'").await;
    browser.script("minute()").await;
    browser.until("location.pathname === '/'").await;

    // A program that is not there has no page to go back to.
    browser.click("#staff").await;
    browser.until("window.minute").await;
    assert!(kiosk.stop().await.success());
    browser.script("window.before = minutes; minute()").await;
    browser.until("minutes > before").await;
    assert_eq!(browser.script("return location.pathname").await, json!("/desk"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_counter_staff_tap_which_of_several_on_an_open_desk() {
    let app = TestApp::new(Engine::Sqlite).await;
    app.let_time_run_since(Instant::now());
    let (event, _) = app
        .event(|draft| {
            let mut lunch = draft["offers"][0].clone();
            lunch["name"] = "午餐券".into();
            draft["offers"][0]["name"] = "温泉券".into();
            draft["offers"].as_array_mut().expect("offers").push(lunch);
        })
        .await;
    let offers =
        app.get(&format!("/api/v1/events/{event}"), "").await.expect(200)["offers"].clone();
    let mut swipes = Vec::new();
    let mut tickets = Vec::new();
    for name in ["王小明", "李小红"] {
        let member = app.member(name).await;
        for offer in offers.as_array().expect("offers") {
            let booked = app.booked(&member, offer["id"].as_str().expect("an id")).await;
            tickets.push(booked["tickets"][0]["id"].as_str().expect("an id").to_owned());
        }
        swipes.push(format!(";{}=30122200000000000000?", member.card));
    }
    let organizer = app.staff(Role::Organizer).await;
    let new =
        json!({ "name": "一号台", "event": event, "station": "counter", "station_name": "兑换台" });
    let made = app.post("/api/v1/kiosks", &organizer, new).await.expect(201);
    let code = made["code"].as_str().expect("a code");
    let folder = TempDir::new().expect("temporary folder");
    KioskProgram::enroll(&app.url, code, folder.path()).await;
    let mut kiosk = KioskProgram::run(folder.path()).await;
    for ticket in &tickets {
        await_copy(folder.path(), ticket).await;
    }
    let staff = kiosk.staff("246810", code).await;
    let browser = Browser::phone().await;

    // On the screen the holder taps; what they are about to tap stays where it is, whatever else is told meanwhile.
    browser.go(&kiosk.page).await;
    browser
        .until(
            "document.body.dataset.cards === 'some' && document.body.hasAttribute('data-online')",
        )
        .await;
    assert_eq!(kiosk.scan(&swipes[0]).await["reason"], "ambiguous");
    browser.sees("#choices", "午餐券").await;
    let held = "import('/assets/kiosk.js').then((page) => page.hold({ stays_ms: 600000 }))";
    browser.script(held).await;
    browser.script("window.first = document.querySelector('#choices button')").await;
    staff.set(false, false, false).await;
    browser.sees("#muted", "声音已关").await;
    assert_eq!(browser.script("return first.isConnected").await, json!(true));
    browser.click("#language").await;
    browser.sees("#choices", "午餐券").await;

    // With the desk open, staff tap it for them.
    browser.go(&format!("{}/desk", kiosk.page)).await;
    press(&browser, "246810").await;
    opened(&browser).await;
    let asks = "document.getElementById('why').open";
    assert_eq!(kiosk.scan(&swipes[0]).await["reason"], "ambiguous");
    browser.until(asks).await;
    browser.sees("#why-title", "选一张").await;
    browser.sees("#why-what", "王*明").await;
    fits(&browser, "which of several").await;
    browser.picture("desk-choose", folder.path()).await;
    // Whoever thinks better of it redeems nothing.
    browser.click("#why button[value='']").await;
    browser.until(&format!("!{asks}")).await;
    assert_eq!(journal(folder.path()).await.len(), 2);
    assert_eq!(kiosk.scan(&swipes[0]).await["reason"], "ambiguous");
    browser.until(asks).await;
    browser.click(&format!("#whys [value='{}']", tickets[1])).await;
    browser.sees("#said", "核销成功").await;
    // Of two nothing is asked when one is left.
    assert_eq!(kiosk.scan(&swipes[0]).await["verdict"], "admitted");
    browser.until(&format!("!{asks}")).await;

    // The next one comes while it is still asked of the one before: that answer comes too late.
    let other = app.member("赵大力").await;
    let mut more = Vec::new();
    for offer in offers.as_array().expect("offers") {
        let booked = app.booked(&other, offer["id"].as_str().expect("an id")).await;
        more.push(booked["tickets"][0]["id"].as_str().expect("an id").to_owned());
    }
    for ticket in &more {
        await_copy(folder.path(), ticket).await;
    }
    assert_eq!(kiosk.scan(&swipes[1]).await["reason"], "ambiguous");
    browser.until(asks).await;
    browser.sees("#why-what", "李*红").await;
    let swipe = format!(";{}=30122200000000000000?", other.card);
    assert_eq!(kiosk.scan(&swipe).await["reason"], "ambiguous");
    browser.click(&format!("#whys [value='{}']", tickets[2])).await;
    browser.sees("#said", "已经过时，请再刷一次卡").await;
    browser.close().await;
    let scans = journal(folder.path()).await;
    let admitted = scans.iter().filter(|scan| scan.verdict.is_admitted());
    let admitted: Vec<_> = admitted.filter_map(|scan| scan.ticket).map(String::from).collect();
    assert_eq!(admitted, [tickets[1].clone(), tickets[0].clone()]);
    assert!(kiosk.stop().await.success());
}

async fn press(browser: &Browser, digits: &str) {
    for digit in digits.chars() {
        browser.click(&format!("[data-key='{digit}']")).await;
    }
    browser.click("#pin-form .go").await;
}

/// Types into the question that is open.
async fn answer(browser: &Browser, digits: &str) {
    browser.until("document.getElementById('asks').open").await;
    for digit in digits.chars() {
        browser.click(&format!("#asks-keys [data-digit='{digit}']")).await;
    }
    browser.click("#asks-keys .go").await;
}

/// Taps what may be drawn anew at any moment.
async fn tap(browser: &Browser, css: &str) {
    browser.until(&format!("document.querySelector({css:?})?.checkVisibility()")).await;
    browser.script(&format!("document.querySelector({css:?}).click()")).await;
}

async fn opened(browser: &Browser) {
    browser.until("document.body.dataset.state === 'open'").await;
    browser.sees("#hint", "可查").await;
}

/// What is tapped is large enough for a thumb, and nothing sticks out.
async fn fits(browser: &Browser, what: &str) {
    let found = browser.script(super::kiosk_screen::MISFITS).await;
    assert_eq!(found, json!([]), "{what}");
}

async fn journal(folder: &Path) -> Vec<Scan> {
    let url = format!("sqlite://{}?mode=ro", folder.join("kiosk.db").display());
    let mut store = SqliteConnection::connect(&url).await.expect("the kiosk's store");
    let bodies: Vec<String> = sqlx::query_scalar("select body from journal order by seq")
        .fetch_all(&mut store)
        .await
        .expect("a journal");
    bodies.into_iter().map(|body| Entry(body).scan().expect("a scan")).collect()
}
