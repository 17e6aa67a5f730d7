//! A personal link with a PIN: the way in for those who work for others (an employer's stand, a partner venue). The link is
//! shown once and kept nowhere; whoever has both is signed in as staff.

use admission::time::{HOUR, MINUTE};
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use sha2::{Digest as _, Sha256};

use super::rules;
use crate::{
    App,
    error::{Error, Refused, Result},
    web::{
        Frame,
        access::Caller,
        limits::{self, Limit},
        session::{self, Holder},
    },
};

const PER_LINK: Limit = Limit { what: "stand-pin", max: 10, window_ms: 15 * MINUTE };
/// In a day nobody guesses one of a million.
const PER_LINK_DAY: Limit = Limit { what: "stand-pin-day", max: 60, window_ms: 24 * HOUR };
const PER_ADDRESS: Limit = Limit { what: "stand-pin-address", max: 120, window_ms: 15 * MINUTE };

/// A new way in: shown once, kept nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The path of the personal link.
    pub(crate) path: String,
    /// Six digits.
    pub(crate) pin: String,
}

/// A link and a PIN that chance made. Hashing takes long, so it is done before a transaction opens.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) link: String,
    pub(crate) pin: String,
    /// Argon2id, in PHC form.
    pub(crate) pin_hash: String,
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
        let pin_hash = tokio::task::spawn_blocking(move || rules::hash_password(&plain))
            .await
            .map_err(anyhow::Error::from)??;
        Ok(Self { link, pin, pin_hash })
    }
}

/// What is kept of a link.
pub(crate) fn hash(link: &str) -> Vec<u8> {
    Sha256::new().chain_update(b"turnout stand\0").chain_update(link).finalize().to_vec()
}

/// Where a link leads, and what the PIN is held against.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Door {
    pub(crate) staff_id: String,
    /// The employer or the venue.
    pub(crate) house: String,
    pub(crate) pin_hash: String,
}

impl Door {
    /// Whether who reads the page is in already.
    pub(crate) fn is_open_to(&self, frame: &Frame) -> bool {
        matches!(&frame.caller, Caller::Staff(staff) if staff.id == self.staff_id)
    }
}

/// Lets in whoever typed the right PIN of a link, and leads them to `inside`; others get the page `again`, with what is wrong.
///
/// # Errors
/// When the database fails.
pub(crate) async fn enter(
    app: &App,
    (link, door): (&str, Door),
    (typed, address, jar): (&str, &str, CookieJar),
    inside: &'static str,
    again: impl FnOnce(&Refused) -> Result<Response>,
) -> Result<Response> {
    match open(app, (link, door.pin_hash, &door.staff_id), typed, address).await? {
        Ok(token) => {
            Ok((jar.add(session::set_cookie(app, token)), Redirect::to(inside)).into_response())
        }
        Err(refused) => Ok((refused.status, again(&refused)?).into_response()),
    }
}

/// Opens a session of `staff_id` for whoever typed the right PIN at `address`; gives its token, or why not.
///
/// # Errors
/// When the database fails.
async fn open(
    app: &App,
    (link, pin_hash, staff_id): (&str, String, &str),
    typed: &str,
    address: &str,
) -> Result<std::result::Result<String, Refused>> {
    let tries = [(PER_ADDRESS, address), (PER_LINK, link), (PER_LINK_DAY, link)];
    match limits::spend(app, &tries).await {
        Ok(()) => {}
        Err(error @ Error::TooMany { .. }) => return Ok(Err(error.problem().refused)),
        Err(error) => return Err(error),
    }
    let pin = crate::people::import::text::unspaced(typed);
    let right = tokio::task::spawn_blocking(move || rules::verify(&pin, Some(&pin_hash))).await;
    if !right.map_err(anyhow::Error::from)? {
        return Ok(Err(wrong()));
    }
    let mut tx = app.db.write().await?;
    limits::forget(&mut tx, PER_LINK, link).await?;
    limits::forget(&mut tx, PER_LINK_DAY, link).await?;
    let token = session::open(&mut tx, Holder::Staff(staff_id), app.clock.now()).await?;
    tx.commit().await?;
    Ok(Ok(token))
}

fn wrong() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "wrong_pin",
        "PIN 不对，请检查。忘了可以请会务组重新发一个。",
        "The PIN is wrong. Please check it; the organizer can make a new one.",
    )
}
