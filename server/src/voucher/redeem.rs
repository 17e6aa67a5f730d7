//! Redeeming at a venue by phone: the same decision and the same books as at a kiosk's counter. The phone names each scan,
//! so that one that is sent twice, or late, is one scan.

use admission::{
    Millis, Reason, Verdict,
    decide::{Proof, Station, StationKind, decide},
    moving::{EventKey, Moment},
    name::masked,
    say::{self, Lang, Words},
    scan::{ID_SEEN, Medium, Trust},
    ticket::TicketFact,
    time::{DAY, MINUTE},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    batch::{self, Batch},
    serial::{self, Scanned},
    staff,
    venue::Venue,
};
use crate::{
    App,
    booking::Ticket,
    checkin::{self, record::ByPhone},
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    fetch,
    web::{access::Staff, frame::zone},
};

/// What is heard of later than this was not done now.
const LATE_MS: i64 = MINUTE;
/// Nothing is believed to have happened longer ago.
const AGE_MAX_MS: i64 = 62 * DAY;

/// A voucher that somebody at a venue wants to redeem once.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Made by the phone, 8 to 60 letters, digits and dashes.
    pub(super) id: String,
    /// The code that was scanned, or the serial that was typed.
    pub(super) said: String,
    /// How long ago that was.
    pub(super) age_ms: i64,
    /// The phone's clock at the time.
    pub(super) at_ms: i64,
    /// By what whoever redeems it knows that its holder is there.
    pub(super) seen: Option<Seen>,
}

/// By what staff at a venue know that a voucher's holder is there: their word, as the redemption itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Seen {
    /// Its code moved when it was looked at, a moment ago.
    Code,
    /// They compared the name on an ID.
    Id,
}

impl Seen {
    /// The word in forms.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Id => "id",
        }
    }

    /// What that word says.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Code, Self::Id].into_iter().find(|seen| seen.word() == word)
    }
}

/// A voucher and what came, or would come, of redeeming it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The voucher, when it is one of this venue.
    pub(super) voucher: Option<Voucher>,
    pub(super) verdict: Verdict,
    /// It was decided some time after it was done: nobody had checked it then.
    pub(super) late: bool,
    /// It was redeemed, and that was taken back.
    pub(super) undone: bool,
    /// By what it is known that the holder is there.
    pub(super) seen: Option<Seen>,
    pub(super) now: Millis,
    pub(super) zone: String,
}

/// A voucher as a venue may see it.
#[derive(Clone, Debug)]
pub(super) struct Voucher {
    pub(super) serial: String,
    /// The holder's name, masked.
    pub(super) holder: String,
    pub(super) batch: String,
    pub(super) companions: i64,
    /// How often it may still be redeemed, and how often in all.
    pub(super) left: u8,
    pub(super) of: u8,
}

impl Found {
    fn nobody(verdict: Verdict, now: Millis) -> Self {
        let zone = "Asia/Shanghai".to_owned();
        let (late, undone, seen) = (false, false, None);
        Self { voucher: None, verdict, late, undone, seen, now, zone }
    }

    /// What the holder is told.
    pub(super) fn words(&self, lang: Lang) -> Words {
        if self.undone {
            let (headline, next) = (
                lang.pick("已撤销", "Taken back"),
                lang.pick(
                    "这次核销已经撤销，次数已退回。",
                    "This was taken back; the use is good again.",
                ),
            );
            return Words { headline: headline.to_owned(), next: next.to_owned() };
        }
        if self.verdict.reason() == Some(Reason::Unknown) {
            let next = lang.pick(
                "没有这张券。请核对券号，或请对方打开「我的票」再扫一次。",
                "There is no such voucher. Check the serial, or scan the page “My tickets” again.",
            );
            let headline = say::headline(Reason::Unknown, lang);
            return Words { headline: headline.to_owned(), next: next.to_owned() };
        }
        say::tell_at(StationKind::Counter, &self.verdict, lang, self.now, &zone(&self.zone))
    }
}

/// Everything that the decision about a voucher takes.
struct Case {
    ticket: Ticket,
    event: Event,
    batch: Batch,
    offer: String,
    /// What the code says, when one was scanned.
    scanned: Option<Scanned>,
    /// From what its moving code is made.
    key: EventKey,
    station: Station,
}

/// Reads a voucher of this venue. Of another's nothing is told but that it is one.
async fn case(
    app: &App,
    tx: &mut Tx,
    venue: &Venue,
    said: &str,
) -> Result<std::result::Result<Case, Verdict>> {
    let refused = |refusal| Ok(Err(Verdict::Refused(refusal)));
    let (ticket, scanned) = match serial::read(app, tx, said).await {
        Ok(read) => read,
        Err(Error::NotFound) => return refused(admission::Refusal::Unknown),
        Err(error) => return Err(error),
    };
    if ticket.venue_id.as_deref() != Some(venue.id.as_str()) {
        return refused(admission::Refusal::WrongStation);
    }
    let event = event::queries::event(tx, &ticket.event_id).await?;
    let offer: (String, String) = fetch!(
        tx,
        fetch_one,
        "select id, name from offer where event_id = $1 and class = $2",
        &event.id,
        ticket.class,
    )?;
    let batch = batch::of_offer(tx, &offer.0).await?.ok_or(Error::NotFound)?;
    let station = Station {
        kind: StationKind::Counter,
        name: venue.name.clone(),
        event: u32::try_from(event.number).map_err(anyhow::Error::from)?,
        event_cancelled: event.is_cancelled(),
        venue: Some(venue.id.clone()),
    };
    let key = app.keys.moving(&event.id);
    Ok(Ok(Case { ticket, event, batch, offer: offer.1, scanned, key, station }))
}

impl Case {
    /// What is decided of it at a moment, of a holder who was `seen` or shows a code that moves.
    fn decide(&self, at: Millis, seen: Option<Seen>) -> Result<Verdict> {
        let known = checkin::check::decided(&self.ticket)?;
        let reissue = self.scanned.map_or(known.reissue, |scanned| scanned.reissue);
        let fact = TicketFact { reissue, ..known.fact };
        let shown = admission::decide::Ticket { fact, ..known };
        let proof = if seen.is_some() { Proof::Seen } else { self.proof(&fact, at) };
        Ok(decide(&shown.with(proof), &self.station, &self.ticket.history()?, at))
    }

    fn proof(&self, fact: &TicketFact, at: Millis) -> Proof {
        let letters = self.scanned.and_then(|scanned| scanned.letters);
        self.key.ticket(fact.id, fact.reissue).judge(letters, Moment::certain(at))
    }

    fn found(&self, verdict: Verdict, now: Millis) -> Result<Found> {
        let (terms, history) = (self.ticket.terms(), self.ticket.history()?);
        let voucher = Voucher {
            serial: serial::of(&self.ticket.id),
            holder: masked(&self.ticket.holder),
            batch: self.offer.clone(),
            companions: self.batch.companions,
            left: terms.uses_left(&history),
            of: terms.uses,
        };
        let zone = self.event.time_zone.clone();
        let (voucher, late, undone, seen) = (Some(voucher), false, false, None);
        Ok(Found { voucher, verdict, late, undone, seen, now, zone })
    }
}

/// What would come of redeeming it now. Nothing is written.
///
/// # Errors
/// [`Error::NotFound`] when the staff are at no venue.
pub(super) async fn look(app: &App, staff: &Staff, said: &str) -> Result<Found> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let venue = staff::venue_of(&mut tx, staff).await?;
    match case(app, &mut tx, &venue, said).await? {
        Err(verdict) => Ok(Found::nobody(verdict, now)),
        Ok(case) => {
            let verdict = case.decide(now, None)?;
            // What was seen to move holds until it is redeemed, a moment from now.
            let moves = case.scanned.is_some() && verdict.is_admitted();
            Ok(Found { seen: moves.then_some(Seen::Code), ..case.found(verdict, now)? })
        }
    }
}

/// Redeems a voucher once, if the rule allows it. The same wish again gives the same answer and changes nothing.
///
/// # Errors
/// [`Error::NotFound`] when the staff are at no venue; [`Error::Invalid`] for an id that is none.
pub(super) async fn redeem(app: &App, staff: &Staff, wish: &Wish) -> Result<Found> {
    let fits = (8..=60).contains(&wish.id.len())
        && wish.id.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric());
    if !fits {
        return Err(Error::invalid(
            "id",
            "编号应为 8 到 60 个字母、数字或短横。",
            "An id has 8 to 60 letters, digits or dashes.",
        ));
    }
    let now = app.clock.now();
    let inner = (app.clone(), staff.clone(), wish.clone());
    let (event_id, found) = app
        .ledger
        .write(move |tx| {
            let (app, staff, wish) = inner.clone();
            Box::pin(async move { redeem_in(tx, &app, &staff, &wish, now).await })
        })
        .await?;
    if let Some(event_id) = event_id {
        app.live.changed(&event_id);
    }
    Ok(found)
}

async fn redeem_in(
    tx: &mut Tx,
    app: &App,
    staff: &Staff,
    wish: &Wish,
    now: Millis,
) -> Result<(Option<String>, Found)> {
    let venue = staff::venue_of(tx, staff).await?;
    let case = match case(app, tx, &venue, &wish.said).await? {
        Err(verdict) => return Ok((None, Found::nobody(verdict, now))),
        Ok(first) => {
            // From here on no door decides on this event until the commit; what was read before is read again.
            event::queries::hold(tx, &first.event.id).await?;
            match self::case(app, tx, &venue, &wish.said).await? {
                Ok(case) => case,
                Err(verdict) => return Ok((None, Found::nobody(verdict, now))),
            }
        }
    };
    let age = wish.age_ms.clamp(0, AGE_MAX_MS);
    let late = age > LATE_MS;
    // Where nobody could see whether a code moves, whoever redeemed it was told to look at an ID.
    let seen = wish.seen.or(late.then_some(Seen::Id));
    let at = if late { now.plus(-age) } else { now };
    // A phone's id is its venue's: one cannot take another's.
    let id = format!("{}.{}", venue.id, wish.id);
    if let Some(known) = checkin::record::by_phone_before(tx, &id).await? {
        let verdict = match (known.admitted, case.decide(known.at, seen)?) {
            (true, _) => Verdict::Admitted,
            (false, Verdict::Admitted) => Verdict::Refused(admission::Refusal::Unknown),
            (false, verdict) => verdict,
        };
        let found = Found { late, undone: known.undone, ..case.found(verdict, now)? };
        return Ok((None, found));
    }
    // Of a code that was scanned a moment ago it is asked whether it moved then.
    let verdict = case.decide(if late { at } else { now.plus(-age) }, seen)?;
    let medium = if case.scanned.is_some() { Medium::Code } else { Medium::Other };
    let scan = ByPhone {
        id: &id,
        event_id: &case.event.id,
        ticket_id: &case.ticket.id,
        staff_id: &staff.id,
        station: &venue.name,
        medium,
        verdict: &verdict,
        note: (wish.seen == Some(Seen::Id)).then_some(ID_SEEN),
        trust: if late { Trust::SignatureOnly } else { Trust::Live },
        at: Millis(wish.at_ms),
        true_at: at,
        received: now,
    };
    checkin::record::by_phone(tx, &scan).await?;
    // Its uses are computed anew.
    let case = self::case(app, tx, &venue, &wish.said).await?.map_err(|_| Error::NotFound)?;
    let found = Found { late, ..case.found(verdict, now)? };
    Ok((Some(case.event.id.clone()), found))
}

/// Takes a redemption of today back; the scan stays, and the reversal is an entry of its own. Doing it again changes
/// nothing.
///
/// # Errors
/// [`Error::NotFound`] when it is no redemption at this venue; [`Error::Invalid`] without a reason or on another day.
pub(super) async fn undo(app: &App, staff: &Staff, scan_id: &str, reason: &str) -> Result<()> {
    let reason = reason.trim().chars().take(80).collect::<String>();
    if reason.is_empty() {
        return Err(Error::invalid(
            "reason",
            "请写明撤销的原因。",
            "Please say why it is taken back.",
        ));
    }
    let (now, inner) = (app.clock.now(), (staff.clone(), scan_id.to_owned(), reason));
    let event_id = app
        .ledger
        .write(move |tx| {
            let (staff, scan_id, reason) = inner.clone();
            Box::pin(async move { undo_in(tx, &staff, &scan_id, &reason, now).await })
        })
        .await??;
    app.live.changed(&event_id);
    Ok(())
}

async fn undo_in(
    tx: &mut Tx,
    staff: &Staff,
    scan_id: &str,
    reason: &str,
    now: Millis,
) -> Result<std::result::Result<String, Error>> {
    let venue = staff::venue_of(tx, staff).await?;
    let row: Option<(String, i64, String)> = fetch!(
        tx,
        fetch_optional,
        "select s.event_id, s.true_ms, e.time_zone
         from scan s join event e on e.id = s.event_id join ticket t on t.id = s.ticket_id
              join offer o on o.id = t.offer_id
         where s.id = $1 and o.venue_id = $2 and s.station_kind = 'counter' and s.verdict = 'admitted'
           and not s.provisional",
        scan_id,
        &venue.id,
    )?;
    let Some((event_id, true_ms, time_zone)) = row else { return Ok(Err(Error::NotFound)) };
    event::queries::hold(tx, &event_id).await?;
    let zone = zone(&time_zone);
    let day = |moment| admission::days::date_of(moment, &zone);
    if day(Millis(true_ms)) != day(now) {
        return Ok(Err(Error::invalid(
            "another_day",
            "只能撤销当天的核销。以前的请联系工会更正。",
            "Only today's can be taken back here. For earlier ones please ask the federation.",
        )));
    }
    checkin::record::take_back(tx, scan_id, (&staff.id, reason), now).await?;
    Ok(Ok(event_id))
}

/// A redemption at a venue, for its list of today.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Done {
    pub(super) id: String,
    ticket_id: String,
    holder: String,
    pub(super) batch: String,
    #[sqlx(try_from = "i64")]
    pub(super) true_ms: Millis,
    pub(super) received_ms: i64,
    pub(super) station: String,
    pub(super) time_zone: String,
    pub(super) undone_ms: Option<i64>,
}

impl Done {
    pub(super) fn serial(&self) -> String {
        serial::of(&self.ticket_id)
    }

    pub(super) fn holder(&self) -> String {
        masked(&self.holder)
    }

    /// It arrived long after it was done.
    pub(super) fn late(&self) -> bool {
        self.received_ms - self.true_ms.0 > LATE_MS
    }
}

/// What was redeemed of a venue's vouchers since `since`, the latest first.
pub(super) async fn since(tx: &mut Tx, venue_id: &str, since: Millis) -> Result<Vec<Done>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select s.id, s.ticket_id, t.holder, o.name as batch, s.true_ms, s.received_ms, s.station, e.time_zone, s.undone_ms
         from batch b join offer o on o.id = b.offer_id join event e on e.id = b.event_id
              join scan s on s.event_id = b.event_id and s.true_ms >= $2
              join ticket t on t.id = s.ticket_id and t.offer_id = b.offer_id
         where b.venue_id = $1 and s.station_kind = 'counter' and s.verdict = 'admitted' and not s.provisional
         order by s.true_ms desc, s.id desc limit 200",
        venue_id,
        since.0,
    )?)
}
