//! A fair on real screens: a visitor's phone from the phone number to the call at the desk, an employer's phone without a
//! network, the organizer's board that counts along, and the demo's report.

use reqwest::Client;
use serde_json::Value;

use crate::support::{Engine, browser::Browser, programs::DemoServer};

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// The code that the demo page shows for the number.
async fn code(url: &str, number: &str) -> String {
    let http = Client::builder().no_proxy().build().expect("client");
    let page = http
        .get(format!("{url}/demo"))
        .send()
        .await
        .expect("demo page")
        .text()
        .await
        .expect("body");
    let message = page
        .split("<li>")
        .find(|row| row.contains(number) && row.contains("登录验证码 "))
        .expect("a message");
    message.split("登录验证码 ").nth(1).expect("a code")[..6].to_owned()
}

pub(crate) async fn staff(url: &str, notes: &Value) -> Browser {
    let laptop = Browser::laptop().await;
    let organizer = notes["staff"]
        .as_array()
        .expect("staff")
        .iter()
        .find(|staff| staff["role"] == "organizer")
        .expect("one");
    laptop.go(&format!("{url}/staff/login")).await;
    laptop.fill("#name", text(&organizer["name"])).await;
    laptop.fill("#password", text(&organizer["password"])).await;
    laptop.click("form.form button").await;
    laptop.sees("nav", "退出").await;
    laptop
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fair_on_real_screens() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let (url, notes, folder) =
        (server.url.clone(), server.notes.clone(), server.folder.path().to_owned());
    let fair = text(&notes["events"][0]["id"]).to_owned();

    // Somebody without a union gets a ticket: a number, a code, a name.
    let phone = Browser::phone().await;
    phone.go(&format!("{url}/events/{fair}/fair?q=会计")).await;
    phone.picture("fair-posts", &folder).await;
    phone.go(&format!("{url}/events/{fair}/fair")).await;
    phone.click(".posts li:first-child form button").await;
    phone.sees(".posts li:first-child form", "已收藏").await;
    phone.go(&format!("{url}/events/{fair}")).await;
    phone.click(".act a.button").await;
    phone.fill("#phone", "13912345678").await;
    phone.click("form.form button").await;
    phone.sees("h1", "验证码").await;
    phone.fill("#code", &code(&url, "13912345678").await).await;
    phone.click("form.form button").await;
    phone.sees("h1", "领入场券").await;
    phone.fill("#name", "赵大力").await;
    phone.picture("fair-entry", &folder).await;
    phone.click(".act button").await;
    phone.sees(".ticket .holder", "赵大力").await;
    let address = phone.client.current_url().await.expect("an address");
    let ticket = address.path().rsplit('/').next().expect("a ticket").to_owned();
    phone.go(&format!("{url}/events/{fair}/fair/me")).await;
    let number = admission::ticket::number(&ticket);
    phone.sees(".digits", &number[..4]).await;

    // The organizer's board is open.
    let laptop = staff(&url, &notes).await;
    laptop.go(&format!("{url}/admin/events/{fair}/fair")).await;
    laptop.sees("#intentions", "58").await;
    laptop.script("window.neverReloaded = true").await;

    // At a stand: the link, the PIN, the visitor's number typed.
    let stand = Browser::phone().await;
    stand.go(&format!("{url}{}", text(&notes["stand"]["path"]))).await;
    stand.fill("#pin", text(&notes["stand"]["pin"])).await;
    stand.click("form.form button").await;
    stand.sees("#record", "记下来").await;
    // A photograph of the visitor's phone does as well as typing: their code is read from it.
    phone.go(&format!("{url}/tickets/{ticket}")).await;
    phone.sees(".ticket .holder", "赵大力").await;
    stand.choose("#photo input", &phone.picture("fair-ticket", &folder).await).await;
    stand.until("document.querySelector('#card').value.startsWith('T1')").await;
    phone.go(&format!("{url}/events/{fair}/fair/me")).await;
    stand.fill("#card", &number[..8]).await;
    stand.click("input[value=intention]").await;
    stand.click("#record .act button").await;
    stand.sees("#queue", "已记录").await;
    stand.sees("[data-live=people]", "达成意向").await;
    stand.picture("fair-stand", &folder).await;
    laptop.sees("#intentions", "59").await;
    assert_eq!(laptop.script("return window.neverReloaded === true").await, true);
    laptop.picture("fair-board", &folder).await;

    // The visitor is asked, agrees, and the stand sees who they are; then takes it back.
    phone.sees("#employers", "看不到您是谁").await;
    phone.picture("fair-me", &folder).await;
    phone.click("#employers form button").await;
    phone.sees("#employers", "看得到您的姓名和电话").await;
    stand.sees("[data-live=people]", "赵大力").await;
    phone.click("#employers form button").await;
    stand.sees("[data-live=people]", "已撤回同意").await;

    // Without a network the stand goes on, and sends it later.
    offline(&stand, true).await;
    stand.fill("#card", &number[..8]).await;
    stand.click("input[value=hired]").await;
    stand.click("#record .act button").await;
    stand.sees("#queue", "1 条待上传").await;
    offline(&stand, false).await;
    stand.sees("[data-live=people]", "已录用").await;

    // A number at the desk where two wait, called on the big board and on the phone.
    phone.go(&format!("{url}/events/{fair}/desks")).await;
    phone.click(".offer:nth-of-type(2) form.bare button").await;
    phone.sees(".offer output", "B17").await;
    phone.sees(".offer:nth-of-type(2)", "前面 2 人在等").await;
    phone.picture("fair-desks", &folder).await;
    let board = Browser::laptop().await;
    board.go(&format!("{url}/events/{fair}/desks/board")).await;
    laptop.go(&format!("{url}/admin/events/{fair}/desks")).await;
    laptop.click(".cards li:nth-child(2) a.card").await;
    for called in ["B15", "B16", "B17"] {
        laptop.sees("form.act button", called).await;
        laptop.click("form.act button").await;
        laptop.sees(".offer .countdown", called).await;
    }
    board.sees(".boards", "B17").await;
    board.picture("fair-numbers", &folder).await;
    phone.sees(".offer:nth-of-type(2)", "轮到您了").await;

    // Last year's fair came to what was reported for 2017.
    let last_year = notes["events"]
        .as_array()
        .expect("events")
        .iter()
        .find(|event| text(&event["title"]).contains("去年"))
        .expect("it");
    laptop.go(&format!("{url}/admin/events/{}/fair/report", text(&last_year["id"]))).await;
    for figure in
        ["27 家单位", "768 个岗位", "115 个工种", "988 人次", "316 人达成就业意向", "咨询 198 人次"]
    {
        laptop.sees("#sentence", figure).await;
    }
    laptop.picture("fair-report", &folder).await;
    for browser in [phone, stand, board, laptop] {
        browser.close().await;
    }
}

/// Pulls the browser's network, or puts it back.
pub(crate) async fn offline(browser: &Browser, off: bool) {
    let script = if off {
        "window.realFetch ??= window.fetch; window.fetch = () => Promise.reject(new TypeError('no network')); dispatchEvent(new Event('offline'))"
    } else {
        "window.fetch = window.realFetch; dispatchEvent(new Event('online'))"
    };
    browser.script(script).await;
}
