//! The evening before: `turnout-kiosk check`, as whoever sets a kiosk up meets it.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};

use crate::support::{
    Engine,
    people::bin,
    programs::{DemoServer, KioskProgram, PATIENCE, client},
};

/// What the command says of the kiosk in `folder`, whose program serves its page at `page`, and whether it calls it ready.
async fn check(folder: &Path, page: &str) -> (bool, String) {
    let mut command = Command::new(bin("turnout-kiosk"));
    command.arg("check").arg("--data").arg(folder);
    command.args(["--listen", page.trim_start_matches("http://")]).env("RUST_LOG", "warn");
    let said = command.output().await.expect("check runs");
    let text = [said.stdout, said.stderr].concat();
    (said.status.success(), String::from_utf8(text).expect("text"))
}

/// Asks until the answer says all of `parts`: what is plugged in is noticed a moment later.
async fn says(folder: &Path, page: &str, parts: &[&str]) -> bool {
    let asking = async {
        loop {
            let (ready, said) = check(folder, page).await;
            if parts.iter().all(|part| said.contains(part)) {
                return ready;
            }
            println!("{said}");
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("it says {parts:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kiosk_says_what_is_to_be_seen_to_until_nothing_is() {
    let server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let nowhere = "http://127.0.0.1:1";
    let (ready, said) = check(folder.path(), nowhere).await;
    assert!(!ready && said.contains("turnout-kiosk enroll"), "{said}");
    let code = server.notes["kiosk_code"].as_str().expect("a code");
    KioskProgram::enroll(&server.url, code, folder.path()).await;
    let new = ["服务器有回答", "✗ 还没有取到票据", "✗ 没有操作密码", "· 检票程序没有运行"];
    assert!(!says(folder.path(), nowhere, &new).await);

    // It has its tickets and a PIN; a scanner answers, and the printer does not.
    let scanner = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let plug = format!("tcp:{}", scanner.local_addr().expect("bound"));
    let run = ["--pin", "246810", "--scanner", plug.as_str()];
    let with_printer = [&run[..], &["--printer", "tcp:127.0.0.1:1"]].concat();
    let kiosk = KioskProgram::run_with(folder.path(), &with_printer).await;
    let call = scanner.accept().await.expect("a call");
    let well = [
        "✓ 服务器有回答",
        "✓ 票据更新于",
        "✓ 时钟相差 0.",
        "✓ 验票密钥 ",
        "」",
        " 张票，",
        "✓ 操作密码已设置",
        "✓ 磁盘剩余",
        &format!("✓ 扫描器 {plug} 正常"),
    ];
    let with_fault = [&well[..], &["✗ ", "127.0.0.1:1", "1 to see to"]].concat();
    assert!(!says(folder.path(), &kiosk.page, &with_fault).await);
    assert!(kiosk.stop().await.success());
    drop(call);

    // Without the printer nothing is left to see to; and a server that is away is no fault.
    let kiosk = KioskProgram::run_with(folder.path(), &run).await;
    let call = scanner.accept().await.expect("a call");
    assert!(says(folder.path(), &kiosk.page, &[&well[..], &["准备好了 Ready"]].concat()).await);
    let event = server.notes["events"][0]["id"].as_str().expect("an event");
    let id = std::fs::read(folder.path().join("kiosk.json")).expect("an enrolment");
    let id: Value = serde_json::from_slice(&id).expect("JSON");
    let id = id["kiosk"].as_str().expect("an id");

    // The scanner is unplugged.
    drop((call, scanner));
    assert!(!says(folder.path(), &kiosk.page, &["✗ 扫描器", &plug]).await);

    // And at last the organizer takes it out of service.
    let revocation = format!("{}/admin/events/{event}/kiosks/{id}/revocation", server.url);
    let token = server.notes["organizer"]["token"].as_str().expect("a token");
    let revoked = client().post(revocation).bearer_auth(token).form(&[("lost", "yes")]).send();
    assert!(revoked.await.expect("an answer").status().as_u16() < 400);
    assert!(!says(folder.path(), &kiosk.page, &["✗ 本机已被主办方停用"]).await);
    assert!(kiosk.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kiosk_without_its_server_is_ready_all_the_same() {
    let mut server = DemoServer::start(Engine::Sqlite).await;
    let folder = TempDir::new().expect("temporary folder");
    let code = server.notes["kiosk_code"].as_str().expect("a code").to_owned();
    KioskProgram::enroll(&server.url, &code, folder.path()).await;
    let scanner = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let plug = format!("tcp:{}", scanner.local_addr().expect("bound"));
    let kiosk =
        KioskProgram::run_with(folder.path(), &["--pin", "246810", "--scanner", &plug]).await;
    let call = scanner.accept().await.expect("a call");
    assert!(says(folder.path(), &kiosk.page, &["准备好了 Ready"]).await);
    server.kill().await;
    let alone = ["· 连不上服务器，可以离线检票", "准备好了 Ready"];
    assert!(says(folder.path(), &kiosk.page, &alone).await);
    assert!(kiosk.stop().await.success());
    drop(call);
}
