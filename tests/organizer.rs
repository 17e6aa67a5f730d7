//! The organizer's pages, as forms and addresses: nothing typed is lost, holders are found, mistakes are taken back.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use reqwest::{Method, header};
use serde_json::Value;
use turnout_server::{fetch, web::access::Role};

use crate::support::{TestApp, app::Answer, on_both};

/// An answer to a form: where it leads when it worked.
struct Sent {
    answer: Answer,
    location: String,
}

impl Sent {
    /// The path that it leads to.
    #[track_caller]
    fn leads_to(self, part: &str) -> String {
        assert_eq!(self.answer.status.as_u16(), 303, "{}", self.answer.text);
        assert!(self.location.contains(part), "{}", self.location);
        self.location
    }

    /// The page that it is, which must have that status.
    #[track_caller]
    fn page(self, status: u16) -> String {
        assert_eq!(self.answer.status.as_u16(), status, "{}", self.answer.text);
        self.answer.text
    }
}

/// Sends a form, a second after whatever was before.
async fn send(app: &TestApp, path: &str, token: &str, fields: &[(&str, &str)]) -> Sent {
    app.advance(1_000);
    let request = app.http.request(Method::POST, format!("{}{path}", app.url));
    let response = request.bearer_auth(token).form(fields).send().await.expect("an answer");
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|at| at.to_str().ok()).unwrap_or_default().to_owned();
    let status = response.status();
    let text = response.text().await.expect("a body");
    Sent { answer: Answer { status, text }, location }
}

async fn page(app: &TestApp, path: &str, token: &str) -> String {
    let answer = app.get(path, token).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.text
}

fn ticket_of(booked: &Value) -> String {
    booked["tickets"][0]["id"].as_str().expect("a ticket").to_owned()
}

/// What staff did, the latest last.
async fn audited(app: &TestApp) -> Vec<String> {
    let mut tx = app.app.db.read().await.expect("read");
    let rows: Vec<(String,)> =
        fetch!(tx, fetch_all, "select action from audit order by at_ms, id").expect("audit");
    rows.into_iter().map(|(action,)| action).collect()
}

const CONTEST: [(&str, &str); 9] = [
    ("title", "职工乒乓球赛"),
    ("kind", "contest"),
    ("theme", "fitness"),
    ("place", "镇文体中心二层"),
    ("entrance", "东门"),
    ("poster", "凭电子票或京卡入场。"),
    ("starts", "2027-03-06T14:00"),
    ("ends", "2027-03-06T18:00"),
    ("time_zone", "Asia/Shanghai"),
];

const SINGLES: [(&str, &str); 10] = [
    ("name", "单打"),
    ("quota", "５２"),
    ("opens", "2027-03-01T09:00"),
    ("closes", "2027-03-06T12:00"),
    ("per_person", "1"),
    ("guests_max", "0"),
    ("eligibility", "members"),
    ("cancel_until", ""),
    ("valid_from", ""),
    ("valid_to", ""),
];

/// The fields with one of them changed.
fn with<'a, const N: usize>(
    fields: [(&'a str, &'a str); N],
    name: &str,
    value: &'a str,
) -> [(&'a str, &'a str); N] {
    fields.map(|(field, before)| (field, if field == name { value } else { before }))
}

on_both! {
    async fn an_event_is_drafted_given_an_offer_published_and_cancelled(app) {
        let organizer = app.staff(Role::Organizer).await;
        let leads = send(&app, "/admin/events", &organizer, &CONTEST).await.leads_to("/offers/new");
        let event = leads.split('/').nth(3).expect("an id").to_owned();
        assert_eq!(app.get(&format!("/events/{event}"), "").await.status.as_u16(), 404, "a draft is not public");
        send(&app, &format!("/admin/events/{event}/offers"), &organizer, &SINGLES).await.leads_to("done=offer");
        let shown = app.get(&format!("/api/v1/events/{event}"), &organizer).await.expect(200);
        // 14:00 in Beijing is 06:00 UTC; a full-width quota is a number; admission begins an hour before.
        assert_eq!(shown["starts_ms"], 1_804_312_800_000_i64);
        assert_eq!(shown["offers"][0]["quota"], 52);
        assert_eq!(shown["offers"][0]["valid_from_ms"], 1_804_309_200_000_i64);
        let status = format!("/admin/events/{event}/status");
        page(&app, &format!("{status}?to=published"), &organizer).await;
        send(&app, &status, &organizer, &[("to", "published")]).await.leads_to("done=published");
        let member = app.member("王小明").await;
        let offer = shown["offers"][0]["id"].as_str().expect("an offer");
        app.booked(&member, offer).await;

        let asked = page(&app, &format!("{status}?to=cancelled"), &organizer).await;
        assert!(asked.contains("1 人报了名"), "{asked}");
        let again = send(&app, &status, &organizer, &[("to", "cancelled"), ("note", " ")]).await.page(422);
        assert!(again.contains("id=\"note-fault\""), "{again}");
        send(&app, &status, &organizer, &[("to", "cancelled"), ("note", "场馆检修")]).await.leads_to("done=cancelled");
        assert!(app.messages_to(&member.phone).await.iter().any(|body| body.contains("场馆检修")));
        let done = audited(&app).await;
        assert_eq!(done, ["event.create", "offer.create", "event.published", "event.cancelled"]);
    }

    async fn a_form_with_faults_keeps_what_was_typed(app) {
        let organizer = app.staff(Role::Organizer).await;
        let fields = with(with(CONTEST, "ends", "2027-03-06T13:00"), "place", "");
        let again = send(&app, "/admin/events", &organizer, &fields).await.page(422);
        for kept in ["value=\"职工乒乓球赛\"", "value=\"2027-03-06T13:00\"", "凭电子票或京卡入场。", "id=\"ends-fault\"", "id=\"place-fault\""] {
            assert!(again.contains(kept), "{kept} is missing in {again}");
        }
        assert!(!again.contains("id=\"title-fault\""));
        assert!(audited(&app).await.is_empty(), "nothing was saved");

        let (event, offer) = app.event(|_| {}).await;
        app.booked(&app.member("王小明").await, &offer).await;
        let path = format!("/admin/events/{event}/offers/{offer}");
        for (field, value) in [("quota", "0"), ("quota", "很多"), ("guests_max", "3"), ("closes", "2027-02-01T09:00")] {
            let again = send(&app, &path, &organizer, &with(SINGLES, field, value)).await.page(422);
            assert!(again.contains(&format!("id=\"{field}-fault\"")), "{field}: {again}");
            assert!(again.contains(&format!("value=\"{value}\"")), "{field}: {again}");
        }
    }

    async fn an_offer_for_some_unions_keeps_the_choice(app) {
        let organizer = app.staff(Role::Organizer).await;
        let (union, other) = (app.union("怪村联合工会").await, app.union("南宫工会").await);
        let (event, offer) = app.event(|_| {}).await;
        let path = format!("/admin/events/{event}/offers/{offer}");
        let unions = with(SINGLES, "eligibility", "unions");
        let again = send(&app, &path, &organizer, &unions).await.page(422);
        assert!(again.contains("id=\"unions-fault\""), "{again}");
        let chosen = [&unions[..], &[("unions", union.as_str())]].concat();
        send(&app, &path, &organizer, &chosen).await.leads_to("done=offer");
        let shown = page(&app, &path, &organizer).await;
        assert!(shown.contains(&format!("value=\"{union}\" checked")), "{shown}");
        assert!(!shown.contains(&format!("value=\"{other}\" checked")), "{shown}");
    }

    async fn holders_are_found_from_one_character_on(app) {
        let volunteer = app.staff(Role::Volunteer).await;
        let (event, offer) = app.event(|_| {}).await;
        let (wang, ouyang, percent) =
            (app.member("王小明").await, app.member("欧阳春华").await, app.member("100%_张").await);
        for member in [&wang, &ouyang, &percent] {
            app.booked(member, &offer).await;
        }
        let (phone, card) = (&wang.phone[7..], &ouyang.card[ouyang.card.len() - 4..]);
        let cases = [
            ("王", vec!["王小明"]),
            ("春", vec!["欧阳春华"]),
            ("%25_", vec!["100%_张"]),
            (phone, vec!["王小明"]),
            (card, vec!["欧阳春华"]),
            ("赵", vec![]),
            ("", vec!["王小明", "欧阳春华", "100%_张"]),
        ];
        for (sought, found) in cases {
            let list = page(&app, &format!("/admin/events/{event}/list?q={sought}"), &volunteer).await;
            for name in ["王小明", "欧阳春华", "100%_张"] {
                assert_eq!(list.contains(&format!(">{name}</a>")), found.contains(&name), "{sought}: {name}");
            }
            assert!(!list.contains(&wang.phone), "a phone is masked");
        }
        let none = page(&app, &format!("/admin/events/{event}/list?which=in"), &volunteer).await;
        assert!(!none.contains("王小明"), "nobody is in yet");
    }

    async fn a_volunteer_checks_in_by_hand_and_takes_it_back_with_a_reason(app) {
        let volunteer = app.staff(Role::Volunteer).await;
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let holder = format!("/admin/events/{event}/list/{ticket}");
        let leads = send(&app, &format!("{holder}/admission"), &volunteer, &[("note", "手机没电")]).await.leads_to("done=admitted");
        assert!(page(&app, &leads, &volunteer).await.contains("已签到"));
        let again = send(&app, &format!("{holder}/admission"), &volunteer, &[("note", "")]).await.page(409);
        assert!(again.contains("服务台"), "it says where the ticket was used: {again}");
        let live = page(&app, &format!("/admin/events/{event}"), &volunteer).await;
        assert!(live.contains("<b id=\"admitted\">1<"), "{live}");

        let again = send(&app, &format!("{holder}/undo"), &volunteer, &[("reason", " ")]).await.page(422);
        assert!(again.contains("id=\"reason-fault\""), "{again}");
        send(&app, &format!("{holder}/undo"), &volunteer, &[("reason", "扫错了人")]).await.leads_to("done=undone");
        let shown = page(&app, &holder, &volunteer).await;
        for told in ["手机没电", "扫错了人", "撤销入场"] {
            assert!(shown.contains(told), "{told}");
        }
        let live = page(&app, &format!("/admin/events/{event}"), &volunteer).await;
        assert!(live.contains("<b id=\"admitted\">0<"), "{live}");
        let done = audited(&app).await;
        assert_eq!(done[1..], ["admission.hand".to_owned(), "admission.undo".to_owned()]);
        let (elsewhere, _) = app.event(|_| {}).await;
        let wrong = app.get(&format!("/admin/events/{elsewhere}/list/{ticket}"), &volunteer).await;
        assert_eq!(wrong.status.as_u16(), 404, "a ticket of another event");
    }

    async fn the_export_is_a_spreadsheet_in_which_nothing_is_a_formula(app) {
        let organizer = app.staff(Role::Organizer).await;
        let (event, offer) = app.event(|draft| draft["title"] = "读书会/春".into()).await;
        let ticket = ticket_of(&app.booked(&app.member("=1+1").await, &offer).await);
        app.booked(&app.member("王小明").await, &offer).await;
        let path = format!("/admin/events/{event}/list/{ticket}/admission");
        send(&app, &path, &organizer, &[("note", "@note")]).await.leads_to("done=admitted");
        let address = format!("{}/admin/events/{event}/attendance.xlsx", app.url);
        let response = app.http.get(address).bearer_auth(&organizer).send().await.expect("an answer");
        let name = response.headers()[header::CONTENT_DISPOSITION].to_str().expect("ASCII").to_owned();
        assert!(name.contains("filename*=UTF-8''%E8%AF%BB%E4%B9%A6%E4%BC%9A-%E6%98%A5-2027-03-05.xlsx"), "{name}");
        let bytes = response.bytes().await.expect("a file").to_vec();
        let mut book = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
        assert_eq!(book.sheet_names(), ["概况", "人员", "扫码记录"]);
        let people = book.worksheet_range("人员").expect("people");
        let names: Vec<String> = people.rows().skip(1).map(|row| row[0].to_string()).collect();
        assert_eq!(names, ["'=1+1", "王小明"]);
        assert!(matches!(people.get((1, 5)), Some(Data::DateTime(_))), "{:?}", people.get((1, 5)));
        assert!(people.rows().skip(2).all(|row| row[5] == Data::Empty), "who is not in has no time");
        let scans = book.worksheet_range("扫码记录").expect("scans");
        assert_eq!(scans.get((1, 10)), Some(&Data::String("'@note".to_owned())));
        assert!(book.worksheet_formula("人员").expect("formulas").is_empty());
        assert!(audited(&app).await.contains(&"attendance.export".to_owned()));
    }

    async fn a_kiosk_is_made_enrolled_and_revoked(app) {
        let organizer = app.staff(Role::Organizer).await;
        let (event, _) = app.event(|_| {}).await;
        let kiosks = format!("/admin/events/{event}/kiosks");
        let again = send(&app, &kiosks, &organizer, &[("name", ""), ("station", "东门"), ("kind", "gate")]).await.page(422);
        assert!(again.contains("id=\"name-fault\"") && again.contains("value=\"东门\""), "{again}");
        let made = send(&app, &kiosks, &organizer, &[("name", "东门一号"), ("station", "东门"), ("kind", "gate")]).await.page(200);
        let code = made.split("--code ").nth(1).and_then(|rest| rest.split('<').next()).expect("a code");
        assert!(made.contains(&format!("turnout-kiosk enroll --server {} --code {code}", app.app.public_url)));
        let waiting = page(&app, &kiosks, &organizer).await;
        assert!(waiting.contains("等待登记") && !waiting.contains(code), "the code is shown once");

        let kiosk = app.kiosk(&event, "西门").await;
        assert!(page(&app, &kiosks, &organizer).await.contains("在线"));
        app.advance(10 * 60_000);
        assert!(page(&app, &kiosks, &organizer).await.contains("离线"));
        let revocation = format!("{kiosks}/{}/revocation", kiosk.id);
        page(&app, &revocation, &organizer).await;
        for _ in 0..2 {
            send(&app, &revocation, &organizer, &[]).await.leads_to("done=revoked");
        }
        assert_eq!(kiosk.send(Method::GET, "/kiosk/feed?after=0&cards_after=0", "").await.refused(401), "kiosk_revoked");
        assert_eq!(audited(&app).await.iter().filter(|action| *action == "kiosk.revoke").count(), 1);
    }

    async fn volunteers_see_no_drafts_and_no_editor(app) {
        let (organizer, volunteer) = (app.staff(Role::Organizer).await, app.staff(Role::Volunteer).await);
        send(&app, "/admin/events", &organizer, &CONTEST).await.leads_to("/offers/new");
        let (event, _) = app.event(|_| {}).await;
        assert!(page(&app, "/admin", &organizer).await.contains("职工乒乓球赛"));
        let board = page(&app, "/admin", &volunteer).await;
        assert!(board.contains("读书会") && !board.contains("职工乒乓球赛") && !board.contains("/admin/events/new"));
        let live = page(&app, &format!("/admin/events/{event}"), &volunteer).await;
        assert!(!live.contains("/edit") && !live.contains("attendance.xlsx"), "{live}");
    }
}
