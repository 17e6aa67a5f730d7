//! One page that is drawn: lines of text, rectangles, a QR code. A4, lying.

use std::fmt::Write as _;

use super::{file, font::Font};

/// Its size, in points.
pub(crate) const WIDTH: f64 = 842.0;
/// Its size, in points.
pub(crate) const HEIGHT: f64 = 595.0;

/// A colour: red, green, blue from 0 to 1.
pub(crate) type Colour = [f64; 3];

/// A page that is drawn from the bottom left.
#[derive(Debug)]
pub(crate) struct Sheet {
    content: String,
    font: Font,
}

impl Sheet {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { content: String::new(), font: Font::new() }
    }

    /// A line of text around the middle of the page; made smaller when it would be wider than the page's frame.
    pub(crate) fn centred(&mut self, y: f64, size: f64, colour: Colour, text: &str) {
        let size = size.min(size * (WIDTH - 120.0) / self.font.width(text, size).max(1.0));
        self.text((WIDTH - self.font.width(text, size)) / 2.0, y, size, colour, text);
    }

    /// A line of text from `x`.
    pub(crate) fn text(&mut self, x: f64, y: f64, size: f64, [r, g, b]: Colour, text: &str) {
        let hex = self.font.text(text);
        writeln!(self.content, "BT {r} {g} {b} rg /F {size:.1} Tf {x:.1} {y:.1} Td <{hex}> Tj ET")
            .expect("writing to a string");
    }

    /// A line of text that ends at `x`.
    pub(crate) fn until(&mut self, x: f64, y: f64, size: f64, colour: Colour, text: &str) {
        self.text(x - self.font.width(text, size), y, size, colour, text);
    }

    /// A filled rectangle.
    pub(crate) fn fill(&mut self, x: f64, y: f64, width: f64, height: f64, [r, g, b]: Colour) {
        writeln!(self.content, "{r} {g} {b} rg {x:.2} {y:.2} {width:.2} {height:.2} re f")
            .expect("writing to a string");
    }

    /// The outline of a rectangle.
    pub(crate) fn frame(&mut self, inset: f64, line: f64, [r, g, b]: Colour) {
        let (width, height) = (WIDTH - 2.0 * inset, HEIGHT - 2.0 * inset);
        writeln!(self.content, "{r} {g} {b} RG {line} w {inset} {inset} {width} {height} re S")
            .expect("writing to a string");
    }

    /// A QR code of `text`, `size` points wide, its quiet zone included.
    ///
    /// # Errors
    /// When the text does not fit.
    pub(crate) fn qr(&mut self, x: f64, y: f64, size: f64, text: &str) -> anyhow::Result<()> {
        let code = qrcode::QrCode::new(text)?;
        let modules = code.width();
        let module = size / (modules as f64 + 8.0);
        self.fill(x, y, size, size, [1.0, 1.0, 1.0]);
        for (at, colour) in code.to_colors().into_iter().enumerate() {
            if colour == qrcode::Color::Dark {
                let (column, row) = ((at % modules) as f64, (at / modules) as f64);
                let (left, top) = (x + (column + 4.0) * module, y + size - (row + 5.0) * module);
                self.fill(left, top, module + 0.02, module + 0.02, [0.0, 0.0, 0.0]);
            }
        }
        Ok(())
    }

    /// The file.
    pub(crate) fn finish(self, title: &str) -> Vec<u8> {
        file::written(title, [WIDTH, HEIGHT], &[self.content], &self.font)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_a_sound_file_and_a_long_name_fits() {
        let mut sheet = Sheet::new();
        sheet.centred(300.0, 40.0, [0.0, 0.0, 0.0], "完赛证书");
        sheet.centred(200.0, 40.0, [0.0, 0.0, 0.0], &"很长的名字".repeat(10));
        sheet.qr(10.0, 10.0, 90.0, "https://example.org/certificates/ABC").expect("fits");
        let (width, drawn) = (sheet.font.width("很", 1.0), sheet.content.clone());
        file::tests::sound(&sheet.finish("完赛证书"));
        let size: f64 = drawn
            .lines()
            .nth(1)
            .and_then(|line| line.split("/F ").nth(1)?.split(' ').next()?.parse().ok())
            .expect("a size");
        assert!(size * width * 50.0 <= WIDTH, "{size}");
    }
}
