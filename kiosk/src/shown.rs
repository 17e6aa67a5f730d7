//! What a scan led to, as the screen and the machine-readable line tell it.

use admission::{
    Refusal, Verdict,
    decide::{Reason, StationKind},
    say::{self, Lang, Words},
    scan::Trust,
    sync::CallNumber,
    ticket::TicketId,
    time::{Millis, SECOND},
};
use jiff::tz::TimeZone;
use serde::Serialize;

/// What is shown after one scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `<kiosk id>-<seq>`; none when nothing was decided.
    pub scan: Option<String>,
    /// What is done at the station.
    pub kind: StationKind,
    /// What happened.
    pub outcome: Outcome,
    /// On what knowledge.
    pub trust: Trust,
    /// The holder's name, masked.
    pub holder: Option<String>,
    /// A walker's number, or a seat.
    pub place: Option<String>,
    /// The name of what was booked.
    pub offer: Option<String>,
    /// How often it may still be redeemed; none where that is not counted.
    pub left: Option<u8>,
    /// Which tickets the holder may choose from.
    pub choices: Vec<Choice>,
    /// The ticket that staff let in from the list once they have looked at who holds it.
    pub glance: Option<TicketId>,
    /// The number that the holder took at a desk.
    pub number: Option<CallNumber>,
    /// Whether the holder is asked to let the stand have their name and phone.
    pub asks_consent: bool,
    /// The kiosk's clock at the scan.
    pub at: Millis,
    /// Microseconds from the scan to the durable verdict.
    pub decide_us: u64,
}

/// A ticket that the holder may choose at a counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Which.
    pub ticket: TicketId,
    /// What was booked.
    pub offer: String,
    /// How often it may still be redeemed.
    pub left: u8,
    /// How often in all.
    pub of: u8,
}

/// What came of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided, and stands in the journal.
    Decided(Verdict, Option<Note>),
    /// It was not decided, and why.
    Closed(Closed),
    /// Something was shown, and not read.
    Unread(Unread),
}

/// What a reason of [`admission`] does not say by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The card key is not at hand, so no card can be looked up now.
    CardsLocked,
    /// A bank card, but no union card.
    NotAUnionCard,
    /// A member without a ticket was given a place.
    WalkIn,
    /// An earlier admission was taken back.
    TakenBack,
    /// The holder lets the stand have their name and phone.
    Consented,
    /// The holder does not.
    Declined,
}

/// Why something that was shown was not read. Nobody is refused by it, and nothing recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// A part of a ticket code.
    Code,
    /// A swipe that was too slow, too fast, or askew.
    Swipe,
    /// A card that was taken away before it had told its number.
    CardGone,
    /// A card whose chip does not answer: turned over, or broken.
    MuteCard,
    /// A card that is none of UnionPay's, or tells no number.
    NoUnionCard,
}

impl Unread {
    /// What the holder does next.
    #[must_use]
    pub fn words(self, lang: Lang) -> Words {
        let (headline, next) = match self {
            Self::Code => (
                lang.pick("请再扫一次", "Please scan again"),
                lang.pick(
                    "二维码没有读全。请对准扫码口，停一秒再拿开。",
                    "The code was read in part. Hold it still in front of the scanner for a second.",
                ),
            ),
            Self::Swipe => (
                lang.pick("请再刷一次", "Please swipe again"),
                lang.pick(
                    "卡没有读出来。请贴紧卡槽，匀速刷过，或出示票二维码。",
                    "The card was not read. Swipe it straight, at an even speed, or show the ticket code.",
                ),
            ),
            Self::CardGone => (
                lang.pick("请再刷一次", "Please try again"),
                lang.pick(
                    "卡拿开得太早。请把卡放稳，看到结果再拿开。",
                    "The card was taken away too early. Hold it still until you see the result.",
                ),
            ),
            Self::MuteCard => (
                lang.pick("请再刷一次", "Please try again"),
                lang.pick(
                    "读不到芯片。请把卡翻面再试，或出示票二维码。",
                    "The chip does not answer. Turn the card over, or show the ticket code.",
                ),
            ),
            Self::NoUnionCard => return Note::NotAUnionCard.words(lang),
        };
        Words { headline: headline.to_owned(), next: next.to_owned() }
    }
}

/// Why a kiosk decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// It has never heard from its server what it serves.
    NotReady,
    /// Its journal cannot be written, so no green may be shown.
    OutOfOrder,
    /// The organizer revoked it.
    Locked,
}

impl Closed {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::OutOfOrder => "out_of_order",
            Self::Locked => "locked",
        }
    }

    /// What people at the kiosk are told.
    #[must_use]
    pub fn words(self, lang: Lang) -> Words {
        let (headline, next) = match self {
            Self::NotReady => (
                lang.pick("正在准备", "Getting ready"),
                lang.pick(
                    "正在从服务器取得本场活动的资料，请稍候。",
                    "Fetching this event from the server. One moment, please.",
                ),
            ),
            Self::OutOfOrder => (
                lang.pick("暂停使用", "Out of order"),
                lang.pick(
                    "本机无法保存记录，请走旁边的通道。工作人员：请检查磁盘空间。",
                    "Records cannot be saved here. Please use the next lane. Staff: check the disk space.",
                ),
            ),
            Self::Locked => (
                lang.pick("已停用", "Locked"),
                lang.pick(
                    "本机已被主办方停用，请走旁边的通道。",
                    "The organizer has locked this kiosk. Please use the next lane.",
                ),
            ),
        };
        Words { headline: headline.to_owned(), next: next.to_owned() }
    }
}

impl Shown {
    /// `admitted`, `refused` or `attention`. What was not decided is never `admitted`.
    #[must_use]
    pub const fn verdict_word(&self) -> &'static str {
        match &self.outcome {
            Outcome::Decided(verdict, _) => verdict.word(),
            Outcome::Closed(_) | Outcome::Unread(_) => "attention",
        }
    }

    /// The reason of a refusal or of the call for attention.
    #[must_use]
    pub fn reason_word(&self) -> Option<&'static str> {
        match &self.outcome {
            Outcome::Decided(verdict, _) => verdict.reason().map(Reason::word),
            Outcome::Closed(closed) => Some(closed.word()),
            Outcome::Unread(_) => Some("unread"),
        }
    }

    /// What the holder is told, with times as clocks in `zone` show them at `now`.
    #[must_use]
    pub fn words(&self, lang: Lang, now: Millis, zone: &TimeZone) -> Words {
        match &self.outcome {
            Outcome::Closed(closed) => closed.words(lang),
            Outcome::Unread(unread) => unread.words(lang),
            Outcome::Decided(_, Some(note)) => note.words(lang),
            Outcome::Decided(_, None) if !self.choices.is_empty() => Words {
                headline: lang.pick("选一张", "Which one?").to_owned(),
                next: lang
                    .pick("您有几张可用的票，请点要用的那张。", "Please tap the ticket to use.")
                    .to_owned(),
            },
            Outcome::Decided(Verdict::Admitted, None) if self.number.is_some() => {
                let number = self.number.as_ref();
                Words {
                    headline: number.map(|number| number.label.clone()).unwrap_or_default(),
                    next: number.map(|number| wait(number, lang)).unwrap_or_default(),
                }
            }
            Outcome::Decided(Verdict::Admitted, None) => Words {
                headline: say::passed(self.kind, lang).to_owned(),
                next: self.left.map_or(String::new(), |left| match lang {
                    Lang::Zh => format!("还可以使用 {left} 次"),
                    Lang::En => format!("{left} more"),
                }),
            },
            Outcome::Decided(verdict, None) => say::tell_at(self.kind, verdict, lang, now, zone),
        }
    }

    /// Whether it was shown in a drill: decided, but under no scan.
    #[must_use]
    pub const fn is_practice(&self) -> bool {
        self.scan.is_none() && matches!(self.outcome, Outcome::Decided(..))
    }

    /// How long it stays on the screen.
    #[must_use]
    pub const fn stays_ms(&self) -> i64 {
        match &self.outcome {
            // Whoever has to choose needs time to read.
            _ if self.asks_consent || !self.choices.is_empty() => 20 * SECOND,
            // And whoever has to look for an ID.
            Outcome::Decided(Verdict::Attention(_), _) if self.glance.is_some() => 20 * SECOND,
            Outcome::Decided(Verdict::Admitted, _) if self.number.is_none() => 3 * SECOND,
            _ => 6 * SECOND,
        }
    }

    /// One line for a machine: `{"scan","verdict","reason","trust","holder","at_ms","decide_us"}`.
    ///
    /// # Panics
    /// Never: it is plain data.
    #[must_use]
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            scan: Option<&'a str>,
            verdict: &'a str,
            reason: Option<&'a str>,
            trust: String,
            holder: Option<&'a str>,
            at_ms: Millis,
            decide_us: u64,
        }
        serde_json::to_string(&Line {
            scan: self.scan.as_deref(),
            verdict: self.verdict_word(),
            reason: self.reason_word(),
            trust: self.trust.label(Lang::En),
            holder: self.holder.as_deref(),
            at_ms: self.at,
            decide_us: self.decide_us,
        })
        .expect("a line is plain data")
    }
}

/// What somebody with a call number is told.
pub(crate) fn wait(number: &CallNumber, lang: Lang) -> String {
    match number.called {
        true => lang.pick("轮到您了，请过去", "It is your turn: please go").to_owned(),
        false => say::queue(number.before, number.wait, lang),
    }
}

impl Note {
    /// The verdict that goes into the journal with this note.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::CardsLocked => Verdict::Attention(Refusal::UnknownCard),
            Self::NotAUnionCard => Verdict::Refused(Refusal::UnknownCard),
            Self::WalkIn => Verdict::Admitted,
            // An entry about another entry decides nothing.
            Self::TakenBack | Self::Consented | Self::Declined => {
                Verdict::Attention(Refusal::Unknown)
            }
        }
    }

    fn words(self, lang: Lang) -> Words {
        let (headline, next) = match self {
            Self::CardsLocked => (
                lang.pick("请人工核对", "Please ask staff"),
                lang.pick(
                    "本机现在不能读卡。请出示票二维码，或请工作人员核对。",
                    "Cards cannot be read here right now. Please show the ticket code, or ask the staff.",
                ),
            ),
            Self::NotAUnionCard => (
                lang.pick("不是京卡", "Not a union card"),
                lang.pick(
                    "请刷工会会员京卡，或出示票二维码。",
                    "Please swipe the union membership card, or show the ticket code.",
                ),
            ),
            Self::WalkIn => (
                lang.pick("请进", "Welcome"),
                lang.pick("已为您安排现场名额。", "You were given a place at the door."),
            ),
            Self::TakenBack => (
                lang.pick("已撤销", "Taken back"),
                lang.pick("这张票可以再次使用。", "The ticket can be used again."),
            ),
            Self::Consented => (
                lang.pick("谢谢", "Thank you"),
                lang.pick("对方可以看到您的姓名和电话。", "They may see your name and phone."),
            ),
            Self::Declined => (
                lang.pick("好的", "All right"),
                lang.pick("您的姓名和电话不会给对方。", "They get neither name nor phone."),
            ),
        };
        Words { headline: headline.to_owned(), next: next.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(outcome: Outcome) -> Shown {
        Shown {
            scan: Some("k-7".into()),
            kind: StationKind::Gate,
            outcome,
            trust: Trust::Live,
            holder: Some("王*明".into()),
            place: None,
            offer: None,
            left: None,
            choices: Vec::new(),
            glance: None,
            number: None,
            asks_consent: false,
            at: Millis(1_000),
            decide_us: 840,
        }
    }

    #[test]
    fn a_line_has_the_fields_of_the_design_in_order() {
        assert_eq!(
            shown(Outcome::Decided(Verdict::Admitted, None)).line(),
            r#"{"scan":"k-7","verdict":"admitted","reason":null,"trust":"live","holder":"王*明","at_ms":1000,"decide_us":840}"#
        );
    }

    #[test]
    fn a_call_number_is_the_headline_and_the_wait_is_told_as_it_is() {
        let told = |called, before, wait| {
            let number = CallNumber { label: "A12".to_owned(), called, before, wait };
            let admitted = Outcome::Decided(Verdict::Admitted, None);
            let shown = Shown { kind: StationKind::Desk, number: Some(number), ..shown(admitted) };
            let words = shown.words(Lang::Zh, Millis(1_000), &TimeZone::UTC);
            assert_eq!(words.headline, "A12");
            assert_eq!(shown.stays_ms(), 6_000, "there is more to read");
            words.next
        };
        assert_eq!(told(false, 4, Some((20, 32))), "前面 4 人在等，大约要等 20–32 分钟");
        assert_eq!(told(false, 1, None), "前面 1 人在等，刚开始，还说不准要等多久");
        assert_eq!(told(false, 0, Some((0, 0))), "前面没有人等，现在就可以过去");
        assert_eq!(told(true, 0, None), "轮到您了，请过去");
    }

    #[test]
    fn what_was_not_decided_is_never_admitted() {
        for closed in [Closed::NotReady, Closed::OutOfOrder, Closed::Locked] {
            let shown = shown(Outcome::Closed(closed));
            assert_eq!(shown.verdict_word(), "attention");
            assert_eq!(shown.reason_word(), Some(closed.word()));
        }
    }

    #[test]
    fn green_goes_after_three_seconds_and_the_rest_after_six() {
        assert_eq!(shown(Outcome::Decided(Verdict::Admitted, None)).stays_ms(), 3_000);
        let note = Note::NotAUnionCard;
        assert_eq!(shown(Outcome::Decided(note.verdict(), Some(note))).stays_ms(), 6_000);
        assert_eq!(shown(Outcome::Closed(Closed::OutOfOrder)).stays_ms(), 6_000);
    }
}
