//! A whole kiosk in this process: its server is a fake one, its store, page and desk are real.

use std::{
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
};

use admission::{
    decide::Reason,
    scan::Scan,
    sync::sign_keys,
    time::{DAY, HOUR, MINUTE},
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use tower::ServiceExt;

use super::*;
use crate::{
    desk::NewPin,
    devices::reading,
    door::Trigger,
    enroll,
    fake_server::{CARD, FakeServer, KIOSK, Mood, NOW, code, fact, forger, public, ticket},
    shown::Shown,
    status::{Phase, Status},
};

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Millis {
        NOW
    }
}

/// The kiosk's page, without a device.
fn screen(running: &Running) -> axum::Router {
    let clock: Arc<dyn Clock> = Arc::new(StandingClock);
    let devices = Devices::new(clock.clone());
    page::router(running.kiosk.clone(), running.desk.clone(), clock, devices)
}

fn options(data: &Path) -> Options {
    Options {
        data: data.to_owned(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        scanners: Vec::new(),
        printer: None,
        offline: false,
        pin: None,
        boot: None,
        supervisor: None,
        mesh: net::Options { listen: net::Listen::Off, peers: Vec::new() },
    }
}

async fn begin(options: Options) -> Running {
    let running = start(options, Arc::new(StandingClock)).await.expect("a kiosk");
    running.kiosk.started().await;
    running
}

/// An enrolled kiosk at work that has synced once.
async fn synced(server: &FakeServer, data: &Path) -> Running {
    enroll::enroll(&server.url(), "GOOD", data, None).await.expect("enrolled");
    let running = begin(options(data)).await;
    until(&running, |status| status.online && status.cards).await;
    running
}

#[tokio::test]
async fn a_kiosk_of_which_a_part_has_died_says_so() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let mut running = synced(&server, temp.path()).await;
    running.tasks.push(tokio::spawn(async {}));
    let waits = tokio::time::timeout(std::time::Duration::from_millis(1), running.broken());
    assert!(waits.await.is_err(), "who is done is not missed");
    running.tasks.push(tokio::spawn(async { panic!("as a fault of the program would") }));
    running.broken().await;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    running.stop().await;
}

async fn until(running: &Running, is: impl FnMut(&Status) -> bool) {
    running.kiosk.status.when(is).await.expect("a doorkeeper");
}

async fn scan(running: &Running, text: &str) -> Shown {
    let text = Zeroizing::new(text.to_owned());
    running.kiosk.scan(text, Trigger::Machine).await.expect("something is shown")
}

/// Ends a kiosk as a power cut would: no task is asked, nothing is closed.
fn cut(running: Running) {
    for task in &running.tasks {
        task.abort();
    }
    std::mem::forget(running.store.clone());
}

fn bytes_of(data: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(data).expect("a folder") {
        bytes.extend(std::fs::read(file.expect("a file").path()).expect("readable"));
    }
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_code_and_a_card_are_admitted_once_and_uploaded_once() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    let first = scan(&running, CARD).await;
    assert_eq!((first.verdict_word(), first.trust.word()), ("admitted", "live"));
    assert_eq!(first.scan.as_deref(), Some(format!("{KIOSK}-1").as_str()));
    assert_eq!(scan(&running, &code(1)).await.reason_word(), Some("already_used"));
    assert_eq!(scan(&running, &code(2)).await.verdict_word(), "admitted");
    until(&running, |status| status.waiting == 0).await;
    let scans = server.scans();
    let reasons: Vec<_> = scans.iter().map(|scan| scan.verdict.reason()).collect();
    assert_eq!(reasons, [None, Some(Reason::AlreadyUsed), None]);
    running.stop().await;
    assert_eq!(crate::journal::verify(temp.path()).await.expect("whole"), (3, 3));
    assert!(!holds(&bytes_of(temp.path()), "6210300000000007"), "no card number on the disk");
}

#[tokio::test]
async fn what_was_shown_survives_a_power_cut_and_an_outage() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    server.state().mood = Mood::Down;
    assert_eq!(scan(&running, &code(1)).await.trust.word(), "local");
    assert_eq!(scan(&running, &code(2)).await.verdict_word(), "admitted");
    cut(running);
    let running = begin(options(temp.path())).await;
    assert_eq!(scan(&running, &code(1)).await.reason_word(), Some("already_used"));
    assert!(server.scans().is_empty());
    server.state().mood = Mood::Well;
    until(&running, |status| status.online && status.waiting == 0).await;
    assert_eq!(server.scans().len(), 3);
    running.stop().await;
}

/// A clock that is set by hand.
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn without_a_battery_for_its_clock_a_kiosk_goes_on_after_a_power_cut() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    server.state().mood = Mood::Down;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    cut(running);
    let clock = Arc::new(HandClock(AtomicI64::new(20_000)));
    let offline = Options { offline: true, ..options(temp.path()) };
    let running = start(offline, clock.clone()).await.expect("a kiosk");
    running.kiosk.started().await;
    until(&running, |status| status.trouble == Some(Trouble::ClockOff)).await;
    assert_eq!(scan(&running, &code(2)).await.verdict_word(), "admitted");
    assert_eq!(scan(&running, &code(1)).await.reason_word(), Some("already_used"));
    // Somebody sets it, and more than well.
    for set in [NOW.plus(30 * DAY), NOW.plus(-3 * HOUR)] {
        clock.0.store(set.0, Ordering::Relaxed);
        assert_ne!(scan(&running, &code(3)).await.reason_word(), Some("too_late"));
        assert!(running.store.size().await.expect("readable").0 > 0, "the copy is still there");
    }
    assert_eq!(scan(&running, &code(4)).await.verdict_word(), "admitted");
    running.stop().await;
    let store = Store::open(&Folder::new(temp.path()).store()).await.expect("a store");
    let (_, entries) = store.entries_after(KIOSK, 0, 10).await.expect("readable");
    for entry in entries {
        let at = entry.scan().expect("a scan").true_at();
        assert!(at.since(NOW).abs() < MINUTE, "{at}");
    }
}

#[tokio::test]
async fn a_clock_that_nobody_has_confirmed_since_the_power_came_back_is_told_and_put_right() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    enroll::enroll(&server.url(), "GOOD", temp.path(), None).await.expect("enrolled");
    let on = |boot: &str| Options { boot: Some(boot.to_owned()), ..options(temp.path()) };
    let running = begin(on("one")).await;
    until(&running, |status| status.online && status.cards && !status.clock_unsure).await;
    server.state().mood = Mood::Down;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    while !running.store.alive().await.expect("readable").is_some_and(|alive| alive.sure) {
        tokio::task::yield_now().await;
    }
    cut(running);
    // Started again without a power cut, it knows how its clock goes on.
    let running = begin(on("one")).await;
    assert!(!running.kiosk.status.now().clock_unsure);
    cut(running);
    // Forty minutes later, by its clock one.
    server.state().now = NOW.plus(40 * MINUTE);
    let clock: Arc<dyn Clock> = Arc::new(HandClock(AtomicI64::new(NOW.plus(MINUTE).0)));
    // The power goes again soon, and later the program begins anew without that.
    for (boot, id) in [("two", 4), ("three", 5)] {
        let running = start(on(boot), clock.clone()).await.expect("a kiosk");
        running.kiosk.started().await;
        assert!(running.kiosk.status.now().clock_unsure);
        assert_eq!(scan(&running, &code(id)).await.verdict_word(), "admitted");
        cut(running);
    }
    let running = start(on("three"), clock.clone()).await.expect("a kiosk");
    running.kiosk.started().await;
    assert!(running.kiosk.status.now().clock_unsure);
    let opens = NOW.plus(35 * MINUTE);
    let opens_later = admission::ticket::TicketFact { valid_from: opens, ..fact(7) };
    let early = scan(&running, &opens_later.sign(&crate::fake_server::issuer())).await;
    assert_eq!(early.verdict_word(), "admitted", "by its clock it opens in half an hour");
    server.state().mood = Mood::Well;
    until(&running, |status| !status.clock_unsure && status.waiting == 0).await;
    let corrected = server.state().corrected.clone();
    let scans = server.scans();
    let skew_of = |at: usize| {
        admission::sync::Corrected::of(&corrected, scans[at].seq, scans[at].skew).expect("told")
    };
    let was = |at: usize| Scan { skew: Some(skew_of(at)), ..scans[at].clone() }.true_at();
    for at in [2, 3] {
        assert!(was(at).since(NOW.plus(40 * MINUTE)).abs() < 5 * MINUTE, "{at}: {}", was(at));
        assert!(skew_of(at).error_ms < MINUTE, "{at}");
        assert!(scans[at].true_at().since(NOW) < 5 * MINUTE, "as it was written");
    }
    // How long it was off before that, nobody knows.
    assert!(was(1).since(NOW) < 5 * MINUTE, "{}", was(1));
    assert!(running.store.doubts().await.expect("readable").is_empty(), "none is left");
    running.stop().await;
}

#[tokio::test]
async fn nobody_but_the_server_has_a_kiosk_wipe_itself() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    server.state().mood = Mood::Forged;
    until(&running, |status| status.trouble == Some(Trouble::Refused)).await;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted", "the queue goes on");
    assert!(running.store.size().await.expect("readable").0 > 0);
    cut(running);
    let running = begin(options(temp.path())).await;
    until(&running, |status| status.trouble == Some(Trouble::Refused)).await;
    assert_eq!(scan(&running, &code(2)).await.verdict_word(), "admitted", "also after a restart");
    // Whoever says first that the server has another key, and then signs with that one.
    let theirs = vec![public(&forger())];
    server.state().post.keys_signed = sign_keys(&forger(), &theirs);
    server.state().post.keys = theirs.clone();
    server.state().mood = Mood::Well;
    until(&running, |status| status.online && status.waiting == 0).await;
    while running.store.memory().await.expect("readable").post.expect("a post").keys != theirs {
        tokio::task::yield_now().await;
    }
    server.state().mood = Mood::SignedByAnother;
    until(&running, |status| status.trouble == Some(Trouble::Refused)).await;
    assert!(running.store.size().await.expect("readable").0 > 0, "nothing was wiped");
    // The server itself is believed.
    server.state().mood = Mood::Revoked;
    until(&running, |status| status.phase == Phase::Locked).await;
    running.stop().await;
}

#[tokio::test]
async fn people_are_told_by_true_time_how_long_to_wait() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let early =
        admission::ticket::TicketFact { valid_from: NOW.plus(40 * MINUTE + MINUTE / 2), ..fact(1) };
    server.state().tickets[0].fact = early;
    enroll::enroll(&server.url(), "GOOD", temp.path(), None).await.expect("enrolled");
    let clock: Arc<dyn Clock> = Arc::new(HandClock(AtomicI64::new(NOW.plus(-3 * HOUR).0)));
    let running = start(options(temp.path()), clock.clone()).await.expect("a kiosk");
    until(&running, |status| status.online && status.trouble.is_some()).await;
    let devices = Devices::new(clock.clone());
    let page = page::router(running.kiosk.clone(), running.desk.clone(), clock, devices);
    server.state().mood = Mood::Down;
    let request = Request::post("/scan").header("host", "127.0.0.1:8081");
    let request = request.body(Body::from(early.sign(&crate::fake_server::issuer())));
    let response = page.oneshot(request.expect("a request")).await.expect("an answer");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let told = String::from_utf8_lossy(&body);
    assert!(told.contains("还有 41 分钟"), "{told}");
    running.stop().await;
}

#[tokio::test]
async fn a_long_journal_gets_through_where_little_gets_through_at_once() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    server.state().mood = Mood::Down;
    for at in 0..120 {
        assert_eq!(scan(&running, &format!("nothing {at}")).await.reason_word(), Some("unknown"));
    }
    assert!(server.scans().is_empty());
    server.state().mood = Mood::Narrow;
    until(&running, |status| status.waiting == 0).await;
    assert_eq!(server.scans().len(), 120);
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_is_silent_is_asked_once() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    server.state().mood = Mood::Slow;
    assert_eq!(scan(&running, &code(1)).await.trust.word(), "local");
    assert_eq!(server.state().checks, 1);
    running.stop().await;
}

#[tokio::test]
async fn an_admission_that_the_organizer_undid_may_be_repeated_here() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    until(&running, |status| status.waiting == 0).await;
    {
        let mut state = server.state();
        let newest = state.tickets.iter().map(|row| row.revision).max().unwrap_or(0);
        *state.tickets.iter_mut().find(|row| row.fact.id.0[0] == 1).expect("there") =
            ticket(1, newest + 1);
    }
    // Each scan wakes the sync, so this ends as soon as the change has come down.
    while !scan(&running, &code(1)).await.verdict_word().starts_with("admitted") {}
    running.stop().await;
}

/// Waits until the kiosk has removed that file.
async fn is_gone(file: PathBuf) {
    let gone = async {
        while file.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, gone).await.expect("it is removed");
}

/// Waits until the kiosk has given up its key.
async fn key_is_gone(data: &Path) {
    is_gone(data.join("kiosk.key")).await;
}

/// A disk on which no ticket can be wiped, until that is dropped.
async fn full_disk(data: &Path) -> sqlx::SqlitePool {
    let disk = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("kiosk.db"));
    let disk = sqlx::SqlitePool::connect_with(disk).await.expect("the store");
    let full =
        "create trigger no_room before delete on ticket begin select raise(abort, 'full'); end";
    sqlx::query(full).execute(&disk).await.expect("a disk that takes no change");
    disk
}

async fn room_again(disk: sqlx::SqlitePool) {
    sqlx::query("drop trigger no_room").execute(&disk).await.expect("there is room again");
    disk.close().await;
}

#[tokio::test]
async fn a_lease_that_ends_on_a_full_disk_wipes_when_there_is_room() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    running.stop().await;
    let disk = full_disk(temp.path()).await;
    let clock = Arc::new(HandClock(AtomicI64::new(NOW.plus(2 * DAY).0)));
    let offline = Options { offline: true, ..options(temp.path()) };
    let running = start(offline, clock).await.expect("a kiosk");
    until(&running, |status| status.phase == Phase::OutOfOrder).await;
    room_again(disk).await;
    until(&running, |status| status.phase == Phase::Ready).await;
    let wiped = async {
        while running.store.size().await.expect("readable") != (0, 0) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, wiped).await.expect("it is wiped");
    running.stop().await;
    assert!(!holds(&bytes_of(temp.path()), "欧**明"), "no name is left");
}

#[tokio::test]
async fn a_wipe_that_the_disk_refused_is_done_before_the_key_goes() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    let disk = full_disk(temp.path()).await;
    server.state().mood = Mood::Lost;
    until(&running, |status| matches!(status.phase, Phase::OutOfOrder | Phase::Locked)).await;
    assert_ne!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    room_again(disk).await;
    key_is_gone(temp.path()).await;
    running.stop().await;
    assert!(!holds(&bytes_of(temp.path()), "欧**明"), "no name is left");
    let running = begin(options(temp.path())).await;
    assert_eq!(running.kiosk.status.now().phase, Phase::Locked);
    running.stop().await;
}

#[tokio::test]
async fn a_revoked_kiosk_tells_what_it_did_also_after_a_power_cut() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    running.desk.open("246810").await.expect("set");
    server.state().mood = Mood::Down;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    // It hears that it is revoked, wipes itself, and its plug is pulled before it has told.
    running.store.wipe(crate::store::Wipe::Revoked).await.expect("wiped");
    cut(running);
    let again = enroll::enroll(&server.url(), "GOOD", temp.path(), None).await;
    let told = again.expect_err("it has yet to tell").to_string();
    assert!(told.contains("1 ") && told.contains("network"), "{told}");
    let running = begin(options(temp.path())).await;
    assert_eq!(running.kiosk.status.now().phase, Phase::Locked);
    assert_eq!(scan(&running, &code(2)).await.reason_word(), Some("locked"));
    // What it had yet to wipe goes now.
    is_gone(temp.path().join("card-key.sealed")).await;
    server.state().mood = Mood::Revoked;
    until(&running, |status| status.waiting == 0).await;
    assert_eq!(server.scans().len(), 1);
    key_is_gone(temp.path()).await;
    running.stop().await;
    assert_eq!(crate::journal::verify(temp.path()).await.expect("whole"), (1, 1));
}

#[tokio::test]
async fn a_revoked_kiosk_is_wiped_and_stays_locked() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let pin = || Some(Zeroizing::new("246810".to_owned()));
    enroll::enroll(&server.url(), "GOOD", temp.path(), None).await.expect("enrolled");
    let running = begin(Options { pin: pin(), ..options(temp.path()) }).await;
    until(&running, |status| status.online && status.cards).await;
    assert!(holds(&bytes_of(temp.path()), "欧**明"));
    server.state().mood = Mood::Down;
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted");
    // It was lost: nothing of what it has to tell is taken.
    server.state().mood = Mood::Lost;
    until(&running, |status| status.phase == Phase::Locked).await;
    assert_eq!(scan(&running, &code(2)).await.reason_word(), Some("locked"));
    key_is_gone(temp.path()).await;
    running.stop().await;
    assert!(!holds(&bytes_of(temp.path()), "欧**明"), "no name is left");
    assert!(!temp.path().join("card-key.sealed").exists());
    let running = begin(options(temp.path())).await;
    assert_eq!(running.kiosk.status.now().phase, Phase::Locked);
    running.stop().await;
    assert_eq!(crate::journal::verify(temp.path()).await.expect("whole"), (1, 0), "unsent, kept");
    // Enrolled anew, it begins a new journal beside the old one.
    server.state().mood = Mood::Well;
    enroll::enroll(&server.url(), "GOOD", temp.path(), None).await.expect("enrolled");
    assert!(temp.path().join(format!("kiosk-{KIOSK}.db")).exists());
}

#[tokio::test]
async fn with_the_pin_cards_work_offline_after_a_restart() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let with_pin = |pin: &str, offline| Options {
        pin: Some(Zeroizing::new(pin.to_owned())),
        offline,
        ..options(temp.path())
    };
    enroll::enroll(&server.url(), "GOOD", temp.path(), None).await.expect("enrolled");
    let running = begin(with_pin("246810", false)).await;
    until(&running, |status| status.online && status.cards).await;
    running.stop().await;
    let wrong = begin(with_pin("000000", true)).await;
    assert_eq!(scan(&wrong, CARD).await.verdict_word(), "attention", "cards stay locked");
    wrong.stop().await;
    let running = begin(with_pin("246810", true)).await;
    assert_eq!(scan(&running, CARD).await.verdict_word(), "admitted");
    running.stop().await;
    let running = begin(Options { offline: true, ..options(temp.path()) }).await;
    assert_eq!(scan(&running, CARD).await.verdict_word(), "attention");
    running.stop().await;
}

#[tokio::test]
async fn a_journal_that_the_server_knows_otherwise_is_told_to_staff() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    server.state().chain = admission::scan::Chain::start("another");
    scan(&running, &code(1)).await;
    until(&running, |status| status.trouble == Some(Trouble::Forked)).await;
    assert_eq!(scan(&running, &code(2)).await.verdict_word(), "admitted", "the queue goes on");
    running.stop().await;
}

#[tokio::test]
async fn a_restored_disk_takes_nothing_for_uploaded_that_was_never_sent() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    scan(&running, &code(1)).await;
    until(&running, |status| status.waiting == 0).await;
    {
        // The disk from before this copy was made had gone on, and the server has all of that.
        let mut state = server.state();
        for seq in 2..=4 {
            let entry = state.entries[0].clone();
            state.chain = state.chain.after(seq, &entry);
            state.entries.push(entry);
        }
    }
    until(&running, |status| status.trouble == Some(Trouble::Forked)).await;
    for id in 2..=4 {
        assert_eq!(scan(&running, &code(id)).await.verdict_word(), "admitted");
    }
    until(&running, |status| status.waiting == 3).await;
    running.stop().await;
    assert_eq!(crate::journal::verify(temp.path()).await.expect("whole"), (4, 1));
}

#[tokio::test]
async fn each_wrong_start_says_what_to_do() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let error = async |options| match start(options, Arc::new(StandingClock)).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    };
    assert!(error(options(temp.path())).await.contains("turnout-kiosk enroll"));
    let refused = enroll::enroll(&server.url(), "BAD", temp.path(), None).await;
    assert!(refused.is_err_and(|error| format!("{error:#}").contains("kiosk add")));
    enroll::enroll(&server.url(), "GOOD", temp.path(), None).await.expect("enrolled");
    let again = enroll::enroll(&server.url(), "GOOD", temp.path(), None).await;
    assert!(again.is_err_and(|error| error.to_string().contains("--data")));
    let offline = Options { offline: true, ..options(temp.path()) };
    assert!(error(offline).await.contains("without --offline"));
    let taken = Options { listen: server.address, ..options(temp.path()) };
    assert!(error(taken).await.contains("--listen"));
    let open = "0.0.0.0:8081".parse().expect("an address");
    assert!(error(Options { listen: open, ..options(temp.path()) }).await.contains("loopback"));
}

#[tokio::test]
async fn a_pin_that_was_changed_at_the_kiosk_since_keeps_no_door_shut() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    running.desk.open("246810").await.expect("set");
    running.desk.change("246810", NewPin::Desk("975311")).await.expect("changed");
    running.stop().await;
    let pin = || Some(Zeroizing::new("246810".to_owned()));
    // However often it begins with the old one.
    for id in 1..=5 {
        let offline = Options { offline: true, pin: pin(), ..options(temp.path()) };
        let running = begin(offline).await;
        assert_eq!(scan(&running, &code(id)).await.verdict_word(), "admitted");
        assert_eq!(running.desk.wanted_after(), None, "the list stays shut");
        running.stop().await;
    }
    let weak = Options { pin: Some(Zeroizing::new("12345".to_owned())), ..options(temp.path()) };
    assert!(start(weak, Arc::new(StandingClock)).await.is_err(), "that could be no PIN");
}

#[tokio::test]
async fn frames_of_the_camera_scan_a_code_once() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    let page = screen(&running);
    let send = async |size: (u32, u32), origin: &str, frame: Vec<u8>| {
        let request = Request::post(format!("/frame?width={}&height={}", size.0, size.1))
            .header("host", "127.0.0.1:8081")
            .header("origin", origin)
            .body(Body::from(frame));
        let response = page.clone().oneshot(request.expect("a request")).await.expect("one");
        let (status, body) = (response.status(), response.into_body());
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let own = "http://127.0.0.1:8081";
    let picture = qrcode::QrCode::new(code(1)).expect("short enough");
    let picture = picture.render::<image::Luma<u8>>().module_dimensions(5, 5).build();
    let (size, frame) = (picture.dimensions(), picture.into_raw());
    let (status, told) = send(size, own, frame.clone()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(told.contains(r#""look":"admitted""#), "{told}");
    let (_, told) = send(size, own, frame.clone()).await;
    assert_eq!(told, r#"{"near":true,"read":true,"shown":null}"#, "it is still held there");
    let (_, told) = send((64, 64), own, vec![200; 64 * 64]).await;
    assert_eq!(told, r#"{"near":false,"read":false,"shown":null}"#);
    // What is no frame, or comes from another page.
    assert_eq!(send((64, 65), own, vec![200; 64 * 64]).await.0, StatusCode::BAD_REQUEST);
    let large = send((1280, 721), own, vec![0; 1280 * 721]).await.0;
    assert_eq!(large, StatusCode::PAYLOAD_TOO_LARGE);
    let foreign = send(size, "http://evil.example", frame).await.0;
    assert_eq!(foreign, StatusCode::FORBIDDEN);
    running.stop().await;
    assert_eq!(crate::journal::verify(temp.path()).await.expect("whole").0, 1);
}

#[tokio::test]
async fn the_page_scans_shows_and_guards() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    let page = screen(&running);
    let ask = async |method: &str, path: &str, origin: Option<&str>, body: String| {
        let mut request =
            Request::builder().method(method).uri(path).header("host", "127.0.0.1:8081");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = page.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        (parts, String::from_utf8_lossy(&body).into_owned())
    };
    let own = Some("http://127.0.0.1:8081");
    let (parts, body) = ask("POST", "/scan", own, code(1)).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert!(body.contains(r#""look":"admitted""#) && body.contains("请进"), "{body}");
    let (parts, _) = ask("POST", "/scan", Some("http://evil.example"), code(2)).await;
    assert_eq!(parts.status, StatusCode::FORBIDDEN);
    assert_eq!(ask("POST", "/scan", own, " \n".into()).await.0.status, StatusCode::NO_CONTENT);
    let long = ask("POST", "/scan", own, "x".repeat(5_000)).await.0.status;
    assert_eq!(long, StatusCode::PAYLOAD_TOO_LARGE);
    let (parts, body) = ask("GET", "/", None, String::new()).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert!(!body.contains("<style") && !body.contains("style=") && !body.contains(" on"));
    let policy = parts.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    for name in ["kiosk.css", "kiosk.js"] {
        assert_eq!(ask("GET", &format!("/assets/{name}"), None, String::new()).await.0.status, 200);
    }
    assert_eq!(ask("GET", "/assets/..%2fmod.rs", None, String::new()).await.0.status, 404);
    assert_eq!(ask("GET", "/healthz", None, String::new()).await.0.status, StatusCode::OK);
    running.stop().await;
}

#[tokio::test]
async fn a_swipe_of_three_tracks_is_one_reading_however_the_reader_ends_them() {
    let track_1 = "%B6210300000000007^WANG/XIAOMING^30122200000?";
    let track_3 = "996210300000000007=1561560000000000000?";
    for texts in [
        vec![format!("{track_1}{CARD}+{track_3}")],
        vec![format!("{track_1}{CARD};{track_3}")],
        vec![format!("{track_1}{CARD};E?")],
        vec![track_1.to_owned(), CARD.to_owned(), format!("+{track_3}")],
        vec![track_1.to_owned(), CARD.to_owned(), "+E?".to_owned()],
    ] {
        let server = FakeServer::start().await;
        let temp = tempfile::tempdir().expect("a folder");
        let running = synced(&server, temp.path()).await;
        let mut last = None;
        for text in &texts {
            let text = Zeroizing::new(text.clone());
            last = reading::take(&running.kiosk, &text, Trigger::Hand).await;
        }
        let last = last.expect("something is shown");
        assert_eq!(last.verdict_word(), "admitted", "{texts:?}");
        running.stop().await;
        let (entries, _) = crate::journal::verify(temp.path()).await.expect("whole");
        assert_eq!(entries, 1, "{texts:?}");
    }
}

/// A browser at the desk: sends JSON, keeps the cookie.
struct Staff {
    page: axum::Router,
    cookie: String,
}

impl Staff {
    async fn send(&mut self, path: &str, body: serde_json::Value) -> (u16, serde_json::Value) {
        let request = Request::builder()
            .method(if body.is_null() { "GET" } else { "POST" })
            .uri(path)
            .header("host", "127.0.0.1:8081")
            .header("content-type", "application/json")
            .header("cookie", &self.cookie);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.page.clone().oneshot(request).await.expect("an answer");
        let status = response.status().as_u16();
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null))
    }
}

#[tokio::test]
async fn staff_find_people_let_them_in_and_take_it_back_behind_the_pin() {
    use serde_json::json;
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    let page = || screen(&running);
    let mut staff = Staff { page: page(), cookie: String::new() };
    let mut stranger = Staff { page: staff.page.clone(), cookie: "desk=guessed".to_owned() };
    let ticket = fact(1).id;
    for (path, body) in [
        ("/desk/search", json!({ "text": "王" })),
        ("/desk/admission", json!({ "ticket": ticket })),
        ("/desk/override", json!({ "ticket": ticket, "why": "x" })),
        ("/desk/undo", json!({ "ticket": ticket, "why": "x" })),
        ("/desk/drill", json!({ "what": "forged" })),
        ("/desk/reprint", json!({})),
        ("/desk/readiness", serde_json::Value::Null),
    ] {
        assert_eq!(stranger.send(path, body).await.0, 401, "{path}");
    }
    // Whoever comes by first does not set the PIN: that is for who enrolled the kiosk.
    let opening = json!({ "pin": "246810", "operator": "小李" });
    assert_eq!(staff.send("/desk/opening", opening.clone()).await.0, 401);
    assert!(!running.desk.has_pin() && running.desk.wants_code());
    let opening = json!({ "pin": "246810", "operator": "小李", "code": "good" });
    assert_eq!(staff.send("/desk/opening", opening).await.0, 204);
    assert!(running.desk.has_pin() && !running.desk.wants_code());
    // Names come with the next round.
    while running.desk.known() < 5 {
        tokio::task::yield_now().await;
    }
    let (status, found) = staff.send("/desk/search", json!({ "text": "oyxm" })).await;
    assert_eq!((status, &found["found"]), (200, &json!(5)));
    let first = &found["rows"][0];
    assert_eq!((&first["name"], &first["verdict"]), (&json!("欧阳小明"), &json!("admitted")));
    let tap = json!({ "ticket": ticket, "why": "扫错了人" });
    let (_, shown) = staff.send("/desk/admission", tap.clone()).await;
    assert_eq!((&shown["look"], &shown["holder"]), (&json!("admitted"), &json!("欧**明")));
    let (_, shown) = staff.send("/desk/admission", tap.clone()).await;
    assert_eq!(shown["look"], "refused", "the rule decides for staff too");
    let (_, shown) = staff.send("/desk/override", tap.clone()).await;
    assert_eq!(shown["look"], "admitted");
    let no_reason = json!({ "ticket": ticket, "why": " " });
    assert_eq!(staff.send("/desk/undo", no_reason).await.0, 422);
    assert_eq!(staff.send("/desk/undo", tap.clone()).await.0, 200);
    assert_eq!(staff.send("/desk/undo", tap.clone()).await.0, 200, "the first one too");
    assert_eq!(staff.send("/desk/undo", tap.clone()).await.0, 409);
    assert_eq!(scan(&running, &code(1)).await.verdict_word(), "admitted", "again");
    until(&running, |status| status.waiting == 0).await;
    let deeds: Vec<_> = server.scans().into_iter().map(|scan| scan.deed).collect();
    let acts: Vec<_> = deeds.iter().map(|deed| deed.act.word()).collect();
    assert_eq!(acts, ["hand", "hand", "override", "undo", "undo", "scan"]);
    assert!(deeds[..5].iter().all(|deed| deed.operator.as_deref() == Some("小李")));
    assert_eq!((deeds[3].about, deeds[4].about), (Some(3), Some(1)));

    // A drill leaves no trace, and the kiosk says how ready it is.
    let before = running.store.head(KIOSK).await.expect("readable");
    let told =
        (server.scans().len(), server.checks(), running.store.size().await.expect("readable"));
    for reason in Reason::ALL {
        let (status, shown) = staff.send("/desk/drill", json!({ "what": reason.word() })).await;
        assert_eq!((status, &shown["practice"]), (200, &json!(true)), "{reason:?}");
    }
    assert_eq!(running.store.head(KIOSK).await.expect("readable"), before);
    let now =
        (server.scans().len(), server.checks(), running.store.size().await.expect("readable"));
    assert_eq!(now, told, "the server heard nothing, and nothing is kept");
    assert_eq!(scan(&running, &code(2)).await.verdict_word(), "admitted", "no place was taken");
    let (_, ready) = staff.send("/desk/readiness", serde_json::Value::Null).await;
    assert!(ready["findings"].as_array().is_some_and(|findings| findings.len() > 8), "{ready}");

    assert_eq!(staff.send("/desk/closing", json!({})).await.0, 204);
    assert_eq!(staff.send("/desk/search", json!({ "text": "王" })).await.0, 401);
    running.stop().await;
    let bytes = bytes_of(temp.path());
    for secret in ["欧阳小明", "千灵山", "尾号4321", "246810"] {
        assert!(!holds(&bytes, secret), "{secret} is on the disk");
    }
}

#[tokio::test]
async fn a_desk_that_nobody_uses_shuts_though_its_page_asks_how_it_is() {
    use serde_json::{Value, json};
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    let clock = Arc::new(HandClock(NOW.0.into()));
    let minutes = |n: i64| {
        clock.0.fetch_add(n * admission::time::MINUTE, std::sync::atomic::Ordering::SeqCst);
    };
    let devices = Devices::new(clock.clone());
    let page = page::router(running.kiosk.clone(), running.desk.clone(), clock.clone(), devices);
    let mut staff = Staff { page, cookie: String::new() };
    let opening = json!({ "pin": "246810", "code": "good" });
    assert_eq!(staff.send("/desk/opening", opening).await.0, 204);
    let search = || json!({ "text": "王" });
    minutes(9);
    assert_eq!(staff.send("/desk/search", search()).await.0, 200);
    minutes(9);
    assert_eq!(staff.send("/desk/state", Value::Null).await.1["open"], true);
    minutes(1);
    assert_eq!(staff.send("/desk/state", Value::Null).await.1["open"], false);
    assert_eq!(staff.send("/desk/search", search()).await.0, 401);
    // Nor is there a desk on a kiosk that was revoked meanwhile.
    assert_eq!(staff.send("/desk/opening", json!({ "pin": "246810" })).await.0, 204);
    assert_eq!(staff.send("/desk/search", search()).await.0, 200);
    server.state().mood = Mood::Revoked;
    until(&running, |status| status.phase == Phase::Locked).await;
    assert_eq!(staff.send("/desk/state", Value::Null).await.1["open"], false);
    assert_eq!(staff.send("/desk/search", search()).await.0, 401);
    running.stop().await;
}

#[tokio::test]
async fn the_list_and_the_cards_are_back_after_a_restart_once_the_pin_is_given() {
    let (server, temp) = (FakeServer::start().await, tempfile::tempdir().expect("a folder"));
    let running = synced(&server, temp.path()).await;
    running.desk.open("246810").await.expect("set");
    scan(&running, &code(5)).await;
    while running.desk.known() < 5 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
    let running = begin(Options { offline: true, ..options(temp.path()) }).await;
    assert_eq!((running.desk.known(), scan(&running, CARD).await.verdict_word()), (0, "attention"));
    let page = screen(&running);
    let mut staff = Staff { page, cookie: String::new() };
    let wrong = serde_json::json!({ "pin": "000000" });
    assert_eq!(staff.send("/desk/opening", wrong).await.0, 401);
    assert_eq!(staff.send("/desk/opening", serde_json::json!({ "pin": "246810" })).await.0, 204);
    assert_eq!((running.desk.known(), running.desk.find("欧阳", 9).1), (5, 5));
    running.stop().await;
}
