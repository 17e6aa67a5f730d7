//! Naming: an officer of a union gives one of its places to one of its members. The rules and limits are those of any
//! booking; the union's own row says how many places are left to it.

use axum::http::StatusCode;

use super::{
    Booking, Status,
    change::{self, Cause, Outcome},
    limits, queries,
    rules::{self, Attempt, Request},
    tickets,
    together::Given,
};
use crate::{
    App, allocation,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event, Offer},
    execute, no_show, outbox,
    web::access::Person,
};

/// What an officer may do to one booking, and for which union of theirs.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) officer: Person,
    pub(crate) offer_id: String,
    pub(crate) union_id: String,
}

impl Naming {
    /// Names a member of the union: they have a place and a ticket, and are told. Naming them again changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller is no officer of the union, or the person no member of it;
    /// [`Error::Refused`] `not_open`, `union_full`, `limit_reached` or `not_eligible`.
    pub(crate) async fn name(&self, app: &App, person_id: &str) -> Result<()> {
        app.bookings.pace(&self.officer.id)?;
        let named = Person { id: person_id.to_owned(), name: String::new(), member: true };
        let request = Request { offer: self.offer_id.clone(), guests: Vec::new() };
        let attempt = std::sync::Arc::new(Attempt::new(app, &named, request, "named")?);
        let (inner, naming) = (app.clone(), self.clone());
        let outcome = app.ledger.write(move |tx| {
            let (app, naming, attempt) = (inner.clone(), naming.clone(), attempt.clone());
            Box::pin(async move { naming.name_in(tx, &app, &attempt).await })
        });
        if let Some(event_id) = outcome.await?? {
            app.live.changed(&event_id);
            app.outbox_wakes.notify_one();
        }
        Ok(())
    }

    /// The event that changed, if it did. What is refused has written nothing.
    async fn name_in(
        &self,
        tx: &mut Tx,
        app: &App,
        attempt: &Attempt,
    ) -> Result<std::result::Result<Option<String>, Error>> {
        let (union_id, person_id) = (self.union_id.as_str(), attempt.person.id.as_str());
        let offer = match event::queries::offer(tx, &self.offer_id).await {
            Ok(offer) => offer,
            Err(Error::NotFound) => return Ok(Err(Error::NotFound)),
            Err(error) => return Err(error),
        };
        event::queries::hold(tx, &offer.event_id).await?;
        let event = event::queries::event(tx, &offer.event_id).await?;
        let offer = event::queries::offer(tx, &offer.id).await?;
        let offices = allocation::queries::offices(tx, &self.officer.id).await?;
        let Some((_, union_name)) = offices.into_iter().find(|(id, _)| id == union_id) else {
            return Ok(Err(Error::NotFound));
        };
        if offer.mode != "allocation"
            || !allocation::queries::is_member(tx, union_id, person_id).await?
        {
            return Ok(Err(Error::NotFound));
        }
        if let Some(before) = queries::booking_of_offer(tx, &offer.id, person_id).await? {
            let theirs = before.union_id.as_deref() == Some(union_id);
            return Ok(if theirs { Ok(None) } else { Err(has_one().into()) });
        }
        if let Some(refused) = refusal(tx, (&event, &offer), attempt).await? {
            return Ok(Err(refused.into()));
        }
        if !queries::over_limit(tx, &offer, vec![(person_id, 1)]).await?.is_empty() {
            return Ok(Err(rules::limit_reached(&offer).into()));
        }
        if !allocation::queries::take(tx, &offer.id, union_id).await? {
            return Ok(Err(union_full().into()));
        }
        if !queries::take_for_line(tx, &offer.id, 1).await? {
            allocation::queries::give_back(tx, &offer.id, union_id).await?;
            return Ok(Err(rules::sold_out().into()));
        }
        self.write(tx, app, (&event, &offer), attempt, &union_name).await?;
        Ok(Ok(Some(event.id)))
    }

    /// Writes the booking and its ticket, and tells its person.
    async fn write(
        &self,
        tx: &mut Tx,
        app: &App,
        (event, offer): (&Event, &Offer),
        attempt: &Attempt,
        union_name: &str,
    ) -> Result<()> {
        let given = Given::place(offer);
        let booking = queries::NewBooking { attempt, answer: None };
        queries::insert_bookings(tx, offer, &[booking], given).await?;
        execute!(
            tx,
            "update booking set union_id = $2, named_by = $3 where id = $1",
            &attempt.booking_id,
            &self.union_id,
            &self.officer.id,
        )?;
        let booking = queries::booking(tx, &attempt.booking_id, &attempt.person.id).await?;
        if let Some(state) = given.tickets {
            tickets::issue(tx, &app.keys, (event, offer), &booking, state, attempt.now).await?;
        }
        change::log(tx, &booking, given.status, Cause::of("named"), attempt.now).await?;
        let next = match given.status {
            Status::Held => "请尽快确认或缴费",
            _ => "不能去请尽早谢绝，名额可以给同事",
        };
        let body = format!(
            "【王佐镇总工会】{union_name}为您报了「{}」（{}）。{next}：{}/bookings/{}",
            event.title, offer.name, app.public_url, booking.id
        );
        outbox::tell(tx, &booking.person_id, &body, attempt.now).await?;
        Ok(tx.notify(&event.id).await?)
    }

    /// Takes a place back from somebody the union named, in time. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller is no officer of the union, or did not name them for this offer;
    /// [`Error::Refused`] when it is too late or somebody went in.
    pub(crate) async fn take_back(&self, app: &App, booking_id: &str) -> Result<()> {
        let (naming, now) = (self.clone(), app.clock.now());
        change::write(app, booking_id, None, move |tx, app, booking| {
            let naming = naming.clone();
            Box::pin(async move { naming.take_back_in(tx, &app, &booking, now).await })
        })
        .await
        .map(drop)
    }

    async fn take_back_in(
        &self,
        tx: &mut Tx,
        app: &App,
        booking: &Booking,
        now: admission::Millis,
    ) -> Result<Outcome> {
        let offices = allocation::queries::offices(tx, &self.officer.id).await?;
        let theirs = booking.union_id.as_deref() == Some(self.union_id.as_str())
            && booking.offer_id == self.offer_id
            && offices.iter().any(|(id, _)| *id == self.union_id);
        if !theirs {
            return Ok(Err(Error::NotFound));
        }
        if !booking.status.is_open() {
            return Ok(Ok(false));
        }
        let offer = event::queries::offer(tx, &booking.offer_id).await?;
        if now > offer.cancel_until_ms {
            return Ok(Err(rules::too_late_to_cancel().into()));
        }
        if !change::end(tx, app, booking, Status::Cancelled, Cause::of("taken_back"), now).await? {
            return Ok(Err(rules::used_already().into()));
        }
        let event = event::queries::event(tx, &booking.event_id).await?;
        let body = format!(
            "【王佐镇总工会】您所在的工会收回了「{}」的名额，如有疑问请联系本单位工会。",
            event.title
        );
        outbox::tell(tx, &booking.person_id, &body, now).await?;
        Ok(Ok(true))
    }
}

/// Why the person cannot be named, by the rules of any booking.
async fn refusal(
    tx: &mut Tx,
    (event, offer): (&Event, &Offer),
    attempt: &Attempt,
) -> Result<Option<Refused>> {
    let person_id = attempt.person.id.as_str();
    if !allocation::rules::is_naming(event, offer, attempt.now) {
        return Ok(Some(not_naming()));
    }
    if !rules::eligible(tx, offer, person_id).await? {
        return Ok(Some(rules::not_eligible(offer)));
    }
    if no_show::rules::barred_until(tx, offer, person_id, attempt.now).await?.is_some() {
        return Ok(Some(barred()));
    }
    Ok(limits::over(tx, event, offer, &[attempt]).await?.remove(person_id))
}

/// Tells the officer who named somebody why the place is free again, so that another can be named.
pub(super) async fn tell_officer(
    tx: &mut Tx,
    app: &App,
    booking: &Booking,
    why: &str,
) -> Result<()> {
    let (Some(officer), Some(union_id)) = (&booking.named_by, &booking.union_id) else {
        return Ok(());
    };
    let now = app.clock.now();
    let event = event::queries::event(tx, &booking.event_id).await?;
    let offer = event::queries::offer(tx, &booking.offer_id).await?;
    if !allocation::rules::is_naming(&event, &offer, now) {
        return Ok(());
    }
    let body = format!(
        "【王佐镇总工会】「{}」：{why}，名额可以另选他人：{}/officer/offers/{}/{union_id}",
        event.title, app.public_url, offer.id
    );
    outbox::tell(tx, officer, &body, now).await
}

fn conflict(code: &'static str, zh: &str, en: &str) -> Refused {
    Refused::new(StatusCode::CONFLICT, code, zh, en)
}

fn has_one() -> Refused {
    conflict(
        "limit_reached",
        "这位会员已经报过名或在候补，不用再指定。",
        "This member has booked, or stands in line, already.",
    )
}

fn union_full() -> Refused {
    conflict(
        "union_full",
        "本工会的名额已经用完。收回一个名额，或等有人谢绝，就可以再选。",
        "Every place of your union is given. Take one back, or wait until somebody declines.",
    )
}

fn not_naming() -> Refused {
    conflict(
        "not_open",
        "现在不能指定：还没有开始，或剩下的名额已经放出。",
        "Nobody can be named now: it has not begun, or what was left is open to everybody.",
    )
}

fn barred() -> Refused {
    conflict(
        "barred",
        "这位会员多次报名后没有来，暂时不能占用这类名额。",
        "This member stayed away several times; such places are closed to them for now.",
    )
}
