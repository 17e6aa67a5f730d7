//! What makes an event and its offers sound, and how an offer stands towards the clock.

use admission::{
    Millis,
    time::{DAY, HOUR, MINUTE},
};
use axum::http::StatusCode;
use jiff::tz::TimeZone;

use super::{Event, EventDraft, Offer, OfferDraft};
use crate::error::{Error, Refused, Result};

/// The kinds of event, with their names in Chinese and English.
pub const KINDS: [(&str, &str, &str); 4] = [
    ("contest", "比赛", "Contest"),
    ("voucher", "福利券", "Voucher"),
    ("fair", "招聘会", "Job fair"),
    ("activity", "活动", "Activity"),
];

/// The ten themes of an activity (domain.md §8, row 8).
pub const THEMES: [(&str, &str, &str); 10] = [
    ("training", "培训", "Training"),
    ("model_worker", "劳模宣讲", "Model workers"),
    ("skills", "技能", "Skills"),
    ("volunteering", "志愿", "Volunteering"),
    ("visit", "参观", "Visits"),
    ("employment", "就业", "Employment"),
    ("law", "普法", "Law"),
    ("fitness", "健身", "Fitness"),
    ("dating", "婚恋", "Dating"),
    ("reading", "读书", "Reading"),
];

/// No offer lets anybody bring more companions.
pub(crate) const GUESTS_MOST: i64 = 20;

/// How an offer stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Booking has not opened.
    NotOpen,
    /// It can be booked.
    Open,
    /// The unions' officers give its places; what is left opens later.
    Reserved,
    /// Every place is taken, or promised to those in line; one may join the line.
    Line,
    /// Every place is taken.
    SoldOut,
    /// Booking is over, or the event is.
    Closed,
    /// The event was cancelled.
    Cancelled,
}

impl Standing {
    /// The word in JSON and CSS.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotOpen => "not_open",
            Self::Open => "open",
            Self::Reserved => "reserved",
            Self::Line => "waiting_list",
            Self::SoldOut => "sold_out",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How `offer` of `event` stands at `now`.
#[must_use]
pub fn standing(event: &Event, offer: &Offer, now: Millis) -> Standing {
    standing_in(&event.status, event.ends_ms, offer, now)
}

/// The same, of an event of which no more is known than its status and its end.
#[must_use]
pub fn standing_in(status: &str, ends: Millis, offer: &Offer, now: Millis) -> Standing {
    if status == "cancelled" {
        Standing::Cancelled
    } else if offer.is_given() || status != "published" || now >= offer.closes_ms || now >= ends {
        Standing::Closed
    } else if now < offer.opens_ms {
        Standing::NotOpen
    } else if offer.is_reserved(now) {
        if offer.waiting_list { Standing::Line } else { Standing::Reserved }
    } else if matches!(offer.mode.as_str(), "draw" | "approval") {
        Standing::Open
    } else if offer.waiting_list && (offer.left() <= 0 || offer.waiting > 0) {
        Standing::Line
    } else if offer.left() <= 0 {
        Standing::SoldOut
    } else {
        Standing::Open
    }
}

/// Checks a draft of an event with all its offers.
///
/// # Errors
/// [`Error::Invalid`], naming the first field that is wrong.
pub fn check_event(draft: &EventDraft) -> Result<()> {
    first(event_faults(draft))?;
    draft.offers.iter().try_for_each(check_offer)
}

/// Checks a draft of an offer.
///
/// # Errors
/// [`Error::Invalid`], naming the first field that is wrong.
pub fn check_offer(draft: &OfferDraft) -> Result<()> {
    first(offer_faults(draft))
}

fn first(faults: Vec<Refused>) -> Result<()> {
    faults.into_iter().next().map_or(Ok(()), |refused| Err(Error::Invalid(refused)))
}

/// Everything that is wrong with the particulars of an event. The code names the field, or the rule between two.
#[must_use]
pub fn event_faults(draft: &EventDraft) -> Vec<Refused> {
    let themes: Vec<&str> = THEMES.iter().map(|(word, ..)| *word).collect();
    let faults = [
        one_of("kind", "类型", &draft.kind, &["contest", "voucher", "fair", "activity"]),
        one_of("status", "状态", &draft.status, &["draft", "published"]),
        draft.theme.as_deref().and_then(|theme| one_of("theme", "主题", theme, &themes)),
        text("title", "名称", &draft.title, 1, 80),
        text("place", "地点", &draft.place, 1, 120),
        text("entrance", "入口", &draft.entrance, 0, 40),
        text("poster", "海报文字", &draft.poster, 0, 5_000),
        moment("starts", draft.starts_ms),
        moment("ends", draft.ends_ms),
        (draft.ends_ms <= draft.starts_ms).then(|| {
            invalid(
                "ends_before_start",
                "结束时间必须晚于开始时间。",
                "The event must end after it starts.",
            )
        }),
        TimeZone::get(&draft.time_zone)
            .is_err()
            .then(|| invalid("time_zone", "没有这个时区。", "There is no such time zone.")),
    ];
    faults.into_iter().flatten().collect()
}

/// Everything that is wrong with the particulars of an offer. The code names the field, or the rule between two.
#[must_use]
pub fn offer_faults(draft: &OfferDraft) -> Vec<Refused> {
    let window = draft.valid_from_ms.zip(draft.valid_to_ms);
    let faults = [
        moment("opens", draft.opens_ms),
        moment("closes", draft.closes_ms),
        draft.cancel_until_ms.and_then(|until| moment("cancel_until", until)),
        flow_back_fault(draft),
        draft.valid_from_ms.and_then(|from| moment("valid_from", from)),
        draft.valid_to_ms.and_then(|to| moment("valid_to", to)),
        text("name", "名称", &draft.name, 1, 60),
        one_of("mode", "方式", &draft.mode, &["first_come", "draw", "approval", "allocation"]),
        one_of("eligibility", "对象", &draft.eligibility, &["members", "unions", "anyone"]),
        within("quota", "名额", draft.quota, 0, 1_000_000),
        within("per_person", "每人限额", draft.per_person, 1, 50),
        within("guests_max", "随行人数", draft.guests_max, 0, GUESTS_MOST),
        draft
            .floors
            .iter()
            .flatten()
            .find_map(|floor| within("floors", "保底名额", floor.places, 1, 1_000_000)),
        floors_fault(draft),
        within("uses", "可兑换次数", draft.uses, 1, 255),
        within("walk_ins", "现场名额", draft.walk_ins, 0, 1_000),
        walk_ins_fault(draft),
        within("weight_drives", "加权的次数", draft.weight_drives, 0, 20),
        within("accept_ms", "确认的时间", draft.accept_ms, MINUTE, 30 * DAY),
        draft.hold_ms.and_then(|ms| within("hold_ms", "保留的时间", ms, MINUTE, 30 * DAY)),
        within("contribution_cents", "每个名额的费用", draft.contribution_cents, 0, 10_000_000),
        draft.limit_event.and_then(|n| within("limit_event", "整场限额", n, 1, 1_000)),
        draft.limit_month.and_then(|n| within("limit_month", "每月限额", n, 1, 1_000)),
        draft.limit_year.and_then(|n| within("limit_year", "每年限额", n, 1, 1_000)),
        (draft.closes_ms <= draft.opens_ms).then(|| {
            invalid(
                "closes_before_open",
                "报名截止必须晚于报名开始。",
                "Booking must close after it opens.",
            )
        }),
        (draft.guests_max >= draft.per_person).then(|| {
            invalid(
                "guests_over_limit",
                "每人限额要包含本人和随行人员：请提高每人限额，或减少随行人数。",
                "The limit per person counts companions too: raise the limit or allow fewer companions.",
            )
        }),
        (draft.eligibility == "unions" && draft.unions.is_empty()).then(|| {
            invalid("unions", "请至少选择一家工会。", "Please choose at least one union.")
        }),
        window.filter(|(from, to)| to <= from).map(|_| empty_window()),
    ];
    faults.into_iter().flatten().chain(crate::voucher::batch::faults(draft)).collect()
}

/// Places set aside for unions are there, and are for people who may book.
fn floors_fault(draft: &OfferDraft) -> Option<Refused> {
    let floors = draft.floors.as_deref().filter(|_| draft.mode == "draw")?;
    let sum: i64 = floors.iter().map(|floor| floor.places).fold(0, i64::saturating_add);
    if sum > draft.quota {
        let quota = draft.quota;
        return Some(invalid(
            "floors",
            format!("保底名额合计 {sum} 个，比名额 {quota} 个多。"),
            format!("{sum} places are set aside in all; the offer has {quota}."),
        ));
    }
    let invited = |union| draft.eligibility != "unions" || draft.unions.contains(union);
    (!floors.iter().all(|floor| invited(&floor.union))).then(|| {
        invalid(
            "floors",
            "有保底名额的工会不在可以报名的工会里，请先勾选它，或去掉它的保底。",
            "A union with places set aside is not among those whose members may book.",
        )
    })
}

/// A gate gives its places to any member, also while it is alone: it knows nothing of unions, of draws, of what somebody
/// holds at other events, and takes no money.
fn walk_ins_fault(draft: &OfferDraft) -> Option<Refused> {
    let (zh, en) = match draft.mode.as_str() {
        _ if draft.walk_ins <= 0 => return None,
        "allocation" => (
            "分到各工会的名额不能再设现场名额，不然会占用工会的份额。请另加一个「先到先得」的名额给现场。",
            "Places divided among unions cannot be lent to gates too: a gate would give away a union's share. Add a first-come offer for walk-ins.",
        ),
        "draw" => (
            "抽签的名额不能再设现场名额，不然会从报名的人那里拿走。请另加一个「先到先得」的名额给现场。",
            "Places that are drawn cannot be lent to gates too: a gate would take them from those who entered. Add a first-come offer for walk-ins.",
        ),
        _ if draft.eligibility == "unions" => (
            "入口断网时不知道来的人属于哪个工会，所以指定工会的名额不能设现场名额。请另加一个面向会员的名额给现场。",
            "A gate without a network does not know who belongs to which union, so places for certain unions cannot be lent to it. Add an offer for all members for walk-ins.",
        ),
        _ if draft.limit_month.is_some() || draft.limit_year.is_some() => (
            "入口断网时查不到每月、每年的限额，所以有这种限额的名额不能设现场名额。请另加一个名额给现场。",
            "A gate without a network cannot count what somebody has had this month or year, so places with such a limit cannot be lent to it. Add another offer for walk-ins.",
        ),
        _ if draft.contribution_cents > 0 => (
            "入口不收费，现场发的票没有交费也能进，所以要交费的名额不能设现场名额。请另加一个免费的名额给现场，或请人到服务台报名交费。",
            "A gate takes no money and would let people in unpaid, so places with a contribution cannot be lent to it. Add a free offer for walk-ins, or have people book and pay at the service desk.",
        ),
        _ => return None,
    };
    Some(invalid("walk_ins", zh, en))
}

/// When the unions' places flow back is said from the beginning, and lies within the time of booking.
fn flow_back_fault(draft: &OfferDraft) -> Option<Refused> {
    let sound = |flow_back| draft.opens_ms < flow_back && flow_back <= draft.closes_ms;
    (draft.mode == "allocation" && !draft.flow_back_ms.is_some_and(sound)).then(|| {
        invalid(
            "flow_back",
            "请填放出时间：在报名开始以后、截止以前。到时没指定完的名额给所有可以报名的人。",
            "Please say when places that the unions did not give are open to everybody: after booking opens, not after it closes.",
        )
    })
}

/// The admission window and the cancellation limit of a draft, with the defaults filled in.
///
/// # Errors
/// [`Error::Invalid`] when the window would be empty.
pub fn windows(
    draft: &OfferDraft,
    starts: Millis,
    ends: Millis,
) -> Result<(Millis, Millis, Millis)> {
    let from = draft.valid_from_ms.map_or(starts.plus(-HOUR), Millis);
    let to = draft.valid_to_ms.map_or(ends, Millis);
    if to <= from {
        return Err(Error::Invalid(empty_window()));
    }
    Ok((from, to, draft.cancel_until_ms.map_or(from, Millis)))
}

fn empty_window() -> Refused {
    invalid("valid_to", "入场结束必须晚于入场开始。", "Admission must end after it begins.")
}

pub(crate) fn text(
    field: &'static str,
    zh: &str,
    value: &str,
    min: usize,
    max: usize,
) -> Option<Refused> {
    let length = value.trim().chars().count();
    if length == 0 && min > 0 {
        let (zh, en) = (format!("请填写{zh}。"), format!("Please fill in “{field}”."));
        return Some(invalid(field, zh, en));
    }
    (!(min..=max).contains(&length)).then(|| {
        invalid(
            field,
            format!("「{zh}」要有 {min} 到 {max} 个字，现在是 {length} 个。"),
            format!("“{field}” takes {min} to {max} characters; it has {length}."),
        )
    })
}

/// A ticket code carries times in 32 bits of seconds, which end in 2106.
fn moment(field: &'static str, ms: i64) -> Option<Refused> {
    const YEAR_2100: i64 = 4_102_444_800_000;
    (!(0..YEAR_2100).contains(&ms)).then(|| {
        invalid(
            field,
            "时间要在 1970 年到 2099 年之间。",
            format!("The time “{field}” must be between 1970 and 2099."),
        )
    })
}

pub(crate) fn within(
    field: &'static str,
    zh: &str,
    value: i64,
    min: i64,
    max: i64,
) -> Option<Refused> {
    (!(min..=max).contains(&value)).then(|| {
        invalid(
            field,
            format!("「{zh}」要在 {min} 到 {max} 之间。"),
            format!("“{field}” must be between {min} and {max}."),
        )
    })
}

fn one_of(field: &'static str, zh: &str, value: &str, known: &[&str]) -> Option<Refused> {
    (!known.contains(&value)).then(|| {
        invalid(
            field,
            format!("「{zh}」只能是：{}。", known.join("、")),
            format!("“{field}” must be one of: {}.", known.join(", ")),
        )
    })
}

pub(crate) fn invalid(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, code, zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FloorDraft;

    fn offer() -> OfferDraft {
        OfferDraft::plain("单打", 52, 0, 1)
    }

    #[test]
    fn all_faults_of_an_offer_are_named_at_once() {
        assert!(offer_faults(&offer()).is_empty());
        let faulty = OfferDraft {
            name: String::new(),
            closes_ms: 0,
            guests_max: 1,
            eligibility: "unions".to_owned(),
            ..offer()
        };
        let lent = OfferDraft {
            mode: "allocation".to_owned(),
            flow_back_ms: Some(1),
            walk_ins: 3,
            ..offer()
        };
        let ballot = OfferDraft { mode: "draw".to_owned(), ..offer() };
        let unions = vec!["a".to_owned()];
        for lent in [
            lent,
            OfferDraft { walk_ins: 3, ..ballot.clone() },
            OfferDraft { walk_ins: 3, eligibility: "unions".to_owned(), unions, ..offer() },
            OfferDraft { walk_ins: 3, limit_month: Some(1), ..offer() },
            OfferDraft { walk_ins: 3, limit_year: Some(1), ..offer() },
            OfferDraft { walk_ins: 3, contribution_cents: 500, ..offer() },
        ] {
            let codes: Vec<&str> = offer_faults(&lent).iter().map(|fault| fault.code).collect();
            assert_eq!(codes, ["walk_ins"], "a gate would give what it must not: {lent:?}");
        }
        let floor = |union: &str, places| FloorDraft { union: union.to_owned(), places };
        for (floors, sound) in [
            (vec![floor("a", 50), floor("b", 2)], true),
            (vec![floor("a", 50), floor("b", 3)], false),
            (vec![floor("a", 0)], false),
        ] {
            let draft = OfferDraft { floors: Some(floors), ..ballot.clone() };
            assert_eq!(offer_faults(&draft).is_empty(), sound, "{:?}", draft.floors);
        }
        let never = OfferDraft { opens_ms: i64::MIN, valid_to_ms: Some(i64::MAX), ..offer() };
        let codes: Vec<&str> = offer_faults(&never).iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["opens", "valid_to"]);
        let codes: Vec<&str> = offer_faults(&faulty).iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["name", "closes_before_open", "guests_over_limit", "unions"]);
    }
}
