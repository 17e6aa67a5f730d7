//! What a draw makes of its entries: places for those who won, the line or nothing for the others.

use admission::Millis;

use super::{Booking, Status, line, queries, rules, tickets, together::Given};
use crate::{
    App,
    db::Tx,
    error::Result,
    event::{Event, Offer},
    execute, fetch, fetch_rows, no_show,
};

/// Gives the winners their places and tells everybody. `lost` are in the order in which they would stand in line. The
/// transaction holds the event's counter.
pub(crate) async fn settle(
    tx: &mut Tx,
    app: &App,
    (event, offer): (&Event, &Offer),
    won: &[String],
    lost: &[String],
    now: Millis,
) -> Result<()> {
    let given = Given::place(offer);
    for booking in bookings(tx, won).await? {
        // The draw gave out no more than was left; the write decides all the same.
        if !queries::take_for_line(tx, &offer.id, booking.places).await? {
            return Err(
                anyhow::anyhow!("the draw of offer {} has too many winners", offer.id).into()
            );
        }
        execute!(
            tx,
            "update booking set status = $2, held_until_ms = $3 where id = $1",
            &booking.id,
            given.status,
            given.held_ms.map(|ms| now.plus(ms).0),
        )?;
        if let Some(state) = given.tickets {
            tickets::issue(tx, &app.keys, (event, offer), &booking, state, now).await?;
        }
    }
    if offer.waiting_list {
        stand_in_line(tx, offer, lost).await?;
    } else {
        execute!(
            tx,
            "update booking set status = 'drawn_out' where offer_id = $1 and status = 'entered'",
            &offer.id,
        )?;
    }
    execute!(
        tx,
        "insert into booking_change (id, event_id, booking_id, at_ms, status, cause)
         select 'draw-' || id, event_id, id, $2, status,
                case when status in ('confirmed', 'held') then 'drawn' else 'drawn_out' end
         from booking where offer_id = $1 and status in ('confirmed', 'held', 'waiting', 'drawn_out')",
        &offer.id,
        now.0,
    )?;
    tell(tx, app, event, offer, now).await
}

/// Ends the entries of people whom their no-shows keep out by now, or whom the offer is not for any more, before the draw.
/// The transaction holds the event's counter.
pub(crate) async fn put_out(
    tx: &mut Tx,
    app: &App,
    (event, offer): (&Event, &Offer),
    now: Millis,
) -> Result<()> {
    let entered: Vec<Booking> = fetch!(
        tx,
        fetch_all,
        "select * from booking where offer_id = $1 and status = 'entered' order by id",
        &offer.id,
    )?;
    for entered in entered.chunks(1_000) {
        let people = || entered.iter().map(|booking| booking.person_id.as_str());
        let barred = no_show::rules::barred(tx, offer, people().collect(), now).await?;
        let ineligible = rules::ineligible(tx, offer, people().collect()).await?;
        let out = |person| barred.contains_key(person) || ineligible.contains(person);
        for booking in entered.iter().filter(|booking| out(&booking.person_id)) {
            line::put_out(tx, app, (event, offer), booking, now).await?;
        }
    }
    Ok(())
}

async fn bookings(tx: &mut Tx, ids: &[String]) -> Result<Vec<Booking>> {
    let mut found = Vec::new();
    for ids in ids.chunks(1_000) {
        let some: Vec<Booking> =
            fetch_rows!(tx, "select * from booking where id in (", ids, |id| [id], ")")?;
        found.extend(some);
    }
    Ok(found)
}

async fn stand_in_line(tx: &mut Tx, offer: &Offer, lost: &[String]) -> Result<()> {
    let count = i64::try_from(lost.len()).unwrap_or(i64::MAX);
    let (last, _) = super::line::join(tx, &offer.id, count).await?;
    for (id, line) in lost.iter().zip(last - count + 1..) {
        execute!(tx, "update booking set status = 'waiting', line = $2 where id = $1", id, line)?;
    }
    Ok(())
}

/// One message for each outcome.
async fn tell(tx: &mut Tx, app: &App, event: &Event, offer: &Offer, now: Millis) -> Result<()> {
    let title = &event.title;
    let proof = format!("{}/offers/{}/draw", app.public_url, offer.id);
    let outcomes = [
        (
            Status::Confirmed,
            format!(
                "【王佐镇总工会】恭喜，「{title}」您抽中了！到「我的票」查看。结果可核验：{proof}"
            ),
        ),
        (
            Status::Held,
            format!(
                "【王佐镇总工会】恭喜，「{title}」您抽中了！请尽快到「我的票」确认或缴费。结果可核验：{proof}"
            ),
        ),
        (
            Status::Waiting,
            format!(
                "【王佐镇总工会】「{title}」这次没有抽中，您已按抽签顺序进入候补，有名额会通知您。结果可核验：{proof}"
            ),
        ),
        (
            Status::DrawnOut,
            format!("【王佐镇总工会】「{title}」这次没有抽中，感谢参与。结果可核验：{proof}"),
        ),
    ];
    for (status, body) in outcomes {
        execute!(
            tx,
            "insert into message (id, phone, body, created_ms)
             select 'draw-' || b.id, p.phone, $3, $4 from booking b join person p on p.id = b.person_id
             where b.offer_id = $1 and b.status = $2 and p.phone is not null",
            &offer.id,
            status,
            body,
            now.0,
        )?;
    }
    Ok(())
}
