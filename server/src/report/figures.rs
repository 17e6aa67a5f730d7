//! What a year came to, read from the books. People are told apart by their person; a companion is one more person; a
//! unit's delegate stands for as many people as they collected units for, who are known by their organisation only.

use std::collections::{BTreeMap, HashMap, HashSet};

use admission::Millis;
use jiff::civil::date;

use crate::{
    db::Tx,
    error::{Error, Result},
    event::{self, Event, rules::THEMES},
    fair, fetch,
    voucher::settlement::year::{self, Books, VenueSpan},
    web::frame::zone,
};

/// The federation's own clocks: a year begins on them.
pub(super) const ZONE: &str = "Asia/Shanghai";

/// Under which heading of the report an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    Contests,
    /// An activity of a theme, by its place among the ten; the last place is for those without one.
    Theme(usize),
    Fairs,
    Vouchers,
    HandOuts,
}

impl Group {
    fn of(event: &Event, hands_out: bool) -> Self {
        match event.kind.as_str() {
            "contest" => Self::Contests,
            "fair" => Self::Fairs,
            _ if hands_out => Self::HandOuts,
            "voucher" => Self::Vouchers,
            _ => {
                let theme = event.theme.as_deref().unwrap_or_default();
                let place = THEMES.iter().position(|(word, ..)| *word == theme);
                Self::Theme(place.unwrap_or(THEMES.len()))
            }
        }
    }
}

/// What some events came to. What is `None` nobody recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) events: i64,
    /// 人: each counts once, however often they came.
    pub(super) people: Option<i64>,
    /// 人次.
    pub(super) times: Option<i64>,
    pub(super) cents: Option<i64>,
    /// Of these events, those with nobody on record and those without a cost on record.
    pub(super) without_people: i64,
    pub(super) without_cost: i64,
}

/// An event of the year.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) event: Event,
    pub(super) group: Group,
    pub(super) sum: Sum,
}

/// What a year came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Year {
    pub(super) year: i16,
    /// In order of time.
    pub(super) events: Vec<Held>,
    pub(super) groups: BTreeMap<Group, Sum>,
    /// The ten themes together.
    pub(super) themed: Sum,
    pub(super) fairs: Vec<(String, fair::figures::Figures)>,
    pub(super) all: Sum,
    /// Books lent: 人 and 人次. None: none was.
    pub(super) loans: Option<(i64, i64)>,
    /// Discounts at partner venues: 人, while it is known of all who they were, and 人次. None: there was none.
    pub(super) benefits: Option<(Option<i64>, i64)>,
    /// What happened at partner venues in the year.
    pub(super) venues: Vec<VenueSpan>,
}

/// Who came to an event.
#[derive(Default)]
struct Came {
    people: HashSet<String>,
    /// For how many people delegates collected, by organisation.
    represented: HashMap<String, i64>,
    gates: i64,
    counters: i64,
    /// Those seen on a walk's course.
    walked: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    event_id: String,
    who: String,
    /// Of a delegate: for whom they came, and for how many.
    organisation: Option<String>,
    batch: Option<i64>,
    gates: i64,
    counters: i64,
}

/// From when to when a year lasts.
pub(super) fn span(year: i16) -> Result<(Millis, Millis)> {
    let first = |year: i16| {
        let midnight = date(year, 1, 1).to_zoned(zone(ZONE)).map_err(anyhow::Error::from)?;
        Ok::<_, Error>(Millis(midnight.timestamp().as_millisecond()))
    };
    Ok((first(year)?, first(year + 1)?))
}

/// What `year` came to. An event belongs to the year in which it begins; drafts and cancelled ones to none.
/// `books` are what vouchers came to, whenever.
pub(super) async fn of_year(tx: &mut Tx, books: &Books, year: i16, now: Millis) -> Result<Year> {
    let (from, to) = span(year)?;
    let events: Vec<Event> = fetch!(
        tx,
        fetch_all,
        "select * from event where starts_ms >= $1 and starts_ms < $2 and starts_ms <= $3
           and status in ('published', 'closed') order by starts_ms, id",
        from.0,
        to.0,
        now.0,
    )?;
    let came = came(tx, (from, to)).await?;
    let costs = costs(tx, (from, to)).await?;
    let owed = books.by_event();
    let venues = books.of_span(tx, (from, to)).await?;
    let benefits = year::benefits(tx, (from, to)).await?;
    let goods: Vec<(String, Option<i64>)> = fetch!(
        tx,
        fetch_all,
        "select g.event_id, g.unit_cents from goods g join event e on e.id = g.event_id
         where e.starts_ms >= $1 and e.starts_ms < $2",
        from.0,
        to.0,
    )?;
    let goods: HashMap<String, Option<i64>> = goods.into_iter().collect();
    let mut year = Year { year, venues, benefits, ..Year::default() };
    let mut crowds: BTreeMap<Group, Vec<&Came>> = BTreeMap::new();
    for event in events {
        let group = Group::of(&event, goods.contains_key(&event.id));
        let there = came.get(&event.id);
        let price = goods.get(&event.id).copied().flatten();
        let goods = price.zip(there).map(|(each, came)| each * came.counters);
        let known = [costs.get(&event.id).copied(), goods, owed.get(event.id.as_str()).copied()];
        let cents = known.into_iter().flatten().reduce(|sum, more| sum + more);
        let sum = Sum {
            events: 1,
            people: there.map(|came| people_of(&[came])),
            times: there.map(Came::times),
            cents,
            without_people: i64::from(there.is_none()),
            without_cost: i64::from(cents.is_none()),
        };
        crowds.entry(group).or_default().extend(there);
        year.groups.entry(group).or_default().add(&sum);
        if event.kind == "fair" {
            let figures = fair::figures::of(tx, &event, now).await?;
            year.fairs.push((event.title.clone(), figures));
        }
        year.events.push(Held { event, group, sum });
    }
    let mut themed = Vec::new();
    let mut all = Vec::new();
    for (group, sum) in &mut year.groups {
        let crowd = crowds.get(group).map(Vec::as_slice).unwrap_or_default();
        sum.people = sum.people.map(|_| people_of(crowd));
        year.all.add(sum);
        all.extend(crowd);
        if matches!(group, Group::Theme(_)) {
            year.themed.add(sum);
            themed.extend(crowd);
        }
    }
    year.themed.people = year.themed.people.map(|_| people_of(&themed));
    year.all.people = year.all.people.map(|_| people_of(&all));
    let (readers, loans): (i64, i64) = fetch!(
        tx,
        fetch_one,
        "select count(distinct person_id), count(*) from loan where lent_ms >= $1 and lent_ms < $2",
        from.0,
        to.0,
    )?;
    year.loans = Some((readers, loans)).filter(|_| loans > 0);
    Ok(year)
}

impl Sum {
    /// Adds what can be added; people are counted anew by whoever knows them.
    fn add(&mut self, other: &Self) {
        let both = |one: Option<i64>, other: Option<i64>| match (one, other) {
            (None, other) => other,
            (one, None) => one,
            (Some(one), Some(other)) => Some(one + other),
        };
        self.events += other.events;
        self.people = both(self.people, other.people);
        self.times = both(self.times, other.times);
        self.cents = both(self.cents, other.cents);
        self.without_people += other.without_people;
        self.without_cost += other.without_cost;
    }
}

impl Came {
    /// 人次: where something was handed out or redeemed, that; else entries; on a walk without a gate, each walker once.
    const fn times(&self) -> i64 {
        match (self.counters, self.gates) {
            (0, 0) => self.walked,
            (0, gates) => gates,
            (counters, _) => counters,
        }
    }
}

/// 人 of several events together: who came to two of them is one. For whom a delegate came is known by organisation and
/// number only: of several events the largest number of an organisation stands (they are the same people again, or fewer),
/// and those of different organisations are different people.
fn people_of(crowd: &[&Came]) -> i64 {
    let known: HashSet<&str> =
        crowd.iter().flat_map(|came| came.people.iter().map(String::as_str)).collect();
    let mut represented: HashMap<&str, i64> = HashMap::new();
    for (organisation, people) in crowd.iter().flat_map(|came| &came.represented) {
        let most = represented.entry(organisation).or_default();
        *most = (*most).max(*people);
    }
    i64::try_from(known.len()).unwrap_or(i64::MAX) + represented.values().sum::<i64>()
}

/// Who was admitted at the events of a span, by event.
async fn came(tx: &mut Tx, (from, to): (Millis, Millis)) -> Result<HashMap<String, Came>> {
    let rows: Vec<Row> = fetch!(
        tx,
        fetch_all,
        "select t.event_id, coalesce(t.person_id, t.id) as who, max(g.organisation_id) as organisation, max(g.units) as batch,
                count(*) filter (where s.station_kind = 'gate') as gates,
                count(*) filter (where s.station_kind = 'counter') as counters
         from event e join scan s on s.event_id = e.id join ticket t on t.id = s.ticket_id
         left join goods_batch g on g.booking_id = t.booking_id
         where e.starts_ms >= $1 and e.starts_ms < $2 and s.verdict = 'admitted' and s.undone_ms is null
           and s.station_kind in ('gate', 'counter')
         group by t.event_id, coalesce(t.person_id, t.id), g.booking_id",
        from.0,
        to.0,
    )?;
    // Who was seen on a walk by a phone or a chip only has no scan.
    let walkers: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select p.event_id, l.person_id from event e join passage p on p.event_id = e.id
         join entry_player l on l.entry_id = p.entry_id and l.left_ms is null
         where e.starts_ms >= $1 and e.starts_ms < $2 and p.undone_ms is null
         union
         select s.event_id, coalesce(t.person_id, t.id) from event e join scan s on s.event_id = e.id
         join ticket t on t.id = s.ticket_id
         where e.starts_ms >= $1 and e.starts_ms < $2 and s.verdict = 'admitted' and s.undone_ms is null
           and s.station_kind = 'checkpoint'",
        from.0,
        to.0,
    )?;
    let mut came: HashMap<String, Came> = HashMap::new();
    for (event_id, who) in walkers {
        let at = came.entry(event_id).or_default();
        at.walked += 1;
        at.people.insert(who);
    }
    for row in rows {
        let at = came.entry(row.event_id).or_default();
        at.gates += row.gates;
        match row.organisation.zip(row.batch) {
            // Handed out twice by two counters that did not hear of each other: twice the units for the same people.
            Some((organisation, units)) => {
                *at.represented.entry(organisation).or_default() += units;
                at.counters += units * row.counters;
            }
            None => {
                at.counters += row.counters;
                at.people.insert(row.who);
            }
        }
    }
    Ok(came)
}

/// What was written down, by event.
async fn costs(tx: &mut Tx, (from, to): (Millis, Millis)) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = fetch!(
        tx,
        fetch_all,
        "select c.event_id, cast(sum(c.cents) as bigint) from cost c join event e on e.id = c.event_id
         where e.starts_ms >= $1 and e.starts_ms < $2 group by c.event_id",
        from.0,
        to.0,
    )?;
    Ok(rows.into_iter().collect())
}

/// Unions, enterprises and members as they are today.
pub(super) async fn roster(tx: &mut Tx) -> Result<(i64, i64, i64)> {
    let (unions, enterprises): (i64, i64) = fetch!(
        tx,
        fetch_one,
        "select count(*) filter (where kind = 'union'), count(*) filter (where kind = 'enterprise')
         from organisation where status in ('independent', 'joint')",
    )?;
    let (members,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from person where kind = 'member' and status in ('active', 'retained')",
    )?;
    Ok((unions, enterprises, members))
}

/// The event of that id, for its costs.
pub(super) async fn event(tx: &mut Tx, id: &str) -> Result<Event> {
    event::queries::event(tx, id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(people: &[&str], represented: &[(&str, i64)]) -> Came {
        let people = people.iter().map(|&who| who.to_owned()).collect();
        let represented = represented.iter().map(|&(of, count)| (of.to_owned(), count)).collect();
        Came { people, represented, ..Came::default() }
    }

    #[test]
    fn who_came_twice_is_one_person() {
        let (one, other) = (came(&["王", "李"], &[]), came(&["李", "孙"], &[]));
        assert_eq!(people_of(&[&one]), 2);
        assert_eq!(people_of(&[&one, &other]), 3);
        assert_eq!(people_of(&[]), 0);
    }

    #[test]
    fn people_known_by_number_only_count_once_an_organisation() {
        let summer = came(&["王"], &[("机械厂", 84), ("南宫村", 120)]);
        let winter = came(&["李"], &[("机械厂", 90), ("供销社", 30)]);
        assert_eq!(people_of(&[&summer]), 1 + 84 + 120);
        assert_eq!(people_of(&[&summer, &winter]), 2 + 90 + 120 + 30);
    }

    #[test]
    fn what_nobody_recorded_stays_missing_in_a_sum() {
        let mut sum = Sum::default();
        sum.add(&Sum { events: 1, without_cost: 1, ..Sum::default() });
        assert_eq!((sum.events, sum.people, sum.cents), (1, None, None));
        sum.add(&Sum { events: 1, times: Some(3), cents: Some(5), ..Sum::default() });
        assert_eq!((sum.events, sum.times, sum.cents, sum.without_cost), (2, Some(3), Some(5), 1));
    }

    #[test]
    fn a_year_begins_at_midnight_in_beijing() {
        let (from, to) = span(2027).expect("a year");
        assert_eq!((from.0, to.0), (1_798_732_800_000, 1_830_268_800_000));
    }
}
