//! `make bench`: measures the real programs, built for release, as ratios within one run.
//!
//! What a server does per second is compared with an axum route that takes and gives the same JSON and does nothing; a
//! kiosk's verdict with one bare durable insert. So the numbers mean something on a machine that is slow or shared.
//!
//! `make bench PARTS="decode server growth kiosk memory"` measures only some, with `sqlite` or `postgres` beside them on one
//! engine; the document is written when all were measured.

#[path = "../support/browser.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod browser;
mod decode;
mod growth;
mod kiosk;
mod load;
mod memory;
mod noop;
#[path = "../support/postgres.rs"]
mod postgres;
mod report;
#[path = "../support/scenes.rs"]
mod scenes;
mod server;
#[path = "../support/stopwatch.rs"]
mod stopwatch;
mod world;

/// What the browser needs of the tests' programs.
mod programs {
    /// A client that goes straight to the address.
    pub(crate) fn client() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().expect("client")
    }
}

use std::path::Path;

use server::Target;
use world::World;

const PARTS: [&str; 5] = ["decode", "server", "growth", "kiosk", "memory"];
/// Named beside the parts: only with that one.
const ENGINES: [&str; 2] = ["sqlite", "postgres"];
const MEMBERS: u32 = 20_000;
/// It syncs every commit to the disk, as PostgreSQL does unless told otherwise, and has the memory and the room that
/// docs/operating.md gives it.
const POSTGRES: &[&str] =
    &["fsync=on", "synchronous_commit=on", "shared_buffers=2GB", "max_wal_size=4GB"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().filter(|arg| PARTS.contains(&arg.as_str())).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|asked| asked == part);
    let engines: Vec<String> =
        std::env::args().filter(|arg| ENGINES.contains(&arg.as_str())).collect();
    let with = |engine: &str| engines.is_empty() || engines.iter().any(|asked| asked == engine);
    let folder = tempfile::Builder::new().prefix("turnout-bench").tempdir()?;
    let (one, two) = (folder.path().join("sqlite"), folder.path().join("postgres"));
    std::fs::create_dir(&one)?;
    std::fs::create_dir(&two)?;
    let mut report = report::Report::new()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    if wanted("decode") {
        decode::measure(root, &mut report)?;
    }
    let noop = noop::serve().await?;

    let sqlite = Target { engine: "SQLite", share: 0.20 };
    let world = World::start(&one, None, 1).await?;
    let members = world.members(MEMBERS).await?;
    if wanted("server") && with("sqlite") {
        server::measure(&world, &members, &noop, &sqlite, &one, &mut report).await?;
    }
    if wanted("kiosk") {
        kiosk::measure(&world, &one, &mut report).await?;
    }
    if wanted("growth") && with("sqlite") {
        growth::measure(&world, &members, &noop, sqlite.engine, &one, &mut report).await?;
    }
    drop(world);

    if (wanted("server") || wanted("growth")) && with("postgres") {
        let database = postgres::fresh_database(POSTGRES).await;
        let target = Target { engine: "PostgreSQL", share: 0.15 };
        let mut members = Vec::new();
        for servers in [1, 2, 3] {
            let world = World::start(&two, Some(database.clone()), servers).await?;
            if servers == 1 {
                members = world.members(MEMBERS).await?;
            }
            if wanted("server") {
                server::measure(&world, &members, &noop, &target, &two, &mut report).await?;
            }
        }
        if wanted("growth") {
            let world = World::start(&two, Some(database), 1).await?;
            growth::measure(&world, &members, &noop, target.engine, &two, &mut report).await?;
        }
    }

    if wanted("memory") {
        memory::measure(folder.path(), &mut report).await?;
    }
    if !asked.is_empty() || !engines.is_empty() {
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    report.write(&root.join("docs/performance.md"))
}
