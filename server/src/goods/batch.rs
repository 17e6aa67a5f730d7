//! Units of one organisation that a delegate collects at once: for how many people, where, and who comes for them.
//! The delegate is told when they are chosen, and when somebody else comes in their place.

use admission::Millis;

use super::{Goods, Point, queries, setup};
use crate::{
    App,
    booking::{Status, change::Cause, given},
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    execute, fetch,
    keys::Keys,
    outbox,
};

/// A line of the list.
#[derive(Clone, Debug)]
pub(crate) struct NewBatch {
    pub(crate) organisation_id: String,
    pub(crate) delegate_id: String,
    pub(crate) units: i64,
}

/// Promises an organisation some units at a point, and gives its delegate the ticket to collect them on. The event's
/// counter is held.
///
/// # Errors
/// [`Error::Invalid`] for no units, or when the organisation has some still to be collected.
pub(crate) async fn add(
    tx: &mut Tx,
    keys: &Keys,
    (event, goods, point): (&Event, &Goods, &Point),
    new: &NewBatch,
    now: Millis,
) -> Result<()> {
    if !(1..=setup::UNITS_MAX).contains(&new.units) {
        return Err(Error::invalid(
            "units",
            "请填人数，1 或更多。",
            "Please give a number of people from 1 on.",
        ));
    }
    let open: Option<(i64,)> = fetch!(
        tx,
        fetch_optional,
        "select g.units from goods_batch g join booking b on b.id = g.booking_id
         where g.event_id = $1 and g.organisation_id = $2 and b.status = 'confirmed'
           and not exists (select 1 from ticket t where t.booking_id = b.id and t.used_ms is not null)",
        &event.id,
        &new.organisation_id,
    )?;
    if open.is_some() {
        return Err(Error::invalid(
            "organisation",
            "这家单位已有一份清单没有领，请先撤下再改。",
            "This organisation has units still to be collected. Please take that line off first.",
        ));
    }
    promise(tx, keys, (event, goods, point), new, now).await
}

/// Gives the delegate the ticket for the units, and tells them where to go.
async fn promise(
    tx: &mut Tx,
    keys: &Keys,
    (event, goods, point): (&Event, &Goods, &Point),
    new: &NewBatch,
    now: Millis,
) -> Result<()> {
    let offer = setup::delegates_offer(tx, event, goods, now).await?;
    let booking = given::give_one_more(tx, keys, (event, &offer), &new.delegate_id, now).await?;
    execute!(
        tx,
        "insert into goods_batch (booking_id, event_id, point_id, organisation_id, units, created_ms)
         values ($1, $2, $3, $4, $5, $6)",
        &booking.id,
        &event.id,
        &point.id,
        &new.organisation_id,
        new.units,
        now.0,
    )?;
    // Kiosks show it beside the name, also without a network. They have not been told of the ticket yet.
    execute!(
        tx,
        "update ticket set place = $2 where booking_id = $1",
        &booking.id,
        format!("{} {}", new.units, goods.unit),
    )?;
    let (organisation,): (String,) =
        fetch!(tx, fetch_one, "select name from organisation where id = $1", &new.organisation_id)?;
    let body = format!(
        "【王佐镇总工会】请您为{organisation}代领{} {} {}：{}（{}）。刷京卡或出示「我的票」里的二维码，一次领走。",
        goods.item, new.units, goods.unit, point.name, point.place
    );
    outbox::tell(tx, &new.delegate_id, &body, now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// Has somebody else come for units that are still to be collected. False when they were collected, or a colleague chose
/// somebody meanwhile. The event's counter is held.
pub(super) async fn send_another(
    tx: &mut Tx,
    app: &App,
    (event, goods): (&Event, &Goods),
    (ticket_id, delegate_id): (&str, &str),
    now: Millis,
) -> Result<bool> {
    let row: Option<(String, String, String, String, i64)> = fetch!(
        tx,
        fetch_optional,
        "select g.booking_id, b.person_id, g.point_id, g.organisation_id, g.units
         from goods_batch g join ticket t on t.booking_id = g.booking_id join booking b on b.id = g.booking_id
         where g.event_id = $1 and t.id = $2",
        &event.id,
        ticket_id,
    )?;
    let (booking_id, before, point_id, organisation_id, units) = row.ok_or(Error::NotFound)?;
    if before == delegate_id {
        return Ok(true);
    }
    let end = (Status::Cancelled, Cause::of("taken_back"));
    if !given::end_unused(tx, app, &booking_id, end, now).await? {
        return Ok(false);
    }
    let body =
        format!("【王佐镇总工会】「{}」的{}改由别人代领，您不用去了。", event.title, goods.item);
    outbox::tell(tx, &before, &body, now).await?;
    let point = queries::point(tx, &event.id, &point_id).await?;
    let new = NewBatch { organisation_id, delegate_id: delegate_id.to_owned(), units };
    promise(tx, &app.keys, (event, goods, &point), &new, now).await?;
    Ok(true)
}

/// Takes a line off whose units nobody collected. False when they were. The event's counter is held.
pub(super) async fn remove(
    tx: &mut Tx,
    app: &App,
    event_id: &str,
    ticket_id: &str,
    now: Millis,
) -> Result<bool> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select g.booking_id from goods_batch g join ticket t on t.booking_id = g.booking_id
         where g.event_id = $1 and t.id = $2",
        event_id,
        ticket_id,
    )?;
    let (booking_id,) = row.ok_or(Error::NotFound)?;
    let end = (Status::Cancelled, Cause::of("taken_back"));
    given::end_unused(tx, app, &booking_id, end, now).await
}

/// A union with what a list could say of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Derived {
    pub(super) organisation_id: String,
    pub(super) members: i64,
    /// The officer who was appointed first.
    pub(super) delegate_id: Option<String>,
}

/// What the roster says: each union's members, and its first officer; unions that have a line already are left out.
pub(super) async fn derived(tx: &mut Tx, event_id: &str) -> Result<Vec<Derived>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select u.id as organisation_id, count(p.id) as members,
                (select f.person_id from union_officer f where f.union_id = u.id
                 order by f.created_ms, f.person_id limit 1) as delegate_id
         from organisation u join person p on p.union_id = u.id
         where u.kind = 'union' and u.status <> 'closed' and p.kind = 'member' and p.status in ('active', 'retained')
           and not exists (select 1 from goods_batch g join booking b on b.id = g.booking_id
                           where g.event_id = $1 and g.organisation_id = u.id and b.status = 'confirmed')
         group by u.id, u.name_search order by u.name_search, u.id",
        event_id,
    )?)
}

/// Writes what the roster says for every union that has an officer; gives how many lines, and how many unions have no
/// officer to come. The event's counter is held.
pub(super) async fn derive(
    tx: &mut Tx,
    keys: &Keys,
    (event, point): (&Event, &Point),
    now: Millis,
) -> Result<(usize, usize)> {
    let (mut made, mut without) = (0, 0);
    for union in derived(tx, &event.id).await? {
        let Some(delegate_id) = union.delegate_id else {
            without += 1;
            continue;
        };
        let goods = queries::goods(tx, &event.id).await?.ok_or(Error::NotFound)?;
        let new =
            NewBatch { organisation_id: union.organisation_id, delegate_id, units: union.members };
        add(tx, keys, (event, &goods, point), &new, now).await?;
        made += 1;
    }
    Ok((made, without))
}

/// What a line of a file asks for that cannot be had, in Chinese and English.
pub(super) type Fault = (&'static str, &'static str);

/// Resolves a line of a list: the organisation by its name, the delegate by phone (and name, when several have it).
///
/// # Errors
/// When the database fails.
pub(super) async fn resolve(
    tx: &mut Tx,
    organisation: &str,
    (name, phone): (&str, &str),
    units: i64,
) -> Result<std::result::Result<NewBatch, Fault>> {
    let known: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select id, name from organisation where name_search = $1 and status <> 'closed'
         order by case when kind = 'union' then 0 else 1 end, id",
        organisation.to_lowercase(),
    )?;
    let Some((organisation_id, _)) = known.into_iter().next() else {
        return Ok(Err((
            "没有这个名称的工会或企业，请按名册写全称。",
            "No union or enterprise of that name is on the roster.",
        )));
    };
    let mut people: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select id, name from person where phone = $1 and kind = 'member' order by id",
        phone,
    )?;
    people.retain(|(_, known)| name.is_empty() || known == name);
    let [(delegate_id, _)] = people.as_slice() else {
        return Ok(Err((
            "名册上没有这位领取人：手机号和姓名要与名册一致。",
            "No member of that phone and name is on the roster to come for it.",
        )));
    };
    Ok(Ok(NewBatch { organisation_id, delegate_id: delegate_id.clone(), units }))
}

/// The event and what it hands out, or nothing to be found.
pub(super) async fn of_event(tx: &mut Tx, id: &str) -> Result<(Event, Goods)> {
    let event = event::queries::event(tx, id).await?;
    let goods = queries::goods(tx, id).await?.ok_or(Error::NotFound)?;
    Ok((event, goods))
}
