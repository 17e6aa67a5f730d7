//! Ballots: everybody enters once, the draw is made by itself, and anybody computes it again.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;
use turnout_server::{archive::verify, draw, execute, web::access::Role};

use crate::support::{
    Engine, TestApp,
    browser::Browser,
    form::typed,
    on_both,
    people::{Member, bin},
};

const HOUR: i64 = 3_600_000;

fn ballot(quota: i64) -> impl FnOnce(&mut Value) {
    move |draft| {
        let offer = &mut draft["offers"][0];
        offer["mode"] = "draw".into();
        offer["quota"] = quota.into();
        offer["per_person"] = 3.into();
        offer["guests_max"] = 2.into();
    }
}

impl TestApp {
    async fn entrants(&self, count: usize, offer: &str) -> Vec<(Member, String)> {
        let mut entrants = Vec::new();
        for n in 0..count {
            let member = self.member(&format!("会员{n}")).await;
            let guests = if n % 5 == 0 { json!(["客人"]) } else { json!([]) };
            let request = json!({ "offer": offer, "guests": guests });
            let booked = self.book_with(&member.token, "enter", request).await.expect(201);
            assert_eq!((&booked["status"], &booked["tickets"]), (&json!("entered"), &json!([])));
            entrants.push((member, booked["id"].as_str().expect("id").to_owned()));
        }
        entrants
    }

    async fn booking_of(&self, (member, id): &(Member, String)) -> Value {
        self.get(&format!("/api/v1/bookings/{id}"), &member.token).await.expect(200)
    }

    async fn drawn(&self) -> usize {
        draw::sweep(&self.app).await.expect("the draw")
    }

    /// Our own program and one in another language that reads nothing but the published file find the draw right.
    async fn anybody_finds_right(&self, offer: &str) -> Value {
        let answer = self.get(&format!("/api/v1/offers/{offer}/draw"), "").await;
        let file = self.folder.path().join("draw.json");
        std::fs::write(&file, &answer.text).expect("write");
        assert_eq!((checks(&file, true).await, checks(&file, false).await), (true, true));
        answer.json()
    }
}

on_both! {
    async fn a_ballot_is_drawn_once_when_it_closes(app) {
        let (event, offer) = app.event(ballot(7)).await;
        let page = app.get(&format!("/offers/{offer}/draw"), "").await;
        assert!(page.text.contains("怎样抽签"), "{}", page.text);
        let entrants = app.entrants(20, &offer).await;
        // Once each, until it closes; nobody has a place before the draw.
        let again = app.book_with(&entrants[1].0.token, "again", json!({ "offer": offer })).await;
        assert_eq!(again.refused(409), "limit_reached");
        assert_eq!(app.drawn().await, 0);
        assert_eq!(app.get(&format!("/api/v1/offers/{offer}/draw"), "").await.refused(404), "not_found");
        let page = app.get(&format!("/bookings/{}", entrants[0].1), &entrants[0].0.token).await.text;
        assert!(page.contains("等待抽签") && page.contains(&format!("/offers/{offer}/draw")), "{page}");
        let leaving = format!("/api/v1/bookings/{}/cancellation", entrants[19].1);
        app.post(&leaving, &entrants[19].0.token, json!({})).await.expect(200);
        app.advance(4 * HOUR);
        assert_eq!(app.book_with(&app.member("来晚").await.token, "late", json!({ "offer": offer })).await.refused(403), "not_open");
        assert_eq!((app.drawn().await, app.drawn().await), (1, 0));

        let record = app.get(&format!("/api/v1/offers/{offer}/draw"), "").await.expect(200);
        let ids = |what: &str| -> Vec<String> {
            record[what].as_array().expect("ids").iter().map(|id| id.as_str().expect("id").to_owned()).collect()
        };
        let (won, lost) = (ids("won"), ids("lost"));
        assert_eq!(won.len() + lost.len(), 19);
        let mut places = 0;
        for entrant in &entrants[..19] {
            let booking = app.booking_of(entrant).await;
            let expected = if won.contains(&entrant.1) { "confirmed" } else { "drawn_out" };
            assert_eq!(booking["status"], expected);
            let tickets = booking["tickets"].as_array().map_or(0, Vec::len);
            assert_eq!(tickets as i64, if expected == "confirmed" { booking["places"].as_i64().expect("n") } else { 0 });
            places += tickets;
            let told = app.messages_to(&entrant.0.phone).await.join("\n");
            assert!(told.contains(if expected == "confirmed" { "您抽中了" } else { "没有抽中" }), "{told}");
            let page = app.get(&format!("/bookings/{}", entrant.1), &entrant.0.token).await.text;
            assert_eq!(page.contains("这次没有抽中"), expected == "drawn_out", "{page}");
        }
        assert!((6..=7).contains(&places), "{places} of 7: at most a pair did not fit");
        let shown = app.get(&format!("/api/v1/events/{event}"), "").await.expect(200);
        assert_eq!(shown["offers"][0]["left"], 7 - places as i64);
        let page = app.get(&format!("/offers/{offer}/draw"), "").await;
        assert!(page.text.contains("抽签结果") && page.text.contains("一致"), "{}", page.text);
        assert!(!page.text.contains("会员1"), "names are masked");
        let findings = verify(&app.app.db).await.expect("verify");
        assert!(findings.is_empty(), "{findings:?}");
    }

    async fn who_is_not_eligible_any_more_takes_no_part_and_gets_no_turn(app) {
        let (event, offer) = app.event(|draft| {
            ballot(1)(draft);
            draft["offers"][0]["eligibility"] = "members".into();
            draft["offers"][0]["waiting_list"] = true.into();
        }).await;
        let mut entrants = Vec::new();
        for name in ["王小明", "李小红", "赵大力", "钱多多"] {
            let member = app.member(name).await;
            let booked = app.booked(&member, &offer).await["id"].as_str().expect("id").to_owned();
            entrants.push((member, booked));
        }
        let leave = async |member: &Member| {
            let mut tx = app.app.db.write().await.expect("write");
            execute!(tx, "update person set status = 'left' where id = $1", &member.id).expect("left");
            tx.commit().await.expect("commit");
        };
        leave(&entrants[0].0).await;
        app.advance(4 * HOUR);
        assert_eq!(app.drawn().await, 1);
        let record = app.get(&format!("/api/v1/offers/{offer}/draw"), "").await.expect(200);
        let text = record.to_string();
        assert!(!text.contains(&entrants[0].1) && record["entries"].as_array().map(Vec::len) == Some(3), "{text}");
        assert_eq!(app.booking_of(&entrants[0]).await["status"], "cancelled");
        let page = app.get(&format!("/bookings/{}", entrants[0].1), &entrants[0].0.token).await.text;
        assert!(page.contains("不在可以报名的范围里"), "{page}");
        assert!(app.messages_to(&entrants[0].0.phone).await.join("").contains("报名没有保留"));
        // Of two in line the first leaves the union too; the place that comes free is the second's.
        let at = |id: &Value| entrants.iter().position(|(_, booking)| id == booking.as_str()).expect("an entrant");
        let (won, lost) = (at(&record["won"][0]), record["lost"].as_array().expect("ids").iter().map(at).collect::<Vec<_>>());
        leave(&entrants[lost[0]].0).await;
        app.post(&format!("/api/v1/bookings/{}/cancellation", entrants[won].1), &entrants[won].0.token, json!({})).await.expect(200);
        assert_eq!(app.booking_of(&entrants[lost[0]]).await["status"], "cancelled");
        assert_eq!(app.booking_of(&entrants[lost[1]]).await["status"], "held");
        let shown = app.get(&format!("/api/v1/events/{event}"), "").await.expect(200);
        assert_eq!(shown["offers"][0]["left"], 0);
        let findings = verify(&app.app.db).await.expect("verify");
        assert!(findings.is_empty(), "{findings:?}");
    }

    async fn an_entry_that_comes_after_the_draw_is_refused_however_early_it_was_sent(app) {
        let (_, offer) = app.event(ballot(3)).await;
        app.entrants(5, &offer).await;
        let (late, twin) = (app.member("堵在路上").await, app.member("也堵着").await);
        app.advance(4 * HOUR);
        assert_eq!(app.drawn().await, 1);
        // As if it had been stamped in time, and had waited until now to be written.
        app.advance(-HOUR);
        for who in [&late, &twin] {
            let answer = app.book_with(&who.token, "late", json!({ "offer": offer })).await;
            assert_eq!(answer.refused(403), "not_open");
        }
        let mut tx = app.app.db.read().await.expect("read");
        let (left,): (i64,) = turnout_server::fetch!(
            tx, fetch_one, "select count(*) from booking where offer_id = $1 and status = 'entered'", &offer
        ).expect("count");
        assert_eq!(left, 0, "an entry was left out of the draw");
    }

    async fn the_rule_stands_still_once_somebody_has_entered(app) {
        let (event, offer) = app.event(ballot(3)).await;
        let organizer = app.staff(Role::Organizer).await;
        let edit = format!("/admin/events/{event}/offers/{offer}");
        let save = async |organizer: &str, changes: &[(&str, &str)]| {
            let shown = app.get(&edit, organizer).await.text;
            let mut form = typed(&shown);
            for (field, value) in changes {
                form.retain(|(name, _)| name != field);
                form.push(((*field).to_owned(), (*value).to_owned()));
            }
            let request = app.http.post(format!("{}{edit}", app.url)).bearer_auth(organizer).form(&form);
            let answer = request.send().await.expect("answer");
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        };
        assert_eq!(save(&organizer, &[("weight_drives", "2")]).await.0, 303);
        app.entrants(2, &offer).await;
        let (status, page) = save(&organizer, &[("weight_drives", "5")]).await;
        assert_eq!(status, 422, "{page}");
        assert!(page.contains("加权的规则不能再改"), "{page}");
        assert_eq!(save(&organizer, &[("quota", "4")]).await.0, 303, "more places are no harm");
        app.advance(4 * HOUR);
        assert_eq!(app.drawn().await, 1);
        let organizer = app.staff(Role::Organizer).await;
        let (status, page) = save(&organizer, &[("closes", "2027-03-05T15:30")]).await;
        assert_eq!(status, 422, "{page}");
        assert!(page.contains("已经抽签"), "{page}");
    }

    async fn an_organizer_sets_places_aside_for_unions_in_the_offers_form(app) {
        let (event, offer) = app.event(ballot(4)).await;
        let (teachers, nurses) = (app.union("教育工会").await, app.union("卫生工会").await);
        let organizer = app.staff(Role::Organizer).await;
        let edit = format!("/admin/events/{event}/offers/{offer}");
        let save = async |floors: &[(&str, &str)]| {
            let mut form = typed(&app.get(&edit, &organizer).await.text);
            for (union, places) in floors {
                let field = format!("floor-{union}");
                let typed = form.iter_mut().find(|(name, _)| *name == field).expect("every union has a field");
                typed.1 = (*places).to_owned();
            }
            let request = app.http.post(format!("{}{edit}", app.url)).bearer_auth(&organizer).form(&form);
            let answer = request.send().await.expect("answer");
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        };
        let (status, page) = save(&[(&teachers, "3"), (&nurses, "2")]).await;
        assert!(status == 422 && page.contains("合计 5 个，比名额 4 个多"), "{page}");
        assert!(page.contains(r#"value="3""#), "what was typed is still there");
        assert_eq!(save(&[(&teachers, "两个")]).await.0, 422);
        assert_eq!(save(&[(&teachers, "２"), (&nurses, "0")]).await.0, 303);
        let shown = app.get(&format!("/offers/{offer}/draw"), "").await.text;
        assert!(shown.contains("教育工会：至少 2 个名额") && !shown.contains("卫生工会"), "{shown}");
        // Saving the form as it stands changes nothing, also once somebody has entered; another floor does not pass then.
        app.entrants(3, &offer).await;
        assert_eq!(save(&[]).await.0, 303);
        let (status, page) = save(&[(&nurses, "1")]).await;
        assert!(status == 422 && page.contains("保底名额不能再改"), "{page}");
        app.advance(4 * HOUR);
        assert_eq!(app.drawn().await, 1);
        let record = app.get(&format!("/api/v1/offers/{offer}/draw"), "").await.expect(200);
        assert_eq!(record["floors"], json!([{ "union": "教育工会", "places": 2 }]));
        let shown = app.get(&format!("/offers/{offer}/draw"), "").await.text;
        assert!(shown.contains("结果：报名 0 个名额，抽中 0 个"), "{shown}");
    }

    async fn a_ballot_that_cannot_be_drawn_holds_no_other_up(app) {
        let (_, spoilt) = app.event(ballot(3)).await;
        let (_, sound) = app.event(ballot(3)).await;
        app.entrants(2, &sound).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update ballot set commitment = 'another key' where offer_id = $1", &spoilt).expect("update");
        execute!(tx, "update offer set closes_ms = closes_ms - 1 where id = $1", &spoilt).expect("update");
        tx.commit().await.expect("commit");
        app.advance(4 * HOUR);
        let failed = draw::sweep(&app.app).await.expect_err("one has no key");
        assert!(failed.to_string().contains("keys/draw.key"), "{failed}");
        app.get(&format!("/api/v1/offers/{sound}/draw"), "").await.expect(200);
    }

    async fn the_published_record_is_all_one_needs_to_check_it(app) {
        let (_, offer) = app.event(ballot(5)).await;
        app.entrants(12, &offer).await;
        let promised = commitment_on(&app.get(&format!("/offers/{offer}/draw"), "").await.text);
        app.advance(4 * HOUR);
        assert_eq!(app.drawn().await, 1);
        let answer = app.get(&format!("/api/v1/offers/{offer}/draw"), "").await;
        let file = app.folder.path().join("draw.json");
        std::fs::write(&file, &answer.text).expect("write");
        let mut record = answer.json();
        assert_eq!(record["commitment"], promised.as_str());
        // Our own program, and one in another language that reads nothing but the file.
        assert!(checks(&file, true).await && checks(&file, false).await);
        record["won"].as_array_mut().expect("ids").swap(0, 1);
        std::fs::write(&file, record.to_string()).expect("write");
        assert!(!checks(&file, true).await && !checks(&file, false).await, "a forged result passes");
    }

    async fn who_lost_before_has_more_chances(app) {
        let unlucky = app.member("没抽中").await;
        let drive = async || {
            let (_, offer) = app.event(|draft| {
                ballot(1)(draft);
                draft["offers"][0]["weight_drives"] = 3.into();
            }).await;
            let booked = app.book_with(&unlucky.token, &offer, json!({ "offer": offer })).await.expect(201);
            let lucky = app.member("新人").await;
            app.book_with(&lucky.token, &offer, json!({ "offer": offer })).await.expect(201);
            app.advance(4 * HOUR);
            assert_eq!(app.drawn().await, 1);
            let record = app.get(&format!("/api/v1/offers/{offer}/draw"), "").await.expect(200);
            let weight = record["entries"].as_array().expect("entries").iter()
                .find(|entry| entry["id"] == booked["id"]).expect("theirs")["weight"].clone();
            let won = record["won"][0] == booked["id"];
            app.anybody_finds_right(&offer).await;
            (weight.as_u64().expect("a number"), won)
        };
        // However chance falls, the weight is one more than the losses since nothing was won in the last three.
        let mut history: Vec<bool> = Vec::new();
        for _ in 0..5 {
            let last = &history[history.len().saturating_sub(3)..];
            let expected = if last.contains(&true) { 1 } else { 1 + last.len() as u64 };
            let (weight, won) = drive().await;
            assert_eq!(weight, expected, "after {history:?}");
            history.push(won);
        }
    }

    async fn a_union_has_the_places_set_aside_for_it_and_losers_stand_in_line(app) {
        let union = app.union("王佐镇教育工会").await;
        let (_, offer) = app.event(|draft| {
            ballot(4)(draft);
            draft["offers"][0]["waiting_list"] = true.into();
            draft["offers"][0]["floors"] = json!([{ "union": union, "places": 2 }]);
        }).await;
        let mut teachers = Vec::new();
        for n in 0..3 {
            let member = app.member(&format!("教师{n}")).await;
            let mut tx = app.app.db.write().await.expect("write");
            execute!(tx, "update person set union_id = $2 where id = $1", &member.id, &union).expect("moves");
            tx.commit().await.expect("commit");
            let booked = app.book_with(&member.token, "enter", json!({ "offer": offer })).await.expect(201);
            teachers.push((member, booked["id"].as_str().expect("id").to_owned()));
        }
        let mut others = Vec::new();
        for n in 0..20 {
            let member = app.member(&format!("会员{n}")).await;
            let booked = app.book_with(&member.token, "enter", json!({ "offer": offer })).await.expect(201);
            others.push((member, booked["id"].as_str().expect("id").to_owned()));
        }
        app.advance(4 * HOUR);
        assert_eq!(app.drawn().await, 1);
        let mut confirmed = 0;
        for teacher in &teachers {
            confirmed += usize::from(app.booking_of(teacher).await["status"] == "confirmed");
        }
        assert!(confirmed >= 2, "two places were theirs");
        let record = app.anybody_finds_right(&offer).await;
        for entrant in teachers.iter().chain(&others) {
            let booking = app.booking_of(entrant).await;
            let place = record["lost"].as_array().expect("ids").iter().position(|id| *id == entrant.1.as_str());
            assert_eq!(booking["position"].as_u64(), place.map(|place| place as u64 + 1), "drawn order is the line");
        }
        let findings = verify(&app.app.db).await.expect("verify");
        assert!(findings.is_empty(), "{findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_computes_the_draw_again_and_says_when_it_is_wrong() {
    let app = TestApp::new(Engine::Sqlite).await;
    let union = app.union("教育工会").await;
    let (_, offer) = app
        .event(|draft| {
            ballot(4)(draft);
            draft["offers"][0]["weight_drives"] = 2.into();
            draft["offers"][0]["floors"] = json!([{ "union": union, "places": 2 }]);
        })
        .await;
    let entrants = app.entrants(15, &offer).await;
    for (member, _) in &entrants[..4] {
        app.join_union(member, &union).await;
    }
    app.advance(4 * HOUR);
    assert_eq!(app.drawn().await, 1);
    let phone = Browser::phone().await;
    let page = format!("{}/offers/{offer}/draw", app.url);
    phone.go(&page).await;
    phone.sees("output[data-draw]", "您的手机也算了一遍：一致").await;
    // What was changed behind the server's back shows on every phone.
    let mut record = app.get(&format!("/api/v1/offers/{offer}/draw"), "").await.expect(200);
    record["won"].as_array_mut().expect("ids").swap(0, 1);
    let mut tx = app.app.db.write().await.expect("write");
    execute!(tx, "update ballot set record = $2 where offer_id = $1", &offer, record.to_string())
        .expect("forged");
    tx.commit().await.expect("commit");
    phone.go(&format!("{page}?again")).await;
    phone.sees("main", "公布的记录与规则不符").await;
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_draw_a_ballot_once() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (_, offer) = app.event(ballot(5)).await;
    app.entrants(15, &offer).await;
    app.advance(4 * HOUR);
    let (one, other) = tokio::join!(app.drawn(), twin.drawn());
    assert_eq!(one + other, 1);
    let findings = verify(&app.app.db).await.expect("verify");
    assert!(findings.is_empty(), "{findings:?}");
}

fn commitment_on(page: &str) -> String {
    let (_, rest) =
        page.split_once("<code class=\"wrap\">").expect("the commitment is on the page");
    rest[..64].to_owned()
}

/// Whether `file` passes: by our program, or by the script that knows only docs/draws.md.
async fn checks(file: &Path, ours: bool) -> bool {
    let mut command = if ours {
        let mut command = Command::new(bin("turnout-server"));
        command.args(["draw", "verify"]);
        command
    } else {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/verify_draw.py"));
        command
    };
    command.arg(file).output().await.expect("it runs").status.success()
}
