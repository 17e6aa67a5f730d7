//! A whole day: 128 entries, eight courts, umpires with phones, replies that get lost.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use turnout_server::fetch;

use super::world::{Contest, Feed, as_umpire};
use crate::support::{TestApp, on_both};

const MINUTE: i64 = 60_000;

/// Nobody is at two courts, and no court has two matches.
async fn nobody_is_twice(app: &TestApp, event: &str) -> usize {
    let mut tx = app.app.db.read().await.expect("read");
    let playing: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select l.person_id, m.court_id from match_ m join entry_player l on l.entry_id in (m.a_entry_id, m.b_entry_id)
         where m.event_id = $1 and m.state in ('called', 'playing')",
        event
    )
    .expect("on court");
    let people: HashSet<&String> = playing.iter().map(|(person, _)| person).collect();
    let courts: HashSet<&String> = playing.iter().map(|(_, court)| court).collect();
    assert_eq!(people.len(), playing.len(), "somebody is at two courts");
    assert_eq!(courts.len() * 2, playing.len(), "a court has two matches");
    courts.len()
}

on_both! {
    async fn a_contest_of_128_is_played_to_its_end(app) {
        let contest = Contest::new(&app, 8).await;
        let field = contest.field("男单", "knock_out", 128, &[]).await;
        let rounds = contest.knock_out(&field, 128, |at| {
            [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))
        }).await;
        // The players of the first 16 play doubles beside it (as one entry each here): never both at once.
        let mut tx = app.app.db.read().await.expect("read");
        let people: Vec<(String,)> = fetch!(tx, fetch_all,
            "select l.person_id from entry n join entry_player l on l.entry_id = n.id where n.discipline_id = $1 order by n.seed limit 16",
            &field.id).expect("people");
        drop(tx);
        let people: Vec<String> = people.into_iter().map(|(id,)| id).collect();
        let beside = contest.field("混双", "knock_out", 16, &people).await;
        contest.knock_out(&beside, 16, |at| [0, 1].map(|side| Feed::Entry(beside.entries[2 * at + side].clone()))).await;

        let strength: HashMap<&String, usize> = field.entries.iter().chain(&beside.entries)
            .enumerate().map(|(at, entry)| (entry, at)).collect();
        let secret = contest.umpire(None).await;
        let (mut ended, mut most, mut turns) = (0, 0, 0);
        while ended < 127 + 15 {
            turns += 1;
            assert!(turns < 400, "the contest does not end: {ended}");
            contest.fill().await;
            most = most.max(nobody_is_twice(&app, &contest.event).await);
            let (status, desk) = as_umpire(&app, &secret, &format!("/events/{}/play", contest.event), None).await;
            assert_eq!(status, 200, "{desk}");
            let open: Vec<&Value> = desk["matches"].as_array().expect("matches").iter()
                .filter(|found| found["state"] != "ended").collect();
            if open.is_empty() {
                app.advance(MINUTE);
            }
            for found in open {
                ended += 1;
                let id = found["id"].as_str().expect("an id");
                let path = format!("/matches/{id}/report");
                let rank = |side: &str| strength[&found[side]["entry"].as_str().expect("known").to_owned()];
                let first = rank("a") < rank("b");
                let game = |won: bool| if won == first { json!([11, 7]) } else { json!([8, 11]) };
                let result = match ended % 16 {
                    // Somebody does not come; the clock has to run out first.
                    3 => {
                        let gone = if first { "b" } else { "a" };
                        let early = json!({ "key": format!("early{ended}"), "version": found["version"], "games": [], "outcome": "walkover", "gone": gone });
                        let (status, refused) = as_umpire(&app, &secret, &path, Some(early)).await;
                        assert_eq!((status, refused["code"].as_str()), (409, Some("too_early")));
                        app.advance(15 * MINUTE);
                        json!({ "key": format!("k{ended}"), "version": found["version"], "games": [], "outcome": "walkover", "gone": gone })
                    }
                    // Somebody gives up in the second game.
                    7 => json!({ "key": format!("k{ended}"), "version": found["version"], "games": [game(false), [3, 4]],
                        "outcome": "retired", "gone": if first { "b" } else { "a" } }),
                    _ => {
                        let stands = json!({ "key": format!("s{ended}"), "version": found["version"], "games": [game(true), [5, 5]] });
                        let (status, after) = as_umpire(&app, &secret, &path, Some(stands)).await;
                        assert_eq!((status, after["state"].as_str()), (200, Some("playing")), "{after}");
                        json!({ "key": format!("k{ended}"), "version": after["version"],
                            "games": [game(true), game(false), game(true), game(true)], "outcome": "played" })
                    }
                };
                let (status, after) = as_umpire(&app, &secret, &path, Some(result.clone())).await;
                assert_eq!((status, after["state"].as_str()), (200, Some("ended")), "{after}");
                assert_eq!(after["winner"], if first { "a" } else { "b" });
                // The reply was lost: the same again changes nothing.
                let (status, again) = as_umpire(&app, &secret, &path, Some(result)).await;
                assert_eq!((status, &again["version"]), (200, &after["version"]));
            }
        }
        assert!(most >= 7, "only {most} of 8 courts were used");
        let last = contest.show(&rounds[6][0]).await;
        assert_eq!(last["a"]["entry"], field.entries[0].as_str(), "the strongest wins");
        assert_eq!(last["winner"], "a");
        let mut tx = app.app.db.read().await.expect("read");
        let (open, finished, busy): (i64, i64, i64) = fetch!(tx, fetch_one,
            "select (select count(*) from match_ where state <> 'ended'), (select count(*) from discipline where finished_ms is not null),
                (select count(*) from on_court)").expect("all");
        assert_eq!((open, finished, busy), (0, 2, 0));
    }

    async fn of_two_umpires_one_is_heard(app) {
        let contest = Contest::new(&app, 1).await;
        let field = contest.field("女单", "knock_out", 2, &[]).await;
        let rounds = contest.knock_out(&field, 2, |_| [0, 1].map(|side| Feed::Entry(field.entries[side].clone()))).await;
        let id = rounds[0][0].clone();
        assert_eq!(contest.fill().await, 1);
        let (one, other) = (contest.umpire(None).await, contest.umpire(None).await);
        let path = format!("/matches/{id}/report");
        let mut version = contest.show(&id).await["version"].clone();
        for turn in 0..10 {
            let sent = |who: &str, games: Value| json!({ "key": format!("{who}{turn}"), "version": version, "games": games });
            let (mine, theirs) = (sent("one", json!([[turn, 0]])), sent("other", json!([[0, turn]])));
            let ((a, _), (b, _)) = tokio::join!(
                as_umpire(&app, &one, &path, Some(mine)),
                as_umpire(&app, &other, &path, Some(theirs)),
            );
            let mut codes = [a, b];
            codes.sort_unstable();
            assert_eq!(codes, [200, 409]);
            let shown = contest.show(&id).await;
            let expected = if a == 200 { json!([[turn, 0]]) } else { json!([[0, turn]]) };
            assert_eq!(shown["games"], expected, "the one that was heard stands whole");
            version = shown["version"].clone();
        }
        // Both say that it is over, at once and differently.
        let done = |who: &str, games: Value| json!({ "key": who, "version": version, "games": games, "outcome": "played" });
        let ((a, _), (b, _)) = tokio::join!(
            as_umpire(&app, &one, &path, Some(done("one", json!([[11, 1], [11, 1], [11, 1]])))),
            as_umpire(&app, &other, &path, Some(done("other", json!([[1, 11], [1, 11], [1, 11]])))),
        );
        assert_eq!([a, b].iter().filter(|status| **status == 200).count(), 1);
    }

    async fn two_desks_never_call_one_player_or_court_twice(app) {
        let contest = Contest::new(&app, 6).await;
        let field = contest.field("单打", "round_robin", 8, &[]).await;
        contest.group(&field, 1, &[0, 1, 2, 3, 4, 5, 6, 7]).await;
        let calls = format!("/events/{}/calls", contest.event);
        let both = || contest.post(&calls, json!({}));
        let answers = tokio::join!(both(), both(), both(), both());
        let mut called = 0;
        for answer in [answers.0, answers.1, answers.2, answers.3] {
            called += answer.expect(200)["called"].as_i64().expect("a number");
        }
        assert_eq!(called, 4, "eight people make four matches");
        assert_eq!(nobody_is_twice(&app, &contest.event).await, 4);
    }
}
