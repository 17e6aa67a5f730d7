//! Import of a fair's lists: employers with their stands, posts, desks, as one workbook or as single files.
//!
//! [`read`] is pure: it tells what the file holds and everything that is wrong with it, each with its sheet and cell.
//! [`Lists::write`] brings it into the books. Importing the same file again changes nothing.

pub mod cli;
mod headings;
pub(in crate::fair) mod pages;
mod rows;
mod store;

use std::collections::{HashMap, HashSet};

use self::{
    headings::{Field, List},
    rows::{EmployerRow, Parsed, PostRow},
};
use crate::people::import::{
    fault::{Code, Fault},
    headings::Headings,
    sheet::{self, Cell, Limits, Row, SheetError},
    text,
};

/// Header rows are looked for this far down.
const HEADER_WITHIN: u32 = 40;
/// Sheets of that name list desks.
const DESKS: [&str; 5] = ["咨询台", "服务台", "咨询", "desks", "desk"];
const DESK_HEADINGS: [&str; 4] = ["名称", "咨询台", "服务台", "name"];

/// Why a file gives no lists.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListsError {
    /// It cannot be read at all.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// No sheet is one of the lists.
    #[error(
        "没有找到参会单位表（列：单位名称、展位号）或招聘岗位表（列：单位名称、岗位名称、招聘人数）。 No list of employers (单位名称, 展位号) and none of posts (单位名称, 岗位名称, 招聘人数) was found."
    )]
    Nothing,
}

/// One remark on one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Sheet and cell: 招聘岗位!D12.
    pub cell: String,
    /// Whom or what the row is about.
    pub label: String,
    /// What is wrong or odd.
    pub fault: Fault,
    /// The row is left out because of it.
    pub stops: bool,
}

/// A row and where it stands.
#[derive(Clone, Debug)]
struct Placed<R> {
    row: R,
    /// The cell of each of its fields that others may contradict.
    cell: String,
    label: String,
}

/// What a file lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    employers: Vec<Placed<EmployerRow>>,
    posts: Vec<Placed<PostRow>>,
    desks: Vec<String>,
    /// What is wrong or odd, in the order of the file.
    pub remarks: Vec<Remark>,
    /// Rows that are left out.
    pub left_out: usize,
    /// Columns that are not used, as `sheet: heading`.
    pub ignored_columns: Vec<String>,
    /// Sheets that are none of the lists.
    pub ignored_sheets: Vec<String>,
}

/// What became of the rows of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not known before.
    pub new: usize,
    /// Known, and something changed.
    pub updated: usize,
    /// Known, and nothing changed.
    pub unchanged: usize,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Of employers.
    pub employers: Counts,
    /// Of posts.
    pub posts: Counts,
    /// Of desks.
    pub desks: Counts,
    /// Remarks on single cells.
    pub remarks: Vec<Remark>,
    /// Rows that are left out.
    pub left_out: usize,
    /// Columns that are not used.
    pub ignored_columns: Vec<String>,
    /// Sheets that are none of the lists.
    pub ignored_sheets: Vec<String>,
}

/// Reads a fair's workbook or a single list.
///
/// # Errors
/// When the file as a whole is of no use; what is wrong with single cells is in the lists.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Lists, ListsError> {
    let mut reader = Reader::default();
    sheet::read(bytes, limits, |row| {
        reader.row(&row);
        Ok::<(), SheetError>(())
    })?;
    reader.finish()
}

/// What the current sheet is.
#[derive(Default)]
enum Sheet {
    /// No header yet.
    #[default]
    Unknown,
    Listed(List, Headings<Field>),
    /// The column that names the desks.
    Desks(usize),
}

#[derive(Default)]
struct Reader {
    name: Option<String>,
    sheet: Sheet,
    lists: Lists,
}

impl Reader {
    fn row(&mut self, row: &Row<'_>) {
        if self.name.as_deref() != Some(row.sheet) {
            self.leave();
            self.name = Some(row.sheet.to_owned());
        }
        match &self.sheet {
            Sheet::Unknown => self.look_for_header(row),
            Sheet::Desks(at) => {
                if let Some(Cell::Text(name)) = row.cells.get(*at) {
                    let name = text::folded(name);
                    if (1..=20).contains(&name.chars().count()) && !self.lists.desks.contains(&name)
                    {
                        self.lists.desks.push(name);
                    }
                }
            }
            Sheet::Listed(_, headings)
                if headings.is_blank(row.cells) || headings.is_repeated_by(row.cells) => {}
            Sheet::Listed(list, headings) => {
                let place = |field| cell(row, headings.letters(field));
                let lists = &mut self.lists;
                match list {
                    List::Employers => {
                        let parsed = rows::employer(headings, row.cells);
                        lists.take(parsed, place, Field::Stand, |lists| &mut lists.employers);
                    }
                    List::Posts => {
                        let parsed = rows::post(headings, row.cells);
                        lists.take(parsed, place, Field::Employer, |lists| &mut lists.posts);
                    }
                }
            }
        }
    }

    fn look_for_header(&mut self, row: &Row<'_>) {
        if row.number > HEADER_WITHIN {
            return;
        }
        // Both lists name employers and stands; only posts have a headcount.
        for list in [List::Posts, List::Employers] {
            let Some(headings) = Headings::read(list, row.sheet, row.number, row.cells) else {
                continue;
            };
            if headings.missing(list).is_empty() {
                let named =
                    headings.ignored.iter().map(|heading| format!("{}: {heading}", row.sheet));
                self.lists.ignored_columns.extend(named);
                self.sheet = Sheet::Listed(list, headings);
                return;
            }
        }
        let says = |cell: &Cell, words: &[&str]| matches!(cell, Cell::Text(said) if words.contains(&text::unspaced(said).to_lowercase().as_str()));
        let desks = DESKS.contains(&text::unspaced(row.sheet).to_lowercase().as_str());
        if let Some(at) =
            row.cells.iter().position(|cell| says(cell, &DESK_HEADINGS)).filter(|_| desks)
        {
            self.sheet = Sheet::Desks(at);
        }
    }

    fn leave(&mut self) {
        let sheet = std::mem::take(&mut self.sheet);
        if let (Some(name), Sheet::Unknown) = (self.name.take(), sheet) {
            self.lists.ignored_sheets.push(name);
        }
    }

    fn finish(mut self) -> Result<Lists, ListsError> {
        self.leave();
        let mut lists = self.lists;
        if lists.employers.is_empty()
            && lists.posts.is_empty()
            && lists.remarks.is_empty()
            && lists.desks.is_empty()
        {
            return Err(ListsError::Nothing);
        }
        lists.agree();
        Ok(lists)
    }
}

/// 招聘岗位!D12; the row alone when the file lacks the column.
fn cell(row: &Row<'_>, letters: Option<String>) -> String {
    let at = format!("{}{}", letters.unwrap_or_default(), row.number);
    if row.sheet.is_empty() { at } else { format!("{}!{at}", row.sheet) }
}

impl Lists {
    fn take<R>(
        &mut self,
        parsed: Parsed<R>,
        place: impl Fn(Field) -> String,
        key: Field,
        into: impl Fn(&mut Self) -> &mut Vec<Placed<R>>,
    ) {
        let Parsed { label, row, faults } = parsed;
        let stops = row.is_none();
        self.left_out += usize::from(stops);
        for (field, fault) in faults {
            self.remarks.push(Remark { cell: place(field), label: label.clone(), fault, stops });
        }
        if let Some(row) = row {
            into(self).push(Placed { row, cell: place(key), label });
        }
    }

    /// Leaves out what contradicts an earlier row: one employer has one stand (domain.md §5).
    fn agree(&mut self) {
        let (mut names, mut stands) = (HashSet::new(), HashSet::new());
        for placed in std::mem::take(&mut self.employers) {
            let name = text::name_key(&placed.row.name);
            let code = if names.contains(&name) {
                Some(Code::EmployerTwice)
            } else if stands.contains(&placed.row.stand) {
                Some(Code::StandTwice)
            } else {
                None
            };
            match code {
                Some(code) => {
                    let shown = placed.row.stand.clone();
                    self.leave_out(placed.cell, placed.label, code, shown);
                }
                None => {
                    names.insert(name);
                    stands.insert(placed.row.stand.clone());
                    self.employers.push(placed);
                }
            }
        }
        let listed: HashMap<String, String> = self
            .employers
            .iter()
            .map(|placed| (text::name_key(&placed.row.name), placed.row.stand.clone()))
            .collect();
        for placed in &self.posts {
            let stand = listed.get(&text::name_key(&placed.row.employer));
            if let (Some(stand), Some(said)) = (stand, &placed.row.stand)
                && stand != said
            {
                self.remarks.push(Remark {
                    cell: placed.cell.clone(),
                    label: placed.label.clone(),
                    fault: Fault::new(Code::StandDiffers, format!("{said} / {stand}")),
                    stops: false,
                });
            }
        }
    }

    fn leave_out(&mut self, cell: String, label: String, code: Code, shown: String) {
        self.left_out += 1;
        self.remarks.push(Remark { cell, label, fault: Fault::new(code, shown), stops: true });
    }
}

#[cfg(test)]
mod tests;
