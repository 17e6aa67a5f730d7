//! How far somebody went to school, as posts ask for it.

use crate::web::Frame;

/// What a post asks for at least, or what a visitor has. Later ones include the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Education {
    /// 不限.
    Any,
    /// 初中.
    Junior,
    /// 高中, 中专, 技校.
    Senior,
    /// 大专.
    College,
    /// 本科.
    Bachelor,
    /// 研究生.
    Master,
}

impl Education {
    /// All of them, from the least on.
    pub(crate) const ALL: [Self; 6] =
        [Self::Any, Self::Junior, Self::Senior, Self::College, Self::Bachelor, Self::Master];

    /// The word in SQL and addresses.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Junior => "junior",
            Self::Senior => "senior",
            Self::College => "college",
            Self::Bachelor => "bachelor",
            Self::Master => "master",
        }
    }

    /// The one of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|education| education.word() == word)
    }

    /// As lists write it; the text has no spaces.
    pub(crate) fn read(said: &str) -> Option<Self> {
        let least =
            said.trim_end_matches("及以上").trim_end_matches("以上").trim_end_matches("学历");
        Some(match least {
            "不限" | "无" | "无要求" | "学历不限" | "不限学历" | "小学" => {
                Self::Any
            }
            "初中" => Self::Junior,
            "高中" | "中专" | "中技" | "技校" | "职高" | "高中/中专" | "高中(中专)"
            | "中专/高中" => Self::Senior,
            "大专" | "专科" | "高职" => Self::College,
            "本科" | "大学本科" | "大学" | "学士" => Self::Bachelor,
            "研究生" | "硕士" | "硕士研究生" | "博士" => Self::Master,
            _ => return None,
        })
    }

    /// What a post asks for.
    pub(crate) const fn asked(self, frame: &Frame) -> &'static str {
        match self {
            Self::Any => frame.t("学历不限", "Any education"),
            Self::Junior => frame.t("初中以上", "Junior secondary"),
            Self::Senior => frame.t("高中（中专）以上", "Senior secondary"),
            Self::College => frame.t("大专以上", "College"),
            Self::Bachelor => frame.t("本科以上", "Bachelor"),
            Self::Master => frame.t("研究生", "Master"),
        }
    }

    /// What a person has.
    pub(crate) const fn had(self) -> &'static str {
        match self {
            Self::Any => "不限",
            Self::Junior => "初中",
            Self::Senior => "高中（中专）",
            Self::College => "大专",
            Self::Bachelor => "本科",
            Self::Master => "研究生",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn education_is_read_as_lists_write_it() {
        for (said, education) in [
            ("不限", Some(Education::Any)),
            ("初中", Some(Education::Junior)),
            ("高中及以上", Some(Education::Senior)),
            ("中专", Some(Education::Senior)),
            ("大专以上", Some(Education::College)),
            ("本科学历", Some(Education::Bachelor)),
            ("高", None),
        ] {
            assert_eq!(Education::read(said), education, "{said}");
        }
        assert!(Education::ALL.is_sorted());
    }
}
