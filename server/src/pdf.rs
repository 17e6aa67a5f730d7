//! Small PDF documents: headings, paragraphs, tables, on A4.
//!
//! The text is set in STSong-Light, one of the Chinese fonts that every PDF reader knows by name and sets in a font of the
//! system's when it has none of that name (ISO 32000-1, 9.7.5.2): so a document is a few kilobytes, and the server needs no
//! font. Latin letters are set half as wide as Chinese ones, which keeps figures in columns.

use std::fmt::Write as _;

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
        let mut pdf =
            Self { title: title.to_owned(), pages: vec![String::new()], y: HEIGHT - MARGIN };
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
            self.need(tallest(columns, row, SIZE));
            if self.pages.len() > page {
                self.row(columns, &headings, SIZE, true);
            }
            self.row(columns, row, SIZE, false);
        }
        self.y -= 6.0;
    }

    fn row(&mut self, columns: &[Column<'_>], cells: &[String], size: f64, bold: bool) {
        let height = tallest(columns, cells, size);
        self.need(height);
        let top = self.y;
        let mut x = MARGIN;
        for (column, cell) in columns.iter().zip(cells) {
            let room = room(columns, column);
            for (n, line) in wrapped(cell, room, size).iter().enumerate() {
                let indent = match column.align {
                    Align::Left => 0.0,
                    Align::Right => room - width(line, size),
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
        for line in wrapped(text, WIDTH - 2.0 * MARGIN, size) {
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
        let hex = utf16(text);
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
            let (x, hex) = (WIDTH / 2.0 - width(&foot, 8.0) / 2.0, utf16(&foot));
            writeln!(page, "BT /F 8 Tf 0 Tr {x:.1} 32 Td <{hex}> Tj ET")
                .expect("writing to a string");
        }
        let kids: Vec<String> = (0..count).map(|n| format!("{} 0 R", 7 + 2 * n)).collect();
        let mut objects = vec![
            "<< /Type /Catalog /Pages 2 0 R /Lang (zh-CN) >>".to_owned(),
            format!("<< /Type /Pages /Kids [{}] /Count {count} >>", kids.join(" ")),
            "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light-UniGB-UTF16-H /Encoding /UniGB-UTF16-H /DescendantFonts [4 0 R] >>".to_owned(),
            "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor 5 0 R /DW 1000 /W [1 95 500] >>".to_owned(),
            "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>".to_owned(),
            format!("<< /Title <FEFF{}> /Producer (Turnout) >>", utf16(&self.title)),
        ];
        for (n, page) in self.pages.iter().enumerate() {
            let content = 8 + 2 * n;
            objects.push(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Resources << /Font << /F 3 0 R >> >> /Contents {content} 0 R >>"
            ));
            objects.push(format!("<< /Length {} >>\nstream\n{page}endstream", page.len()));
        }
        let mut file = String::from("%PDF-1.5\n");
        let mut table = String::from("0000000000 65535 f \n");
        for (n, object) in (1..).zip(&objects) {
            writeln!(table, "{:010} 00000 n ", file.len()).expect("writing to a string");
            writeln!(file, "{n} 0 obj\n{object}\nendobj").expect("writing to a string");
        }
        let (start, size) = (file.len(), objects.len() + 1);
        writeln!(file, "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R /Info 6 0 R >>\nstartxref\n{start}\n%%EOF")
            .expect("writing to a string");
        file.into_bytes()
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

fn tallest(columns: &[Column<'_>], cells: &[String], size: f64) -> f64 {
    let lines = columns
        .iter()
        .zip(cells)
        .map(|(column, cell)| wrapped(cell, room(columns, column), size).len());
    size * (LEADING * lines.max().unwrap_or(1) as f64 + 0.3)
}

fn width(text: &str, size: f64) -> f64 {
    text.chars().map(letter).sum::<f64>() * size
}

/// In sizes of the letters.
fn letter(c: char) -> f64 {
    if c.is_ascii() { 0.5 } else { 1.0 }
}

/// The text in lines that are no wider than `room`. Chinese breaks anywhere, but not before a stop.
fn wrapped(text: &str, room: f64, size: f64) -> Vec<String> {
    let (mut lines, mut line, mut wide) = (Vec::new(), String::new(), 0.0);
    for c in text.chars().filter(|c| !c.is_control()) {
        let next = letter(c) * size;
        let hangs = "，。；：、！？）」》".contains(c);
        if wide + next > room && !line.is_empty() && !hangs {
            lines.push(std::mem::take(&mut line));
            wide = 0.0;
        }
        line.push(c);
        wide += next;
    }
    lines.push(line);
    lines
}

fn utf16(text: &str) -> String {
    let mut hex = String::with_capacity(text.len() * 2);
    for unit in text.encode_utf16() {
        write!(hex, "{unit:04X}").expect("writing to a string");
    }
    hex
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
        let text = String::from_utf8(pdf.finish()).expect("ASCII");
        assert!(text.is_ascii() && text.starts_with("%PDF-") && text.ends_with("%%EOF\n"));
        let start: usize = text
            .rsplit("startxref\n")
            .next()
            .and_then(|rest| rest.lines().next())
            .and_then(|at| at.parse().ok())
            .expect("an offset");
        let table: Vec<&str> =
            text[start..].lines().skip(3).take_while(|line| line.ends_with(" n ")).collect();
        assert!(table.len() > 8, "more than one page");
        for (n, line) in (1..).zip(&table) {
            let at: usize = line[..10].parse().expect("an offset");
            assert!(text[at..].starts_with(&format!("{n} 0 obj\n")), "object {n}");
        }
        // The headings stand on every page.
        let heading = utf16("单位");
        assert_eq!(
            text.matches(&format!("<{heading}>")).count(),
            text.matches("/Type /Page ").count()
        );
    }

    #[test]
    fn a_long_text_is_broken_and_no_line_begins_with_a_stop() {
        let lines = wrapped(&"一二三四，".repeat(30), 60.0, 10.0);
        assert!(lines.len() > 10);
        assert!(lines.iter().all(|line| !line.starts_with('，') && width(line, 10.0) <= 70.0));
        assert_eq!(lines.concat().chars().count(), 150);
        assert_eq!(wrapped("", 60.0, 10.0), [""]);
    }
}
