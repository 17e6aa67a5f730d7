//! A worksheet that is written from the top down. Text stays text: nothing that a person typed becomes a formula,
//! here or where the file is saved as CSV later.

use std::borrow::Cow;

use jiff::civil::DateTime;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    /// An amount in cents, shown in yuan.
    Cents(i64),
    /// On the clocks of the event.
    Moment(DateTime),
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Text(harmless(text).into_owned()) }
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A worksheet and how far it is written.
pub(crate) struct Sheet<'a> {
    sheet: &'a mut Worksheet,
    row: u32,
    bold: Format,
    moment: Format,
    money: Format,
}

impl<'a> Sheet<'a> {
    /// A new last sheet of `book`.
    pub(crate) fn add(book: &'a mut Workbook, name: &str) -> Result<Self, XlsxError> {
        let sheet = book.add_worksheet().set_name(name)?;
        let bold = Format::new().set_bold();
        let moment = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        let money = Format::new().set_num_format("0.00");
        Ok(Self { sheet, row: 0, bold, moment, money })
    }

    /// How wide the columns are, in characters.
    pub(crate) fn widths(&mut self, widths: &[f64]) -> Result<(), XlsxError> {
        for (column, width) in (0..).zip(widths) {
            self.sheet.set_column_width(column, *width)?;
        }
        Ok(())
    }

    /// A row of headings. The first row stays in view.
    pub(crate) fn heading(&mut self, names: &[&str]) -> Result<(), XlsxError> {
        for (column, name) in (0..).zip(names) {
            let name = harmless(name);
            self.sheet.write_string_with_format(self.row, column, name.as_ref(), &self.bold)?;
        }
        if self.row == 0 {
            self.sheet.set_freeze_panes(1, 0)?;
        }
        self.row += 1;
        Ok(())
    }

    /// A row of cells.
    pub(crate) fn row(&mut self, cells: &[Cell]) -> Result<(), XlsxError> {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Text(text) => drop(self.sheet.write_string(self.row, column, text)?),
                // Counts are far below what a double keeps exactly.
                Cell::Number(number) => {
                    let number = i32::try_from(*number).unwrap_or(i32::MAX);
                    self.sheet.write_number(self.row, column, number)?;
                }
                Cell::Cents(cents) => {
                    let yuan = f64::from(i32::try_from(*cents).unwrap_or(i32::MAX)) / 100.0;
                    self.sheet.write_number_with_format(self.row, column, yuan, &self.money)?;
                }
                Cell::Moment(at) => {
                    let at = excel(*at)?;
                    self.sheet.write_datetime_with_format(self.row, column, &at, &self.moment)?;
                }
                Cell::Empty => {}
            }
        }
        self.row += 1;
        Ok(())
    }

    /// Leaves a row empty.
    pub(crate) const fn skip(&mut self) {
        self.row += 1;
    }
}

fn excel(at: DateTime) -> Result<ExcelDateTime, XlsxError> {
    let part = |part: i8| u8::try_from(part).unwrap_or(0);
    let year = u16::try_from(at.year()).unwrap_or(1900);
    ExcelDateTime::from_ymd(year, part(at.month()), part(at.day()))?.and_hms(
        u16::try_from(at.hour()).unwrap_or(0),
        part(at.minute()),
        f64::from(at.second()),
    )
}

/// `text` with an apostrophe before it when a spreadsheet could take it for a formula.
fn harmless(text: &str) -> Cow<'_, str> {
    const STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    if text.starts_with(STARTS) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_typed_becomes_a_formula() {
        for text in ["=1+1", "+86", "-1", "@x", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["王小明", "1=1", "", " =1", "a@b"] {
            assert_eq!(harmless(text), text);
        }
    }
}
