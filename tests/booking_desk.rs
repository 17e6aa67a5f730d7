//! The booking desk: staff remove bookings, move the line by hand, note refunds and decide on several requests, each
//! with its trace.

use serde_json::{Value, json};
use turnout_server::{archive::verify, booking::held::sweep, fetch, web::access::Role};

use crate::support::{TestApp, app::Answer, on_both, people::Member};

struct Desk<'a> {
    app: &'a TestApp,
    event: String,
    offer: String,
    organizer: String,
}

impl<'a> Desk<'a> {
    async fn new(app: &'a TestApp, change: impl FnOnce(&mut Value)) -> Self {
        let (event, offer) = app
            .event(|draft| {
                let offer = &mut draft["offers"][0];
                offer["quota"] = 1.into();
                offer["waiting_list"] = true.into();
                offer["per_person"] = 4.into();
                offer["guests_max"] = 3.into();
                change(offer);
            })
            .await;
        Self { app, event, offer, organizer: app.staff(Role::Organizer).await }
    }

    async fn books(&self, name: &str, guests: &[&str]) -> (Member, Value) {
        let member = self.app.member(name).await;
        let request = json!({ "offer": self.offer, "guests": guests });
        let booked = self.app.book_with(&member.token, "tap", request).await.expect(201);
        (member, booked)
    }

    /// Sends a form of a booking's page.
    async fn does(&self, booked: &Value, what: &str, fields: &[(&str, &str)]) -> Answer {
        self.sends(&format!("{}/{what}", id(booked)), fields).await
    }

    async fn sends(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let url = format!("{}/admin/events/{}/line/{path}", self.app.url, self.event);
        let request = self.app.http.post(url).bearer_auth(&self.organizer).form(fields);
        let answer = request.send().await.expect("answer");
        Answer { status: answer.status(), text: answer.text().await.expect("a body") }
    }

    async fn page(&self, path: &str) -> String {
        let path = format!("/admin/events/{}/line{path}", self.event);
        self.app.get(&path, &self.organizer).await.text
    }

    async fn how(&self, (member, booked): &(Member, Value)) -> String {
        let path = format!("/api/v1/bookings/{}", id(booked));
        let booking = self.app.get(&path, &member.token).await.expect(200);
        booking["status"].as_str().expect("a status").to_owned()
    }

    async fn position(&self, (member, booked): &(Member, Value)) -> i64 {
        let path = format!("/api/v1/bookings/{}", id(booked));
        let booking = self.app.get(&path, &member.token).await.expect(200);
        booking["position"].as_i64().unwrap_or(0)
    }

    async fn audited(&self, action: &str) -> Vec<(String, String)> {
        let mut tx = self.app.app.db.read().await.expect("read");
        fetch!(
            tx,
            fetch_all,
            "select subject, note from audit where action = $1 order by at_ms, id",
            action,
        )
        .expect("audit")
    }

    async fn balanced(&self) {
        let findings = verify(&self.app.app.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");
    }
}

fn id(booked: &Value) -> &str {
    booked["id"].as_str().expect("id")
}

on_both! {
    async fn staff_remove_a_booking_with_a_reason_and_the_line_moves_up(app) {
        let desk = Desk::new(&app, |_| {}).await;
        let (first, second) = (desk.books("王小明", &[]).await, desk.books("李候补", &[]).await);
        let kiosk = app.kiosk(&desk.event, "东门").await;
        for without in [&[][..], &[("reason", "  ")]] {
            let answer = desk.does(&first.1, "removal", without).await;
            assert_eq!(answer.status, 422, "a reason is needed");
        }
        let seen = kiosk.feed(0).await.revision;
        let answer = desk.does(&first.1, "removal", &[("reason", "重复报名")]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!((desk.how(&first).await.as_str(), desk.how(&second).await.as_str()), ("cancelled", "held"));
        let told = app.messages_to(&first.0.phone).await.join("\n");
        assert!(told.contains("被主办方取消：重复报名"), "{told}");
        assert!(app.messages_to(&second.0.phone).await.join("").contains("轮到您了"));
        // The door hears of it, the holder reads why, and the log and the audit say who did it.
        let changed = serde_json::to_value(kiosk.feed(seen).await.tickets).expect("plain data");
        assert_eq!(changed[0]["state"], "cancelled", "{changed}");
        let shown = app.get(&format!("/bookings/{}", id(&first.1)), &first.0.token).await.text;
        assert!(shown.contains("主办方取消了这个报名") && shown.contains("重复报名"), "{shown}");
        let log = desk.page(&format!("/{}", id(&first.1))).await;
        assert!(log.contains("主办方取消") && log.contains("重复报名"), "{log}");
        assert_eq!(desk.audited("booking.remove").await, [(id(&first.1).to_owned(), "重复报名".to_owned())]);
        // Again changes nothing, and who was removed may book again.
        assert_eq!(desk.does(&first.1, "removal", &[("reason", "再来一次")]).await.status, 303);
        assert_eq!(desk.audited("booking.remove").await.len(), 1);
        let again = app.book_with(&first.0.token, "again", json!({ "offer": desk.offer })).await.expect(201);
        assert_eq!(again["status"], "waiting");
        desk.balanced().await;
    }

    async fn who_went_in_is_not_removed_and_other_events_bookings_are_not_there(app) {
        let desk = Desk::new(&app, |_| {}).await;
        let booked = desk.books("已入场", &[]).await;
        let ticket = booked.1["tickets"][0]["id"].as_str().expect("id").to_owned();
        let admission = format!("{}/admin/events/{}/list/{ticket}/admission", app.url, desk.event);
        let done = app.http.post(admission).bearer_auth(&desk.organizer).form(&[("note", "")]).send().await.expect("answer");
        assert_eq!(done.status(), 303);
        let refused = desk.does(&booked.1, "removal", &[("reason", "弄错了")]).await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("先在名单里撤销入场"), "{}", refused.text);
        // An id is no permission: by way of another event nothing is found, by a member nothing at all.
        let other = Desk::new(&app, |_| {}).await;
        for what in ["removal", "turn", "refund", "payment", "decision"] {
            let fields = [("reason", "x"), ("what", "now"), ("method", "cash")];
            assert_eq!(other.does(&booked.1, what, &fields).await.status, 404, "{what}");
        }
        let path = format!("/admin/events/{}/line/{}", desk.event, id(&booked.1));
        assert_eq!(app.get(&path, &booked.0.token).await.status, 403);
        assert_eq!(desk.how(&booked).await, "confirmed");
    }

    async fn staff_call_one_before_their_turn_or_send_one_to_the_end(app) {
        let desk = Desk::new(&app, |offer| offer["quota"] = 4.into()).await;
        let holder = desk.books("有名额", &["甲"]).await;
        desk.books("也有名额", &["甲"]).await;
        let group = desk.books("一家四口", &["甲", "乙", "丙"]).await;
        let (alone, last) = (desk.books("单人", &[]).await, desk.books("末位", &[]).await);
        let reason = [("what", "now"), ("reason", "轮椅，家人当天陪同")];
        // Nothing is free: nobody can be called.
        let refused = desk.does(&alone.1, "turn", &reason).await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("没有 1 个空名额"), "{}", refused.text);
        // Two come free; the four at the head wait for more, and nobody overtakes them by themselves.
        assert_eq!(desk.does(&holder.1, "removal", &[("reason", "单位要求")]).await.status, 303);
        assert_eq!(desk.how(&alone).await, "waiting");
        assert_eq!(desk.does(&last.1, "turn", &[("what", "now"), ("reason", "")]).await.status, 422);
        assert_eq!(desk.does(&last.1, "turn", &reason).await.status, 303);
        assert_eq!((desk.how(&last).await.as_str(), desk.how(&group).await.as_str()), ("held", "waiting"));
        assert!(app.messages_to(&last.0.phone).await.join("").contains("轮到您了"));
        // The four are passed over: the next gets the other place, in the same step.
        let skip = [("what", "last"), ("reason", "四人坐不下，已电话说明")];
        assert_eq!(desk.does(&group.1, "turn", &skip).await.status, 303);
        assert_eq!((desk.how(&alone).await.as_str(), desk.how(&group).await.as_str()), ("held", "waiting"));
        let told = app.messages_to(&group.0.phone).await.join("");
        assert!(told.contains("调到队尾") && told.contains("四人坐不下"), "{told}");
        let behind = desk.books("后来", &[]).await;
        assert_eq!((desk.position(&group).await, desk.position(&behind).await), (1, 2), "it keeps its new place");
        let log = desk.page("").await;
        for words in ["提前轮到", "轮椅，家人当天陪同", "调到队尾", "四人坐不下"] {
            assert!(log.contains(words), "{words} is not in {log}");
        }
        assert_eq!((desk.audited("line.call").await.len(), desk.audited("line.put_last").await.len()), (1, 1));
        // Who does not wait cannot be moved.
        assert_eq!(desk.does(&alone.1, "turn", &skip).await.status, 409);
        desk.balanced().await;
    }

    async fn what_was_paid_for_nothing_is_to_be_refunded_until_staff_note_it(app) {
        let desk = Desk::new(&app, |offer| {
            offer["quota"] = 5.into();
            offer["contribution_cents"] = 1_050.into();
        }).await;
        let (paying, pair, stays) = (desk.books("退票", &[]).await, desk.books("两位", &["甲"]).await, desk.books("不退", &[]).await);
        for booked in [&paying, &pair, &stays] {
            assert_eq!(desk.does(&booked.1, "payment", &[("method", "wechat")]).await.status, 303);
        }
        assert_eq!(desk.does(&paying.1, "refund", &[("method", "cash")]).await.status, 409, "it stands");
        assert!(!desk.page("").await.contains("待退款"));
        let asked = app.get(&format!("/bookings/{}/cancellation", id(&paying.1)), &paying.0.token).await.text;
        assert!(asked.contains("已缴的 10.50 元到服务台退"), "{asked}");
        app.post(&format!("/api/v1/bookings/{}/cancellation", id(&paying.1)), &paying.0.token, json!({})).await.expect(200);
        assert_eq!(desk.does(&pair.1, "removal", &[("reason", "名额调整")]).await.status, 303);
        assert!(app.messages_to(&pair.0.phone).await.join("").contains("已缴的 21 元请到服务台退"));
        let page = desk.page("").await;
        assert!(page.contains("待退款") && page.contains("10.50 元") && page.contains("21 元"), "{page}");
        let shown = app.get(&format!("/bookings/{}", id(&paying.1)), &paying.0.token).await.text;
        assert!(shown.contains("您缴过 10.50 元，请到服务台退款"), "{shown}");
        assert_eq!(desk.does(&paying.1, "refund", &[("method", "cheque")]).await.status, 422);
        for _ in 0..2 {
            assert_eq!(desk.does(&paying.1, "refund", &[("method", "cash")]).await.status, 303, "twice is once");
        }
        let mut tx = app.app.db.read().await.expect("read");
        let rows: Vec<(String, i64, String)> = fetch!(
            tx, fetch_all, "select kind, cents, method from payment where booking_id = $1 order by kind", id(&paying.1),
        ).expect("payments");
        drop(tx);
        assert_eq!(rows, [("paid".to_owned(), 1_050, "wechat".to_owned()), ("refunded".to_owned(), 1_050, "cash".to_owned())]);
        let shown = app.get(&format!("/bookings/{}", id(&paying.1)), &paying.0.token).await.text;
        assert!(shown.contains("已退款 10.50 元"), "{shown}");
        let page = desk.page("").await;
        assert!(page.contains("21 元") && !page.contains("应退 10.50"), "{page}");
        assert_eq!(desk.audited("booking.refund").await, [(id(&paying.1).to_owned(), "1050 cents".to_owned())]);
        // When the organizer cancels the event, everybody who paid has it back.
        let path = format!("/admin/events/{}/status", desk.event);
        let cancel = [("to", "cancelled"), ("note", "场馆停电")];
        let done = app.http.post(format!("{}{path}", app.url)).bearer_auth(&desk.organizer).form(&cancel).send().await.expect("answer");
        assert_eq!(done.status(), 303);
        assert!(desk.page("").await.contains("不退"));
        let told = app.messages_to(&stays.0.phone).await.join("");
        assert!(told.contains("已取消。场馆停电。已缴的 10.50 元请到服务台退。"), "{told}");
        assert_eq!(desk.does(&stays.1, "refund", &[("method", "bank")]).await.status, 303);
        desk.balanced().await;
    }

    async fn several_requests_are_decided_at_once_each_for_itself(app) {
        let desk = Desk::new(&app, |offer| {
            offer["mode"] = "approval".into();
            offer["quota"] = 2.into();
            offer["waiting_list"] = false.into();
        }).await;
        let mut asked = Vec::new();
        for n in 0..5 {
            asked.push(desk.books(&format!("申请{n}"), &[]).await);
        }
        let ids: Vec<&str> = asked.iter().map(|(_, booked)| id(booked)).collect();
        // Three for two places: two are approved, the third stays with the reason said.
        let several = [("what", "approve"), ("booking", ids[0]), ("booking", ids[1]), ("booking", ids[2])];
        let answer = desk.sends("decisions", &several).await;
        assert_eq!(answer.status, 409);
        assert!(answer.text.contains("办好 2 个，1 个没有办成") && answer.text.contains("名额不够"), "{}", answer.text);
        let several = [("what", "decline"), ("booking", ids[2]), ("booking", ids[3])];
        assert_eq!(desk.sends("decisions", &several).await.status, 303);
        let mut how = Vec::new();
        for one in &asked {
            how.push(desk.how(one).await);
        }
        assert_eq!(how, ["confirmed", "confirmed", "declined", "declined", "requested"]);
        assert!(desk.page("?declined=2").await.contains("2 个报名未通过"));
        // Nothing chosen is nothing done; another event's booking is not there.
        assert_eq!(desk.sends("decisions", &[("what", "approve")]).await.status, 303);
        let other = Desk::new(&app, |_| {}).await;
        assert_eq!(other.sends("decisions", &[("what", "decline"), ("booking", ids[4])]).await.status, 404);
        assert_eq!(desk.how(&asked[4]).await, "requested");
        desk.balanced().await;
    }

    async fn a_booking_is_found_by_name_or_phone_and_counted_beyond_what_is_shown(app) {
        let desk = Desk::new(&app, |_| {}).await;
        let (member, booked) = desk.books("欧阳找得到", &[]).await;
        let last4 = member.phone[member.phone.len() - 4..].to_owned();
        for q in ["欧阳", last4.as_str()] {
            let page = desk.page(&format!("?q={q}")).await;
            assert!(page.contains(id(&booked)), "{q}: {page}");
            assert!(!page.contains(&member.phone), "phones are masked");
        }
        assert!(desk.page("?q=没有这人").await.contains("没有找到"));
        let list = app.get(&format!("/admin/events/{}/list", desk.event), &desk.organizer).await.text;
        let ticket = booked["tickets"][0]["id"].as_str().expect("id");
        assert!(list.contains(ticket));
        let holder = app.get(&format!("/admin/events/{}/list/{ticket}", desk.event), &desk.organizer).await.text;
        assert!(holder.contains(&format!("/line/{}", id(&booked))), "the list leads to the booking");
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
    }
}
