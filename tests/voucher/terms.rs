//! Batches: what an organizer may say of them, and that every door and page keeps to it.

use admission::{Reason, Refusal, Verdict};
use serde_json::json;
use turnout_server::{execute, web::access::Role};

use super::{DAY, agent, campaign, organizers, serial, venue, voucher};
use crate::{
    fair::{page, send},
    support::on_both,
};

on_both! {
    async fn a_batch_that_makes_no_sense_is_refused_with_the_reason(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let organizer = app.staff(Role::Organizer).await;
        let (event, _) = campaign(&app, &springs, |_| {}).await;
        let form = |change: &'static [(&'static str, &'static str)], springs: &str| {
            let mut fields = vec![
                ("name", "第二批"), ("quota", "10"), ("opens", "2027-03-01T09:00"), ("closes", "2027-04-01T09:00"), ("per_person", "1"),
                ("guests_max", "0"), ("eligibility", "members"), ("mode", "first_come"), ("accept", "120"), ("uses", "2"),
                ("face", "128"), ("price", "60"), ("weekday", "1"), ("closed", "2027-05-01"),
            ];
            fields.retain(|(field, _)| !change.iter().any(|(changed, _)| changed == field));
            fields.extend(change);
            let mut fields: Vec<(String, String)> = fields.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            fields.push(("venue".to_owned(), springs.to_owned()));
            fields
        };
        let path = format!("/admin/events/{event}/offers");
        let post = async |fields: Vec<(String, String)>| {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            send(&app, &path, (&organizer, ""), &fields).await
        };
        for (change, said) in [
            (&[("price", "200")][..], "结算价不能高于门市价"),
            (&[("closed", "五一放假")][..], "「五一放假」不是日期"),
            (&[("contribution", "500")][..], "工会不从中收钱"),
        ] {
            let again = post(form(change, &springs)).await.page(422);
            assert!(again.contains(said) && again.contains("第二批"), "{said}: {again}");
        }
        let nobody = post(form(&[], "none")).await.page(422);
        assert!(nobody.contains("没有这家场馆"), "{nobody}");
        post(form(&[("contribution", "10")], &springs)).await.leads_to("done=offer");
        let edit = organizers(&app, &format!("/admin/events/{event}/edit")).await;
        let offer = edit.rsplit("/offers/").find_map(|part| part.split('"').next().filter(|id| id.len() == 36)).expect("the offer");
        let shown = organizers(&app, &format!("{path}/{offer}")).await;
        assert!(shown.contains("2027-05-01") && shown.contains("会员 10 元，工会 110 元，场馆让利 136 元"), "{shown}");
    }

    async fn a_voucher_is_refused_on_days_left_out_and_its_holder_told_when_to_come(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| {
            offer["batch"]["weekdays"] = json!([1, 2, 3, 4, 5]);
            offer["batch"]["closed"] = json!(["2027-03-08"]);
        }).await;
        let member = app.member("王小明").await;
        let (ticket, code) = voucher(&app, &member, &offer).await;
        let kiosk = app.kiosk(&event, "南宫温泉水世界").await;
        assert_eq!(kiosk.check(&ticket).await, Verdict::Admitted, "it is a Friday");
        let post = kiosk.feed(0).await.post;
        let days = post.event.terms(0).days.expect("the feed carries the days");
        assert_eq!((days.weekdays, days.closed.len(), days.zone.as_str()), (0b1_1111, 1, "Asia/Shanghai"));
        assert_eq!(post.venue.as_deref(), Some(springs.as_str()), "the station has the venue's name");

        app.advance(DAY);
        let Verdict::Refused(Refusal::NotToday { next: Some(next), closed: false, .. }) = kiosk.check(&ticket).await else {
            panic!("it is a Saturday")
        };
        // Sunday is left out by its weekday, Monday by its date.
        assert_eq!(next.since(app.now()), 3 * DAY - 9 * 3_600_000);
        let agent = agent(&app, &springs).await;
        let refused = agent.redeem(&app, "saturday-1", &code).await;
        assert_eq!((&refused["verdict"], &refused["reason"]), (&json!("refused"), &json!("not_today")), "{refused}");
        assert_eq!(refused["next"], "周末不可用，请周一至周五来。下一个可用日：3月9日 周二。");
        assert_eq!(refused["left"], 2);
        let shown = page(&app, &format!("/tickets/{ticket}"), &member.token).await;
        assert!(shown.contains("周一至周五；3月8日 除外") && shown.contains("南宫温泉水世界"), "{shown}");
    }

    async fn no_serial_says_anything_of_the_next(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |offer| offer["guests_max"] = 0.into()).await;
        // Booked in the same moment: were the time in a serial, whoever has one could guess the others.
        let mut beginnings = std::collections::HashSet::new();
        for n in 0..8 {
            let (ticket, _) = voucher(&app, &app.member(&format!("会员{n}")).await, &offer).await;
            beginnings.insert(serial(&ticket)[..4].to_owned());
        }
        assert!(beginnings.len() > 6, "{beginnings:?}");

        // Ids of older tickets did not tell when they were made, and their serials were how they began.
        let (ticket, _) = voucher(&app, &app.member("王小明").await, &offer).await;
        let agent = agent(&app, &springs).await;
        assert_eq!(agent.redeem(&app, "by-its-time", &ticket[..10]).await["verdict"], "refused");
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update ticket set created_ms = 0 where id = $1", &ticket).expect("an older ticket");
        tx.commit().await.expect("commit");
        assert_eq!(agent.redeem(&app, "as-printed", &ticket[..10]).await["verdict"], "admitted");
    }

    async fn a_voucher_of_another_venue_is_sent_there(app) {
        let (springs, lake) = (venue(&app, "南宫温泉水世界").await, venue(&app, "青龙湖公园").await);
        let (event, offer) = campaign(&app, &springs, |_| {}).await;
        let now = app.now().0;
        let organizer = app.staff(Role::Organizer).await;
        // The lake takes part in the same campaign.
        let lake_id = lake.clone();
        let form = [
            ("name", "湖区券"), ("quota", "10"), ("opens", "2027-03-01T09:00"), ("closes", "2027-04-01T09:00"), ("per_person", "1"),
            ("guests_max", "0"), ("eligibility", "members"), ("mode", "first_come"), ("accept", "120"), ("face", "30"), ("price", "20"),
            ("venue", &lake_id),
        ];
        send(&app, &format!("/admin/events/{event}/offers"), (&organizer, ""), &form).await.leads_to("done=offer");
        let (ticket, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        let kiosk = app.kiosk(&event, "青龙湖公园").await;
        assert_eq!(kiosk.check(&ticket).await.reason(), Some(Reason::WrongStation));
        let desk = app.kiosk(&event, "工会服务站").await;
        assert_eq!(desk.check(&ticket).await, Verdict::Admitted, "a desk of the federation takes them all");
        let there = agent(&app, &lake).await.redeem(&app, "at-the-lake", &code).await;
        assert_eq!(there["reason"], "wrong_station");
        assert_eq!((&there["holder"], &there["serial"], &there["left"]), (&json!(null), &json!(null), &json!(null)), "{there}");
        assert!(app.now().0 >= now);
    }

    async fn a_holder_sees_uses_left_serial_venue_and_companions(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let member = app.member("王小明").await;
        let (ticket, code) = voucher(&app, &member, &offer).await;
        let path = format!("/tickets/{ticket}");
        let shown = page(&app, &path, &member.token).await;
        for part in [&serial(&ticket), "还可以用 2 / 2 次", "一张券可再带 2 人", "南宫大街"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let agent = agent(&app, &springs).await;
        agent.redeem(&app, "first-use", &code).await;
        let shown = page(&app, &path, &member.token).await;
        assert!(shown.contains("还可以用 1 / 2 次") && shown.contains("<svg"), "it is still good: {shown}");
        agent.redeem(&app, "second-use", &code).await;
        let shown = page(&app, &path, &member.token).await;
        assert!(shown.contains("已用完") && !shown.contains("还可以用"), "{shown}");
    }
}
