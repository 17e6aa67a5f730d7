//! `turnout-kiosk journal`: checks the journal, or writes it out.

use std::{io::Write, path::Path};

use anyhow::Context;

use crate::{identity::Folder, store::Store};

/// Checks the journal in `data`: nothing changed, left out or added. Returns how many entries it has and how
/// many of them the server has.
///
/// # Errors
/// When it is damaged or not readable.
pub async fn verify(data: &Path) -> anyhow::Result<(u64, u64)> {
    let (kiosk, store) = open(data).await?;
    let head = store.verify(&kiosk).await?;
    let acknowledged = store.memory().await?.acknowledged;
    store.close().await;
    Ok((head.seq, acknowledged))
}

/// Writes every entry in `data`, one JSON object a line: `{"seq","chain","entry"}`, with `entry` as it was
/// recorded. A damaged journal is written as far as it can be read.
///
/// # Errors
/// When it cannot be read or written.
pub async fn export(data: &Path, mut output: impl Write) -> anyhow::Result<u64> {
    let (kiosk, store) = open(data).await?;
    let mut seq = 0;
    loop {
        let (mut chain, entries) = store.entries_after(&kiosk, seq, 1_000).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            seq += 1;
            chain = chain.after(seq, &entry);
            let line = serde_json::json!({ "seq": seq, "chain": chain, "entry": entry });
            writeln!(output, "{line}")?;
        }
    }
    output.flush()?;
    store.close().await;
    Ok(seq)
}

async fn open(data: &Path) -> anyhow::Result<(String, Store)> {
    let folder = Folder::new(data);
    let enrolment = folder
        .enrolment()
        .context("cannot read kiosk.json")?
        .with_context(|| format!("{} holds no kiosk (此目录没有登记过)", data.display()))?;
    Ok((enrolment.kiosk, Store::open(&folder.store()).await?))
}
