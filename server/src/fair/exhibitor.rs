//! An employer's way in: a personal link and a PIN. Whoever has both is staff of the role exhibitor, and sees what is its
//! employer's and nothing else.

use admission::{
    Millis,
    time::{HOUR, MINUTE},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use axum_extra::extract::CookieJar;
use sha2::{Digest as _, Sha256};

use super::{Employer, queries};
use crate::{
    App, account,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::{self, Event},
    execute, fetch,
    web::{
        Frame,
        access::{Role, Staff},
        form::Typed,
        limits::{self, Address, Limit},
        page,
        session::{self, Holder},
    },
};

const PIN_PER_LINK: Limit = Limit { what: "stand-pin", max: 10, window_ms: 15 * MINUTE };
/// In a day nobody guesses one of a million.
const PIN_PER_LINK_DAY: Limit = Limit { what: "stand-pin-day", max: 60, window_ms: 24 * HOUR };
const PIN_PER_ADDRESS: Limit =
    Limit { what: "stand-pin-address", max: 120, window_ms: 15 * MINUTE };

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/stand/{link}", get(ask).post(open))
}

/// A new way in: shown once, kept nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The path of the personal link.
    pub(crate) path: String,
    /// Six digits.
    pub(crate) pin: String,
}

/// Makes an employer's agent a new link and PIN; those they had before no longer open anything.
///
/// # Errors
/// When hashing or the database fails.
pub(crate) async fn make(
    tx: &mut Tx,
    employer: &Employer,
    secret: Secret,
    now: Millis,
) -> Result<Way> {
    revoke(tx, &employer.id, now).await?;
    let id = new_id(now);
    execute!(
        tx,
        "insert into staff (id, name, role, password_hash, created_ms) values ($1, $2, 'exhibitor', $3, $4)",
        &id,
        // Names of staff are unique; this one is never typed.
        format!("{} {} {}", employer.stand, employer.name, queries::random_code()),
        // No password has this hash.
        "!",
        now.0,
    )?;
    execute!(
        tx,
        "insert into exhibitor (staff_id, event_id, employer_id, link_hash, pin_hash, made_ms)
         values ($1, $2, $3, $4, $5, $6)",
        &id,
        &employer.event_id,
        &employer.id,
        hash(&secret.link),
        &secret.pin_hash,
        now.0,
    )?;
    Ok(Way { path: format!("/stand/{}", secret.link), pin: secret.pin })
}

/// Takes an employer's links back, and ends the sessions they opened.
pub(crate) async fn revoke(tx: &mut Tx, employer_id: &str, now: Millis) -> Result<()> {
    execute!(
        tx,
        "delete from session where staff_id in (select staff_id from exhibitor where employer_id = $1)",
        employer_id,
    )?;
    execute!(
        tx,
        "update staff set disabled_ms = $2 where disabled_ms is null
             and id in (select staff_id from exhibitor where employer_id = $1)",
        employer_id,
        now.0,
    )?;
    execute!(
        tx,
        "update exhibitor set revoked_ms = $2 where employer_id = $1 and revoked_ms is null",
        employer_id,
        now.0,
    )?;
    Ok(())
}

/// A link and a PIN that chance made. Hashing takes long, so it is done before a transaction opens.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    link: String,
    pin: String,
    pin_hash: String,
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When hashing fails.
    pub(crate) async fn new() -> Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).expect("the system has randomness");
        let link = data_encoding::BASE32_NOPAD.encode(&random[..16]);
        // The bias of a 64-bit number modulo a million is of no account.
        let number = u64::from_be_bytes(random[16..].try_into().expect("eight bytes"));
        let pin = format!("{:06}", number % 1_000_000);
        let plain = pin.clone();
        let pin_hash = tokio::task::spawn_blocking(move || account::rules::hash_password(&plain))
            .await
            .map_err(anyhow::Error::from)??;
        Ok(Self { link, pin, pin_hash })
    }
}

/// The event and the employer of a member of staff.
///
/// # Errors
/// [`Error::NotFound`] when they are nobody's agent, or no longer.
pub(crate) async fn stand_of(tx: &mut Tx, staff: &Staff) -> Result<(Event, Employer)> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select employer_id from exhibitor where staff_id = $1 and revoked_ms is null",
        &staff.id,
    )?;
    let (employer,) = row.filter(|_| staff.role == Role::Exhibitor).ok_or(Error::NotFound)?;
    let employer = queries::employer(tx, &employer).await?;
    Ok((event::queries::event(tx, &employer.event_id).await?, employer))
}

/// When each employer's way in was made, by employer.
pub(crate) async fn made(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select employer_id, made_ms from exhibitor where event_id = $1 and revoked_ms is null order by made_ms",
        event_id,
    )?)
}

#[derive(Template)]
#[template(path = "fair/pin.html")]
struct PinPage {
    frame: Frame,
    event: Event,
    employer: Employer,
    link: String,
    fault: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Door {
    staff_id: String,
    employer_id: String,
    pin_hash: String,
}

async fn door(tx: &mut Tx, link: &str) -> Result<(Door, Event, Employer)> {
    let door: Option<Door> = fetch!(
        tx,
        fetch_optional,
        "select staff_id, employer_id, pin_hash from exhibitor where link_hash = $1 and revoked_ms is null",
        hash(link),
    )?;
    let door = door.ok_or(Error::NotFound)?;
    let employer = queries::employer(tx, &door.employer_id).await?;
    let event = event::queries::event(tx, &employer.event_id).await?;
    Ok((door, event, employer))
}

/// `GET /stand/{link}`: asks for the PIN.
async fn ask(
    State(app): State<App>,
    Path(link): Path<String>,
    mut frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (door, event, employer) = door(&mut tx, &link).await?;
    if let crate::web::access::Caller::Staff(staff) = &frame.caller
        && staff.id == door.staff_id
    {
        return Ok(Redirect::to("/stand").into_response());
    }
    "/stand".clone_into(&mut frame.path);
    page(&PinPage { frame, event, employer, link, fault: None })
}

/// `POST /stand/{link}`: the right PIN opens a session.
async fn open(
    State(app): State<App>,
    Path(link): Path<String>,
    Address(address): Address,
    jar: CookieJar,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (door, event, employer) = door(&mut tx, &link).await?;
    drop(tx);
    "/stand".clone_into(&mut frame.path);
    let limits =
        [(PIN_PER_ADDRESS, address.as_str()), (PIN_PER_LINK, &link), (PIN_PER_LINK_DAY, &link)];
    let outcome = match limits::spend(&app, &limits).await {
        Ok(()) => right(form.value("pin"), door.pin_hash).await,
        Err(error) => Err(error),
    };
    let refused = match outcome {
        Ok(true) => {
            let mut tx = app.db.write().await?;
            limits::forget(&mut tx, PIN_PER_LINK, &link).await?;
            limits::forget(&mut tx, PIN_PER_LINK_DAY, &link).await?;
            let token =
                session::open(&mut tx, Holder::Staff(&door.staff_id), app.clock.now()).await?;
            tx.commit().await?;
            return Ok(
                (jar.add(session::set_cookie(&app, token)), Redirect::to("/stand")).into_response()
            );
        }
        Ok(false) => wrong_pin(),
        Err(error @ Error::TooMany { .. }) => error.problem().refused,
        Err(error) => return Err(error),
    };
    let fault = Some(refused.text(frame.lang).to_owned());
    Ok((refused.status, page(&PinPage { frame, event, employer, link, fault })?).into_response())
}

async fn right(typed: &str, pin_hash: String) -> Result<bool> {
    let pin = crate::people::import::text::unspaced(typed);
    let right =
        tokio::task::spawn_blocking(move || account::rules::verify(&pin, Some(&pin_hash))).await;
    Ok(right.map_err(anyhow::Error::from)?)
}

fn wrong_pin() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "wrong_pin",
        "PIN 不对，请检查。忘了可以请会务组重新发一个。",
        "The PIN is wrong. Please check it; the organizer can make a new one.",
    )
}

fn hash(link: &str) -> Vec<u8> {
    Sha256::new().chain_update(b"turnout stand\0").chain_update(link).finalize().to_vec()
}
