//! Backup, restore, moving to the other engine: what comes back is what was there, and damaged books are told.

use admission::Verdict;
use serde_json::json;
use tokio::process::Command;
use turnout_server::{archive::verify, db::Db, execute, fetch};

use crate::support::{NO_SYNC, TestApp, on_both, people::bin, postgres};

/// A world in which every table of the main job has rows.
async fn lived_in(app: &TestApp) -> String {
    let (event, offer) = app.event(|draft| draft["offers"][0]["per_person"] = 2.into()).await;
    app.union("镇直机关工会").await;
    let (comes, cancels) = (app.member("王小明").await, app.member("李华").await);
    let ticket =
        app.booked(&comes, &offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
    let booked = app.booked(&cancels, &offer).await;
    let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
    app.post(&path, &cancels.token, json!({})).await.expect(200);
    let mut kiosk = app.kiosk(&event, "东门").await;
    kiosk.decide(&ticket, Verdict::Admitted);
    kiosk.upload().await;
    event
}

/// `turnout-server …` on this database; what it printed, and whether it succeeded.
pub(crate) async fn program(app: &TestApp, database: &str, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(bin("turnout-server"))
        .args(arguments)
        .args(["--database", database, "--data"])
        .arg(app.folder.path())
        .env("RUST_LOG", "warn")
        .output()
        .await
        .expect("the program runs");
    let text = [done.stdout, done.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (done.status.success(), text)
}

/// Tickets and scans as they stand.
async fn state(database: &str) -> Vec<(String, i64, Option<i64>)> {
    let db = Db::open(database).await.expect("open");
    let mut tx = db.read().await.expect("read");
    let mut rows: Vec<(String, i64, Option<i64>)> =
        fetch!(tx, fetch_all, "select id, reissue, used_ms from ticket order by id")
            .expect("tickets");
    let scans: Vec<(String, i64, Option<i64>)> =
        fetch!(tx, fetch_all, "select id, true_ms, seq from scan order by id").expect("scans");
    rows.extend(scans);
    rows
}

/// The revisions of tickets, cards, the event and the roster, in this order.
async fn revisions(database: &str) -> [Vec<i64>; 4] {
    let db = Db::open(database).await.expect("open");
    let mut tx = db.read().await.expect("read");
    macro_rules! numbers {
        ($sql:literal) => {{
            let rows: Vec<(i64,)> = fetch!(tx, fetch_all, $sql).expect("revisions");
            rows.into_iter().map(|(revision,)| revision).collect()
        }};
    }
    [
        numbers!("select revision from ticket order by revision"),
        numbers!("select revision from card order by revision"),
        numbers!("select revision from event_revision order by event_id"),
        numbers!("select revision from roster"),
    ]
}

on_both! {
    async fn a_backup_restores_to_either_engine(app) {
        lived_in(&app).await;
        let before = state(&app.database).await;
        let file = app.folder.path().join("backup.sqlite");
        let file = file.to_str().expect("a plain path");
        let (ok, said) = program(&app, &app.database, &["backup", file]).await;
        assert!(ok, "{said}");
        let (ok, said) = program(&app, &app.database, &["backup", file]).await;
        assert!(!ok && said.contains("exists already"), "{said}");
        let elsewhere = format!("sqlite://{}", app.folder.path().join("restored.db").display());
        for target in [elsewhere, postgres::fresh_database(NO_SYNC).await] {
            let (ok, said) = program(&app, &target, &["restore", file]).await;
            assert!(ok, "{said}");
            assert_eq!(state(&target).await, before);
            let (ok, said) = program(&app, &target, &["verify"]).await;
            assert!(ok, "{said}");
            let (ok, said) = program(&app, &target, &["restore", file]).await;
            assert!(!ok && said.contains("not empty"), "{said}");
            // Without the keys that its tickets and cards were made with it is not served, and no others are made.
            let elsewhere = app.folder.path().join("no-keys");
            let serve = ["serve", "--database", &target, "--listen", "127.0.0.1:0", "--data"];
            let refused = Command::new(bin("turnout-server")).args(serve).arg(&elsewhere).output().await.expect("runs");
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success() && said.contains("Put the keys back"), "{said}");
            assert!(!elsewhere.join("keys").exists());
        }
        // Who names the wrong folder backs up nothing, and is told.
        for wrong in [&["backup", "nothing.sqlite"][..], &["verify"], &["staff", "list"]] {
            let nowhere = format!("sqlite://{}", app.folder.path().join("nowhere.db").display());
            let (ok, said) = program(&app, &nowhere, wrong).await;
            assert!(!ok && said.contains("There is no database at"), "{said}");
            assert!(!app.folder.path().join("nowhere.db").exists());
        }
        let moved = postgres::fresh_database(NO_SYNC).await;
        let (ok, said) = program(&app, &app.database, &["copy-to", &moved]).await;
        assert!(ok, "{said}");
        assert_eq!(state(&moved).await, before);
        assert_eq!(revisions(&moved).await, revisions(&app.database).await);
    }

    async fn kiosks_hear_everything_again_after_a_restore(app) {
        lived_in(&app).await;
        let file = app.folder.path().join("backup.sqlite");
        let file = file.to_str().expect("a plain path");
        let (ok, said) = program(&app, &app.database, &["backup", file]).await;
        assert!(ok, "{said}");
        // What happens after the backup, kiosks hear of, and the restored server gives its numbers to something else.
        let before = revisions(&app.database).await;
        let mut restored = format!("sqlite://{}", app.folder.path().join("restored.db").display());
        for engine in ["sqlite", "postgres"] {
            let (ok, said) = program(&app, &restored, &["restore", file]).await;
            assert!(ok, "{said}");
            let after = revisions(&restored).await;
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before.len(), after.len());
                assert!(!before.is_empty() && after[0] > before[before.len() - 1] + 1_000_000_000, "{engine}");
            }
            let (ok, said) = program(&app, &restored, &["verify"]).await;
            assert!(ok, "{said}");
            restored = postgres::fresh_database(NO_SYNC).await;
        }
    }

    async fn a_kiosk_that_heard_of_changes_that_never_were_hears_everything_anew(app) {
        let (event, offer) = app.event(|_| {}).await;
        app.booked(&app.member("王小明").await, &offer).await;
        let kiosk = app.kiosk(&event, "东门").await;
        let now = kiosk.feed(0).await;
        assert_eq!((now.tickets.len(), kiosk.feed(now.revision).await.tickets.len()), (1, 0));
        // The database was set back, by whatever means: what the kiosk has heard of is still to come.
        let anew = kiosk.feed(now.revision + 40).await;
        assert_eq!((anew.tickets.len(), anew.revision), (1, now.revision));
    }

    async fn wrong_books_are_told(app) {
        lived_in(&app).await;
        assert_eq!(verify(&app.app.db).await.expect("readable"), []);
        for (damage, expected) in [
            ("update offer set taken = taken + 1", "places taken of an offer"),
            ("update ticket set used_ms = null", "first admission"),
            ("update scan set entry = 'x'", "journal"),
            ("update ticket set state = 'cancelled'", "living ticket for each place"),
            ("update booking set event_id = 'another'", "not of its offer's event"),
            ("update scan set event_id = 'another'", "not of its kiosk's and its ticket's event"),
            ("update ticket set offer_id = 'another'", "not of its booking's event, offer"),
        ] {
            let mut tx = app.app.db.write().await.expect("write");
            execute!(tx, damage).expect("damage");
            tx.commit().await.expect("commit");
            let findings = verify(&app.app.db).await.expect("readable");
            assert!(findings.iter().any(|finding| finding.what.contains(expected)), "{damage}: {findings:?}");
        }
    }

    async fn every_table_is_in_a_backup(app) {
        lived_in(&app).await;
        let tables: Vec<(String,)> = {
            let mut tx = app.app.db.read().await.expect("read");
            match app.app.db.engine() {
                "sqlite" => fetch!(tx, fetch_all, "select name from sqlite_master where type = 'table' and name not like 'sqlite%'"),
                _ => fetch!(tx, fetch_all, "select cast(table_name as text) from information_schema.tables where table_schema = current_schema()"),
            }
            .expect("tables")
        };
        for (table,) in tables.iter().filter(|(name,)| !name.starts_with("_sqlx")) {
            assert!(turnout_server::archive::TABLES.contains(&table.as_str()), "{table} is in no backup");
        }
    }
}
