//! The desk: groups fill the knock-out, lots, corrections, links for umpires, the pages.

use reqwest::Method;
use serde_json::json;
use turnout_server::{archive::verify, execute, fetch};

use super::world::{Contest, Feed, as_umpire};
use crate::support::{TestApp, on_both};

const A_WINS: [[i64; 2]; 3] = [[11, 5], [11, 6], [11, 7]];
const B_WINS: [[i64; 2]; 3] = [[5, 11], [6, 11], [7, 11]];

async fn form(app: &TestApp, token: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let request = app
        .http
        .request(Method::POST, format!("{}{path}", app.url))
        .bearer_auth(token)
        .form(fields);
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("a body"))
}

on_both! {
    async fn winners_and_runners_up_of_groups_meet_in_the_knock_out(app) {
        let contest = Contest::new(&app, 4).await;
        let field = contest.field("女单", "groups", 6, &[]).await;
        let (a, first) = contest.group(&field, 1, &[0, 2, 4]).await;
        let (b, second) = contest.group(&field, 2, &[1, 3, 5]).await;
        let rounds = contest.knock_out(&field, 4, |at| match at {
            0 => [Feed::Group(a.clone(), 1), Feed::Group(b.clone(), 2)],
            _ => [Feed::Group(a.clone(), 2), Feed::Group(b.clone(), 1)],
        }).await;
        // Group A goes by strength; in group B everybody beats one and nothing tells them apart.
        for (id, ..) in &first {
            contest.result(id, json!(A_WINS)).await;
        }
        let semi = contest.show(&rounds[0][0]).await;
        assert_eq!((semi["a"]["entry"].as_str(), semi["state"].as_str()), (Some(field.entries[0].as_str()), Some("waiting")));
        assert_eq!(semi["b"]["name"], "B 组第 2 名");
        for ((id, ..), games) in second.iter().zip([A_WINS, B_WINS, A_WINS]) {
            contest.result(id, json!(games)).await;
        }
        let page = app.get(&format!("/admin/events/{}/play", contest.event), &contest.organizer).await;
        assert!(page.text.contains("B 组名次分不出来"), "{}", page.text);
        assert_eq!(contest.show(&rounds[0][0]).await["state"], "waiting");
        let standings = format!("/disciplines/{}/standings", field.id);
        assert!(app.get(&standings, "").await.text.contains("待抽签"));
        let (status, _) = form(&app, &contest.organizer, &format!("/admin/groups/{b}/lots"), &[]).await;
        assert_eq!(status, 303);
        for id in &rounds[0] {
            assert_eq!(contest.show(id).await["state"], "ready");
        }
        let shown = app.get(&standings, "").await.text;
        assert!(shown.contains("名次已定") && shown.contains("抽签：") && !shown.contains("待抽签"), "{shown}");
        let findings = verify(&app.app.db).await.expect("verify");
        assert!(findings.is_empty(), "{findings:?}");
    }

    async fn a_result_is_corrected_until_something_stands_on_it(app) {
        let contest = Contest::new(&app, 2).await;
        let field = contest.field("单打", "knock_out", 4, &[]).await;
        let rounds = contest.knock_out(&field, 4, |at| [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))).await;
        let (first, second, last) = (&rounds[0][0], &rounds[0][1], &rounds[1][0]);
        contest.result(first, json!(A_WINS)).await;
        assert_eq!(contest.show(last).await["a"]["entry"], field.entries[0].as_str());
        let correct = async |games: serde_json::Value, reason: &str| {
            let version = contest.show(first).await["version"].clone();
            let sent = json!({ "key": "c", "version": version, "games": games, "outcome": "played", "reason": reason });
            contest.post(&format!("/matches/{first}/correction"), sent).await
        };
        assert_eq!(correct(json!(B_WINS), " ").await.refused(422), "reason");
        assert_eq!(correct(json!([[11, 10]]), "写反了").await.refused(422), "score");
        correct(json!(B_WINS), "写反了").await.expect(200);
        assert_eq!(contest.show(last).await["a"]["entry"], field.entries[1].as_str(), "the right one goes on");
        contest.result(second, json!(A_WINS)).await;
        app.advance(60_000);
        assert_eq!(contest.fill().await, 1);
        assert_eq!(correct(json!(A_WINS), "又错了").await.refused(409), "built_upon");
        // The score alone may still be mended.
        correct(json!([[5, 11], [6, 11], [8, 11]]), "第三局是 8:11").await.expect(200);
        let page = app.get(&format!("/admin/matches/{first}"), &contest.organizer).await.text;
        assert!(page.contains("第三局是 8:11") && page.contains("5:11 6:11 7:11 → 5:11 6:11 8:11"), "{page}");
        let mut tx = app.app.db.read().await.expect("read");
        let (kept,): (i64,) = fetch!(tx, fetch_one, "select count(*) from audit where action = 'match.correct'").expect("audit");
        assert_eq!(kept, 2);
    }

    async fn whoever_nobody_plays_goes_on(app) {
        let contest = Contest::new(&app, 2).await;
        let field = contest.field("单打", "knock_out", 4, &[]).await;
        let rounds = contest.knock_out(&field, 4, |at| [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))).await;
        let version = contest.show(&rounds[0][0]).await["version"].clone();
        let nobody = json!({ "key": "n", "version": version, "games": [], "outcome": "walkover" });
        contest.post(&format!("/matches/{}/report", rounds[0][0]), nobody).await.expect(200);
        contest.result(&rounds[0][1], json!(B_WINS)).await;
        let last = contest.show(&rounds[1][0]).await;
        assert_eq!((last["state"].as_str(), last["outcome"].as_str()), (Some("ended"), Some("walkover")));
        assert_eq!((last["winner"].as_str(), last["b"]["entry"].as_str()), (Some("b"), Some(field.entries[3].as_str())));
    }

    async fn an_umpires_link_reaches_its_court_only_until_it_ends(app) {
        let contest = Contest::new(&app, 2).await;
        let field = contest.field("单打", "knock_out", 4, &[]).await;
        contest.knock_out(&field, 4, |at| [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))).await;
        assert_eq!(contest.fill().await, 2);
        let courts = contest.courts().await;
        let secret = contest.umpire(Some(&courts[0])).await;
        let desk = format!("/events/{}/play", contest.event);
        let (_, seen) = as_umpire(&app, &secret, &desk, None).await;
        let seen = seen["matches"].as_array().expect("matches").clone();
        assert_eq!((seen.len(), seen[0]["court"].as_str()), (1, Some("1号台")));
        let all = app.get(&format!("/api/v1{desk}"), &contest.organizer).await.expect(200);
        let other = all["matches"].as_array().expect("matches").iter().find(|found| found["court"] == "2号台").expect("two").clone();
        let path = format!("/matches/{}/report", other["id"].as_str().expect("id"));
        let sent = json!({ "key": "x", "version": other["version"], "games": [[1, 0]] });
        assert_eq!(as_umpire(&app, &secret, &path, Some(sent.clone())).await.0, 404);
        assert_eq!(app.post(&format!("/api/v1{path}"), "", sent).await.refused(401), "signed_out");
        let mut tx = app.app.db.read().await.expect("read");
        let (id,): (String,) = fetch!(tx, fetch_one, "select id from umpire").expect("umpire");
        drop(tx);
        let ended = form(&app, &contest.organizer, &format!("/admin/events/{}/play/umpires/{id}", contest.event), &[]).await;
        assert_eq!(ended.0, 303);
        assert_eq!(as_umpire(&app, &secret, &desk, None).await.0, 401);
        assert_eq!(as_umpire(&app, "nonsense", &desk, None).await.0, 401);
    }

    async fn players_rest_and_the_organizer_decides_otherwise(app) {
        let contest = Contest::new(&app, 1).await;
        let field = contest.field("单打", "round_robin", 3, &[]).await;
        let (_, matches) = contest.group(&field, 1, &[0, 1, 2]).await;
        assert_eq!(contest.fill().await, 1);
        let open = matches.iter().map(|(id, ..)| id);
        let mut called = None;
        for id in open {
            if contest.show(id).await["state"] == "called" {
                called = Some(id.clone());
            }
        }
        let called = called.expect("one was called");
        contest.result(&called, json!(A_WINS)).await;
        assert_eq!(contest.fill().await, 0, "two of three have just played");
        let page = app.get(&format!("/admin/events/{}/play", contest.event), &contest.organizer).await.text;
        assert!(page.contains("再休息 1 分钟"), "{page}");
        let court = contest.courts().await.remove(0);
        let next = matches.iter().find(|(id, ..)| *id != called).expect("another").0.clone();
        let (status, _) = form(&app, &contest.organizer, &format!("/admin/matches/{next}/call"), &[("court", &court)]).await;
        assert_eq!(status, 303);
        let last = matches.iter().find(|(id, ..)| *id != called && *id != next).expect("the last").0.clone();
        let taken = contest.post(&format!("/matches/{last}/call"), json!({ "court": court })).await;
        assert_eq!(taken.refused(409), "player_busy");
        // Taken back, the match waits and the court is free.
        let (status, _) = form(&app, &contest.organizer, &format!("/admin/matches/{next}/call"), &[]).await;
        assert_eq!((status, contest.show(&next).await["state"].as_str()), (303, Some("ready")));
    }

    async fn a_tie_is_decided_by_its_single_matches(app) {
        let contest = Contest::new(&app, 3).await;
        let field = contest.field("团体", "round_robin", 2, &[]).await;
        let (_, matches) = contest.group(&field, 1, &[0, 1]).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update discipline set kind = 'team', tie_order = 'A-X B-Y C-Z', rest_ms = 0 where id = $1", &field.id).expect("team");
        tx.commit().await.expect("commit");
        let tie = &matches[0].0;
        for turn in 0..2 {
            // Nobody says who plays which, so one at a time.
            assert_eq!(contest.fill().await, 1, "turn {turn}");
            let desk = app.get(&format!("/api/v1/events/{}/play", contest.event), &contest.organizer).await.expect(200);
            let open = desk["matches"].as_array().expect("matches").iter().find(|found| found["state"] == "called").expect("one").clone();
            assert!(open["stage"].as_str().expect("stage").contains(["A-X", "B-Y"][turn]), "{open}");
            contest.result(open["id"].as_str().expect("id"), json!(A_WINS)).await;
        }
        let over = contest.show(tie).await;
        assert_eq!((over["state"].as_str(), over["winner"].as_str(), &over["score"]), (Some("ended"), Some("a"), &json!([2, 0])));
        assert_eq!(contest.fill().await, 0, "the third is not played");
    }

    async fn the_desk_scores_by_form_and_names_the_wrong_game(app) {
        let contest = Contest::new(&app, 1).await;
        let field = contest.field("单打", "knock_out", 2, &[]).await;
        let rounds = contest.knock_out(&field, 2, |_| [0, 1].map(|side| Feed::Entry(field.entries[side].clone()))).await;
        let id = &rounds[0][0];
        let path = format!("/admin/matches/{id}");
        let version = contest.show(id).await["version"].to_string();
        let wrong = [("version", version.as_str()), ("a0", "11"), ("b0", "9"), ("a1", "11"), ("b1", "10"), ("ending", "played")];
        let (status, page) = form(&app, &contest.organizer, &path, &wrong).await;
        assert_eq!(status, 422);
        assert!(page.contains("第 2 局 11:10 不成立") && page.contains("name=\"b1\" inputmode=\"numeric\" maxlength=\"3\" value=\"10\""), "{page}");
        let right = [("version", version.as_str()), ("a0", "１１"), ("b0", "9"), ("a1", "12"), ("b1", "10"), ("a2", "11"), ("b2", "2"), ("ending", "played")];
        assert_eq!(form(&app, &contest.organizer, &path, &right).await.0, 303);
        assert_eq!(contest.show(id).await["score"], json!([3, 0]));
        let board = app.get(&format!("/events/{}/play", contest.event), "").await.text;
        assert!(board.contains("3:0") && !board.contains("单打0"), "names are masked in public: {board}");
    }
}
