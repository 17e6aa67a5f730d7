//! A venue's page: looking, redeeming, taking back, and that nobody sees another venue's.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use turnout_server::{fetch, staff, web::access::Role};

use super::{DAY, agent, campaign, organizers, serial, venue, voucher};
use crate::{
    fair::{between, send},
    support::{TestApp, data, on_both},
};

/// The ids of a ticket's scans that were admitted, the first one first.
async fn scans(app: &TestApp, ticket: &str) -> Vec<String> {
    let mut tx = app.app.db.read().await.expect("read");
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select id from scan where ticket_id = $1 and verdict = 'admitted' order by true_ms, id",
        ticket,
    )
    .expect("scans");
    rows.into_iter().map(|(id,)| id).collect()
}

on_both! {
    async fn a_venue_redeems_once_for_each_tap_however_often_it_is_sent(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let member = app.member("王小明").await;
        let (ticket, code) = voucher(&app, &member, &offer).await;
        let agent = agent(&app, &springs).await;
        let looked = agent.form(&app, "/venue/look", &[("said", &serial(&ticket).to_lowercase())]).await.page(200);
        for part in ["可以使用", "王*明", "核销 1 次", "最多 2 人"] {
            assert!(looked.contains(part), "{part}: {looked}");
        }
        assert!(!looked.contains("王小明") && !looked.contains(&member.phone), "{looked}");
        assert_eq!(scans(&app, &ticket).await.len(), 0, "looking redeems nothing");
        for _ in 0..3 {
            let told = agent.redeem(&app, "tap-00001", &code).await;
            assert_eq!((&told["verdict"], &told["left"], &told["of"]), (&json!("admitted"), &json!(1), &json!(2)), "{told}");
        }
        assert_eq!(scans(&app, &ticket).await.len(), 1);
        // The form of a page without scripts is the same.
        for _ in 0..2 {
            agent.form(&app, "/venue/redemptions", &[("id", "form-0001"), ("said", &serial(&ticket))]).await.leads_to("done=form-0001");
        }
        let done = agent.page(&app, "/venue?done=form-0001").await;
        assert!(done.contains("核销成功") && done.contains("核销 2 次"), "{done}");
        let spent = agent.redeem(&app, "tap-00002", &code).await;
        assert_eq!(spent["reason"], "already_used", "{spent}");
        assert!(spent["next"].as_str().expect("words").contains("次数已用完"), "{spent}");
        let form = agent.form(&app, "/venue/redemptions", &[("id", "form-0002"), ("said", &serial(&ticket))]).await.page(409);
        assert!(form.contains("已用完"), "{form}");
        for nobody in ["ABCDE-22222", "T1NONSENSE", ""] {
            assert_eq!(agent.redeem(&app, "tap-00003", nobody).await["reason"], "unknown", "{nobody}");
        }
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn many_phones_at_once_redeem_no_more_than_there_is(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let (ticket, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        let agent = agent(&app, &springs).await;
        let taps = (0..12).map(|tap| {
            let (agent, app, code) = (&agent, &app, &code);
            async move { agent.redeem(app, &format!("tap-0000{}", tap % 6), code).await }
        });
        let told = futures_util::future::join_all(taps).await;
        let ids: std::collections::BTreeSet<_> =
            told.iter().filter(|told| told["verdict"] == "admitted").map(|told| told["id"].to_string()).collect();
        assert_eq!(ids.len(), 2, "{told:?}");
        assert_eq!(scans(&app, &ticket).await.len(), 2);
    }

    async fn one_venue_never_sees_anothers(app) {
        let (springs, lake) = (venue(&app, "南宫温泉水世界").await, venue(&app, "青龙湖公园").await);
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let (ticket, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        let (own, other) = (agent(&app, &springs).await, agent(&app, &lake).await);
        own.redeem(&app, "tap-00001", &code).await;
        let scan = scans(&app, &ticket).await.remove(0);
        for path in ["/venue", "/venue/settlement", "/venue/settlement/2027-03"] {
            let (mine, theirs) = (own.page(&app, path).await, other.page(&app, path).await);
            assert!(mine.contains("南宫温泉水世界") && !theirs.contains("南宫温泉水世界"), "{path}");
            assert!(!theirs.contains(&serial(&ticket)) && !theirs.contains("王*明"), "{path}");
        }
        let looked = other.form(&app, "/venue/look", &[("said", &code)]).await.page(200);
        assert!(looked.contains("不在此处") && !looked.contains("王*明") && !looked.contains(&serial(&ticket)), "{looked}");
        let undo = other.form(&app, &format!("/venue/redemptions/{scan}/undo"), &[("reason", "扫错了券")]).await;
        assert_eq!(undo.answer.status.as_u16(), 404);
        for file in ["statement.xlsx", "statement.pdf"] {
            let (status, _) = other.get(&app, &format!("/admin/venues/{springs}/settlement/2027-03/{file}")).await;
            assert_eq!(status, 403, "{file}");
        }
        // The same id from two venues is two taps: one cannot take another's.
        let (_, lakes) = campaign(&app, &lake, |_| {}).await;
        let (_, code) = voucher(&app, &app.member("李小红").await, &lakes).await;
        assert_eq!(other.redeem(&app, "tap-00001", &code).await["verdict"], "admitted");
        assert_eq!(own.redeem(&app, "tap-00001", &code).await["reason"], "wrong_station");
    }

    async fn a_mistake_is_taken_back_today_with_a_reason_and_stays_in_the_books(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let (ticket, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        let agent = agent(&app, &springs).await;
        agent.redeem(&app, "tap-00001", &code).await;
        let scan = scans(&app, &ticket).await.remove(0);
        let path = format!("/venue/redemptions/{scan}/undo");
        let refused = agent.form(&app, &path, &[("reason", " ")]).await.page(422);
        assert!(refused.contains("请写明撤销的原因"), "{refused}");
        for _ in 0..2 {
            agent.form(&app, &path, &[("reason", "扫错了券")]).await.leads_to("/venue");
        }
        let again = agent.redeem(&app, "tap-00001", &code).await;
        assert_eq!((&again["headline"], &again["left"]), (&json!("已撤销"), &json!(2)), "what was taken back is not redeemed again: {again}");
        let told = agent.redeem(&app, "tap-00002", &code).await;
        assert_eq!((&told["verdict"], &told["left"]), (&json!("admitted"), &json!(1)), "{told}");
        let found = organizers(&app, &format!("/admin/vouchers?serial={}", serial(&ticket))).await;
        for part in ["核销（已撤销）", "扫错了券", "已用 1 / 2 次", "王小明"] {
            assert!(found.contains(part), "{part}: {found}");
        }
        assert_eq!(between(&found, "id=\"happened\">", "</ul>").matches("<li>").count(), 3, "{found}");
        let last = scans(&app, &ticket).await.pop().expect("the second");
        app.advance(DAY);
        let path = format!("/venue/redemptions/{last}/undo");
        let refused = super::agent(&app, &springs).await.form(&app, &path, &[("reason", "扫错了券")]).await.page(422);
        assert!(refused.contains("只能撤销当天的核销"), "{refused}");
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn what_a_phone_noted_without_a_network_is_judged_by_when_it_happened(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |offer| {
            offer["batch"]["weekdays"] = json!([1, 2, 3, 4, 5]);
        }).await;
        let (ticket, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        // It happened on Friday and arrives on Saturday.
        app.advance(DAY);
        let agent = agent(&app, &springs).await;
        let told = agent.redeem_late(&app, "noted-0001", &code, DAY).await;
        assert_eq!((&told["verdict"], &told["late"]), (&json!("admitted"), &json!(true)), "{told}");
        let told = agent.redeem_late(&app, "noted-0001", &code, DAY + 5_000).await;
        assert_eq!((&told["verdict"], &told["left"]), (&json!("admitted"), &json!(1)), "{told}");
        let told = agent.redeem_late(&app, "noted-0002", &code, 3_600_000).await;
        assert_eq!(told["reason"], "not_today", "{told}");
        assert_eq!(scans(&app, &ticket).await.len(), 1);
        // A phone whose clock runs ahead is not believed to have been in the future.
        let told = agent.redeem_late(&app, "noted-0003", &code, -DAY).await;
        assert_eq!(told["reason"], "not_today", "{told}");
        let found = organizers(&app, &format!("/admin/vouchers?serial={}", serial(&ticket))).await;
        assert!(found.contains("补传"), "{found}");
    }

    async fn a_photograph_of_the_code_is_read(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let member = app.member("王小明").await;
        let (ticket, code) = voucher(&app, &member, &offer).await;
        let agent = agent(&app, &springs).await;
        let picture = app.http.get(format!("{}/api/v1/tickets/{ticket}/qr.png", app.url)).bearer_auth(&member.token);
        let picture = picture.send().await.expect("answer").bytes().await.expect("a picture").to_vec();
        let photograph = std::fs::read(data("qr/photo-close.jpg")).expect("a photograph");
        let text = std::fs::read_to_string(data("qr/photo-close.txt")).expect("its text");
        for (bytes, said) in [(picture, code.as_str()), (photograph, text.trim())] {
            let request = app.http.post(format!("{}/api/v1/venue/codes", app.url)).header("cookie", &agent.cookie).body(bytes);
            let answer = request.send().await.expect("answer");
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.json::<serde_json::Value>().await.expect("JSON"), json!({ "codes": [said] }));
        }
        let nonsense = app.http.post(format!("{}/api/v1/venue/codes", app.url)).header("cookie", &agent.cookie).body("no picture");
        assert_eq!(nonsense.send().await.expect("answer").status(), 422);
    }

    async fn the_list_a_phone_keeps_knows_what_is_good_and_names_nobody(app) {
        let (springs, lake) = (venue(&app, "南宫温泉水世界").await, venue(&app, "青龙湖公园").await);
        let (_, offer) = campaign(&app, &springs, |offer| offer["batch"]["weekdays"] = json!([1, 2, 3, 4, 5])).await;
        let (kept, given_up) = (app.member("王小明").await, app.member("李小红").await);
        let (ticket, code) = voucher(&app, &kept, &offer).await;
        let booked = app.booked(&given_up, &offer).await;
        let (here, there) = (agent(&app, &springs).await, agent(&app, &lake).await);
        let (_, text) = here.get(&app, "/api/v1/venue/vouchers").await;
        let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(list["vouchers"].as_array().expect("vouchers").len(), 2, "{text}");
        for secret in ["王", &serial(&ticket)[..5], &ticket, &code, &kept.phone] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        let days = list["batches"][0]["days"].as_array().expect("days");
        assert!(days[0] == "2027-03-05" && days[1] == "2027-03-08", "a Friday, and the Monday after: {days:?}");
        let print = |text: &str| data_encoding::HEXLOWER.encode(&Sha256::digest(text))[..16].to_owned();
        let of = |list: &serde_json::Value| {
            let mut all = list["vouchers"].as_array().expect("vouchers").iter();
            all.find(|voucher| voucher["code"] == print(&code).as_str()).cloned()
        };
        let mine = of(&list).expect("it is there");
        assert_eq!((&mine["left"], &mine["serial"]), (&json!(2), &json!(print(&serial(&ticket).replace('-', "")))));

        here.redeem(&app, "tap-00001", &code).await;
        app.post(&format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id")), &given_up.token, json!({})).await.expect(200);
        let list = serde_json::from_str(&here.get(&app, "/api/v1/venue/vouchers").await.1).expect("JSON");
        assert_eq!(of(&list).expect("still there")["left"], 1);
        assert_eq!(list["vouchers"].as_array().map(Vec::len), Some(1), "one was given up: {list}");
        let (_, other) = there.get(&app, "/api/v1/venue/vouchers").await;
        assert!(other.contains("\"vouchers\":[]"), "another venue sees its own only: {other}");
    }

    async fn an_account_of_the_role_venue_works_at_one_venue_and_can_be_sent_away(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let organizer = app.staff(Role::Organizer).await;
        let new = staff::add(&app.app.db, "水世界前台", Role::Venue, app.now()).await.expect("staff");
        let token = staff::session_for(&app.app.db, &new.id, app.now()).await.expect("session");
        assert_eq!(app.get("/venue", &token).await.status.as_u16(), 404, "at no venue yet");
        let path = format!("/admin/venues/{springs}/people");
        let wrong = send(&app, &path, (&organizer, ""), &[("act", "assign"), ("name", "没有这人")]).await;
        assert_eq!(wrong.answer.status.as_u16(), 422);
        send(&app, &path, (&organizer, ""), &[("act", "assign"), ("name", "水世界前台")]).await.leads_to("/admin/venues/");
        assert!(app.get("/venue", &token).await.text.contains("南宫温泉水世界"));
        send(&app, &path, (&organizer, ""), &[("act", "dismiss"), ("staff", &new.id)]).await.leads_to("/admin/venues/");
        assert_ne!(app.get("/venue", &token).await.status.as_u16(), 200, "it opens nothing any more");
    }

    async fn a_contribution_is_paid_at_the_counter_and_paid_back_when_cancelled(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| offer["contribution_cents"] = 1_000.into()).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        assert_eq!(booked["status"], "held", "{booked}");
        let booking = booked["id"].as_str().expect("id").to_owned();
        let organizer = app.staff(Role::Organizer).await;
        let confirmed = app.post(&format!("/api/v1/bookings/{booking}/confirmation"), &member.token, json!({})).await;
        let agent = agent(&app, &springs).await;
        let shown = app.get(&format!("/api/v1/bookings/{booking}"), &member.token).await.expect(200);
        let ticket = shown["tickets"][0]["id"].as_str().unwrap_or_else(|| panic!("{shown} {confirmed:?}")).to_owned();
        assert_eq!(agent.redeem(&app, "unpaid-01", &serial(&ticket)).await["reason"], "unpaid");
        let lookup = format!("/admin/vouchers?serial={}", serial(&ticket));
        assert!(organizers(&app, &lookup).await.contains("待缴费"));
        send(&app, &format!("/admin/events/{event}/line/{booking}/payment"), (&organizer, ""), &[("method", "cash")]).await;
        assert!(organizers(&app, &lookup).await.contains("未使用"));
        let refund = format!("/admin/events/{event}/line/{booking}/refund");
        assert_eq!(send(&app, &refund, (&organizer, ""), &[("method", "cash")]).await.answer.status.as_u16(), 409, "it is not cancelled");
        app.post(&format!("/api/v1/bookings/{booking}/cancellation"), &member.token, json!({})).await.expect(200);
        let found = organizers(&app, &lookup).await;
        assert!(found.contains("已取消") && found.contains("已缴 10 元"), "{found}");
        send(&app, &refund, (&organizer, ""), &[("method", "cash")]).await.leads_to("/line");
        assert!(organizers(&app, &lookup).await.contains("已退费"));
        assert_eq!(agent.redeem(&app, "after-all", &serial(&ticket)).await["reason"], "cancelled");
    }
}
