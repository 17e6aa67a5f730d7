//! `turnout-server import fair FILE --event ID`: says what it did and what is wrong, each with sheet and cell.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use admission::Clock;
use anyhow::bail;

use super::{Remark, Report, read};
use crate::{config::Storage, error::Error, people::import::sheet::Limits};

/// Imports the file's bytes into an event; a dry run writes nothing.
///
/// # Errors
/// When the file is of no use, there is no such event, or the database fails; then nothing was written.
pub(crate) async fn run(
    bytes: &[u8],
    event: &str,
    storage: &Storage,
    dry_run: bool,
    clock: &dyn Clock,
) -> anyhow::Result<ExitCode> {
    let lists = read(bytes, &Limits::default())?;
    let db = storage.open_existing().await?;
    let mut tx = db.write().await?;
    let report = match lists.write(&mut tx, event, clock.now()).await {
        Err(Error::NotFound) => bail!(
            "没有活动 {event}。活动页地址里有它的编号。 There is no event {event}: the address of its page has its id"
        ),
        report => report?,
    };
    match dry_run {
        true => tx.rollback().await?,
        false => tx.commit().await?,
    }
    db.close().await;
    let mut out = BufWriter::new(io::stdout().lock());
    print(&mut out, &report, dry_run)?;
    out.flush()?;
    Ok(ExitCode::from(u8::from(report.left_out > 0)))
}

fn print(out: &mut impl Write, report: &Report, dry_run: bool) -> io::Result<()> {
    for Remark { cell, label, fault, stops } in &report.remarks {
        let (code, column, shown) = (fault.code, &fault.column, &fault.shown);
        let word = if *stops { "error" } else { "warning" };
        let code_text = code.as_str();
        writeln!(
            out,
            "{cell}\t{word}\t{label}\t{column}\t{code_text}\t{shown}\t{} {}",
            code.zh(),
            code.en()
        )?;
    }
    for sheet in &report.ignored_sheets {
        writeln!(out, "# 不是名单的工作表，未读取 sheet not read: {sheet}")?;
    }
    for column in &report.ignored_columns {
        writeln!(out, "# 未使用的列 column not used: {column}")?;
    }
    for (zh, en, counts) in report.counts() {
        writeln!(
            out,
            "# {zh} {en}: 新增 new {} · 更新 updated {} · 不变 unchanged {}",
            counts.new, counts.updated, counts.unchanged
        )?;
    }
    match (dry_run, report.left_out) {
        (true, _) => writeln!(out, "# 试运行，没有写入任何内容。 Dry run: nothing was written."),
        (false, 0) => writeln!(out, "# 全部导入。 All rows were imported."),
        (false, left_out) => writeln!(
            out,
            "# {left_out} 行未导入（见上），其余已导入。 {left_out} rows were left out (see above), the others imported."
        ),
    }
}
