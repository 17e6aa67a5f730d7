//! The font of a document: Chinese letters cut out of a font of the system's and put into the file, so that they look the
//! same in every reader. On a server without a Chinese font the file names STSong-Light instead, for which readers take
//! what they have (ISO 32000-1, 9.7.5.2); docs/operating.md says which package to install.

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use fontdb::{Database, Family, ID, Query};
use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId, Permissions, Tag};

/// Fonts with Simplified Chinese, best first.
const CHINESE: [&str; 9] = [
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Serif CJK SC",
    "SimSun",
];
/// Letters by which a Chinese font is known.
const PROOF: &str = "镇总工会";

/// The system's font, looked for when the first document is made.
static SYSTEM: LazyLock<Option<Chinese>> = LazyLock::new(Chinese::of_system);

/// Letters in their order, each with its glyph and its width in thousandths of the size.
type Glyphs = Vec<(char, u16, u16)>;

/// A font of the system's that has Chinese.
struct Chinese {
    database: Database,
    id: ID,
    glyphs: Glyphs,
    /// The rise above the line and the fall below it, and the height of capitals, in thousandths.
    rise: [i32; 3],
}

impl Chinese {
    fn of_system() -> Option<Self> {
        let mut database = Database::new();
        database.load_system_fonts();
        let named = |name: &&str| {
            database.query(&Query { families: &[Family::Name(name)], ..Query::default() })
        };
        let by_name = CHINESE.iter().filter_map(named);
        let any = database.faces().map(|face| face.id);
        let found = by_name.chain(any).find_map(|id| {
            let read = database.with_face_data(id, glyphs);
            read.flatten().map(|(glyphs, rise)| (id, glyphs, rise))
        });
        if found.is_none() {
            tracing::warn!(
                "no Chinese font on this system: documents name one instead of holding it"
            );
        }
        let (id, glyphs, rise) = found?;
        Some(Self { database, id, glyphs, rise })
    }

    fn glyph(&self, c: char) -> (u16, u16) {
        let found = self.glyphs.binary_search_by_key(&c, |(known, ..)| *known);
        found.map_or((0, 1000), |at| (self.glyphs[at].1, self.glyphs[at].2))
    }

    /// The letters that are needed, as the file holds them: the font program, and whether its outlines are of PostScript.
    fn cut(&self, letters: &GlyphRemapper) -> Option<(Vec<u8>, bool)> {
        let cut = self.database.with_face_data(self.id, |data, index| {
            let cut = subsetter::subset(data, index, letters).ok()?;
            let outlines =
                Face::parse(data, index).ok()?.raw_face().table(Tag::from_bytes(b"CFF "));
            if outlines.is_none() {
                return Some((cut, false));
            }
            let only = ttf_parser::RawFace::parse(&cut, 0).ok()?;
            Some((only.table(Tag::from_bytes(b"CFF "))?.to_vec(), true))
        });
        cut.flatten()
    }
}

/// The letters of a font that may be put into documents and has Chinese.
fn glyphs(data: &[u8], index: u32) -> Option<(Glyphs, [i32; 3])> {
    let face = Face::parse(data, index).ok()?;
    let has_chinese = PROOF.chars().all(|c| face.glyph_index(c).is_some());
    let allowed =
        face.is_subsetting_allowed() && face.permissions() != Some(Permissions::Restricted);
    // Of a variable font the outlines cannot be cut out.
    let whole = face.raw_face().table(Tag::from_bytes(b"CFF2")).is_none();
    if !has_chinese || !allowed || !whole {
        return None;
    }
    let em = u32::from(face.units_per_em());
    let mut letters = BTreeMap::new();
    for table in face.tables().cmap?.subtables.into_iter().filter(|table| table.is_unicode()) {
        table.codepoints(|code| {
            if let (Some(c), Some(GlyphId(glyph))) = (char::from_u32(code), table.glyph_index(code))
            {
                letters.insert(c, glyph);
            }
        });
    }
    let glyphs = letters
        .into_iter()
        .map(|(c, glyph)| {
            let advance = u32::from(face.glyph_hor_advance(GlyphId(glyph)).unwrap_or(0));
            (c, glyph, u16::try_from(advance * 1000 / em).unwrap_or(1000))
        })
        .collect();
    let em = i32::from(face.units_per_em());
    let rise =
        [face.ascender(), face.descender(), face.capital_height().unwrap_or(face.ascender())];
    Some((glyphs, rise.map(|units| i32::from(units) * 1000 / em)))
}

/// The font of one document, and which letters it used.
pub(super) struct Font {
    chinese: Option<&'static Chinese>,
    letters: GlyphRemapper,
    /// By its number in this document, each glyph's letter.
    used: BTreeMap<u16, char>,
}

impl std::fmt::Debug for Font {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Font").field("used", &self.used.len()).finish_non_exhaustive()
    }
}

impl Font {
    /// The system's.
    pub(super) fn new() -> Self {
        Self::of(SYSTEM.as_ref())
    }

    fn of(chinese: Option<&'static Chinese>) -> Self {
        Self { chinese, letters: GlyphRemapper::new(), used: BTreeMap::new() }
    }

    /// How wide a text is at that size.
    pub(super) fn width(&self, text: &str, size: f64) -> f64 {
        text.chars().map(|c| self.letter(c)).sum::<f64>() * size
    }

    /// How wide a letter is, in sizes.
    pub(super) fn letter(&self, c: char) -> f64 {
        match self.chinese {
            Some(chinese) => f64::from(chinese.glyph(c).1) / 1000.0,
            None if c.is_ascii() => 0.5,
            None => 1.0,
        }
    }

    /// A text as drawings name it, in hexadecimal.
    pub(super) fn text(&mut self, text: &str) -> String {
        let Some(chinese) = self.chinese else { return utf16(text) };
        let mut hex = String::with_capacity(text.len() * 2);
        for c in text.chars() {
            let glyph = self.letters.remap(chinese.glyph(c).0);
            self.used.entry(glyph).or_insert(c);
            write!(hex, "{glyph:04X}").expect("writing to a string");
        }
        hex
    }

    /// The objects of the font, of which the first gets the number `first` and is what pages name.
    pub(super) fn objects(&self, first: usize) -> Vec<Vec<u8>> {
        let cut = self.chinese.and_then(|chinese| Some((chinese, chinese.cut(&self.letters)?)));
        let Some((chinese, (program, postscript))) = cut else { return named(first) };
        const NAME: &str = "TURNOU+Chinese";
        let (kind, file) = if postscript {
            ("/CIDFontType0", "/FontFile3")
        } else {
            ("/CIDFontType2 /CIDToGIDMap /Identity", "/FontFile2")
        };
        let widths: Vec<String> = self
            .used
            .iter()
            .map(|(glyph, c)| format!("{glyph} [{}]", chinese.glyph(*c).1))
            .collect();
        let [ascent, descent, capital] = chinese.rise;
        let (descendant, descriptor, reading, data) = (first + 1, first + 2, first + 3, first + 4);
        vec![
            format!("<< /Type /Font /Subtype /Type0 /BaseFont /{NAME} /Encoding /Identity-H /DescendantFonts [{descendant} 0 R] /ToUnicode {reading} 0 R >>").into_bytes(),
            format!("<< /Type /Font /Subtype {kind} /BaseFont /{NAME} /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor {descriptor} 0 R /DW 1000 /W [{}] >>", widths.join(" ")).into_bytes(),
            format!("<< /Type /FontDescriptor /FontName /{NAME} /Flags 4 /FontBBox [-1000 {descent} 2000 {ascent}] /ItalicAngle 0 /Ascent {ascent} /Descent {descent} /CapHeight {capital} /StemV 93 {file} {data} 0 R >>").into_bytes(),
            stream("", self.reading().as_bytes()),
            stream(if postscript { "/Subtype /CIDFontType0C " } else { "" }, &program),
        ]
    }

    /// Which letter each glyph is, for readers that look for words or copy them.
    fn reading(&self) -> String {
        let mut map = String::from(
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapType 2 def\n/CMapName /Reading def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n",
        );
        let letters: Vec<(&u16, &char)> = self.used.iter().collect();
        for hundred in letters.chunks(100) {
            writeln!(map, "{} beginbfchar", hundred.len()).expect("writing to a string");
            for (glyph, c) in hundred {
                writeln!(map, "<{glyph:04X}> <{}>", utf16(c.encode_utf8(&mut [0; 4])))
                    .expect("writing to a string");
            }
            map += "endbfchar\n";
        }
        map + "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    }
}

/// The font that every reader knows by name.
fn named(first: usize) -> Vec<Vec<u8>> {
    [
        format!("<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light-UniGB-UTF16-H /Encoding /UniGB-UTF16-H /DescendantFonts [{} 0 R] >>", first + 1),
        format!("<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor {} 0 R /DW 1000 /W [1 95 500] >>", first + 2),
        "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A stream object with those entries in its dictionary.
pub(super) fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
    let mut object = format!("<< {entries}/Length {} >>\nstream\n", data.len()).into_bytes();
    object.extend_from_slice(data);
    object.extend_from_slice(b"\nendstream");
    object
}

/// A text in UTF-16, in hexadecimal.
pub(super) fn utf16(text: &str) -> String {
    let mut hex = String::with_capacity(text.len() * 2);
    for unit in text.encode_utf16() {
        write!(hex, "{unit:04X}").expect("writing to a string");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_that_were_used_are_in_the_document_and_no_others() {
        let mut font = Font::new();
        let chinese = font.chinese.expect("scripts/needs installs a Chinese font");
        let hex = font.text("王佐镇总工会 2026");
        assert_eq!(hex.len(), 4 * 11);
        let (program, postscript) = chinese.cut(&font.letters).expect("it can be cut");
        assert!(program.len() < 20_000, "{} bytes for ten letters", program.len());
        let outlined = |glyph: u16| {
            struct Nothing;
            impl ttf_parser::OutlineBuilder for Nothing {
                fn move_to(&mut self, _: f32, _: f32) {}
                fn line_to(&mut self, _: f32, _: f32) {}
                fn quad_to(&mut self, _: f32, _: f32, _: f32, _: f32) {}
                fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, _: f32, _: f32) {}
                fn close(&mut self) {}
            }
            if postscript {
                let table = ttf_parser::cff::Table::parse(&program).expect("outlines");
                table.outline(GlyphId(glyph), &mut Nothing).is_ok()
            } else {
                let face = Face::parse(&program, 0).expect("a font");
                face.outline_glyph(GlyphId(glyph), &mut Nothing).is_some()
            }
        };
        for (glyph, c) in &font.used {
            assert!(*c == ' ' || outlined(*glyph), "{c} is glyph {glyph}");
        }
        assert_eq!(font.used.values().filter(|c| **c == '王').count(), 1);
        assert!(font.reading().contains("<738B>"), "王 can be looked for");
    }

    #[test]
    fn without_a_font_on_the_server_the_document_names_one() {
        let mut font = Font::of(None);
        assert_eq!(font.text("完赛"), "5B8C8D5B");
        assert!((font.width("完赛 8", 10.0) - 30.0).abs() < 1e-9);
        let objects = font.objects(3);
        assert!(String::from_utf8_lossy(&objects[0]).contains("[4 0 R]"));
        assert_eq!(objects.len(), 3);
    }
}
