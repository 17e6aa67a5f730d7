//! Turns a file into typed rows: finds the header on whichever sheet has it, then reads line by line. What must
//! not be kept (card and ID numbers) is a fingerprint before the next line is read.

use std::sync::Arc;

use super::fault::Fault;
use super::headings::{Columns as _, Headings, Kind};
use super::sheet::{self, Cell, Limits, Row, SheetError};

/// Header rows are looked for this far down; above them stand titles and instructions.
const HEADER_WITHIN: u32 = 40;

/// Where a row stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The sheet's name; empty for a text file.
    pub sheet: Arc<str>,
    /// The row's number as the spreadsheet shows it.
    pub row: u32,
}

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct Line<R> {
    /// Where it stands.
    pub place: Place,
    /// Whom or what it is about, masked, as far as it can be read.
    pub label: String,
    /// The row, or everything that is wrong with it.
    pub row: Result<R, Vec<Fault>>,
    /// What is odd but does not stop it.
    pub warnings: Vec<Fault>,
}

/// Everything a file lists.
#[derive(Clone, Debug)]
pub struct Listing<R> {
    /// The rows in order.
    pub lines: Vec<Line<R>>,
    /// Columns that are not used, as `sheet: heading`; nothing is dropped silently.
    pub ignored_columns: Vec<String>,
    /// Sheets without a usable header.
    pub ignored_sheets: Vec<String>,
}

/// Why a file gives no listing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It cannot be read at all.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// No row looks like a header.
    #[error(
        "找不到表头。应有一行包含这些列：{needed}。 No header row found: one row must name these columns: {needed}."
    )]
    NoHeader {
        /// The columns that must be there.
        needed: String,
    },
    /// There is a header, but not all that is needed.
    #[error(
        "{place}的表头缺少这些列：{missing}；认出的列有：{found}；没认出的有：{ignored}。请补上后再导入。 The header at {place} lacks {missing}. Recognised: {found}. Not recognised: {ignored}."
    )]
    MissingColumns {
        /// The sheet and row of the best header found.
        place: String,
        /// What is missing.
        missing: String,
        /// What was recognised, as written.
        found: String,
        /// What was not.
        ignored: String,
    },
    /// A header and nothing below it.
    #[error("表头下面没有数据。 There are no rows below the header.")]
    Empty,
}

/// What `parse` makes of one row: its label, the row or its faults, and warnings.
pub(super) struct Parsed<R> {
    pub(super) label: String,
    pub(super) row: Result<R, Vec<Fault>>,
    pub(super) warnings: Vec<Fault>,
}

/// Reads a file of this kind, each row by `parse`.
pub(super) fn read<R>(
    kind: Kind,
    bytes: &[u8],
    limits: &Limits,
    mut parse: impl FnMut(&Headings, &[Cell]) -> Parsed<R>,
) -> Result<Listing<R>, ListingError> {
    let mut reader = Reader::new(kind);
    let mut lines = Vec::new();
    sheet::read(bytes, limits, |row| {
        if let Some((headings, place)) = reader.data_row(&row) {
            let Parsed { label, row, warnings } = parse(headings, row.cells);
            lines.push(Line { place, label, row, warnings });
        }
        Ok::<(), ListingError>(())
    })?;
    reader.finish(lines)
}

/// Where the reading is: before or below a sheet's header.
struct Reader {
    kind: Kind,
    sheet: Arc<str>,
    sheets: Vec<Arc<str>>,
    header: Option<Headings>,
    headers: Vec<Headings>,
    /// The header that came nearest, for the message when none is complete.
    nearest: Option<Headings>,
}

impl Reader {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            sheet: Arc::from(""),
            sheets: Vec::new(),
            header: None,
            headers: Vec::new(),
            nearest: None,
        }
    }

    /// The headings and place of a row that holds data; `None` for titles, headers and blank rows.
    fn data_row(&mut self, row: &Row<'_>) -> Option<(&Headings, Place)> {
        if self.sheets.is_empty() || *self.sheet != *row.sheet {
            self.sheet = Arc::from(row.sheet);
            self.sheets.push(Arc::clone(&self.sheet));
            self.header = None;
        }
        if self.header.is_none() {
            self.look_for_header(row);
            return None;
        }
        let headings = self.header.as_ref()?;
        if headings.is_blank(row.cells) || headings.is_repeated_by(row.cells) {
            return None;
        }
        Some((headings, Place { sheet: Arc::clone(&self.sheet), row: row.number }))
    }

    fn look_for_header(&mut self, row: &Row<'_>) {
        if row.number > HEADER_WITHIN {
            return;
        }
        let Some(headings) = Headings::read(self.kind, row.sheet, row.number, row.cells) else {
            return;
        };
        if headings.missing(self.kind).is_empty() {
            self.headers.push(headings.clone());
            self.header = Some(headings);
            return;
        }
        let nearer = |other: &Headings| other.recognised().len() >= headings.recognised().len();
        if !self.nearest.as_ref().is_some_and(nearer) {
            self.nearest = Some(headings);
        }
    }

    fn finish<R>(self, lines: Vec<Line<R>>) -> Result<Listing<R>, ListingError> {
        if self.headers.is_empty() {
            return Err(self.no_header());
        }
        if lines.is_empty() {
            return Err(ListingError::Empty);
        }
        let named = |sheet: &str, text: &str| match sheet {
            "" => text.to_owned(),
            sheet => format!("{sheet}: {text}"),
        };
        let ignored_columns = self
            .headers
            .iter()
            .flat_map(|header| header.ignored.iter().map(|text| named(&header.sheet, text)))
            .collect();
        let used = |sheet: &Arc<str>| self.headers.iter().any(|header| *header.sheet == **sheet);
        let ignored_sheets =
            self.sheets.iter().filter(|sheet| !used(sheet)).map(ToString::to_string).collect();
        Ok(Listing { lines, ignored_columns, ignored_sheets })
    }

    fn no_header(&self) -> ListingError {
        let Some(nearest) = &self.nearest else {
            return ListingError::NoHeader { needed: self.kind.required().join("、") };
        };
        let row = nearest.row;
        let or_none = |text: String| if text.is_empty() { "—".to_owned() } else { text };
        ListingError::MissingColumns {
            place: match nearest.sheet.as_str() {
                "" => format!("第 {row} 行 (row {row})"),
                sheet => format!("“{sheet}”第 {row} 行 (row {row})"),
            },
            missing: nearest.missing(self.kind).join("、"),
            found: or_none(nearest.recognised().join("、")),
            ignored: or_none(nearest.ignored.join("、")),
        }
    }
}
