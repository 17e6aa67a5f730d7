//! A ticket as a picture: what the `qrcode` crate draws, `zbarimg` reads.

use std::process::Command;

use admission::{Verdict, decide::StationKind, scan::Deed};
use serde_json::json;

use crate::support::on_both;

on_both! {
    async fn zbarimg_reads_the_qr_of_a_ticket(app) {
        let (_, offer) = app.event(|_| {}).await;
        let member = app.member("王小明").await;
        let booked = app.booked(&member, &offer).await;
        let (id, code) = (&booked["tickets"][0]["id"], booked["tickets"][0]["code"].as_str().expect("code"));
        let path = format!("/api/v1/tickets/{}/qr.png", id.as_str().expect("id"));
        let request = app.http.get(format!("{}{path}", app.url)).bearer_auth(&member.token);
        let png = request.send().await.expect("answer").bytes().await.expect("body");
        let file = app.folder.path().join("qr.png");
        std::fs::write(&file, png).expect("write");
        let read = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&file).output().expect("zbarimg is installed");
        assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), code);
    }

    async fn whoever_is_inside_still_shows_their_code_and_whoever_was_handed_something_does_not(app) {
        let (event, offer) = app.event(|draft| draft["offers"][0]["moving_code"] = true.into()).await;
        let mut kiosk = app.kiosk(&event, "东门").await;
        let again = "到出口、再次进场、场内登记时";
        let mut pages = Vec::new();
        for kind in [StationKind::Gate, StationKind::Counter] {
            let member = app.member("王小明").await;
            let booked = app.booked(&member, &offer).await;
            let id = booked["tickets"][0]["id"].as_str().expect("id").to_owned();
            let before = app.get(&format!("/tickets/{id}"), &member.token).await.text;
            assert!(before.contains("data-moving") && !before.contains(again), "{before}");
            let ticket = id.parse().expect("a ticket's id");
            kiosk.record(kind, ticket, Verdict::Admitted, Deed::default());
            pages.push((format!("/tickets/{id}"), member.token));
        }
        kiosk.upload().await;
        let [inside, done] = [&pages[0], &pages[1]];
        let page = app.get(&inside.0, &inside.1).await.text;
        assert!(page.contains("已入场") && page.contains(again), "{page}");
        assert!(page.contains("data-moving") && page.contains("moving.js"), "it moves as before: {page}");
        let page = app.get(&done.0, &done.1).await.text;
        assert!(!page.contains(again) && !page.contains("data-moving"), "{page}");
        // When it is over, there is nothing to show it for.
        app.advance(24 * 3_600_000);
        let page = app.get(&inside.0, &inside.1).await.text;
        assert!(page.contains("已入场") && !page.contains("data-moving"), "{page}");
    }

    async fn a_ticket_shows_to_its_holder_only(app) {
        let (_, offer) = app.event(|_| {}).await;
        let (holder, other) = (app.member("王小明").await, app.member("李华").await);
        let booked = app.booked(&holder, &offer).await;
        let id = booked["tickets"][0]["id"].as_str().expect("id");
        for kind in ["png", "svg"] {
            let path = format!("/api/v1/tickets/{id}/qr.{kind}");
            assert_eq!(app.get(&path, &holder.token).await.status, 200);
            assert_eq!(app.get(&path, &other.token).await.status, 404);
            assert_eq!(app.get(&path, "").await.status, 401);
        }
        let path = format!("/api/v1/bookings/{}", booked["id"].as_str().expect("id"));
        assert_eq!(app.get(&path, &other.token).await.refused(404), "not_found");
        let stolen = app.book_with(&other.token, "a", json!({ "offer": "no-such-offer" })).await;
        assert_eq!(stolen.refused(404), "not_found");
    }
}
