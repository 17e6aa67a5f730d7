//! Small PDF documents: headings, paragraphs, tables on A4 ([`Pdf`]); certificates, drawn ([`Sheet`]). The letters they use
//! are in the file (`font`).

mod file;
mod font;
mod sheet;

use std::fmt::Write as _;

use font::Font;

pub(crate) use sheet::{HEIGHT as SHEET_HEIGHT, Sheet, WIDTH as SHEET_WIDTH};

/// A4, and its margins, in points.
const WIDTH: f64 = 595.0;
const HEIGHT: f64 = 842.0;
const MARGIN: f64 = 56.0;
/// Between the lines, in sizes of the letters.
const LEADING: f64 = 1.6;

/// A document that is written from the top down.
#[derive(Debug)]
pub(crate) struct Pdf {
    title: String,
    pages: Vec<String>,
    font: Font,
    /// Where the next line's top is, from the bottom of the page.
    y: f64,
}

/// How a column of a table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column<'a> {
    pub(crate) heading: &'a str,
    /// Its share of the width.
    pub(crate) share: f64,
    pub(crate) align: Align,
}

impl Pdf {
    /// A document of that title, which stands above the first page's text.
    pub(crate) fn new(title: &str) -> Self {
        let mut pdf = Self {
            title: title.to_owned(),
            pages: vec![String::new()],
            font: Font::new(),
            y: HEIGHT - MARGIN,
        };
        pdf.lines(title, 18.0, true);
        pdf.y -= 6.0;
        pdf
    }

    /// A heading with space above it.
    pub(crate) fn heading(&mut self, text: &str) {
        self.y -= 12.0;
        // A heading never stands alone at the foot of a page.
        self.need(60.0);
        self.lines(text, 13.0, true);
        self.y -= 2.0;
    }

    /// A paragraph, broken into lines.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.lines(text, 10.5, false);
        self.y -= 4.0;
    }

    /// A table; its headings stand again on each page.
    pub(crate) fn table(&mut self, columns: &[Column<'_>], rows: &[Vec<String>]) {
        const SIZE: f64 = 9.5;
        let headings: Vec<String> =
            columns.iter().map(|column| column.heading.to_owned()).collect();
        self.row(columns, &headings, SIZE, true);
        for row in rows {
            let page = self.pages.len();
            self.need(self.tallest(columns, row, SIZE));
            if self.pages.len() > page {
                self.row(columns, &headings, SIZE, true);
            }
            self.row(columns, row, SIZE, false);
        }
        self.y -= 6.0;
    }

    fn row(&mut self, columns: &[Column<'_>], cells: &[String], size: f64, bold: bool) {
        let height = self.tallest(columns, cells, size);
        self.need(height);
        let top = self.y;
        let mut x = MARGIN;
        for (column, cell) in columns.iter().zip(cells) {
            let room = room(columns, column);
            for (n, line) in self.wrapped(cell, room, size).iter().enumerate() {
                let indent = match column.align {
                    Align::Left => 0.0,
                    Align::Right => room - self.font.width(line, size),
                };
                self.put(x + indent, top - size * (LEADING * n as f64 + 1.2), line, size, bold);
            }
            x += column_width(columns, column);
        }
        self.y = top - height;
        let (left, right, y) = (MARGIN, WIDTH - MARGIN, self.y);
        let weight = if bold { 0.8 } else { 0.3 };
        self.write(format_args!("{weight} w {left:.1} {y:.1} m {right:.1} {y:.1} l S\n"));
    }

    fn lines(&mut self, text: &str, size: f64, bold: bool) {
        for line in self.wrapped(text, WIDTH - 2.0 * MARGIN, size) {
            self.need(size * LEADING);
            let y = self.y - size * 1.2;
            self.put(MARGIN, y, &line, size, bold);
            self.y -= size * LEADING;
        }
    }

    /// Begins a new page when there is less room than that.
    fn need(&mut self, height: f64) {
        if self.y - height < MARGIN {
            self.pages.push(String::new());
            self.y = HEIGHT - MARGIN;
        }
    }

    fn put(&mut self, x: f64, y: f64, text: &str, size: f64, bold: bool) {
        // The font has one weight: an outline makes it bold.
        let mode = if bold { "2 Tr 0.3 w" } else { "0 Tr" };
        let hex = self.font.text(text);
        self.write(format_args!("BT /F {size} Tf {mode} {x:.1} {y:.1} Td <{hex}> Tj ET\n"));
    }

    fn write(&mut self, drawing: std::fmt::Arguments<'_>) {
        let page = self.pages.last_mut().expect("there is always a page");
        page.write_fmt(drawing).expect("writing to a string");
    }

    /// The document's bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let count = self.pages.len();
        for (n, page) in self.pages.iter_mut().enumerate() {
            let foot = format!("{} / {count}", n + 1);
            let x = (WIDTH - self.font.width(&foot, 8.0)) / 2.0;
            let hex = self.font.text(&foot);
            writeln!(page, "BT /F 8 Tf 0 Tr {x:.1} 32 Td <{hex}> Tj ET")
                .expect("writing to a string");
        }
        file::written(&self.title, [WIDTH, HEIGHT], &self.pages, &self.font)
    }

    fn tallest(&self, columns: &[Column<'_>], cells: &[String], size: f64) -> f64 {
        let lines = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| self.wrapped(cell, room(columns, column), size).len());
        size * (LEADING * lines.max().unwrap_or(1) as f64 + 0.3)
    }

    /// The text in lines that are no wider than `room`. Chinese breaks anywhere, but not before a stop; a word or a figure
    /// stays whole when it fits into a line.
    fn wrapped(&self, text: &str, room: f64, size: f64) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for c in text.chars().filter(|c| !c.is_control()) {
            let hangs = "，。；：、！？）」》”".contains(c);
            let wide = self.font.width(&line, size) + self.font.letter(c) * size;
            if wide > room && !line.is_empty() && !hangs {
                let whole = line.trim_end_matches(|c: char| c.is_ascii_graphic()).len();
                let keep = if c.is_ascii_graphic() && whole > 0 { whole } else { line.len() };
                let next = line.split_off(keep);
                lines.push(std::mem::replace(&mut line, next));
            }
            line.push(c);
        }
        lines.push(line);
        lines
    }
}

fn column_width(columns: &[Column<'_>], column: &Column<'_>) -> f64 {
    let all: f64 = columns.iter().map(|column| column.share).sum();
    (WIDTH - 2.0 * MARGIN) * column.share / all
}

/// What a cell may take: the next column keeps its distance.
fn room(columns: &[Column<'_>], column: &Column<'_>) -> f64 {
    column_width(columns, column) - 8.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> [Column<'static>; 2] {
        [
            Column { heading: "单位", share: 3.0, align: Align::Left },
            Column { heading: "人数", share: 1.0, align: Align::Right },
        ]
    }

    #[test]
    fn each_object_is_where_the_table_says() {
        let mut pdf = Pdf::new("总结");
        pdf.heading("各单位");
        let rows: Vec<Vec<String>> =
            (0..120).map(|n| vec![format!("北京第{n}有限公司"), n.to_string()]).collect();
        pdf.table(&columns(), &rows);
        let heading = pdf.font.text("单位");
        let file = pdf.finish();
        assert!(file::tests::sound(&file) > 8, "more than one page");
        let text = String::from_utf8_lossy(&file);
        // The headings stand on every page.
        assert_eq!(
            text.matches(&format!("<{heading}>")).count(),
            text.matches("/Type /Page ").count()
        );
    }

    #[test]
    fn a_long_text_is_broken_and_no_line_begins_with_a_stop() {
        let pdf = Pdf::new("总结");
        let lines = pdf.wrapped(&"一二三四，".repeat(30), 60.0, 10.0);
        assert!(lines.len() > 10);
        let fits = |line: &String| !line.starts_with('，') && pdf.font.width(line, 10.0) <= 70.0;
        assert!(lines.iter().all(fits));
        assert_eq!(lines.concat().chars().count(), 150);
        assert_eq!(pdf.wrapped("", 60.0, 10.0), [""]);
        assert_eq!(pdf.wrapped("第一行是二十 12345", 80.0, 10.0), ["第一行是二十 ", "12345"]);
    }
}
