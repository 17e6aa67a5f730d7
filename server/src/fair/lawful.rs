//! Conditions that a post must not have: sex, age, household register, ethnic group, family, health (就业促进法 arts. 26
//! to 31; 人力资源市场暂行条例). A filter of words: it warns, people decide.

use crate::people::import::{fault::Code, text};

/// A condition that was found: which, and the words that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) words: String,
}

/// What is said to somebody else or takes a limit back, and so is none.
const HARMLESS: [&str; 15] = [
    "男女不限",
    "不限男女",
    "性别不限",
    "不限性别",
    "年龄不限",
    "不限年龄",
    "户籍不限",
    "不限户籍",
    "民族不限",
    "婚育不限",
    "男女均可",
    "男女皆可",
    "女装",
    "男装",
    "妇女儿童",
];

const WORDS: [(Code, &[&str]); 5] = [
    (
        Code::LimitSex,
        &[
            "限男",
            "限女",
            "只招男",
            "只招女",
            "仅招男",
            "仅招女",
            "仅限男",
            "仅限女",
            "男性优先",
            "女性优先",
            "男士优先",
            "女士优先",
            "男优先",
            "女优先",
            "要求男",
            "要求女",
            "男性",
            "女性",
            "性别男",
            "性别女",
            "性别:男",
            "性别:女",
            "男生",
            "女生",
            "男士",
            "女士",
            "形象气质佳女",
        ],
    ),
    (
        Code::LimitOrigin,
        &[
            "限本地户口",
            "本地户口",
            "本市户口",
            "京籍",
            "北京户口",
            "限户籍",
            "户籍要求",
            "农村户口",
            "城镇户口",
            "限汉族",
            "汉族",
        ],
    ),
    (
        Code::LimitFamily,
        &["已婚", "未婚", "已育", "未育", "限婚", "无生育计划", "婚育状况", "无孩"],
    ),
    (Code::LimitHealth, &["无残疾", "非残疾", "残疾人勿", "乙肝", "无传染病", "病原携带"]),
    (
        Code::LimitAge,
        &["年龄限制", "限年龄", "年轻优先", "年龄优先", "80后", "90后", "95后", "00后"],
    ),
];

/// The unlawful conditions that `condition` seems to name, each kind once.
pub(crate) fn findings(condition: &str) -> Vec<Finding> {
    let mut plain = text::unspaced(condition).to_lowercase();
    for harmless in HARMLESS {
        plain = plain.replace(harmless, "");
    }
    let mut found: Vec<Finding> = Vec::new();
    for (code, words) in WORDS {
        if let Some(word) = words.iter().find(|word| plain.contains(**word)) {
            found.push(Finding { code, words: (*word).to_owned() });
        }
    }
    if !found.iter().any(|finding| finding.code == Code::LimitAge)
        && let Some(words) = age(&plain)
    {
        found.push(Finding { code: Code::LimitAge, words });
    }
    found
}

/// The first limit of age: 18-45岁, 45周岁以下, 年龄35以内. From sixteen or eighteen on is the law's own limit, and none.
fn age(plain: &str) -> Option<String> {
    let chars: Vec<char> = plain.chars().collect();
    for (at, _) in chars.iter().enumerate().filter(|(_, c)| c.is_ascii_digit()) {
        if at > 0 && chars[at - 1].is_ascii_digit() {
            continue;
        }
        let digits = chars[at..].iter().take_while(|c| c.is_ascii_digit()).count();
        let after: String = chars[at + digits..].iter().take(12).collect();
        let before: String = chars[at.saturating_sub(4)..at].iter().collect();
        let number: String = chars[at..at + digits].iter().collect();
        let years = digits == 2
            && (after.starts_with('岁') || after.starts_with("周岁") || before.contains("年龄"));
        let span = digits == 2
            && after.starts_with(['-', '~', '至', '到', '—', '–'])
            && after.contains('岁');
        let own_of_law = matches!(number.as_str(), "16" | "18")
            && ["岁以上", "周岁以上", "岁及以上", "周岁及以上", "岁起"]
                .iter()
                .any(|words| after.starts_with(words));
        if (years || span) && !own_of_law {
            let words: String = after.chars().take(6).collect();
            return Some(format!("{number}{words}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<Code> {
        findings(text).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn unlawful_conditions_are_named() {
        for (text, code) in [
            ("限男", Code::LimitSex),
            ("女性优先，能吃苦", Code::LimitSex),
            ("限 女 性", Code::LimitSex),
            ("年龄 18-45 岁", Code::LimitAge),
            ("４５周岁以下", Code::LimitAge),
            ("年龄35以内", Code::LimitAge),
            ("北京户口优先", Code::LimitOrigin),
            ("已婚已育优先", Code::LimitFamily),
            ("无传染病，乙肝勿扰", Code::LimitHealth),
        ] {
            assert_eq!(codes(text), [code], "{text}");
        }
        assert_eq!(
            codes("限男，35岁以下，本市户口"),
            [Code::LimitSex, Code::LimitOrigin, Code::LimitAge]
        );
    }

    #[test]
    fn lawful_conditions_are_left_alone() {
        for text in [
            "",
            "男女不限",
            "性别不限，年龄不限",
            "年满18周岁以上",
            "16岁以上",
            "有 3 年以上工作经验",
            "负责女装销售",
            "8 小时工作制，双休",
            "月薪 4500-7000 元",
            "持 C1 驾照",
            "年龄不限，能适应倒班",
        ] {
            assert_eq!(codes(text), [], "{text}");
        }
    }

    #[test]
    fn a_finding_tells_its_words() {
        assert_eq!(findings("要求年龄18-40岁")[0].words, "18-40岁");
    }
}
