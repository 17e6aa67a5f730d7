//! Who may speak to the page: only pages of this very kiosk, and only under a loopback name.
//!
//! A website open in the same browser could otherwise send scans here, or have its own name point here
//! (DNS rebinding) and read the names on the screen.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Nothing but this kiosk's own files and streams.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// Refuses what comes from elsewhere, and gives each answer its protective headers.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let mut response = match may_speak(request.headers(), request.method().is_safe()) {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::FORBIDDEN, why).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn may_speak(headers: &HeaderMap, safe: bool) -> Result<(), &'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).ok_or("a Host header is needed")?;
    if !is_loopback(host) {
        return Err("this page answers under 127.0.0.1, [::1] and localhost only");
    }
    // A link from the server's pages opens this one; no other page frames it, and its opener cannot reach it.
    let opened =
        safe && text(header::HeaderName::from_static("sec-fetch-mode")) == Some("navigate");
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site"))
        && site != "same-origin"
        && !opened
    {
        return Err("only this kiosk's own page may do that");
    }
    match text(header::ORIGIN) {
        Some(origin) if origin.strip_prefix("http://") != Some(host) => {
            Err("only this kiosk's own page may do that")
        }
        _ => Ok(()),
    }
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(name.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaks(pairs: &[(&'static str, &'static str)], safe: bool) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect();
        may_speak(&headers, safe).is_ok()
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "localhost", "127.0.0.1"] {
            assert!(speaks(&[("host", host)], true), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8081",
            "127.0.0.1.evil.example:8081",
            "10.0.0.5:8081",
            "",
        ] {
            assert!(!speaks(&[("host", host)], true), "{host}");
        }
        assert!(!speaks(&[], true));
    }

    #[test]
    fn another_page_may_neither_scan_nor_listen() {
        let host = ("host", "127.0.0.1:8081");
        assert!(speaks(
            &[host, ("origin", "http://127.0.0.1:8081"), ("sec-fetch-site", "same-origin")],
            false
        ));
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "http://127.0.0.1:9999"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(!speaks(&[host, (name, value)], false), "{name}: {value}");
            assert!(!speaks(&[host, (name, value)], true), "{name}: {value}");
        }
        for site in ["none", "same-site", "cross-site"] {
            let opened = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
            assert!(speaks(&opened, true), "typed, or opened by a link");
            assert!(!speaks(&opened, false), "a form of another page");
        }
    }
}
