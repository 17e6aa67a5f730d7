//! What stations other than a gate record, as the server keeps it: in and out again, several uses, visits with consent,
//! what staff did at a kiosk.

use admission::{
    Reason, Verdict,
    decide::StationKind,
    scan::{Act, Deed},
    ticket::TicketId,
};
use serde_json::Value;
use turnout_server::{execute, fetch, web::access::Role};

use crate::support::{TestApp, kiosk::TestKiosk, on_both};

async fn attendance(app: &TestApp, event: &str) -> Value {
    let organizer = app.staff(Role::Organizer).await;
    app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200)
}

/// An event with one offer under these terms, and the ticket of a member.
async fn ticket(app: &TestApp, uses: i64, reentry: bool) -> (String, TicketId) {
    let (event, offer) = app
        .event(|draft| {
            draft["offers"][0]["uses"] = uses.into();
            draft["offers"][0]["reentry"] = reentry.into();
        })
        .await;
    let booked = app.booked(&app.member("王小明").await, &offer).await;
    (event, booked["tickets"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a ticket"))
}

/// Of a scan: what was done, by whom, against which reason, with what consent.
type Kept = (String, Option<String>, Option<String>, Option<bool>);

on_both! {
    async fn a_holder_goes_out_and_in_again_when_the_offer_allows_it(app) {
        let (event, ticket) = ticket(&app, 1, true).await;
        let mut gate = app.kiosk(&event, "东门").await;
        let text = ticket.to_string();
        for (kind, inside) in [(StationKind::Gate, 1), (StationKind::Exit, 0), (StationKind::Gate, 1)] {
            if kind == StationKind::Gate {
                assert_eq!(gate.check(&text).await, Verdict::Admitted);
            }
            gate.record(kind, ticket, Verdict::Admitted, Deed::default());
            gate.upload().await;
            let now = attendance(&app, &event).await;
            assert_eq!((&now["admitted"], &now["inside"]), (&1.into(), &inside.into()));
            app.advance(60_000);
        }
        assert_eq!(gate.check(&text).await.reason(), Some(Reason::AlreadyUsed));
        assert_eq!(attendance(&app, &event).await["conflicts"], 0, "in, out and in is no conflict");
        let feed = gate.feed(0).await;
        let kinds: Vec<_> = feed.tickets[0].uses.iter().map(|used| used.kind).collect();
        assert_eq!(kinds, [StationKind::Gate, StationKind::Exit, StationKind::Gate]);
        assert!(feed.post.event.terms(0).reentry);
    }

    async fn a_voucher_redeemed_more_often_than_it_may_is_a_conflict(app) {
        let (event, ticket) = ticket(&app, 2, false).await;
        let mut first = app.kiosk(&event, "一号台").await;
        let mut second = app.kiosk(&event, "二号台").await;
        first.record(StationKind::Counter, ticket, Verdict::Admitted, Deed::default());
        first.upload().await;
        second.record(StationKind::Counter, ticket, Verdict::Admitted, Deed::default());
        second.upload().await;
        assert_eq!(attendance(&app, &event).await["conflicts"], 0);
        second.record(StationKind::Counter, ticket, Verdict::Admitted, Deed::default());
        second.upload().await;
        assert_eq!(attendance(&app, &event).await["conflicts"], 1);
    }

    async fn a_wrong_scan_is_taken_back_and_what_the_holder_did_beside_it_stands(app) {
        let (event, ticket) = ticket(&app, 2, false).await;
        let (mut east, mut west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
        for (kind, at_both) in [
            (StationKind::Gate, true),
            (StationKind::Booth, false),
            (StationKind::Counter, true),
            (StationKind::Exit, false),
        ] {
            east.record(kind, ticket, Verdict::Admitted, Deed::default());
            if at_both {
                app.advance(1_000);
                west.record(kind, ticket, Verdict::Admitted, Deed::default());
            }
            app.advance(60_000);
        }
        east.upload().await;
        west.upload().await;
        let before = attendance(&app, &event).await;
        assert_eq!((&before["admitted"], &before["conflicts"]), (&1.into(), &1.into()));
        let path = format!("{}/admin/events/{event}/conflicts/{ticket}", app.url);
        let organizer = app.staff(Role::Organizer).await;
        let form = [("verdict", "error"), ("note", "")];
        let answer = app.http.post(path).bearer_auth(&organizer).form(&form).send().await.expect("answer");
        assert_eq!(answer.status().as_u16(), 303);
        let after = attendance(&app, &event).await;
        assert_eq!((&after["admitted"], &after["inside"], &after["conflicts"]), (&1.into(), &0.into(), &0.into()));
        let feed = east.feed(0).await;
        let kinds: Vec<_> = feed.tickets[0].uses.iter().map(|used| used.kind).collect();
        let (gate, counter) = (StationKind::Gate, StationKind::Counter);
        assert_eq!(kinds, [gate, StationKind::Booth, counter, counter, StationKind::Exit]);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn what_staff_did_at_a_kiosk_is_kept_with_their_label_and_reason(app) {
        let (event, ticket) = ticket(&app, 1, false).await;
        let mut gate = app.kiosk(&event, "东门").await;
        let by = |act| Deed { act, operator: Some("小李".to_owned()), why: Some("扫错了".to_owned()), ..Deed::default() };
        gate.record(StationKind::Gate, ticket, Verdict::Admitted, by(Act::Hand));
        let undo = Deed { about: Some(1), ..by(Act::Undo) };
        gate.record(StationKind::Gate, ticket, Verdict::Attention(admission::Refusal::Unknown), undo);
        gate.upload().await;
        let now = attendance(&app, &event).await;
        assert_eq!((&now["admitted"], &now["attention"], &now["refused"]), (&0.into(), &0.into(), &0.into()));
        let over = Deed { against: Some(Reason::TooEarly), ..by(Act::Override) };
        gate.record(StationKind::Gate, ticket, Verdict::Admitted, over);
        gate.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 1);
        let visit = StationKind::Booth;
        gate.record(visit, ticket, Verdict::Admitted, Deed::default());
        let yes = Deed { act: Act::Consent, about: Some(4), consent: Some(true), ..Deed::default() };
        gate.record(visit, ticket, Verdict::Attention(admission::Refusal::Unknown), yes);
        gate.upload().await;
        let mut tx = app.app.db.read().await.expect("read");
        let rows: Vec<Kept> = fetch!(
            tx, fetch_all, "select act, operator, against, consent from scan where kiosk_id = $1 order by seq", &gate.id
        ).expect("scans");
        let li = Some("小李".to_owned());
        assert_eq!(rows, [
            ("hand".to_owned(), li.clone(), None, None),
            ("undo".to_owned(), li.clone(), None, None),
            ("override".to_owned(), li, Some("too_early".to_owned()), None),
            ("scan".to_owned(), None, None, Some(true)),
            ("consent".to_owned(), None, None, None),
        ]);
        let page = app.get(&format!("/admin/events/{event}/list/{ticket}"), &app.staff(Role::Organizer).await).await.text;
        for shown in ["主管放行", "撤销入场", "小李", "扫错了"] {
            assert!(page.contains(shown), "{shown} is missing");
        }
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn the_gates_of_an_event_share_what_the_approved_size_leaves(app) {
        let (event, offer) = app.event(|_| {}).await;
        let east = app.kiosk(&event, "东门").await;
        assert_eq!(east.feed(0).await.post.room, None, "no approved size, no line");
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update event set capacity = 5 where id = $1", &event).expect("written");
        tx.commit().await.expect("commit");
        let share = async |kiosk: &TestKiosk<'_>| {
            let room = kiosk.feed(0).await.post.room.expect("room");
            (room.share, room.through)
        };
        assert_eq!(share(&east).await, (5, 0), "one gate has it all");
        let mut west = app.kiosk(&event, "西门").await;
        assert_eq!((share(&east).await, share(&west).await), ((2, 0), (2, 0)), "never more than five together");
        let booked = app.booked(&app.member("王小明").await, &offer).await;
        let ticket = booked["tickets"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a ticket");
        west.record(StationKind::Gate, ticket, Verdict::Admitted, Deed::default());
        west.upload().await;
        assert_eq!((share(&east).await, share(&west).await), ((2, 0), (2, 1)));
        west.record(StationKind::Exit, ticket, Verdict::Admitted, Deed::default());
        app.advance(1_000);
        west.upload().await;
        assert_eq!(share(&west).await.1, 2);
    }
}
