//! Backup, restore, moving to another engine, and proof that the books are right.
//!
//! A backup is one SQLite file, whichever engine it came from, and either engine can be restored from it. The keys are
//! not in it: they are kept apart from the database, on purpose.

mod copy;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

pub use copy::TABLES;
pub use verify::{Finding, verify};

use self::copy::Revisions;
use crate::{config::Storage, db::Db, fetch};

/// Write a backup to FILE, while the server runs.
#[derive(Args, Clone, Debug)]
pub struct Backup {
    /// The file to write; it must not exist.
    file: PathBuf,
    /// Where the data is.
    #[command(flatten)]
    storage: Storage,
}

/// Fill an empty database from the backup FILE.
#[derive(Args, Clone, Debug)]
pub struct Restore {
    /// The backup.
    file: PathBuf,
    /// Where the data goes; the database must be empty.
    #[command(flatten)]
    storage: Storage,
}

/// Copy everything to another, empty database.
#[derive(Args, Clone, Debug)]
pub struct CopyTo {
    /// `postgres://…` or `sqlite://FILE`.
    target: String,
    /// Where the data is.
    #[command(flatten)]
    storage: Storage,
}

/// Check the books: the file itself, places against bookings, tickets against scans, every kiosk's chain.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// Where the data is.
    #[command(flatten)]
    storage: Storage,
}

impl Backup {
    /// Writes the backup and checks it; gives the number of rows.
    ///
    /// # Errors
    /// When the file exists or cannot be written, or the database fails. A half-written file is removed.
    pub async fn run(&self) -> anyhow::Result<u64> {
        anyhow::ensure!(
            !self.file.exists(),
            "{} exists already; choose another name",
            self.file.display()
        );
        let source = self.storage.open_existing().await?;
        let written = write(&source, &self.file).await;
        source.close().await;
        if written.is_err() {
            remove(&self.file);
        }
        written.with_context(|| format!("no backup was made to {}", self.file.display()))
    }
}

impl Restore {
    /// Fills the database; gives the number of rows. Kiosks hear everything again: what happened since the backup, they know
    /// and this database does not.
    ///
    /// # Errors
    /// When the backup is damaged, the database is not empty, or it fails; then nothing was written.
    pub async fn run(&self) -> anyhow::Result<u64> {
        anyhow::ensure!(self.file.exists(), "there is no file {}", self.file.display());
        let backup =
            Db::open(&sqlite_url(&self.file)).await.context("this is not a backup of Turnout")?;
        verify::file(&backup).await.context("the backup is damaged")?;
        let target = self.storage.open().await?;
        copy_into_empty(&backup, &target, Revisions::Ahead).await
    }
}

impl CopyTo {
    /// Copies everything; gives the number of rows.
    ///
    /// # Errors
    /// When the target is not empty, or a database fails; then nothing was written.
    pub async fn run(&self) -> anyhow::Result<u64> {
        let source = self.storage.open_existing().await?;
        let target = Db::open(&self.target).await?;
        copy_into_empty(&source, &target, Revisions::Kept).await
    }
}

impl Verify {
    /// What is wrong with the books; nothing, it is hoped.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn run(&self) -> anyhow::Result<Vec<Finding>> {
        let db = self.storage.open_existing().await?;
        verify(&db).await
    }
}

async fn write(source: &Db, file: &Path) -> anyhow::Result<u64> {
    let target = Db::open(&sqlite_url(file)).await?;
    let rows = copy_into_empty(source, &target, Revisions::Kept).await?;
    verify::file(&target).await?;
    // One file, without a log beside it.
    target.fold_log().await?;
    target.close().await;
    Ok(rows)
}

async fn copy_into_empty(source: &Db, target: &Db, revisions: Revisions) -> anyhow::Result<u64> {
    let mut tx = target.read().await?;
    let (rows,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select (select count(*) from person) + (select count(*) from organisation) + (select count(*) from event)
              + (select count(*) from staff)",
    )?;
    drop(tx);
    anyhow::ensure!(rows == 0, "the target database is not empty; nothing was written");
    copy::everything(source, target, revisions).await
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

fn remove(file: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        // It may never have been made.
        drop(std::fs::remove_file(name));
    }
}
