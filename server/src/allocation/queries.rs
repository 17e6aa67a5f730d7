//! The SQL of allocation.

use admission::Millis;

use crate::{
    db::Tx,
    error::{Error, Result},
    event::Offer,
    execute, fetch,
};

/// A union's part of an offer.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Part {
    pub(crate) union_id: String,
    pub(crate) union_name: String,
    /// Its members.
    pub(crate) members: i64,
    /// How many places it may give.
    pub(crate) places: i64,
    /// How many it has given.
    pub(crate) taken: i64,
    /// How many officers it has.
    pub(crate) officers: i64,
}

/// The parts of an offer, one for each union whose members may book it, by name.
pub(super) async fn parts(tx: &mut Tx, offer: &Offer) -> Result<Vec<Part>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select u.id as union_id, u.name as union_name, coalesce(a.places, 0) as places, coalesce(a.taken, 0) as taken,
                coalesce(m.members, 0) as members, coalesce(f.officers, 0) as officers
         from organisation u
         left join allocation a on a.union_id = u.id and a.offer_id = $1
         left join (select union_id, count(*) as members from person
                    where kind = 'member' and status in ('active', 'retained') group by union_id) m
                on m.union_id = u.id
         left join (select union_id, count(*) as officers from union_officer group by union_id) f on f.union_id = u.id
         where u.kind = 'union' and (a.union_id is not null or u.status <> 'closed'
               and ($2 <> 'unions' or exists (select 1 from offer_union o where o.offer_id = $1 and o.union_id = u.id)))
         order by u.name_search, u.id",
        &offer.id,
        &offer.eligibility,
    )?)
}

/// Sets how many places of an offer a union may give. False when it has given more already.
pub(super) async fn set_places(
    tx: &mut Tx,
    offer: &Offer,
    union_id: &str,
    places: i64,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "insert into allocation (offer_id, union_id, event_id, places)
         select $1, id, $2, $4 from organisation where id = $3 and kind = 'union'
         on conflict (offer_id, union_id) do update set places = excluded.places
             where allocation.taken <= excluded.places",
        &offer.id,
        &offer.event_id,
        union_id,
        places,
    )?;
    Ok(rows == 1)
}

/// How many places of an offer are divided among unions.
pub(crate) async fn divided(tx: &mut Tx, offer_id: &str) -> Result<i64> {
    let (places,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select cast(coalesce(sum(places), 0) as bigint) from allocation where offer_id = $1",
        offer_id,
    )?;
    Ok(places)
}

/// Takes a place of a union's part. False when it has given all.
pub(crate) async fn take(tx: &mut Tx, offer_id: &str, union_id: &str) -> Result<bool> {
    let rows = execute!(
        tx,
        "update allocation set taken = taken + 1 where offer_id = $1 and union_id = $2 and taken < places",
        offer_id,
        union_id,
    )?;
    Ok(rows == 1)
}

/// Gives back a place that was just taken.
pub(crate) async fn give_back(tx: &mut Tx, offer_id: &str, union_id: &str) -> Result<()> {
    execute!(
        tx,
        "update allocation set taken = taken - 1 where offer_id = $1 and union_id = $2",
        offer_id,
        union_id,
    )?;
    Ok(())
}

/// Gives the places of a booking back to the union whose they were.
pub(crate) async fn release(tx: &mut Tx, booking_id: &str) -> Result<()> {
    execute!(
        tx,
        "update allocation set taken = taken - 1
         where exists (select 1 from booking b where b.id = $1 and b.offer_id = allocation.offer_id
                       and b.union_id = allocation.union_id)",
        booking_id,
    )?;
    Ok(())
}

/// Offers whose unnamed places are to flow back.
pub(super) async fn due(tx: &mut Tx, now: Millis) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select o.id, o.event_id from offer o join event e on e.id = o.event_id
         where o.mode = 'allocation' and o.flow_back_ms <= $1 and o.flowed_back_ms is null
           and e.status in ('published', 'closed') order by o.flow_back_ms, o.id limit 100",
        now.0,
    )?)
}

/// Notes that an offer's places flowed back. False when another process was first.
pub(super) async fn note_flowed_back(tx: &mut Tx, offer_id: &str, now: Millis) -> Result<bool> {
    let rows = execute!(
        tx,
        "update offer set flowed_back_ms = $2 where id = $1 and flowed_back_ms is null",
        offer_id,
        now.0,
    )?;
    Ok(rows == 1)
}

/// An officer, for the organizer's page.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Officer {
    pub(super) union_id: String,
    pub(super) union_name: String,
    pub(super) person_id: String,
    pub(super) name: String,
    pub(super) phone: Option<String>,
}

/// All officers, by union.
pub(super) async fn officers(tx: &mut Tx) -> Result<Vec<Officer>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select f.union_id, u.name as union_name, f.person_id, p.name, p.phone
         from union_officer f join organisation u on u.id = f.union_id join person p on p.id = f.person_id
         order by u.name_search, u.id, p.name_search, p.id",
    )?)
}

/// Members of a union with that phone.
pub(super) async fn by_phone(
    tx: &mut Tx,
    union_id: &str,
    phone: &str,
) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select id, name from person where union_id = $1 and phone = $2 and kind = 'member'
           and status in ('active', 'retained') order by id",
        union_id,
        phone,
    )?)
}

/// Appoints an officer. False when they were one.
pub(super) async fn appoint(
    tx: &mut Tx,
    union_id: &str,
    person_id: &str,
    staff_id: &str,
    now: Millis,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "insert into union_officer (union_id, person_id, created_ms, staff_id) values ($1, $2, $3, $4)
         on conflict (union_id, person_id) do nothing",
        union_id,
        person_id,
        now.0,
        staff_id,
    )?;
    Ok(rows == 1)
}

/// Ends an office. False when there was none.
pub(super) async fn dismiss(tx: &mut Tx, union_id: &str, person_id: &str) -> Result<bool> {
    let rows = execute!(
        tx,
        "delete from union_officer where union_id = $1 and person_id = $2",
        union_id,
        person_id
    )?;
    Ok(rows == 1)
}

/// Ids and names of the unions whose officer a person is, as long as they belong to it.
pub(crate) async fn offices(tx: &mut Tx, person_id: &str) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select u.id, u.name from union_officer f join organisation u on u.id = f.union_id
         join person p on p.id = f.person_id and p.union_id = f.union_id and p.status in ('active', 'retained')
         where f.person_id = $1 order by u.name_search, u.id",
        person_id,
    )?)
}

/// The name of the union, if the person is its officer.
///
/// # Errors
/// [`Error::NotFound`] when they are not.
pub(super) async fn office(tx: &mut Tx, person_id: &str, union_id: &str) -> Result<String> {
    let mut all = offices(tx, person_id).await?;
    all.retain(|(id, _)| id == union_id);
    all.pop().map(|(_, name)| name).ok_or(Error::NotFound)
}

/// A part of an offer that an officer gives, for their list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Task {
    pub(super) offer_id: String,
    pub(super) offer_name: String,
    pub(super) union_id: String,
    pub(super) union_name: String,
    pub(super) title: String,
    pub(super) time_zone: String,
    pub(super) places: i64,
    pub(super) taken: i64,
    pub(super) flow_back_ms: Option<i64>,
}

/// What a person gives as officer, of events that are not over, the most urgent first.
pub(super) async fn tasks(tx: &mut Tx, person_id: &str, now: Millis) -> Result<Vec<Task>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select o.id as offer_id, o.name as offer_name, a.union_id, u.name as union_name, e.title, e.time_zone,
                a.places, a.taken, o.flow_back_ms
         from union_officer f join allocation a on a.union_id = f.union_id
         join person p on p.id = f.person_id and p.union_id = f.union_id and p.status in ('active', 'retained')
         join offer o on o.id = a.offer_id and o.mode = 'allocation' join event e on e.id = o.event_id
         join organisation u on u.id = a.union_id
         where f.person_id = $1 and e.status in ('published', 'closed') and e.ends_ms > $2 and a.places > 0
         order by o.flow_back_ms, o.id, u.name_search",
        person_id,
        now.0,
    )?)
}

/// The part of an offer that a union gives.
pub(super) async fn part(tx: &mut Tx, offer_id: &str, union_id: &str) -> Result<(i64, i64)> {
    let row: Option<(i64, i64)> = fetch!(
        tx,
        fetch_optional,
        "select places, taken from allocation where offer_id = $1 and union_id = $2",
        offer_id,
        union_id,
    )?;
    row.ok_or(Error::NotFound)
}

/// A member of a union, as its officer sees them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Colleague {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) phone: Option<String>,
    /// The enterprise they work for.
    pub(crate) firm: Option<String>,
    /// How their open booking of the offer stands, if they have one.
    pub(crate) status: Option<crate::booking::Status>,
}

/// Members of a union whose name contains `sought`, with how they stand towards an offer, at most `limit`.
pub(crate) async fn colleagues(
    tx: &mut Tx,
    offer_id: &str,
    union_id: &str,
    sought: &str,
    limit: i64,
) -> Result<Vec<Colleague>> {
    let pattern = format!("%{}%", sought.to_lowercase().replace(['%', '_', '\\', '\0'], ""));
    Ok(fetch!(
        tx,
        fetch_all,
        "select p.id, p.name, p.phone, o.name as firm,
                (select max(b.status) from booking b where b.offer_id = $1 and b.person_id = p.id
                   and b.status in ('confirmed', 'held', 'waiting', 'entered', 'requested')) as status
         from person p left join organisation o on o.id = p.organisation_id
         where p.union_id = $2 and p.kind = 'member' and p.status in ('active', 'retained') and p.name_search like $3
         order by p.name_search, p.id limit $4",
        offer_id,
        union_id,
        pattern,
        limit,
    )?)
}

/// Somebody whom an officer of a union named.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Named {
    pub(super) booking_id: String,
    pub(super) name: String,
    pub(super) phone: Option<String>,
    pub(super) status: crate::booking::Status,
    /// Who named them.
    pub(super) officer: Option<String>,
    #[sqlx(try_from = "i64")]
    pub(super) created_ms: Millis,
    /// What ended it.
    pub(super) cancelled_by: Option<String>,
}

/// Whom a union's officers named for an offer, the newest first.
pub(super) async fn named(tx: &mut Tx, offer_id: &str, union_id: &str) -> Result<Vec<Named>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.id as booking_id, p.name, p.phone, b.status, f.name as officer, b.created_ms, b.cancelled_by
         from booking b join person p on p.id = b.person_id left join person f on f.id = b.named_by
         where b.offer_id = $1 and b.union_id = $2 order by b.created_ms desc, b.id desc limit 500",
        offer_id,
        union_id,
    )?)
}

/// Whether somebody is a member of a union now.
pub(crate) async fn is_member(tx: &mut Tx, union_id: &str, person_id: &str) -> Result<bool> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from person where id = $1 and union_id = $2 and kind = 'member'
           and status in ('active', 'retained')",
        person_id,
        union_id,
    )?;
    Ok(row.is_some())
}
