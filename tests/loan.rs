//! Books: lent by card and barcode, once renewed, late, waited for, lost; the last copy is lent once.

use futures_util::future::join_all;
use turnout_server::{fetch, loan, web::access::Role};

use crate::{
    fair::{Sent, page, send},
    support::{TestApp, on_both, people::Member},
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
