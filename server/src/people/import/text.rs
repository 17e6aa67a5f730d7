//! Text as people send it: encodings, delimiters, width, and what of it may be shown.

use std::borrow::Cow;

use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use zeroize::Zeroizing;

/// Decodes a text file: UTF-8 with or without a byte-order mark, UTF-16 with one, else GB18030 (which holds
/// GBK and GB 2312). `None` when it is none of them.
pub(super) fn decode(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (encoding, bytes) = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => {
            return std::str::from_utf8(rest).ok().map(|text| Zeroizing::new(text.to_owned()));
        }
        [0xff, 0xfe, rest @ ..] => (UTF_16LE, rest),
        [0xfe, 0xff, rest @ ..] => (UTF_16BE, rest),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => return Some(Zeroizing::new(text.to_owned())),
            Err(_) => (GB18030, bytes),
        },
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(Zeroizing::new(text.into_owned()))
}

/// The delimiter of a text table: of comma, semicolon and tab, the one that most of its first lines have most of.
pub(super) fn delimiter(text: &str) -> u8 {
    let lines = || text.lines().filter(|line| !line.trim().is_empty()).take(40);
    // Title rows have none, so the sum decides, not agreement of all lines; a comma inside quotes is text.
    let count = |delimiter: char| -> usize {
        let in_line = |line: &str| {
            let mut quoted = false;
            line.chars()
                .filter(|&c| {
                    quoted ^= c == '"';
                    c == delimiter && !quoted
                })
                .count()
        };
        lines().map(in_line).sum()
    };
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|&delimiter| count(char::from(delimiter)))
        .expect("three candidates")
}

/// Whether this is a number as a spreadsheet shows it once its digits are gone: `1.10105E+17`.
pub(super) fn is_exponent_form(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['E', 'e']) else { return false };
    let Some(exponent) = exponent.strip_prefix('+') else { return false };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    whole.len() == 1
        && !exponent.is_empty()
        && all_digits(whole)
        && all_digits(fraction)
        && all_digits(exponent)
}

/// The text in one form: NFKC (full-width becomes half-width), white space single, none at the ends.
pub(crate) fn folded(text: &str) -> String {
    let visible: String = nfkc(text).chars().filter(|c| !is_invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// [`folded`] without any space, as Chinese names and headings are compared.
pub(crate) fn unspaced(text: &str) -> String {
    nfkc(text).chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect()
}

/// Nearly every cell is in this form already; telling so is much cheaper than composing it again.
fn nfkc(text: &str) -> Cow<'_, str> {
    match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(text.nfkc().collect()),
    }
}

/// How names of organisations are compared: width, case and spaces do not make two unions of one.
pub(crate) fn name_key(text: &str) -> String {
    unspaced(text).to_lowercase()
}

/// Characters that copying from web pages and WeChat leaves behind.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
        || c.is_control() && !c.is_whitespace()
}

/// Keeps `head` and `tail` characters and stars the rest; a text too short to hide in is starred whole.
pub(super) fn masked(text: &str, head: usize, tail: usize) -> String {
    let chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    if chars.len() < head + tail + 4 {
        return "*".repeat(chars.len().min(20));
    }
    let hidden = (chars.len() - head - tail).min(20);
    let mut shown: String = chars[..head].iter().collect();
    shown.push_str(&"*".repeat(hidden));
    shown.extend(&chars[chars.len() - tail..]);
    shown
}

/// A phone as it may be shown: `138****5678`.
pub(crate) fn masked_phone(text: &str) -> String {
    masked(text, 3, 4)
}

/// An ID number as it may be shown: `1101**********002X`.
pub(super) fn masked_id(text: &str) -> String {
    masked(text, 4, 4)
}

/// A card number as it may be shown: `**** 0008`.
pub(super) fn masked_card(text: &str) -> String {
    let digits: Vec<char> = text.nfkc().filter(char::is_ascii_digit).collect();
    match digits.len() {
        0..8 => "****".to_owned(),
        len => format!("**** {}", digits[len - 4..].iter().collect::<String>()),
    }
}

/// Free text as it may be shown: short, and long runs of digits starred, since people paste numbers anywhere.
pub(crate) fn shown(text: &str) -> String {
    let folded = folded(text);
    let chars: Vec<char> = folded.chars().collect();
    let mut shown = String::new();
    for run in chars.chunk_by(|a, b| is_number_char(*a) && is_number_char(*b)) {
        // A date has eight digits at most, a phone has eleven.
        match run.iter().filter(|c| c.is_ascii_digit()).count() {
            0..=8 => shown.extend(run),
            _ => shown.push_str("****"),
        }
    }
    if shown.chars().count() > 40 {
        shown = shown.chars().take(39).chain(['…']).collect();
    }
    shown
}

fn is_number_char(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, ' ' | '-')
}

/// Whether the text holds so many digits in a row that it may be a card, ID or phone number.
pub(crate) fn has_long_number(text: &str) -> bool {
    let chars: Vec<char> = text.nfkc().collect();
    chars
        .chunk_by(|a, b| is_number_char(*a) && is_number_char(*b))
        .any(|run| run.iter().filter(|c| c.is_ascii_digit()).count() > 10)
}
