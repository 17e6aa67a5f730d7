//! The member's pages, as a browser without scripts uses them.

use std::collections::BTreeSet;

use reqwest::{Response, header};
use serde_json::{Value, json};
use turnout_server::web::access::Role;

use crate::support::{TestApp, on_both};

const HOUR: i64 = 3_600_000;

/// A page as it came.
struct Page {
    status: u16,
    /// Where it leads, when it does.
    location: String,
    cookies: Vec<String>,
    html: String,
}

async fn read(response: Response) -> Page {
    let header = |name| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    Page {
        status: response.status().as_u16(),
        location: header(header::LOCATION).to_owned(),
        cookies: (response.headers().get_all(header::SET_COOKIE).iter())
            .map(|cookie| {
                cookie.to_str().expect("ascii").split(';').next().unwrap_or_default().to_owned()
            })
            .collect(),
        html: response.text().await.expect("a body"),
    }
}

/// Opens a page as whoever holds `token` (nobody: "").
async fn open(app: &TestApp, token: &str, path: &str) -> Page {
    let request =
        app.http.get(format!("{}{path}", app.url)).header("cookie", format!("turnout={token}"));
    read(request.send().await.expect("an answer")).await
}

/// Sends a form.
async fn submit(app: &TestApp, cookies: &str, path: &str, fields: &[(&str, &str)]) -> Page {
    let request =
        app.http.post(format!("{}{path}", app.url)).header("cookie", cookies).form(fields);
    read(request.send().await.expect("an answer")).await
}

impl Page {
    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self
            .html
            .split_once(&start)
            .unwrap_or_else(|| panic!("no field {name} in {}", self.html))
            .1;
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.html.contains(text), "{text} is not in {} {}", self.status, self.html);
    }
}

/// Fills in the event page's form and sends it.
async fn book_by_form(app: &TestApp, token: &str, event: &str, page: &Page, guest: &str) -> Page {
    let (offer, key) = (page.field("offer"), page.field("key"));
    let fields = [("offer", offer.as_str()), ("key", &key), ("guest", guest)];
    submit(app, &format!("turnout={token}"), &format!("/events/{event}/booking"), &fields).await
}

on_both! {
    async fn a_second_tap_and_the_back_button_lead_to_the_same_booking(app) {
        let (event, _) = app.event(|draft| {
            draft["offers"][0]["per_person"] = 4.into();
            draft["offers"][0]["guests_max"] = 1.into();
        }).await;
        let member = app.member("王小明").await;
        let page = open(&app, &member.token, &format!("/events/{event}")).await;
        let first = book_by_form(&app, &member.token, &event, &page, "王大山").await;
        assert_eq!(first.status, 303, "{}", first.html);
        assert!(first.location.starts_with("/bookings/"));
        let second = book_by_form(&app, &member.token, &event, &page, "王大山").await;
        assert_eq!((second.status, &second.location), (303, &first.location));
        let booking = open(&app, &member.token, &first.location).await;
        booking.says("报名成功");
        booking.says("王大山");
        open(&app, &member.token, &format!("/events/{event}")).await.says("您已报名");
    }

    async fn a_refused_form_keeps_what_was_typed_and_says_why(app) {
        let (event, offer) = app.event(|draft| {
            draft["offers"][0]["quota"] = 2.into();
            draft["offers"][0]["per_person"] = 2.into();
            draft["offers"][0]["guests_max"] = 1.into();
        }).await;
        let (early, late) = (app.member("李华").await, app.member("王小明").await);
        let page = open(&app, &late.token, &format!("/events/{event}")).await;
        app.booked(&early, &offer).await;
        let refused = book_by_form(&app, &late.token, &event, &page, "王大山").await;
        assert_eq!(refused.status, 409);
        refused.says("名额已满");
        refused.says("value=\"王大山\"");
    }

    async fn each_standing_of_an_offer_has_its_page(app) {
        let now = app.now().0;
        let member = app.member("王小明").await;
        let guest = app.guest_token("13800000000").await;
        let (later, _) = app.event(|draft| draft["offers"][0]["opens_ms"] = (now + HOUR).into()).await;
        let (closed, _) = app.event(|draft| draft["offers"][0]["closes_ms"] = (now - HOUR).into()).await;
        let (full, _) = app.event(|draft| draft["offers"][0]["quota"] = 0.into()).await;
        let (open_now, _) = app.event(|_| {}).await;
        for (event, token, text) in [
            (&later, member.token.as_str(), "距离开始报名还有"),
            (&later, "", "先登录，到点直接报名"),
            (&closed, &member.token, "报名已截止"),
            (&full, &member.token, "名额已满"),
            (&open_now, &guest, "名册上没有认出您"),
            (&open_now, "", "登录后报名"),
            (&open_now, &member.token, ">报名</button>"),
        ] {
            open(&app, token, &format!("/events/{event}")).await.says(text);
        }
        open(&app, "", "/").await.says("还剩 100 个名额");
    }

    async fn pages_say_how_places_are_given_before_anybody_books(app) {
        let now = app.now().0;
        let member = app.member("王小明").await;
        let mode = |mode: &'static str, opens: i64| move |draft: &mut Value| {
            let offer = &mut draft["offers"][0];
            (offer["mode"], offer["opens_ms"], offer["quota"]) = (mode.into(), (now + opens).into(), 30.into());
            offer["flow_back_ms"] = (now + 2 * HOUR).into();
        };
        let (ballot, _) = app.event(mode("draw", -HOUR)).await;
        open(&app, "", "/").await.says("30 个名额，抽签");
        open(&app, &member.token, &format!("/events/{ballot}")).await.says("共 30 个名额");
        app.event(mode("approval", HOUR)).await;
        open(&app, "", "/").await.says("30 个名额，审核");
        let (divided, _) = app.event(mode("allocation", HOUR)).await;
        let home = open(&app, "", "/").await;
        home.says("30 个名额，先分到各工会");
        assert!(!home.html.contains("先到先得"), "nobody has to hurry");
        let (held, _) = app.event(|draft| draft["offers"][0]["hold_ms"] = (HOUR / 4).into()).await;
        open(&app, &member.token, &format!("/events/{held}")).await.says("名额保留 15 分钟，请在这之前确认");
        let (paid, _) = app.event(|draft| draft["offers"][0]["contribution_cents"] = 100.into()).await;
        open(&app, &member.token, &format!("/events/{paid}")).await.says("名额保留 3 小时，请在这之前缴");
        // An organizer is led on to what is still to be done.
        let organizer = app.staff(Role::Organizer).await;
        let edit = open(&app, &organizer, &format!("/admin/events/{divided}/edit")).await;
        edit.says("分到各工会");
        edit.says("/allocation\">分给各工会");
    }

    async fn cancelling_asks_first_then_gives_the_place_back(app) {
        let (event, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        let path = format!("/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
        open(&app, &member.token, &path).await.says("这张票会立即作废");
        let done = submit(&app, &format!("turnout={}", member.token), &path, &[]).await;
        assert_eq!(done.status, 303);
        open(&app, &member.token, &done.location).await.says("这次报名已取消");
        let ticket = format!("/tickets/{}", booked["tickets"][0]["id"].as_str().expect("id"));
        let shown = open(&app, &member.token, &ticket).await;
        shown.says("此票不能入场");
        assert!(!shown.html.contains("class=\"qr\""));
        open(&app, "", &format!("/events/{event}")).await.says("还剩 100 个名额");
    }

    async fn a_ticket_is_shown_to_its_holder_and_told_when_the_event_is_cancelled(app) {
        let (event, offer) = app.event(|_| {}).await;
        let (holder, other) = (app.member("王小明").await, app.member("李华").await);
        let booked = app.booked(&holder, &offer).await;
        let path = format!("/tickets/{}", booked["tickets"][0]["id"].as_str().expect("id"));
        open(&app, &holder.token, &path).await.says("class=\"qr\"");
        assert_eq!(open(&app, &other.token, &path).await.status, 404);
        let nobody = open(&app, "", &path).await;
        assert_eq!((nobody.status, nobody.location), (303, format!("/login?next={path}")));
        let ics = open(&app, &holder.token, &format!("{path}/ticket.ics")).await;
        ics.says("SUMMARY:读书会");
        ics.says("DTSTART:20270305T000000Z");
        let organizer = app.staff(Role::Organizer).await;
        let cancel = json!({ "status": "cancelled", "cancel_note": "场馆停电" });
        app.send(reqwest::Method::PATCH, &format!("/api/v1/events/{event}"), &organizer, Some(cancel)).await.expect(200);
        let shown = open(&app, &holder.token, &path).await;
        shown.says("场馆停电");
        assert!(!shown.html.contains("class=\"qr\""));
    }

    async fn a_member_signs_in_on_the_pages_and_comes_back_to_where_they_were(app) {
        let member = app.member("王小明").await;
        let (event, _) = app.event(|_| {}).await;
        let next = format!("/events/{event}");
        let wrong = submit(&app, "", "/login/code", &[("phone", "12345"), ("next", &next)]).await;
        assert_eq!(wrong.status, 422);
        wrong.says("value=\"12345\"");
        let sent = submit(&app, "", "/login/code", &[("phone", &member.phone), ("next", &next)]).await;
        assert_eq!((sent.status, sent.location), (303, format!("/login?next={next}")));
        let phone = sent.cookies.join("; ");
        let guess = submit(&app, &phone, "/login", &[("code", "0"), ("next", &next)]).await;
        assert_eq!(guess.status, 401);
        guess.says("验证码不对");
        let code = app.last_code(&member.phone).await;
        let done = submit(&app, &phone, "/login", &[("code", &code), ("next", &next)]).await;
        assert_eq!((done.status, &done.location), (303, &next));
        let session = done.cookies.iter().find_map(|cookie| cookie.strip_prefix("turnout=")).expect("a session");
        open(&app, session, "/me").await.says("还没有票");
        let out = submit(&app, &format!("turnout={session}"), "/logout", &[]).await;
        assert_eq!(out.status, 303);
        assert_eq!(open(&app, session, "/me").await.status, 303);
        let elsewhere = submit(&app, &phone, "/login/code", &[("phone", "13800000000"), ("next", "//evil.example")]).await;
        assert_eq!(elsewhere.location, "/login");
    }

    async fn pages_are_small_and_carry_no_inline_script_or_style(app) {
        let (event, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        let id = |value: &serde_json::Value| value.as_str().expect("id").to_owned();
        let (booking, ticket) = (id(&booked["id"]), id(&booked["tickets"][0]["id"]));
        let paths = ["/", "/me", "/login?anew=true", "/nowhere"].map(str::to_owned).into_iter().chain([
            format!("/events/{event}"), format!("/bookings/{booking}"), format!("/bookings/{booking}/cancellation"), format!("/tickets/{ticket}"),
        ]);
        for path in paths {
            let page = open(&app, &member.token, &path).await;
            let mut bytes = page.html.len();
            let assets = page.html.split(['"', '#']).filter(|text| text.starts_with("/assets/"));
            for asset in assets.collect::<BTreeSet<_>>() {
                bytes += open(&app, "", asset).await.html.len();
            }
            assert!(bytes < 60_000, "{path} takes {bytes} bytes with all it needs");
            assert!(!page.html.contains("style=\"") && !page.html.contains("<style"), "{path} has inline style");
            assert!(!page.html.contains("<script>") && !page.html.contains(" onclick="), "{path} has inline script");
        }
    }
}
