//! A report as the import page shows it: numbers first, then the rows that need eyes, a page at a time.

use admission::say::Lang;

use super::{
    fault::Fault,
    organisations::place_text,
    verdict::{Accepted, Report, ReportLine, Verdict},
};

/// Rows on one page.
const ROWS: usize = 100;

/// Which rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    /// Rows with this verdict.
    Of(Verdict),
    /// Rows that go through with a remark.
    Remarks,
}

impl Tab {
    /// In the order of urgency.
    const ALL: [Self; 6] = [
        Self::Of(Verdict::Error),
        Self::Of(Verdict::Conflict),
        Self::Remarks,
        Self::Of(Verdict::Update),
        Self::Of(Verdict::New),
        Self::Of(Verdict::Unchanged),
    ];

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.word() == word)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Of(verdict) => verdict.as_str(),
            Self::Remarks => "remarks",
        }
    }

    const fn name(self, lang: Lang) -> &'static str {
        match self {
            Self::Of(verdict) => lang.pick(verdict.zh(), verdict.as_str()),
            Self::Remarks => lang.pick("有提示", "remarks"),
        }
    }

    fn has(self, line: &ReportLine) -> bool {
        match self {
            Self::Of(verdict) => line.verdict == verdict,
            Self::Remarks => !line.verdict.is_left_out() && !line.faults.is_empty(),
        }
    }
}

/// What the reader asked to see.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    pub(super) tab: Option<Tab>,
    /// From 1.
    pub(super) page: Option<usize>,
}

/// A report, ready for the template.
#[derive(Debug)]
pub(super) struct View {
    pub(super) new: usize,
    pub(super) update: usize,
    pub(super) unchanged: usize,
    pub(super) conflict: usize,
    pub(super) error: usize,
    pub(super) new_unions: Vec<String>,
    pub(super) ignored: Vec<String>,
    pub(super) tabs: Vec<ShownTab>,
    pub(super) shown: &'static str,
    pub(super) rows: Vec<ShownRow>,
    pub(super) page: usize,
    pub(super) pages: usize,
    pub(super) acceptable: Vec<Acceptable>,
}

/// One tab.
#[derive(Debug)]
pub(super) struct ShownTab {
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    pub(super) count: usize,
    pub(super) current: bool,
}

/// One row.
#[derive(Debug)]
pub(super) struct ShownRow {
    pub(super) place: String,
    pub(super) label: String,
    pub(super) badge: &'static str,
    pub(super) verdict: &'static str,
    pub(super) faults: Vec<ShownFault>,
}

/// What is to be said of a cell.
#[derive(Debug)]
pub(super) struct ShownFault {
    pub(super) column: String,
    pub(super) shown: String,
    pub(super) text: &'static str,
    pub(super) code: &'static str,
}

/// A kind of conflict that staff may have carried out.
#[derive(Debug)]
pub(super) struct Acceptable {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
    pub(super) count: usize,
}

impl View {
    pub(super) fn new(report: &Report, choice: Choice, lang: Lang) -> Self {
        let count = |tab: Tab| report.lines.iter().filter(|line| tab.has(line)).count();
        let first = || Tab::ALL.into_iter().find(|tab| count(*tab) > 0);
        let current = choice.tab.or_else(first).unwrap_or(Tab::Of(Verdict::Unchanged));
        let tabs = Tab::ALL
            .into_iter()
            .map(|tab| ShownTab {
                word: tab.word(),
                name: tab.name(lang),
                count: count(tab),
                current: tab == current,
            })
            .filter(|tab| tab.count > 0 || tab.current)
            .collect();
        let pages = count(current).div_ceil(ROWS).max(1);
        let page = choice.page.unwrap_or(1).clamp(1, pages);
        let rows = report
            .lines
            .iter()
            .filter(|line| current.has(line))
            .skip((page - 1) * ROWS)
            .take(ROWS)
            .map(|line| ShownRow::new(line, lang))
            .collect();
        let sheets = report.ignored_sheets.iter().map(|sheet| match lang {
            Lang::Zh => format!("工作表“{sheet}”没有表头"),
            Lang::En => format!("sheet “{sheet}” has no header"),
        });
        Self {
            new: report.count(Verdict::New),
            update: report.count(Verdict::Update),
            unchanged: report.count(Verdict::Unchanged),
            conflict: report.count(Verdict::Conflict),
            error: report.count(Verdict::Error),
            new_unions: report.new_unions.clone(),
            ignored: report.ignored_columns.iter().cloned().chain(sheets).collect(),
            tabs,
            shown: current.word(),
            rows,
            page,
            pages,
            acceptable: acceptable(report, lang),
        }
    }

    /// Rows that will be written.
    pub(super) const fn to_write(&self) -> usize {
        self.new + self.update
    }
}

impl ShownRow {
    fn new(line: &ReportLine, lang: Lang) -> Self {
        let badge = match line.verdict {
            Verdict::New => "ok",
            Verdict::Update | Verdict::Conflict => "info",
            Verdict::Unchanged => "mute",
            Verdict::Error => "warn",
        };
        Self {
            place: place_text(&line.place),
            label: line.label.clone(),
            badge,
            verdict: lang.pick(line.verdict.zh(), line.verdict.as_str()),
            faults: line.faults.iter().map(|fault| ShownFault::new(fault, lang)).collect(),
        }
    }
}

impl ShownFault {
    fn new(fault: &Fault, lang: Lang) -> Self {
        Self {
            column: fault.column.clone(),
            shown: fault.shown.clone(),
            text: lang.pick(fault.code.zh(), fault.code.en()),
            code: fault.code.as_str(),
        }
    }
}

/// The acceptable conflicts that the report has, with how many rows each.
fn acceptable(report: &Report, lang: Lang) -> Vec<Acceptable> {
    let conflicts = || report.lines.iter().filter(|line| line.verdict == Verdict::Conflict);
    Accepted::POSSIBLE
        .into_iter()
        .map(|code| Acceptable {
            code: code.as_str(),
            text: lang.pick(code.zh(), code.en()),
            count: conflicts()
                .filter(|line| line.faults.iter().any(|fault| fault.code == code))
                .count(),
        })
        .filter(|acceptable| acceptable.count > 0)
        .collect()
}
