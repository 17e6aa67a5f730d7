//! What an import would do with each row, and the report of it.

use super::fault::{Code, Fault};
use super::listing::Place;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Somebody (or an organisation) not known yet.
    New,
    /// Known, and something changes.
    Update,
    /// Known, and nothing changes.
    Unchanged,
    /// A person must decide; the row is left out until then.
    Conflict,
    /// The row is wrong and is left out.
    Error,
}

impl Verdict {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::New, Self::Update, Self::Unchanged, Self::Conflict, Self::Error];

    /// The stable word, also in English.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Conflict => "conflict",
            Self::Error => "error",
        }
    }

    /// The word in Chinese.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::New => "新增",
            Self::Update => "更新",
            Self::Unchanged => "不变",
            Self::Conflict => "待确认",
            Self::Error => "错误",
        }
    }

    /// Whether the row is left out of the import.
    #[must_use]
    pub const fn is_left_out(self) -> bool {
        matches!(self, Self::Conflict | Self::Error)
    }
}

/// Conflicts that staff have looked at and want carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted(Vec<Code>);

impl Accepted {
    /// The conflicts that a person may accept for a whole file. Others must be put right in the file.
    pub const POSSIBLE: [Code; 4] =
        [Code::Transfer, Code::SamePerson, Code::NameDiffers, Code::TitleDiffers];

    /// Accepts the conflicts of these codes; codes that cannot be accepted are ignored.
    #[must_use]
    pub fn of<T: AsRef<str>>(codes: impl IntoIterator<Item = T>) -> Self {
        let code = |text: T| {
            Self::POSSIBLE.into_iter().find(|possible| possible.as_str() == text.as_ref())
        };
        Self(codes.into_iter().filter_map(code).collect())
    }

    /// Whether conflicts of this code are carried out.
    #[must_use]
    pub fn has(&self, code: Code) -> bool {
        self.0.contains(&code)
    }
}

/// One row of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// Where the row stands.
    pub place: Place,
    /// Whom it is about, masked.
    pub label: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why it is left out; then what is odd without stopping it.
    pub faults: Vec<Fault>,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One line per row of the file.
    pub lines: Vec<ReportLine>,
    /// Unions that were not known and come to be.
    pub new_unions: Vec<String>,
    /// Columns that are not used.
    pub ignored_columns: Vec<String>,
    /// Sheets without a usable header.
    pub ignored_sheets: Vec<String>,
}

impl Report {
    /// How many rows have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }

    /// How many rows are left out.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.lines.iter().filter(|line| line.verdict.is_left_out()).count()
    }

    /// The counts on one line, as the audit keeps them.
    #[must_use]
    pub fn summary(&self) -> String {
        let counts =
            Verdict::ALL.map(|verdict| format!("{} {}", verdict.as_str(), self.count(verdict)));
        counts.join(", ")
    }

    /// Whether anything is written at all.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.count(Verdict::New) + self.count(Verdict::Update) + self.new_unions.len() > 0
    }
}

/// A row judged: its report line and what is to be written.
#[derive(Clone, Debug)]
pub(super) struct Judged<C> {
    pub(super) verdict: Verdict,
    pub(super) faults: Vec<Fault>,
    pub(super) change: Option<C>,
}

impl<C> Judged<C> {
    /// Left out: an error of the row itself.
    pub(super) const fn error(faults: Vec<Fault>) -> Self {
        Self { verdict: Verdict::Error, faults, change: None }
    }

    /// Left out until a person decides.
    pub(super) const fn conflict(faults: Vec<Fault>) -> Self {
        Self { verdict: Verdict::Conflict, faults, change: None }
    }

    /// Nothing to do.
    pub(super) const fn unchanged(faults: Vec<Fault>) -> Self {
        Self { verdict: Verdict::Unchanged, faults, change: None }
    }

    /// Something to write.
    pub(super) const fn change(verdict: Verdict, change: C, faults: Vec<Fault>) -> Self {
        Self { verdict, faults, change: Some(change) }
    }

    /// This judgement with these remarks after its own.
    pub(super) fn with(mut self, warnings: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(warnings);
        self
    }
}
