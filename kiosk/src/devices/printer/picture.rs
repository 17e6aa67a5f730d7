//! A slip as black dots on paper: lines of text, and a QR code, drawn with a font of the system's.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use fontdb::{Database, Family, ID, Query};
use qrcode::{Color, EcLevel, QrCode};

/// Fonts with Simplified Chinese, best first.
const CHINESE: [&str; 10] = [
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Unifont",
];
/// Fonts for the letters that those lack.
const OTHERS: [&str; 4] = ["Noto Sans", "DejaVu Sans", "Liberation Sans", "Arial"];
/// Share of the width that a QR code with its margin takes at most, in percent.
const CODE_PERCENT: usize = 52;
/// Modules of white around a QR code.
const QUIET: usize = 4;

/// One thing on a slip, below the one before.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// A text, centred; its size is in sixteenths of the paper's width.
    Text(String, f32),
    /// A QR code.
    Code(String),
    /// White, in dots.
    Space(usize),
}

/// Black dots on white paper, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Dots in a row; a multiple of eight.
    pub(super) width: usize,
    /// Eight dots a byte, the left one highest; 1 is black.
    pub(super) rows: Vec<u8>,
}

/// The system's fonts that slips are written with.
pub(super) struct Fonts {
    database: Database,
    /// The Chinese one first.
    faces: Vec<ID>,
}

impl Fonts {
    /// Looks through the system's fonts. None when none of them has Chinese: slips would be boxes.
    pub(super) fn of_system() -> Option<Self> {
        let mut database = Database::new();
        database.load_system_fonts();
        let named = |name: &&str| {
            database.query(&Query { families: &[Family::Name(name)], ..Query::default() })
        };
        let mut faces = vec![CHINESE.iter().find_map(named)?];
        faces.extend(OTHERS.iter().find_map(named));
        Some(Self { database, faces })
    }

    /// Draws `parts` below each other on paper `width` dots wide.
    pub(super) fn draw(&self, parts: &[Part], width: usize) -> Picture {
        self.with_fonts(&self.faces, Vec::new(), &|fonts| {
            let mut picture = Picture { width, rows: Vec::new() };
            for part in parts {
                match part {
                    Part::Text(text, size) => {
                        let size = size * width as f32 / 16.0;
                        for line in lines(fonts, &printable(fonts, text), size, width as f32) {
                            picture.write(fonts, &line, size);
                        }
                    }
                    Part::Code(text) => picture.code(text),
                    Part::Space(dots) => picture.grow(*dots),
                }
            }
            picture
        })
    }

    /// Lends the fonts' files, which stay mapped only so long.
    fn with_fonts<T>(
        &self,
        left: &[ID],
        mut open: Vec<FontRef<'_>>,
        then: &dyn Fn(&[FontRef<'_>]) -> T,
    ) -> T {
        let Some((first, left)) = left.split_first() else { return then(&open) };
        let lent = self.database.with_face_data(*first, |data, index| {
            let mut open: Vec<FontRef<'_>> = std::mem::take(&mut open);
            open.extend(FontRef::try_from_slice_and_index(data, index).ok());
            self.with_fonts(left, open, then)
        });
        // The font was uninstalled meanwhile.
        lent.unwrap_or_else(|| then(&[]))
    }
}

impl Picture {
    /// Rows of dots.
    pub(super) fn height(&self) -> usize {
        self.rows.len() / (self.width / 8)
    }

    fn grow(&mut self, rows: usize) {
        self.rows.resize(self.rows.len() + rows * self.width / 8, 0);
    }

    fn blacken(&mut self, x: usize, y: usize) {
        if x < self.width
            && let Some(byte) = self.rows.get_mut(y * self.width / 8 + x / 8)
        {
            *byte |= 0x80 >> (x % 8);
        }
    }

    /// Writes one line in the middle.
    fn write(&mut self, fonts: &[FontRef<'_>], line: &str, size: f32) {
        let top = self.height();
        self.grow((size * 1.35) as usize);
        let mut x = ((self.width as f32 - length(fonts, line, size)) / 2.0).max(0.0);
        let baseline = top as f32 + size;
        for c in line.chars() {
            let Some(font) = font_of(fonts, c) else { continue };
            let id = font.glyph_id(c);
            let glyph = Glyph { id, scale: scale(font, size), position: point(x, baseline) };
            if let Some(outline) = font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                outline.draw(|dx, dy, cover| {
                    let (x, y) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                    if cover >= 0.5 && x >= 0.0 && y >= 0.0 {
                        self.blacken(x as usize, y as usize);
                    }
                });
            }
            x += font.as_scaled(scale(font, size)).h_advance(id);
        }
    }

    /// Draws a QR code in the middle. A text that fits into none is left out.
    fn code(&mut self, text: &str) {
        let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return };
        let modules = code.width();
        let dots = (self.width * CODE_PERCENT / 100 / (modules + 2 * QUIET)).clamp(2, 8);
        let (top, left) = (self.height() + QUIET * dots, (self.width - modules * dots) / 2);
        self.grow((modules + 2 * QUIET) * dots);
        for (at, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                let (x, y) = (left + at % modules * dots, top + at / modules * dots);
                (0..dots * dots).for_each(|dot| self.blacken(x + dot % dots, y + dot / dots));
            }
        }
    }
}

/// The first font that has `c`; the first of all for what none has.
fn font_of<'a, 'f>(fonts: &'a [FontRef<'f>], c: char) -> Option<&'a FontRef<'f>> {
    fonts.iter().find(|font| font.glyph_id(c).0 != 0).or(fonts.first())
}

/// The scale at which an em is `size` dots.
fn scale(font: &FontRef<'_>, size: f32) -> PxScale {
    let em = font.units_per_em().unwrap_or(1_000.0);
    PxScale::from(size * font.height_unscaled() / em)
}

fn length(fonts: &[FontRef<'_>], text: &str, size: f32) -> f32 {
    let advance = |c| {
        let font = font_of(fonts, c)?;
        Some(font.as_scaled(scale(font, size)).h_advance(font.glyph_id(c)))
    };
    text.chars().filter_map(advance).sum()
}

/// `text` without what no font has: pictures (🎉) and marks that only change them. Letters stay, if only as boxes: a name
/// has as many as it has.
fn printable(fonts: &[FontRef<'_>], text: &str) -> String {
    let has = |c: char| fonts.iter().any(|font| font.glyph_id(c).0 != 0);
    let shown = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    shown.filter(|c| has(*c) || c.is_alphanumeric()).collect::<String>().trim().to_owned()
}

/// Breaks `text` into lines of at most `width` dots: between Chinese characters, and at spaces; within a word only where it
/// is wider than the paper.
fn lines(fonts: &[FontRef<'_>], text: &str, size: f32, width: f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text).into_iter().flat_map(|word| pieces(fonts, word, size, width)) {
        let line = lines.last_mut().expect("there is always a last line");
        let longer = format!("{line}{word}");
        if line.is_empty() || length(fonts, longer.trim_end(), size) <= width {
            *line = longer;
        } else {
            lines.push(word.trim_start().to_owned());
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// A word in pieces that fit on the paper: as a rule one.
fn pieces<'t>(fonts: &[FontRef<'_>], word: &'t str, size: f32, width: f32) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    for (at, c) in word.char_indices() {
        let longer = &word[begin..at + c.len_utf8()];
        if at > begin && length(fonts, longer.trim_end(), size) > width {
            pieces.push(&word[begin..at]);
            begin = at;
        }
    }
    pieces.push(&word[begin..]);
    pieces
}

/// The pieces between which a line may break. Closing punctuation stays with what it closes.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut begin = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let may_break = last.is_some_and(|last: char| last == ' ' || is_wide(last) || is_wide(c));
        if may_break && !"，。、；：！？）》」』”’％".contains(c) {
            words.push(&text[begin..at]);
            begin = at;
        }
        last = Some(c);
    }
    words.push(&text[begin..]);
    words
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FF60}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_chinese_characters_and_at_spaces() {
        assert_eq!(words("健步走 10 km，开始"), ["健", "步", "走", " ", "10 ", "km，", "开", "始"]);
        let fonts = Fonts::of_system().expect("the tests need fonts-noto-cjk");
        fonts.with_fonts(&fonts.faces, Vec::new(), &|fonts| {
            let broken = lines(fonts, "春风行动 招聘会 2026", 36.0, 150.0);
            assert!(broken.len() > 2, "{broken:?}");
            for line in &broken {
                assert!(length(fonts, line, 36.0) <= 150.0, "{line} is too long");
            }
            assert_eq!(broken.concat().replace(' ', ""), "春风行动招聘会2026");
        });
    }

    #[test]
    fn a_word_wider_than_the_paper_is_broken_and_not_cut_off() {
        let fonts = Fonts::of_system().expect("the tests need fonts-noto-cjk");
        fonts.with_fonts(&fonts.faces, Vec::new(), &|fonts| {
            let name = "Wolfeschlegelsteinhausenbergerdorff";
            for text in [name.to_owned(), format!("欢迎 {name} 参加")] {
                let broken = lines(fonts, &text, 36.0, 150.0);
                for line in &broken {
                    assert!(length(fonts, line, 36.0) <= 150.0, "{line} is too long");
                }
                assert_eq!(broken.concat().replace(' ', ""), text.replace(' ', ""));
            }
        });
    }

    #[test]
    fn what_no_font_has_is_left_out_but_for_letters() {
        let fonts = Fonts::of_system().expect("the tests need fonts-noto-cjk");
        let drawn = |text: &str| fonts.draw(&[Part::Text(text.to_owned(), 2.0)], 576);
        assert_eq!(drawn("🎉春风\u{FE0F}\n行动🧧"), drawn("春风 行动"));
        assert_eq!(
            drawn("👨\u{200D}👩\u{200D}👧").rows.iter().max(),
            Some(&0),
            "nothing but pictures"
        );
        // A letter of Cuneiform.
        assert_ne!(drawn("王\u{12000}"), drawn("王"));
    }

    #[test]
    fn chinese_and_polish_letters_are_drawn_not_boxed() {
        let fonts = Fonts::of_system().expect("the tests need fonts-noto-cjk");
        let drawn = |text: &str| fonts.draw(&[Part::Text(text.to_owned(), 2.0)], 576);
        let black =
            |picture: &Picture| picture.rows.iter().map(|byte| byte.count_ones()).sum::<u32>();
        assert!(black(&drawn("王")) > 100);
        assert_ne!(drawn("王"), drawn("明"), "not the same box");
        assert_eq!(black(&drawn(" ")), 0);
        assert_eq!(drawn("王").width, 576);
    }
}
