//! Late = walk-over: who has come is marked, and the call clock decides or somebody confirms.

use serde_json::{Value, json};
use turnout_server::{contest::play::late::sweep, execute, fetch};

use super::world::{Contest, Feed, as_umpire};
use crate::support::{TestApp, on_both};

const MINUTE: i64 = 60_000;

/// A knock-out of four whose two first matches are called; gives their ids.
async fn called<'a>(app: &'a TestApp, auto: bool) -> (Contest<'a>, Vec<String>, String) {
    let contest = Contest::new(app, 2).await;
    let field = contest.field("单打", "knock_out", 4, &[]).await;
    let mut tx = app.app.db.write().await.expect("write");
    execute!(tx, "update discipline set late_auto = $2 where id = $1", &field.id, auto)
        .expect("set");
    tx.commit().await.expect("commit");
    let first = |at: usize| [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()));
    let mut rounds = contest.knock_out(&field, 4, first).await;
    assert_eq!(contest.fill().await, 2);
    let last = rounds.remove(1).remove(0);
    (contest, rounds.remove(0), last)
}

async fn arrives(app: &TestApp, secret: &str, id: &str, side: &str) -> (u16, Value) {
    let body = Some(json!({ "side": side }));
    as_umpire(app, secret, &format!("/matches/{id}/arrival"), body).await
}

on_both! {
    async fn who_has_not_come_when_the_clock_has_run_out_loses(app) {
        let (contest, matches, last) = called(&app, true).await;
        let secret = contest.umpire(None).await;
        let (status, seen) = arrives(&app, &secret, &matches[0], "a").await;
        assert_eq!((status, &seen["a"]["here"], &seen["b"]["here"]), (200, &json!(true), &json!(false)));
        // Of the other match nobody was marked: the server judges nobody.
        app.advance(15 * MINUTE - 1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        app.advance(1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 1);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        let over = contest.show(&matches[0]).await;
        assert_eq!((over["outcome"].as_str(), over["winner"].as_str()), (Some("walkover"), Some("a")));
        assert_eq!(contest.show(&matches[1]).await["state"], "called");
        let next = contest.show(&last).await;
        assert_eq!(next["a"]["entry"], over["a"]["entry"], "who came goes on");
        let page = app.get(&format!("/admin/matches/{}", matches[0]), &contest.organizer).await.text;
        assert!(page.contains("叫号计时"), "the history says that the clock decided: {page}");
        let mut tx = app.app.db.read().await.expect("read");
        let (busy,): (i64,) = fetch!(tx, fetch_one, "select count(*) from on_court where match_id = $1", &matches[0]).expect("count");
        assert_eq!(busy, 0, "both are free");
    }

    async fn where_somebody_confirms_the_server_waits_for_them(app) {
        let (contest, matches, _) = called(&app, false).await;
        let secret = contest.umpire(None).await;
        let late = format!("/matches/{}/late", matches[0]);
        app.advance(15 * MINUTE);
        let (status, why) = as_umpire(&app, &secret, &late, Some(json!({}))).await;
        assert_eq!((status, why["code"].as_str()), (409, Some("nobody_missing")));
        arrives(&app, &secret, &matches[0], "b").await;
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
        let page = app.get(&format!("/admin/events/{}/play", contest.event), &contest.organizer).await.text;
        assert!(page.contains("判 单打0 迟到弃权") && page.contains("已到 ✓"), "{page}");
        let (status, over) = as_umpire(&app, &secret, &late, Some(json!({}))).await;
        assert_eq!((status, over["winner"].as_str()), (200, Some("b")));
        // Before the time is up an umpire may not; the organizer may.
        app.advance(60 * MINUTE);
        let again = format!("/matches/{}", matches[1]);
        contest.post(&format!("{again}/arrival"), json!({ "side": "a" })).await.expect(200);
        contest.post(&format!("{again}/late"), json!({})).await.expect(200);
        let (status, _) = arrives(&app, &secret, &matches[1], "a").await;
        assert_eq!(status, 409, "it is over");
    }

    async fn a_call_that_is_taken_back_forgets_who_came(app) {
        let (contest, matches, _) = called(&app, true).await;
        let secret = contest.umpire(None).await;
        arrives(&app, &secret, &matches[0], "a").await;
        let early = as_umpire(&app, &secret, &format!("/matches/{}/late", matches[0]), Some(json!({}))).await;
        assert_eq!((early.0, early.1["code"].as_str()), (409, Some("too_early")));
        let form = app.http.post(format!("{}/admin/matches/{}/call", app.url, matches[0])).bearer_auth(&contest.organizer);
        assert_eq!(form.form(&[("court", "")]).send().await.expect("an answer").status(), 303);
        let court = contest.courts().await.remove(0);
        contest.post(&format!("/matches/{}/call", matches[0]), json!({ "court": court })).await.expect(200);
        assert_eq!(contest.show(&matches[0]).await["a"]["here"], false);
        app.advance(16 * MINUTE);
        assert_eq!(sweep(&app.app).await.expect("sweep"), 0);
    }
}
