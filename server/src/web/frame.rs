//! What every page knows: the reader's language, who they are, the time. `frame.html` is built from it.

use admission::{
    Millis,
    say::{self, Lang},
};
use axum::{
    Form,
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::Redirect,
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use jiff::tz::TimeZone;

use super::access::Caller;
use crate::{App, error::Error};

/// What every page knows. Templates call it `frame`.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The reader's language.
    pub lang: Lang,
    /// Who reads.
    pub caller: Caller,
    /// Now.
    pub now: Millis,
    /// The path of the page, for links back.
    pub path: String,
}

impl Frame {
    /// Whichever text is in the reader's language.
    #[must_use]
    pub const fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        self.lang.pick(zh, en)
    }

    /// A moment as people say it: 今天 14:00.
    #[must_use]
    pub fn at(&self, moment: &Millis, time_zone: &str) -> String {
        say::at(*moment, self.lang, self.now, &zone(time_zone))
    }

    /// A moment in full: 2027年3月5日 周五 14:00.
    #[must_use]
    pub fn in_full(&self, moment: &Millis, time_zone: &str) -> String {
        let zoned = say::zoned(*moment, &zone(time_zone));
        match self.lang {
            Lang::Zh => {
                let day = ["一", "二", "三", "四", "五", "六", "日"]
                    [usize::try_from(zoned.weekday().to_monday_zero_offset()).unwrap_or(0)];
                format!(
                    "{} 周{day} {}:{:02}",
                    zoned.strftime("%Y年%-m月%-d日"),
                    zoned.hour(),
                    zoned.minute()
                )
            }
            Lang::En => zoned.strftime("%a %-d %B %Y, %-H:%M").to_string(),
        }
    }

    /// A span from now to `moment`, as people say it: 35 分钟.
    #[must_use]
    pub fn until(&self, moment: &Millis) -> String {
        say::lasting(moment.since(self.now), self.lang).trim_start().to_owned()
    }
}

/// The zone of that IANA name; Beijing when there is none such.
#[must_use]
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).or_else(|_| TimeZone::get("Asia/Shanghai")).unwrap_or(TimeZone::UTC)
}

/// The language of a request: the cookie set by the switch, else what the browser asks for, else Chinese.
#[must_use]
pub fn lang_of(headers: &axum::http::HeaderMap) -> Lang {
    let chosen =
        CookieJar::from_headers(headers).get("lang").map(|cookie| cookie.value().to_owned());
    match chosen.as_deref() {
        Some("en") => Lang::En,
        Some(_) => Lang::Zh,
        None => {
            let asked = headers
                .get(header::ACCEPT_LANGUAGE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("zh");
            let first = asked.split([',', ';']).next().unwrap_or("zh").trim();
            if first.starts_with("en") { Lang::En } else { Lang::Zh }
        }
    }
}

impl FromRequestParts<App> for Frame {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Ok(Self {
            lang: lang_of(&parts.headers),
            caller: Caller::from_request_parts(parts, app).await?,
            now: app.clock.now(),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// The form of the language switch.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Switch {
    lang: Lang,
    /// The page to go back to.
    back: String,
}

/// `POST /language`: remembers the reader's choice.
pub(super) async fn switch(jar: CookieJar, Form(switch): Form<Switch>) -> (CookieJar, Redirect) {
    let lang = match switch.lang {
        Lang::Zh => "zh",
        Lang::En => "en",
    };
    let cookie =
        Cookie::build(("lang", lang)).path("/").same_site(SameSite::Lax).permanent().build();
    (jar.add(cookie), Redirect::to(local(&switch.back)))
}

/// `path` when it is one of this site's, else the start page: no open redirects.
#[must_use]
pub fn local(path: &str) -> &str {
    let ours =
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']);
    if ours { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_redirect_stays_on_this_site() {
        for (path, goes) in [
            ("/me", "/me"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(path), goes);
        }
    }
}
