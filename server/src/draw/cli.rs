//! `turnout-server draw verify FILE`: computes a published ballot again, without a server or a database.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Deserialize;

use super::record::Record;
use crate::contest::draw::record as contest;

/// Draws.
#[derive(Debug, Subcommand)]
pub enum DrawCommand {
    /// Compute a published draw again and say whether it is right.
    Verify {
        /// The file, as it was published.
        file: PathBuf,
    },
}

impl DrawCommand {
    /// Says what came out.
    ///
    /// # Errors
    /// When the file cannot be read, is no record, or another result comes out.
    pub fn run(&self) -> anyhow::Result<()> {
        let Self::Verify { file } = self;
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("读不了文件。 Cannot read {}", file.display()))?;
        let not_a_record = "文件不是抽签记录。 The file is not the record of a draw";
        let Kind { kind } = serde_json::from_str(&text).context(not_a_record)?;
        if kind == contest::KIND {
            return verify_contest(&serde_json::from_str(&text).context(not_a_record)?);
        }
        let record: Record = serde_json::from_str(&text).context(not_a_record)?;
        record.verify()?;
        println!(
            "抽签属实：{} 个报名，{} 个中签，种子与事先公布的承诺一致。 The draw is right: {} entries, {} drawn, and the seed is the one committed to.",
            record.entries.len(),
            record.won.len(),
            record.entries.len(),
            record.won.len(),
        );
        Ok(())
    }
}

/// What a record is of.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

fn verify_contest(record: &contest::Record) -> anyhow::Result<()> {
    record.verify()?;
    let entries = record.entries.len();
    println!(
        "抽签属实：「{}」{entries} 个参加，种子与事先公布的承诺一致。 The draw is right: {entries} entrants, and the seed is the one committed to.",
        record.title,
    );
    Ok(())
}
