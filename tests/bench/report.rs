//! The table: on the screen as it grows, and in `docs/performance.md` at the end.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;

use crate::load::Seen;

const BEGIN: &str = "<!-- written by make bench -->";
const END: &str = "<!-- end -->";
const HEAD: &str =
    "| measured | value | p50 / p99 ms | ratio | target | reached |\n|---|--:|--:|--:|--:|---|";

/// What was measured, and what it should be. An empty text is an empty cell.
#[derive(Debug, Default)]
pub(crate) struct Row {
    what: String,
    value: String,
    latency: String,
    ratio: String,
    target: String,
    reached: &'static str,
}

impl Row {
    /// So many per second.
    pub(crate) fn rate(what: impl Into<String>, per_second: f64) -> Self {
        Self { what: what.into(), value: format!("{per_second:.0}/s"), ..Self::default() }
    }

    /// So long.
    pub(crate) fn latency(what: &str, p50_ms: f64, p99_ms: f64) -> Self {
        Self { what: what.to_owned(), latency: pair(p50_ms, p99_ms), ..Self::default() }
    }

    /// One number.
    pub(crate) fn size(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { what: what.into(), value: format!("{value:.1} {unit}"), ..Self::default() }
    }

    /// One number that should stay below another.
    pub(crate) fn at_most(what: &str, value: f64, unit: &str, at_most: f64) -> Self {
        Self {
            what: what.to_owned(),
            value: format!("{value:.1} {unit}"),
            target: format!("≤ {at_most} {unit}"),
            reached: yes_or_no(value <= at_most),
            ..Self::default()
        }
    }

    /// With what it should be, and whether it is.
    pub(crate) fn target(self, target: String, reached: bool) -> Self {
        Self { target, reached: yes_or_no(reached), ..self }
    }

    /// With the latency that wrk saw.
    pub(crate) fn seen(self, seen: &Seen) -> Self {
        Self { latency: pair(seen.p50_ms, seen.p99_ms), ..self }
    }

    /// As a share of something else, without a target.
    pub(crate) fn share(self, share: f64) -> Self {
        Self { ratio: format!("{share:.3}"), ..self }
    }

    /// As a share of something else that should be at least `target`.
    pub(crate) fn share_of_at_least(self, share: f64, target: f64) -> Self {
        Self {
            target: format!("≥ {target:.2}"),
            reached: yes_or_no(share >= target),
            ..self.share(share)
        }
    }

    /// So many times what it cost before, and how many times it may.
    pub(crate) fn times_at_most(self, times: f64, at_most: f64) -> Self {
        Self {
            target: format!("≤ {at_most:.2} ×"),
            reached: yes_or_no(times <= at_most),
            ..self.share(times)
        }
    }

    /// With what the design asks of a latency: its p99, and its ratio to something else.
    pub(crate) fn within(self, p99: (f64, f64), ratio: (f64, f64)) -> Self {
        Self {
            target: format!("p99 ≤ {} ms, ≤ {} ×", p99.1, ratio.1),
            reached: yes_or_no(p99.0 <= p99.1 && ratio.0 <= ratio.1),
            ..self.share(ratio.0)
        }
    }

    fn line(&self) -> String {
        let Self { what, value, latency, ratio, target, reached } = self;
        format!("| {what} | {value} | {latency} | {ratio} | {target} | {reached} |")
    }
}

/// The table as it grows.
pub(crate) struct Report {
    machine: String,
    table: String,
}

impl Report {
    /// An empty table; says what it runs on.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let machine = machine()?;
        println!("{machine}\n\n{HEAD}");
        Ok(Self { machine, table: HEAD.to_owned() })
    }

    pub(crate) fn add(&mut self, row: Row) {
        let line = row.line();
        println!("{line}");
        self.table.push('\n');
        self.table.push_str(&line);
    }

    /// Puts the table into the document, in place of the one before.
    pub(crate) fn write(&self, document: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(document)?;
        let (head, rest) = text.split_once(BEGIN).context("the document has no place for it")?;
        let (_, tail) = rest.split_once(END).context("the document has no place for it")?;
        let (machine, table) = (&self.machine, &self.table);
        fs::write(document, format!("{head}{BEGIN}\n{machine}\n\n{table}\n{END}{tail}"))?;
        Ok(())
    }
}

fn pair(p50_ms: f64, p99_ms: f64) -> String {
    format!("{p50_ms:.2} / {p99_ms:.2}")
}

const fn yes_or_no(reached: bool) -> &'static str {
    if reached { "yes" } else { "**no**" }
}

/// The machine, its load, the programs and the commit.
fn machine() -> anyhow::Result<String> {
    let (processors, memory) =
        (fs::read_to_string("/proc/cpuinfo")?, fs::read_to_string("/proc/meminfo")?);
    let field = |text: &str, name| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or("?".into(), |(_, value)| value.trim().to_owned())
    };
    let kib: u64 = field(&memory, "MemTotal").trim_end_matches(" kB").parse()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(format!(
        "{}, commit {}: {} × {}, {} GiB, Linux {}, {}. Load of the last minute before the run: {}.",
        said("date", &["-u", "+%F %H:%M UTC"])?,
        said("git", &["rev-parse", "--short", "HEAD"])?,
        processors.matches("processor\t").count(),
        field(&processors, "model name"),
        kib.div_ceil(1 << 20),
        said("uname", &["-r"])?,
        said("rustc", &["--version"])?,
        load.split(' ').next().unwrap_or("?"),
    ))
}

fn said(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().context(program.to_owned())?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
