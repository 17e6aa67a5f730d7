//! Handing out on a staff member's phone: the same scan at a counter that a kiosk makes, on the same rules.

use admission::{
    Millis,
    card::CardNumber,
    decide::{Proof, StationKind},
    moving::Moment,
    say, ticket,
};
use axum::http::StatusCode;

use super::{
    Point,
    queries::{self, Collector},
    rules,
};
use crate::{
    App, booking,
    checkin::{by_hand, like},
    db::Tx,
    error::{Error, Refused, Result},
    event, fair, kiosk,
    web::{
        access::{Person, Staff},
        frame::zone,
    },
};

/// What staff scanned or typed, and whom that is.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) collectors: Vec<Collector>,
    /// A member without a ticket.
    pub(super) walk_in: Option<(Person, Option<String>)>,
    /// What was scanned is a picture of a ticket page: whoever shows it is looked at first.
    pub(super) stale: bool,
}

/// Whom `said` names: a ticket's code or number, a card, a part of a name, the end of a phone. The text itself is kept
/// nowhere: it may be a card number.
pub(super) async fn find(app: &App, tx: &mut Tx, event_id: &str, said: &str) -> Result<Found> {
    let said = said.trim();
    let plain: String = said.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some(card) = CardNumber::read(said).filter(|card| card.has_bin(&app.card_bins)) {
        let fingerprint = card.fingerprint(&app.keys.card);
        return match kiosk::queries::person_of_card(tx, &fingerprint.0).await? {
            Some(person) => of_person(tx, event_id, &person).await,
            None => Ok(Found::default()),
        };
    }
    let is_number = plain.len() >= fair::SHORT && plain.bytes().any(|b| b.is_ascii_alphabetic());
    if ticket::looks_like_code(&plain.to_ascii_uppercase()) || is_number {
        match fair::read_card(app, tx, event_id, said).await {
            Ok(ticket) => {
                let collectors = vec![queries::collector(tx, event_id, &ticket.id).await?];
                let stale = ticket.moving_code && is_stale(app, event_id, &plain);
                return Ok(Found { collectors, stale, ..Found::default() });
            }
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    let digits: String = said.chars().filter(char::is_ascii_digit).collect();
    let collectors = match said.chars().count() {
        0 => Vec::new(),
        _ => queries::named(tx, event_id, (&like(said), &phone_like(&digits))).await?,
    };
    if collectors.is_empty() && digits.len() == 11 {
        let people = booking::walk_in::members_of_phone(tx, &digits).await?;
        if let [person] = people.as_slice() {
            return of_person(tx, event_id, person).await;
        }
    }
    Ok(Found { collectors, ..Found::default() })
}

/// Whether a code that was scanned shows what the ticket's page does not show now.
fn is_stale(app: &App, event_id: &str, plain: &str) -> bool {
    let Ok((fact, letters)) = ticket::verify_moving(plain, &app.keys.trusted()) else {
        return false;
    };
    let key = app.keys.moving(event_id).ticket(fact.id, fact.reissue);
    key.judge(letters, Moment::certain(app.clock.now())) == Proof::Stale
}

fn phone_like(digits: &str) -> String {
    if digits.len() >= 4 { format!("%{digits}") } else { String::new() }
}

async fn of_person(tx: &mut Tx, event_id: &str, person_id: &str) -> Result<Found> {
    let collectors = queries::of_person(tx, event_id, person_id).await?;
    let walk_in =
        if collectors.is_empty() { booking::walk_in::person(tx, person_id).await? } else { None };
    Ok(Found { collectors, walk_in, ..Found::default() })
}

/// Hands out on a ticket at a point. `note` says who signed, when somebody did.
///
/// # Errors
/// [`Error::Refused`] with the reason in words; [`Error::NotFound`].
pub(super) async fn give(
    app: &App,
    staff: &Staff,
    point: &Point,
    ticket_id: &str,
    note: &str,
) -> Result<()> {
    let (staff, point, now) = (staff.clone(), point.clone(), app.clock.now());
    let (ticket, note) = (ticket_id.to_owned(), note.trim().to_owned());
    let event_id = point.event_id.clone();
    let outcome = app
        .ledger
        .write(move |tx| {
            let (staff, point, ticket, note) =
                (staff.clone(), point.clone(), ticket.clone(), note.clone());
            Box::pin(async move { give_in(tx, &staff, &point, &ticket, &note, now).await })
        })
        .await?;
    outcome?;
    app.live.changed(&event_id);
    Ok(())
}

async fn give_in(
    tx: &mut Tx,
    staff: &Staff,
    point: &Point,
    ticket_id: &str,
    note: &str,
    now: Millis,
) -> Result<std::result::Result<(), Refused>> {
    event::queries::hold(tx, &point.event_id).await?;
    let at = (StationKind::Counter, point.name.as_str());
    if let Some(refused) = by_hand::objection(tx, (&point.event_id, ticket_id), at, now).await? {
        return Ok(Err(refused));
    }
    let ticket = booking::queries::ticket(tx, ticket_id).await?;
    if let Some(refusal) = rules::refusal(tx, &ticket, &point.name, None).await? {
        let event = event::queries::event(tx, &point.event_id).await?;
        let verdict = admission::Verdict::Refused(refusal);
        let words = |lang| say::tell(&verdict, lang, now, &zone(&event.time_zone)).next;
        let code = verdict.reason().map_or("refused", admission::Reason::word);
        let (zh, en) = (words(say::Lang::Zh), words(say::Lang::En));
        return Ok(Err(Refused::new(StatusCode::CONFLICT, code, zh, en)));
    }
    by_hand::pass(tx, staff, (&point.event_id, ticket_id), at, note, now).await?;
    Ok(Ok(()))
}

/// Gives a place that nobody has to a member who came without a ticket, and hands out on it; gives the ticket.
///
/// # Errors
/// [`Error::Refused`] when they may not have one, have one already, or none is left.
pub(super) async fn walk_in(
    app: &App,
    staff: &Staff,
    point: &Point,
    person_id: &str,
    note: &str,
) -> Result<String> {
    let (staff, point, now) = (staff.clone(), point.clone(), app.clock.now());
    let (person, note, inner) = (person_id.to_owned(), note.trim().to_owned(), app.clone());
    let event_id = point.event_id.clone();
    let outcome = app
        .ledger
        .write(move |tx| {
            let (staff, point, person, note, app) =
                (staff.clone(), point.clone(), person.clone(), note.clone(), inner.clone());
            Box::pin(
                async move { walk_in_in(tx, &app, &staff, &point, (&person, &note), now).await },
            )
        })
        .await?;
    let ticket = outcome?;
    app.live.changed(&event_id);
    Ok(ticket)
}

async fn walk_in_in(
    tx: &mut Tx,
    app: &App,
    staff: &Staff,
    point: &Point,
    (person_id, note): (&str, &str),
    now: Millis,
) -> Result<std::result::Result<String, Refused>> {
    event::queries::hold(tx, &point.event_id).await?;
    let event = event::queries::event(tx, &point.event_id).await?;
    let offer = event::queries::offer(tx, &point.offer_id).await?;
    let Some((person, _)) = booking::walk_in::person(tx, person_id).await? else {
        return Err(Error::NotFound);
    };
    if !queries::of_person(tx, &event.id, person_id).await?.is_empty() {
        return Ok(Err(refused(
            "already_booked",
            "这位会员已有一份，请按姓名找到后发放。",
            "This member has one already; please find it by name.",
        )));
    }
    if !booking::rules::eligible(tx, &offer, &person.id).await? {
        return Ok(Err(refused(
            "not_eligible",
            "只发给在册会员。这位不在名册上，请先办理入会。",
            "For members on the roster only.",
        )));
    }
    let stocks = queries::stocks(tx, &event.id, None).await?;
    let free = stocks.iter().find(|stock| stock.point_id == point.id).map_or(0, |s| s.free());
    if offer.waiting > 0 || offer.left() < 1 || free < 1 {
        return Ok(Err(refused(
            "sold_out",
            "这里没有可以现场发的：剩下的都有人报名或在候补。",
            "Nothing here is free: what is left is promised to those who booked or wait in line.",
        )));
    }
    // Nothing is written before this, and nothing after it is refused: what the clock says of the window is asked first.
    if now < offer.valid_from_ms || now >= offer.valid_to_ms {
        return Ok(Err(refused(
            "too_late",
            "现在不是领取时间。",
            "These are not the hours of the hand-out.",
        )));
    }
    booking::given::give(tx, &app.keys, (&event, &offer), person_id, now).await?;
    let [collector] = &queries::of_person(tx, &event.id, person_id).await?[..] else {
        return Err(anyhow::anyhow!("a place that was given has one ticket").into());
    };
    let at = (StationKind::Counter, point.name.as_str());
    by_hand::pass(tx, staff, (&event.id, &collector.ticket_id), at, note, now).await?;
    Ok(Ok(collector.ticket_id.clone()))
}

fn refused(code: &'static str, zh: &str, en: &str) -> Refused {
    Refused::new(StatusCode::CONFLICT, code, zh, en)
}
