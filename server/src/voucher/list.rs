//! What a venue's phone judges by while it has no network: the vouchers of the venue, as fingerprints. It tells a voucher
//! that was issued from one that was made up, a used one from a good one, and gives away nobody's name or number.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use admission::{
    Millis, Reason,
    days::date_of,
    decide::{Proof, Station, StationKind, decide},
    ticket::TicketFact,
    time::DAY,
};
use axum::{Json, extract::State};
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{days, serial, staff, venue::Venue};
use crate::{
    App,
    booking::{self, Ticket},
    checkin,
    db::Tx,
    error::Result,
    fetch,
    keys::Keys,
    web::{access::Staff, frame::zone},
};

/// Nobody is without a network for longer.
const DAYS_AHEAD: i64 = 62;
/// Of a fingerprint's 64 characters so many are kept: 64 bits, of a few thousand vouchers.
const PRINT_CHARS: usize = 16;

/// The vouchers of a venue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List {
    /// The server's clock.
    at_ms: i64,
    batches: Vec<ListedBatch>,
    vouchers: Vec<Listed>,
}

/// What the vouchers of one batch have in common.
#[derive(Debug, Serialize, ToSchema)]
struct ListedBatch {
    name: String,
    companions: i64,
    of: i64,
    /// Without a network nobody sees whether a code moves: somebody looks at an ID.
    moving_code: bool,
    /// On which of the next days they may be used, on Beijing's clocks: `2027-03-05`. None: on all.
    days: Option<Vec<String>>,
}

/// A voucher that is good, or would be on another day, or was used up.
#[derive(Debug, Serialize, ToSchema)]
struct Listed {
    /// The first 16 hexadecimal digits of SHA-256 of its code, and of the ten characters of its serial.
    code: String,
    serial: String,
    /// The place of its batch.
    batch: usize,
    /// How often it may still be redeemed.
    left: u8,
    from_ms: i64,
    to_ms: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    ticket_id: String,
    offer_id: String,
    name: String,
    companions: i64,
    uses: i64,
    days: Option<String>,
    moving_code: bool,
    number: i64,
    status: String,
}

/// The vouchers of the caller's venue, for a phone that loses its network.
#[utoipa::path(get, path = "/venue/vouchers", responses((status = 200, body = List), (status = 403)))]
pub(super) async fn list(State(app): State<App>, staff: Staff) -> Result<Json<List>> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let venue = staff::venue_of(&mut tx, &staff).await?;
    let (rows, tickets) = of_venue(&mut tx, &venue, now).await?;
    // Nobody waits for the database while codes are signed.
    drop(tx);
    listed(&app, &venue, rows, &tickets, now).map(Json)
}

async fn of_venue(
    tx: &mut Tx,
    venue: &Venue,
    now: Millis,
) -> Result<(Vec<Row>, HashMap<String, Ticket>)> {
    let rows: Vec<Row> = fetch!(
        tx,
        fetch_all,
        "select t.id as ticket_id, o.id as offer_id, o.name, b.companions, o.uses, o.days, o.moving_code, e.number, e.status
         from batch b join offer o on o.id = b.offer_id join event e on e.id = b.event_id
              join ticket t on t.event_id = b.event_id and t.offer_id = b.offer_id
         where b.venue_id = $1 and t.valid_to_ms > $2 order by t.id",
        &venue.id,
        now.plus(-DAY).0,
    )?;
    let ids: HashSet<String> = rows.iter().map(|row| row.ticket_id.clone()).collect();
    let tickets = booking::queries::tickets(tx, &ids).await?;
    Ok((rows, tickets))
}

fn listed(
    app: &App,
    venue: &Venue,
    rows: Vec<Row>,
    tickets: &HashMap<String, Ticket>,
    now: Millis,
) -> Result<List> {
    let (before, mut prints) = (app.voucher_prints.of(&venue.id), HashMap::new());
    let mut places = HashMap::new();
    let mut list = List { at_ms: now.0, batches: Vec::new(), vouchers: Vec::new() };
    for row in rows {
        let Some(ticket) = tickets.get(&row.ticket_id) else { continue };
        let station = Station {
            kind: StationKind::Counter,
            name: venue.name.clone(),
            event: u32::try_from(row.number).map_err(anyhow::Error::from)?,
            event_cancelled: row.status == "cancelled",
            venue: Some(venue.id.clone()),
        };
        let history = ticket.history()?;
        // Who holds it, the phone's owner looks at.
        let shown = checkin::check::decided(ticket)?.with(Proof::Seen);
        let verdict = decide(&shown, &station, &history, now);
        // The phone knows times, days and uses itself. Anything else makes a voucher one that is not there.
        let own = [Reason::TooEarly, Reason::NotToday, Reason::AlreadyUsed, Reason::TooLate];
        if verdict.reason().is_some_and(|reason| !own.contains(&reason)) {
            continue;
        }
        let batch = *places.entry(row.offer_id).or_insert_with(|| {
            list.batches.push(ListedBatch {
                name: row.name,
                companions: row.companions,
                of: row.uses,
                moving_code: row.moving_code,
                days: row.days.as_deref().map(|json| open_days(json, now)),
            });
            list.batches.len() - 1
        });
        list.vouchers.push(Listed {
            code: print_of(ticket, &app.keys, (&before, &mut prints))?,
            serial: print(&serial::plain(&serial::of(&ticket.id))),
            batch,
            left: ticket.terms().uses_left(&history),
            from_ms: ticket.valid_from_ms.0,
            to_ms: ticket.valid_to_ms.0,
        });
    }
    app.voucher_prints.keep(&venue.id, prints);
    Ok(list)
}

/// By ticket, what its code said, which key signed it, and the code's fingerprint.
type Known = HashMap<String, (TicketFact, i64, String)>;

/// The fingerprints on the list of each venue. Each phone asks each minute, and signing is what takes long; the same fact
/// under the same key has the same code.
#[derive(Clone, Debug, Default)]
pub struct Prints(Arc<Mutex<HashMap<String, Arc<Known>>>>);

impl Prints {
    fn of(&self, venue_id: &str) -> Arc<Known> {
        let known = self.0.lock().expect("nothing panics while it is held");
        known.get(venue_id).cloned().unwrap_or_default()
    }

    fn keep(&self, venue_id: &str, known: Known) {
        let mut all = self.0.lock().expect("nothing panics while it is held");
        all.insert(venue_id.to_owned(), Arc::new(known));
    }
}

fn print_of(
    ticket: &Ticket,
    keys: &Keys,
    (before, prints): (&Known, &mut Known),
) -> Result<String> {
    let (fact, key) = (ticket.fact()?, ticket.key_id);
    let known = before.get(&ticket.id).filter(|(was, by, _)| *was == fact && *by == key);
    let code = match known {
        Some((_, _, code)) => code.clone(),
        None => print(&ticket.code(keys)?),
    };
    prints.insert(ticket.id.clone(), (fact, key, code.clone()));
    Ok(code)
}

/// The days ahead on which the vouchers of a batch may be used.
fn open_days(json: &str, now: Millis) -> Vec<String> {
    let days = days(Some(json));
    let ahead = (0..DAYS_AHEAD).map(|n| date_of(now.plus(n * DAY), &zone("Asia/Shanghai")));
    ahead
        .filter(|day| days.as_ref().is_none_or(|days| days.allow_on(*day)))
        .map(|day| day.to_string())
        .collect()
}

fn print(text: &str) -> String {
    let mut print = HEXLOWER.encode(&Sha256::digest(text));
    print.truncate(PRINT_CHARS);
    print
}
