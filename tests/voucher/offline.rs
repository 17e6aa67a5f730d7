//! A real kiosk at a venue's counter, without a network: it keeps to the terms, and what it redeemed is settled.

use serde_json::json;
use tempfile::TempDir;
use turnout_server::{fetch, web::access::Role};

use super::{campaign, organizers, venue, voucher};
use crate::{
    end_to_end::await_copy,
    support::{TestApp, on_both, programs::KioskProgram},
};

on_both! {
    async fn a_kiosk_without_a_network_keeps_to_days_uses_and_venue(app) {
        let (springs, lake) = (venue(&app, "南宫温泉水世界").await, venue(&app, "青龙湖公园").await);
        let (event, offer) = campaign(&app, &springs, |_| {}).await;
        let organizer = app.staff(Role::Organizer).await;
        let more = |name: &'static str, venue: &str, closed: &'static str| {
            let venue = venue.to_owned();
            let (app, event, organizer) = (&app, event.clone(), organizer.clone());
            async move { add(app, &event, &organizer, (name, &venue, closed)).await }
        };
        let holiday = more("节日券", &springs, "2027-03-05").await;
        let elsewhere = more("湖区券", &lake, "").await;
        let member = app.member("王小明").await;
        let (ticket, code) = voucher(&app, &member, &offer).await;
        let (_, today_not) = voucher(&app, &app.member("李小红").await, &holiday).await;
        let (_, not_here) = voucher(&app, &app.member("赵大力").await, &elsewhere).await;
        let new = json!({ "name": "一号台", "event": event, "station": "counter", "station_name": "南宫温泉水世界" });
        let made = app.post("/api/v1/kiosks", &organizer, new).await.expect(201);
        let folder = TempDir::new().expect("a folder");
        KioskProgram::enroll(&app.url, made["code"].as_str().expect("a code"), folder.path()).await;
        let kiosk = KioskProgram::run(folder.path()).await;
        await_copy(folder.path(), &ticket).await;
        assert!(kiosk.stop().await.success());

        let mut kiosk = KioskProgram::run_with(folder.path(), &["--offline"]).await;
        for (said, verdict, reason) in [
            (&code, "admitted", json!(null)),
            (&today_not, "refused", json!("not_today")),
            (&not_here, "refused", json!("wrong_station")),
            (&code, "admitted", json!(null)),
            (&code, "refused", json!("already_used")),
        ] {
            let told = kiosk.scan(said).await;
            assert_eq!((&told["verdict"], &told["reason"]), (&json!(verdict), &reason), "{told}");
            assert!(told["trust"].as_str().expect("trust").starts_with("local"), "{told}");
        }
        assert!(kiosk.stop().await.success());
        // The network is back: what it did is in the books.
        let kiosk = KioskProgram::run(folder.path()).await;
        redeemed(&app, &ticket, 2).await;
        assert!(kiosk.stop().await.success());
        let hub = organizers(&app, &format!("/admin/venues/{springs}")).await;
        assert!(hub.contains("核销 2 次") && hub.contains("120"), "{hub}");
    }
}

/// One more batch of the campaign; its offer's id.
async fn add(
    app: &TestApp,
    event: &str,
    organizer: &str,
    (name, venue, closed): (&str, &str, &str),
) -> String {
    let form = [
        ("name", name),
        ("quota", "10"),
        ("opens", "2027-03-01T09:00"),
        ("closes", "2027-04-01T09:00"),
        ("per_person", "1"),
        ("guests_max", "0"),
        ("eligibility", "members"),
        ("mode", "first_come"),
        ("accept", "120"),
        ("face", "30"),
        ("price", "20"),
        ("venue", venue),
        ("closed", closed),
        ("valid_from", "2027-03-01T00:00"),
        ("valid_to", "2027-04-30T00:00"),
    ];
    let path = format!("/admin/events/{event}/offers");
    crate::fair::send(app, &path, (organizer, ""), &form).await.leads_to("done=offer");
    let mut tx = app.app.db.read().await.expect("read");
    let (id,): (String,) = fetch!(
        tx,
        fetch_one,
        "select id from offer where event_id = $1 and name = $2",
        event,
        name
    )
    .expect("the offer");
    id
}

/// Waits until so many redemptions of a ticket are in the books.
async fn redeemed(app: &TestApp, ticket: &str, count: i64) {
    let counting = async {
        loop {
            let mut tx = app.app.db.read().await.expect("read");
            let (scans,): (i64,) = fetch!(
                tx,
                fetch_one,
                "select count(*) from scan where ticket_id = $1 and verdict = 'admitted' and not provisional",
                ticket,
            )
            .expect("a count");
            if scans == count {
                return;
            }
            drop(tx);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), counting)
        .await
        .expect("uploaded in time");
}
