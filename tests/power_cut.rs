//! The kiosk's plug is pulled again and again: every verdict that was shown is in the journal, and goes up once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    Engine,
    people::bin,
    programs::{DemoServer, KioskProgram},
};

/// Kills per run; `TURNOUT_KILLS` asks for more.
const KILLS: usize = 8;
const SCANS_PER_LIFE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verdict_shown_survives_kill_nine() {
    let kills =
        std::env::var("TURNOUT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = server.folder.path().join("kiosk");
    let code = server.notes["kiosk_code"].as_str().expect("code");
    KioskProgram::enroll(&server.url, code, &folder).await;
    let tickets = book_all(&server).await;
    let mut shown: BTreeSet<String> = BTreeSet::new();
    let mut admitted: BTreeSet<String> = BTreeSet::new();
    // A small generator of our own, so that a failing run can be repeated.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    println!("seed {random:#x}");
    for life in 0..kills {
        let mut kiosk = KioskProgram::run(&folder).await;
        let scans: Vec<&String> =
            (0..SCANS_PER_LIFE).map(|at| &tickets[(life * 7 + at) % tickets.len()]).collect();
        kiosk.write_all(&scans).await;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        for _ in 0..random % SCANS_PER_LIFE as u64 {
            let verdict = kiosk.verdict().await;
            let scan = verdict["scan"].as_str().expect("a decided scan").to_owned();
            if verdict["verdict"] == "admitted" {
                admitted.insert(scan.clone());
            }
            shown.insert(scan);
        }
        kiosk.kill().await;
        let journal = export(&folder).await;
        let kept: BTreeSet<String> = journal.iter().map(|scan| id(scan, &shown)).collect();
        let lost: Vec<&String> = shown.difference(&kept).collect();
        assert!(lost.is_empty(), "shown and lost: {lost:?}");
    }
    let verified = Command::new(bin("turnout-kiosk"))
        .args(["journal", "verify", "--data"])
        .arg(&folder)
        .status()
        .await;
    assert!(verified.expect("verify runs").success(), "the journal does not verify");

    // One last life, with time to upload: server and journal agree.
    let journal = export(&folder).await;
    let green = journal.iter().filter(|scan| scan["verdict"]["verdict"] == "admitted").count();
    assert!(green >= admitted.len());
    let kiosk = KioskProgram::run(&folder).await;
    server.await_admitted(green).await;
    assert!(kiosk.stop().await.success());
}

/// Books the fair for every listed member; gives the ticket codes.
async fn book_all(server: &DemoServer) -> Vec<String> {
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
async fn export(folder: &std::path::Path) -> Vec<Value> {
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

/// The scan's id, as verdicts name it.
fn id(scan: &Value, shown: &BTreeSet<String>) -> String {
    let kiosk = shown.first().and_then(|id| id.rsplit_once('-')).map_or("", |(kiosk, _)| kiosk);
    format!("{kiosk}-{}", scan["seq"])
}
