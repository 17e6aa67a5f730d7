//! How often something may be tried: counted in the database, so that it holds on every server process.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use admission::Millis;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};
use sha2::{Digest as _, Sha256};

use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    fetch,
};

/// At most `max` times in `window_ms`.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is counted: `code`, `login`.
    pub what: &'static str,
    /// How often.
    pub max: i64,
    /// In which time, milliseconds.
    pub window_ms: i64,
}

/// Counts one try by `who` (a phone, an address, a name: kept only as a hash).
///
/// # Errors
/// [`Error::TooMany`] when it is one too many.
pub async fn count(tx: &mut Tx, limit: Limit, who: &str, now: Millis) -> Result<()> {
    let key = key(limit, who);
    let (count, window_ms): (i64, i64) = fetch!(
        tx,
        fetch_one,
        "insert into attempt (key, count, window_ms) values ($1, 1, $2)
         on conflict (key) do update set
             count = case when attempt.window_ms + $3 <= excluded.window_ms then 1 else attempt.count + 1 end,
             window_ms = case when attempt.window_ms + $3 <= excluded.window_ms then excluded.window_ms
                              else attempt.window_ms end
         returning count, window_ms",
        &key,
        now.0,
        limit.window_ms,
    )?;
    if count > limit.max {
        let left_ms = window_ms + limit.window_ms - now.0;
        return Err(Error::TooMany { retry_after_s: left_ms / 1_000 + 1 });
    }
    Ok(())
}

/// Forgets the tries of `who`, after a success.
///
/// # Errors
/// When the database fails.
pub async fn forget(tx: &mut Tx, limit: Limit, who: &str) -> Result<()> {
    crate::execute!(tx, "delete from attempt where key = $1", key(limit, who))?;
    Ok(())
}

fn key(limit: Limit, who: &str) -> String {
    let digest =
        Sha256::new().chain_update(limit.what).chain_update([0]).chain_update(who).finalize();
    format!("{}:{}", limit.what, data_encoding::HEXLOWER.encode(&digest[..12]))
}

/// Counts one try against each of `limits`, durably, before anything else is done.
///
/// # Errors
/// [`Error::TooMany`] when it is one too many for any of them.
pub async fn spend(app: &App, limits: &[(Limit, &str)]) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut outcome = Ok(());
    for (limit, who) in limits {
        outcome = count(&mut tx, *limit, who, now).await;
        // What one limit turned away does not count against the next.
        if outcome.is_err() {
            break;
        }
    }
    tx.commit().await?;
    outcome
}

/// The address a request came from, for limits. With `--behind-proxy` it is the last one the proxy named.
#[derive(Clone, Debug)]
pub struct Address(pub String);

impl FromRequestParts<App> for Address {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        // The proxy's word is the last one, also when it adds a line of its own below the caller's.
        let named = || {
            let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back()?;
            Some(forwarded.to_str().ok()?.rsplit(',').next()?.trim().to_owned())
        };
        let peer = || Some(parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip().to_string());
        let address = if app.behind_proxy { named().or_else(peer) } else { peer() };
        Ok(Self(household(address.unwrap_or_default())))
    }
}

/// The address as limits know it. Whoever has one IPv6 address has its whole /64.
fn household(address: String) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => v4.to_string(),
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        Err(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::household;

    #[test]
    fn a_whole_ipv6_network_is_one_caller() {
        for (address, known) in [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::1", "2001:db8:1:2::"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(household(address.to_owned()), known);
        }
    }
}
