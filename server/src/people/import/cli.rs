//! `turnout-server import organisations|members|fair|contest FILE`: says per row what happens, and does it unless it is a dry run.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use admission::Clock;
use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use zeroize::Zeroizing;

use super::batch::Batch;
use super::headings::Kind;
use super::rows::Rules;
use super::sheet::{Limits, SheetError};
use super::verdict::{Accepted, Report, ReportLine, Verdict};
use crate::config::{DEFAULT_BINS, Storage};
use crate::contest::import as contest;
use crate::db::Db;
use crate::fair::import::cli as fair;
use crate::keys::Keys;

/// Read organisations or members from a spreadsheet. Prints one line per row (place, verdict, whom, and for each fault
/// its column, code, masked value and meaning). Rows in error or conflict are left out, all others are imported in one
/// transaction; the exit code is 1 when a row was left out.
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// What the file lists.
    #[arg(value_enum)]
    what: What,
    /// An .xlsx or .csv file (UTF-8, UTF-16 or GB18030).
    file: PathBuf,
    /// The event's id, for what belongs to one: fair, contest.
    #[arg(long)]
    event: Option<String>,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Carry these conflicts out: transfer, same_person, name_differs, title_differs.
    #[arg(long, value_delimiter = ',', value_parser = ["transfer", "same_person", "name_differs", "title_differs"])]
    accept: Vec<String>,
    /// Where the data is.
    #[command(flatten)]
    storage: Storage,
    /// Issuer numbers (first six digits) of union cards, separated by commas.
    #[arg(long, env = "TURNOUT_CARD_BINS", value_delimiter = ',', default_values = DEFAULT_BINS)]
    card_bins: Vec<String>,
}

/// What a file can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Unions and enterprises.
    Organisations,
    /// Members.
    Members,
    /// A job fair's employers, posts and desks.
    Fair,
    /// The entries of a contest's disciplines.
    Contest,
}

/// Runs the command.
///
/// # Errors
/// When the file cannot be read or the database fails; then nothing was written.
pub async fn run(import: &Import, clock: &dyn Clock) -> anyhow::Result<ExitCode> {
    let limits = Limits::default();
    let size = std::fs::metadata(&import.file).with_context(|| file_error(import))?.len();
    if size > limits.bytes as u64 {
        return Err(SheetError::TooLarge(limits.bytes as u64 >> 20).into());
    }
    let bytes = Zeroizing::new(std::fs::read(&import.file).with_context(|| file_error(import))?);
    let kind = match import.what {
        What::Organisations => Kind::Organisations,
        What::Members => Kind::Members,
        What::Fair => {
            let event = import.event.as_deref().context(
                "请用 --event 写明活动编号（活动页地址里有）。 Name the event with --event: the address of its page has its id",
            )?;
            return fair::run(&bytes, event, &import.storage, import.dry_run, clock).await;
        }
        What::Contest => {
            let event = import.event.as_deref().context(
                "请用 --event 写明活动编号（活动页地址里有）。 Name the event with --event: the address of its page has its id",
            )?;
            return contest::run(&bytes, event, &import.storage, import.dry_run, clock).await;
        }
    };
    let db = import.storage.open().await?;
    let keys = Keys::of(&db, &import.storage.data.join("keys")).await?;
    let today = super::today(clock.now());
    let rules = Rules { card_key: &keys.card, bins: &import.card_bins, today, limits };
    let bar = ProgressBar::new_spinner().with_message("读取文件 reading");
    bar.enable_steady_tick(Duration::from_millis(100));
    let batch = Batch::read(kind, &bytes, &rules)?;
    drop(bytes);
    bar.finish_and_clear();

    let accepted = Accepted::of(&import.accept);
    let report = if import.dry_run {
        batch.preview(&db, &accepted).await?
    } else {
        carry_out(&batch, &db, &accepted, clock).await?
    };
    db.close().await;
    let mut out = BufWriter::new(io::stdout().lock());
    print(&mut out, &report, import.dry_run)?;
    out.flush()?;
    Ok(ExitCode::from(u8::from(report.left_out() > 0)))
}

async fn carry_out(
    batch: &Batch,
    db: &Db,
    accepted: &Accepted,
    clock: &dyn Clock,
) -> anyhow::Result<Report> {
    let bar = ProgressBar::new(batch.len() as u64).with_style(
        ProgressStyle::with_template("写入 writing {wide_bar} {pos}/{len}")
            .expect("a valid template"),
    );
    let mut tx = db.write().await?;
    let done = |rows: usize| bar.set_position(rows as u64);
    let report = batch.carry_out(&mut tx, accepted, clock.now(), done).await?;
    tx.commit().await?;
    bar.finish_and_clear();
    Ok(report)
}

fn file_error(import: &Import) -> String {
    let file = import.file.display();
    format!("打不开文件 {file}。 Cannot read the file {file}.")
}

fn print(out: &mut impl Write, report: &Report, dry_run: bool) -> io::Result<()> {
    for line in &report.lines {
        print_line(out, line)?;
    }
    for sheet in &report.ignored_sheets {
        writeln!(out, "# 没有表头的工作表，未读取 sheet without a header, not read: {sheet}")?;
    }
    for column in &report.ignored_columns {
        writeln!(out, "# 未使用的列 column not used: {column}")?;
    }
    for union in &report.new_unions {
        writeln!(out, "# 新工会 new union: {union}")?;
    }
    let counts = Verdict::ALL
        .map(|verdict| format!("{} {} {}", verdict.zh(), verdict.as_str(), report.count(verdict)));
    writeln!(out, "# {}", counts.join(" · "))?;
    match (dry_run, report.left_out()) {
        (true, _) => writeln!(out, "# 试运行，没有写入任何内容。 Dry run: nothing was written."),
        (false, 0) => writeln!(out, "# 全部导入。 All rows were imported."),
        (false, left_out) => writeln!(
            out,
            "# {left_out} 行未导入（见上），其余已导入。 {left_out} rows were left out (see above), the others imported."
        ),
    }
}

fn print_line(out: &mut impl Write, line: &ReportLine) -> io::Result<()> {
    let ReportLine { place, label, verdict, faults } = line;
    let head = format!("{}\t{}\t{}\t{label}", place.sheet, place.row, verdict.as_str());
    if faults.is_empty() {
        return writeln!(out, "{head}");
    }
    for fault in faults {
        let (code, column, shown) = (fault.code, &fault.column, &fault.shown);
        let code_text = code.as_str();
        writeln!(out, "{head}\t{column}\t{code_text}\t{shown}\t{} {}", code.zh(), code.en())?;
    }
    Ok(())
}
