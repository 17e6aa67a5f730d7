//! The SQL of the list: finding holders among ten thousand, from one character on.

use admission::Millis;
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    checkin::outcome::Outcome,
    db::Tx,
    error::{Error, Result},
    fetch,
};

/// A ticket with what tells its holder apart from others of the same name.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::checkin) struct Holder {
    pub(in crate::checkin) ticket_id: String,
    pub(in crate::checkin) booking_id: String,
    pub(in crate::checkin) holder: String,
    /// `valid`, `cancelled`, `unpaid` or `unapproved`.
    pub(in crate::checkin) state: String,
    pub(in crate::checkin) offer: String,
    pub(in crate::checkin) used_ms: Option<i64>,
    pub(in crate::checkin) used_station: Option<String>,
    /// Whether the ticket is a companion's.
    pub(in crate::checkin) companion: bool,
    /// Who booked: the holder, or whom a companion comes with.
    pub(in crate::checkin) booker: String,
    pub(in crate::checkin) phone: Option<String>,
    /// Whether who booked is on the roster.
    pub(in crate::checkin) member: bool,
    pub(in crate::checkin) organisation: Option<String>,
}

/// The columns and joins of [`Holder`].
macro_rules! holder_select {
    ($rest:literal) => {
        concat!(
            "select t.id as ticket_id, t.booking_id, t.holder, t.state, f.name as offer, t.used_ms, t.used_station,
                    t.person_id is null as companion, p.name as booker, p.phone, p.kind = 'member' as member,
                    coalesce(o.name, u.name) as organisation
             from ticket t
             join offer f on f.id = t.offer_id
             join booking b on b.id = t.booking_id
             join person p on p.id = b.person_id
             left join organisation o on o.id = p.organisation_id
             left join organisation u on u.id = p.union_id ",
            $rest
        )
    };
}

/// Which tickets are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    In,
    ToCome,
    Cancelled,
}

impl Which {
    /// All of them, as the page offers them.
    pub(super) const ALL: [Self; 4] = [Self::All, Self::In, Self::ToCome, Self::Cancelled];

    /// The word in addresses and SQL.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::In => "in",
            Self::ToCome => "to_come",
            Self::Cancelled => "cancelled",
        }
    }

    /// The one of that word; all when it is none.
    pub(super) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|which| which.word() == word).unwrap_or(Self::All)
    }
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    /// A part of a name, for `like`.
    like: String,
    /// Four last digits of a phone or card; empty when nothing of the kind was typed.
    last4: String,
    /// The same, for `like`.
    phone_like: String,
    which: &'static str,
}

impl Sought {
    /// What `text` asks for: a part of the holder's, booker's or organisation's name, or the last digits of a phone or
    /// card.
    pub(super) fn of(text: &str, which: Which) -> Self {
        let text: String = text.trim().nfkc().collect::<String>().to_lowercase();
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let number = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let last4 = if number { digits[digits.len() - 4..].to_owned() } else { String::new() };
        let phone_like = if number { format!("%{digits}") } else { String::new() };
        let which = which.word();
        Self { like: like(&text), last4, phone_like, which }
    }
}

/// What `like` finds everything by that contains `text`, lowered; what it would take for a wildcard is escaped.
pub(crate) fn like(text: &str) -> String {
    let mut out = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '\\' | '%' | '_') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('%');
    out
}

/// What `sought` asks of a ticket: `$1` event, `$2` names, `$3` end of a phone, `$4` end of a card, `$5` which.
macro_rules! sought_where {
    ($rest:literal) => {
        concat!(
            "where t.event_id = $1
               and (t.holder_search like $2 escape '\\' or p.name_search like $2 escape '\\'
                    or o.name_search like $2 escape '\\' or u.name_search like $2 escape '\\'
                    or ($4 <> '' and (p.phone like $3
                        or exists (select 1 from card c where c.person_id = p.id and c.last4 = $4))))
               and ($5 = 'all'
                    or ($5 = 'in' and t.used_ms is not null and t.state <> 'cancelled')
                    or ($5 = 'to_come' and t.used_ms is null and t.state <> 'cancelled')
                    or ($5 = 'cancelled' and t.state = 'cancelled')) ",
            $rest
        )
    };
}

/// How many tickets are found.
pub(super) async fn count(tx: &mut Tx, event_id: &str, sought: &Sought) -> Result<i64> {
    let (count,): (i64,) = fetch!(
        tx,
        fetch_one,
        concat!(
            "select count(*) from ticket t
             join booking b on b.id = t.booking_id
             join person p on p.id = b.person_id
             left join organisation o on o.id = p.organisation_id
             left join organisation u on u.id = p.union_id ",
            sought_where!("")
        ),
        event_id,
        &sought.like,
        &sought.phone_like,
        &sought.last4,
        sought.which,
    )?;
    Ok(count)
}

/// The tickets that are found, from `offset` on, at most `limit`: those whose own name it is before those whose
/// organisation bears it, for every second one here is called after the town.
pub(super) async fn page(
    tx: &mut Tx,
    event_id: &str,
    sought: &Sought,
    limit: i64,
    offset: i64,
) -> Result<Vec<Holder>> {
    Ok(fetch!(
        tx,
        fetch_all,
        concat!(
            holder_select!(""),
            sought_where!(
                "order by case when t.holder_search like $2 escape '\\' then 0
                               when p.name_search like $2 escape '\\' then 1 else 2 end,
                          t.holder_search, t.id limit $6 offset $7"
            )
        ),
        event_id,
        &sought.like,
        &sought.phone_like,
        &sought.last4,
        sought.which,
        limit,
        offset,
    )?)
}

/// Every ticket of an event, by name.
pub(in crate::checkin) async fn all(tx: &mut Tx, event_id: &str) -> Result<Vec<Holder>> {
    Ok(fetch!(
        tx,
        fetch_all,
        holder_select!("where t.event_id = $1 order by t.holder_search, t.id"),
        event_id,
    )?)
}

/// One ticket of an event.
pub(super) async fn one(tx: &mut Tx, event_id: &str, ticket_id: &str) -> Result<Holder> {
    let row: Option<Holder> = fetch!(
        tx,
        fetch_optional,
        holder_select!("where t.event_id = $1 and t.id = $2"),
        event_id,
        ticket_id,
    )?;
    row.ok_or(Error::NotFound)
}

/// The last digits of the cards of whoever holds a ticket.
pub(super) async fn cards(tx: &mut Tx, ticket_id: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select c.last4 from card c join ticket t on t.person_id = c.person_id
         where t.id = $1 and not c.blocked order by c.last4",
        ticket_id,
    )?;
    Ok(rows.into_iter().map(|(last4,)| last4).collect())
}

/// What happened with a ticket, once.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Happened {
    #[sqlx(try_from = "i64")]
    pub(super) true_ms: Millis,
    pub(super) station: String,
    #[sqlx(flatten)]
    pub(super) outcome: Outcome,
    pub(super) note: Option<String>,
    /// Who did it by hand.
    pub(super) staff: Option<String>,
}

/// Everything that happened with a ticket, the latest first.
pub(super) async fn history(tx: &mut Tx, ticket_id: &str) -> Result<Vec<Happened>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select s.true_ms, s.station, s.station_kind, s.kind, s.act, s.verdict, s.reason, s.undone_ms, s.note,
                coalesce(f.name, s.operator) as staff
         from scan s left join staff f on f.id = s.staff_id
         where s.ticket_id = $1 order by s.true_ms desc, s.id desc",
        ticket_id,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_looked_for_as_they_are() {
        assert_eq!(Sought::of(" 100%_\\ ", Which::All).like, "%100\\%\\_\\\\%");
    }

    #[test]
    fn digits_are_the_end_of_a_phone_or_card() {
        let sought = Sought::of("１３８ 1234-5678", Which::All);
        assert_eq!((sought.last4.as_str(), sought.phone_like.as_str()), ("5678", "%13812345678"));
        for text in ["123", "王1234", ""] {
            assert_eq!(Sought::of(text, Which::All).last4, "", "{text}");
        }
    }
}
