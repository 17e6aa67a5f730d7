//! At the door, as the server sees it: one admission per ticket, facts that arrive late and twice, kiosks that are not
//! believed any more.

use admission::{Reason, Refusal, Verdict, card::CardNumber};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use turnout_server::web::access::Role;

use crate::support::{TestApp, kiosk::TestKiosk, on_both, random::Random};

const MINUTE: i64 = 60_000;

async fn attendance(app: &TestApp, event: &str) -> Value {
    let organizer = app.staff(Role::Organizer).await;
    app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200)
}

fn ticket_of(booked: &Value) -> String {
    booked["tickets"][0]["id"].as_str().expect("a ticket").to_owned()
}

on_both! {
    async fn fifty_gates_and_one_ticket_give_one_admission(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let mut gates = Vec::new();
        for n in 0..50 {
            gates.push(app.kiosk(&event, &format!("门{n}")).await);
        }
        let verdicts = join_all(gates.iter().map(|gate| gate.check(&ticket))).await;
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_admitted()).count(), 1);
        let refused = verdicts.iter().filter(|verdict| verdict.reason() == Some(Reason::AlreadyUsed)).count();
        assert_eq!(refused, 49);
    }

    async fn the_doors_own_verdict_is_final(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let mut east = app.kiosk(&event, "东门").await;
        let west = app.kiosk(&event, "西门").await;
        assert_eq!(east.check(&ticket).await, Verdict::Admitted);
        assert_eq!(attendance(&app, &event).await["admitted"], 1);
        // The reply was lost; the door asks again and gets the same answer, and another door does not get in.
        assert_eq!(east.check(&ticket).await, Verdict::Admitted);
        assert_eq!(west.check(&ticket).await.reason(), Some(Reason::AlreadyUsed));
        // In the end the door refused: no ticket is burnt.
        east.decide(&ticket, Verdict::Refused(Refusal::StaleCode));
        east.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 0);
        assert_eq!(west.check(&ticket).await, Verdict::Admitted);
    }

    async fn a_kiosk_is_not_told_what_is_only_believed_of_it(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let (mut east, west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
        assert_eq!(east.check(&ticket).await, Verdict::Admitted);
        // Its plug was pulled: it showed nothing, and lets the holder in when they come again, also without a network.
        assert_eq!(east.feed(0).await.tickets[0].uses, []);
        let elsewhere = west.feed(0).await;
        assert_eq!(elsewhere.tickets[0].uses.len(), 1, "other doors believe it");
        app.advance(1_000);
        east.decide(&ticket, Verdict::Admitted);
        east.upload().await;
        assert_eq!(east.feed(0).await.tickets[0].uses.len(), 1);
        assert_eq!(west.feed(elsewhere.revision).await.tickets[0].uses.len(), 1);
    }

    async fn what_a_door_never_did_lapses(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let kiosk = app.kiosk(&event, "东门").await;
        assert_eq!(kiosk.check(&ticket).await, Verdict::Admitted);
        kiosk.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 1, "the door may still be at it");
        app.advance(11_000);
        // One that has not heard the server since it asked may have been under way all the time.
        let nothing_heard = admission::sync::Upload { heard: None, ..kiosk.as_of(1, 0) };
        kiosk.sends(&nothing_heard).await.expect(200);
        assert_eq!(attendance(&app, &event).await["admitted"], 1);
        kiosk.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 0);
    }

    async fn uploading_again_changes_nothing(app) {
        let (event, offer) = app.event(|_| {}).await;
        let mut kiosk = app.kiosk(&event, "东门").await;
        for n in 0..5 {
            let ticket = ticket_of(&app.booked(&app.member(&format!("会员{n}")).await, &offer).await);
            kiosk.decide(&ticket, Verdict::Admitted);
        }
        let first = kiosk.upload().await;
        assert_eq!((first.have_through, first.chain), (5, kiosk.chain(5)));
        for from in [1, 3, 6] {
            let again = kiosk.upload_from(from).await.expect(200);
            assert_eq!(again["have_through"], 5);
        }
        // A gap is not taken; the answer says from where to send.
        kiosk.decide(&ticket_of(&app.booked(&app.member("后来者").await, &offer).await), Verdict::Refused(Refusal::Forged));
        kiosk.decide(&ticket_of(&app.booked(&app.member("再后来").await, &offer).await), Verdict::Admitted);
        assert_eq!(kiosk.upload_from(7).await.expect(200)["have_through"], 5);
        assert_eq!(kiosk.upload_from(6).await.expect(200)["have_through"], 7);
        let seen = attendance(&app, &event).await;
        assert_eq!((&seen["booked"], &seen["admitted"], &seen["to_come"], &seen["refused"]), (&json!(7), &json!(6), &json!(1), &json!(1)));
        assert_eq!(seen["reasons"], json!([{ "reason": "forged", "count": 1 }]));
        assert_eq!(seen["stations"], json!([{ "station": "东门", "admitted": 6, "refused": 1, "last_ms": app.now().0 }]));
    }

    async fn late_doubled_and_reordered_uploads_change_nothing(app) {
        let (event, offer) = app.event(|_| {}).await;
        let mut kiosk = app.kiosk(&event, "东门").await;
        for n in 0..9 {
            let ticket = ticket_of(&app.booked(&app.member(&format!("会员{n}")).await, &offer).await);
            kiosk.decide(&ticket, Verdict::Admitted);
        }
        // Three uploads and a sign of life, sent one after the other.
        let sent = [(1, 3), (4, 6), (7, 9), (10, 9)].map(|(from, entries)| kiosk.as_of(from, entries));
        // The second overtakes the first.
        assert_eq!(kiosk.sends(&sent[1]).await.expect(200)["have_through"], 0);
        for (upload, have_through) in sent.iter().zip([3, 6, 9, 9]) {
            assert_eq!(kiosk.sends(upload).await.expect(200)["have_through"], have_through);
        }
        // What the kiosk asks now stands, whatever arrives of what it said before.
        let next = ticket_of(&app.booked(&app.member("后来者").await, &offer).await);
        assert_eq!(kiosk.check(&next).await, Verdict::Admitted);
        app.advance(11_000);
        let revision = kiosk.feed(0).await.revision;
        let mut random = Random::seeded();
        let mut arriving = [sent.clone(), sent].concat();
        random.shuffle(&mut arriving);
        for upload in &arriving {
            let receipt = kiosk.sends(upload).await.expect(200);
            assert_eq!((&receipt["have_through"], &receipt["chain"]), (&json!(9), &json!(kiosk.chain(9))));
        }
        assert_eq!(kiosk.feed(0).await.revision, revision);
        assert_eq!(attendance(&app, &event).await["admitted"], 10);
        kiosk.decide(&next, Verdict::Admitted);
        assert_eq!(kiosk.upload_from(10).await.expect(200)["have_through"], 10);
        assert_eq!(attendance(&app, &event).await["admitted"], 10);
        assert_eq!(app.evidence(&kiosk.id).await, 0);
    }

    async fn a_fork_is_quarantined_however_late_it_shows(app) {
        let (event, offer) = app.event(|_| {}).await;
        let mut tickets = Vec::new();
        for n in 0..6 {
            tickets.push(ticket_of(&app.booked(&app.member(&format!("会员{n}")).await, &offer).await));
        }
        let quarantined = "kiosk_quarantined";
        let stations = ["东门", "西门", "南门", "北门"];
        let forks: [&dyn Fn(&mut TestKiosk<'_>); 3] = [
            // A restored disk writes on.
            &|kiosk| kiosk.journal.truncate(2),
            // An upload that would be late says something else.
            &|kiosk| { kiosk.journal.truncate(1); },
            // It lacks an entry in the middle, and none at its end.
            &|kiosk| { kiosk.journal.remove(1); },
        ];
        for (station, fork) in stations.into_iter().zip(forks) {
            let mut kiosk = app.kiosk(&event, station).await;
            for ticket in &tickets[..4] {
                kiosk.decide(ticket, Verdict::Refused(Refusal::Forged));
            }
            assert_eq!(kiosk.upload().await.have_through, 4);
            fork(&mut kiosk);
            let from = kiosk.journal.len() as u64 + 1;
            // So far it says nothing that is not true; that there is more tells the kiosk itself that it was restored.
            if from < 4 {
                assert_eq!(kiosk.upload_from(from).await.expect(200)["have_through"], 4, "{station}");
            }
            kiosk.decide(&tickets[5], Verdict::Refused(Refusal::Unknown));
            assert_eq!(kiosk.upload_from(from).await.refused(409), quarantined, "{station}");
            assert_eq!(kiosk.upload_from(1).await.refused(409), quarantined, "{station}");
            assert!(app.evidence(&kiosk.id).await > 0, "{station}");
        }
        // A copied disk that has nothing new to say, but another past.
        let mut kiosk = app.kiosk(&event, "北门").await;
        kiosk.decide(&tickets[0], Verdict::Refused(Refusal::Forged));
        kiosk.upload().await;
        kiosk.journal.clear();
        kiosk.decide(&tickets[1], Verdict::Refused(Refusal::Forged));
        assert_eq!(kiosk.upload_from(2).await.refused(409), quarantined);
    }

    async fn the_first_admission_is_told_by_true_time_not_by_arrival(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let mut east = app.kiosk(&event, "东门").await;
        let mut west = app.kiosk(&event, "西门").await;
        // West's clock is two hours fast; by true time it was first.
        west.skew_ms = -120 * MINUTE;
        west.decide_at(&ticket, Verdict::Admitted, app.now().plus(120 * MINUTE - MINUTE));
        east.decide_at(&ticket, Verdict::Admitted, app.now());
        east.upload().await;
        west.upload().await;
        let row = east.feed(0).await.tickets.remove(0);
        let used = row.uses.first().cloned().expect("admitted");
        assert_eq!((used.station.as_str(), used.at), ("西门", app.now().plus(-MINUTE)));
        assert_eq!(attendance(&app, &event).await["admitted"], 1, "people, not entries");
    }

    async fn a_cloned_disk_is_quarantined_with_both_records_kept(app) {
        let (event, offer) = app.event(|_| {}).await;
        let (one, two) = (app.member("王小明").await, app.member("李华").await);
        let (one, two) = (ticket_of(&app.booked(&one, &offer).await), ticket_of(&app.booked(&two, &offer).await));
        let mut kiosk = app.kiosk(&event, "东门").await;
        kiosk.decide(&one, Verdict::Admitted);
        kiosk.upload().await;
        kiosk.journal.clear();
        kiosk.decide(&two, Verdict::Admitted);
        assert_eq!(kiosk.upload_from(1).await.refused(409), "kiosk_quarantined");
        assert_eq!(kiosk.upload_from(1).await.refused(409), "kiosk_quarantined");
        assert_eq!(app.evidence(&kiosk.id).await, 1);
        let asked = kiosk.send(Method::POST, "/kiosk/check", r#"{"seq":2,"ticket":null,"card":null,"medium":"other","at":0}"#).await;
        assert_eq!(asked.refused(409), "kiosk_quarantined");
        assert_eq!(attendance(&app, &event).await["admitted"], 1);
    }

    async fn a_card_finds_its_members_ticket(app) {
        let (event, offer) = app.event(|_| {}).await;
        let (member, stranger) = (app.member("王小明").await, app.member("李华").await);
        let booked = app.booked(&member, &offer).await;
        let kiosk = app.kiosk(&event, "东门").await;
        let fingerprint = |number: &str| CardNumber::read(number).expect("card").fingerprint(&app.app.keys.card);
        let found = kiosk.check_card(fingerprint(&member.card)).await;
        assert_eq!(found.verdict, Verdict::Admitted);
        let row = found.ticket.expect("a ticket");
        assert_eq!((row.fact.id.to_string(), row.holder.as_str()), (ticket_of(&booked), "王*明"));
        let none = kiosk.check_card(fingerprint(&stranger.card)).await;
        assert_eq!(none.verdict.reason(), Some(Reason::NotBooked));
        let unknown = kiosk.check_card(fingerprint("6029690000000002")).await;
        assert_eq!(unknown.verdict.reason(), Some(Reason::UnknownCard));
    }

    async fn the_feed_tells_a_kiosk_all_it_needs_and_no_more(app) {
        let (event, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let kiosk = app.kiosk(&event, "东门").await;
        let booked = app.booked(&member, &offer).await;
        let raw = kiosk.send(Method::GET, "/kiosk/feed?after=0&cards_after=0", "").await;
        for secret in [&member.name, &member.phone, &member.card] {
            assert!(!raw.text.contains(secret.as_str()), "the feed holds {secret}");
        }
        let feed = kiosk.feed(0).await;
        assert_eq!((feed.tickets.len(), feed.cards.len(), feed.more), (1, 1, false));
        assert_eq!(feed.tickets[0].person.as_deref(), Some(member.id.as_str()));
        assert!(kiosk.feed(feed.revision).await.tickets.is_empty());
        let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
        app.post(&path, &member.token, json!({})).await.expect(200);
        let news = kiosk.feed(feed.revision).await;
        assert_eq!(news.tickets[0].state, admission::decide::TicketState::Cancelled);
        assert_eq!(kiosk.check(&ticket_of(&booked)).await.reason(), Some(Reason::Cancelled));
    }

    async fn what_a_revoked_kiosk_had_decided_still_arrives_and_nothing_from_a_lost_one(app) {
        let (event, offer) = app.event(|_| {}).await;
        let mut replaced = app.kiosk(&event, "东门").await;
        let mut lost = app.kiosk(&event, "西门").await;
        for (n, kiosk) in [&mut replaced, &mut lost].into_iter().enumerate() {
            let ticket = ticket_of(&app.booked(&app.member(&format!("会员{n}")).await, &offer).await);
            kiosk.decide(&ticket, Verdict::Admitted);
        }
        // It had asked about somebody when its plug was pulled.
        let next = ticket_of(&app.booked(&app.member("后来者").await, &offer).await);
        assert_eq!(replaced.check(&next).await, Verdict::Admitted);
        app.revoke(&replaced.id).await;
        app.revoke_lost(&lost.id).await;
        assert_eq!(replaced.upload().await.have_through, 1);
        assert_eq!(attendance(&app, &event).await["admitted"], 2, "it may be about to write");
        let last = admission::sync::Upload { heard: None, ends: true, ..replaced.as_of(2, 1) };
        replaced.sends(&last).await.expect(200);
        assert_eq!(replaced.upload().await.have_through, 1, "once more");
        assert_eq!(lost.upload_from(1).await.refused(401), "kiosk_revoked");
        assert_eq!(attendance(&app, &event).await["admitted"], 1);
        // It may tell, and be told nothing.
        for path in ["/kiosk/feed", "/kiosk/people", "/kiosk/card-key"] {
            assert_eq!(replaced.send(Method::GET, path, "").await.refused(401), "kiosk_revoked", "{path}");
        }
        // A journal that contradicts itself is kept apart, whoever sends it.
        let told = replaced.journal.remove(0).scan().expect("a scan");
        replaced.decide(&told.ticket.expect("a ticket").to_string(), Verdict::Refused(Refusal::Forged));
        assert_eq!(replaced.upload_from(1).await.refused(409), "kiosk_quarantined");
    }

    async fn a_revoked_kiosk_is_told_so_and_an_unknown_one_nothing(app) {
        let (event, _) = app.event(|_| {}).await;
        let kiosk = app.kiosk(&event, "东门").await;
        app.revoke(&kiosk.id).await;
        assert_eq!(kiosk.send(Method::GET, "/kiosk/feed", "").await.refused(401), "kiosk_revoked");
        let unsigned = app.get("/api/v1/kiosk/feed", "").await;
        assert_eq!(unsigned.refused(401), "kiosk_unknown");
        assert_eq!(app.get("/api/v1/kiosk/card-key", &app.staff(Role::Admin).await).await.refused(401), "kiosk_unknown");
    }

    async fn an_enrolment_code_works_once_and_not_for_ever(app) {
        let (event, _) = app.event(|_| {}).await;
        let organizer = app.staff(Role::Organizer).await;
        let new = json!({ "name": "东门", "event": event });
        let enrol = |code: Value| {
            app.post("/api/v1/kiosks/enrolment", "", json!({ "code": code, "public_key": "ab".repeat(32) }))
        };
        let code = app.post("/api/v1/kiosks", &organizer, new.clone()).await.expect(201)["code"].clone();
        let typed = code.as_str().expect("code").to_lowercase().replace('-', " ");
        enrol(json!(typed)).await.expect(200);
        assert_eq!(enrol(code).await.refused(403), "wrong_code");
        let code = app.post("/api/v1/kiosks", &organizer, new).await.expect(201)["code"].clone();
        app.advance(31 * MINUTE);
        assert_eq!(enrol(code).await.refused(403), "wrong_code");
    }

    async fn attendance_streams_without_a_reload(app) {
        let (event, offer) = app.event(|_| {}).await;
        let ticket = ticket_of(&app.booked(&app.member("王小明").await, &offer).await);
        let organizer = app.staff(Role::Organizer).await;
        let request = app.http.get(format!("{}/api/v1/events/{event}/attendance/stream", app.url)).bearer_auth(&organizer);
        let mut stream = request.send().await.expect("stream");
        assert_eq!(stream.headers()["x-accel-buffering"], "no", "a proxy passes news on at once");
        let mut heard = String::new();
        while !heard.contains("\"booked\":1,\"admitted\":0") {
            heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.expect("open").expect("more")));
        }
        let mut kiosk = app.kiosk(&event, "东门").await;
        kiosk.decide(&ticket, Verdict::Admitted);
        kiosk.upload().await;
        while !heard.contains("\"booked\":1,\"admitted\":1") {
            heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.expect("open").expect("more")));
        }
    }
}
