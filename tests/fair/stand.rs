//! At a stand: the way in, what is recorded, who is seen and by whom, and what goes out of the house.

use std::io::Cursor;

use admission::{
    Refusal, Verdict,
    decide::StationKind,
    scan::{Act, Deed},
};
use calamine::{Data, Reader, Xlsx};
use serde_json::{Value, json};
use turnout_server::{fetch, web::access::Role};

use super::{Sent, between, fair, page, send};
use crate::support::{TestApp, kiosk::TestKiosk, on_both, people::Member};

/// An employer's agent, signed in.
pub(crate) struct Agent {
    pub(crate) employer: String,
    pub(crate) link: String,
    pub(crate) pin: String,
    pub(crate) cookie: String,
}

/// The ids of a fair's employers in the order of their stands, with their stands.
pub(crate) async fn employers(app: &TestApp, event: &str) -> Vec<(String, String)> {
    let mut tx = app.app.db.read().await.expect("read");
    fetch!(
        tx,
        fetch_all,
        "select id, stand from employer where event_id = $1 order by stand",
        event
    )
    .expect("employers")
}

/// Makes the way in, and goes in.
pub(crate) async fn agent(app: &TestApp, event: &str, employer: &str) -> Agent {
    let organizer = app.staff(Role::Organizer).await;
    let path = format!("/admin/events/{event}/fair/employers/{employer}/link");
    let made = send(app, &path, (&organizer, ""), &[("act", "make")]).await.page(201);
    let link = between(&made, "id=\"link\">", "<").to_owned();
    let link = link[link.find("/stand/").expect("a link")..].to_owned();
    let pin = between(&made, "id=\"pin\">", "<").to_owned();
    let opened = send(app, &link, ("", ""), &[("pin", &pin)]).await;
    let cookie = opened.cookie.clone();
    opened.leads_to("/stand");
    Agent { employer: employer.to_owned(), link, pin, cookie }
}

impl Agent {
    pub(crate) async fn get(&self, app: &TestApp, path: &str) -> String {
        let response = app
            .http
            .get(format!("{}{path}", app.url))
            .header("cookie", &self.cookie)
            .send()
            .await
            .expect("answer");
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.expect("text")
    }

    /// Uploads facts as the phone does.
    pub(crate) async fn upload(&self, app: &TestApp, facts: Value) -> Value {
        let request = app
            .http
            .post(format!("{}/api/v1/stand/encounters", app.url))
            .header("cookie", &self.cookie);
        let response = request.json(&json!({ "facts": facts })).send().await.expect("answer");
        assert_eq!(response.status(), 200);
        response.json().await.expect("JSON")
    }

    async fn form(&self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Sent {
        send(app, path, ("", &self.cookie), fields).await
    }

    /// The rows of the exported file's sheets.
    async fn export(&self, app: &TestApp) -> Vec<(String, Vec<Vec<String>>)> {
        let request =
            app.http.get(format!("{}/stand/people.xlsx", app.url)).header("cookie", &self.cookie);
        let bytes = request.send().await.expect("answer").bytes().await.expect("bytes");
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).expect("a workbook");
        let rows = |range: calamine::Range<Data>| {
            range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
        };
        book.worksheets().into_iter().map(|(name, range)| (name, rows(range))).collect()
    }
}

/// The part of a stand's page that lists whom it met.
#[track_caller]
fn people(shown: &str) -> &str {
    between(shown, "data-live=\"people\"", "</section>")
}

/// A member with a ticket of the fair: the ticket's id and code.
pub(crate) async fn visitor(app: &TestApp, name: &str, offer: &str) -> (Member, String, String) {
    let member = app.member(name).await;
    let booked = app.booked(&member, offer).await;
    let text = |name: &str| booked["tickets"][0][name].as_str().expect("a ticket").to_owned();
    let (id, code) = (text("id"), text("code"));
    (member, id, code)
}

fn fact(app: &TestApp, id: &str, card: &str, outcome: &str) -> Value {
    json!({ "id": id, "card": card, "outcome": outcome, "at_ms": app.now().0 })
}

on_both! {
    async fn a_link_needs_its_pin_and_a_new_one_ends_the_old(app) {
        let (event, _) = fair(&app).await;
        let (employer, stand) = employers(&app, &event).await.remove(0);
        let first = agent(&app, &event, &employer).await;
        assert!(first.get(&app, "/stand").await.contains(&stand));
        let wrong = if first.pin == "000000" { "111111" } else { "000000" };
        for tries in 0..11 {
            let sent = send(&app, &first.link, ("", ""), &[("pin", wrong)]).await;
            let status = sent.answer.status.as_u16();
            assert_eq!(status, if tries < 10 { 401 } else { 429 }, "try {tries}");
        }
        assert_eq!(send(&app, &first.link, ("", ""), &[("pin", &first.pin)]).await.answer.status.as_u16(), 429, "locked out");
        app.advance(16 * 60_000);
        send(&app, &first.link, ("", ""), &[("pin", &first.pin)]).await.leads_to("/stand");

        let second = agent(&app, &event, &employer).await;
        assert_eq!(app.get(&first.link, "").await.status.as_u16(), 404);
        let request = app.http.get(format!("{}/stand", app.url)).header("cookie", &first.cookie);
        assert!(!request.send().await.expect("answer").status().is_success(), "it opens nothing any more");
        assert!(second.get(&app, "/stand").await.contains(&stand));
        let organizer = app.staff(Role::Organizer).await;
        let path = format!("/admin/events/{event}/fair/employers/{employer}/link");
        send(&app, &path, (&organizer, ""), &[("act", "revoke")]).await.leads_to("/employers");
        assert_eq!(app.get(&second.link, "").await.status.as_u16(), 404);
    }

    async fn an_employer_sees_who_somebody_is_only_while_they_agree(app) {
        let (event, offer) = fair(&app).await;
        let list = employers(&app, &event).await;
        let (one, other) = (agent(&app, &event, &list[0].0).await, agent(&app, &event, &list[1].0).await);
        let (member, ticket, code) = visitor(&app, "王小明", &offer).await;
        let said = one.upload(&app, json!([fact(&app, "fact-0001", &code, "intention")])).await;
        assert_eq!(said["kept"], json!(["fact-0001"]), "{said}");
        let shown = one.get(&app, "/stand").await;
        let number = admission::ticket::number(&ticket);
        let short = format!("{} {}", &number[..4], &number[4..8]);
        assert!(people(&shown).contains(&short) && people(&shown).contains("达成意向</span>"), "{shown}");
        assert!(!shown.contains("王小明") && !shown.contains(&member.phone), "{shown}");
        let form = one.get(&app, &format!("/stand?card={}", short.replace(' ', "%20"))).await;
        assert!(form.contains(&format!("value=\"{short}\"")), "a tap on a visitor fills the form: {form}");
        assert!(!other.get(&app, "/stand").await.contains(&short), "another employer's visitor");
        assert_eq!(one.export(&app).await[0].1.iter().filter(|row| row[0] == short).count(), 0);

        let me = format!("/events/{event}/fair/me");
        assert!(page(&app, &me, &member.token).await.contains(&list[0].1));
        let consent = format!("{me}/consents/{}", one.employer);
        send(&app, &consent, (&member.token, ""), &[("consent", "yes")]).await.leads_to("/fair/me");
        let shown = one.get(&app, "/stand").await;
        assert!(shown.contains("王小明") && shown.contains(&member.phone), "{shown}");
        assert!(!other.get(&app, "/stand").await.contains("王小明"));
        let exported = one.export(&app).await;
        assert_eq!((exported[0].1[1][1].as_str(), exported[0].1[1][2].as_str()), ("王小明", member.phone.as_str()));

        send(&app, &consent, (&member.token, ""), &[("consent", "no")]).await.leads_to("/fair/me");
        let shown = one.get(&app, "/stand").await;
        assert!(!shown.contains("王小明") && !shown.contains(&member.phone) && shown.contains("请从已导出的表格里删掉"), "{shown}");
        let exported = one.export(&app).await;
        assert_eq!(exported[0].1.iter().filter(|row| row[1] == "王小明").count(), 0);
        assert_eq!(exported[1].1[1][0], short, "told to delete what it carried away");
        assert!(page(&app, &me, &member.token).await.contains("已要求它删除"));

        // The stand's word does not bring back what the visitor took away; the visitor's own does.
        let mut spoken = fact(&app, "fact-0002", &code, "hired");
        spoken["consent"] = true.into();
        one.upload(&app, json!([spoken])).await;
        assert!(!one.get(&app, "/stand").await.contains("王小明"));
        app.advance(1_000);
        send(&app, &consent, (&member.token, ""), &[("consent", "yes")]).await.leads_to("/fair/me");
        assert!(one.get(&app, "/stand").await.contains("王小明"));
    }

    async fn consent_by_word_of_mouth_is_told_to_the_visitor(app) {
        let (event, offer) = fair(&app).await;
        let (employer, _) = employers(&app, &event).await.remove(0);
        let agent = agent(&app, &event, &employer).await;
        let (member, ticket, _) = visitor(&app, "李华", &offer).await;
        let fields = [("id", "form-0001"), ("card", &admission::ticket::number(&ticket)[..8]), ("outcome", "cv"), ("grade", "B"), ("note", "=1+1"), ("consent", "yes")];
        agent.form(&app, "/stand", &fields).await.leads_to("done=kept");
        let told = app.messages_to(&member.phone).await.pop().expect("a message");
        assert!(told.contains("当面同意") && told.contains("/fair/me"), "{told}");
        let row = &agent.export(&app).await[0].1[1];
        assert_eq!((row[1].as_str(), row[7].as_str(), row[8].as_str()), ("李华", "B", "'=1+1"));
        // A second tap is the same fact.
        agent.form(&app, "/stand", &fields).await.leads_to("done=kept");
        assert_eq!(app.messages_to(&member.phone).await.len(), 1);
        let refused = agent.form(&app, "/stand", &[("id", "form-0002"), ("card", "ABCDEFGH"), ("outcome", "cv"), ("note", "记得回电")]).await.page(422);
        assert!(refused.contains("没有这张入场券") && refused.contains("记得回电"), "nothing typed is lost: {refused}");
    }

    async fn facts_arrive_late_twice_and_out_of_order_and_count_once(app) {
        let (event, offer) = fair(&app).await;
        let list = employers(&app, &event).await;
        let (one, other) = (agent(&app, &event, &list[0].0).await, agent(&app, &event, &list[1].0).await);
        let (_, _, code) = visitor(&app, "王小明", &offer).await;
        let talked = fact(&app, "fact-talked", &code, "talked");
        app.advance(60_000);
        let hired = fact(&app, "fact-hired", &code, "hired");
        app.advance(3_600_000);
        one.upload(&app, json!([hired, { "id": "fact-nobody", "card": "ZZZZZZZZ", "outcome": "cv", "at_ms": 1 }])).await;
        let said = one.upload(&app, json!([talked, hired, hired])).await;
        assert_eq!(said["kept"].as_array().map(Vec::len), Some(3), "{said}");
        let shown = one.get(&app, "/stand").await;
        assert!(people(&shown).contains("已录用</span>"), "what happened last counts, not what arrived last: {shown}");
        // The same id at another stand is another fact.
        other.upload(&app, json!([hired])).await;
        let organizer = app.staff(Role::Organizer).await;
        let report = page(&app, &format!("/admin/events/{event}/fair/report"), &organizer).await;
        assert!(report.contains("1 人达成就业意向"), "{report}");
        let mut tx = app.app.db.read().await.expect("read");
        let (count,): (i64,) = fetch!(tx, fetch_one, "select count(*) from encounter").expect("count");
        assert_eq!(count, 3);
        drop(tx);
        let id = between(&shown, "/stand/encounters/", "/undo").to_owned();
        one.form(&app, &format!("/stand/encounters/{id}/undo"), &[]).await.leads_to("/stand");
        let shown = one.get(&app, "/stand").await;
        assert!(people(&shown).contains("谈过</span>") && !people(&shown).contains("已录用</span>"), "{shown}");
        let not_ours = other.form(&app, &format!("/stand/encounters/{id}x/undo"), &[]).await;
        assert_eq!(not_ours.answer.status.as_u16(), 404);
    }

    async fn a_visitor_scans_the_stands_poster(app) {
        let (event, offer) = fair(&app).await;
        let (employer, stand) = employers(&app, &event).await.remove(0);
        let organizer = app.staff(Role::Organizer).await;
        assert!(page(&app, &format!("/admin/events/{event}/fair/posters"), &organizer).await.contains(&stand));
        let mut tx = app.app.db.read().await.expect("read");
        let (poster, number): (String, i64) =
            fetch!(tx, fetch_one, "select e.poster, min(p.number) from employer e join post p on p.employer_id = e.id where e.id = $1 group by e.poster", &employer)
                .expect("poster");
        drop(tx);
        let there = format!("/stands/{poster}");
        assert!(page(&app, &there, "").await.contains("登录后留下联系方式"));
        let (member, ..) = visitor(&app, "王小明", &offer).await;
        assert!(page(&app, &there, &member.token).await.contains("同意并留下联系方式"));
        for _ in 0..2 {
            send(&app, &there, (&member.token, ""), &[("post", &number.to_string())]).await.leads_to("/fair/me");
        }
        let agent = agent(&app, &event, &employer).await;
        let shown = agent.get(&app, "/stand").await;
        assert!(people(&shown).contains("王小明") && people(&shown).contains("收简历</span>"), "{shown}");
        assert_eq!(app.get("/stands/NOWHERE", "").await.status.as_u16(), 404);
    }

    async fn a_kiosk_at_a_stand_counts_a_visit_there(app) {
        let (event, offer) = fair(&app).await;
        let (employer, stand) = employers(&app, &event).await.remove(0);
        let agent = agent(&app, &event, &employer).await;
        let (_, ticket, _) = visitor(&app, "王小明", &offer).await;
        let mut tx = app.app.db.write().await.expect("write");
        turnout_server::execute!(
            tx,
            "insert into scan (id, event_id, kind, station_kind, station, medium, ticket_id, verdict, trust, at_ms, true_ms, received_ms)
             values ('visit', $1, 'scan', 'booth', $2, 'code', $3, 'admitted', 'live', $4, $4, $4)",
            &event, &stand, &ticket, app.now().0,
        ).expect("scan");
        tx.commit().await.expect("commit");
        let shown = agent.get(&app, "/stand").await;
        assert!(people(&shown).contains(&admission::ticket::number(&ticket)[..4]) && people(&shown).contains("来过</span>"), "{shown}");
        let organizer = app.staff(Role::Organizer).await;
        let board = page(&app, &format!("/admin/events/{event}/fair"), &organizer).await;
        let row = between(&board, &format!("<th>{stand} "), "</tr>");
        assert!(row.contains("<td class=\"num\">1</td>"), "{row}");
    }

    async fn what_a_visitor_taps_on_a_kiosk_at_the_stand_is_their_consent(app) {
        let (event, offer) = fair(&app).await;
        let (employer, stand) = employers(&app, &event).await.remove(0);
        let agent = agent(&app, &event, &employer).await;
        let (member, ticket, _) = visitor(&app, "王小明", &offer).await;
        let (_, other, _) = visitor(&app, "李大海", &offer).await;
        let mut kiosk = app.kiosk(&event, &stand).await;
        let tap = |kiosk: &mut TestKiosk<'_>, ticket: &str, granted| {
            let about = Some(kiosk.journal.len() as u64 + 1);
            let ticket = ticket.parse().expect("a ticket id");
            kiosk.record(StationKind::Booth, ticket, Verdict::Admitted, Deed::default());
            let deed = Deed { act: Act::Consent, about, consent: Some(granted), ..Deed::default() };
            kiosk.record(StationKind::Booth, ticket, Verdict::Attention(Refusal::Unknown), deed);
        };
        // Said while the kiosk was alone; it is in force as soon as the kiosk tells, once however often it tells.
        tap(&mut kiosk, &ticket, true);
        tap(&mut kiosk, &other, false);
        assert!(!people(&agent.get(&app, "/stand").await).contains("王小明"));
        kiosk.upload().await;
        kiosk.upload().await;
        let rows = async || -> Vec<(String, bool, i64)> {
            let mut tx = app.app.db.read().await.expect("read");
            fetch!(tx, fetch_all, "select how, granted, notice from consent where employer_id = $1 order by at_ms, seq", &employer)
                .expect("consents")
        };
        let notice = 1;
        assert_eq!(rows().await, [("visitor".to_owned(), true, notice), ("visitor".to_owned(), false, notice)]);
        let shown = agent.get(&app, "/stand").await;
        assert!(people(&shown).contains("王小明") && !people(&shown).contains("李大海"));
        assert!(!people(&shown).contains("已撤回同意"), "who said no took nothing back");
        let names = |sheets: &[(String, Vec<Vec<String>>)]| format!("{:?}", sheets[0].1);
        assert!(names(&agent.export(&app).await).contains("王小明"));

        // It is theirs to take back, on their own phone.
        let me = page(&app, &format!("/events/{event}/fair/me"), &member.token).await;
        assert!(me.contains("撤回"), "{me}");
        let path = format!("/events/{event}/fair/me/consents/{employer}");
        send(&app, &path, (&member.token, ""), &[("consent", "no")]).await.leads_to("/fair/me");
        assert!(!people(&agent.get(&app, "/stand").await).contains("王小明"));
        let after = agent.export(&app).await;
        assert!(!names(&after).contains("王小明"));
        // And theirs to give again, at the stand.
        app.advance(60_000);
        tap(&mut kiosk, &ticket, true);
        kiosk.upload().await;
        assert!(people(&agent.get(&app, "/stand").await).contains("王小明"));
        // The stand's word does not go over a no.
        let said = json!([{ "id": "a1b2c3d4e5f60718", "card": other, "outcome": "talked", "at_ms": app.now().0, "consent": true }]);
        agent.upload(&app, said).await;
        assert!(!people(&agent.get(&app, "/stand").await).contains("李大海"));
        // A station that is no employer's stand takes no consent to an employer.
        let before = rows().await.len();
        let mut elsewhere = app.kiosk(&event, "休息区").await;
        tap(&mut elsewhere, &ticket, true);
        elsewhere.upload().await;
        assert_eq!(rows().await.len(), before);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }
}
