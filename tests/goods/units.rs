//! A list of units as its three users meet it: the organizer writes it on a laptop, the union's officer says on a phone who
//! comes, and the kiosk at the counter tells how many to hand over, also without a network.

use serde_json::json;
use tempfile::TempDir;

use super::HandOut;
use crate::{
    end_to_end::await_copy,
    fair::{page, send},
    support::{TestApp, browser::Browser, on_both, programs::KioskProgram, screen::Screen},
};

const UNION: &str = "北京市王佐机械厂工会";

async fn sign_in(browser: &Browser, app: &TestApp, token: &str) {
    browser.go(&format!("{}/login", app.url)).await;
    browser.script(&format!("document.cookie = 'turnout={token}; path=/'")).await;
}

async fn fits(browser: &Browser, what: &str) {
    let over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.script(over).await, 0, "{what} hangs over the side");
}

on_both! {
    async fn a_units_list_is_written_its_delegate_chosen_and_its_goods_handed_over(app) {
        let hand_out = HandOut::new(&app).await;
        let east = hand_out.point(&app, "东点", 10, None).await;
        hand_out.deliver(&app, &east, 100).await;
        let union = app.union(UNION).await;
        let (officer, colleague, stranger) =
            (app.member("赵经办").await, app.member("钱帮忙").await, app.member("孙外人").await);
        for member in [&officer, &colleague] {
            app.join_union(member, &union).await;
        }
        let appointed = [("union", union.as_str()), ("name", &officer.name), ("phone", &officer.phone)];
        send(&app, "/admin/officers", (&hand_out.organizer, ""), &appointed).await.leads_to("/admin/officers");

        // The organizer writes the line; a wrong phone is told and keeps what was typed.
        let laptop = Browser::laptop().await;
        sign_in(&laptop, &app, &hand_out.organizer).await;
        let list = format!("{}/admin/events/{}/goods/batches", app.url, hand_out.event);
        laptop.go(&list).await;
        laptop.sees("main", "还没有单位").await;
        laptop.fill("#organisation", UNION).await;
        laptop.fill("#units", "84").await;
        laptop.fill("#name", &officer.name).await;
        laptop.fill("#phone", &stranger.phone).await;
        laptop.click("#one button").await;
        laptop.sees("main", "名册上没有这位领取人").await;
        laptop.fill("#phone", &officer.phone).await;
        laptop.click("#one button").await;
        laptop.sees("#batches", "待领").await;
        laptop.sees("#batches", "赵经办").await;
        laptop.picture("goods-units", app.folder.path()).await;
        fits(&laptop, "the list").await;
        assert!(app.messages_to(&officer.phone).await.join("").contains("代领杂粮礼盒 84 份：东点"));

        // The officer sees it on a phone, and sends a colleague.
        let phone = Browser::phone().await;
        sign_in(&phone, &app, &officer.token).await;
        phone.go(&format!("{}/me", app.url)).await;
        phone.click("a[href='/officer']").await;
        phone.sees("main", "杂粮礼盒 84 份").await;
        phone.picture("officer-list", app.folder.path()).await;
        phone.click("ul.cards a.card").await;
        phone.sees("#open", "东点").await;
        phone.sees("#open", "赵经办 去领").await;
        phone.picture("officer-goods", app.folder.path()).await;
        fits(&phone, "the officer's page").await;
        phone.fill("#q", "钱").await;
        phone.click("form.search button").await;
        phone.sees("ul.rows", "钱帮忙").await;
        phone.click("ul.rows form button").await;
        phone.sees("#open", "钱帮忙 去领").await;
        assert!(app.messages_to(&officer.phone).await.join("").contains("改由别人代领"));
        assert!(app.messages_to(&colleague.phone).await.join("").contains("代领杂粮礼盒 84 份"));
        // Nobody but the union's officer sees it, and nobody of another union is sent.
        let there = format!("/officer/goods/{}/{union}", hand_out.event);
        for token in [&colleague.token, &stranger.token] {
            assert_eq!(app.get(&there, token).await.status.as_u16(), 404);
        }
        let (booking, ticket) = hand_out.delegates(&app, &colleague).await;
        let other = [("ticket", ticket.as_str()), ("person", stranger.id.as_str())];
        assert_eq!(send(&app, &there, (&officer.token, ""), &other).await.answer.status.as_u16(), 404);

        // The kiosk at the counter shows the number of units, and prints it; it was told before the network went.
        let new = json!({ "name": "东点", "event": hand_out.event, "station": "counter", "station_name": "东点" });
        let made = app.post("/api/v1/kiosks", &hand_out.organizer, new).await.expect(201);
        let folder = TempDir::new().expect("a folder");
        KioskProgram::enroll(&app.url, made["code"].as_str().expect("a code"), folder.path()).await;
        let kiosk = KioskProgram::run(folder.path()).await;
        await_copy(folder.path(), &ticket).await;
        assert!(kiosk.stop().await.success());
        let booked = app.get(&format!("/api/v1/bookings/{booking}"), &colleague.token).await.expect(200);
        let code = booked["tickets"][0]["code"].as_str().expect("a code");
        let mut kiosk = KioskProgram::run_with(folder.path(), &["--offline"]).await;
        let mut screen = Screen::open(&kiosk.page).await;
        assert_eq!(kiosk.scan(code).await["verdict"], "admitted");
        assert_eq!(screen.shows().await["place"], "84 份");
        assert_eq!(kiosk.scan(code).await["reason"], "already_used");
        assert!(kiosk.stop().await.success());
        let kiosk = KioskProgram::run(folder.path()).await;
        let told = async {
            while hand_out.figures(&app).await != [100, 84, 16, 0] {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), told).await.expect("the kiosk tells");
        assert!(kiosk.stop().await.success());

        // Both see that it was collected; nothing can be changed any more.
        laptop.go(&list).await;
        laptop.sees("#batches", "已领").await;
        phone.go(&format!("{}{there}", app.url)).await;
        phone.sees("main", "已领 杂粮礼盒 84 份").await;
        let late = [("ticket", ticket.as_str()), ("person", officer.id.as_str())];
        let shown = send(&app, &there, (&officer.token, ""), &late).await.page(409);
        assert!(shown.contains("没有换成"), "{shown}");
        let public = page(&app, &format!("/events/{}/goods", hand_out.event), &colleague.token).await;
        assert!(public.contains("已领 84 份"), "{public}");
        for browser in [laptop, phone] {
            browser.close().await;
        }
        super::sound(&app).await;
    }
}
