//! What an import says of each row, and at the end.

use std::io::Write as _;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is entered.
    New,
    /// It was entered before.
    Unchanged,
    /// It is left out.
    Error,
}

/// What is said of a row.
#[derive(Clone, Debug)]
pub struct ReportLine {
    /// The sheet's name.
    pub sheet: String,
    /// The row's number as the spreadsheet shows it.
    pub row: u32,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The discipline and the masked names.
    pub label: String,
    /// The column's heading, a stable code, and the sentence, for an error.
    pub fault: Option<Fault>,
}

/// What is wrong with a row.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The column's heading as the file writes it.
    pub column: String,
    /// Stable.
    pub code: &'static str,
    /// What happened and what to do, in Chinese and English.
    pub said: String,
}

/// What a file did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// A line for each row.
    pub lines: Vec<ReportLine>,
    /// Disciplines that were made.
    pub disciplines: Vec<String>,
}

impl Report {
    /// How many rows had that verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }
}

/// Prints a line for each row, and the numbers.
pub(super) fn print(report: &Report, dry_run: bool) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in &report.lines {
        let word = match line.verdict {
            Verdict::New => "new",
            Verdict::Unchanged => "unchanged",
            Verdict::Error => "error",
        };
        write!(out, "{}\t{}\t{word}\t{}", line.sheet, line.row, line.label)?;
        if let Some(Fault { column, code, said }) = &line.fault {
            write!(out, "\t{column}\t{code}\t{said}")?;
        }
        writeln!(out)?;
    }
    for name in &report.disciplines {
        writeln!(out, "# 新项目 new discipline: {name}")?;
    }
    writeln!(
        out,
        "# 新增 new {} · 已有 unchanged {} · 有误 error {}",
        report.count(Verdict::New),
        report.count(Verdict::Unchanged),
        report.count(Verdict::Error)
    )?;
    if dry_run {
        writeln!(out, "# 试运行，没有写入任何内容。 Dry run: nothing was written.")?;
    }
    Ok(out.flush()?)
}
