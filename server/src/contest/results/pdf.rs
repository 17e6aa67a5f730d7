//! A page of PDF with Chinese text, lines and a QR code, without a font inside: it names STSong-Light with the character
//! map UniGB-UTF16-H, which every reader knows how to show (PDF 32000-1, 9.7.5.2). So a certificate has a few kilobytes
//! and the server needs neither a font file nor a typesetting crate.

/// A4, lying, in points.
pub(crate) const WIDTH: f64 = 842.0;
/// A4, lying, in points.
pub(crate) const HEIGHT: f64 = 595.0;

/// A colour: red, green, blue from 0 to 1.
pub(crate) type Colour = [f64; 3];

/// A page that is drawn from the bottom left.
#[derive(Debug, Default)]
pub(crate) struct Page {
    content: String,
}

impl Page {
    /// A line of text around the middle of the page.
    pub(crate) fn centred(&mut self, y: f64, size: f64, colour: Colour, text: &str) {
        self.text((WIDTH - width(text, size)) / 2.0, y, size, colour, text);
    }

    /// A line of text from `x`.
    pub(crate) fn text(&mut self, x: f64, y: f64, size: f64, [r, g, b]: Colour, text: &str) {
        let mut hex = String::with_capacity(text.len() * 4);
        for unit in text.encode_utf16() {
            hex += &format!("{unit:04X}");
        }
        self.content += &format!("BT {r} {g} {b} rg /F {size} Tf {x:.1} {y:.1} Td <{hex}> Tj ET\n");
    }

    /// A filled rectangle.
    pub(crate) fn fill(&mut self, x: f64, y: f64, width: f64, height: f64, [r, g, b]: Colour) {
        self.content += &format!("{r} {g} {b} rg {x:.2} {y:.2} {width:.2} {height:.2} re f\n");
    }

    /// The outline of a rectangle.
    pub(crate) fn frame(&mut self, inset: f64, line: f64, [r, g, b]: Colour) {
        let (width, height) = (WIDTH - 2.0 * inset, HEIGHT - 2.0 * inset);
        self.content += &format!("{r} {g} {b} RG {line} w {inset} {inset} {width} {height} re S\n");
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
        let title: String = title.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
        let objects = [
            "<</Type/Catalog/Pages 2 0 R/Lang(zh-CN)>>".to_owned(),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
            format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Resources<</Font<</F 5 0 R>>>>/Contents 4 0 R>>"),
            format!("<</Length {}>>\nstream\n{}endstream", self.content.len(), self.content),
            "<</Type/Font/Subtype/Type0/BaseFont/STSong-Light-UniGB-UTF16-H/Encoding/UniGB-UTF16-H/DescendantFonts[6 0 R]>>".to_owned(),
            "<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>/DW 1000/W[1 95 500]/FontDescriptor 7 0 R>>".to_owned(),
            "<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 880/StemV 93>>".to_owned(),
            format!("<</Title<FEFF{title}>/Producer(Turnout)>>"),
        ];
        let mut file = b"%PDF-1.5\n%\xE2\xE3\xCF\xD3\n".to_vec();
        let mut starts = Vec::new();
        for (at, object) in objects.iter().enumerate() {
            starts.push(file.len());
            file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", at + 1).as_bytes());
        }
        let table = file.len();
        let mut tail = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
        for start in starts {
            tail += &format!("{start:010} 00000 n \n");
        }
        tail += &format!(
            "trailer\n<</Size {}/Root 1 0 R/Info 8 0 R>>\nstartxref\n{table}\n%%EOF\n",
            objects.len() + 1
        );
        file.extend_from_slice(tail.as_bytes());
        file
    }
}

/// How wide a line is: letters of ASCII take half the room of others.
fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| if c.is_ascii() { size / 2.0 } else { size }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_file_points_at_its_objects() {
        let mut page = Page::default();
        page.centred(300.0, 40.0, [0.0, 0.0, 0.0], "完赛证书");
        page.qr(10.0, 10.0, 90.0, "https://example.org/certificates/ABC").expect("fits");
        let file = page.finish("完赛证书");
        let at = |text: &str| file.windows(text.len()).position(|window| window == text.as_bytes());
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.contains("<5B8C8D5B8BC14E66> Tj"), "UTF-16 of the words");
        let table: usize = text
            .rsplit_once("startxref\n")
            .expect("an end")
            .1
            .lines()
            .next()
            .expect("a number")
            .parse()
            .expect("a number");
        assert_eq!(Some(table), at("xref\n0 9"));
        let offsets = text[text.rfind("xref\n0 9").expect("a table")..].lines().skip(3).take(8);
        for (number, line) in (1..).zip(offsets) {
            let offset: usize = line[..10].parse().expect("an offset");
            assert!(
                file[offset..].starts_with(format!("{number} 0 obj").as_bytes()),
                "object {number}"
            );
        }
    }
}
