//! Who may score: staff, and umpires by a personal link. The link's secret stands behind the `#`, so it reaches no server
//! log; the page sends it in a header, and the database keeps its hash.

use admission::Millis;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::{
    App,
    db::{Tx, new_id},
    error::{Error, Result},
    execute, fetch,
    web::access::{Caller, Staff},
};

/// The header in which an umpire's page sends the secret of its link.
pub(crate) const UMPIRE_HEADER: &str = "x-umpire";

/// Somebody who scores by a personal link.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Umpire {
    /// Its id.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// Who it was given to.
    pub name: String,
    /// The only court it is for.
    pub court_id: Option<String>,
}

/// Who did something to a match.
#[derive(Clone, Debug)]
pub(crate) enum By {
    Staff(Staff),
    Umpire(Umpire),
    /// The server itself, when the call clock has run out.
    Clock,
}

impl By {
    pub(crate) fn staff_id(&self) -> Option<&str> {
        match self {
            Self::Staff(staff) => Some(&staff.id),
            Self::Umpire(_) | Self::Clock => None,
        }
    }

    pub(crate) fn umpire_name(&self) -> Option<&str> {
        match self {
            Self::Staff(_) => None,
            Self::Umpire(umpire) => Some(&umpire.name),
            Self::Clock => Some("叫号计时"),
        }
    }

    /// Whether they may decide what an umpire may not: a walk-over before the call clock has run out.
    pub(crate) fn decides(&self) -> bool {
        use crate::web::access::Access;
        matches!(self, Self::Staff(staff) if Access::Organizer.admits(&Caller::Staff(staff.clone())))
    }

    /// Whether a match at `court` of `event` is theirs.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not.
    pub(crate) fn check(&self, event_id: &str, court_id: Option<&str>) -> Result<()> {
        let Self::Umpire(umpire) = self else { return Ok(()) };
        let theirs = umpire.court_id.is_none() || umpire.court_id.as_deref() == court_id;
        if umpire.event_id == event_id && theirs { Ok(()) } else { Err(Error::NotFound) }
    }
}

impl FromRequestParts<App> for By {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        match parts.extensions.get() {
            Some(Caller::Staff(staff)) => Ok(Self::Staff(staff.clone())),
            Some(Caller::Umpire(umpire)) => Ok(Self::Umpire(umpire.clone())),
            _ => Err(Error::SignedOut),
        }
    }
}

/// Whose link a request was made with; none without one. A link that was revoked is nobody's.
///
/// # Errors
/// When the database fails.
pub(crate) async fn umpire_of(app: &App, headers: &HeaderMap) -> Result<Option<Umpire>> {
    let Some(secret) = headers.get(UMPIRE_HEADER).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let mut tx = app.db.read().await?;
    Ok(fetch!(
        tx,
        fetch_optional,
        "select id, event_id, name, court_id from umpire where secret_hash = $1 and revoked_ms is null",
        hash(secret),
    )?)
}

/// Makes a link; gives its secret, which is shown once.
///
/// # Errors
/// When the database fails.
pub(crate) async fn invite(
    tx: &mut Tx,
    event_id: &str,
    name: &str,
    court_id: Option<&str>,
    now: Millis,
) -> Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    let secret = BASE64URL_NOPAD.encode(&bytes);
    execute!(
        tx,
        "insert into umpire (id, event_id, name, court_id, secret_hash, created_ms) values ($1, $2, $3, $4, $5, $6)",
        new_id(now),
        event_id,
        name,
        court_id,
        hash(&secret),
        now.0,
    )?;
    Ok(secret)
}

/// Ends a link.
pub(super) async fn dismiss(tx: &mut Tx, event_id: &str, id: &str, now: Millis) -> Result<()> {
    let ended = execute!(
        tx,
        "update umpire set revoked_ms = $3 where id = $2 and event_id = $1 and revoked_ms is null",
        event_id,
        id,
        now.0,
    )?;
    if ended == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// The links of an event that are good.
pub(super) async fn of_event(tx: &mut Tx, event_id: &str) -> Result<Vec<Umpire>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select id, event_id, name, court_id from umpire where event_id = $1 and revoked_ms is null order by created_ms, id",
        event_id
    )?)
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
