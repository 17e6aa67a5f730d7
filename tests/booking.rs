//! Booking: a place is sold once, a tap counts once, a person has one limit, a cancelled place comes back.

use futures_util::future::join_all;
use serde_json::json;
use turnout_server::{db::new_id, web::access::Role};

use crate::support::{on_both, people::Member};

const HOUR: i64 = 3_600_000;

on_both! {
    async fn a_member_books_and_sees_their_ticket(app) {
        let (event, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        assert_eq!(booked["status"], "confirmed");
        let code = booked["tickets"][0]["code"].as_str().expect("code");
        let fact = admission::ticket::verify(code, &app.app.keys.trusted()).expect("our own signature");
        assert_eq!(fact.id.to_string(), booked["tickets"][0]["id"]);
        let path = format!("/api/v1/bookings/{}", booked["id"].as_str().expect("id"));
        let shown = app.get(&path, &member.token).await.expect(200);
        assert_eq!(shown["tickets"], booked["tickets"]);
        let left = app.get(&format!("/api/v1/events/{event}"), "").await.expect(200);
        assert_eq!(left["offers"][0]["left"], 99);
    }

    async fn two_hundred_want_ten_places_and_ten_get_one(app) {
        let (_, offer) = app.event(|draft| draft["offers"][0]["quota"] = 10.into()).await;
        let mut members = Vec::new();
        for n in 0..200 {
            members.push(app.member(&format!("会员{n}")).await);
        }
        let tries = members.iter().map(|member| app.book_with(&member.token, "tap", json!({ "offer": offer })));
        let answers = join_all(tries).await;
        let won = answers.iter().filter(|answer| answer.status == 201).count();
        let lost = answers.iter().filter(|answer| answer.status == 409 && answer.code() == "sold_out").count();
        assert_eq!((won, lost), (10, 190));
    }

    async fn the_same_tap_counts_once(app) {
        let (_, offer) = app.event(|draft| draft["offers"][0]["per_person"] = 5.into()).await;
        let member = app.member("王小明").await;
        let taps = (0..20).map(|_| app.book_with(&member.token, "one tap", json!({ "offer": offer })));
        let answers = join_all(taps).await;
        let first = &answers[0].text;
        assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == *first));
        let other = app.book_with(&member.token, "one tap", json!({ "offer": offer, "guests": ["客人"] })).await;
        assert_eq!(other.refused(422), "key_reused");
    }

    async fn a_person_has_one_limit_however_often_they_tap(app) {
        let (_, offer) = app.event(|draft| draft["offers"][0]["per_person"] = 2.into()).await;
        let member = app.member("王小明").await;
        let keys: Vec<String> = (0..20).map(|n| format!("tap {n}")).collect();
        let taps = keys.iter().map(|key| app.book_with(&member.token, key, json!({ "offer": offer })));
        let answers = join_all(taps).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
        assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.code() == "limit_reached"));
    }

    async fn a_limit_is_the_persons_whatever_phone_or_session_they_use(app) {
        let (_, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let mut tokens = vec![member.token.clone()];
        for _ in 0..4 {
            let mut tx = app.app.db.write().await.expect("write");
            let holder = turnout_server::web::session::Holder::Person(&member.id);
            tokens.push(turnout_server::web::session::open(&mut tx, holder, app.now()).await.expect("session"));
            tx.commit().await.expect("commit");
        }
        // Another phone and another card: still the same member.
        let mut tx = app.app.db.write().await.expect("write");
        turnout_server::execute!(tx, "update person set phone = '19900000000' where id = $1", &member.id).expect("phone");
        turnout_server::execute!(tx, "delete from card where person_id = $1", &member.id).expect("card");
        tx.commit().await.expect("commit");
        let keys: Vec<String> = (0..tokens.len()).map(|n| format!("phone {n}")).collect();
        let taps = tokens.iter().zip(&keys).map(|(token, key)| app.book_with(token, key, json!({ "offer": offer })));
        let answers = join_all(taps).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        assert!(answers.iter().filter(|answer| answer.status != 201).all(|answer| answer.code() == "limit_reached"));
    }

    async fn what_arrives_together_is_decided_as_if_one_by_one(app) {
        let (event, scarce) = app.event(|draft| {
            draft["offers"][0]["quota"] = 11.into();
            draft["offers"][0]["per_person"] = 2.into();
            draft["offers"][0]["guests_max"] = 1.into();
        }).await;
        let (_, plenty) = app.event(|draft| draft["offers"][0]["eligibility"] = "anyone".into()).await;
        let guest = app.guest_token("13900000001").await;
        let mut tokens = vec![guest.clone()];
        for n in 0..12 {
            tokens.push(app.member(&format!("会员{n}")).await.token);
        }
        let pairs = tokens.iter().map(|token| app.book_with(token, "two", json!({ "offer": scarce, "guests": ["妈妈"] })));
        let others = tokens.iter().map(|token| app.book_with(token, "one", json!({ "offer": plenty })));
        let unknown = app.book_with(&guest, "none", json!({ "offer": "no such offer" }));
        let (pairs, others, unknown) = tokio::join!(join_all(pairs), join_all(others), unknown);
        assert_eq!(unknown.refused(404), "not_found");
        assert!(others.iter().all(|answer| answer.status == 201));
        let mut codes: Vec<String> = pairs.iter().filter(|answer| answer.status != 201).map(|answer| answer.code()).collect();
        codes.sort();
        let mut expected = vec!["not_eligible"];
        expected.resize(8, "sold_out");
        assert_eq!(codes, expected);
        // Two places each went to five; the eleventh is left, and those who got nothing hold nothing.
        let left = app.get(&format!("/api/v1/events/{event}"), "").await.expect(200);
        assert_eq!(left["offers"][0]["left"], 1);
        let loser = pairs.iter().rposition(|answer| answer.status == 409).expect("somebody got nothing");
        app.book_with(&tokens[loser], "alone", json!({ "offer": scarce })).await.expect(201);
        let fed = app.kiosk(&event, "东门").await.feed(0).await;
        let revisions: Vec<i64> = fed.tickets.iter().map(|ticket| ticket.revision).collect();
        assert_eq!(revisions, (1..=11).collect::<Vec<_>>());
    }

    async fn a_cancelled_place_goes_to_somebody_else(app) {
        let (_, offer) = app.event(|draft| draft["offers"][0]["quota"] = 1.into()).await;
        let (first, second) = (app.member("王小明").await, app.member("李华").await);
        let booked = app.booked(&first, &offer).await;
        let full = app.book_with(&second.token, "a", json!({ "offer": offer })).await;
        assert_eq!(full.refused(409), "sold_out");
        let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
        assert_eq!(app.post(&path, &second.token, json!({})).await.refused(404), "not_found");
        for _ in 0..2 {
            let cancelled = app.post(&path, &first.token, json!({})).await.expect(200);
            assert_eq!(cancelled["status"], "cancelled");
        }
        app.booked(&second, &offer).await;
        let again = app.book_with(&first.token, "b", json!({ "offer": offer })).await;
        assert_eq!(again.refused(409), "sold_out");
    }

    async fn cancelling_ends_with_its_time_limit(app) {
        let (_, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        app.advance(4 * HOUR + 1);
        let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
        assert_eq!(app.post(&path, &member.token, json!({})).await.refused(409), "too_late");
    }

    async fn booking_opens_by_the_servers_clock(app) {
        let opens = app.now().0 + HOUR;
        let (_, offer) = app.event(|draft| draft["offers"][0]["opens_ms"] = opens.into()).await;
        let member = app.member("王小明").await;
        let early = app.book_with(&member.token, "a", json!({ "offer": offer })).await;
        assert_eq!(early.refused(403), "not_open");
        app.advance(HOUR);
        app.booked(&member, &offer).await;
        app.advance(4 * HOUR);
        let late = app.book_with(&app.member("李华").await.token, "a", json!({ "offer": offer })).await;
        assert_eq!(late.refused(403), "not_open");
    }

    async fn companions_get_tickets_of_their_own_within_the_limit(app) {
        let (_, offer) = app.event(|draft| {
            draft["offers"][0]["per_person"] = 3.into();
            draft["offers"][0]["guests_max"] = 2.into();
        }).await;
        let member = app.member("王小明").await;
        let three = json!({ "offer": offer, "guests": ["妈妈", "孩子", "邻居"] });
        assert_eq!(app.book_with(&member.token, "a", three).await.refused(409), "limit_reached");
        let two = json!({ "offer": offer, "guests": ["妈妈", " 孩子 "] });
        let booked = app.book_with(&member.token, "b", two).await.expect(201);
        assert_eq!(booked["tickets"].as_array().expect("tickets").len(), 3);
        let more = app.book_with(&member.token, "c", json!({ "offer": offer })).await;
        assert_eq!(more.refused(409), "limit_reached");
    }

    async fn who_may_book_follows_the_offer(app) {
        let member = app.member("王小明").await;
        let (_, members_only) = app.event(|_| {}).await;
        let (_, anyone) = app.event(|draft| draft["offers"][0]["eligibility"] = "anyone".into()).await;
        let union = app.union("镇直机关工会").await;
        let (_, one_union) = app.event(|draft| {
            draft["offers"][0]["eligibility"] = "unions".into();
            draft["offers"][0]["unions"] = json!([union]);
        }).await;
        let guest = app.guest_token("13900000001").await;
        for (token, offer, status) in [
            (&guest, &members_only, 403),
            (&guest, &anyone, 201),
            (&guest, &one_union, 403),
            (&member.token, &one_union, 403),
            (&member.token, &anyone, 201),
        ] {
            let answer = app.book_with(token, &new_id(app.now()), json!({ "offer": offer })).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
        app.join_union(&member, &union).await;
        app.booked(&member, &one_union).await;
    }

    async fn a_cancelled_event_takes_no_bookings_and_tells_its_holders(app) {
        let (event, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        app.booked(&member, &offer).await;
        let organizer = app.staff(Role::Organizer).await;
        let change = json!({ "status": "cancelled", "cancel_note": "因暴雨取消" });
        app.send(reqwest::Method::PATCH, &format!("/api/v1/events/{event}"), &organizer, Some(change)).await.expect(200);
        let late = app.book_with(&app.member("李华").await.token, "a", json!({ "offer": offer })).await;
        assert_eq!(late.refused(403), "not_open");
        let told = app.messages_to(&member.phone).await;
        assert!(told.iter().any(|body| body.contains("读书会") && body.contains("因暴雨取消")), "{told:?}");
    }

    async fn a_client_that_hangs_up_leaves_no_transaction_open(app) {
        let (_, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let hasty = reqwest::Client::builder().timeout(std::time::Duration::from_micros(700)).build().expect("client");
        for n in 0..200 {
            let request = hasty.post(format!("{}/api/v1/bookings", app.url)).bearer_auth(&member.token);
            drop(request.header("idempotency-key", format!("tap {n}")).json(&json!({ "offer": offer })).send().await);
        }
        // Whatever happened to those taps, the next person is served and nothing stays open.
        app.booked(&app.member("李华").await, &offer).await;
        assert_eq!(app.idle_in_transaction().await, 0);
    }
}

on_both! {
    async fn a_limit_of_the_event_counts_over_its_offers(app) {
        let (event, first) = app.event(|draft| {
            let mut other = draft["offers"][0].clone();
            for offer in [&mut draft["offers"][0], &mut other] {
                offer["per_person"] = 2.into();
                offer["limit_event"] = 2.into();
            }
            draft["offers"].as_array_mut().expect("offers").push(other);
        }).await;
        let shown = app.get(&format!("/api/v1/events/{event}"), "").await.expect(200);
        let second = shown["offers"][1]["id"].as_str().expect("id");
        let member = app.member("王小明").await;
        let mut bookings = Vec::new();
        for (key, offer) in [("one", first.as_str()), ("two", second)] {
            bookings.push(app.book_with(&member.token, key, json!({ "offer": offer })).await.expect(201));
        }
        let third = app.book_with(&member.token, "three", json!({ "offer": second })).await;
        assert_eq!(third.refused(409), "limit_reached");
        let path = format!("/api/v1/bookings/{}/cancellation", bookings[0]["id"].as_str().expect("id"));
        app.post(&path, &member.token, json!({})).await.expect(200);
        app.book_with(&member.token, "four", json!({ "offer": second })).await.expect(201);
    }

    async fn limits_of_a_month_and_a_year_count_over_events_of_the_kind(app) {
        const DAY: i64 = 24 * HOUR;
        let member = app.member("王小明").await;
        // It is the 5th of March. What the draft says of the offer stays; the event moves.
        let at = async |kind: &str, days: i64, limit: &str| {
            let (_, offer) = app.event(|draft| {
                draft["kind"] = kind.into();
                for when in ["starts_ms", "ends_ms"] {
                    draft[when] = (draft[when].as_i64().expect("a time") + days * DAY).into();
                }
                draft["offers"][0][limit] = 1.into();
            }).await;
            app.book_with(&member.token, &offer, json!({ "offer": offer })).await
        };
        at("voucher", 0, "limit_month").await.expect(201);
        assert_eq!(at("voucher", 20, "limit_month").await.refused(409), "limit_reached");
        at("activity", 20, "limit_month").await.expect(201);
        at("voucher", 27, "limit_month").await.expect(201);
        assert_eq!(at("voucher", 200, "limit_year").await.refused(409), "limit_reached");
        at("voucher", 302, "limit_year").await.expect(201);
    }

    async fn that_it_is_full_is_told_without_the_database_until_it_is_not(app) {
        let (_, offer) = app.event(|draft| draft["offers"][0]["quota"] = 1.into()).await;
        let winner = app.member("王小明").await;
        let won = app.book_with(&winner.token, "tap", json!({ "offer": offer })).await;
        let mut losers = Vec::new();
        for n in 0..60 {
            losers.push(app.member(&format!("会员{n}")).await);
        }
        for loser in &losers {
            let lost = app.book_with(&loser.token, "tap", json!({ "offer": offer })).await;
            assert_eq!(lost.refused(409), "sold_out");
        }
        assert!(app.app.bookings.answered_from_memory() > 0, "each of them went to the database");
        // Whoever has booked gets the answer they had, byte for byte.
        let again = app.book_with(&winner.token, "tap", json!({ "offer": offer })).await;
        assert_eq!(again.text, won.text);
        let path = format!("/api/v1/bookings/{}/cancellation", won.json()["id"].as_str().expect("id"));
        app.post(&path, &winner.token, json!({})).await.expect(200);
        // A place is free: within a second it can be had. The first to ask gets it.
        let asking = async {
            while app.book_with(&losers[0].token, "later", json!({ "offer": offer })).await.status != 201 {}
        };
        tokio::time::timeout(std::time::Duration::from_secs(1), asking).await.expect("within a second");
    }

    async fn what_is_not_open_yet_opens_on_time_whatever_memory_says(app) {
        let opens = app.now().0 + HOUR;
        let (_, offer) = app.event(|draft| draft["offers"][0]["opens_ms"] = opens.into()).await;
        let member = app.member("王小明").await;
        for n in 0..20 {
            let early = app.book_with(&member.token, &format!("tap {n}"), json!({ "offer": offer })).await;
            assert_eq!(early.refused(403), "not_open");
        }
        assert!(app.app.bookings.answered_from_memory() > 0, "each of them went to the database");
        app.advance(HOUR);
        app.book_with(&member.token, "on time", json!({ "offer": offer })).await.expect(201);
    }

    async fn a_script_that_hammers_is_slowed_down_and_gains_nothing(app) {
        let opens = app.now().0 + HOUR;
        let (_, offer) = app.event(|draft| draft["offers"][0]["opens_ms"] = opens.into()).await;
        let (script, person) = (app.member("脚本").await, app.member("王小明").await);
        let keys: Vec<String> = (0..200).map(|n| format!("tap {n}")).collect();
        let tries = keys.iter().map(|key| app.book_with(&script.token, key, json!({ "offer": offer })));
        let answers = join_all(tries).await;
        let slowed: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert!(slowed.len() > 100, "{} of 200", slowed.len());
        assert!(slowed.iter().all(|answer| answer.code() == "too_many_requests"));
        assert!(answers.iter().all(|answer| answer.status == 429 || answer.code() == "not_open"));
        // Nobody else is slowed down, and the opening is the server's.
        assert_eq!(app.book_with(&person.token, "tap", json!({ "offer": offer })).await.refused(403), "not_open");
        app.advance(HOUR);
        app.book_with(&person.token, "again", json!({ "offer": offer })).await.expect(201);
    }

    async fn a_script_that_gives_up_and_takes_again_is_slowed_down(app) {
        let (_, offer) = app.event(|_| {}).await;
        let (script, person) = (app.member("脚本").await, app.member("王小明").await);
        let give_up = async |who: &Member| {
            let booked = app.booked(who, &offer).await;
            let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
            join_all((0..200).map(|_| app.post(&path, &who.token, json!({})))).await
        };
        let answers = give_up(&script).await;
        let slowed = answers.iter().filter(|answer| answer.status == 429).count();
        assert!(slowed > 100, "{slowed} of 200");
        assert!(answers.iter().all(|answer| answer.status == 429 || answer.status == 200));
        assert!(answers.iter().any(|answer| answer.status == 200));
        // Whoever tried too often to get a place can give one back all the same, and others are not slowed down.
        let hasty = app.booked(&person, &offer).await;
        let keys: Vec<String> = (0..80).map(|n| format!("tap {n}")).collect();
        let tries = join_all(keys.iter().map(|key| app.book_with(&person.token, key, json!({ "offer": offer })))).await;
        assert!(tries.iter().any(|answer| answer.status == 429));
        let path = format!("/api/v1/bookings/{}/cancellation", hasty["id"].as_str().expect("id"));
        app.post(&path, &person.token, json!({})).await.expect(200);
    }

    async fn an_answer_is_kept_for_a_day_and_swept_after_two(app) {
        let (_, offer) = app.event(|draft| {
            draft["ends_ms"] = (app.now().0 + 90 * HOUR).into();
            draft["offers"][0]["closes_ms"] = (app.now().0 + 80 * HOUR).into();
            draft["offers"][0]["per_person"] = 2.into();
        }).await;
        let member = app.member("王小明").await;
        let tap = || app.book_with(&member.token, "one tap", json!({ "offer": offer }));
        let first = tap().await.text;
        app.advance(25 * HOUR);
        turnout_server::housekeeping::sweep(&app.app).await.expect("sweep");
        assert_eq!(tap().await.text, first);
        app.advance(24 * HOUR);
        turnout_server::housekeeping::sweep(&app.app).await.expect("sweep");
        assert_ne!(tap().await.text, first);
    }
}
