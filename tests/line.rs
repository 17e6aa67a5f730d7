//! The waiting list and places that are held: nobody overtakes, a free place goes to the first, what is not taken in
//! time goes to the next.

use futures_util::future::join_all;
use serde_json::{Value, json};
use turnout_server::{archive::verify, booking::held::sweep, execute, web::access::Role};

use crate::support::{Engine, TestApp, form::typed, on_both, people::Member};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// An offer with a waiting list; who is promoted has two hours.
fn with_a_line(quota: i64) -> impl FnOnce(&mut Value) {
    move |draft| {
        let offer = &mut draft["offers"][0];
        offer["quota"] = quota.into();
        offer["waiting_list"] = true.into();
        offer["per_person"] = 4.into();
        offer["guests_max"] = 3.into();
    }
}

impl TestApp {
    async fn members<const N: usize>(&self) -> [Member; N] {
        let mut members = Vec::new();
        for n in 0..N {
            members.push(self.member(&format!("会员{n}")).await);
        }
        members.try_into().unwrap_or_else(|_| unreachable!("so many were made"))
    }

    async fn joins(&self, member: &Member, offer: &str) -> Value {
        self.book_with(&member.token, "tap", json!({ "offer": offer })).await.expect(201)
    }

    async fn how(&self, member: &Member, booked: &Value) -> Value {
        let path = format!("/api/v1/bookings/{}", id(booked));
        self.get(&path, &member.token).await.expect(200)
    }

    async fn does(
        &self,
        member: &Member,
        booked: &Value,
        what: &str,
    ) -> crate::support::app::Answer {
        self.post(&format!("/api/v1/bookings/{}/{what}", id(booked)), &member.token, json!({}))
            .await
    }

    async fn in_order(&self) {
        let findings = verify(&self.app.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");
    }
}

fn id(booked: &Value) -> &str {
    booked["id"].as_str().expect("id")
}

on_both! {
    async fn who_finds_no_place_stands_in_line_and_moves_up(app) {
        let (_, offer) = app.event(with_a_line(1)).await;
        let [first, second, third] = app.members().await;
        let won = app.joins(&first, &offer).await;
        assert_eq!(won["status"], "confirmed");
        let (waiting, behind) = (app.joins(&second, &offer).await, app.joins(&third, &offer).await);
        assert_eq!((&waiting["status"], &waiting["position"]), (&json!("waiting"), &json!(1)));
        assert_eq!((&behind["status"], &behind["position"]), (&json!("waiting"), &json!(2)));
        assert_eq!(behind["tickets"], json!([]));
        // The same tap again gives the same answer, wherever one stands by now.
        app.does(&second, &waiting, "cancellation").await.expect(200);
        assert_eq!(app.how(&third, &behind).await["position"], 1);
        assert_eq!(app.joins(&third, &offer).await, behind);
        app.in_order().await;
    }

    async fn a_cancelled_place_is_held_for_the_first_in_line(app) {
        let (event, offer) = app.event(with_a_line(1)).await;
        let [first, second, third] = app.members().await;
        let won = app.joins(&first, &offer).await;
        let (waiting, behind) = (app.joins(&second, &offer).await, app.joins(&third, &offer).await);
        app.does(&first, &won, "cancellation").await.expect(200);
        let held = app.how(&second, &waiting).await;
        assert_eq!(held["status"], "held");
        assert_eq!(held["held_until_ms"], app.now().0 + 2 * HOUR);
        assert!(app.messages_to(&second.phone).await[0].contains(id(&waiting)), "they are told where to confirm");
        // The place is promised: whoever comes now stands behind.
        let late = app.member("来晚").await;
        assert_eq!(app.joins(&late, &offer).await["position"], 2);
        let confirmed = app.does(&second, &waiting, "confirmation").await.expect(200);
        assert_eq!(confirmed["status"], "confirmed");
        assert_eq!(confirmed["tickets"].as_array().map(Vec::len), Some(1));
        // Again changes nothing; another's booking is not there.
        assert_eq!(app.does(&second, &waiting, "confirmation").await.expect(200), confirmed);
        assert_eq!(app.does(&third, &waiting, "confirmation").await.refused(404), "not_found");
        assert_eq!(app.does(&third, &behind, "confirmation").await.refused(409), "not_held");
        let shown = app.get(&format!("/api/v1/events/{event}"), "").await.expect(200);
        assert_eq!(shown["offers"][0]["left"], 0);
        app.in_order().await;
    }

    async fn what_is_not_confirmed_in_time_goes_to_the_next(app) {
        let (_, offer) = app.event(with_a_line(1)).await;
        let [first, second, third] = app.members().await;
        let won = app.joins(&first, &offer).await;
        let (waiting, behind) = (app.joins(&second, &offer).await, app.joins(&third, &offer).await);
        app.does(&first, &won, "cancellation").await.expect(200);
        app.advance(2 * HOUR);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0, "the last millisecond is theirs");
        app.advance(1);
        // Too late, whether or not the sweep came by.
        assert_eq!(app.does(&second, &waiting, "confirmation").await.refused(409), "lapsed");
        assert_eq!(sweep(&app.app).await.expect("sweep"), 1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        assert_eq!(app.how(&second, &waiting).await["status"], "lapsed");
        assert_eq!(app.how(&third, &behind).await["status"], "held");
        // Who lapsed may try again, from the end of the line.
        let again = app.book_with(&second.token, "again", json!({ "offer": offer })).await.expect(201);
        assert_eq!(again["position"], 1);
        app.in_order().await;
    }

    async fn a_group_gets_all_its_places_or_waits(app) {
        let (_, offer) = app.event(with_a_line(3)).await;
        let [one, two, three, single] = app.members().await;
        let booked = [app.joins(&one, &offer).await, app.joins(&two, &offer).await, app.joins(&three, &offer).await];
        let group = app.member("一家").await;
        let request = json!({ "offer": offer, "guests": ["甲"] });
        let group_booked = app.book_with(&group.token, "tap", request).await.expect(201);
        let behind = app.joins(&single, &offer).await;
        app.does(&one, &booked[0], "cancellation").await.expect(200);
        assert_eq!(app.how(&group, &group_booked).await["status"], "waiting", "one place is not two");
        assert_eq!(app.how(&single, &behind).await["status"], "waiting", "nobody overtakes");
        app.does(&two, &booked[1], "cancellation").await.expect(200);
        assert_eq!(app.how(&group, &group_booked).await["status"], "held");
        let confirmed = app.does(&group, &group_booked, "confirmation").await.expect(200);
        assert_eq!(confirmed["tickets"].as_array().map(Vec::len), Some(2));
        app.in_order().await;
    }

    async fn when_the_head_leaves_the_next_moves_up(app) {
        let (_, offer) = app.event(with_a_line(3)).await;
        let [one, two, three, single] = app.members().await;
        let won = app.joins(&one, &offer).await;
        app.joins(&two, &offer).await;
        app.joins(&three, &offer).await;
        let group = app.member("一家").await;
        let request = json!({ "offer": offer, "guests": ["甲", "乙"] });
        let group_booked = app.book_with(&group.token, "tap", request).await.expect(201);
        let behind = app.joins(&single, &offer).await;
        app.does(&one, &won, "cancellation").await.expect(200);
        assert_eq!(app.how(&single, &behind).await["status"], "waiting");
        app.does(&group, &group_booked, "cancellation").await.expect(200);
        assert_eq!(app.how(&single, &behind).await["status"], "held");
        app.in_order().await;
    }

    async fn nobody_waits_for_more_places_than_there_are(app) {
        let (event, offer) = app.event(with_a_line(2)).await;
        let [one, two, three] = app.members().await;
        let group = app.member("一大家").await;
        let all = json!({ "offer": offer, "guests": ["甲", "乙"] });
        // At the head of the line they would keep everybody from the places that are free.
        assert_eq!(app.book_with(&group.token, "all", all).await.refused(409), "limit_reached");
        let booked = [app.joins(&one, &offer).await, app.joins(&two, &offer).await];
        assert!(booked.iter().all(|booked| booked["status"] == "confirmed"));
        let pair = json!({ "offer": offer, "guests": ["甲"] });
        let pair = app.book_with(&group.token, "pair", pair).await.expect(201);
        assert_eq!(app.joins(&three, &offer).await["position"], 2);
        // Nor is the quota lowered below what somebody waits for.
        app.does(&two, &booked[1], "cancellation").await.expect(200);
        let organizer = app.staff(Role::Organizer).await;
        let edit = format!("/admin/events/{event}/offers/{offer}");
        let quota = async |places: &str| {
            let mut form = typed(&app.get(&edit, &organizer).await.text);
            form.retain(|(name, _)| name != "quota");
            form.push(("quota".to_owned(), places.to_owned()));
            let request = app.http.post(format!("{}{edit}", app.url)).bearer_auth(&organizer).form(&form);
            let answer = request.send().await.expect("answer");
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        };
        let (status, page) = quota("1").await;
        assert!(status == 422 && page.contains("有一组 2 人"), "{page}");
        assert_eq!(quota("3").await.0, 303);
        assert_eq!(app.how(&group, &pair).await["status"], "held");
        app.in_order().await;
    }

    async fn nobody_is_put_out_of_the_line_before_there_is_a_place(app) {
        let (_, offer) = app.event(with_a_line(1)).await;
        let [holder, moved, next] = app.members().await;
        let won = app.joins(&holder, &offer).await;
        let (waiting, behind) = (app.joins(&moved, &offer).await, app.joins(&next, &offer).await);
        let roster = async |status: &str| {
            let mut tx = app.app.db.write().await.expect("write");
            execute!(tx, "update person set status = $2 where id = $1", &moved.id, status).expect("update");
            tx.commit().await.expect("commit");
        };
        // Something changes, and no place is free: whether they may have one is not asked.
        roster("left").await;
        app.does(&next, &behind, "cancellation").await.expect(200);
        assert_eq!(app.how(&moved, &waiting).await["status"], "waiting");
        let behind = app.book_with(&next.token, "again", json!({ "offer": offer })).await.expect(201);
        app.does(&holder, &won, "cancellation").await.expect(200);
        assert_eq!(app.how(&moved, &waiting).await["status"], "cancelled");
        assert_eq!(app.how(&next, &behind).await["status"], "held");
        app.in_order().await;
    }

    async fn of_a_cancelled_event_nothing_is_given_and_nobody_is_late(app) {
        let (event, offer) = app.event(|draft| draft["offers"][0]["hold_ms"] = (15 * MINUTE).into()).await;
        let (asking, approved) = app.event(|draft| draft["offers"][0]["mode"] = "approval".into()).await;
        let [holder, asker] = app.members().await;
        let (held, asked) = (app.joins(&holder, &offer).await, app.joins(&asker, &approved).await);
        let organizer = app.staff(Role::Organizer).await;
        for event in [&event, &asking] {
            let change = json!({ "status": "cancelled", "cancel_note": "因暴雨取消" });
            app.send(reqwest::Method::PATCH, &format!("/api/v1/events/{event}"), &organizer, Some(change)).await.expect(200);
        }
        assert_eq!(app.does(&holder, &held, "confirmation").await.refused(409), "cancelled");
        let decision = format!("{}/admin/events/{asking}/line/{}/decision", app.url, id(&asked));
        let request = app.http.post(decision).bearer_auth(&organizer).form(&[("what", "approve")]);
        assert_eq!(request.send().await.expect("answer").status(), 409);
        app.advance(15 * MINUTE + 1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        let page = app.get(&format!("/bookings/{}", id(&held)), &holder.token).await.text;
        assert!(page.contains("活动已取消") && !page.contains("保留的时间已过"), "{page}");
        let told = app.messages_to(&holder.phone).await;
        assert!(told.len() == 1 && told[0].contains("因暴雨取消"), "{told:?}");
        app.in_order().await;
    }

    async fn who_is_not_on_the_roster_any_more_is_not_approved(app) {
        let (event, offer) = app.event(|draft| draft["offers"][0]["mode"] = "approval".into()).await;
        let [asker] = app.members().await;
        let asked = app.joins(&asker, &offer).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update person set status = 'left' where id = $1", &asker.id).expect("left");
        tx.commit().await.expect("commit");
        let organizer = app.staff(Role::Organizer).await;
        let decision = format!("{}/admin/events/{event}/line/{}/decision", app.url, id(&asked));
        let request = app.http.post(decision).bearer_auth(&organizer).form(&[("what", "approve")]);
        let answer = request.send().await.expect("answer");
        assert_eq!(answer.status(), 409);
        assert!(answer.text().await.expect("a page").contains("不在可以报名的范围里"));
        assert_eq!(app.how(&asker, &asked).await["status"], "requested");
    }

    async fn a_contribution_is_paid_at_the_counter_in_time(app) {
        let (event, offer) = app.event(|draft| {
            draft["offers"][0]["quota"] = 2.into();
            draft["offers"][0]["contribution_cents"] = 1_000.into();
        }).await;
        let [first, second] = app.members().await;
        let (paying, slow) = (app.joins(&first, &offer).await, app.joins(&second, &offer).await);
        assert_eq!((&paying["status"], &slow["status"]), (&json!("held"), &json!("held")));
        assert_eq!(app.how(&first, &paying).await["held_until_ms"], app.now().0 + 3 * HOUR);
        assert_eq!(app.does(&first, &paying, "confirmation").await.refused(409), "unpaid");
        let organizer = app.staff(Role::Organizer).await;
        let pay = format!("/admin/events/{event}/line/{}/payment", id(&paying));
        let request = app.http.post(format!("{}{pay}", app.url)).bearer_auth(&organizer);
        let answer = request.form(&[("method", "cash")]).send().await.expect("answer");
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap_or_default());
        assert_eq!(app.how(&first, &paying).await["status"], "confirmed");
        let page = app.get(&format!("/admin/events/{event}/line"), &organizer).await;
        assert!(page.text.contains("已缴费") && page.text.contains("10 元"), "{}", page.text);
        app.advance(3 * HOUR + 1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 1);
        assert_eq!(app.how(&second, &slow).await["status"], "lapsed");
        assert_eq!(app.how(&first, &paying).await["status"], "confirmed");
        app.in_order().await;
    }

    async fn a_place_is_held_for_a_quarter_of_an_hour_and_then_free_again(app) {
        let (_, offer) = app.event(|draft| {
            draft["offers"][0]["quota"] = 1.into();
            draft["offers"][0]["hold_ms"] = (15 * MINUTE).into();
        }).await;
        let [first, second] = app.members().await;
        let held = app.joins(&first, &offer).await;
        assert_eq!((&held["status"], &held["tickets"]), (&json!("held"), &json!([])));
        let full = app.book_with(&second.token, "early", json!({ "offer": offer })).await;
        assert_eq!(full.refused(409), "sold_out", "a held place is taken");
        app.advance(15 * MINUTE);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        app.advance(1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 1);
        assert_eq!(app.how(&first, &held).await["status"], "lapsed");
        let page = app.get(&format!("/bookings/{}", id(&held)), &first.token).await;
        assert!(page.text.contains("保留的时间已过"), "{}", page.text);
        let next = async { while app.book_with(&second.token, "later", json!({ "offer": offer })).await.status != 201 {} };
        tokio::time::timeout(std::time::Duration::from_secs(5), next).await.expect("it is free again");
        app.in_order().await;
    }

    async fn who_is_approved_when_it_is_full_stands_in_line(app) {
        let (event, offer) = app.event(|draft| {
            draft["offers"][0]["mode"] = "approval".into();
            draft["offers"][0]["quota"] = 1.into();
            draft["offers"][0]["waiting_list"] = true.into();
            draft["offers"][0]["contribution_cents"] = 500.into();
        }).await;
        let [first, second, third] = app.members().await;
        let asked = [app.joins(&first, &offer).await, app.joins(&second, &offer).await, app.joins(&third, &offer).await];
        let organizer = app.staff(Role::Organizer).await;
        let sends = async |booked: &Value, what: &str, field: (&str, &str)| {
            let path = format!("{}/admin/events/{event}/line/{}/{what}", app.url, id(booked));
            let request = app.http.post(path).bearer_auth(&organizer).form(&[field]);
            request.send().await.expect("answer").status().as_u16()
        };
        for at in [1, 2, 0] {
            for _ in 0..2 {
                assert_eq!(sends(&asked[at], "decision", ("what", "approve")).await, 303, "twice is once");
            }
        }
        // The order is that of approval; the first of it has the place, to be paid.
        assert_eq!(app.how(&second, &asked[1]).await["status"], "held");
        assert_eq!((app.how(&third, &asked[2]).await["position"].as_i64(), app.how(&first, &asked[0]).await["position"].as_i64()), (Some(1), Some(2)));
        assert!(app.messages_to(&first.phone).await.join("").contains("候补第 2 位"));
        // A cancellation's place goes to the line first, held until it is paid.
        app.does(&second, &asked[1], "cancellation").await.expect(200);
        let held = app.how(&third, &asked[2]).await;
        assert_eq!((&held["status"], &held["held_until_ms"]), (&json!("held"), &json!(app.now().0 + 3 * HOUR)));
        assert_eq!(app.does(&third, &asked[2], "confirmation").await.refused(409), "unpaid");
        assert_eq!(sends(&asked[2], "payment", ("method", "cash")).await, 303);
        let late = app.member("还没审").await;
        let request = app.joins(&late, &offer).await;
        for (what, words) in [("", "等待审核"), ("decline", "没有通过审核")] {
            if !what.is_empty() {
                assert_eq!(sends(&request, "decision", ("what", what)).await, 303);
            }
            let page = app.get(&format!("/bookings/{}", id(&request)), &late.token).await.text;
            assert!(page.contains(words), "{words}: {page}");
        }
        assert_eq!(app.how(&third, &asked[2]).await["status"], "confirmed");
        assert_eq!(app.how(&first, &asked[0]).await["position"], 1);
        app.in_order().await;
    }

    async fn an_organizer_approves_within_the_quota_or_declines(app) {
        let (event, offer) = app.event(|draft| {
            draft["offers"][0]["mode"] = "approval".into();
            draft["offers"][0]["quota"] = 1.into();
        }).await;
        let [first, second, third] = app.members().await;
        let mut asked = Vec::new();
        for member in [&first, &second, &third] {
            let booked = app.joins(member, &offer).await;
            assert_eq!(booked["status"], "requested");
            asked.push(booked);
        }
        let again = app.book_with(&first.token, "again", json!({ "offer": offer })).await;
        assert_eq!(again.refused(409), "limit_reached");
        // The door knows the ticket, and says that it is not approved yet.
        let kiosk = app.kiosk(&event, "东门").await;
        let ticket = asked[0]["tickets"][0]["id"].as_str().expect("id").to_owned();
        let state = async || {
            let rows = kiosk.feed(0).await.tickets;
            let row = rows.iter().find(|row| row.fact.id.to_string() == ticket).expect("in the feed");
            serde_json::to_value(row).expect("plain data")["state"].clone()
        };
        assert_eq!(state().await, "unapproved");
        let organizer = app.staff(Role::Organizer).await;
        let decide = async |booked: &Value, what: &str| {
            let path = format!("{}/admin/events/{event}/line/{}/decision", app.url, id(booked));
            let request = app.http.post(path).bearer_auth(&organizer).form(&[("what", what)]);
            request.send().await.expect("answer").status().as_u16()
        };
        assert_eq!(decide(&asked[0], "approve").await, 303);
        assert_eq!(state().await, "valid");
        assert_eq!(decide(&asked[1], "approve").await, 409, "there is one place");
        assert_eq!(decide(&asked[1], "decline").await, 303);
        assert_eq!(decide(&asked[1], "approve").await, 409, "it was decided");
        assert_eq!(app.how(&first, &asked[0]).await["status"], "confirmed");
        assert_eq!(app.how(&second, &asked[1]).await["status"], "declined");
        assert_eq!(app.how(&third, &asked[2]).await["status"], "requested");
        assert!(app.messages_to(&second.phone).await.join("").contains("没有通过审核"));
        app.in_order().await;
    }

    async fn the_pages_say_where_one_stands(app) {
        let (event, offer) = app.event(with_a_line(1)).await;
        let [first, second, third] = app.members().await;
        let won = app.joins(&first, &offer).await;
        let page = app.get(&format!("/events/{event}"), &second.token).await;
        assert!(page.text.contains("排队候补") && page.text.contains(">名额先给候补的人，现在前面没有人。"), "{}", page.text);
        let waiting = app.joins(&second, &offer).await;
        app.joins(&third, &offer).await;
        let page = app.get(&format!("/bookings/{}", id(&waiting)), &second.token).await;
        assert!(page.text.contains("您排在候补第 1 位"), "{}", page.text);
        app.does(&first, &won, "cancellation").await.expect(200);
        let page = app.get(&format!("/bookings/{}", id(&waiting)), &second.token).await;
        assert!(page.text.contains("确认要这个名额"), "{}", page.text);
        let organizer = app.staff(Role::Organizer).await;
        let page = app.get(&format!("/admin/events/{event}/line"), &organizer).await;
        assert!(page.text.contains("轮到，等待确认") && page.text.contains("本人取消"), "{}", page.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_holds_across_two_servers() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (_, offer) = app.event(with_a_line(5)).await;
    let members: [Member; 30] = app.members().await;
    let booked = join_all(members.iter().enumerate().map(|(n, member)| {
        let at = if n % 2 == 0 { &app } else { &twin };
        at.joins(member, &offer)
    }))
    .await;
    let confirmed = booked.iter().filter(|booked| booked["status"] == "confirmed").count();
    assert_eq!(confirmed, 5);
    let mut positions: Vec<i64> =
        booked.iter().filter_map(|booked| booked["position"].as_i64()).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=25).collect::<Vec<_>>(), "each has a position of their own");
    // All who have a place give it up at both servers at once: the first five in line are asked, each once.
    join_all(members.iter().zip(&booked).enumerate().map(|(n, (member, booked))| {
        let at = if n % 3 == 0 { &app } else { &twin };
        async move {
            if booked["status"] == "confirmed" {
                at.does(member, booked, "cancellation").await.expect(200);
            }
        }
    }))
    .await;
    for (member, booked) in members.iter().zip(&booked) {
        let expected = match booked["position"].as_i64() {
            None => "cancelled",
            Some(..=5) => "held",
            Some(_) => "waiting",
        };
        assert_eq!(app.how(member, booked).await["status"], expected);
    }
    app.in_order().await;
}
