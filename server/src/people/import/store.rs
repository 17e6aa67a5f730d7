//! The import's SQL: what is known, and what is written.

use std::collections::HashMap;

use admission::Millis;
use admission::card::Fingerprint;

use super::members::{KnownCard, MemberChange, Person, Record, Roster};
use super::organisations::{EnterpriseChange, Organisation, Organisations};
use crate::db::{Tx, new_id};
use crate::{execute, fetch};

/// All enterprises and unions.
pub(super) async fn organisations(tx: &mut Tx) -> sqlx::Result<Organisations> {
    let enterprises: Vec<Organisation> = fetch!(
        tx,
        fetch_all,
        "select id, name, uscc, union_id, status from organisation where kind = 'enterprise'"
    )?;
    let unions: Vec<Organisation> = fetch!(
        tx,
        fetch_all,
        "select id, name, uscc, union_id, status from organisation where kind = 'union'"
    )?;
    Ok(Organisations::new(enterprises, unions))
}

/// All people and their cards.
pub(super) async fn roster(tx: &mut Tx) -> sqlx::Result<Roster> {
    let organisations = organisations(tx).await?;
    let people: Vec<PersonRow> = fetch!(
        tx,
        fetch_all,
        "select id, kind, name, sex, id_fingerprint, phone, organisation_id, union_id, joined_on, status
         from person"
    )?;
    let people = people.into_iter().map(PersonRow::person).collect::<sqlx::Result<_>>()?;
    let rows: Vec<(Vec<u8>, String, bool)> =
        fetch!(tx, fetch_all, "select fingerprint, person_id, blocked from card")?;
    let mut cards = HashMap::with_capacity(rows.len());
    for (bytes, person_id, blocked) in rows {
        cards.insert(fingerprint(bytes)?, KnownCard { person_id, blocked });
    }
    Ok(Roster::new(organisations, people, cards))
}

#[derive(sqlx::FromRow)]
struct PersonRow {
    id: String,
    kind: String,
    name: String,
    sex: Option<String>,
    id_fingerprint: Option<Vec<u8>>,
    phone: Option<String>,
    organisation_id: Option<String>,
    union_id: Option<String>,
    joined_on: Option<String>,
    status: Option<String>,
}

impl PersonRow {
    fn person(self) -> sqlx::Result<Person> {
        let record = Record {
            kind: self.kind,
            name: self.name,
            sex: self.sex,
            id_fingerprint: self.id_fingerprint.map(fingerprint).transpose()?,
            phone: self.phone,
            organisation_id: self.organisation_id,
            union_id: self.union_id,
            joined_on: self.joined_on,
            status: self.status,
        };
        Ok(Person { id: self.id, record })
    }
}

fn fingerprint(bytes: Vec<u8>) -> sqlx::Result<Fingerprint> {
    let bytes =
        bytes.try_into().map_err(|_| sqlx::Error::Decode("a fingerprint has 32 bytes".into()))?;
    Ok(Fingerprint(bytes))
}

/// Adds a union; gives its id.
pub(super) async fn add_union(tx: &mut Tx, name: &str, now: Millis) -> sqlx::Result<String> {
    let id = new_id(now);
    execute!(
        tx,
        "insert into organisation (id, kind, name, name_search, status, created_ms, updated_ms)
         values ($1, 'union', $2, $3, 'independent', $4, $4)",
        &id,
        name,
        name.to_lowercase(),
        now.0,
    )?;
    Ok(id)
}

/// Adds or changes an enterprise under the union of this id. No union in the row leaves what is known.
pub(super) async fn put_enterprise(
    tx: &mut Tx,
    change: &EnterpriseChange,
    union_id: Option<&str>,
    now: Millis,
) -> sqlx::Result<()> {
    let search = change.name.to_lowercase();
    match &change.id {
        None => execute!(
            tx,
            "insert into organisation
             (id, kind, name, name_search, uscc, union_id, status, created_ms, updated_ms)
             values ($1, 'enterprise', $2, $3, $4, $5, $6, $7, $7)",
            new_id(now),
            &change.name,
            search,
            &change.uscc,
            union_id,
            change.status,
            now.0,
        )?,
        Some(id) => execute!(
            tx,
            "update organisation set name = $2, name_search = $3, uscc = $4,
             union_id = coalesce($5, union_id), status = $6, updated_ms = $7 where id = $1",
            id,
            &change.name,
            search,
            &change.uscc,
            union_id,
            change.status,
            now.0,
        )?,
    };
    Ok(())
}

/// Takes the roster's next `count` revisions, one for each card that changes, and gives the first: kiosks ask for
/// cards after the last one they have. Taken before the first card is written, so that imports commit one after the
/// other and no kiosk misses one.
pub(super) async fn take_revisions(tx: &mut Tx, count: usize) -> sqlx::Result<i64> {
    let count = i64::try_from(count).expect("fewer cards than 2^63");
    let (last,): (i64,) = fetch!(
        tx,
        fetch_one,
        "update roster set revision = revision + $1 where one = 1 returning revision",
        count,
    )?;
    Ok(last - count + 1)
}

/// Adds or changes a person and their card, whose changes take revisions from `revisions`.
pub(super) async fn put_member(
    tx: &mut Tx,
    change: &MemberChange,
    revisions: &mut impl Iterator<Item = i64>,
    now: Millis,
) -> sqlx::Result<()> {
    let id = match (&change.id, &change.record) {
        (None, Some(record)) => add_person(tx, record, now).await?,
        (Some(id), Some(record)) => {
            change_person(tx, id, record, now).await?;
            id.clone()
        }
        (Some(id), None) => id.clone(),
        (None, None) => return Ok(()),
    };
    for (card, revision) in change.known_cards.iter().zip(revisions.by_ref()) {
        execute!(
            tx,
            "update card set blocked = $2, revision = $3 where fingerprint = $1",
            &card.fingerprint.0[..],
            card.blocked,
            revision,
        )?;
    }
    for (card, revision) in change.card.iter().zip(revisions) {
        execute!(
            tx,
            "insert into card (fingerprint, person_id, last4, blocked, created_ms, revision)
             values ($1, $2, $3, false, $4, $5)",
            &card.fingerprint.0[..],
            &id,
            &card.last4,
            now.0,
            revision,
        )?;
    }
    Ok(())
}

async fn add_person(tx: &mut Tx, record: &Record, now: Millis) -> sqlx::Result<String> {
    let id = new_id(now);
    execute!(
        tx,
        "insert into person (id, kind, name, name_search, sex, id_fingerprint, phone, organisation_id,
         union_id, joined_on, status, created_ms, updated_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        &id,
        &record.kind,
        &record.name,
        record.name.to_lowercase(),
        &record.sex,
        record.id_fingerprint.map(|id| id.0.to_vec()),
        &record.phone,
        &record.organisation_id,
        &record.union_id,
        &record.joined_on,
        &record.status,
        now.0,
    )?;
    Ok(id)
}

async fn change_person(tx: &mut Tx, id: &str, record: &Record, now: Millis) -> sqlx::Result<()> {
    execute!(
        tx,
        "update person set kind = $2, name = $3, name_search = $4, sex = $5, id_fingerprint = $6, phone = $7,
         organisation_id = $8, union_id = $9, joined_on = $10, status = $11, updated_ms = $12 where id = $1",
        id,
        &record.kind,
        &record.name,
        record.name.to_lowercase(),
        &record.sex,
        record.id_fingerprint.map(|id| id.0.to_vec()),
        &record.phone,
        &record.organisation_id,
        &record.union_id,
        &record.joined_on,
        &record.status,
        now.0,
    )?;
    Ok(())
}
