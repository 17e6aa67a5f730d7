//! What a kiosk tells beside its scans, and what it is told in the server's own name: wrong PINs, a clock that is put right,
//! tickets that the books have lost, a revocation.

use admission::{
    Reason, Verdict,
    decide::StationKind,
    scan::{Act, Deed},
    sync::{Corrected, Upload},
    ticket::{TicketFact, TicketId},
    time::HOUR,
};
use turnout_server::{fetch, web::access::Role};

use crate::support::{TestApp, on_both};

/// What the organizer's live page says, and the page of what is to be looked at.
async fn pages(app: &TestApp, event: &str) -> [String; 2] {
    let organizer = app.staff(Role::Organizer).await;
    let page = async |path: String| app.get(&path, &organizer).await.text;
    let live = page(format!("/admin/events/{event}")).await;
    [live, page(format!("/admin/events/{event}/conflicts")).await]
}

on_both! {
    async fn somebody_who_tries_pins_is_on_the_organizers_page(app) {
        let (event, _) = app.event(|_| {}).await;
        let kiosk = app.kiosk(&event, "东门").await;
        let tried = async |wrong_pins: u32| {
            let upload = Upload { wrong_pins, ..kiosk.as_of(1, 0) };
            kiosk.sends(&upload).await.expect(200);
            let organizer = app.staff(Role::Organizer).await;
            let list = app.get(&format!("/admin/events/{event}/kiosks"), &organizer).await.text;
            (pages(&app, &event).await[0].contains("有人在「东门」试密码：一天内输错"), list.contains("试密码"))
        };
        assert_eq!(tried(4).await, (false, false), "that is anybody's fingers");
        assert_eq!(tried(5).await, (true, true));
        assert_eq!(tried(0).await, (false, false), "a day later");
    }

    async fn a_scan_that_was_made_in_doubt_of_the_clock_has_its_time_once_it_is_known(app) {
        let (event, offer) = app.event(|_| {}).await;
        let booked = app.booked(&app.member("王小明").await, &offer).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("a ticket");
        let mut kiosk = app.kiosk(&event, "东门").await;
        let (now, late) = (app.now(), app.now().plus(-2 * HOUR));
        kiosk.decide_at(ticket, Verdict::Admitted, late);
        kiosk.decide_at(ticket, Verdict::Admitted, now);
        let corrected = vec![Corrected { from: 1, through: 1, by_ms: 2 * HOUR, error_ms: 7 }];
        let upload = Upload { corrected, ..kiosk.as_of(1, 2) };
        for _ in 0..2 {
            kiosk.sends(&upload).await.expect(200);
        }
        let mut tx = app.app.db.read().await.expect("read");
        let times: Vec<(i64, i64, i64)> =
            fetch!(tx, fetch_all, "select at_ms, true_ms, error_ms from scan where kiosk_id = $1 order by seq", &kiosk.id)
                .expect("scans");
        assert_eq!(times, [(late.0, now.0, 7), (now.0, now.0, 5)]);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn a_ticket_that_the_books_have_lost_goes_in_once_and_stands_in_the_inbox(app) {
        let (event, _) = app.event(|_| {}).await;
        let (mut east, west) = (app.kiosk(&event, "东门").await, app.kiosk(&event, "西门").await);
        let offer = east.feed(0).await.post.event.offers[0].clone();
        let fact = TicketFact {
            id: TicketId([9; 12]),
            event: east.event_number,
            class: offer.class,
            valid_from: offer.valid_from,
            valid_to: offer.valid_to,
            reissue: 0,
        };
        let unknown = Some(Reason::Unknown);
        assert_eq!(east.check_ticket(fact.id).await.verdict.reason(), unknown, "nobody says that it is signed");
        let foreign = TicketFact { event: fact.event + 1, ..fact };
        assert_eq!(east.check_signed(foreign).await.verdict.reason(), unknown);
        let checked = east.check_signed(fact).await;
        assert_eq!((&checked.verdict, checked.ticket.is_none()), (&Verdict::Admitted, true));
        assert_eq!(pages(&app, &event).await.map(|page| page.contains("票是真的")), [false; 2]);
        let id = fact.id.to_string();
        east.decide(&id, Verdict::Admitted);
        east.upload().await;
        east.upload().await;
        assert_eq!(west.check_signed(fact).await.verdict.reason(), Some(Reason::AlreadyUsed));
        let [live, inbox] = pages(&app, &event).await;
        assert!(live.contains("1 张票是真的，账上却没有"));
        assert!(inbox.contains("票是真的，账上却没有") && inbox.contains(&id) && inbox.contains("东门"));
        // Taken back at the door, it is whole again.
        let deed = Deed { act: Act::Undo, about: Some(1), why: Some("扫错了".into()), ..Deed::default() };
        east.record(StationKind::Gate, fact.id, Verdict::Admitted, deed);
        east.upload().await;
        assert_eq!(west.check_signed(fact).await.verdict, Verdict::Admitted);
        assert_eq!(pages(&app, &event).await.map(|page| page.contains("票是真的")), [false; 2]);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn somebody_says_what_became_of_a_ticket_that_the_books_have_lost(app) {
        let (event, _) = app.event(|_| {}).await;
        let mut east = app.kiosk(&event, "东门").await;
        let organizer = app.staff(Role::Organizer).await;
        let choose = async |event: &str, ticket: &str, verdict: &str, token: &str| {
            let path = format!("{}/admin/events/{event}/strays/{ticket}", app.url);
            let form = [("verdict", verdict), ("note", "是王小明的")];
            let answer = app.http.post(path).bearer_auth(token).form(&form).send().await;
            answer.expect("an answer").status().as_u16()
        };
        let live = async || pages(&app, &event).await[0].contains("账上却没有");
        let lost = TicketId([9; 12]);
        let id = lost.to_string();
        east.decide(&id, Verdict::Admitted);
        east.upload().await;
        assert!(live().await);
        assert_eq!(choose(&event, &id, "entered", &app.staff(Role::Volunteer).await).await, 403);
        assert_eq!(choose(&event, &id, "same_person", &organizer).await, 422);
        assert_eq!(choose(&event, &TicketId([8; 12]).to_string(), "entered", &organizer).await, 404);
        let (other, _) = app.event(|_| {}).await;
        assert_eq!(choose(&other, &id, "entered", &organizer).await, 404);
        assert_eq!(choose(&event, &id, "entered", &organizer).await, 303);
        assert!(!live().await, "nothing is left to look at");
        let inbox = &pages(&app, &event).await[1];
        assert!(!inbox.contains("strays/") && inbox.contains("已补登") && inbox.contains("是王小明的"), "{inbox}");
        assert!(inbox.contains(&admission::ticket::number(&id)));
        // Let in once more, it is to be looked at again; and what was a wrong scan is taken back, by hand as at the door.
        east.decide(&id, Verdict::Admitted);
        east.upload().await;
        assert!(live().await);
        assert_eq!(choose(&event, &id, "error", &organizer).await, 303);
        assert!(!live().await);
        assert_eq!(choose(&event, &id, "error", &organizer).await, 404, "there is nothing to take back");
        let offer = east.feed(0).await.post.event.offers[0].clone();
        let fact = TicketFact {
            id: lost,
            event: east.event_number,
            class: offer.class,
            valid_from: offer.valid_from,
            valid_to: offer.valid_to,
            reissue: 0,
        };
        let west = app.kiosk(&event, "西门").await;
        assert_eq!(west.check_signed(fact).await.verdict, Verdict::Admitted, "good once more");
        east.decide(&id, Verdict::Admitted);
        east.upload().await;
        assert!(live().await);
        let mut tx = app.app.db.read().await.expect("read");
        let rows: Vec<(String,)> =
            fetch!(tx, fetch_all, "select action from audit where subject = $1 order by action", &id).expect("audit");
        assert_eq!(rows, [("stray.entered".to_owned(),), ("stray.error".to_owned(),)]);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }

    async fn a_revoked_kiosk_is_told_so_by_the_server_itself(app) {
        let (event, _) = app.event(|_| {}).await;
        let kiosk = app.kiosk(&event, "东门").await;
        assert_eq!(kiosk.is_revoked().await, (200, false));
        let organizer = app.staff(Role::Organizer).await;
        let path = format!("{}/admin/events/{event}/kiosks/{}/revocation", app.url, kiosk.id);
        let revoked = app.http.post(path).bearer_auth(&organizer).form(&[("lost", "")]).send().await;
        assert_eq!(revoked.expect("an answer").status().as_u16(), 303);
        assert_eq!(kiosk.is_revoked().await, (401, true));
    }
}
