//! Vouchers as members, venues and organizers meet them: on which days, at which venue, how often; by phone and by kiosk;
//! and what is owed for them.

mod benefits;
mod counter;
mod offline;
mod screens;
mod settlement;
mod terms;

use serde_json::{Value, json};
use turnout_server::web::access::Role;

use crate::{
    fair::{Sent, between, send},
    support::{TestApp, people::Member},
};

pub(crate) const DAY: i64 = 86_400_000;

/// A partner venue; its id.
pub(crate) async fn venue(app: &TestApp, name: &str) -> String {
    let organizer = app.staff(Role::Organizer).await;
    let draft = json!({ "name": name, "address": "王佐镇南宫大街", "benefit": "门票八折" });
    let made = app.post("/api/v1/venues", &organizer, draft).await.expect(201);
    made["id"].as_str().expect("an id").to_owned()
}

/// A campaign with one batch of vouchers of `venue`, good for sixty days from yesterday, twice, at 60 yuan; `change` adjusts
/// the offer. Gives the ids of event and offer.
pub(crate) async fn campaign(
    app: &TestApp,
    venue: &str,
    change: impl FnOnce(&mut Value),
) -> (String, String) {
    let now = app.now().0;
    app.event(|draft| {
        draft["kind"] = "voucher".into();
        draft["theme"] = json!(null);
        draft["title"] = "温泉福利券".into();
        draft["ends_ms"] = (now + 60 * DAY).into();
        let offer = &mut draft["offers"][0];
        offer["name"] = "单人券".into();
        offer["uses"] = 2.into();
        offer["valid_from_ms"] = (now - DAY).into();
        offer["valid_to_ms"] = (now + 60 * DAY).into();
        offer["closes_ms"] = (now + 50 * DAY).into();
        offer["cancel_until_ms"] = (now + 50 * DAY).into();
        offer["batch"] = json!({
            "venue": venue, "face_cents": 12_800, "price_cents": 6_000, "companions": 2,
        });
        change(offer);
    })
    .await
}

/// A voucher of `member`: the ticket's id and code.
pub(crate) async fn voucher(app: &TestApp, member: &Member, offer: &str) -> (String, String) {
    let booked = app.booked(member, offer).await;
    let text = |name: &str| booked["tickets"][0][name].as_str().expect("a ticket").to_owned();
    (text("id"), text("code"))
}

/// The serial of a ticket, as it is printed.
pub(crate) fn serial(ticket: &str) -> String {
    let number = admission::ticket::number(ticket);
    format!("{}-{}", &number[..5], &number[5..10])
}

/// Somebody at a venue, signed in on a phone by link and PIN.
pub(crate) struct Agent {
    pub(crate) cookie: String,
}

pub(crate) async fn agent(app: &TestApp, venue: &str) -> Agent {
    let organizer = app.staff(Role::Organizer).await;
    let path = format!("/admin/venues/{venue}/people");
    let fields = [("act", "make"), ("name", "前台")];
    let made = send(app, &path, (&organizer, ""), &fields).await.page(201);
    let link = between(&made, "id=\"link\">", "<");
    let link = link[link.find("/venue/").expect("a link")..].to_owned();
    let pin = between(&made, "id=\"pin\" class=\"digits\">", "<").to_owned();
    let opened = send(app, &link, ("", ""), &[("pin", &pin)]).await;
    let cookie = opened.cookie.clone();
    opened.leads_to("/venue");
    Agent { cookie }
}

impl Agent {
    /// A page of theirs, or the status that it has instead.
    pub(crate) async fn get(&self, app: &TestApp, path: &str) -> (u16, String) {
        let request = app.http.get(format!("{}{path}", app.url)).header("cookie", &self.cookie);
        let response = request.send().await.expect("answer");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    pub(crate) async fn page(&self, app: &TestApp, path: &str) -> String {
        let (status, text) = self.get(app, path).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    pub(crate) async fn form(&self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Sent {
        send(app, path, ("", &self.cookie), fields).await
    }

    /// Redeems as the phone's page does, having waited so long.
    pub(crate) async fn redeem_late(
        &self,
        app: &TestApp,
        id: &str,
        said: &str,
        age_ms: i64,
    ) -> Value {
        let wish =
            json!({ "id": id, "said": said, "age_ms": age_ms, "at_ms": app.now().0 - age_ms });
        let request = app
            .http
            .post(format!("{}/api/v1/venue/redemptions", app.url))
            .header("cookie", &self.cookie)
            .json(&json!({ "redemptions": [wish] }));
        let response = request.send().await.expect("answer");
        assert_eq!(response.status(), 200);
        response.json::<Value>().await.expect("JSON")["results"][0].clone()
    }

    pub(crate) async fn redeem(&self, app: &TestApp, id: &str, said: &str) -> Value {
        self.redeem_late(app, id, said, 0).await
    }
}

/// A page for organizers.
pub(crate) async fn organizers(app: &TestApp, path: &str) -> String {
    let answer = app.get(path, &app.staff(Role::Organizer).await).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.text
}
