//! The kiosk: its first sync of a large event, and how long a verdict takes without a network.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use admission::ticket::TicketId;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    browser::Browser,
    report::{Report, Row},
    stopwatch::{self, Stopwatch},
    world::{World, free_address, program, resident_mib},
};

const TICKETS: u32 = 100_000;
const SCANS: usize = 3_000;
const SYNC_AT_MOST_S: f64 = 5.0;
const VERDICT_AT_MOST_MS: f64 = 5.0;
const VERDICT_TO_INSERT: f64 = 2.0;
/// Scans that are watched on the screen: typed, and held before the camera for a second each.
const TYPED: usize = 100;
const FILMED: usize = 20;
const SCREEN_AT_MOST_MS: f64 = 100.0;

/// Measures a kiosk.
pub(crate) async fn measure(
    world: &World,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let event = world.event(&[1_000_000]).await?;
    let tickets = world.tickets(&event, TICKETS).await?;
    let data = folder.join("kiosk");
    let code = world.kiosk_code(&event).await?;
    let enrolled = Command::new(program("turnout-kiosk")?)
        .args(["enroll", "--server", &world.url, "--code", &code, "--data"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .await?;
    ensure!(enrolled.success(), "the kiosk is not enrolled");

    let begun = Instant::now();
    let mut kiosk = Kiosk::run(&data, &[])?;
    let seconds = await_copy(&data, begun).await?;
    report.add(Row::at_most("kiosk's first sync of 100,000 tickets", seconds, "s", SYNC_AT_MOST_S));
    kiosk.process.kill().await?;

    let store = data.join("kiosk.db");
    for (times, codes) in [(1, &tickets[..50_000]), (10, &tickets[50_000..])] {
        if times > 1 {
            multiply(&store, times).await?;
        }
        let all = TICKETS * times;
        let bytes = std::fs::metadata(&store)?.len() as f64 / f64::from(all);
        report.add(Row::size(format!("kiosk's store, of each of {all} tickets"), bytes, "bytes"));
        verdicts(&data, folder, codes, all, report).await?;
        if times == 1 {
            // Not those that were scanned.
            let codes: Vec<String> =
                codes.iter().skip(1).step_by(codes.len() / SCANS).map(|(_, c)| c.clone()).collect();
            on_screen(&data, folder, &codes, report).await?;
        }
    }
    Ok(())
}

/// How long it takes from a scan to its verdict on the screen, in a browser on this machine, without a network.
async fn on_screen(
    data: &Path,
    folder: &Path,
    codes: &[String],
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut kiosk = Kiosk::run(data, &["--offline"])?;
    let browser = Browser::laptop().await;
    let watch = Stopwatch::at(&browser, &kiosk.page).await;
    let (mut typed, mut blank) = (Vec::new(), Vec::new());
    for code in &codes[..TYPED] {
        typed.push(watch.typed(code).await);
        blank.push(watch.blank(code).await);
    }
    browser.close().await;
    let video = folder.join("tickets.y4m");
    stopwatch::film(&video, &codes[TYPED..TYPED + FILMED], (1280, 720));
    let browser = Browser::with_camera(&video).await;
    let filmed = Stopwatch::at(&browser, &kiosk.page).await.filmed(FILMED).await;
    browser.close().await;
    let blank = Percentiles::of_ms(&blank);
    let what = "an empty request painted, from the last key of a scan";
    report.add(Row::latency(what, blank.p50_ms, blank.p99_ms));
    for (what, times) in [
        ("kiosk's verdict painted, from the last key of a scan, 100000 tickets", typed),
        ("kiosk's verdict painted, from a 1280×720 frame of the camera", filmed),
    ] {
        let Percentiles { p50_ms, p99_ms } = Percentiles::of_ms(&times);
        report.add(
            Row::latency(what, p50_ms, p99_ms)
                .target(format!("p99 ≤ {SCREEN_AT_MOST_MS} ms"), p99_ms <= SCREEN_AT_MOST_MS),
        );
    }
    kiosk.process.kill().await?;
    Ok(())
}

/// How long a verdict takes without a network, with `all` tickets in the store.
async fn verdicts(
    data: &Path,
    folder: &Path,
    codes: &[(TicketId, String)],
    all: u32,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut kiosk = Kiosk::run(data, &["--offline"])?;
    let mut bare = Bare::open(&folder.join(format!("bare-{all}.db"))).await?;
    let (mut verdicts, mut inserts) = (Vec::new(), Vec::new());
    // In turn, so that both meet the same disturbances.
    for (_, code) in codes.iter().step_by(codes.len() / SCANS) {
        let verdict = kiosk.scan(code).await?;
        ensure!(verdict["verdict"] == "admitted", "{verdict}");
        verdicts.push(verdict["decide_us"].as_u64().context("decide_us")?);
        inserts.push(bare.insert(code).await?);
    }
    let (verdict, insert) = (Percentiles::of(verdicts), Percentiles::of(inserts));
    report.add(Row::latency(
        &format!("one bare durable SQLite insert, beside the kiosk with {all} tickets"),
        insert.p50_ms,
        insert.p99_ms,
    ));
    report.add(
        Row::latency(
            &format!("kiosk's verdict, offline, {all} tickets"),
            verdict.p50_ms,
            verdict.p99_ms,
        )
        .within(
            (verdict.p99_ms, VERDICT_AT_MOST_MS),
            (verdict.p50_ms / insert.p50_ms, VERDICT_TO_INSERT),
        ),
    );
    let memory = resident_mib(&kiosk.process)?;
    report.add(Row::size(format!("kiosk's memory, {all} tickets"), memory, "MiB"));
    kiosk.process.kill().await?;
    Ok(())
}

/// Makes so many times as many tickets of those in the kiosk's store, under ids that no server gives.
async fn multiply(store: &Path, times: u32) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(store);
    let mut store = SqliteConnection::connect_with(&options).await?;
    sqlx::query(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1 - 1)
         insert into ticket (id, person, settled, body)
         select 'x' || n.i || '-' || t.id, t.person || '-' || n.i, t.settled, t.body from n cross join ticket t",
    )
    .bind(times)
    .execute(&mut store)
    .await?;
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut store).await?;
    Ok(store.close().await?)
}

/// Waits until the kiosk's own store says that its copy is complete; seconds since `begun`.
async fn await_copy(data: &Path, begun: Instant) -> anyhow::Result<f64> {
    let options = SqliteConnectOptions::new().filename(data.join("kiosk.db")).read_only(true);
    loop {
        ensure!(begun.elapsed() < Duration::from_secs(60), "the first sync does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let Ok(mut store) = SqliteConnection::connect_with(&options).await else { continue };
        let complete = sqlx::query("select 1 from fact where name = 'complete_at'");
        if complete.fetch_optional(&mut store).await.is_ok_and(|row| row.is_some()) {
            let seconds = begun.elapsed().as_secs_f64();
            let (tickets,): (i64,) =
                sqlx::query_as("select count(*) from ticket").fetch_one(&mut store).await?;
            ensure!(tickets == i64::from(TICKETS), "only {tickets} tickets arrived");
            return Ok(seconds);
        }
    }
}

/// The program, scans on its standard input.
struct Kiosk {
    page: String,
    process: Child,
    scans: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
}

impl Kiosk {
    fn run(data: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut process = Command::new(program("turnout-kiosk")?)
            .args(["run", "--scanner", "stdin", "--listen", &address, "--data"])
            .arg(data)
            .args(more)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let scans = process.stdin.take().context("piped")?;
        let verdicts = BufReader::new(process.stdout.take().context("piped")?).lines();
        Ok(Self { page: format!("http://{address}"), process, scans, verdicts })
    }

    async fn scan(&mut self, code: &str) -> anyhow::Result<Value> {
        self.scans.write_all(format!("{code}\n").as_bytes()).await?;
        let line = self.verdicts.next_line().await?.context("the kiosk has ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// A SQLite file with nothing but a journal, as durable as the kiosk's.
struct Bare(SqliteConnection);

impl Bare {
    async fn open(file: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut bare = SqliteConnection::connect_with(&options).await?;
        sqlx::query("create table journal (seq integer primary key, body text not null)")
            .execute(&mut bare)
            .await?;
        Ok(Self(bare))
    }

    async fn insert(&mut self, body: &str) -> anyhow::Result<u64> {
        let begun = Instant::now();
        sqlx::query("insert into journal (body) values ($1)")
            .bind(body)
            .execute(&mut self.0)
            .await?;
        Ok(u64::try_from(begun.elapsed().as_micros())?)
    }
}

struct Percentiles {
    p50_ms: f64,
    p99_ms: f64,
}

impl Percentiles {
    fn of_ms(times: &[f64]) -> Self {
        Self::of(times.iter().map(|ms| (ms * 1e3) as u64).collect())
    }

    fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let at = |percent: usize| micros[micros.len() * percent / 100] as f64 / 1e3;
        Self { p50_ms: at(50), p99_ms: at(99) }
    }
}
