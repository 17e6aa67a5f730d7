//! A database of an earlier version, with a federation's life in it: today's server brings it up to date, loses nothing,
//! and goes on from there.

use std::path::Path;

use admission::Verdict;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, migrate::Migrator};
use tempfile::TempDir;
use turnout_server::{archive, fetch};

use crate::{
    fair::page,
    goods::HandOut,
    support::{NO_SYNC, TestApp, on_both, postgres},
};

/// The last migration of the version that is upgraded: before offers had the mode `given`.
const BEFORE: u32 = 52;

const UNION: &str = "北京市王佐机械厂工会";

/// The migrations of that version.
async fn migrations(last: u32) -> Migrator {
    let folder = TempDir::new().expect("temporary folder");
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    for file in std::fs::read_dir(all).expect("the migrations") {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("text");
        if name.get(..4).and_then(|number| number.parse().ok()).is_some_and(|n: u32| n <= last) {
            std::fs::copy(file.path(), folder.path().join(name)).expect("copied");
        }
    }
    Migrator::new(folder.path()).await.expect("migrations")
}

/// What `app` holds, in a database of the earlier version of the same engine: each column that there was.
async fn as_it_was(app: &TestApp, last: u32) -> String {
    // Players' and delegates' offers were allocations without a time.
    match app.app.db.engine() {
        "postgres" => {
            let url = postgres::fresh_database(NO_SYNC).await;
            let mut now = PgConnection::connect(&app.database).await.expect("today's");
            let mut then = PgConnection::connect(&url).await.expect("then's");
            migrations(last).await.run(&mut then).await.expect("the tables of then");
            // Rows come table by table, whatever refers to what.
            sqlx::query("set session_replication_role = replica")
                .execute(&mut then)
                .await
                .expect("a superuser");
            for table in archive::TABLES {
                let (known,): (bool,) = sqlx::query_as("select to_regclass($1) is not null")
                    .bind(table)
                    .fetch_one(&mut then)
                    .await
                    .expect(table);
                if !known {
                    continue;
                }
                let all =
                    format!("select cast(coalesce(json_agg(t), '[]') as text) from {table} t");
                let (rows,): (String,) =
                    sqlx::query_as(AssertSqlSafe(all)).fetch_one(&mut now).await.expect(table);
                let rows = rows.replace("\"mode\":\"given\"", "\"mode\":\"allocation\"");
                for sql in [
                    format!("delete from {table}"),
                    format!(
                        "insert into {table} select * from json_populate_recordset(null::{table}, '{}'::json)",
                        rows.replace('\'', "''")
                    ),
                ] {
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut then).await.expect(table);
                }
            }
            // Answers had a table of their own.
            let all = "select cast(coalesce(json_agg(json_build_object(
                           'actor', person_id, 'key', request_key, 'request_sha256', request_sha256, 'status', 201,
                           'body', answer, 'created_ms', created_ms)), '[]') as text)
                       from booking where request_key is not null";
            let (rows,): (String,) =
                sqlx::query_as(all).fetch_one(&mut now).await.expect("answers");
            let sql = "insert into idempotency select * from json_populate_recordset(null::idempotency, $1::json)";
            sqlx::query(sql).bind(rows).execute(&mut then).await.expect("answers of then");
            then.close().await.expect("closed");
            url
        }
        _ => {
            let file = app.folder.path().join("old.db");
            let url = format!("sqlite://{}", file.display());
            let mut then =
                SqliteConnection::connect(&format!("{url}?mode=rwc")).await.expect("open");
            migrations(last).await.run(&mut then).await.expect("the tables of then");
            let today = app.folder.path().join("turnout.db");
            let begin = format!("pragma foreign_keys = off; attach '{}' as today", today.display());
            sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut then).await.expect("attached");
            for table in archive::TABLES {
                let both = "select name from pragma_table_info($1, 'main') intersect
                            select name from pragma_table_info($1, 'today')";
                let columns: Vec<(String,)> =
                    sqlx::query_as(both).bind(table).fetch_all(&mut then).await.expect(table);
                if columns.is_empty() {
                    continue;
                }
                let names: Vec<String> = columns.into_iter().map(|(name,)| name).collect();
                let value = |name: &String| match (table, name.as_str()) {
                    ("offer", "mode") => "replace(mode, 'given', 'allocation')".to_owned(),
                    _ => name.clone(),
                };
                let values = names.iter().map(value).collect::<Vec<_>>().join(", ");
                let names = names.join(", ");
                let sql = format!(
                    "delete from main.{table}; insert into main.{table} ({names}) select {values} from today.{table}"
                );
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut then).await.expect(table);
            }
            let answers = "insert into main.idempotency (actor, key, request_sha256, status, body, created_ms)
                           select person_id, request_key, request_sha256, 201, answer, created_ms
                           from today.booking where request_key is not null";
            sqlx::raw_sql(answers).execute(&mut then).await.expect("answers of then");
            then.close().await.expect("closed");
            url
        }
    }
}

/// How many offers there are of each mode.
async fn modes(app: &TestApp) -> Vec<(String, i64)> {
    let mut tx = app.app.db.read().await.expect("read");
    fetch!(tx, fetch_all, "select mode, count(*) from offer group by mode order by mode")
        .expect("offers")
}

/// What bookings, tickets and scans must name: there are rows of these.
async fn must_name(app: &TestApp) -> Vec<String> {
    let mut tx = app.app.db.read().await.expect("read");
    let named: Vec<(String,)> = match app.app.db.engine() {
        "sqlite" => fetch!(
            tx,
            fetch_all,
            "select t.name || '.' || f.\"from\" from sqlite_schema t join pragma_foreign_key_list(t.name) f
             where t.name in ('booking', 'ticket', 'scan') order by 1",
        ),
        _ => fetch!(
            tx,
            fetch_all,
            "select t.relname || '.' || a.attname from pg_constraint c join pg_class t on t.oid = c.conrelid
             join pg_attribute a on a.attrelid = t.oid and a.attnum = c.conkey[1]
             where c.contype = 'f' and t.relname in ('booking', 'ticket', 'scan') order by 1",
        ),
    }
    .expect("foreign keys");
    named.into_iter().map(|(name,)| name).collect()
}

on_both! {
    async fn an_old_database_is_brought_up_to_date_and_goes_on(app) {
        // A contest with players, places divided among unions, grain for a union, a gate that let somebody in.
        let (contest, discipline, organizer) = app.contest(&[]).await;
        for n in 0..3 {
            let player = app.member(&format!("选手{n}号")).await;
            app.enters(&player, &discipline, &[]).await.leads();
        }
        let flow_back = app.now().0 + 3_600_000;
        let (shared, divided) = app.event(|draft| {
            draft["offers"][0]["mode"] = "allocation".into();
            draft["offers"][0]["flow_back_ms"] = flow_back.into();
        }).await;
        let (event, offer) = app.event(|_| {}).await;
        let (comes, later) = (app.member("王小明").await, app.member("李华").await);
        let ticket = app.booked(&comes, &offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
        let mut kiosk = app.kiosk(&event, "东门").await;
        kiosk.decide(&ticket, Verdict::Admitted);
        kiosk.upload().await;
        // A tap whose reply was lost while the server was brought up to date.
        let taps = app.member("赵心急").await;
        let tap = app.book_with(&taps.token, "one tap", json!({ "offer": offer })).await;
        assert_eq!(tap.status, 201, "{}", tap.text);
        app.union(UNION).await;
        let hand_out = HandOut::new(&app).await;
        let point = hand_out.point(&app, "东点", 10, None).await;
        hand_out.deliver(&app, &point, 50).await;
        let batch = hand_out.batch(&app, (UNION, 30), &point, &comes).await;

        let old = as_it_was(&app, BEFORE).await;
        let today = app.twin_on(old).await;
        assert_eq!(must_name(&today).await, must_name(&app).await);
        assert_eq!(must_name(&app).await, [
            "booking.named_by", "booking.offer_id", "booking.person_id", "booking.union_id",
            "scan.kiosk_id", "scan.staff_id", "scan.ticket_id", "ticket.booking_id",
        ]);
        let modes = modes(&today).await;
        let of = |word: &str| modes.iter().find(|(mode, _)| mode == word).map(|(_, count)| *count);
        assert_eq!((of("given"), of("allocation")), (Some(2), Some(1)), "{modes:?}");
        assert_eq!(archive::verify(&today.app.db).await.expect("readable"), []);

        // Its pages say what was.
        for (path, token, says) in [
            (format!("/admin/disciplines/{discipline}"), &organizer, "选手2号"),
            (format!("/disciplines/{discipline}"), &comes.token, "乒乓球男子单打"),
            (format!("/admin/events/{event}"), &organizer, "东门"),
            (format!("/tickets/{ticket}"), &comes.token, "王小明"),
            (format!("/admin/events/{}/goods/batches", hand_out.event), &organizer, UNION),
            (format!("/admin/events/{shared}/offers/{divided}/allocation"), &organizer, UNION),
        ] {
            let shown = page(&today, &path, token).await;
            assert!(shown.contains(says), "{path} does not say {says}: {shown}");
        }
        let again = today.book_with(&taps.token, "one tap", json!({ "offer": offer })).await;
        assert_eq!((again.status, again.text), (tap.status, tap.text));
        // Its books go on: somebody enters the contest, books, collects for the union.
        today.enters(&later, &discipline, &[]).await.leads();
        assert_eq!(today.players_tickets(&contest).await.len(), 4);
        today.booked(&later, &offer).await;
        assert_eq!(hand_out.give(&today, &point, &batch).await, 303);
        assert_eq!(hand_out.figures(&today).await, [50, 30, 20, 0]);
        assert_eq!(archive::verify(&today.app.db).await.expect("readable"), []);
    }
}
