//! The tie-break in a sentence that a player accepts.

use admission::say::Lang;

use super::{preset::Measure, tally::Value};

/// How an entrant was told apart from those equal with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// What decided something, in order.
    pub steps: Vec<Step>,
    /// Nothing decided the rest: lots are to be drawn.
    pub lots: bool,
}

/// One comparison that decided something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was compared.
    pub measure: Measure,
    /// Over the matches among the equal only.
    pub among: bool,
    /// Entrants and what they have, best first.
    pub values: Vec<(usize, Value)>,
}

impl Why {
    /// The sentence: 「B、C、D 积分相同，比相互之间的局数胜负比：B 5/3，D 4/5，C 3/4。」
    #[must_use]
    pub fn sentence(&self, lang: Lang, names: &[impl AsRef<str>]) -> String {
        let mut said = String::new();
        for (at, step) in self.steps.iter().enumerate() {
            let mut tied: Vec<usize> = step.values.iter().map(|(entrant, _)| *entrant).collect();
            tied.sort_unstable();
            let tied: Vec<&str> = tied.iter().map(|at| names[*at].as_ref()).collect();
            let values: Vec<String> = step
                .values
                .iter()
                .map(|(at, value)| step.value(lang, names[*at].as_ref(), *value))
                .collect();
            let measure = step.measure(lang);
            said += &match lang {
                Lang::Zh => format!(
                    "{}{}{}相同，{measure}：{}",
                    if at > 0 { "；" } else { "" },
                    tied.join("、"),
                    if at > 0 { " 仍" } else { " " },
                    values.join("，"),
                ),
                Lang::En => format!(
                    "{}{} are {}equal; {measure}: {}",
                    if at > 0 { "; " } else { "" },
                    tied.join(", "),
                    if at > 0 { "still " } else { "" },
                    values.join(", "),
                ),
            };
        }
        said += match (lang, self.lots) {
            (Lang::Zh, false) => "。",
            (Lang::Zh, true) => "；仍相同，待抽签。",
            (Lang::En, false) => ".",
            (Lang::En, true) => "; still equal, lots are to be drawn.",
        };
        said
    }
}

impl Step {
    fn measure(&self, lang: Lang) -> &'static str {
        let (zh, en) = match (self.measure, self.among) {
            (Measure::Points, true) => ("比相互之间的积分", "points among them"),
            (Measure::Points, false) => ("比积分", "points"),
            (Measure::MatchesWon, _) => ("比胜场", "matches won"),
            (Measure::RubberRatio, true) => {
                ("比相互之间场的胜负比", "ratio of single matches among them")
            }
            (Measure::RubberRatio, false) => ("比场的胜负比", "ratio of single matches"),
            (Measure::RubberDifference, _) => ("比净胜场", "difference of single matches"),
            (Measure::GameRatio, true) => ("比相互之间局的胜负比", "ratio of games among them"),
            (Measure::GameRatio, false) => ("比局的胜负比", "ratio of games"),
            (Measure::ScoreRatio, true) => ("比相互之间分的胜负比", "ratio of points among them"),
            (Measure::ScoreRatio, false) => ("比分的胜负比", "ratio of points"),
            (Measure::GameDifference, true) => ("比相互之间的净胜", "difference among them"),
            (Measure::GameDifference, false) => ("比净胜局（球）", "difference of games or goals"),
            (Measure::ScoreDifference, _) => ("比净胜分", "point difference"),
            (Measure::Goals, true) => ("比相互之间的进球", "goals among them"),
            (Measure::Goals, false) => ("比进球", "goals"),
            (Measure::HeadToHead, _) => ("看两者之间的比赛", "their own match"),
            (Measure::Conduct, _) => ("比公平竞赛分", "fair play"),
            (Measure::Lot, _) => ("抽签", "lots"),
        };
        lang.pick(zh, en)
    }

    fn value(&self, lang: Lang, name: &str, value: Value) -> String {
        let word = match (self.measure, value) {
            (Measure::HeadToHead, Value::Sum(0)) => lang.pick("负", "lost").to_owned(),
            (Measure::HeadToHead, _) => lang.pick("胜", "won").to_owned(),
            (Measure::Lot, value) => {
                lang.pick("第 {} 签", "lot {}").replace("{}", &value.to_string())
            }
            (_, value) => value.to_string(),
        };
        format!("{name} {word}")
    }
}
