//! What staff do to a booking by hand, each with a reason that its holder reads and that stays in the log: they remove
//! it, give it its turn in the line before others, or send it to the end.

use admission::Millis;
use axum::http::StatusCode;

use super::{
    Booking, Status, approval,
    change::{self, Cause, Outcome},
    line, named, queries, refund,
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event, Offer},
    execute, outbox,
    web::{access::Staff, form::yuan},
};

/// A reason fits into a short message.
pub(super) const REASON_CHARS: usize = 100;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The booking ends; its places go to the first in line.
    Remove,
    /// It gets its turn now, before those who stand ahead of it.
    Call,
    /// It goes to the end of the line.
    PutLast,
}

impl Deed {
    const fn audited(self) -> &'static str {
        match self {
            Self::Remove => "booking.remove",
            Self::Call => "line.call",
            Self::PutLast => "line.put_last",
        }
    }
}

/// Does it. What is done already is not done again.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] `reason` when there is none or it is too long; [`Error::Refused`] when it
/// cannot be done: somebody went in, nobody waits there, there are not so many places.
pub(super) async fn carry_out(
    app: &App,
    staff: &Staff,
    booking_id: &str,
    deed: Deed,
    reason: &str,
) -> Result<()> {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', "");
    if !(1..=REASON_CHARS).contains(&reason.chars().count()) {
        return Err(Error::invalid(
            "reason",
            format!("请用 1 到 {REASON_CHARS} 个字说明原因，本人会看到。"),
            format!("Please give a reason in 1 to {REASON_CHARS} characters; they read it."),
        ));
    }
    let (staff, now) = (staff.clone(), app.clock.now());
    change::write(app, booking_id, None, move |tx, app, booking| {
        let (staff, reason) = (staff.clone(), reason.clone());
        Box::pin(async move {
            let event = event::queries::event(tx, &booking.event_id).await?;
            let offer = event::queries::offer(tx, &booking.offer_id).await?;
            let by = By { staff: &staff, reason: &reason, now };
            let done = match deed {
                Deed::Remove => by.remove(tx, &app, (&event, &offer), &booking).await?,
                Deed::Call => by.call(tx, &app, (&event, &offer), &booking).await?,
                Deed::PutLast => by.put_last(tx, &app, (&event, &offer), &booking).await?,
            };
            if matches!(done, Ok(true)) {
                audit::record(tx, &staff, deed.audited(), &booking.id, &reason, now).await?;
            }
            Ok(done)
        })
    })
    .await
    .map(drop)
}

/// Who does it, why and when.
struct By<'a> {
    staff: &'a Staff,
    reason: &'a str,
    now: Millis,
}

impl By<'_> {
    const fn cause(&self, word: &'static str) -> Cause<'_> {
        Cause { word, staff_id: Some(self.staff.id.as_str()), reason: self.reason }
    }

    async fn remove(
        &self,
        tx: &mut Tx,
        app: &App,
        (event, offer): (&Event, &Offer),
        booking: &Booking,
    ) -> Result<Outcome> {
        if !booking.status.is_open() {
            return Ok(Ok(false));
        }
        if offer.is_given() {
            return Ok(Err(an_entrants().into()));
        }
        let cause = self.cause("removed");
        if !change::end(tx, app, booking, Status::Cancelled, cause, self.now).await? {
            return Ok(Err(went_in().into()));
        }
        let back = match refund::owed(tx, &booking.id).await? {
            0 => String::new(),
            cents => format!("已缴的 {} 元请到服务台退。", yuan(cents)),
        };
        let (title, reason) = (&event.title, self.reason);
        let body = format!(
            "【王佐镇总工会】您在「{title}」的报名被主办方取消：{reason}。{back}如有疑问请联系主办方。"
        );
        outbox::tell(tx, &booking.person_id, &body, self.now).await?;
        named::tell_officer(tx, app, booking, "主办方取消了一位会员的报名").await?;
        Ok(Ok(true))
    }

    async fn call(
        &self,
        tx: &mut Tx,
        app: &App,
        (event, offer): (&Event, &Offer),
        booking: &Booking,
    ) -> Result<Outcome> {
        match booking.status {
            Status::Held | Status::Confirmed => return Ok(Ok(false)),
            Status::Waiting => {}
            _ => return Ok(Err(not_in_line().into())),
        }
        if event.is_cancelled() || self.now >= offer.valid_to_ms || offer.is_reserved(self.now) {
            return Ok(Err(no_turns_now().into()));
        }
        if let Some(refused) = approval::kept_out(tx, offer, &booking.person_id, self.now).await? {
            return Ok(Err(refused.into()));
        }
        if !queries::take_for_line(tx, &offer.id, booking.places).await? {
            return Ok(Err(none_free(booking.places).into()));
        }
        line::promote(tx, app, (event, offer), booking, self.cause("called"), self.now).await?;
        tx.notify(&event.id).await?;
        Ok(Ok(true))
    }

    async fn put_last(
        &self,
        tx: &mut Tx,
        app: &App,
        (event, offer): (&Event, &Offer),
        booking: &Booking,
    ) -> Result<Outcome> {
        if booking.status != Status::Waiting {
            return Ok(Err(not_in_line().into()));
        }
        let last = line::last(tx, &offer.id).await?;
        execute!(tx, "update booking set line = $2 where id = $1", &booking.id, last)?;
        change::log(tx, booking, Status::Waiting, self.cause("put_last"), self.now).await?;
        let body = format!(
            "【王佐镇总工会】「{}」的候补：您的位置由主办方调到队尾，原因：{}。现在排第 {} 位：{}/bookings/{}",
            event.title, self.reason, offer.waiting, app.public_url, booking.id
        );
        outbox::tell(tx, &booking.person_id, &body, self.now).await?;
        // Whoever stands first now may fit into what is free.
        line::advance(tx, app, offer, self.now).await?;
        tx.notify(&event.id).await?;
        Ok(Ok(true))
    }
}

fn conflict(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Refused {
    Refused::new(StatusCode::CONFLICT, code, zh, en)
}

fn went_in() -> Refused {
    conflict(
        "already_used",
        "已有人凭此报名入场，不能取消。确实弄错了，请先在名单里撤销入场。",
        "Somebody has gone in on this booking. If that was a mistake, take the admission back in the list first.",
    )
}

fn an_entrants() -> Refused {
    conflict(
        "entrant",
        "这是参赛选手的票，请在「项目与抽签」里退出比赛，票会一起作废。",
        "This ticket comes with a contest entry. Withdraw the entry under “Disciplines”; the ticket ends with it.",
    )
}

fn not_in_line() -> Refused {
    conflict(
        "not_waiting",
        "此人已经不在候补名单里，没有改动。",
        "This person does not stand in the line any more; nothing was changed.",
    )
}

fn no_turns_now() -> Refused {
    conflict(
        "closed",
        "活动已取消、已结束，或名额还由各工会指定，现在不能给候补的人。",
        "The event is cancelled or over, or the unions still give its places; nobody can be called now.",
    )
}

fn none_free(places: i64) -> Refused {
    conflict(
        "sold_out",
        format!("现在没有 {places} 个空名额。有人取消、过时不确认，或增加名额以后再给。"),
        format!(
            "There are no {places} free places now. Wait until some come free, or raise the quota."
        ),
    )
}
