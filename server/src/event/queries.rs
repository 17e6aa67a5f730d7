//! The SQL of events and offers.

use admission::Millis;

use super::{Event, EventDraft, Offer, OfferDraft, board::Counted, rules};
use crate::{
    db::{Tx, new_id},
    error::{Error, Result},
    execute, fetch, voucher,
};

/// Events that the public may see and that end after `since`, the next first.
pub(crate) async fn public(tx: &mut Tx, since: Millis) -> Result<Vec<Event>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from event where status <> 'draft' and ends_ms > $1 order by starts_ms, id",
        since.0,
    )?)
}

/// Every event with its numbers, the newest first, for staff.
pub(crate) async fn all_counted(tx: &mut Tx) -> Result<Vec<Counted>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select e.*, coalesce(o.quota, 0) as quota, coalesce(o.taken, 0) as taken, coalesce(t.admitted, 0) as admitted
         from event e
         left join (select event_id, cast(sum(quota) as bigint) as quota, cast(sum(taken) as bigint) as taken
                    from offer group by event_id) o on o.event_id = e.id
         left join (select event_id, count(used_ms) as admitted from ticket where state <> 'cancelled'
                    group by event_id) t on t.event_id = e.id
         order by e.starts_ms desc, e.id",
    )?)
}

/// The event of that id.
pub(crate) async fn event(tx: &mut Tx, id: &str) -> Result<Event> {
    let row: Option<Event> = fetch!(tx, fetch_optional, "select * from event where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// The offers of an event, in order of class.
pub(crate) async fn offers(tx: &mut Tx, event_id: &str) -> Result<Vec<Offer>> {
    Ok(fetch!(tx, fetch_all, "select * from offer where event_id = $1 order by class", event_id)?)
}

/// The offer of that id.
pub(crate) async fn offer(tx: &mut Tx, id: &str) -> Result<Offer> {
    let row: Option<Offer> = fetch!(tx, fetch_optional, "select * from offer where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// An offer, and of its event as much as says how it stands.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Current {
    #[sqlx(flatten)]
    pub(crate) offer: Offer,
    pub(crate) event_number: i64,
    pub(crate) event_status: String,
    #[sqlx(try_from = "i64")]
    pub(crate) event_ends_ms: Millis,
}

/// The offers of all events that the public may see and that end after `since`.
pub(crate) async fn current_offers(tx: &mut Tx, since: Millis) -> Result<Vec<Current>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select o.*, e.number as event_number, e.status as event_status, e.ends_ms as event_ends_ms
         from offer o join event e on e.id = o.event_id
         where e.status <> 'draft' and e.ends_ms > $1 order by o.event_id, o.class",
        since.0,
    )?)
}

/// Ids and names of the unions whose members may book an offer.
pub(crate) async fn offer_unions(tx: &mut Tx, offer_id: &str) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select o.id, o.name from offer_union u join organisation o on o.id = u.union_id
         where u.offer_id = $1 order by o.name",
        offer_id,
    )?)
}

/// Ids and names of all unions.
pub(crate) async fn unions(tx: &mut Tx) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select id, name from organisation where kind = 'union' and status <> 'closed' order by name_search, id",
    )?)
}

/// How many people hold places of an event.
pub(crate) async fn holders(tx: &mut Tx, event_id: &str) -> Result<i64> {
    let (holders,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(distinct b.person_id) from offer o join booking b on b.offer_id = o.id
         where o.event_id = $1 and b.status = 'confirmed'",
        event_id,
    )?;
    Ok(holders)
}

/// Writes a new event with its offers; gives its id. The draft was checked.
pub(crate) async fn create(tx: &mut Tx, draft: &EventDraft, now: Millis) -> Result<String> {
    let id = new_id(now);
    execute!(
        tx,
        "insert into event (id, number, kind, theme, title, place, entrance, poster, starts_ms, ends_ms, time_zone,
                            status, created_ms, updated_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
        &id,
        i64::from(random_number()),
        &draft.kind,
        &draft.theme,
        draft.title.trim(),
        draft.place.trim(),
        draft.entrance.trim(),
        &draft.poster,
        draft.starts_ms,
        draft.ends_ms,
        &draft.time_zone,
        &draft.status,
        now.0,
    )?;
    execute!(tx, "insert into event_revision (event_id, revision) values ($1, 0)", &id)?;
    for offer in &draft.offers {
        add_offer(tx, &id, offer, now).await?;
    }
    Ok(id)
}

/// Writes the changed particulars of an event. The draft was checked; its offers are not touched.
pub(crate) async fn update(tx: &mut Tx, id: &str, draft: &EventDraft, now: Millis) -> Result<()> {
    execute!(
        tx,
        "update event set kind = $2, theme = $3, title = $4, place = $5, entrance = $6, poster = $7, starts_ms = $8,
                          ends_ms = $9, time_zone = $10, updated_ms = $11
         where id = $1",
        id,
        &draft.kind,
        &draft.theme,
        draft.title.trim(),
        draft.place.trim(),
        draft.entrance.trim(),
        &draft.poster,
        draft.starts_ms,
        draft.ends_ms,
        &draft.time_zone,
        now.0,
    )?;
    Ok(())
}

/// Publishes, closes or cancels an event. A cancelled one stays cancelled.
pub(crate) async fn set_status(
    tx: &mut Tx,
    id: &str,
    status: &str,
    note: &str,
    now: Millis,
) -> Result<()> {
    let rows = execute!(
        tx,
        "update event set status = $2, cancel_note = $3, updated_ms = $4 where id = $1 and status <> 'cancelled'",
        id,
        status,
        note.trim(),
        now.0,
    )?;
    if rows == 0 {
        event(tx, id).await?;
        return Err(Error::invalid(
            "cancelled",
            "活动已经取消，不能再更改状态。",
            "The event was cancelled; its status cannot change.",
        ));
    }
    next_revisions(tx, id, 1).await?;
    Ok(())
}

/// Writes a new offer; gives its id. The draft was checked.
pub(crate) async fn add_offer(
    tx: &mut Tx,
    event_id: &str,
    draft: &OfferDraft,
    now: Millis,
) -> Result<String> {
    let event = event(tx, event_id).await?;
    let (valid_from, valid_to, cancel_until) =
        rules::windows(draft, event.starts_ms, event.ends_ms)?;
    let id = new_id(now);
    // Two offers added at once get two classes.
    hold(tx, event_id).await?;
    let (class,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select coalesce(max(class) + 1, 0) from offer where event_id = $1",
        event_id
    )?;
    execute!(
        tx,
        "insert into offer (id, event_id, class, name, mode, quota, opens_ms, closes_ms, cancel_until_ms, per_person,
                            guests_max, eligibility, valid_from_ms, valid_to_ms, created_ms, waiting_list, accept_ms,
                            hold_ms, contribution_cents, limit_event, limit_month, limit_year, no_shows_count,
                            weight_drives, flow_back_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24, $25)",
        &id,
        event_id,
        class,
        draft.name.trim(),
        &draft.mode,
        draft.quota,
        draft.opens_ms,
        draft.closes_ms,
        cancel_until.0,
        draft.per_person,
        draft.guests_max,
        &draft.eligibility,
        valid_from.0,
        valid_to.0,
        now.0,
        draft.waiting_list,
        draft.accept_ms,
        draft.hold_ms,
        draft.contribution_cents,
        draft.limit_event,
        draft.limit_month,
        draft.limit_year,
        draft.no_shows_count,
        draft.weight_drives,
        draft.flow_back_ms,
    )?;
    set_door(tx, &id, draft).await?;
    set_unions(tx, &id, draft).await?;
    set_floors(tx, &id, draft).await?;
    voucher::batch::set(tx, &event, &id, draft).await?;
    Ok(id)
}

/// Writes how an offer's tickets are used at the doors.
async fn set_door(tx: &mut Tx, id: &str, draft: &OfferDraft) -> Result<()> {
    execute!(
        tx,
        "update offer set uses = $2, reentry = $3, walk_ins = $4, moving_code = $5 where id = $1",
        id,
        draft.uses,
        draft.reentry,
        draft.walk_ins,
        draft.moving_code,
    )?;
    Ok(())
}

/// Writes the changed particulars of an offer. Fewer places than are taken is refused; tickets keep their own window.
pub(crate) async fn update_offer(tx: &mut Tx, id: &str, draft: &OfferDraft) -> Result<()> {
    let before = offer(tx, id).await?;
    if before.mode != draft.mode && is_booked(tx, id).await? {
        return Err(Error::invalid(
            "mode",
            "已经有人报名，不能再换报名方式。可以另加一个名额。",
            "People have booked already; the mode cannot change. You may add another offer.",
        ));
    }
    crate::draw::refuse_change(tx, &before, draft).await?;
    if before.flowed_back_ms.is_some() && draft.flow_back_ms != before.flow_back_ms {
        return Err(Error::invalid(
            "flow_back",
            "名额已经放出，不能再改放出时间。",
            "The places have been opened to everybody; the time cannot change any more.",
        ));
    }
    let divided = crate::allocation::queries::divided(tx, id).await?;
    if draft.mode == "allocation" && draft.quota < divided {
        return Err(Error::invalid(
            "quota",
            format!("已有 {divided} 个分到各工会，名额不能少于 {divided}。请先改分配。"),
            format!(
                "{divided} places are divided among unions; the quota cannot be less. Change that first."
            ),
        ));
    }
    let largest = largest_request(tx, id).await?;
    if (1..largest).contains(&draft.quota) && draft.quota < before.quota {
        return Err(Error::invalid(
            "quota",
            format!(
                "有一组 {largest} 人在候补或等结果，名额不能少于 {largest}，否则他们永远等不到，后面的人也轮不到。"
            ),
            format!(
                "A group of {largest} waits; with fewer places in all they would wait for ever, and those behind them too."
            ),
        ));
    }
    if draft.no_shows_count && !before.no_shows_count && is_booked(tx, id).await? {
        return Err(Error::invalid(
            "no_shows_count",
            "已经有人报名，不能再改成登记没有来：报名的人事先并不知道。可以另加一个名额。",
            "People have booked and were not told; no-shows cannot be counted from now on. You may add another offer.",
        ));
    }
    let event = event(tx, &before.event_id).await?;
    let (valid_from, valid_to, cancel_until) =
        rules::windows(draft, event.starts_ms, event.ends_ms)?;
    let rows = execute!(
        tx,
        "update offer set name = $2, mode = $3, quota = $4, opens_ms = $5, closes_ms = $6, cancel_until_ms = $7,
                          per_person = $8, guests_max = $9, eligibility = $10, valid_from_ms = $11, valid_to_ms = $12,
                          waiting_list = $13, accept_ms = $14, hold_ms = $15, contribution_cents = $16,
                          limit_event = $17, limit_month = $18, limit_year = $19, no_shows_count = $20,
                          weight_drives = $21, flow_back_ms = $22
         where id = $1 and taken <= $4",
        id,
        draft.name.trim(),
        &draft.mode,
        draft.quota,
        draft.opens_ms,
        draft.closes_ms,
        cancel_until.0,
        draft.per_person,
        draft.guests_max,
        &draft.eligibility,
        valid_from.0,
        valid_to.0,
        draft.waiting_list,
        draft.accept_ms,
        draft.hold_ms,
        draft.contribution_cents,
        draft.limit_event,
        draft.limit_month,
        draft.limit_year,
        draft.no_shows_count,
        draft.weight_drives,
        draft.flow_back_ms,
    )?;
    if rows == 0 {
        let taken = before.taken;
        return Err(Error::invalid(
            "quota",
            format!("已有 {taken} 个名额被预订，名额不能少于 {taken}。"),
            format!("{taken} places are booked already; the quota cannot be less."),
        ));
    }
    set_door(tx, id, draft).await?;
    set_unions(tx, id, draft).await?;
    set_floors(tx, id, draft).await?;
    voucher::batch::set(tx, &event, id, draft).await
}

async fn set_floors(tx: &mut Tx, offer_id: &str, draft: &OfferDraft) -> Result<()> {
    let Some(floors) = &draft.floors else { return Ok(()) };
    execute!(tx, "delete from offer_floor where offer_id = $1", offer_id)?;
    for floor in floors {
        let rows = execute!(
            tx,
            "insert into offer_floor (offer_id, union_id, places)
             select $1, id, $3 from organisation where id = $2 and kind = 'union'
             on conflict (offer_id, union_id) do update set places = excluded.places",
            offer_id,
            &floor.union,
            floor.places,
        )?;
        if rows == 0 {
            return Err(Error::invalid(
                "floors",
                "保底名额里的工会不存在。",
                "A union with places set aside does not exist.",
            ));
        }
    }
    Ok(())
}

/// How many places the largest group wants that has none yet.
async fn largest_request(tx: &mut Tx, offer_id: &str) -> Result<i64> {
    let (places,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select coalesce(max(places), 0) from booking
         where offer_id = $1 and status in ('waiting', 'entered', 'requested')",
        offer_id,
    )?;
    Ok(places)
}

async fn is_booked(tx: &mut Tx, offer_id: &str) -> Result<bool> {
    let (bookings,): (i64,) =
        fetch!(tx, fetch_one, "select count(*) from booking where offer_id = $1", offer_id)?;
    Ok(bookings > 0)
}

async fn set_unions(tx: &mut Tx, offer_id: &str, draft: &OfferDraft) -> Result<()> {
    execute!(tx, "delete from offer_union where offer_id = $1", offer_id)?;
    for union in &draft.unions {
        let rows = execute!(
            tx,
            "insert into offer_union (offer_id, union_id)
             select $1, id from organisation where id = $2 and kind = 'union'",
            offer_id,
            union,
        )?;
        if rows == 0 {
            return Err(Error::invalid(
                "unions",
                "所选工会不存在。",
                "One of the chosen unions does not exist.",
            ));
        }
    }
    Ok(())
}

/// Holds the event's counter until commit: what is read and decided about the event from here on, no other process
/// changes. Work for the ledger does this before it writes anything.
///
/// # Errors
/// [`Error::OutOfTurn`] when the transaction holds the counter of an event that comes later.
pub(crate) async fn hold(tx: &mut Tx, event_id: &str) -> Result<()> {
    if !tx.is_turn_of(event_id) {
        return Err(Error::OutOfTurn { event: event_id.to_owned() });
    }
    execute!(tx, "update event_revision set revision = revision where event_id = $1", event_id)?;
    Ok(())
}

/// Takes the next `n` revisions of an event; gives the first of them. Holds the event's counter until commit, so
/// commits of one event are serial and the feed has no gaps.
pub(crate) async fn next_revisions(tx: &mut Tx, event_id: &str, n: i64) -> Result<i64> {
    let (last,): (i64,) = fetch!(
        tx,
        fetch_one,
        "update event_revision set revision = revision + $2 where event_id = $1 returning revision",
        event_id,
        n,
    )?;
    Ok(last - n + 1)
}

fn random_number() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    u32::from_be_bytes(bytes).max(1)
}
