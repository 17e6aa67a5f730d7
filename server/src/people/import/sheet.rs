//! Reads what people send: `.xlsx` or `.csv` bytes become rows of text cells, one row at a time.
//!
//! Cells may hold card and ID numbers, so a [`Cell`] has a blank `Debug`, is wiped when dropped, and no error
//! of this file repeats what a cell says (calamine's own errors do, so they are not passed on). A number that
//! a spreadsheet has destroyed (16 digits and more, or `1.10105E+17`) is marked, never repaired.

use std::fmt;
use std::io::{self, Cursor, Read};

use calamine::{DataRef, Reader, SheetVisible, Xlsx};
use zeroize::Zeroizing;

use super::text;

/// What a file may be at most, so that no upload takes the server down.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Bytes of an `.xlsx` once unpacked; it is a zip archive, and archives can be bombs.
    pub unpacked: u64,
    /// Rows, over all sheets.
    pub rows: u32,
    /// Columns of one row.
    pub columns: usize,
    /// Characters of one cell.
    pub cell: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, unpacked: 256 << 20, rows: 100_000, columns: 200, cell: 2_000 }
    }
}

/// Why a file as a whole cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// More bytes than allowed.
    #[error(
        "文件超过 {0} MB，请拆成几个文件再导入。 The file is larger than {0} MB: split it and import the parts."
    )]
    TooLarge(u64),
    /// More rows than allowed.
    #[error(
        "行数超过 {0}，请拆成几个文件再导入。 More than {0} rows: split the file and import the parts."
    )]
    TooManyRows(u32),
    /// A cell further right than allowed.
    #[error(
        "工作表“{0}”第 {1} 行的列数过多，请删去多余的列。 Sheet “{0}”, row {1} has too many columns: delete those not needed."
    )]
    TooManyColumns(String, u32),
    /// An old `.xls`, or a workbook under a password: both begin alike.
    #[error(
        "这是旧式 .xls 或加了密码的表格。请去掉密码，另存为 .xlsx 再导入。 This is an old .xls or a password-protected workbook: remove the password, save as .xlsx and import that."
    )]
    OldOrLocked,
    /// A web page, a picture, a PDF, …
    #[error(
        "认不出这个文件。请用 .xlsx 或 .csv。 This file is neither .xlsx nor .csv: save it as one of them."
    )]
    Unknown,
    /// A workbook that does not open.
    #[error(
        "表格已损坏，打不开。请用 Excel 或 WPS 打开后另存为 .xlsx 再导入。 The workbook is damaged: open it in Excel or WPS, save it as a new .xlsx and import that."
    )]
    Damaged,
    /// Text in no encoding we know.
    #[error(
        "文字编码认不出。请另存为 UTF-8 的 CSV 或 .xlsx 再导入。 The text encoding is unknown: save as CSV UTF-8 or as .xlsx."
    )]
    Encoding,
}

/// What stands in one cell.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Blank,
    /// Text, trimmed; numbers and dates as text.
    Text(Zeroizing<String>),
    /// Something that cannot be trusted any more.
    Bad(Damage),
}

/// How a cell's content was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A long number that a spreadsheet rounded.
    Number,
    /// A formula's error such as `#N/A`.
    Formula,
    /// Longer than any field can be.
    Long,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "Blank",
            Self::Text(_) => "Text(…)",
            Self::Bad(_) => "Bad(…)",
        })
    }
}

impl Cell {
    /// The cell of this text; a spreadsheet's wrappers (`'…`, `="…"`) are taken off.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let text = text.strip_prefix('\'').unwrap_or(text);
        let text = text.strip_prefix("=\"").and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let text = text.trim();
        if text.is_empty() {
            Self::Blank
        } else if text::is_exponent_form(text) {
            Self::Bad(Damage::Number)
        } else {
            Self::Text(Zeroizing::new(text.to_owned()))
        }
    }

    fn of_number(number: f64) -> Self {
        if number.abs() >= 1e15 {
            return Self::Bad(Damage::Number);
        }
        // Whole numbers print without a fraction.
        Self::Text(Zeroizing::new(number.to_string()))
    }

    fn limited(self, chars: usize) -> Self {
        match &self {
            Self::Text(text) if text.chars().count() > chars => Self::Bad(Damage::Long),
            _ => self,
        }
    }
}

/// One row of one sheet.
#[derive(Debug)]
pub struct Row<'a> {
    /// The sheet's name; empty for a text file.
    pub sheet: &'a str,
    /// The row's number as the spreadsheet (or the editor) shows it, from 1.
    pub number: u32,
    /// The cells, from column A on; trailing blanks may be missing.
    pub cells: &'a [Cell],
}

/// Reads the file and calls `each` for every row that has a cell, in order. What the file is, is told by its
/// content: people rename files.
///
/// # Errors
/// When the file as a whole cannot be read, or `each` fails.
pub fn read<E: From<SheetError>>(
    bytes: &[u8],
    limits: &Limits,
    mut each: impl FnMut(Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if bytes.len() > limits.bytes {
        return Err(SheetError::TooLarge(limits.bytes as u64 >> 20).into());
    }
    let mut rows = 0;
    let mut counted = |row: Row<'_>| {
        rows += 1;
        if rows > limits.rows {
            return Err(SheetError::TooManyRows(limits.rows).into());
        }
        each(row)
    };
    match bytes {
        [b'P', b'K', 3, 4, ..] => read_xlsx(bytes, limits, &mut counted),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Err(SheetError::OldOrLocked.into()),
        _ => read_csv(bytes, limits, &mut counted),
    }
}

fn read_xlsx<E: From<SheetError>>(
    bytes: &[u8],
    limits: &Limits,
    each: &mut impl FnMut(Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    check_unpacked(bytes, limits.unpacked)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| SheetError::Damaged)?;
    let sheets: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .collect();
    for sheet in &sheets {
        // A chart sheet has no cells.
        let Ok(mut reader) = book.worksheet_cells_reader(sheet) else { continue };
        let mut cells: Vec<Cell> = Vec::new();
        let mut at = 0;
        while let Some(cell) = reader.next_cell().map_err(|_| SheetError::Damaged)? {
            let (row, column) = cell.get_position();
            if row != at {
                emit(sheet, at, &mut cells, each)?;
                at = row;
            }
            let value = cell_of(cell.get_value()).limited(limits.cell);
            if value == Cell::Blank {
                continue;
            }
            let column = column as usize;
            if column >= limits.columns {
                return Err(SheetError::TooManyColumns(sheet.clone(), row + 1).into());
            }
            if cells.len() <= column {
                cells.resize(column + 1, Cell::Blank);
            }
            cells[column] = value;
        }
        emit(sheet, at, &mut cells, each)?;
    }
    Ok(())
}

/// Hands the gathered row on and wipes it.
fn emit<E>(
    sheet: &str,
    at: u32,
    cells: &mut Vec<Cell>,
    each: &mut impl FnMut(Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let outcome = match cells.is_empty() {
        true => Ok(()),
        false => each(Row { sheet, number: at.saturating_add(1), cells }),
    };
    cells.clear();
    outcome
}

fn cell_of(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Blank,
        DataRef::String(text) => Cell::of(text),
        DataRef::SharedString(text) => Cell::of(text),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::of(text),
        DataRef::Int(number) => Cell::of_number(*number as f64),
        DataRef::Float(number) => Cell::of_number(*number),
        DataRef::Bool(yes) => Cell::of(if *yes { "是" } else { "否" }),
        DataRef::Error(_) => Cell::Bad(Damage::Formula),
        DataRef::DateTime(moment) if (1.0..2_958_466.0).contains(&moment.as_f64()) => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            Cell::of(&format!("{year:04}-{month:02}-{day:02}"))
        }
        DataRef::DateTime(moment) => Cell::of_number(moment.as_f64()),
    }
}

/// Unpacks every part of the archive to nowhere and counts: what an archive says of its sizes may be a lie.
fn check_unpacked(bytes: &[u8], limit: u64) -> Result<(), SheetError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| SheetError::Damaged)?;
    let mut left = limit;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|_| SheetError::Damaged)?;
        let size = io::copy(&mut part.take(left.saturating_add(1)), &mut io::sink())
            .map_err(|_| SheetError::Damaged)?;
        left = left.checked_sub(size).ok_or(SheetError::TooLarge(limit >> 20))?;
    }
    Ok(())
}

fn read_csv<E: From<SheetError>>(
    bytes: &[u8],
    limits: &Limits,
    each: &mut impl FnMut(Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let text = text::decode(bytes).ok_or_else(|| {
        // A picture or a program, no text at all.
        if bytes.contains(&0) { SheetError::Unknown } else { SheetError::Encoding }
    })?;
    let start = text.trim_start();
    if text.contains('\0') || start.starts_with('<') || start.starts_with("%PDF") {
        return Err(SheetError::Unknown.into());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(text::delimiter(&text))
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut cells: Vec<Cell> = Vec::new();
    let mut number: u32 = 0;
    loop {
        let before = offset(reader.position());
        if !reader.read_record(&mut record).map_err(|_| SheetError::Encoding)? {
            break;
        }
        number = number.saturating_add(blank_lines(&text, before)).saturating_add(1);
        cells.extend(record.iter().map(|field| Cell::of(field).limited(limits.cell)));
        while cells.last() == Some(&Cell::Blank) {
            cells.pop();
        }
        if cells.len() > limits.columns {
            return Err(SheetError::TooManyColumns(String::new(), number).into());
        }
        emit("", number.saturating_sub(1), &mut cells, each)?;
    }
    Ok(())
}

fn offset(position: &csv::Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(usize::MAX)
}

/// The empty lines from `at` on, which the reader skips and a spreadsheet counts. The reader's own count of lines is
/// no row number: it is one behind after `\r\n`, and a line break inside a cell is no row.
fn blank_lines(text: &str, at: usize) -> u32 {
    let rest = text.get(at..).unwrap_or_default();
    let inside = text.as_bytes().get(at.wrapping_sub(1)) == Some(&b'\r');
    let rest = if inside { rest.strip_prefix('\n').unwrap_or(rest) } else { rest };
    let gap = &rest[..rest.find(|c| !matches!(c, '\r' | '\n')).unwrap_or(rest.len())];
    u32::try_from(gap.lines().count()).unwrap_or(u32::MAX)
}
