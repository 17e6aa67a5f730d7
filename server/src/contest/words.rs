//! The words of contests: each is one word in SQL, in forms and in JSON, and has a name in both languages.

use serde::{Deserialize, Serialize};

/// Makes an enum whose variants are words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal, $zh:literal, $en:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[sqlx(type_name = "text", rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* #[sqlx(rename = $word)] #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every one, in the order of the forms.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in SQL, forms and JSON.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one of that word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }

            /// Its name, for readers.
            #[must_use]
            pub const fn said(self, lang: admission::say::Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($zh, $en)),+ }
            }

            /// Its name, for templates.
            #[must_use]
            pub const fn name(self, frame: &crate::web::Frame) -> &'static str {
                self.said(frame.lang)
            }
        }
    };
}

words! {
    /// What is played.
    Sport {
        /// 乒乓球.
        TableTennis = "table_tennis", "乒乓球", "Table tennis";
        /// 羽毛球.
        Badminton = "badminton", "羽毛球", "Badminton";
        /// 足球, with as many a side as the discipline says.
        Football = "football", "足球", "Football";
        /// 健步走: a course with checkpoints, no matches.
        Walk = "walk", "健步走", "Walk";
    }
}

words! {
    /// Who makes up one entry.
    Kind {
        /// One player.
        Singles = "singles", "单打", "Singles";
        /// Two players.
        Doubles = "doubles", "双打", "Doubles";
        /// A squad with a name.
        Team = "team", "团体", "Team";
    }
}

words! {
    /// Who plays whom.
    Format {
        /// Whoever loses is out.
        KnockOut = "knock_out", "单淘汰", "Knock-out";
        /// Groups first; the best of each go on to a knock-out.
        Groups = "groups", "先小组后淘汰", "Groups, then knock-out";
        /// One group: everybody against everybody.
        RoundRobin = "round_robin", "单循环", "Round robin";
        /// No matches.
        Walk = "walk", "路线", "A course";
    }
}

words! {
    /// Whose places the draw keeps for seeds.
    SeedRule {
        /// ITTF 3.6.2.
        Ittf = "ittf", "国际乒联", "ITTF";
        /// The BWF's general competition regulations.
        Bwf = "bwf", "世界羽联", "BWF";
    }
}

words! {
    /// Who may play.
    Sexes {
        /// Men.
        Men = "m", "男子", "Men";
        /// Women.
        Women = "w", "女子", "Women";
        /// One of each.
        Mixed = "x", "混合", "Mixed";
    }
}

words! {
    /// How a group's ranking is settled (domain.md §4.4).
    Standings {
        /// ITTF 3.7.5.
        Ittf = "ittf", "国际乒联规则", "ITTF";
        /// BWF GCR 16.2.
        Bwf = "bwf", "世界羽联规则", "BWF";
        /// FIFA 2022: goal difference first.
        Fifa2022 = "fifa_2022", "国际足联 2022（先比净胜球）", "FIFA 2022 (goal difference first)";
        /// FIFA 2026: head-to-head first.
        Fifa2026 = "fifa_2026", "国际足联 2026（先比相互战绩）", "FIFA 2026 (head-to-head first)";
        /// The federation's plain rule.
        Union = "union", "工会简易规则", "The federation's plain rule";
    }
}

words! {
    /// What became of an entry so far.
    EntryStatus {
        /// Somebody it names has not accepted yet.
        PartnerPending = "partner_pending", "等搭档同意", "Waiting for the partner";
        /// Complete, with a place.
        Entered = "entered", "已报名", "Entered";
        /// Complete, in line for a place.
        Waiting = "waiting", "候补中", "In line";
        /// Was there when the list was closed.
        Present = "present", "已到场", "Present";
        /// Was not.
        Absent = "absent", "未到场", "Absent";
        /// Taken back.
        Withdrawn = "withdrawn", "已退出", "Withdrawn";
    }
}

impl EntryStatus {
    /// It counts for the limits of its people.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Withdrawn)
    }
}

words! {
    /// Which part of a discipline a match belongs to.
    Stage {
        /// In a group.
        Group = "group", "小组赛", "Group";
        /// In the knock-out.
        KnockOut = "knock_out", "淘汰赛", "Knock-out";
    }
}

words! {
    /// How a match stands.
    MatchState {
        /// A side is not known yet.
        Waiting = "waiting", "待定", "To be decided";
        /// It can be called.
        Ready = "ready", "可以开始", "Ready";
        /// Its players were called to its court.
        Called = "called", "请到场", "Called";
        /// On.
        Playing = "playing", "进行中", "Playing";
        /// Over.
        Ended = "ended", "已结束", "Ended";
    }
}

words! {
    /// How a match ended.
    Outcome {
        /// Played to its end.
        Played = "played", "正常结束", "Played";
        /// A side never came.
        Walkover = "walkover", "弃权", "Walk-over";
        /// A side gave up.
        Retired = "retired", "退赛", "Retired";
        /// A side was put out.
        Disqualified = "disqualified", "取消资格", "Disqualified";
        /// It does not count.
        Void = "void", "作废", "Void";
    }
}

words! {
    /// A side of a match.
    Side {
        /// The first named.
        A = "a", "甲方", "A";
        /// The other.
        B = "b", "乙方", "B";
    }
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

words! {
    /// Who of an earlier match goes on.
    Takes {
        /// Its winner.
        Winner = "winner", "胜者", "Winner";
        /// Its loser, to the match for the third place.
        Loser = "loser", "负者", "Loser";
    }
}
