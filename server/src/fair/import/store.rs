//! A fair's lists go into the books here. What is there already is recognised by name: employers within the event,
//! posts within the employer, several of one name in the order of the file.

use std::collections::{HashMap, HashSet};

use admission::Millis;

use super::{Code, Counts, EmployerRow, Fault, Lists, Placed, PostRow, Remark, Report};
use crate::{
    db::{Tx, new_id},
    desk,
    error::Result,
    execute,
    fair::{
        Employer, Post,
        queries::{self, random_code},
    },
    people::import::text,
};

impl Lists {
    /// Brings the lists into the books of `event_id`; gives what it did. A dry run rolls the transaction back.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] without such an event; when the database fails.
    pub async fn write(&self, tx: &mut Tx, event_id: &str, now: Millis) -> Result<Report> {
        crate::event::queries::event(tx, event_id).await?;
        let mut report = Report {
            remarks: self.remarks.clone(),
            left_out: self.left_out,
            ignored_columns: self.ignored_columns.clone(),
            ignored_sheets: self.ignored_sheets.clone(),
            ..Report::default()
        };
        let ids = self.write_employers(tx, event_id, now, &mut report).await?;
        self.write_posts(tx, event_id, &ids, now, &mut report).await?;
        for name in &self.desks {
            match desk::queries::add(tx, event_id, name, now).await? {
                true => report.desks.new += 1,
                false => report.desks.unchanged += 1,
            }
        }
        tx.notify(event_id).await?;
        Ok(report)
    }

    /// Gives the ids of all the event's employers by name.
    async fn write_employers(
        &self,
        tx: &mut Tx,
        event_id: &str,
        now: Millis,
        report: &mut Report,
    ) -> Result<HashMap<String, String>> {
        let mut known = queries::employers(tx, event_id).await?;
        for placed in &self.employers {
            let row = &placed.row;
            let key = text::name_key(&row.name);
            // A firm that changed its name keeps its credit code.
            let at = known
                .iter()
                .position(|employer| text::name_key(&employer.name) == key)
                .or_else(|| {
                    known
                        .iter()
                        .position(|employer| row.uscc.is_some() && employer.uscc == row.uscc)
                });
            let before = at.map(|at| known[at].clone());
            let taken = |employer: &&Employer| {
                employer.stand == row.stand
                    && before.as_ref().is_none_or(|before| before.id != employer.id)
            };
            if let Some(other) = known.iter().find(taken) {
                report.left_out(placed, Code::StandTaken, &other.name);
                continue;
            }
            let (id, change) = match &before {
                Some(before) if is_same(before, row) => {
                    (before.id.clone(), &mut report.employers.unchanged)
                }
                Some(before) => {
                    update_employer(tx, &before.id, row, now).await?;
                    (before.id.clone(), &mut report.employers.updated)
                }
                None => (insert_employer(tx, event_id, row, now).await?, &mut report.employers.new),
            };
            *change += 1;
            let after = queries::employer(tx, &id).await?;
            match at {
                Some(at) => known[at] = after,
                None => known.push(after),
            }
        }
        Ok(known
            .into_iter()
            .map(|employer| (text::name_key(&employer.name), employer.id))
            .collect())
    }

    async fn write_posts(
        &self,
        tx: &mut Tx,
        event_id: &str,
        ids: &HashMap<String, String>,
        now: Millis,
        report: &mut Report,
    ) -> Result<()> {
        let known = queries::posts(tx, event_id).await?;
        let mut next = known.iter().map(|post| post.number).max().unwrap_or(0) + 1;
        let mut used = HashSet::new();
        for placed in &self.posts {
            let row = &placed.row;
            let Some(employer) = ids.get(&text::name_key(&row.employer)) else {
                report.left_out(placed, Code::EmployerUnknown, &row.employer);
                continue;
            };
            let before = known.iter().find(|post| {
                post.employer_id == *employer
                    && post.name == row.name
                    && !used.contains(&post.number)
            });
            match before {
                Some(before) => {
                    used.insert(before.number);
                    if is_same_post(before, row) {
                        report.posts.unchanged += 1;
                    } else {
                        update_post(tx, &before.id, row, now).await?;
                        report.posts.updated += 1;
                    }
                }
                None => {
                    insert_post(tx, event_id, employer, next, row, now).await?;
                    next += 1;
                    report.posts.new += 1;
                }
            }
        }
        Ok(())
    }
}

impl Report {
    fn left_out<R>(&mut self, placed: &Placed<R>, code: Code, shown: &str) {
        self.left_out += 1;
        self.remarks.push(Remark {
            cell: placed.cell.clone(),
            label: placed.label.clone(),
            fault: Fault::new(code, shown),
            stops: true,
        });
    }

    /// The lists by name, for pages and the command line.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, &'static str, Counts); 3] {
        [
            ("参会单位", "employers", self.employers),
            ("招聘岗位", "posts", self.posts),
            ("咨询台", "desks", self.desks),
        ]
    }
}

fn is_same(before: &Employer, row: &EmployerRow) -> bool {
    before.name == row.name
        && before.stand == row.stand
        && (row.uscc.is_none() || before.uscc == row.uscc)
        && (row.union_status.is_none() || before.union_status.as_deref() == row.union_status)
        && (row.contact.is_empty() || before.contact == row.contact)
        && (row.phone.is_none() || before.contact_phone == row.phone)
}

fn is_same_post(before: &Post, row: &PostRow) -> bool {
    before.occupation.as_deref() == row.occupation.map(|occupation| occupation.code)
        && before.headcount == row.headcount
        && (before.pay_from_cents, before.pay_to_cents) == (row.pay_from_cents, row.pay_to_cents)
        && before.education == row.education
        && [&before.place, &before.work, &before.conditions, &before.benefits, &before.insurance]
            == [&row.place, &row.work, &row.conditions, &row.benefits, &row.insurance]
}

async fn insert_employer(
    tx: &mut Tx,
    event_id: &str,
    row: &EmployerRow,
    now: Millis,
) -> Result<String> {
    let id = new_id(now);
    execute!(
        tx,
        "insert into employer (id, event_id, name, uscc, name_search, stand, union_status, contact, contact_phone,
                               poster, created_ms, updated_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        &id,
        event_id,
        &row.name,
        &row.uscc,
        row.name.to_lowercase(),
        &row.stand,
        row.union_status,
        &row.contact,
        &row.phone,
        random_code(),
        now.0,
    )?;
    Ok(id)
}

/// What the list does not say stays as it is.
async fn update_employer(tx: &mut Tx, id: &str, row: &EmployerRow, now: Millis) -> Result<()> {
    execute!(
        tx,
        "update employer set name = $2, name_search = $3, stand = $4, uscc = coalesce($5, uscc),
                union_status = coalesce($6, union_status), contact = case when $7 = '' then contact else $7 end,
                contact_phone = coalesce($8, contact_phone), updated_ms = $9
         where id = $1",
        id,
        &row.name,
        row.name.to_lowercase(),
        &row.stand,
        &row.uscc,
        row.union_status,
        &row.contact,
        &row.phone,
        now.0,
    )?;
    Ok(())
}

async fn insert_post(
    tx: &mut Tx,
    event_id: &str,
    employer_id: &str,
    number: i64,
    row: &PostRow,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into post (id, event_id, employer_id, number, name, occupation, trade, search, headcount,
                           pay_from_cents, pay_to_cents, education, place, work, conditions, benefits, insurance,
                           created_ms, updated_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)",
        new_id(now),
        event_id,
        employer_id,
        number,
        &row.name,
        row.occupation.map(|occupation| occupation.code),
        row.trade(),
        row.search(),
        row.headcount,
        row.pay_from_cents,
        row.pay_to_cents,
        row.education.word(),
        &row.place,
        &row.work,
        &row.conditions,
        &row.benefits,
        &row.insurance,
        now.0,
    )?;
    Ok(())
}

async fn update_post(tx: &mut Tx, id: &str, row: &PostRow, now: Millis) -> Result<()> {
    execute!(
        tx,
        "update post set occupation = $2, trade = $3, search = $4, headcount = $5, pay_from_cents = $6,
                pay_to_cents = $7, education = $8, place = $9, work = $10, conditions = $11, benefits = $12,
                insurance = $13, updated_ms = $14
         where id = $1",
        id,
        row.occupation.map(|occupation| occupation.code),
        row.trade(),
        row.search(),
        row.headcount,
        row.pay_from_cents,
        row.pay_to_cents,
        row.education.word(),
        &row.place,
        &row.work,
        &row.conditions,
        &row.benefits,
        &row.insurance,
        now.0,
    )?;
    Ok(())
}
