//! How a kiosk joins and proves itself, and what it is fed.

use std::collections::HashMap;

use admission::{
    Millis,
    decide::{StationKind, TicketState, Use},
    name::masked,
    sync::{
        CardRow, EventInfo, Feed, Heard, KIOSK_HEADER, OfferInfo, Peer, Post, Room,
        SIGNATURE_HEADER, TicketRow,
    },
    time::{DAY, HOUR, MINUTE},
};
use axum::{
    body::Bytes,
    http::{StatusCode, request::Parts},
};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{Kiosk, allotment, queries};
use crate::{
    App,
    booking::{self, Ticket},
    checkin::{self, attendance},
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event, Offer},
    voucher,
    web::{
        access::{self, Access},
        limits::{self, Limit},
    },
};

/// An enrolment code is good for this long.
const CODE_MS: i64 = 30 * MINUTE;
const CODE_TRIES: Limit = Limit { what: "enrolment", max: 200, window_ms: HOUR };
/// No I, L, O, U: nothing that is misread (Crockford).
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARS: usize = 10;
/// Tickets and cards of one page of the feed.
const PAGE: i64 = 5_000;

/// A new kiosk's particulars.
#[derive(Clone, Debug)]
pub struct NewKiosk {
    /// What it is called.
    pub name: String,
    /// The event it serves.
    pub event_id: String,
    /// What is done there.
    pub station_kind: StationKind,
    /// The station's name.
    pub station: String,
}

/// Makes a kiosk; gives its id and the one-time code that enrols it.
///
/// # Errors
/// [`Error::Invalid`] without a name; [`Error::NotFound`] without such an event.
pub async fn add(tx: &mut Tx, new: &NewKiosk, now: Millis) -> Result<(String, String)> {
    let (name, station) = (new.name.trim(), new.station.trim());
    if name.is_empty()
        || name.chars().count() > 40
        || station.is_empty()
        || station.chars().count() > 40
    {
        return Err(Error::invalid(
            "name",
            "终端和站点名称各要有 1 到 40 个字。",
            "The kiosk and its station each need a name of 1 to 40 characters.",
        ));
    }
    event::queries::event(tx, &new.event_id).await?;
    let code = new_code();
    let kept = queries::NewCode { hash: code_hash(&code), expires: now.plus(CODE_MS) };
    let id = queries::insert(tx, new, &kept, now).await?;
    Ok((id, format!("{}-{}", &code[..5], &code[5..])))
}

/// Enrols the kiosk that shows `code`; gives its id and name.
///
/// # Errors
/// [`Error::Refused`] `wrong_code`; [`Error::TooMany`] after many wrong ones.
pub async fn enrol(
    app: &App,
    code: &str,
    public_key: &str,
    address: &str,
) -> Result<(String, String)> {
    limits::spend(app, &[(CODE_TRIES, address)]).await?;
    let public_key =
        HEXLOWER.decode(public_key.as_bytes()).ok().filter(|key| key.len() == 32).ok_or_else(
            || {
                Error::invalid(
                    "public_key",
                    "公钥应为 64 位十六进制。",
                    "The public key is 64 hexadecimal digits.",
                )
            },
        )?;
    let code: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let code = code.replace(['I', 'L'], "1").replace('O', "0");
    let mut tx = app.db.write().await?;
    let enrolled = queries::enrol(&mut tx, &code_hash(&code), &public_key, app.clock.now()).await?;
    tx.commit().await?;
    if let Some((id, _)) = &enrolled {
        app.kiosks.forget(id);
    }
    enrolled.ok_or_else(|| {
        Refused::new(
            StatusCode::FORBIDDEN,
            "wrong_code",
            "登记码不对、已用过或已过期，请在活动的「终端」页面重新生成。",
            "The enrolment code is wrong, used or expired. Please make a new one on the event's kiosk page.",
        )
        .into()
    })
}

/// The kiosk that signed this request.
///
/// # Errors
/// [`Error::KioskUnknown`] without a valid signature, [`Error::KioskRevoked`] when it was revoked: its journal may still
/// come, unless it was lost.
pub(crate) async fn signed_by(
    app: &App,
    head: &Parts,
    body: &Bytes,
    access: Access,
) -> Result<access::Kiosk> {
    let header = |name| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Error::KioskUnknown)
    };
    let (id, signature) = (header(KIOSK_HEADER)?, header(SIGNATURE_HEADER)?);
    let signer = match app.kiosks.kiosk(&app.db, id).await {
        Err(Error::NotFound) => return Err(Error::KioskUnknown),
        signer => signer?,
    };
    let (kiosk, key) = (&signer.kiosk, signer.key.as_ref().ok_or(Error::KioskUnknown)?);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let claim = key.claim(signature, id, head.method.as_str(), path, body);
    if !app.signatures.holds(claim.ok_or(Error::KioskUnknown)?).await? {
        return Err(Error::KioskUnknown);
    }
    if kiosk.revoked_ms.is_some() && (kiosk.lost || access != Access::Journal) {
        return Err(Error::KioskRevoked { signed: app.keys.revocation(id, signature) });
    }
    let quarantined = kiosk.quarantined_ms.is_some();
    Ok(access::Kiosk { id: kiosk.id.clone(), event_id: kiosk.event_id.clone(), quarantined })
}

/// A page of what changed after the two revisions.
///
/// # Errors
/// When the database fails.
pub(crate) async fn feed(app: &App, kiosk_id: &str, after: i64, cards_after: i64) -> Result<Feed> {
    let now = app.clock.now();
    allotment::tend(app, kiosk_id, now).await?;
    let mut tx = app.db.read().await?;
    let kiosk = queries::kiosk(&mut tx, kiosk_id).await?;
    // Before the tickets: what another kiosk did through there, they tell.
    let mut others = queries::of_event(&mut tx, &kiosk.event_id).await?;
    others.retain(|other| other.id != kiosk_id);
    let (newest, newest_card) = queries::newest(&mut tx, &kiosk.event_id).await?;
    // Who has heard of changes that never were heard them from a database that was set back: everything anew.
    let known = |after: i64, newest: i64| if after > newest { 0 } else { after };
    let (after, cards_after) = (known(after, newest), known(cards_after, newest_card));
    let tickets = booking::queries::changed_after(&mut tx, &kiosk.event_id, after, PAGE).await?;
    let believed = match tickets.is_empty() {
        true => HashMap::new(),
        false => checkin::record::believed_of(&mut tx, &kiosk).await?,
    };
    let cards = queries::cards_after(&mut tx, cards_after, PAGE).await?;
    let full = |n: usize| i64::try_from(n).is_ok_and(|n| n >= PAGE);
    let feed = Feed {
        server_now: now,
        post: post(app, &mut tx, &kiosk, &others, now).await?,
        heard: others.iter().filter_map(heard).collect(),
        revision: tickets.last().map_or(after, |ticket| ticket.revision),
        cards_revision: cards.last().map_or(cards_after, |card| card.revision),
        more: full(tickets.len()) || full(cards.len()),
        tickets: tickets.iter().map(|ticket| told_row(ticket, &believed)).collect::<Result<_>>()?,
        cards: cards.into_iter().map(card_row).collect::<Result<_>>()?,
    };
    drop(tx);
    let mut tx = app.db.write().await?;
    queries::fed(&mut tx, kiosk_id, feed.revision, now).await?;
    tx.commit().await?;
    Ok(feed)
}

async fn post(
    app: &App,
    tx: &mut Tx,
    kiosk: &Kiosk,
    others: &[Kiosk],
    now: Millis,
) -> Result<Post> {
    let event = event::queries::event(tx, &kiosk.event_id).await?;
    let offers = event::queries::offers(tx, &event.id).await?;
    let (keys, keys_signed) = app.keys.told();
    Ok(Post {
        name: kiosk.name.clone(),
        station_kind: StationKind::from_word(&kiosk.station_kind).unwrap_or(StationKind::Gate),
        station: kiosk.station.clone(),
        lease_until: event.ends_ms.plus(12 * HOUR).max(now.plus(DAY)),
        allotments: allotment::of_kiosk(tx, &kiosk.id).await?,
        room: room(tx, kiosk, event.capacity).await?,
        venue: voucher::venue_of_station(tx, &event, &kiosk.station).await?,
        moving_key: offers
            .iter()
            .any(|offer| offer.moving_code)
            .then(|| app.keys.moving(&event.id)),
        event: event_info(event, &offers)?,
        keys,
        keys_signed,
        card_bins: app.card_bins.to_vec(),
        peers: others.iter().filter_map(peer).collect(),
    })
}

/// A gate's share of what the approved size leaves: an equal one for each gate that may be alone.
async fn room(tx: &mut Tx, kiosk: &Kiosk, capacity: Option<i64>) -> Result<Option<Room>> {
    let Some(capacity) = capacity.filter(|_| kiosk.station_kind == StationKind::Gate.word()) else {
        return Ok(None);
    };
    let left = capacity - attendance::inside(tx, &kiosk.event_id, None).await?;
    let gates = queries::gates(tx, &kiosk.event_id).await?.max(1);
    Ok(Some(Room {
        share: u32::try_from(left.max(0) / gates).unwrap_or(u32::MAX),
        through: u64::try_from(kiosk.head_seq).map_err(anyhow::Error::from)?,
    }))
}

/// A kiosk as the event's others know it; none when they should not believe it.
fn peer(kiosk: &Kiosk) -> Option<Peer> {
    let believed = kiosk.revoked_ms.is_none() && kiosk.quarantined_ms.is_none();
    let public_key = kiosk.public_key.as_deref().filter(|_| believed)?;
    Some(Peer {
        kiosk: kiosk.id.clone(),
        name: kiosk.name.clone(),
        station: kiosk.station.clone(),
        public_key: HEXLOWER.encode(public_key),
    })
}

fn heard(kiosk: &Kiosk) -> Option<Heard> {
    let through = u64::try_from(kiosk.head_seq).ok().filter(|through| *through > 0)?;
    Some(Heard { kiosk: kiosk.id.clone(), through })
}

fn event_info(event: Event, offers: &[Offer]) -> Result<EventInfo> {
    Ok(EventInfo {
        number: u32::try_from(event.number).map_err(anyhow::Error::from)?,
        cancelled: event.is_cancelled(),
        id: event.id,
        title: event.title,
        time_zone: event.time_zone,
        starts_at: event.starts_ms,
        ends_at: event.ends_ms,
        offers: offers.iter().filter_map(offer_info).collect(),
    })
}

fn offer_info(offer: &Offer) -> Option<OfferInfo> {
    Some(OfferInfo {
        class: u8::try_from(offer.class).ok()?,
        name: offer.name.clone(),
        terms: offer.terms(),
        valid_from: offer.valid_from_ms,
        valid_to: offer.valid_to_ms,
    })
}

/// A ticket as a kiosk keeps it: the holder's name masked.
pub(crate) fn ticket_row(ticket: &Ticket) -> Result<TicketRow> {
    Ok(TicketRow {
        fact: ticket.fact()?,
        state: state(&ticket.state),
        person: ticket.person_id.clone(),
        holder: masked(&ticket.holder),
        place: ticket.place.clone(),
        uses: ticket.history()?,
        revision: ticket.revision,
    })
}

/// The same for the kiosk of which that is only believed: what it did, it knows itself, and what it did not come to do
/// before its plug was pulled, it never did.
fn told_row(ticket: &Ticket, believed: &HashMap<String, Vec<Use>>) -> Result<TicketRow> {
    let mut row = ticket_row(ticket)?;
    for own in believed.get(&ticket.id).into_iter().flatten() {
        if let Some(at) = row.uses.iter().position(|used| used == own) {
            row.uses.remove(at);
        }
    }
    Ok(row)
}

/// The state of that word.
pub(crate) fn state(word: &str) -> TicketState {
    match word {
        "cancelled" => TicketState::Cancelled,
        "unpaid" => TicketState::Unpaid,
        "unapproved" => TicketState::Unapproved,
        _ => TicketState::Valid,
    }
}

fn card_row(card: queries::Card) -> Result<CardRow> {
    let fingerprint =
        card.fingerprint.try_into().map_err(|_| anyhow::anyhow!("a fingerprint has 32 bytes"))?;
    Ok(CardRow {
        fingerprint: admission::card::Fingerprint(fingerprint),
        person: card.person_id,
        blocked: card.blocked,
        revision: card.revision,
    })
}

fn code_hash(code: &str) -> Vec<u8> {
    Sha256::new().chain_update(b"turnout enrolment\0").chain_update(code).finalize().to_vec()
}

fn new_code() -> String {
    let mut bytes = [0; CODE_CHARS];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| char::from(CODE_ALPHABET[usize::from(byte % 32)])).collect()
}
