//! Dates as people read them on a page: the block on a card, the span of an event, how far away it is.

use admission::{
    Millis,
    say::{self, Lang},
    time::{DAY, MINUTE},
};
use jiff::Zoned;

use super::frame::{Frame, zone};

/// The date block on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// 11月, or Nov.
    pub month: String,
    /// Of the month.
    pub day: i8,
    /// 今天, 明天 or 周六; today or Sat.
    pub weekday: String,
}

impl Frame {
    /// The date block of a card.
    #[must_use]
    pub fn day(&self, moment: &Millis, time_zone: &str) -> Day {
        let (then, now) = (self.zoned(moment, time_zone), self.zoned(&self.now, time_zone));
        let weekday = match (then.date() - now.date()).get_days() {
            0 => self.t("今天", "today").to_owned(),
            // The English word is too long for the block.
            1 if self.lang == Lang::Zh => "明天".to_owned(),
            _ => self.weekday(&then),
        };
        Day { month: self.month(&then), day: then.day(), weekday }
    }

    /// From when to when: 11月28日 周六 9:00–21:00, or over several days.
    #[must_use]
    pub fn span(&self, from: &Millis, to: &Millis, time_zone: &str) -> String {
        let (first, last) = (self.zoned(from, time_zone), self.zoned(to, time_zone));
        if first.date() == last.date() {
            return format!("{} {}–{}", self.date(&first), clock(&first), clock(&last));
        }
        let to = self.t("至", "to");
        format!(
            "{} {} {to} {} {}",
            self.date(&first),
            clock(&first),
            self.date(&last),
            clock(&last)
        )
    }

    /// What stands beside the date block of a card: 14:00–18:00; over several days the last one, whatever the hour.
    #[must_use]
    pub fn hours(&self, from: &Millis, to: &Millis, time_zone: &str) -> String {
        let (first, last) = (self.zoned(from, time_zone), self.zoned(to, time_zone));
        if first.date() == last.date() {
            return format!("{}–{}", clock(&first), clock(&last));
        }
        if to.since(*from) <= DAY {
            return self.span(from, to, time_zone);
        }
        format!("{} {}", self.t("到", "until"), self.date(&last))
    }

    /// A moment with its date: 11月27日 周五 18:00.
    #[must_use]
    pub fn moment(&self, moment: &Millis, time_zone: &str) -> String {
        let then = self.zoned(moment, time_zone);
        format!("{} {}", self.date(&then), clock(&then))
    }

    /// How far away something is that lasts from `from` to `to`: 还有 6 天, 正在进行, 已结束.
    #[must_use]
    pub fn distance(&self, from: &Millis, to: &Millis) -> String {
        if self.now < *from {
            let wait = self.until(from);
            return match self.lang {
                Lang::Zh => format!("还有 {wait}"),
                Lang::En => format!("in {wait}"),
            };
        }
        if self.now < *to { self.t("正在进行", "on now") } else { self.t("已结束", "over") }
            .to_owned()
    }

    /// How long ago something was: 刚刚, 3 分钟前, 今天 13:42.
    #[must_use]
    pub fn ago(&self, moment: &Millis, time_zone: &str) -> String {
        let minutes = self.now.since(*moment) / MINUTE;
        match minutes {
            ..1 => self.t("刚刚", "just now").to_owned(),
            1..60 => self.say(format!("{minutes} 分钟前"), format!("{minutes} min ago")),
            _ => self.at(moment, time_zone),
        }
    }

    fn zoned(&self, moment: &Millis, time_zone: &str) -> Zoned {
        say::zoned(*moment, &zone(time_zone))
    }

    fn month(&self, date: &Zoned) -> String {
        match self.lang {
            Lang::Zh => format!("{}月", date.month()),
            Lang::En => date.strftime("%b").to_string(),
        }
    }

    fn weekday(&self, date: &Zoned) -> String {
        match self.lang {
            Lang::Zh => {
                let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
                format!("周{}", ["一", "二", "三", "四", "五", "六", "日"][day])
            }
            Lang::En => date.strftime("%a").to_string(),
        }
    }

    /// 11月28日 周六; with the year when it is another one than now.
    fn date(&self, date: &Zoned) -> String {
        let this_year = date.year() == say::zoned(self.now, date.time_zone()).year();
        match (self.lang, this_year) {
            (Lang::Zh, true) => {
                format!("{}月{}日 {}", date.month(), date.day(), self.weekday(date))
            }
            (Lang::Zh, false) => {
                format!(
                    "{}年{}月{}日 {}",
                    date.year(),
                    date.month(),
                    date.day(),
                    self.weekday(date)
                )
            }
            (Lang::En, true) => date.strftime("%a %-d %B").to_string(),
            (Lang::En, false) => date.strftime("%a %-d %B %Y").to_string(),
        }
    }
}

fn clock(moment: &Zoned) -> String {
    format!("{}:{:02}", moment.hour(), moment.minute())
}

#[cfg(test)]
mod tests {
    use admission::time::HOUR;

    use super::*;
    use crate::web::access::Caller;

    const BEIJING: &str = "Asia/Shanghai";
    /// Friday 2027-03-05 13:25 in Beijing.
    const NOW: Millis = Millis(1_804_224_300_000);

    fn frame(lang: Lang) -> Frame {
        Frame { lang, caller: Caller::Nobody, now: NOW, path: "/".to_owned() }
    }

    #[test]
    fn a_card_names_today_and_tomorrow() {
        let frame = frame(Lang::Zh);
        let weekday = |days| frame.day(&NOW.plus(days * DAY), BEIJING).weekday;
        assert_eq!(
            (weekday(0), weekday(1), weekday(2)),
            ("今天".into(), "明天".into(), "周日".into())
        );
        assert_eq!(frame.day(&NOW, BEIJING).month, "3月");
    }

    #[test]
    fn a_span_names_its_day_once() {
        let (from, to) = (NOW.plus(35 * MINUTE), NOW.plus(4 * HOUR));
        assert_eq!(frame(Lang::Zh).span(&from, &to, BEIJING), "3月5日 周五 14:00–17:25");
        assert_eq!(frame(Lang::En).span(&from, &to, BEIJING), "Fri 5 March 14:00–17:25");
        assert_eq!(
            frame(Lang::Zh).span(&from, &to.plus(DAY), BEIJING),
            "3月5日 周五 14:00 至 3月6日 周六 17:25"
        );
    }

    #[test]
    fn a_card_of_many_days_names_the_last() {
        let (from, night) = (NOW.plus(4 * HOUR), NOW.plus(14 * HOUR));
        let frame = frame(Lang::Zh);
        assert_eq!(frame.hours(&NOW, &from, BEIJING), "13:25–17:25");
        assert_eq!(frame.hours(&from, &night, BEIJING), "3月5日 周五 17:25 至 3月6日 周六 3:25");
        assert_eq!(frame.hours(&NOW, &NOW.plus(120 * DAY), BEIJING), "到 7月3日 周六");
    }

    #[test]
    fn distance_counts_down_then_says_that_it_is_on_then_over() {
        let frame = frame(Lang::Zh);
        let said = |from, to| frame.distance(&NOW.plus(from), &NOW.plus(to));
        assert_eq!(said(35 * MINUTE, HOUR), "还有 35 分钟");
        assert_eq!(said(-HOUR, HOUR), "正在进行");
        assert_eq!(said(-2 * HOUR, -HOUR), "已结束");
    }

    #[test]
    fn what_was_a_moment_ago_is_told_in_minutes() {
        let frame = frame(Lang::Zh);
        let said = |ms: i64| frame.ago(&NOW.plus(-ms), BEIJING);
        assert_eq!(
            (said(0), said(3 * MINUTE), said(2 * HOUR)),
            ("刚刚".into(), "3 分钟前".into(), "今天 11:25".into())
        );
    }
}
