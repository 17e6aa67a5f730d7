//! The report as tables: one content for the page, the spreadsheet and the PDF.

use super::figures::{Group, Sum, Year};
use crate::{
    checkin::sheet::Cell,
    event::rules::THEMES,
    web::{Frame, form::yuan},
};

/// What stands in one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Count(i64),
    /// An amount in cents.
    Yuan(i64),
    /// Nobody recorded it.
    Missing,
    /// It is not asked for here.
    Nothing,
}

impl Value {
    fn count(count: Option<i64>) -> Self {
        count.map_or(Self::Missing, Self::Count)
    }

    fn cents(cents: Option<i64>) -> Self {
        cents.map_or(Self::Missing, Self::Yuan)
    }

    /// As people read it.
    pub(super) fn said(&self, frame: &Frame) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Yuan(cents) => yuan(*cents),
            Self::Missing => frame.t("没有记录", "not recorded").to_owned(),
            Self::Nothing => String::new(),
        }
    }

    /// As a spreadsheet keeps it.
    pub(super) fn cell(&self, frame: &Frame) -> Cell {
        match self {
            Self::Count(count) => (*count).into(),
            Self::Yuan(cents) => Cell::Cents(*cents),
            other => other.said(frame).as_str().into(),
        }
    }

    /// Whether it is a figure, set to the right.
    pub(super) const fn is_figure(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// One table of the report.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
    /// How its figures are counted.
    pub(super) note: String,
}

/// The tables of a year beside the year before, and the roster as it is today.
pub(super) fn tables(
    frame: &Frame,
    (year, before): (&Year, &Year),
    roster: (i64, i64, i64),
) -> Vec<Table> {
    let mut tables = vec![summary(frame, year, before), themes(frame, year, before)];
    if !year.fairs.is_empty() || !before.fairs.is_empty() {
        tables.push(fairs(frame, year, before));
    }
    if !year.venues.is_empty() || !before.venues.is_empty() {
        tables.push(venues(frame, year, before));
    }
    tables.push(details(frame, year));
    tables.push(organisations(frame, roster));
    tables
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn words(frame: &Frame, words: &[(&str, &str)]) -> Vec<String> {
    words.iter().map(|(zh, en)| frame.t(zh, en).to_owned()).collect()
}

const COUNTED: [(&str, &str); 7] = [
    ("项目", "Item"),
    ("场次", "Events"),
    ("人", "People"),
    ("人次", "Times"),
    ("元", "Yuan"),
    ("上年场次", "Events before"),
    ("上年人次", "Times before"),
];

fn counted(what: &str, sum: &Sum, before: &Sum) -> Vec<Value> {
    let held = sum.events > 0;
    let or_nothing = |value: Value| if held { value } else { Value::Nothing };
    let times_before = if before.events > 0 { Value::count(before.times) } else { Value::Nothing };
    vec![
        text(what),
        Value::Count(sum.events),
        or_nothing(Value::count(sum.people)),
        or_nothing(Value::count(sum.times)),
        or_nothing(Value::cents(sum.cents)),
        Value::Count(before.events),
        times_before,
    ]
}

fn summary(frame: &Frame, year: &Year, before: &Year) -> Table {
    let of = |year: &'_ Year, group| year.groups.get(&group).cloned().unwrap_or_default();
    let groups = [
        (frame.t("文体比赛", "Contests"), Group::Contests),
        (frame.t("招聘会", "Job fairs"), Group::Fairs),
        (frame.t("福利券", "Vouchers"), Group::Vouchers),
        (frame.t("物资发放", "Hand-outs"), Group::HandOuts),
    ];
    let mut rows: Vec<Vec<Value>> = groups
        .iter()
        .map(|(what, group)| counted(what, &of(year, *group), &of(before, *group)))
        .collect();
    rows.insert(1, counted(frame.t("主题活动", "Themed activities"), &year.themed, &before.themed));
    let apart = |what: &str, people, times, before| {
        vec![
            text(what),
            Value::Nothing,
            Value::count(people),
            Value::count(times),
            Value::Missing,
            Value::Nothing,
            Value::count(before),
        ]
    };
    let (people, times) = year.benefits.unzip();
    let times_before = before.benefits.map(|(_, times)| times);
    let discounts = frame.t("会员优惠", "Partner discounts");
    rows.push(apart(discounts, people.flatten(), times, times_before));
    let (readers, loans) = year.loans.unzip();
    let loans_before = before.loans.map(|(_, loans)| loans);
    rows.push(apart(frame.t("图书借阅", "Book loans"), readers, loans, loans_before));
    rows.push(counted(frame.t("合计", "All together"), &year.all, &before.all));
    let note = frame.say(
        format!(
            "物资发放含杂粮、送清凉等；图书每借一本算一人次；图书和会员优惠不在合计里。人：同一个人在一个项目里来几次都算一人，合计也去重；由单位代领的，按清单人数算，同一家单位领几次取最多的一次，各家相加。人次：入口每放行一次、柜台每发一份算一次。元：组织者记下的支出，加上按单价计的物资、按结算价应付场馆的福利券。会员优惠：谁去过只留两个月，还都知道时数人，以后只有人次。{}",
            not_recorded_zh(&year.all)
        ),
        format!(
            "People: each counts once in an item, however often they came, and once in all. Units collected by delegates count by their lists: of each organisation the largest of several hand-outs, all organisations together. Times: each admission at a gate, each unit at a counter. Yuan: what organizers wrote down, goods by their price, and what venues are owed for vouchers. Who used a partner discount is forgotten after two months; people are told only while all are known. {} events have nobody on record, {} no cost.",
            year.all.without_people, year.all.without_cost
        ),
    );
    Table {
        title: frame.t("总表", "Summary").to_owned(),
        columns: words(frame, &COUNTED),
        rows,
        note,
    }
}

fn not_recorded_zh(all: &Sum) -> String {
    match (all.without_people, all.without_cost) {
        (0, 0) => String::new(),
        (0, cost) => format!("有 {cost} 场没有支出记录，没有算在里面。"),
        (people, 0) => format!("有 {people} 场没有签到记录，没有算在里面。"),
        (people, cost) => {
            format!("有 {people} 场没有签到记录、{cost} 场没有支出记录，没有算在里面。")
        }
    }
}

fn themes(frame: &Frame, year: &Year, before: &Year) -> Table {
    let of = |year: &Year, at| year.groups.get(&Group::Theme(at)).cloned().unwrap_or_default();
    let names = THEMES.iter().map(|(_, zh, en)| frame.t(zh, en)).chain([frame.t("未分类", "None")]);
    let rows = names
        .enumerate()
        .map(|(at, name)| counted(name, &of(year, at), &of(before, at)))
        .filter(|row| {
            // Without a theme is no theme: it stands there only when there were some.
            row[0] != text(frame.t("未分类", "None"))
                || row[1] != Value::Count(0)
                || row[5] != Value::Count(0)
        })
        .collect();
    Table {
        title: frame.t("十类主题活动", "The ten themes").to_owned(),
        columns: words(frame, &COUNTED),
        rows,
        note: String::new(),
    }
}

/// A row of each thing of the year, then of each of the year before, which its mark says.
fn beside<T>(
    frame: &Frame,
    (year, before): (&[T], &[T]),
    row: impl Fn(&T, &str) -> Vec<Value>,
) -> Vec<Vec<Value>> {
    let mark = frame.t("（上年）", " (before)");
    let before = before.iter().map(|thing| row(thing, mark));
    year.iter().map(|thing| row(thing, "")).chain(before).collect()
}

fn fairs(frame: &Frame, year: &Year, before: &Year) -> Table {
    let columns = words(
        frame,
        &[
            ("招聘会", "Fair"),
            ("单位", "Employers"),
            ("岗位", "Places"),
            ("工种", "Trades"),
            ("入场（人次）", "Entries"),
            ("入场（人）", "People"),
            ("意向（人）", "Intentions"),
            ("咨询（人次）", "Consultations"),
        ],
    );
    let rows = beside(frame, (&year.fairs, &before.fairs), |(title, figures), mark| {
        let listed = [figures.employers, figures.headcount, figures.trades].map(Value::Count);
        // Where nobody was scanned, nobody knows how many came.
        let seen = figures.entries > 0;
        let on_the_day =
            [figures.entries, figures.people, figures.intentions, figures.consultations]
                .map(|count| Value::count(Some(count).filter(|count| seen || *count > 0)));
        let title = text(&format!("{title}{mark}"));
        std::iter::once(title).chain(listed).chain(on_the_day).collect()
    });
    Table {
        title: frame.t("招聘会", "Job fairs").to_owned(),
        columns,
        rows,
        note: frame
            .t(
                "岗位为招聘人数；意向为达成意向的人，去重；咨询每到一次咨询台算一次。",
                "Places: people looked for. Intentions: distinct people. Each visit to a desk is one consultation.",
            )
            .to_owned(),
    }
}

fn venues(frame: &Frame, year: &Year, before: &Year) -> Table {
    let columns = words(
        frame,
        &[
            ("合作场馆", "Partner venue"),
            ("核销（次）", "Redeemed"),
            ("应付（元）", "Owed (yuan)"),
            ("其中已结算（元）", "Of it settled (yuan)"),
            ("会员优惠（人次）", "Member benefits"),
            ("会员优惠（人）", "People"),
        ],
    );
    let rows = beside(frame, (&year.venues, &before.venues), |venue, mark| {
        vec![
            text(&format!("{}{mark}", venue.name)),
            Value::Count(venue.redeemed),
            Value::Yuan(venue.cents),
            Value::Yuan(venue.closed_cents),
            Value::Count(venue.benefits),
            if venue.benefits == 0 { Value::Count(0) } else { Value::count(venue.benefit_people) },
        ]
    });
    Table {
        title: frame.t("合作场馆", "Partner venues").to_owned(),
        columns,
        rows,
        note: frame
            .t(
                "按核销当天所在的年份算，撤销的已减去。总表里的元按活动开始的年份算，跨年的活动两处会不同。",
                "By the day of the redemption, less what was taken back. The summary counts an event's yuan in the year in which it begins; the two differ for events that last into another year.",
            )
            .to_owned(),
    }
}

fn details(frame: &Frame, year: &Year) -> Table {
    let columns = words(
        frame,
        &[
            ("日期", "Date"),
            ("活动", "Event"),
            ("项目", "Item"),
            ("人", "People"),
            ("人次", "Times"),
            ("元", "Yuan"),
        ],
    );
    let rows = year
        .events
        .iter()
        .map(|held| {
            let day = admission::say::zoned(
                held.event.starts_ms,
                &crate::web::frame::zone(&held.event.time_zone),
            );
            let group = match held.group {
                Group::Contests => frame.t("比赛", "Contest"),
                Group::Fairs => frame.t("招聘会", "Fair"),
                Group::Vouchers => frame.t("福利券", "Voucher"),
                Group::HandOuts => frame.t("物资发放", "Hand-out"),
                Group::Theme(at) => THEMES
                    .get(at)
                    .map_or(frame.t("活动", "Activity"), |(_, zh, en)| frame.t(zh, en)),
            };
            vec![
                Value::Text(day.strftime("%-m月%-d日").to_string()),
                text(&held.event.title),
                text(group),
                Value::count(held.sum.people),
                Value::count(held.sum.times),
                Value::cents(held.sum.cents),
            ]
        })
        .collect();
    Table {
        title: frame.t("各场明细", "Every event").to_owned(),
        columns,
        rows,
        note: String::new(),
    }
}

fn organisations(frame: &Frame, (unions, enterprises, members): (i64, i64, i64)) -> Table {
    let row = |what: &str, count, unit: &str| vec![text(what), Value::Count(count), text(unit)];
    Table {
        title: frame.t("组织和会员（今天）", "Unions and members (today)").to_owned(),
        columns: words(frame, &[("项目", "Item"), ("数量", "Count"), ("单位", "Unit")]),
        rows: vec![
            row(frame.t("工会", "Unions"), unions, frame.t("家", "")),
            row(frame.t("建会企业", "Enterprises with a union"), enterprises, frame.t("家", "")),
            row(frame.t("在册会员", "Members"), members, frame.t("人", "people")),
        ],
        note: frame
            .t("会员含在籍和保留会籍。", "Members: active, and those whose membership is kept.")
            .to_owned(),
    }
}

/// 2026 年，举办文体比赛 …: the year in the federation's own sentence.
pub(super) fn sentence(year: &Year) -> String {
    let of = |group| year.groups.get(&group).cloned().unwrap_or_default();
    let mut parts = Vec::new();
    let mut part = |what: &str, unit: &str, sum: &Sum| {
        if sum.events == 0 {
            return;
        }
        let mut said = format!("{what} {} {unit}", sum.events);
        if let (Some(people), Some(times)) = (sum.people, sum.times) {
            said.push_str(&format!("，{people} 人、{times} 人次"));
        }
        if let Some(cents) = sum.cents {
            said.push_str(&format!("，支出 {} 元", yuan(cents)));
        }
        parts.push(said);
    };
    part("举办文体比赛", "场", &of(Group::Contests));
    part("开展主题活动", "场", &year.themed);
    part("发放福利券", "批", &of(Group::Vouchers));
    part("发放物资", "次", &of(Group::HandOuts));
    if let Some((readers, loans)) = year.loans {
        parts.push(format!("图书借阅 {loans} 人次（{readers} 人）"));
    }
    let fairs: Vec<_> = year.fairs.iter().map(|(_, figures)| figures).collect();
    if !fairs.is_empty() {
        let sum = |of: fn(&crate::fair::figures::Figures) -> i64| {
            fairs.iter().map(|f| of(f)).sum::<i64>()
        };
        let mut said = format!(
            "举办招聘会 {} 场，{} 家单位提供 {} 个岗位",
            fairs.len(),
            sum(|f| f.employers),
            sum(|f| f.headcount),
        );
        for (what, count, unit) in [
            ("入场", sum(|f| f.entries), "人次"),
            ("达成意向", sum(|f| f.intentions), "人"),
            ("咨询", sum(|f| f.consultations), "人次"),
        ] {
            if count > 0 {
                said.push_str(&format!("，{what} {count} {unit}"));
            }
        }
        parts.push(said);
    }
    if parts.is_empty() {
        return format!("{} 年还没有活动记录。", year.year);
    }
    format!("{} 年，{}。", year.year, parts.join("；"))
}
