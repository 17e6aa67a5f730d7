//! Whom an employer met, as its page and its export tell it: facts folded into one row for each visitor. Who somebody is
//! stands in the row only while their consent holds.

use std::collections::HashMap;

use admission::Millis;

use super::{Education, Employer, card, consent::in_force, encounter::Outcome};
use crate::{db::Tx, error::Result, fetch};

/// A visitor as one employer knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) ticket_id: String,
    /// Who they are; none without consent.
    pub(super) who: Option<Who>,
    /// They took their consent back.
    pub(super) withdrew: bool,
    /// How far they got: the latest word of the stand. None: they only came by.
    pub(super) outcome: Option<Outcome>,
    pub(super) grade: Option<String>,
    /// The latest that is not empty.
    pub(super) note: String,
    /// Names of the posts it is about.
    pub(super) posts: Vec<String>,
    /// The number of the latest of them.
    pub(super) post: Option<i64>,
    /// What may be taken back: the stand's last fact.
    pub(super) last_id: Option<String>,
    pub(super) last_ms: i64,
}

/// What a visitor lets an employer see.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Who {
    ticket_id: String,
    pub(super) name: String,
    pub(super) phone: Option<String>,
    pub(super) education: Option<Education>,
    pub(super) wish: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    ticket_id: String,
    outcome: Outcome,
    grade: Option<String>,
    note: String,
    how: String,
    at_ms: i64,
    post: Option<String>,
    post_number: Option<i64>,
}

impl Met {
    /// The number on their card, as it is typed.
    pub(super) fn short(&self) -> String {
        card::short(&self.ticket_id)
    }

    /// When they last met.
    pub(super) const fn last(&self) -> Millis {
        Millis(self.last_ms)
    }

    fn add(&mut self, row: Row) {
        // Whatever a visitor leaves by themselves never undoes what the stand said.
        if row.how == "stand" || self.outcome.is_none() {
            self.outcome = Some(row.outcome);
        }
        if row.how == "stand" {
            self.last_id = row.id.rsplit_once('.').map(|(_, id)| id.to_owned());
        }
        self.grade = row.grade.or_else(|| self.grade.take());
        if !row.note.is_empty() {
            self.note = row.note;
        }
        if let Some(post) = row.post {
            if !self.posts.contains(&post) {
                self.posts.push(post);
            }
            self.post = row.post_number;
        }
        self.last_ms = row.at_ms;
    }
}

/// Everybody an employer met, the latest first.
pub(super) async fn met(tx: &mut Tx, employer: &Employer) -> Result<Vec<Met>> {
    let rows: Vec<Row> = fetch!(
        tx,
        fetch_all,
        "select n.id, n.ticket_id, n.outcome, n.grade, n.note, n.how, n.at_ms, p.name as post, p.number as post_number
         from encounter n left join post p on p.id = n.post_id
         where n.employer_id = $1 and n.undone_ms is null order by n.at_ms, n.id",
        &employer.id,
    )?;
    // Who was scanned by a kiosk at the stand came by, whatever else was written down.
    let visits: Vec<(String, i64)> = fetch!(
        tx,
        fetch_all,
        "select ticket_id, max(true_ms) from scan
         where event_id = $1 and station_kind = 'booth' and station = $2 and verdict = 'admitted'
           and ticket_id is not null and undone_ms is null
         group by ticket_id",
        &employer.event_id,
        &employer.stand,
    )?;
    let mut by_ticket: HashMap<String, Met> = HashMap::new();
    let fresh = |id: &String| Met { ticket_id: id.clone(), ..Met::default() };
    for (ticket_id, at) in visits {
        by_ticket.entry(ticket_id.clone()).or_insert_with(|| fresh(&ticket_id)).last_ms = at;
    }
    for row in rows {
        by_ticket.entry(row.ticket_id.clone()).or_insert_with(|| fresh(&row.ticket_id)).add(row);
    }
    for who in consented(tx, employer).await? {
        let met = by_ticket.entry(who.ticket_id.clone()).or_insert_with(|| fresh(&who.ticket_id));
        met.who = Some(who);
    }
    for (ticket_id,) in withdrawn(tx, employer).await? {
        if let Some(met) = by_ticket.get_mut(&ticket_id) {
            met.withdrew = met.who.is_none();
        }
    }
    let mut met: Vec<Met> = by_ticket.into_values().collect();
    met.sort_by(|one, other| {
        other.last_ms.cmp(&one.last_ms).then_with(|| one.ticket_id.cmp(&other.ticket_id))
    });
    Ok(met)
}

async fn consented(tx: &mut Tx, employer: &Employer) -> Result<Vec<Who>> {
    Ok(fetch!(
        tx,
        fetch_all,
        concat!(
            "select c.ticket_id, t.holder as name, p.phone, s.education, s.wish
             from consent c join ticket t on t.id = c.ticket_id left join person p on p.id = t.person_id
             left join seeker s on s.person_id = t.person_id and s.event_id = c.event_id
             where c.employer_id = $1 and ",
            in_force!()
        ),
        &employer.id,
    )?)
}

async fn withdrawn(tx: &mut Tx, employer: &Employer) -> Result<Vec<(String,)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        // Whoever said no from the start took nothing back.
        "select distinct r.ticket_id from consent r where r.employer_id = $1 and not r.granted and exists (
             select 1 from consent c where c.employer_id = r.employer_id and c.ticket_id = r.ticket_id and c.granted)",
        &employer.id,
    )?)
}

/// Tickets whose holders took consent back after the employer had carried their particulars away: those it must delete.
pub(super) async fn to_delete(tx: &mut Tx, employer: &Employer) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select distinct r.ticket_id from consent r
         where r.employer_id = $1 and not r.granted and exists (
             select 1 from consent c join employer_export e on e.employer_id = c.employer_id
             where c.employer_id = r.employer_id and c.ticket_id = r.ticket_id and c.granted
               and c.received_ms <= e.at_ms and e.at_ms <= r.at_ms)
         order by r.ticket_id",
        &employer.id,
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: Outcome, how: &str, note: &str, at_ms: i64) -> Row {
        Row {
            id: format!("employer.{at_ms}"),
            ticket_id: "T".to_owned(),
            outcome,
            grade: None,
            note: note.to_owned(),
            how: how.to_owned(),
            at_ms,
            post: Some("会计".to_owned()),
            post_number: Some(3),
        }
    }

    #[test]
    fn the_latest_word_of_the_stand_counts() {
        let mut met = Met::default();
        met.add(row(Outcome::Cv, "visitor", "", 1));
        assert_eq!(met.outcome, Some(Outcome::Cv));
        met.add(Row {
            grade: Some("A".to_owned()),
            ..row(Outcome::Intention, "stand", "能上夜班", 2)
        });
        met.add(row(Outcome::Cv, "visitor", "", 3));
        met.add(row(Outcome::Hired, "stand", "", 4));
        assert_eq!(
            (met.outcome, met.grade.as_deref(), met.note.as_str()),
            (Some(Outcome::Hired), Some("A"), "能上夜班")
        );
        assert_eq!(
            (met.posts.len(), met.post, met.last_id.as_deref(), met.last_ms),
            (1, Some(3), Some("4"), 4)
        );
    }
}
