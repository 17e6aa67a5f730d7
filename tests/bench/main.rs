//! `make bench`: measures the real programs, built for release, as ratios within one run.
//!
//! What a server does per second is compared with an axum route that takes and gives the same JSON and does nothing; a
//! kiosk's verdict with one bare durable insert. So the numbers mean something on a machine that is slow or shared.

mod kiosk;
mod load;
mod memory;
mod noop;
#[path = "../support/postgres.rs"]
mod postgres;
mod report;
mod server;
mod world;

use std::path::Path;

use server::Target;
use world::World;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("turnout-bench").tempdir()?;
    let (one, two) = (folder.path().join("sqlite"), folder.path().join("postgres"));
    std::fs::create_dir(&one)?;
    std::fs::create_dir(&two)?;
    let mut report = report::Report::new()?;
    let noop = noop::serve().await?;

    let world = World::start(&one, None).await?;
    let target = Target { engine: "SQLite", share: 0.20 };
    server::measure(&world, &noop, &target, &one, &mut report).await?;
    kiosk::measure(&world, &one, &mut report).await?;
    drop(world);

    // A cluster that syncs every commit to the disk, as PostgreSQL does unless told otherwise.
    let database = postgres::fresh_database(&["fsync=on", "synchronous_commit=on"]).await;
    let world = World::start(&two, Some(database)).await?;
    let target = Target { engine: "PostgreSQL", share: 0.15 };
    server::measure(&world, &noop, &target, &two, &mut report).await?;
    drop(world);

    memory::measure(folder.path(), &mut report).await?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    report.write(&root.join("docs/performance.md"))
}
