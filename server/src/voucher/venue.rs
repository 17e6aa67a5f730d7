//! Partner venues: who takes vouchers, and what members get there without one.

use admission::Millis;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    App, audit,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::rules::{text, within},
    execute, fetch,
    web::access::Staff,
};

/// A partner.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Venue {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) address: String,
    /// Whom the federation calls. For staff only.
    pub(crate) contact: String,
    pub(crate) contact_phone: Option<String>,
    /// What members get there without a voucher; empty: nothing.
    pub(crate) benefit: String,
    /// How often a day one member is counted there.
    pub(crate) benefit_times: i64,
    /// No longer a partner.
    pub(crate) closed_ms: Option<i64>,
}

/// What an organizer sends to make or change a venue.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct VenueDraft {
    /// What it is called; a kiosk whose station has this name stands there.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Whom the federation calls.
    #[serde(default)]
    pub contact: String,
    /// Their number.
    #[serde(default)]
    pub contact_phone: String,
    /// What members get there without a voucher.
    #[serde(default)]
    pub benefit: String,
    /// How often a day one member is counted there.
    #[serde(default = "once")]
    pub benefit_times: i64,
}

const fn once() -> i64 {
    1
}

/// A venue as programs see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VenueJson {
    id: String,
    name: String,
    address: String,
    benefit: String,
    benefit_times: i64,
}

impl From<Venue> for VenueJson {
    fn from(venue: Venue) -> Self {
        let Venue { id, name, address, benefit, benefit_times, .. } = venue;
        Self { id, name, address, benefit, benefit_times }
    }
}

/// The partner venues.
#[utoipa::path(get, path = "/venues", responses((status = 200, body = [VenueJson])))]
pub(super) async fn list(State(app): State<App>) -> Result<Json<Vec<VenueJson>>> {
    let mut tx = app.db.read().await?;
    let venues = open(&mut tx).await?;
    Ok(Json(venues.into_iter().map(VenueJson::from).collect()))
}

/// Makes a venue.
#[utoipa::path(post, path = "/venues", request_body = VenueDraft,
    responses((status = 201, body = VenueJson), (status = 422)))]
pub(super) async fn create(
    State(app): State<App>,
    staff: Staff,
    Json(draft): Json<VenueDraft>,
) -> Result<(StatusCode, Json<VenueJson>)> {
    if let Some(refused) = faults(&draft).into_iter().next() {
        return Err(Error::Invalid(refused));
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let id = add(&mut tx, &draft, now).await?;
    audit::record(&mut tx, &staff, "venue.create", &id, "", now).await?;
    let made = venue(&mut tx, &id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Everything that is wrong with a venue's particulars; the code names the field.
pub(crate) fn faults(draft: &VenueDraft) -> Vec<Refused> {
    let faults = [
        text("name", "名称", &draft.name, 1, 40),
        text("address", "地址", &draft.address, 1, 120),
        text("contact", "联系人", &draft.contact, 0, 40),
        text("contact_phone", "电话", &draft.contact_phone, 0, 40),
        text("benefit", "会员优惠", &draft.benefit, 0, 500),
        within("benefit_times", "每天次数", draft.benefit_times, 1, 20),
    ];
    faults.into_iter().flatten().collect()
}

/// Writes a new venue; gives its id. The draft was checked.
pub(crate) async fn add(tx: &mut Tx, draft: &VenueDraft, now: Millis) -> Result<String> {
    let id = new_id(now);
    let written = execute!(
        tx,
        "insert into venue (id, name, address, contact, contact_phone, benefit, benefit_times, created_ms, updated_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        &id,
        draft.name.trim(),
        draft.address.trim(),
        draft.contact.trim(),
        phone(draft),
        draft.benefit.trim(),
        draft.benefit_times,
        now.0,
    );
    named_once(written)?;
    Ok(id)
}

/// Writes a venue's changed particulars. The draft was checked.
pub(crate) async fn change(tx: &mut Tx, id: &str, draft: &VenueDraft, now: Millis) -> Result<()> {
    let written = execute!(
        tx,
        "update venue set name = $2, address = $3, contact = $4, contact_phone = $5, benefit = $6, benefit_times = $7,
                          updated_ms = $8
         where id = $1",
        id,
        draft.name.trim(),
        draft.address.trim(),
        draft.contact.trim(),
        phone(draft),
        draft.benefit.trim(),
        draft.benefit_times,
        now.0,
    );
    if named_once(written)? == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn phone(draft: &VenueDraft) -> Option<&str> {
    Some(draft.contact_phone.trim()).filter(|phone| !phone.is_empty())
}

fn named_once(written: sqlx::Result<u64>) -> Result<u64> {
    written.map_err(|error| match error.as_database_error() {
        Some(cause) if cause.is_unique_violation() => {
            Error::invalid("name", "已经有同名的场馆。", "There is a venue of that name already.")
        }
        _ => error.into(),
    })
}

/// The venue of that id.
pub(crate) async fn venue(tx: &mut Tx, id: &str) -> Result<Venue> {
    let row: Option<Venue> = fetch!(tx, fetch_optional, "select * from venue where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// Partners of today and of before.
pub(super) async fn all(tx: &mut Tx) -> Result<Vec<Venue>> {
    Ok(fetch!(tx, fetch_all, "select * from venue order by created_ms, id")?)
}

/// The partners of today.
pub(crate) async fn open(tx: &mut Tx) -> Result<Vec<Venue>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from venue where closed_ms is null order by created_ms, id"
    )?)
}
