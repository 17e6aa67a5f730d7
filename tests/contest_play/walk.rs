//! A walk: bibs, the signal, kiosks at checkpoints, phones, chips, certificates; and the results of an event.

use std::{io::Cursor, path::Path};

use admission::{Millis, Verdict};
use calamine::{Data, Reader, Xlsx};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use turnout_server::{execute, fetch};

use super::world::{Contest, Feed, as_umpire};
use crate::{
    end_to_end::await_copy,
    report::lines_of,
    support::{TestApp, on_both, programs::KioskProgram},
};

const SECOND: i64 = 1_000;

async fn form(app: &TestApp, token: &str, path: &str, fields: &[(&str, &str)]) -> u16 {
    let request = app
        .http
        .request(Method::POST, format!("{}{path}", app.url))
        .bearer_auth(token)
        .form(fields);
    request.send().await.expect("an answer").status().as_u16()
}

async fn page(app: &TestApp, path: &str, token: &str) -> String {
    let answer = app.get(path, token).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.text
}

/// A file as it came.
async fn file(app: &TestApp, path: &str, token: &str) -> Vec<u8> {
    let response = app
        .http
        .get(format!("{}{path}", app.url))
        .bearer_auth(token)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 200, "{path}");
    response.bytes().await.expect("a body").to_vec()
}

/// What the QR code on a certificate says, as printed and scanned.
async fn scanned(pdf: &[u8], folder: &Path) -> String {
    let (file, picture) = (folder.join("certificate.pdf"), folder.join("certificate"));
    std::fs::write(&file, pdf).expect("written");
    let mut draw = Command::new("pdftoppm");
    draw.args(["-r", "150", "-png", "-singlefile"]).arg(&file).arg(&picture);
    assert!(draw.status().await.expect("pdftoppm runs: apt-get install poppler-utils").success());
    let mut read = Command::new("zbarimg");
    read.args(["--quiet", "--raw"]).arg(picture.with_extension("png"));
    let output = read.output().await.expect("zbarimg runs");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

async fn bibs(app: &TestApp, discipline: &str) -> Vec<String> {
    let mut tx = app.app.db.read().await.expect("read");
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select coalesce(bib, '') from entry where discipline_id = $1 order by seed",
        discipline
    )
    .expect("entries");
    rows.into_iter().map(|(bib,)| bib).collect()
}

on_both! {
    async fn walkers_are_timed_by_kiosks_phones_and_chips(app) {
        let contest = Contest::new(&app, 0).await;
        let (first, second) = (app.member("王小明").await, app.member("李大海").await);
        let people = [first.id.clone(), second.id.clone()];
        let field = contest.field("健步走", "walk", 5, &people).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update discipline set sport = 'walk' where id = $1", &field.id).expect("a walk");
        tx.commit().await.expect("commit");
        let desk = format!("/admin/disciplines/{}/walk", field.id);
        let organizer = &contest.organizer;
        assert!(page(&app, &desk, organizer).await.contains("先写下路线"));
        let course = [("points", "起点\n1号点\n2号点\n终点"), ("prefix", "w"), ("limit", "60")];
        assert_eq!(form(&app, organizer, &format!("{desk}/course"), &[("points", "起点")]).await, 422);
        assert_eq!(form(&app, organizer, &format!("{desk}/course"), &course).await, 303);
        for _ in 0..2 {
            assert_eq!(form(&app, organizer, &format!("{desk}/bibs"), &[]).await, 303);
        }
        assert_eq!(bibs(&app, &field.id).await, ["W0001", "W0002", "W0003", "W0004", "W0005"]);

        // The signal stands; a second one changes nothing.
        let path = format!("/api/v1/disciplines/{}/gun", field.id);
        let gun = app.post(&path, organizer, json!({})).await.expect(200)["gun_ms"].as_i64().expect("a time");
        app.advance(10 * SECOND);
        assert_eq!(app.post(&path, organizer, json!({})).await.expect(200)["gun_ms"], gun);

        app.advance(3_600 * SECOND);
        // The first walks past kiosks, whose scans arrive late and out of order.
        let booked = app.booked(&first, contest.offer()).await;
        let ticket = booked["tickets"][0]["id"].as_str().expect("a ticket").to_owned();
        // The number stands on the ticket, for the kiosks to show and print.
        let kiosk = app.kiosk(&contest.event, "领物处").await;
        assert_eq!(form(&app, organizer, &format!("{desk}/bibs"), &[]).await, 303);
        let rows = kiosk.feed(0).await.tickets;
        assert!(rows.iter().any(|row| row.fact.id.to_string() == ticket && row.place.as_deref() == Some("W0001")), "{rows:?}");
        for (station, after) in [("终点", 1_810), ("起点", 10), ("2号点", 1_200), ("1号点", 600)] {
            app.seen_at(&contest.event, station, &ticket, gun + after * SECOND).await;
        }
        // The second is noted by volunteers: one is staff, one has a link.
        let secret = contest.umpire(None).await;
        let passages = format!("/disciplines/{}/passages", field.id);
        let noted = |bib: &str, point: i64, after: i64| json!({ "bib": bib, "point": point, "at_ms": gun + after * SECOND });
        for (point, after) in [(0, 5), (1, 700), (2, 1_300), (3, 2_005)] {
            for _ in 0..2 {
                let (status, answer) = as_umpire(&app, &secret, &passages, Some(noted("2", point, after))).await;
                assert_eq!(status, 200, "{answer}");
            }
        }
        let (status, unknown) = as_umpire(&app, &secret, &passages, Some(noted("99", 0, 5))).await;
        assert_eq!((status, unknown["code"].as_str()), (422, Some("bib")));
        assert_eq!(app.post(&format!("/api/v1{passages}"), "", noted("2", 0, 5)).await.refused(401), "signed_out");

        // Chips: the third misses a point, the fourth takes two in the wrong order, one bib is nobody's.
        let at = |after: i64| {
            let seconds = 9 * 3600 + after;
            format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        };
        let mut lines = "bib,point,timestamp\n".to_owned();
        for (bib, points) in [
            ("W0003", vec![(0, 1), (1, 600), (3, 1_900)]),
            ("W0004", vec![(0, 1), (2, 600), (1, 900), (3, 1_900)]),
            ("W0777", vec![(0, 1)]),
        ] {
            for (point, after) in points {
                lines += &format!("{bib},{point},{}\n", at(after));
            }
        }
        for _ in 0..2 {
            let body = format!(
                "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"chips.csv\"\r\n\r\n{lines}\r\n--cut--\r\n"
            );
            let request = app.http.post(format!("{}{desk}/chips", app.url)).bearer_auth(organizer);
            let request = request.header("content-type", "multipart/form-data; boundary=cut").body(body);
            let sent = request.send().await.expect("an answer");
            let location = sent.headers()["location"].to_str().expect("a path").to_owned();
            assert!(location.contains("taken=7") && location.contains("left=1") && location.contains("lines=9"), "{location}");
        }

        let shown = page(&app, &desk, organizer).await;
        for said in ["漏点：2号点", "顺序不对：2号点", "未出发", "0:30:00", "0:33:20", "0:30:10"] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        let results = page(&app, &format!("/events/{}/results", contest.event), "").await;
        let (one, other) = (results.find("0:30:00").expect("the first"), results.find("0:33:20").expect("the second"));
        assert!(one < other && !results.contains("健步走0"), "{results}");

        // A certificate for those who finished, and a page where anybody verifies it.
        let own = page(&app, &format!("/entries/{}", field.entries[0]), &first.token).await;
        let address = format!("/entries/{}/certificate.pdf", field.entries[0]);
        assert!(own.contains(&format!("href=\"{address}\"")), "the walker is led to it: {own}");
        let pdf = file(&app, &address, &first.token).await;
        let words = lines_of(&pdf, app.folder.path()).await.concat().concat();
        for said in ["完赛证书", "健步走0", "净时间0:30:00", "第1名", "王佐镇总工会"] {
            assert!(words.contains(said), "{said}: {words}");
        }
        assert!(pdf.starts_with(b"%PDF-") && pdf.ends_with(b"%%EOF\n") && pdf.len() < 100_000);
        let not_theirs = app.get(&format!("/entries/{}/certificate.pdf", field.entries[0]), &second.token).await;
        assert_eq!(not_theirs.status.as_u16(), 404);
        let flagged = app.get(&format!("/admin/entries/{}/certificate.pdf", field.entries[2]), organizer).await;
        assert_eq!(flagged.status.as_u16(), 404);
        let mut tx = app.app.db.read().await.expect("read");
        let (code,): (String,) = fetch!(tx, fetch_one, "select code from certificate").expect("one");
        drop(tx);
        assert_eq!(scanned(&pdf, app.folder.path()).await, format!("{}/certificates/{code}", app.app.public_url));
        let verified = page(&app, &format!("/certificates/{}", code.to_lowercase()), "").await;
        assert!(verified.contains("这张证书是真的") && verified.contains("0:30:00") && !verified.contains("健步走0"), "{verified}");
        assert!(page(&app, "/certificates/ABCDEFGH", "").await.contains("没有这张证书"));

        // A wrong bib is taken back, and what was certified with it stands no more.
        file(&app, &format!("/entries/{}/certificate.pdf", field.entries[1]), &second.token).await;
        let mut tx = app.app.db.read().await.expect("read");
        let (other,): (String,) =
            fetch!(tx, fetch_one, "select code from certificate where entry_id = $1", &field.entries[1]).expect("a code");
        drop(tx);
        assert!(page(&app, &format!("/certificates/{other}"), "").await.contains("这张证书是真的"));
        let undo = json!({ "bib": "2", "point": 3, "undo": true });
        app.post(&format!("/api/v1{passages}"), organizer, undo).await.expect(200);
        assert!(!page(&app, &desk, organizer).await.contains("0:33:20"));
        assert!(page(&app, &format!("/certificates/{other}"), "").await.contains("现在已经无效"));
        assert!(page(&app, &format!("/certificates/{code}"), "").await.contains("这张证书是真的"));
    }

    async fn a_checkpoint_kiosk_without_a_network_times_a_walker(app) {
        let contest = Contest::new(&app, 0).await;
        let walker = app.member("王小明").await;
        let field = contest.field("健步走", "walk", 1, std::slice::from_ref(&walker.id)).await;
        let mut tx = app.app.db.write().await.expect("write");
        execute!(tx, "update discipline set sport = 'walk' where id = $1", &field.id).expect("a walk");
        tx.commit().await.expect("commit");
        let (desk, organizer) = (format!("/admin/disciplines/{}/walk", field.id), &contest.organizer);
        let course = [("points", "起点\n千灵山路口\n终点"), ("prefix", "W"), ("limit", "")];
        assert_eq!(form(&app, organizer, &format!("{desk}/course"), &course).await, 303);
        assert_eq!(form(&app, organizer, &format!("{desk}/bibs"), &[]).await, 303);
        let booked = app.booked(&walker, contest.offer()).await;
        let ticket = |what: &str| booked["tickets"][0][what].as_str().expect("of a ticket").to_owned();
        // Real kiosks, as volunteers set them up the evening before; they copy the list, then there is no network.
        let mut kiosks = Vec::new();
        for point in ["起点", "千灵山路口", "终点"] {
            let new = json!({ "name": point, "event": contest.event, "station": "checkpoint", "station_name": point });
            let made = app.post("/api/v1/kiosks", organizer, new).await.expect(201);
            let folder = TempDir::new().expect("a folder");
            KioskProgram::enroll(&app.url, made["code"].as_str().expect("a code"), folder.path()).await;
            let kiosk = KioskProgram::run(folder.path()).await;
            await_copy(folder.path(), &ticket("id")).await;
            assert!(kiosk.stop().await.success());
            kiosks.push(folder);
        }
        app.post(&format!("/api/v1/disciplines/{}/gun", field.id), organizer, json!({})).await.expect(200);
        for folder in &kiosks {
            let mut kiosk = KioskProgram::run_with(folder.path(), &["--offline"]).await;
            let told = kiosk.scan(&ticket("code")).await;
            assert_eq!(told["verdict"], "admitted", "{told}");
            assert!(told["trust"].as_str().expect("trust").starts_with("local"), "{told}");
            assert!(kiosk.stop().await.success());
        }
        let before = page(&app, &desk, organizer).await;
        assert!(before.contains("未出发") && before.contains("id=\"passed-1\">0<"), "nothing came up yet: {before}");
        // The network is back at one after the other, the last first. Nobody needs to be seen at the start.
        for (folder, state) in kiosks.iter().rev().zip(["漏点：千灵山路口", "完赛", "id=\"passed-0\">1<"]) {
            let kiosk = KioskProgram::run(folder.path()).await;
            let shown = shows(&app, &desk, organizer, state).await;
            assert!(kiosk.stop().await.success());
            assert!(shown.contains("id=\"passed-2\">1<"), "{shown}");
        }
        let shown = page(&app, &desk, organizer).await;
        let row = shown.rsplit("<tr>").find(|row| row.contains(">完赛<")).expect("the walker's row");
        assert_eq!(row.matches("<td class=\"num\">0:").count(), 2, "net and gun time, hours first: {row}");
    }

    async fn places_bring_points_to_organisations_and_a_spreadsheet(app) {
        let contest = Contest::new(&app, 2).await;
        let field = contest.field("单打", "knock_out", 4, &[]).await;
        let mut tx = app.app.db.write().await.expect("write");
        for (at, union) in [("a", "=甲厂工会"), ("b", "乙厂工会")] {
            execute!(tx, "insert into organisation (id, kind, name, name_search, status, created_ms, updated_ms) values ($1, 'union', $2, $2, 'independent', 0, 0)", at, union).expect("union");
        }
        for (at, entry) in field.entries.iter().enumerate() {
            let union = if at % 2 == 0 { "a" } else { "b" };
            execute!(tx, "update entry set organisation_id = $2 where id = $1", entry, union).expect("theirs");
        }
        tx.commit().await.expect("commit");
        let rounds = contest.knock_out(&field, 4, |at| [0, 1].map(|side| Feed::Entry(field.entries[2 * at + side].clone()))).await;
        for id in rounds.iter().flatten() {
            contest.result(id, json!([[11, 5], [11, 6], [11, 7]])).await;
        }
        // 0 beats 1 and 2; 2 beats 3: the first two are of A, the third place is shared by two of B.
        let results = format!("/events/{}/results", contest.event);
        let shown = page(&app, &results, &contest.organizer).await;
        assert!(shown.contains("单打0") && shown.contains("3=") && shown.contains("<b>15</b>") && shown.contains("<b>12</b>"), "{shown}");
        assert!(!page(&app, &results, "").await.contains("单打0"), "names are masked in public");
        let points = format!("/admin/events/{}/results/points", contest.event);
        assert_eq!(form(&app, &contest.organizer, &points, &[("points", "acht")]).await, 422);
        assert_eq!(form(&app, &contest.organizer, &points, &[("points", "10 6 4")]).await, 303);
        assert!(page(&app, &results, "").await.contains("<b>16</b>"));
        let bytes = file(&app, &format!("/admin/events/{}/results.xlsx", contest.event), &contest.organizer).await;
        let mut book = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
        let sheet = book.worksheet_range("单位总分").expect("organisations");
        assert_eq!(sheet.get((1, 1)), Some(&Data::String("'=甲厂工会".to_owned())), "no formula");
        let matches = book.worksheet_range("比赛").expect("matches");
        assert_eq!(matches.height(), 4);
        assert_eq!(app.get(&format!("/admin/events/{}/results.xlsx", contest.event), &app.member("王小明").await.token).await.status.as_u16(), 403);
    }
}

/// The page once it shows that.
async fn shows(app: &TestApp, path: &str, token: &str, text: &str) -> String {
    let looking = async {
        loop {
            let shown = page(app, path, token).await;
            if shown.contains(text) {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    };
    let shown = tokio::time::timeout(std::time::Duration::from_secs(60), looking).await;
    shown.unwrap_or_else(|_| panic!("{path} does not show {text}"))
}

impl TestApp {
    /// A kiosk at a checkpoint saw a ticket at that time, and uploads it now.
    async fn seen_at(&self, event: &str, station: &str, ticket: &str, at: i64) {
        let mut kiosk = self.kiosk(event, station).await;
        kiosk.decide_at(ticket, Verdict::Admitted, Millis(at));
        kiosk.upload().await;
        let mut tx = self.app.db.write().await.expect("write");
        execute!(tx, "update scan set station_kind = 'checkpoint' where kiosk_id = $1", &kiosk.id)
            .expect("checkpoint");
        tx.commit().await.expect("commit");
    }
}
