//! The kiosk's plug is pulled again and again: every verdict that was shown is in the journal, and goes up once.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    Engine,
    people::bin,
    programs::{DemoServer, KioskProgram},
    random::Random,
};

/// Kills per run; `TURNOUT_KILLS` asks for more: `TURNOUT_KILLS=1000 cargo test --test turnout power_cut`.
const KILLS: usize = 8;
const SCANS_PER_LIFE: usize = 40;
/// The journal is read after so many lives: what was lost in one is missing, or another verdict, after the others too.
const READ_EVERY: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verdict_shown_survives_kill_nine() {
    let kills =
        std::env::var("TURNOUT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = server.folder.path().join("kiosk");
    let code = server.notes["kiosk_code"].as_str().expect("code");
    KioskProgram::enroll(&server.url, code, &folder).await;
    let tickets = book_all(&server).await;
    let mut random = Random::seeded();
    // Verdict and reason of each place of the journal, as they were shown.
    let mut shown: BTreeMap<u64, (Value, Value)> = BTreeMap::new();
    for life in 1..=kills {
        let mut kiosk = KioskProgram::run(&folder).await;
        let scans: Vec<&String> =
            (0..SCANS_PER_LIFE).map(|_| &tickets[random.index(tickets.len())]).collect();
        kiosk.write_all(&scans).await;
        for _ in 0..random.index(SCANS_PER_LIFE) {
            let verdict = kiosk.verdict().await;
            let id = verdict["scan"].as_str().and_then(|id| id.rsplit_once('-'));
            let seq = id.expect("a decided scan").1.parse().expect("a number");
            let said = (verdict["verdict"].clone(), verdict["reason"].clone());
            assert!(shown.insert(seq, said).is_none(), "scan {seq} was shown before");
        }
        kiosk.kill().await;
        if life <= KILLS || life % READ_EVERY == 0 || life == kills {
            let journal = export(&folder).await;
            for (seq, said) in &shown {
                let kept = usize::try_from(seq - 1).ok().and_then(|at| journal.get(at));
                let kept = kept.map(|scan| &scan["verdict"]);
                let kept =
                    kept.map(|verdict| (verdict["verdict"].clone(), verdict["reason"].clone()));
                assert_eq!(kept.as_ref(), Some(said), "scan {seq} was shown, life {life}");
            }
        }
    }
    verify(&folder).await;

    // One last life, with time to upload: server and journal agree.
    let journal = export(&folder).await;
    let green = journal.iter().filter(|scan| scan["verdict"]["verdict"] == "admitted").count();
    println!(
        "{kills} kills: {} shown, {} in the journal, {green} green",
        shown.len(),
        journal.len()
    );
    let kiosk = KioskProgram::run(&folder).await;
    server.await_admitted(green).await;
    until_uploaded(&kiosk.page).await;
    assert!(kiosk.stop().await.success());
    // The server has every entry: it acknowledges nothing but a journal without a gap whose chain is its own.
    assert_eq!(verify(&folder).await, [journal.len(), journal.len()]);
}

/// Waits until the kiosk's screen says that nothing waits to be uploaded.
async fn until_uploaded(page: &str) {
    let http = crate::support::programs::client();
    let mut live = http.get(format!("{page}/live")).send().await.expect("a screen");
    let mut told = String::new();
    while !told.contains("\"waiting\":0") {
        let chunk = live.chunk().await.expect("open").expect("more");
        told.push_str(&String::from_utf8_lossy(&chunk));
    }
}

/// Checks the journal; gives its entries, and how many of them the server has.
pub(crate) async fn verify(folder: &Path) -> Vec<usize> {
    let mut command = Command::new(bin("turnout-kiosk"));
    command.args(["journal", "verify", "--data"]).arg(folder);
    let said = command.output().await.expect("verify runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).expect("text");
    said.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Books the fair for every listed member; gives the ticket codes.
pub(crate) async fn book_all(server: &DemoServer) -> Vec<String> {
    let http = reqwest::Client::builder().no_proxy().build().expect("client");
    let mut codes = Vec::new();
    for member in server.notes["members"].as_array().expect("members") {
        let request = http
            .post(format!("{}/api/v1/bookings", server.url))
            .bearer_auth(member["token"].as_str().expect("token"))
            .header("idempotency-key", "one")
            .json(&json!({ "offer": server.notes["events"][0]["offers"][0]["id"] }));
        let booked: Value = request.send().await.expect("answer").json().await.expect("booking");
        codes.push(booked["tickets"][0]["code"].as_str().expect("code").to_owned());
    }
    codes
}

/// The scans of the journal, as `turnout-kiosk journal export` prints them.
async fn export(folder: &Path) -> Vec<Value> {
    let mut command = Command::new(bin("turnout-kiosk"));
    let printed = command
        .args(["journal", "export", "--data"])
        .arg(folder)
        .output()
        .await
        .expect("export runs");
    let text = String::from_utf8(printed.stdout).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .map(|line| {
            serde_json::from_str(line["entry"].as_str().expect("an entry")).expect("a scan")
        })
        .collect()
}
