//! Members who come without a ticket: each kiosk gives only what was lent to it, so nothing is sold twice, whoever is
//! alone for how long.

use admission::{
    Refusal, Verdict,
    decide::StationKind,
    scan::{Act, Deed, WalkIn},
    ticket::TicketId,
};
use serde_json::{Value, json};
use turnout_server::{execute, fetch, web::access::Role};

use crate::support::{TestApp, kiosk::TestKiosk, on_both, people::Member};

const MINUTE: i64 = 60_000;

/// An event of ten places of which each gate is lent three.
async fn ten_places(app: &TestApp) -> (String, String) {
    app.event(|draft| {
        draft["offers"][0]["quota"] = 10.into();
        draft["offers"][0]["walk_ins"] = 3.into();
    })
    .await
}

async fn lent(kiosk: &TestKiosk<'_>) -> Vec<(i64, u32)> {
    kiosk.feed(0).await.post.allotments.iter().map(|lent| (lent.number, lent.places)).collect()
}

/// The kiosk gives a place to whoever's card it is, without a network.
fn give(kiosk: &mut TestKiosk<'_>, member: &Member, ticket: u8, allotment: i64) -> TicketId {
    let walk_in = WalkIn { person: member.id.clone(), allotment, class: 0 };
    let deed = Deed { act: Act::WalkIn, walk_in: Some(walk_in), ..Deed::default() };
    let ticket = TicketId([ticket; 12]);
    kiosk.record(StationKind::Gate, ticket, Verdict::Admitted, deed);
    ticket
}

async fn book(app: &TestApp, offer: &str) -> u16 {
    let member = app.member("李网上").await;
    let key = turnout_server::db::new_id(app.now());
    app.book_with(&member.token, &key, json!({ "offer": offer })).await.status.as_u16()
}

async fn taken(app: &TestApp, offer: &str) -> i64 {
    let mut tx = app.app.db.read().await.expect("read");
    let (taken,): (i64,) =
        fetch!(tx, fetch_one, "select taken from offer where id = $1", offer).expect("an offer");
    taken
}

async fn sound(app: &TestApp) {
    assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
}

async fn attendance(app: &TestApp, event: &str) -> Value {
    let organizer = app.staff(Role::Organizer).await;
    app.get(&format!("/api/v1/events/{event}/attendance"), &organizer).await.expect(200)
}

on_both! {
    async fn two_kiosks_alone_and_the_web_together_never_oversell(app) {
        let (event, offer) = ten_places(&app).await;
        let (mut east, mut west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
        assert_eq!((lent(&east).await, lent(&west).await), (vec![(1, 3)], vec![(1, 3)]));
        // The network goes; the web books on.
        for (n, kiosk) in [&mut east, &mut west].into_iter().enumerate() {
            for m in 0..3 {
                let member = app.member("王小明").await;
                give(kiosk, &member, u8::try_from(n * 10 + m + 1).expect("small"), 1);
            }
        }
        let web = [book(&app, &offer).await, book(&app, &offer).await, book(&app, &offer).await, book(&app, &offer).await];
        assert_eq!(web, [201; 4]);
        assert_eq!(book(&app, &offer).await, 409, "the rest is lent");
        east.upload().await;
        west.upload().await;
        east.upload().await;
        let now = attendance(&app, &event).await;
        assert_eq!((&now["booked"], &now["admitted"], &now["conflicts"]), (&10.into(), &6.into(), &0.into()));
        assert_eq!(taken(&app, &offer).await, 10);
        assert_eq!(lent(&east).await, [(1, 3)], "nothing is left to lend");
        sound(&app).await;
    }

    async fn places_that_a_gate_could_give_to_the_wrong_people_are_not_lent(app) {
        for (mode, eligibility, month, cents) in [
            ("allocation", "members", None, 0),
            ("draw", "members", None, 0),
            ("first_come", "unions", None, 0),
            ("first_come", "members", Some(1_i64), 0),
            ("first_come", "members", None, 500_i64),
        ] {
            let (event, offer) = ten_places(&app).await;
            let mut tx = app.app.db.write().await.expect("write");
            execute!(
                tx,
                "update offer set mode = $2, eligibility = $3, limit_month = $4, contribution_cents = $5 where id = $1",
                &offer, mode, eligibility, month, cents,
            ).expect("as it was written once");
            tx.commit().await.expect("commit");
            let gate = app.kiosk(&event, "东门").await;
            assert_eq!(lent(&gate).await, [], "{mode} {eligibility} {month:?} {cents}");
            assert_eq!(taken(&app, &offer).await, 0);
        }
        sound(&app).await;
    }

    async fn one_person_given_a_place_at_two_doors_has_one_ticket_and_the_organizer_hears_of_it(app) {
        let (event, offer) = ten_places(&app).await;
        let (mut east, mut west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
        lent(&east).await;
        lent(&west).await;
        let member = app.member("王小明").await;
        let ticket = give(&mut east, &member, 1, 1);
        give(&mut west, &member, 2, 1);
        east.upload().await;
        west.upload().await;
        let now = attendance(&app, &event).await;
        assert_eq!((&now["booked"], &now["admitted"], &now["conflicts"]), (&1.into(), &1.into(), &1.into()));
        // One booked, and what the two kiosks still hold.
        assert_eq!(taken(&app, &offer).await, 1 + 2 + 2);
        let feed = west.feed(0).await;
        assert_eq!((feed.tickets.len(), feed.tickets[0].fact.id), (1, ticket));
        sound(&app).await;
    }

    async fn a_place_that_is_taken_back_counts_no_more_for_the_ticket_that_the_person_had(app) {
        let (event, offer) = ten_places(&app).await;
        let mut east = app.kiosk(&event, "东门").await;
        lent(&east).await;
        // Booked a moment before, which the door had not heard.
        let member = app.member("王小明").await;
        app.booked(&member, &offer).await;
        let given = give(&mut east, &member, 1, 1);
        east.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 1);
        let deed = Deed { act: Act::Undo, about: Some(1), ..Deed::default() };
        east.record(StationKind::Gate, given, Verdict::Attention(Refusal::Unknown), deed);
        east.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 0);
        let row = &east.feed(0).await.tickets[0];
        assert_eq!(row.uses, [], "the ticket is good again");
        sound(&app).await;
    }

    async fn a_place_given_at_one_door_and_used_at_another_counts_whoever_is_heard_first(app) {
        let (event, offer) = ten_places(&app).await;
        let mut east = app.kiosk(&event, "东门").await;
        let mut west = app.kiosk(&event, "西门").await;
        lent(&east).await;
        // One had a ticket that the door had not heard of; the other had none.
        let (had, new) = (app.member("王小明").await, app.member("李华").await);
        let booked = app.booked(&had, &offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
        let given = [give(&mut east, &had, 1, 1), give(&mut east, &new, 2, 1)];
        // The doors heard of it from each other; the west door's line is back first.
        for ticket in given {
            west.record(StationKind::Gate, ticket, Verdict::Admitted, Deed::default());
        }
        west.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 0);
        east.upload().await;
        assert_eq!(attendance(&app, &event).await["admitted"], 2);
        let uses = |feed: admission::sync::Feed| {
            let of = feed.tickets.into_iter().map(|row| (row.fact.id.to_string(), row.uses.len()));
            of.collect::<std::collections::BTreeMap<_, _>>()
        };
        let both = uses(east.feed(0).await);
        assert_eq!(both, [(booked.clone(), 2), (given[1].to_string(), 2)].into(), "{both:?}");
        assert_eq!(attendance(&app, &event).await["conflicts"], 2, "each in twice at two doors");
        // And what is heard after the east door's word.
        west.record(StationKind::Gate, given[0], Verdict::Admitted, Deed::default());
        west.upload().await;
        assert_eq!(uses(east.feed(0).await)[&booked], 3);
        sound(&app).await;
    }

    async fn unused_places_go_back_once_the_kiosk_has_told_all(app) {
        let (event, offer) = ten_places(&app).await;
        let mut east = app.kiosk(&event, "东门").await;
        lent(&east).await;
        let member = app.member("王小明").await;
        give(&mut east, &member, 1, 1);
        assert_eq!(taken(&app, &offer).await, 3);
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update offer set walk_ins = 0 where id = $1", &offer).expect("updated");
        tx.commit().await.expect("committed");
        let end = east.feed(0).await.post.allotments[0].until;
        assert_eq!(end, app.now(), "no more from now on");
        app.advance(3 * MINUTE);
        east.upload().await;
        assert!(lent(&east).await.is_empty());
        assert_eq!(taken(&app, &offer).await, 1);
        sound(&app).await;
    }

    async fn a_revoked_kiosk_gives_back_only_when_it_can_give_no_more(app) {
        let (event, offer) = ten_places(&app).await;
        let east = app.kiosk(&event, "东门").await;
        let until = east.feed(0).await.post.allotments[0].until;
        app.revoke(&east.id).await;
        turnout_server::housekeeping::sweep(&app.app).await.expect("swept");
        assert_eq!(taken(&app, &offer).await, 3, "it may not have heard");
        app.advance(until.since(app.now()) + 3 * MINUTE);
        turnout_server::housekeeping::sweep(&app.app).await.expect("swept");
        assert_eq!(taken(&app, &offer).await, 0);
        sound(&app).await;
    }
}
