//! Two server processes on one PostgreSQL: people book and cancel on both, two doors scan the same tickets, and the
//! books stay right together.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use admission::{Verdict, sync::TicketRow};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use turnout_server::{execute, fetch, web::access::Role};

use crate::support::{Engine, TestApp, kiosk::TestKiosk, people::Member};

const MEMBERS: usize = 45;
const PLACES: i64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_stay_right_together() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = PLACES.into()).await;
    let (_, other) = app.event(|draft| draft["offers"][0]["quota"] = PLACES.into()).await;
    let mut members = Vec::new();
    for n in 0..MEMBERS {
        members.push(app.member(&format!("会员{n}")).await);
    }
    let (mut east, mut west) = (app.kiosk(&event, "东门").await, twin.kiosk(&event, "西门").await);
    let listener = app.kiosk(&event, "北门").await;
    let over = AtomicBool::new(false);

    let acts = async {
        let bookings = join_all(members.iter().enumerate().map(|(n, member)| {
            // Half of them book in the other order, so that the two servers meet crosswise.
            let (first, second) = if n % 2 == 0 { (&offer, &other) } else { (&other, &offer) };
            let (app, twin, offer) = (&app, &twin, &offer);
            async move {
                let bookings = [
                    tapped(app, twin, member, first).await,
                    tapped(twin, app, member, second).await,
                ];
                bookings
                    .into_iter()
                    .zip([first, second])
                    .find_map(|(got, of)| got.filter(|_| of == offer))
            }
        }))
        .await;
        let booked: Vec<(&Member, Value)> =
            members.iter().zip(bookings).filter_map(|(member, got)| Some((member, got?))).collect();
        assert_eq!(booked.len() as i64, PLACES);
        let tickets: Vec<String> = booked.iter().map(|(_, got)| ticket_of(got)).collect();
        let cancels = join_all(booked.iter().step_by(3).map(|(member, got)| {
            let path = format!("/api/v1/bookings/{}/cancellation", got["id"].as_str().expect("id"));
            let twin = &twin;
            async move {
                let answer = twin.post(&path, &member.token, json!({})).await;
                assert!(matches!(answer.status.as_u16(), 200 | 409), "{}", answer.text);
            }
        }));
        join(cancels, join(guard(&mut east, &tickets), guard(&mut west, &tickets))).await;
        over.store(true, Ordering::SeqCst);
    };
    let (heard, ()) = join(listen(&listener, &over), acts).await;

    the_books_balance(&app).await;
    let all = listener.feed(0).await.tickets.into_iter().map(by_id).collect::<BTreeMap<_, _>>();
    assert_eq!(heard, all, "what a kiosk heard bit by bit is not what there is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_given_up_at_one_server_can_be_had_at_the_other_within_a_second() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (_, offer) = app.event(|draft| draft["offers"][0]["quota"] = 1.into()).await;
    let (winner, loser) = (app.member("王小明").await, app.member("李华").await);
    let won = app.book_with(&winner.token, "tap", json!({ "offer": offer })).await.expect(201);
    for n in 0..20 {
        let key = format!("tap {n}");
        let lost = twin.book_with(&loser.token, &key, json!({ "offer": offer })).await;
        assert_eq!(lost.refused(409), "sold_out");
    }
    assert!(twin.app.bookings.answered_from_memory() > 0, "each of them went to the database");
    let path = format!("/api/v1/bookings/{}/cancellation", won["id"].as_str().expect("id"));
    app.post(&path, &winner.token, json!({})).await.expect(200);
    let asking = async {
        while twin.book_with(&loser.token, "later", json!({ "offer": offer })).await.status != 201 {
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(1), asking).await.expect("in a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_has_more_than_their_limit_by_asking_two_servers_at_once() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (_, offer) = app.event(|draft| draft["offers"][0]["quota"] = PLACES.into()).await;
    for n in 0..12 {
        let member = app.member(&format!("会员{n}")).await;
        let (member, offer) = (&member, &offer);
        // Not the same request twice: six that are different.
        let asks = (0..6).map(|tap| {
            let server = if tap % 2 == 0 { &app } else { &twin };
            let key = format!("tap {tap}");
            async move { server.book_with(&member.token, &key, json!({ "offer": offer })).await }
        });
        let answers = join_all(asks).await;
        let booked = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(
            booked,
            1,
            "{:?}",
            answers.iter().map(|answer| &answer.text).collect::<Vec<_>>()
        );
        for lost in answers.into_iter().filter(|answer| answer.status != 201) {
            assert_eq!(lost.refused(409), "limit_reached");
        }
    }
    the_books_balance(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_at_one_server_hears_what_happens_at_the_other() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = 5.into()).await;
    let (member, organizer) = (app.member("王小明").await, app.staff(Role::Organizer).await);
    let watches = async |path: String, token: &str| {
        let request = twin.http.get(format!("{}{path}", twin.url)).bearer_auth(token);
        (request.send().await.expect("a stream"), String::new())
    };
    let mut rush = watches(format!("/api/v1/events/{event}/rush/stream"), &member.token).await;
    let mut live = watches(format!("/api/v1/events/{event}/attendance/stream"), &organizer).await;
    until_heard(&mut rush, "\"left\":5").await;
    until_heard(&mut live, "\"booked\":0").await;
    let booked = app.booked(&member, &offer).await;
    until_heard(&mut rush, "\"left\":4").await;
    until_heard(&mut live, "\"booked\":1").await;
    rush.1.clear();
    live.1.clear();
    let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
    app.post(&path, &member.token, json!({})).await.expect(200);
    until_heard(&mut rush, "\"left\":5").await;
    until_heard(&mut live, "\"booked\":0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_hears_of_what_was_changed_while_its_server_heard_nothing() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = 5.into()).await;
    let request = twin.http.get(format!("{}/api/v1/events/{event}/rush/stream", twin.url));
    let mut rush = (request.send().await.expect("a stream"), String::new());
    until_heard(&mut rush, "\"left\":5").await;
    let listeners = two_listeners(&app).await;
    // Something changes, the news of it is lost, and the connections on which the servers hear of each other break.
    let mut tx = app.app.db.write().await.expect("write");
    execute!(tx, "update offer set taken = 1 where id = $1", &offer).expect("update");
    tx.commit().await.expect("commit");
    let mut tx = app.app.db.read().await.expect("read");
    for (pid,) in listeners {
        let (cut,): (bool,) =
            fetch!(&mut tx, fetch_one, "select pg_terminate_backend($1)", pid).expect("cut");
        assert!(cut, "it still listened");
    }
    drop(tx);
    until_heard(&mut rush, "\"left\":4").await;
}

/// The connections on which both servers listen, each on one. A server that has just started does not listen yet.
async fn two_listeners(app: &TestApp) -> Vec<(i32,)> {
    let mut tx = app.app.db.read().await.expect("read");
    loop {
        let listeners: Vec<(i32,)> = fetch!(
            &mut tx,
            fetch_all,
            "select pid from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and query ilike 'listen%'",
        )
        .expect("statistics");
        if listeners.len() == 2 {
            return listeners;
        }
    }
}

/// Reads on until the stream has said `words`; a change is told within seconds, not at the next poll.
async fn until_heard((stream, heard): &mut (reqwest::Response, String), words: &str) {
    let listening = async {
        while !heard.contains(words) {
            let piece = stream.chunk().await.expect("open").expect("more");
            heard.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    let heard = tokio::time::timeout(std::time::Duration::from_secs(30), listening).await;
    heard.unwrap_or_else(|_| panic!("{words} was not told"));
}

/// The same tap arrives at both servers at once and has one effect. Gives the booking, or nothing when it is full.
async fn tapped(app: &TestApp, twin: &TestApp, member: &Member, offer: &str) -> Option<Value> {
    let request = json!({ "offer": offer });
    let key = format!("tap {offer}");
    let (one, same) = join(
        app.book_with(&member.token, &key, request.clone()),
        twin.book_with(&member.token, &key, request.clone()),
    )
    .await;
    assert_eq!(one.status, same.status, "{} {}", one.text, same.text);
    if one.status == 409 {
        assert_eq!((one.code(), same.code()), ("sold_out".to_owned(), "sold_out".to_owned()));
        return None;
    }
    assert_eq!(one.text, same.text);
    Some(one.expect(201))
}

/// A door that asks about every ticket, journals what it was told, and uploads.
async fn guard(kiosk: &mut TestKiosk<'_>, tickets: &[String]) {
    for ticket in tickets {
        let verdict: Verdict = kiosk.check(ticket).await;
        kiosk.decide(ticket, verdict);
        let from = kiosk.journal.len() as u64;
        kiosk.upload_from(from).await.expect(200);
    }
}

/// Follows the feed until everything is over; gives what it knows then.
async fn listen(kiosk: &TestKiosk<'_>, over: &AtomicBool) -> BTreeMap<String, Value> {
    let (mut known, mut after) = (BTreeMap::new(), 0);
    loop {
        let last = over.load(Ordering::SeqCst);
        let feed = kiosk.feed(after).await;
        after = feed.revision;
        known.extend(feed.tickets.into_iter().map(by_id));
        if last && !feed.more {
            return known;
        }
    }
}

fn by_id(row: TicketRow) -> (String, Value) {
    (row.fact.id.to_string(), serde_json::to_value(&row).expect("plain data"))
}

fn ticket_of(booked: &Value) -> String {
    booked["tickets"][0]["id"].as_str().expect("id").to_owned()
}

async fn the_books_balance(app: &TestApp) {
    let mut tx = app.app.db.read().await.expect("read");
    let offers: Vec<(i64, i64, i64, i64)> = fetch!(
        tx,
        fetch_all,
        "select o.quota, o.taken,
                (select cast(coalesce(sum(places), 0) as bigint) from booking where offer_id = o.id and status = 'confirmed'),
                (select count(*) from ticket where offer_id = o.id and state = 'valid')
         from offer o",
    )
    .expect("offers");
    for (quota, taken, confirmed, valid) in offers {
        assert!(taken <= quota, "{taken} of {quota}");
        assert_eq!((confirmed, valid), (taken, taken));
    }
    let (cancelled_and_used,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from ticket where state = 'cancelled' and used_ms is not null"
    )
    .expect("tickets");
    assert_eq!(cancelled_and_used, 0);
    // Each valid ticket was let in at one of the two doors, and once.
    let (wrong,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from ticket t join event e on e.id = t.event_id
         where (select count(*) from scan where ticket_id = t.id and verdict = 'admitted')
            <> case when t.used_ms is null then 0 else 1 end",
    )
    .expect("scans");
    assert_eq!(wrong, 0);
    let (deadlocks,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select deadlocks from pg_stat_database where datname = current_database()"
    )
    .expect("statistics");
    assert_eq!(deadlocks, 0);
}
