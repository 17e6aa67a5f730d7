//! Vouchers on real screens: a member's phone, a venue's phone with and without a network, an organizer's laptop; in the
//! demo world.

use serde_json::Value;

use crate::{
    end_to_end::sign_in,
    fair::screens::{offline, staff},
    moving::read_qr,
    support::{Engine, browser::Browser, programs::DemoServer},
};

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// How often the venue's page says that vouchers were redeemed today.
async fn today(venue: &Browser) -> i64 {
    let said = venue
        .script("return document.querySelector('[data-live=done] header span').innerText")
        .await;
    let digits: String = text(&said)
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voucher_from_the_members_phone_to_the_statement() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let (url, notes, folder) =
        (server.url.clone(), server.notes.clone(), server.folder.path().to_owned());
    let campaign = notes["events"]
        .as_array()
        .expect("events")
        .iter()
        .find(|event| text(&event["title"]).contains("山水温泉"))
        .expect("it");

    let phone = Browser::phone().await;
    sign_in(&phone, &url, text(&notes["members"][0]["phone"])).await;
    phone.go(&format!("{url}/events/{}", text(&campaign["id"]))).await;
    phone.picture("voucher-campaign", &folder).await;
    // The third batch is the hot springs', where the demo's link leads.
    phone.click("button[form=book-2]").await;
    phone.click("a[href^='/tickets/']").await;
    phone.sees("#serial", "-").await;
    phone.sees(".ticket", "还可以用 2 / 2 次").await;
    phone.picture("voucher", &folder).await;
    let serial = phone.script("return document.querySelector('#serial').innerText").await;
    let serial = text(&serial).trim().to_owned();

    let venue = Browser::phone().await;
    venue.go(&format!("{url}{}", text(&notes["venue"]["path"]))).await;
    venue.fill("#pin", text(&notes["venue"]["pin"])).await;
    venue.click("form.form button").await;
    venue.sees("h1", "南宫温泉水世界").await;
    let before = today(&venue).await;
    venue.picture("venue", &folder).await;
    // By its number alone an ID is looked at; the code on the guest's phone moves.
    venue.fill("#said", &serial).await;
    venue.click("#look .search button").await;
    venue.sees("#found", "请看证件").await;
    venue.sees("#redeem button", "证件姓名一致").await;
    venue.picture("venue-id", &folder).await;
    let code = read_qr(&phone.picture("voucher-moving", &folder).await);
    venue.fill("#said", &code).await;
    venue.click("#look .search button").await;
    venue.sees("#found", "可以使用").await;
    venue.picture("venue-found", &folder).await;
    venue.click("#redeem button").await;
    venue.sees("#found", "核销成功").await;
    venue.sees("#left", "1").await;
    venue.picture("venue-redeemed", &folder).await;
    assert_eq!(today(&venue).await, before + 1);

    // Without a network it is noted, and judged when the network is back.
    offline(&venue, true).await;
    venue.fill("#said", &serial).await;
    venue.click("#look .search button").await;
    venue.sees("#found", "请核对证件").await;
    venue.sees("#found .left", "1 / 2").await;
    venue.picture("venue-offline", &folder).await;
    venue.click("#note").await;
    venue.sees("#queue", "1 条待核实").await;
    // The phone remembers what it took, and knows what was never issued.
    venue.fill("#said", &serial).await;
    venue.click("#look .search button").await;
    venue.sees("#found", "已用完").await;
    venue.fill("#said", "AAAAA-22222").await;
    venue.click("#look .search button").await;
    venue.sees("#found", "名单里没有这张券").await;
    venue.picture("venue-offline-unknown", &folder).await;
    offline(&venue, false).await;
    venue.sees("[data-live=done] header", &format!("核销 {} 次", before + 2)).await;
    venue.fill("#said", &serial).await;
    venue.click("#look .search button").await;
    venue.sees("#found", "已用完").await;
    venue.picture("venue-spent", &folder).await;

    // A mistake is taken back.
    venue.click("[data-live=done] li:first-child summary").await;
    venue.click("[data-live=done] li:first-child details button").await;
    venue.sees("[data-live=done] header", &format!("核销 {} 次", before + 1)).await;
    venue.sees("[data-live=done]", "已撤销").await;
    phone.go(&format!("{url}/benefits")).await;
    phone.sees("#member-code", "").await;
    phone.picture("benefits", &folder).await;

    let laptop = staff(&url, &notes).await;
    laptop.go(&format!("{url}/admin/venues")).await;
    laptop.picture("venues", &folder).await;
    laptop.click("ul.cards li:nth-child(3) a").await;
    laptop.sees("#settlement", "未结算").await;
    laptop.picture("venue-hub", &folder).await;
    laptop.click("#settlement li:first-child a").await;
    laptop.sees("#lines", &serial).await;
    laptop.sees("#lines", "撤销").await;
    laptop.picture("statement", &folder).await;
    laptop.go(&format!("{url}/admin/vouchers?serial={serial}")).await;
    laptop.sees("#worth", "已用 1 / 2 次").await;
    laptop.picture("voucher-lookup", &folder).await;
    laptop.go(&format!("{url}/admin/venues")).await;
    laptop.click("ul.cards li:nth-child(3) a").await;
    laptop.click("#settlement li:last-child a").await;
    laptop.click("form.act button").await;
    laptop.sees("#number", "JS").await;
    laptop.picture("statement-closed", &folder).await;
    laptop
        .go(&format!(
            "{url}/admin/events/{}/offers/{}",
            text(&campaign["id"]),
            text(&campaign["offers"][2]["id"])
        ))
        .await;
    laptop.script("document.querySelector('#batch').scrollIntoView()").await;
    laptop.picture("batch-editor", &folder).await;
    venue.go(&format!("{url}/venue/settlement")).await;
    venue.sees("main", "已结算").await;
    venue.picture("venue-settlement", &folder).await;
    for browser in [phone, venue, laptop] {
        browser.close().await;
    }
}
