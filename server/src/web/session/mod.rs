//! Sessions: a random token in a cookie or a bearer header; the database keeps its hash.

mod memory;

use admission::{
    Millis,
    time::{DAY, HOUR, MINUTE},
};
use axum::http::{HeaderMap, header};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use time::Duration;

pub use memory::Sessions;
use memory::{Row, topic};

use super::access::{Caller, Person, Role, Staff};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    execute,
};

/// A member stays signed in on their phone for this long.
const PERSON_MS: i64 = 60 * DAY;
/// Staff sign in each day.
const STAFF_MS: i64 = 12 * HOUR;
/// Staff who walk away are signed out.
const STAFF_IDLE_MS: i64 = 2 * HOUR;
/// "Last seen" is written no more often than this.
const SEEN_EVERY_MS: i64 = 5 * MINUTE;

/// Whose session it is.
#[derive(Clone, Debug)]
pub enum Holder<'a> {
    /// A member or guest, by id.
    Person(&'a str),
    /// Staff, by id.
    Staff(&'a str),
}

/// Opens a session; gives its token, which is shown once and kept nowhere.
///
/// # Errors
/// When the database fails.
pub async fn open(tx: &mut Tx, holder: Holder<'_>, now: Millis) -> Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("the system has randomness");
    let token = BASE64URL_NOPAD.encode(&secret);
    let (person, staff, expires) = match holder {
        Holder::Person(id) => (Some(id), None, now.plus(PERSON_MS)),
        Holder::Staff(id) => (None, Some(id), now.plus(STAFF_MS)),
    };
    execute!(
        tx,
        "insert into session (token_hash, person_id, staff_id, created_ms, seen_ms, expires_ms)
         values ($1, $2, $3, $4, $4, $5)",
        hash(&token),
        person,
        staff,
        now.0,
        expires.0,
    )?;
    Ok(token)
}

/// Ends the session of that token, here at once and on other server processes as soon as they hear of it.
///
/// # Errors
/// When the database fails.
pub async fn close(app: &App, token: &str) -> Result<()> {
    let (hash, mut tx) = (hash(token), app.db.write().await?);
    execute!(&mut tx, "delete from session where token_hash = $1", &hash)?;
    let changed = topic(&hash);
    tx.notify(&changed).await?;
    tx.commit().await?;
    app.sessions.forget(&hash);
    app.live.changed(&changed);
    Ok(())
}

/// Who holds `token`; [`Caller::Nobody`] when the session is over.
pub(crate) async fn caller(app: &App, token: &str) -> Result<Caller> {
    let (now, hash) = (app.clock.now(), hash(token));
    let Some(row) = app.sessions.row(&hash).await? else { return Ok(Caller::Nobody) };
    let idle = row.staff_id.is_some() && now.since(Millis(row.seen_ms)) > STAFF_IDLE_MS;
    if now.0 >= row.expires_ms || idle {
        return Ok(Caller::Nobody);
    }
    if now.since(Millis(row.seen_ms)) > SEEN_EVERY_MS {
        app.sessions.seen(hash, now);
    }
    Ok(match &*row {
        Row { person_id: Some(id), person_name, person_kind, .. } => Caller::Person(Person {
            id: id.clone(),
            name: person_name.clone().unwrap_or_default(),
            member: person_kind.as_deref() == Some("member"),
        }),
        Row { staff_id: Some(id), staff_name, staff_role, .. } => Caller::Staff(Staff {
            id: id.clone(),
            name: staff_name.clone().unwrap_or_default(),
            role: staff_role.as_deref().and_then(Role::from_word).ok_or(Error::Forbidden)?,
        }),
        _ => Caller::Nobody,
    })
}

/// Who calls, where nobody has to be signed in: by the bearer header, else by the cookie.
///
/// # Errors
/// As [`caller`].
pub(crate) async fn caller_of(app: &App, headers: &HeaderMap) -> Result<Caller> {
    match bearer(headers).or_else(|| cookie(app, headers)) {
        Some(token) => caller(app, &token).await,
        None => Ok(Caller::Nobody),
    }
}

/// The token of a bearer header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    Some(value.strip_prefix("Bearer ")?.trim().to_owned())
}

/// The token of the session cookie.
#[must_use]
pub fn cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    CookieJar::from_headers(headers).get(app.cookie_name()).map(|cookie| cookie.value().to_owned())
}

/// Tells the caller's session from others, without giving its token away.
pub(crate) fn fingerprint(app: &App, headers: &HeaderMap) -> Option<Vec<u8>> {
    bearer(headers).or_else(|| cookie(app, headers)).map(|token| hash(&token))
}

/// The cookie that keeps a browser signed in.
#[must_use]
pub fn set_cookie(app: &App, token: String) -> Cookie<'static> {
    Cookie::build((app.cookie_name(), token))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.is_https())
        .max_age(Duration::days(60))
        .build()
}

/// The cookie that signs a browser out.
#[must_use]
pub fn clear_cookie(app: &App) -> Cookie<'static> {
    Cookie::build((app.cookie_name(), ""))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.is_https())
        .max_age(Duration::ZERO)
        .build()
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
