//! `/api/v1/kiosks` for organizers, `/api/v1/kiosk` for kiosks.

use std::sync::Arc;

use admission::{
    decide::StationKind,
    sync::{CardKeyAnswer, Check, Checked, Enrolled, Enrolment, Feed, People, Receipt, Upload},
};
use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{people, rules, upload};
use crate::{
    App, audit, checkin,
    error::{Error, Result},
    web::{
        access::{Kiosk, Staff},
        limits::Address,
    },
};

/// A kiosk to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewKioskJson {
    name: String,
    /// The event's id.
    event: String,
    /// `gate` by default.
    station: Option<String>,
    /// What the station is called; by default like the kiosk.
    station_name: Option<String>,
}

/// The one-time code that enrols it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewKioskCode {
    id: String,
    code: String,
}

/// Makes a kiosk and gives its one-time enrolment code.
#[utoipa::path(post, path = "/kiosks", request_body = NewKioskJson,
    responses((status = 201, body = NewKioskCode), (status = 404), (status = 422)))]
pub(super) async fn add(
    State(app): State<App>,
    staff: Staff,
    Json(new): Json<NewKioskJson>,
) -> Result<(StatusCode, Json<NewKioskCode>)> {
    let kind =
        StationKind::from_word(new.station.as_deref().unwrap_or("gate")).ok_or_else(|| {
            Error::invalid(
                "station",
                "没有这种站点。",
                "There is no such station: gate, exit, counter, booth, desk, checkpoint.",
            )
        })?;
    let kiosk = rules::NewKiosk {
        station: new.station_name.unwrap_or_else(|| new.name.clone()),
        name: new.name,
        event_id: new.event,
        station_kind: kind,
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (id, code) = rules::add(&mut tx, &kiosk, now).await?;
    audit::record(&mut tx, &staff, "kiosk.add", &id, "", now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(NewKioskCode { id, code })))
}

/// Enrols a kiosk: its one-time code for its public key.
#[utoipa::path(post, path = "/kiosks/enrolment", request_body = Object,
    responses((status = 200), (status = 403), (status = 429)))]
pub(super) async fn enrol(
    State(app): State<App>,
    Address(address): Address,
    Json(enrolment): Json<Enrolment>,
) -> Result<Json<Enrolled>> {
    let (kiosk, name) =
        rules::enrol(&app, &enrolment.code, &enrolment.public_key, &address).await?;
    Ok(Json(Enrolled { kiosk, name }))
}

/// From where on the kiosk asks.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: i64,
    #[serde(default)]
    cards_after: i64,
}

/// What changed at the kiosk's event after a revision, a page at a time.
#[utoipa::path(get, path = "/kiosk/feed", params(("after" = Option<i64>, Query), ("cards_after" = Option<i64>, Query)),
    responses((status = 200), (status = 401)))]
pub(super) async fn feed(
    State(app): State<App>,
    kiosk: Kiosk,
    Query(from): Query<After>,
) -> Result<Json<Feed>> {
    Ok(Json(rules::feed(&app, &kiosk.id, from.after, from.cards_after).await?))
}

/// Takes entries of the kiosk's journal; answers after commit "have all through m".
#[utoipa::path(post, path = "/kiosk/scans", request_body = Object, responses((status = 200), (status = 401), (status = 409)))]
pub(super) async fn scans(
    State(app): State<App>,
    kiosk: Kiosk,
    Json(upload): Json<Upload>,
) -> Result<Json<Receipt>> {
    Ok(Json(receive(&app, &kiosk.id, upload).await?))
}

/// Takes an upload of a kiosk into the books and tells the open pages.
pub(crate) async fn receive(app: &App, kiosk_id: &str, upload: Upload) -> Result<Receipt> {
    upload::check(&upload)?;
    let news = !upload.entries.is_empty();
    let (now, id, upload) = (app.clock.now(), kiosk_id.to_owned(), Arc::new(upload));
    let key_id = app.keys.issuer().id;
    let (event_id, outcome, tried) = app
        .ledger
        .write(move |tx| {
            let (id, upload) = (id.clone(), Arc::clone(&upload));
            Box::pin(async move { upload::receive(tx, &id, &upload, key_id, now).await })
        })
        .await?;
    if outcome.is_err() {
        app.kiosks.forget(kiosk_id);
    }
    // A sign of life changes nothing that is shown.
    if news || tried {
        app.live.changed(&event_id);
    }
    Ok(outcome?)
}

/// What the server would decide about a scan that is about to be journaled under the same place.
#[utoipa::path(post, path = "/kiosk/check", request_body = Object, responses((status = 200), (status = 401)))]
pub(super) async fn check(
    State(app): State<App>,
    kiosk: Kiosk,
    Json(check): Json<Check>,
) -> Result<Json<Checked>> {
    // What it claimed, its journal could never confirm.
    if kiosk.quarantined {
        return Err(upload::quarantined().into());
    }
    let checked = checkin::check::check(&app, &kiosk, check).await?;
    Ok(Json(checked))
}

/// From where on people are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct AfterRevision {
    #[serde(default)]
    after: i64,
}

/// Who holds the tickets of the kiosk's event that changed after a revision, a page at a time: for the list at a staffed
/// kiosk, which keeps it sealed under its PIN.
#[utoipa::path(get, path = "/kiosk/people", params(("after" = Option<i64>, Query)),
    responses((status = 200), (status = 401), (status = 409)))]
pub(super) async fn people(
    State(app): State<App>,
    kiosk: Kiosk,
    Query(from): Query<AfterRevision>,
) -> Result<Json<People>> {
    // One that contradicts itself may be a copied disk; it is told no names.
    if kiosk.quarantined {
        return Err(upload::quarantined().into());
    }
    let mut tx = app.db.read().await?;
    Ok(Json(people::changed_after(&mut tx, &kiosk.event_id, from.after).await?))
}

/// The secret under which cards are fingerprinted.
#[utoipa::path(get, path = "/kiosk/card-key", responses((status = 200), (status = 401)))]
pub(super) async fn card_key(State(app): State<App>, kiosk: Kiosk) -> Json<CardKeyAnswer> {
    tracing::info!(kiosk = %kiosk.id, "card key handed to a kiosk");
    Json(CardKeyAnswer { card_key: HEXLOWER.encode(app.keys.card.secret()) })
}
