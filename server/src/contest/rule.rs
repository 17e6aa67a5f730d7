//! How a match is counted, as a discipline's row says it: `games/5/11`, `games/3/21/30`, `goals/2/20`.

use std::{fmt, str::FromStr};

use admission::say::Lang;

/// How a match is counted (domain.md §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchRule {
    /// Whoever first wins more than half of `best_of` games.
    Games {
        /// Odd.
        best_of: u8,
        /// A game is won at so many points with a lead of two…
        to: u8,
        /// …and at so many with any lead. None: only by two.
        cap: Option<u8>,
    },
    /// Whoever scores more goals.
    Goals {
        /// How many parts it has.
        halves: u8,
        /// How long each is.
        minutes: u8,
    },
}

impl MatchRule {
    /// Table tennis: best of 5 to 11.
    pub const TABLE_TENNIS: Self = Self::Games { best_of: 5, to: 11, cap: None };
    /// Badminton: best of 3 to 21, at most 30.
    pub const BADMINTON: Self = Self::Games { best_of: 3, to: 21, cap: Some(30) };
    /// Badminton, the short way: best of 3 to 15, at most 21.
    pub const BADMINTON_15: Self = Self::Games { best_of: 3, to: 15, cap: Some(21) };
    /// Football among five: two halves of 20 minutes.
    pub const FOOTBALL: Self = Self::Goals { halves: 2, minutes: 20 };

    /// Games that win a match; 0 where goals are counted.
    #[must_use]
    pub const fn games_to_win(self) -> u8 {
        match self {
            Self::Games { best_of, .. } => best_of / 2 + 1,
            Self::Goals { .. } => 0,
        }
    }

    /// In words.
    #[must_use]
    pub fn said(self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Games { best_of, to, cap }, Lang::Zh) => {
                let cap = cap.map(|cap| format!("，{cap} 分封顶")).unwrap_or_default();
                format!("{best_of} 局 {} 胜，每局 {to} 分{cap}", self.games_to_win())
            }
            (Self::Games { best_of, to, cap }, Lang::En) => {
                let cap = cap.map(|cap| format!(", at most {cap}")).unwrap_or_default();
                format!("best of {best_of} to {to}{cap}")
            }
            (Self::Goals { halves, minutes }, Lang::Zh) => format!("{halves} × {minutes} 分钟"),
            (Self::Goals { halves, minutes }, Lang::En) => format!("{halves} × {minutes} minutes"),
        }
    }
}

impl fmt::Display for MatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Games { best_of, to, cap: None } => write!(f, "games/{best_of}/{to}"),
            Self::Games { best_of, to, cap: Some(cap) } => write!(f, "games/{best_of}/{to}/{cap}"),
            Self::Goals { halves, minutes } => write!(f, "goals/{halves}/{minutes}"),
        }
    }
}

/// The text is no rule of a match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” does not say how a match is counted")]
pub struct NoRule(String);

impl FromStr for MatchRule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        let fault = || NoRule(text.to_owned());
        let (word, numbers) = text.split_once('/').ok_or_else(fault)?;
        let numbers: Vec<u8> =
            numbers.split('/').map(str::parse).collect::<Result<_, _>>().map_err(|_| fault())?;
        match (word, numbers.as_slice()) {
            ("games", &[best_of @ 1..=15, to @ 1..=255]) if best_of % 2 == 1 => {
                Ok(Self::Games { best_of, to, cap: None })
            }
            ("games", &[best_of @ 1..=15, to @ 1..=255, cap])
                if best_of % 2 == 1 && u16::from(cap) > u16::from(to) =>
            {
                Ok(Self::Games { best_of, to, cap: Some(cap) })
            }
            ("goals", &[halves @ 1..=4, minutes @ 1..=255]) => Ok(Self::Goals { halves, minutes }),
            _ => Err(fault()),
        }
    }
}

impl TryFrom<String> for MatchRule {
    type Error = NoRule;

    fn try_from(text: String) -> Result<Self, NoRule> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        for rule in [
            MatchRule::TABLE_TENNIS,
            MatchRule::BADMINTON,
            MatchRule::BADMINTON_15,
            MatchRule::FOOTBALL,
        ] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        assert_eq!(MatchRule::BADMINTON.said(Lang::Zh), "3 局 2 胜，每局 21 分，30 分封顶");
        for text in ["", "games/4/11", "games/3/21/21", "games/3", "goals/0/20", "sets/3/6"] {
            assert!(text.parse::<MatchRule>().is_err(), "{text}");
        }
    }
}
