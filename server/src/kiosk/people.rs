//! Who holds tickets, for the list at a staffed kiosk: as much as people say of themselves at a desk, and no number whole.

use std::collections::HashMap;

use admission::sync::{People, PersonRow};

use crate::{db::Tx, error::Result, fetch};

/// People of one page.
const PAGE: i64 = 2_000;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    revision: i64,
    person_id: Option<String>,
    holder: String,
    booker: String,
    phone: Option<String>,
    organisation: Option<String>,
}

/// Holders of tickets of an event that changed after `revision`, in order.
pub(super) async fn changed_after(tx: &mut Tx, event_id: &str, revision: i64) -> Result<People> {
    let rows: Vec<Row> = fetch!(
        tx,
        fetch_all,
        "select t.id, t.revision, t.person_id, t.holder, p.name as booker, p.phone,
                coalesce(o.name, u.name) as organisation
         from ticket t join booking b on b.id = t.booking_id join person p on p.id = b.person_id
         left join organisation o on o.id = p.organisation_id
         left join organisation u on u.id = p.union_id
         where t.event_id = $1 and t.revision > $2 order by t.revision limit $3",
        event_id,
        revision,
        PAGE,
    )?;
    let last = rows.last().map_or(revision, |row| row.revision);
    let cards: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select c.person_id, c.last4 from card c join ticket t on t.person_id = c.person_id
         where t.event_id = $1 and t.revision > $2 and t.revision <= $3 and not c.blocked order by c.last4",
        event_id,
        revision,
        last,
    )?;
    let mut by_person: HashMap<String, Vec<String>> = HashMap::new();
    for (person, last4) in cards {
        by_person.entry(person).or_default().push(last4);
    }
    let more = i64::try_from(rows.len()).is_ok_and(|count| count >= PAGE);
    let person = |row: Row| {
        let cards4 = row.person_id.as_ref().and_then(|id| by_person.get(id)).cloned();
        Ok(PersonRow {
            ticket: row.id.parse().map_err(anyhow::Error::from)?,
            booker: row.person_id.is_none().then_some(row.booker),
            name: row.holder,
            phone4: row.phone.as_deref().and_then(last4),
            cards4: cards4.unwrap_or_default(),
            organisation: row.organisation,
        })
    };
    let people = rows.into_iter().map(person).collect::<Result<_>>()?;
    Ok(People { people, revision: last, more })
}

fn last4(number: &str) -> Option<String> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    (digits.len() >= 4).then(|| digits[digits.len() - 4..].iter().collect())
}
