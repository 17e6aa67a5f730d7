//! Names as they may be shown in public.

/// Masks a person's name: 王小明 → 王*明, 张伟 → 张*, 欧阳小明 → 欧**明, Anna Berg → A*** B***.
///
/// A kiosk's screen faces the queue, so enough to recognise oneself is shown and no more.
#[must_use]
pub fn masked(name: &str) -> String {
    let name = name.trim();
    if name.is_ascii() {
        let words = name
            .split_whitespace()
            .map(|word| word.chars().take(1).chain("***".chars()).collect::<String>());
        return words.collect::<Vec<_>>().join(" ");
    }
    let chars: Vec<char> = name.chars().collect();
    match chars[..] {
        [] => String::new(),
        [first] => format!("{first}*"),
        [first, _] => format!("{first}*"),
        [first, .., last] => format!("{first}{}{last}", "*".repeat(chars.len() - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_name_keeps_its_ends_only() {
        for (name, shown) in [
            ("王小明", "王*明"),
            ("张伟", "张*"),
            ("欧阳小明", "欧**明"),
            ("Anna Berg", "A*** B***"),
            ("", ""),
        ] {
            assert_eq!(masked(name), shown);
        }
    }
}
