//! What people at the door are told: what happened, and what to do next. Chinese and English.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    decide::{Reason, Refusal, StationKind, Verdict},
    time::{DAY, HOUR, MINUTE, Millis},
};

/// A language people are spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// Simplified Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// Whichever of the two texts is in this language.
    #[must_use]
    pub const fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The tag for HTML's `lang`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.pick("zh-CN", "en")
    }
}

/// A verdict in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Two to six characters, read at three metres: 请进, 已使用.
    pub headline: String,
    /// One sentence that says what to do and ends the argument.
    pub next: String,
}

/// Puts `verdict` in words, with times as people at the door in `zone` say them at `now`.
#[must_use]
pub fn tell(verdict: &Verdict, lang: Lang, now: Millis, zone: &TimeZone) -> Words {
    tell_at(StationKind::Gate, verdict, lang, now, zone)
}

/// The same at a station of that kind: at a counter a ticket is a voucher.
#[must_use]
pub fn tell_at(
    kind: StationKind,
    verdict: &Verdict,
    lang: Lang,
    now: Millis,
    zone: &TimeZone,
) -> Words {
    let (headline, next) = match verdict {
        Verdict::Admitted => (passed(kind, lang).to_owned(), String::new()),
        Verdict::Refused(refusal) | Verdict::Attention(refusal)
            if kind == StationKind::Counter && voucher_step(refusal, lang, now, zone).is_some() =>
        {
            let headline = match refusal.reason() {
                Reason::TooLate => lang.pick("已过期", "Expired"),
                Reason::AlreadyUsed => lang.pick("已用完", "Used up"),
                reason => headline(reason, lang),
            };
            (headline.to_owned(), voucher_step(refusal, lang, now, zone).unwrap_or_default())
        }
        Verdict::Refused(refusal) | Verdict::Attention(refusal) => {
            (headline(refusal.reason(), lang).to_owned(), next_step(refusal, lang, now, zone))
        }
    };
    Words { headline, next }
}

/// What somebody is told whom a station of that kind let pass.
#[must_use]
pub const fn passed(kind: StationKind, lang: Lang) -> &'static str {
    match kind {
        StationKind::Gate => lang.pick("请进", "Welcome"),
        StationKind::Exit => lang.pick("慢走", "Goodbye"),
        StationKind::Counter => lang.pick("核销成功", "Redeemed"),
        StationKind::Booth | StationKind::Desk => lang.pick("已登记", "Noted"),
        StationKind::Checkpoint => lang.pick("已打卡", "Passed"),
    }
}

/// How long somebody waits at a desk who has `before` people before them: `wait` in minutes, from and to, or not known.
#[must_use]
pub fn queue(before: u32, wait: Option<(u32, u32)>, lang: Lang) -> String {
    let ahead = match (before, lang) {
        (0, _) => lang.pick("前面没有人等", "nobody waits before you").to_owned(),
        (n, Lang::Zh) => format!("前面 {n} 人在等"),
        (n, Lang::En) => format!("{n} wait before you"),
    };
    let told = match (wait, lang) {
        (None, _) => {
            lang.pick("刚开始，还说不准要等多久", "too early to tell how long it takes").to_owned()
        }
        (Some((_, 0)), _) => lang.pick("现在就可以过去", "you can go now").to_owned(),
        (Some((from, to)), Lang::Zh) if from == to => format!("大约要等 {to} 分钟"),
        (Some((from, to)), Lang::En) if from == to => format!("about {to} min"),
        (Some((from, to)), Lang::Zh) => format!("大约要等 {from}–{to} 分钟"),
        (Some((from, to)), Lang::En) => format!("about {from}–{to} min"),
    };
    format!("{ahead}{}{told}", lang.pick("，", ", "))
}

/// What a visitor of a fair agrees to, word for word the same on their phone and on a stand's kiosk.
pub const CONSENT: (&str, &str) = (
    "同意把我的姓名、手机号，以及我填写的学历和求职意向，给这家单位用于招聘联系。我随时可以撤回。",
    "This employer may see my name, my number, and the education and wish I wrote down, to contact me about work. I may take this back at any time.",
);

/// The short name of a reason, also for tables and charts.
#[must_use]
pub const fn headline(reason: Reason, lang: Lang) -> &'static str {
    match reason {
        Reason::Unknown => lang.pick("无法识别", "Not recognised"),
        Reason::Forged => lang.pick("票码无效", "Not a valid ticket"),
        Reason::Revoked => lang.pick("票已换新", "Replaced ticket"),
        Reason::Cancelled => lang.pick("已取消", "Cancelled"),
        Reason::Unpaid => lang.pick("尚未缴费", "Not paid yet"),
        Reason::Unapproved => lang.pick("尚未审核", "Not approved yet"),
        Reason::WrongEvent => lang.pick("不是本场", "Another event"),
        Reason::WrongStation => lang.pick("不在此处", "Another station"),
        Reason::TooEarly => lang.pick("还没开始", "Too early"),
        Reason::TooLate => lang.pick("已经结束", "Too late"),
        Reason::NotToday => lang.pick("今天不可用", "Not today"),
        Reason::AlreadyUsed => lang.pick("已使用", "Already used"),
        Reason::StaleCode => lang.pick("截图无效", "Screenshot"),
        Reason::ShowId => lang.pick("请看证件", "Check ID"),
        Reason::UnknownCard => lang.pick("无此卡", "Unknown card"),
        Reason::BlockedCard => lang.pick("卡已挂失", "Blocked card"),
        Reason::NotBooked => lang.pick("没有报名", "Not booked"),
        Reason::Full => lang.pick("人数已满", "Full"),
        Reason::OutOfStock => lang.pick("这里领完了", "None left here"),
        Reason::Ambiguous => lang.pick("不止一张票", "Several tickets"),
    }
}

fn next_step(refusal: &Refusal, lang: Lang, now: Millis, zone: &TimeZone) -> String {
    match refusal {
        Refusal::TooEarly { opens_at } => {
            let (at, wait) = (at(*opens_at, lang, now, zone), lasting(opens_at.since(now), lang));
            match lang {
                Lang::Zh => format!("{at} 起入场，还有{wait}，请到时再来。"),
                Lang::En => format!("Admission begins {at}, in {wait}. Please come back then."),
            }
        }
        Refusal::TooLate { closed_at } => {
            let at = at(*closed_at, lang, now, zone);
            match lang {
                Lang::Zh => format!("入场已于{at} 结束，请联系现场负责人。"),
                Lang::En => format!("Admission ended {at}. Please ask the person in charge."),
            }
        }
        Refusal::AlreadyUsed { at: used, station } => {
            let at = at(*used, lang, now, zone);
            match lang {
                Lang::Zh => {
                    format!("此票已于{at} 在「{station}」使用。如非本人，请到服务台核对身份。")
                }
                Lang::En => format!(
                    "Used {at} at {station}. If that was not you, please go to the service desk."
                ),
            }
        }
        Refusal::OutOfStock { elsewhere } if !elsewhere.is_empty() => match lang {
            Lang::Zh => format!("「{elsewhere}」还有，请到那里领，凭同一张票或京卡。"),
            Lang::En => format!(
                "There is some left at {elsewhere}. Please collect it there with the same ticket or card."
            ),
        },
        Refusal::NotToday { weekdays, closed, next } => {
            not_today((*weekdays, *closed, *next), lang, now, zone)
        }
        other => fixed_step(other.reason(), lang).to_owned(),
    }
}

/// What the holder of a voucher does next, where it is not what the holder of a ticket does.
fn voucher_step(refusal: &Refusal, lang: Lang, now: Millis, zone: &TimeZone) -> Option<String> {
    let at = |moment| at(moment, lang, now, zone);
    Some(match (refusal, lang) {
        (Refusal::TooEarly { opens_at }, Lang::Zh) => {
            format!("此券从{} 起可用，请到时再来。", at(*opens_at))
        }
        (Refusal::TooEarly { opens_at }, Lang::En) => {
            format!("Good from {}. Please come back then.", at(*opens_at))
        }
        (Refusal::TooLate { closed_at }, Lang::Zh) => {
            format!("此券有效期到{} 为止，不能再用。", at(*closed_at))
        }
        (Refusal::TooLate { closed_at }, Lang::En) => {
            format!("It was good until {} and cannot be used any more.", at(*closed_at))
        }
        (Refusal::AlreadyUsed { at: used, station }, Lang::Zh) => {
            format!("次数已用完，最后一次是{} 在「{station}」。如非本人，请联系工会。", at(*used))
        }
        (Refusal::AlreadyUsed { at: used, station }, Lang::En) => {
            format!(
                "All uses are spent, the last {} at {station}. If that was not you, please ask your union.",
                at(*used)
            )
        }
        (Refusal::WrongStation, _) => lang
            .pick(
                "此券不在这里使用，请看券面上的场馆。",
                "It is used at another venue; see the voucher.",
            )
            .to_owned(),
        (Refusal::Cancelled, _) => lang
            .pick(
                "此券已取消，不能使用。如有疑问请联系工会。",
                "It was cancelled. If you have a question, please ask your union.",
            )
            .to_owned(),
        (Refusal::StaleCode, _) => lang
            .pick(
                "截图不能使用，请打开手机上的券页面出示。打不开的，请出示证件。",
                "A screenshot is not taken. Please open the voucher's page itself; if it does not open, show an ID.",
            )
            .to_owned(),
        (Refusal::ShowId, _) => lang
            .pick(
                "请出示证件。工作人员核对姓名后核销。",
                "Please show an ID. Staff compare the name, and redeem it.",
            )
            .to_owned(),
        (Refusal::Unpaid, _) => lang
            .pick("请先向工会缴费，再来使用。", "Please pay the contribution to the union first.")
            .to_owned(),
        _ => return None,
    })
}

/// 周一至周五, 周六、周日: the days of the week of a mask, as people say them.
#[must_use]
pub fn weekdays(mask: u8, lang: Lang) -> String {
    const ZH: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
    const EN: [&str; 7] =
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let names = match lang {
        Lang::Zh => ZH,
        Lang::En => EN,
    };
    let mut parts = Vec::new();
    let mut day = 0;
    while day < 7 {
        let run = (day..7).take_while(|day| mask >> day & 1 == 1).count();
        match run {
            0 => {}
            1 | 2 => parts.extend(names[day..day + run].iter().map(|name| (*name).to_owned())),
            _ => parts.push(match lang {
                Lang::Zh => format!("{}至{}", names[day], names[day + run - 1]),
                Lang::En => format!("{} to {}", names[day], names[day + run - 1]),
            }),
        }
        day += run.max(1);
    }
    parts.join(lang.pick("、", ", "))
}

/// 3月8日 周一: a day, with its year when it is another one than now.
fn day(moment: Millis, lang: Lang, now: Millis, zone: &TimeZone) -> String {
    let (moment, now) = (zoned(moment, zone), zoned(now, zone));
    let weekday = weekdays(1 << moment.weekday().to_monday_zero_offset(), lang);
    match (lang, moment.year() == now.year()) {
        (Lang::Zh, true) => format!("{}月{}日 {weekday}", moment.month(), moment.day()),
        (Lang::Zh, false) => {
            format!("{}年{}月{}日 {weekday}", moment.year(), moment.month(), moment.day())
        }
        (Lang::En, true) => format!("{weekday} {}", moment.strftime("%-d %B")),
        (Lang::En, false) => format!("{weekday} {}", moment.strftime("%-d %B %Y")),
    }
}

/// 周末不可用，请周一至周五来。下一个可用日：3月8日 周一。
fn not_today(
    (mask, closed, next): (u8, bool, Option<Millis>),
    lang: Lang,
    now: Millis,
    zone: &TimeZone,
) -> String {
    let today = zoned(now, zone).weekday().to_monday_zero_offset();
    let weekend = today >= 5 && mask & 0b110_0000 == 0;
    let open = weekdays(mask, lang);
    let next = next.map(|next| day(next, lang, now, zone));
    match lang {
        Lang::Zh => {
            let why = match (closed, weekend) {
                (true, _) => "今天是节假日，不可用".to_owned(),
                (_, true) => "周末不可用".to_owned(),
                _ => format!("{}不可用", weekdays(1 << today, lang)),
            };
            match next {
                Some(next) => format!("{why}，请{open}来。下一个可用日：{next}。"),
                None => format!("{why}，有效期内没有可用的日子了，请联系工会。"),
            }
        }
        Lang::En => {
            let why = match (closed, weekend) {
                (true, _) => "Not on this holiday".to_owned(),
                (_, true) => "Not on weekends".to_owned(),
                _ => format!("Not on {}", weekdays(1 << today, lang)),
            };
            match next {
                Some(next) => format!("{why}; please come {open}. The next day is {next}."),
                None => {
                    format!("{why}, and no day is left while it is good. Please ask your union.")
                }
            }
        }
    }
}

const fn fixed_step(reason: Reason, lang: Lang) -> &'static str {
    match reason {
        Reason::Unknown => {
            lang.pick("请出示本活动的票二维码，或刷京卡。", "Please show this event's ticket code, or swipe the union card.")
        }
        Reason::Forged => lang.pick(
            "这不是本系统签发的票。请打开「我的票」重新出示，或到服务台查询。",
            "This code was not issued by us. Please open “My tickets” and show it again, or ask at the service desk.",
        ),
        Reason::Revoked => lang.pick("此票已换发，请打开「我的票」出示新的二维码。", "A newer code was issued. Please open “My tickets” and show that one."),
        Reason::Cancelled => lang.pick("此票已取消，不能入场。如有疑问请到服务台查询。", "This ticket was cancelled. Please ask at the service desk."),
        Reason::Unpaid => lang.pick("请先到服务台缴费，再来入场。", "Please pay at the service desk first."),
        Reason::Unapproved => lang.pick("报名还在审核，请到服务台查询。", "The organizer has not approved this yet. Please ask at the service desk."),
        Reason::WrongEvent => lang.pick("这是另一场活动的票，请看票面上的时间和地点。", "This ticket is for another event. Please check its time and place."),
        Reason::WrongStation => lang.pick("此票不在这里使用，请看票面上的入口。", "This ticket is used elsewhere. Please check its entrance."),
        Reason::StaleCode => lang.pick("截图不能入场，请打开手机上的票页面出示。打不开的，请到服务台核对证件。", "A screenshot does not admit. Please open the ticket page itself; if it does not open, show an ID at the service desk."),
        Reason::ShowId => lang.pick("请出示证件。工作人员核对姓名后，从名单放行。", "Please show an ID. Staff compare the name, and let you in from the list."),
        Reason::UnknownCard => lang.pick("这张卡不在会员名册里。请出示票二维码，或到服务台登记。", "This card is not on the roster. Please show the ticket code, or go to the service desk."),
        Reason::BlockedCard => lang.pick("这张卡已停用。请出示票二维码，或到服务台办理。", "This card is blocked. Please show the ticket code, or go to the service desk."),
        Reason::NotBooked => lang.pick("这位会员没有报名本活动，请到服务台看是否还有名额。", "This member has no ticket for this event. Please ask at the service desk for a place."),
        Reason::Full => lang.pick("场内已到核定人数，请等有人离场。", "The venue is at its approved size. Please wait until somebody leaves."),
        Reason::OutOfStock => lang.pick("各领取点暂时都领完了，请到服务台登记，到货后通知您。", "No pick-up point has any left. Please leave your name at the service desk."),
        Reason::Ambiguous => lang.pick("名下有多张票，请出示要用的那张二维码。", "Several tickets fit. Please show the code of the one to use."),
        // These carry a time and are told in `next_step`.
        Reason::TooEarly | Reason::TooLate | Reason::NotToday | Reason::AlreadyUsed => "",
    }
}

/// A moment as people say it: 今天 14:00, 明天 9:30, 3月5日 14:00.
#[must_use]
pub fn at(moment: Millis, lang: Lang, now: Millis, zone: &TimeZone) -> String {
    let (moment, now) = (zoned(moment, zone), zoned(now, zone));
    let clock = format!("{}:{:02}", moment.hour(), moment.minute());
    let same_year = moment.year() == now.year();
    let days = (moment.date() - now.date()).get_days();
    match (lang, days) {
        (Lang::Zh, 0) => format!("今天 {clock}"),
        (Lang::Zh, 1) => format!("明天 {clock}"),
        (Lang::Zh, -1) => format!("昨天 {clock}"),
        (Lang::Zh, _) if same_year => format!("{}月{}日 {clock}", moment.month(), moment.day()),
        (Lang::Zh, _) => {
            format!("{}年{}月{}日 {clock}", moment.year(), moment.month(), moment.day())
        }
        (Lang::En, 0) => format!("today at {clock}"),
        (Lang::En, 1) => format!("tomorrow at {clock}"),
        (Lang::En, -1) => format!("yesterday at {clock}"),
        (Lang::En, _) if same_year => format!("on {} at {clock}", moment.strftime("%-d %B")),
        (Lang::En, _) => format!("on {} at {clock}", moment.strftime("%-d %B %Y")),
    }
}

/// A span as people say it: 35 分钟, 2 小时 5 分钟, 3 天. Rounded up, so that nobody comes back too soon.
#[must_use]
pub fn lasting(ms: i64, lang: Lang) -> String {
    let minutes = ms.max(0).saturating_add(MINUTE - 1) / MINUTE;
    let (hours, rest) = (minutes * MINUTE / HOUR, minutes % 60);
    let days = ms.max(0).saturating_add(DAY / 2) / DAY;
    match (lang, days, hours, rest) {
        (Lang::Zh, _, 0, _) => format!(" {} 分钟", minutes.max(1)),
        (Lang::Zh, _, 1..24, 0) => format!(" {hours} 小时"),
        (Lang::Zh, _, 1..24, _) => format!(" {hours} 小时 {rest} 分钟"),
        (Lang::Zh, ..) => format!(" {days} 天"),
        (Lang::En, _, 0, _) => format!("{} min", minutes.max(1)),
        (Lang::En, _, 1..24, 0) => format!("{hours} h"),
        (Lang::En, _, 1..24, _) => format!("{hours} h {rest} min"),
        (Lang::En, 1, ..) => "1 day".to_owned(),
        (Lang::En, ..) => format!("{days} days"),
    }
}

/// `moment` on the clocks of `zone`. Moments beyond the calendar's range show as its edge.
#[must_use]
pub fn zoned(moment: Millis, zone: &TimeZone) -> Zoned {
    let edge = if moment.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(moment.0).unwrap_or(edge).to_zoned(zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beijing() -> TimeZone {
        TimeZone::get("Asia/Shanghai").expect("bundled zone")
    }

    /// 2027-03-05 13:25 in Beijing.
    const NOW: Millis = Millis(1_804_224_300_000);

    #[test]
    fn too_early_says_when_and_how_long() {
        let verdict = Verdict::Refused(Refusal::TooEarly { opens_at: NOW.plus(35 * MINUTE) });
        assert_eq!(
            tell(&verdict, Lang::Zh, NOW, &beijing()).next,
            "今天 14:00 起入场，还有 35 分钟，请到时再来。"
        );
        assert_eq!(
            tell(&verdict, Lang::En, NOW, &beijing()).next,
            "Admission begins today at 14:00, in 35 min. Please come back then."
        );
    }

    #[test]
    fn already_used_says_when_and_where() {
        let verdict =
            Verdict::Refused(Refusal::AlreadyUsed { at: NOW.plus(-DAY), station: "东门".into() });
        assert_eq!(
            tell(&verdict, Lang::Zh, NOW, &beijing()).next,
            "此票已于昨天 13:25 在「东门」使用。如非本人，请到服务台核对身份。"
        );
    }

    #[test]
    fn a_day_that_is_left_out_says_which_day_to_come() {
        let saturday = NOW.plus(DAY);
        let tell = |weekdays, closed, next, lang| {
            let verdict = Verdict::Refused(Refusal::NotToday { weekdays, closed, next });
            tell(&verdict, lang, saturday, &beijing()).next
        };
        let monday = Some(saturday.plus(2 * DAY));
        assert_eq!(
            tell(0b001_1111, false, monday, Lang::Zh),
            "周末不可用，请周一至周五来。下一个可用日：3月8日 周一。"
        );
        assert_eq!(
            tell(0b001_1111, false, monday, Lang::En),
            "Not on weekends; please come Monday to Friday. The next day is Monday 8 March."
        );
        assert!(tell(0b111_1111, true, monday, Lang::Zh).starts_with("今天是节假日，不可用"));
        assert!(tell(0b101_1110, false, None, Lang::Zh).contains("没有可用的日子"));
        assert_eq!(weekdays(0b101_0111, Lang::Zh), "周一至周三、周五、周日");
    }

    #[test]
    fn a_counter_speaks_of_vouchers() {
        let late = Verdict::Refused(Refusal::TooLate { closed_at: NOW.plus(-DAY) });
        let words = tell_at(StationKind::Counter, &late, Lang::Zh, NOW, &beijing());
        assert_eq!(
            (words.headline.as_str(), words.next.as_str()),
            ("已过期", "此券有效期到昨天 13:25 为止，不能再用。")
        );
        assert_eq!(tell(&late, Lang::Zh, NOW, &beijing()).headline, "已经结束");
    }

    #[test]
    fn every_reason_has_a_headline_and_every_fixed_one_a_step() {
        for reason in Reason::ALL {
            for lang in [Lang::Zh, Lang::En] {
                assert!(!headline(reason, lang).is_empty(), "{reason:?}");
                let timed = matches!(
                    reason,
                    Reason::TooEarly | Reason::TooLate | Reason::NotToday | Reason::AlreadyUsed
                );
                assert_eq!(fixed_step(reason, lang).is_empty(), timed, "{reason:?}");
            }
        }
    }

    #[test]
    fn spans_are_rounded_up_to_what_people_say() {
        for (ms, zh, en) in [
            (1, " 1 分钟", "1 min"),
            (35 * MINUTE, " 35 分钟", "35 min"),
            (HOUR, " 1 小时", "1 h"),
            (HOUR + 1, " 1 小时 1 分钟", "1 h 1 min"),
            (3 * DAY, " 3 天", "3 days"),
        ] {
            assert_eq!((lasting(ms, Lang::Zh).as_str(), lasting(ms, Lang::En).as_str()), (zh, en));
        }
    }

    #[test]
    fn dates_are_told_in_full_when_they_are_far() {
        assert_eq!(at(NOW.plus(DAY), Lang::Zh, NOW, &beijing()), "明天 13:25");
        assert_eq!(at(NOW.plus(20 * DAY), Lang::Zh, NOW, &beijing()), "3月25日 13:25");
        assert_eq!(at(NOW.plus(400 * DAY), Lang::En, NOW, &beijing()), "on 8 April 2028 at 13:25");
        assert!(!at(Millis(i64::MAX), Lang::En, NOW, &beijing()).is_empty());
    }
}
