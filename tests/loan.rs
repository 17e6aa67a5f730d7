//! Books: lent by card and barcode, once renewed, late, waited for, lost; the last copy is lent once.

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::Value;
use turnout_server::{fetch, loan, web::access::Role};

use crate::{
    end_to_end::sign_in,
    fair::{Sent, page, screens, send},
    support::{Engine, TestApp, browser::Browser, on_both, people::Member, programs::DemoServer},
};

const DAY: i64 = 86_400_000;

/// A library with one copy of 三体 (S1) and two of 活着 (H1, H2), imported from a list.
async fn library(app: &TestApp) {
    let organizer = app.staff(Role::Organizer).await;
    let csv =
        "图书目录\n书名,作者,册数,条码\n三体,刘慈欣,1,S1\n活着,余华,2,H1、H2\n人世间,梁晓声,4,\n";
    let body = format!(
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"books.csv\"\r\n\r\n{csv}\r\n--b--\r\n"
    );
    for added in ["新增 7 册", "新增 0 册"] {
        let request = app.http.post(format!("{}/admin/books/import", app.url));
        let request =
            request.header("content-type", "multipart/form-data; boundary=b").body(body.clone());
        let answer = request.bearer_auth(&organizer).send().await.expect("an answer");
        let shown = answer.text().await.expect("a page");
        assert!(shown.contains(added), "{shown}");
    }
}

/// A volunteer's laptop, a reader's phone and the phone of somebody who waits; in the demo world.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_goes_over_the_desk_and_is_renewed_on_a_phone() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let (url, notes, folder) = (&server.url, &server.notes, server.folder.path());
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let member = |n: usize| {
        let member = &notes["members"][n];
        (text(&member["phone"]), text(&member["name"]))
    };
    // The demo's first members have books already.
    let ((reader, name), (waiter, _)) = (member(2), member(3));
    let csv = "书名,作者,册数,条码\n围城,钱锺书,1,WEI1\n";
    let body = format!(
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"books.csv\"\r\n\r\n{csv}\r\n--b--\r\n"
    );
    let http = Client::builder().no_proxy().build().expect("client");
    let request = http.post(format!("{url}/admin/books/import")).body(body);
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    let answer = request.bearer_auth(text(&notes["organizer"]["token"])).send().await;
    assert_eq!(answer.expect("answer").status(), 200);

    let desk = screens::staff(url, notes).await;
    desk.go(&format!("{url}/admin/books")).await;
    desk.picture("library", folder).await;
    desk.fill("#card", &reader).await;
    desk.click("#look button[value=look]").await;
    desk.sees("#reader h2", &name).await;
    desk.fill("#lend-barcode", "wei1").await;
    desk.picture("library-reader", folder).await;
    desk.click("#reader button[value=lend]").await;
    desk.sees("#lent", "《围城》借给").await;

    let phone = Browser::phone().await;
    sign_in(&phone, url, &reader).await;
    phone.go(&format!("{url}/books")).await;
    phone.sees("#loans", "《围城》").await;
    phone.picture("books", folder).await;
    // Renewed while nobody waits for it; then somebody does.
    phone.click("#loans form[action$='/renewal'] button").await;
    phone.sees("#loans", "已续借").await;
    let other = Browser::phone().await;
    sign_in(&other, url, &waiter).await;
    other.go(&format!("{url}/books?q=围城")).await;
    other.sees("#titles", "都借出了").await;
    other.click("#titles button[value=wait]").await;
    other.go(&format!("{url}/books?q=围城")).await;
    other.sees("#titles", "您在等").await;

    desk.fill("#barcode", "WEI1").await;
    desk.click("#back button[value=return]").await;
    desk.sees(".notice.ok", "已还").await;
    phone.go(&format!("{url}/books")).await;
    phone.sees("#loans", "").await;
    let kept = phone.script("return document.querySelector('#loans').innerText").await;
    assert!(!text(&kept).contains("围城"), "{kept}");
    other.go(&format!("{url}/books?q=围城")).await;
    other.sees("#titles", "为您保留到").await;
    other.picture("books-kept", folder).await;
    for browser in [desk, phone, other] {
        browser.close().await;
    }
}

/// What the desk does; its member of staff signs in anew, for days pass.
async fn desk(app: &TestApp, fields: &[(&str, &str)]) -> Sent {
    let volunteer = app.staff(Role::Volunteer).await;
    send(app, "/admin/books", (&volunteer, ""), fields).await
}

async fn lend(app: &TestApp, member: &Member, barcode: &str) -> u16 {
    let fields = [("act", "lend"), ("person", member.id.as_str()), ("barcode", barcode)];
    desk(app, &fields).await.answer.status.as_u16()
}

async fn give_back(app: &TestApp, barcode: &str) {
    desk(app, &[("act", "return"), ("barcode", barcode)]).await.leads_to("done=return");
}

/// A session that lasts, however many days the test has gone on.
async fn token(app: &TestApp, member: &Member) -> String {
    app.guest_token(&member.phone).await
}

async fn open_loan(app: &TestApp, barcode: &str) -> String {
    let mut tx = app.app.db.read().await.expect("read");
    let (id,): (String,) = fetch!(
        tx,
        fetch_one,
        "select id from loan where barcode = $1 and ended_ms is null",
        barcode
    )
    .expect("a loan");
    id
}

async fn book(app: &TestApp, title: &str) -> String {
    let mut tx = app.app.db.read().await.expect("read");
    let (id,): (String,) =
        fetch!(tx, fetch_one, "select id from book where title = $1", title).expect("a book");
    id
}

on_both! {
    async fn a_member_borrows_by_card_renews_once_and_brings_it_back(app) {
        library(&app).await;
        let member = app.member("王小明").await;
        let found = desk(&app, &[("act", "look"), ("card", &member.card)]).await.page(200);
        assert!(found.contains("王小明") && !found.contains(&member.card), "{found}");
        assert_eq!(lend(&app, &member, " s1 ").await, 200);
        let mine = page(&app, "/books", &member.token).await;
        assert!(mine.contains("《三体》") && mine.contains("4月2日到期"), "{mine}");
        let renewal = format!("/loans/{}/renewal", open_loan(&app, "S1").await);
        let stranger = app.member("别人").await;
        send(&app, &renewal, (&stranger.token, ""), &[]).await.page(404);
        send(&app, &renewal, (&member.token, ""), &[]).await.leads_to("/books");
        assert!(page(&app, "/books", &member.token).await.contains("4月30日到期"));
        send(&app, &renewal, (&member.token, ""), &[]).await.page(409);
        give_back(&app, "S1").await;
        assert_eq!(desk(&app, &[("act", "return"), ("barcode", "S1")]).await.page(409).matches("没有借出").count(), 1);
        assert!(page(&app, "/books", &member.token).await.contains("现在没有借书"));
    }

    async fn the_last_copy_is_lent_once_and_nobody_has_more_than_three(app) {
        library(&app).await;
        let mut members = Vec::new();
        for n in 0..6 {
            members.push(app.member(&format!("会员{n}")).await);
        }
        let statuses = join_all(members.iter().map(|member| lend(&app, member, "S1"))).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        let greedy = app.member("想都借").await;
        let mut tx = app.app.db.read().await.expect("read");
        let rest: Vec<(String,)> = fetch!(tx, fetch_all, "select barcode from book_copy where barcode <> 'S1'").expect("copies");
        drop(tx);
        assert_eq!(rest.len(), 6);
        let statuses = join_all(rest.iter().map(|(barcode,)| lend(&app, &greedy, barcode))).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
    }

    async fn a_late_book_is_reminded_of_and_bars_for_a_month(app) {
        library(&app).await;
        let member = app.member("王小明").await;
        assert_eq!(lend(&app, &member, "S1").await, 200);
        assert_eq!(loan::sweep(&app.app).await.expect("swept"), 0);
        app.advance(27 * DAY);
        assert_eq!(loan::sweep(&app.app).await.expect("swept"), 1);
        assert_eq!(loan::sweep(&app.app).await.expect("swept"), 0, "once");
        app.advance(8 * DAY);
        assert_eq!(loan::sweep(&app.app).await.expect("swept"), 1);
        assert!(app.messages_to(&member.phone).await.last().expect("a message").contains("就该还了"));
        assert_eq!(lend(&app, &member, "H1").await, 409, "overdue");
        let fresh = token(&app, &member).await;
        let renewal = format!("/loans/{}/renewal", open_loan(&app, "S1").await);
        send(&app, &renewal, (&fresh, ""), &[]).await.page(409);
        let shown = desk(&app, &[("act", "look"), ("card", &member.card)]).await.page(200);
        assert!(shown.contains("过期 7 天"), "{shown}");
        give_back(&app, "S1").await;
        assert_eq!(lend(&app, &member, "H1").await, 409, "barred");
        app.advance(30 * DAY);
        assert_eq!(lend(&app, &member, "H1").await, 200);
    }

    async fn who_waits_has_the_book_that_comes_back_and_nobody_else(app) {
        library(&app).await;
        let (has, waits, second, other) =
            (app.member("在看").await, app.member("在等").await, app.member("也在等").await, app.member("路过").await);
        assert_eq!(lend(&app, &has, "S1").await, 200);
        let wait = format!("/books/{}/wait", book(&app, "三体").await);
        for member in [&waits, &second, &waits] {
            send(&app, &wait, (&member.token, ""), &[("act", "wait")]).await.leads_to("/books");
        }
        let renewal = format!("/loans/{}/renewal", open_loan(&app, "S1").await);
        assert!(send(&app, &renewal, (&has.token, ""), &[]).await.page(409).contains("有人在等"));
        give_back(&app, "S1").await;
        assert!(app.messages_to(&waits.phone).await.last().expect("a message").contains("为您保留到"));
        assert!(app.messages_to(&second.phone).await.is_empty());
        assert_eq!(lend(&app, &other, "S1").await, 409);
        assert_eq!(lend(&app, &second, "S1").await, 409);
        // Not fetched in time: the next.
        app.advance(5 * DAY);
        loan::sweep(&app.app).await.expect("swept");
        assert!(app.messages_to(&second.phone).await.last().expect("a message").contains("为您保留到"));
        assert_eq!(lend(&app, &waits, "S1").await, 409);
        assert_eq!(lend(&app, &second, "S1").await, 200);
    }

    async fn a_lost_copy_is_lent_no_more_until_it_is_replaced(app) {
        library(&app).await;
        let member = app.member("王小明").await;
        assert_eq!(lend(&app, &member, "S1").await, 200);
        desk(&app, &[("act", "lost"), ("barcode", "S1")]).await.leads_to("done=lost");
        assert_eq!(lend(&app, &member, "S1").await, 409);
        assert_eq!(lend(&app, &member, "H1").await, 200, "a lost book is no late one");
        desk(&app, &[("act", "found"), ("barcode", "S1")]).await.leads_to("done=found");
        assert_eq!(lend(&app, &member, "S1").await, 200);
        assert_eq!(lend(&app, &member, "没有").await, 409);
    }
}
