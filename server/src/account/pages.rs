//! The sign-in pages: a phone and then a code for members and guests, a name and a password for staff.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use serde::Deserialize;
use time::Duration;

use super::rules::{self, CODE_MS, SignIn};
use crate::{
    App,
    error::{Error, Result},
    web::{Frame, frame::local, limits::Address, page, session},
};

/// The number that a code was sent to, until it is used: phones often throw the page away while the message is read,
/// and the number must not stand in the address.
const PHONE_COOKIE: &str = "sign-in";

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/login", get(ask).post(sign_in))
        .route("/login/code", post(send))
        .route("/logout", post(sign_out))
        .route("/staff/login", get(ask_staff).post(sign_in_staff))
}

/// Where to go afterwards, and whether to begin anew.
#[derive(Debug, Deserialize)]
struct Way {
    next: Option<String>,
    /// Forget the number that a code was sent to.
    #[serde(default)]
    anew: bool,
}

#[derive(Template)]
#[template(path = "account/phone.html")]
struct PhonePage {
    frame: Frame,
    next: String,
    typed: String,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "account/code.html")]
struct CodePage {
    frame: Frame,
    next: String,
    /// 138****5678.
    phone: String,
    fault: Option<String>,
    minutes: i64,
}

#[derive(Template)]
#[template(path = "account/choose.html")]
struct ChoosePage {
    frame: Frame,
    next: String,
    code: String,
    /// Ids and names.
    people: Vec<(String, String)>,
}

/// `GET /login`: asks for the phone, or for the code that was sent to it.
async fn ask(jar: CookieJar, Query(way): Query<Way>, mut frame: Frame) -> Result<Response> {
    let next = local(way.next.as_deref().unwrap_or("/")).to_owned();
    frame.path = format!("/login?next={next}");
    if frame.is_person() {
        return Ok(Redirect::to(&next).into_response());
    }
    match jar.get(PHONE_COOKIE) {
        Some(phone) if !way.anew => page(&CodePage {
            frame,
            next,
            phone: masked(phone.value()),
            fault: None,
            minutes: minutes(),
        }),
        _ => page(&PhonePage { frame, next, typed: String::new(), fault: None }),
    }
}

#[derive(Deserialize)]
struct PhoneForm {
    phone: Option<String>,
    next: Option<String>,
}

/// `POST /login/code`: sends a code; without a number, once more to the same.
async fn send(
    State(app): State<App>,
    Address(address): Address,
    jar: CookieJar,
    mut frame: Frame,
    Form(form): Form<PhoneForm>,
) -> Result<Response> {
    let next = local(form.next.as_deref().unwrap_or("/")).to_owned();
    let before = jar.get(PHONE_COOKIE).map(|cookie| cookie.value().to_owned());
    let typed = form.phone.or_else(|| before.clone()).unwrap_or_default();
    frame.path = format!("/login?next={next}");
    let error = match rules::send_code(&app, &typed, &address).await {
        Ok(()) => {
            let jar = jar.add(phone_cookie(&app, rules::mobile(&typed)?));
            return Ok((jar, Redirect::to(&with_next("/login", &next))).into_response());
        }
        Err(error @ (Error::Invalid(_) | Error::TooMany { .. })) => error,
        Err(error) => return Err(error),
    };
    let refused = error.problem().refused;
    // A code is on its way to this very number: its page is more use than a complaint.
    let waiting = rules::mobile(&typed).ok().filter(|phone| before.as_ref() == Some(phone));
    let html = match waiting {
        Some(phone) => {
            let words = frame.t(
                "验证码刚发过。请等一分钟，没收到再重发。",
                "A code was sent just now. If none comes within a minute, ask again.",
            );
            let fault = Some(words.to_owned());
            page(&CodePage { frame, next, phone: masked(&phone), fault, minutes: minutes() })?
        }
        None => {
            let fault = Some(refused.text(frame.lang).to_owned());
            page(&PhonePage { frame, next, typed, fault })?
        }
    };
    Ok((refused.status, html).into_response())
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
    next: Option<String>,
    person: Option<String>,
}

/// `POST /login`: signs in with the code.
async fn sign_in(
    State(app): State<App>,
    Address(address): Address,
    jar: CookieJar,
    mut frame: Frame,
    Form(form): Form<CodeForm>,
) -> Result<Response> {
    let next = local(form.next.as_deref().unwrap_or("/")).to_owned();
    frame.path = format!("/login?next={next}");
    let Some(phone) = jar.get(PHONE_COOKIE).map(|cookie| cookie.value().to_owned()) else {
        let fault = Some(
            frame
                .t(
                    "时间太久了，请重新输入手机号。",
                    "That took long. Please enter your number again.",
                )
                .to_owned(),
        );
        return page(&PhonePage { frame, next, typed: String::new(), fault });
    };
    let code: String = form.code.chars().filter(|c| !c.is_whitespace()).map(half_width).collect();
    match rules::sign_in(&app, &phone, &code, form.person.as_deref(), &address).await {
        Ok(SignIn::Done(token)) => {
            let jar = jar.add(session::set_cookie(&app, token)).add(forget_phone(&app));
            Ok((jar, Redirect::to(&next)).into_response())
        }
        Ok(SignIn::Choose(people)) => page(&ChoosePage { frame, next, code, people }),
        Err(error @ (Error::Refused(_) | Error::TooMany { .. })) => {
            let refused = error.problem().refused;
            let fault = Some(refused.text(frame.lang).to_owned());
            let html =
                page(&CodePage { frame, next, phone: masked(&phone), fault, minutes: minutes() })?;
            Ok((refused.status, html).into_response())
        }
        Err(error) => Err(error),
    }
}

/// `POST /logout`: ends the session, here and in the database.
async fn sign_out(
    State(app): State<App>,
    headers: HeaderMap,
    jar: CookieJar,
    frame: Frame,
) -> Result<Response> {
    if let Some(token) = session::cookie(&app, &headers) {
        session::close(&app, &token).await?;
    }
    let to = if frame.is_staff() { "/staff/login" } else { "/" };
    Ok((jar.add(session::clear_cookie(&app)), Redirect::to(to)).into_response())
}

#[derive(Template)]
#[template(path = "account/staff.html")]
struct StaffPage {
    frame: Frame,
    next: String,
    name: String,
    fault: Option<String>,
}

/// `GET /staff/login`.
async fn ask_staff(Query(way): Query<Way>, frame: Frame) -> Result<Response> {
    let next = local(way.next.as_deref().unwrap_or("/admin")).to_owned();
    if frame.is_staff() {
        return Ok(Redirect::to(&next).into_response());
    }
    page(&StaffPage { frame, next, name: String::new(), fault: None })
}

#[derive(Deserialize)]
struct StaffForm {
    name: String,
    password: String,
    next: Option<String>,
}

/// `POST /staff/login`.
async fn sign_in_staff(
    State(app): State<App>,
    Address(address): Address,
    jar: CookieJar,
    frame: Frame,
    Form(form): Form<StaffForm>,
) -> Result<Response> {
    let next = local(form.next.as_deref().unwrap_or("/admin")).to_owned();
    match rules::staff_sign_in(&app, &form.name, &form.password, &address).await {
        Ok(token) => {
            // Whoever has a page of their own begins there.
            let caller = session::caller(&app, &token).await?;
            let home = Frame { caller, ..frame }.home();
            let next = if next == "/admin" { home.to_owned() } else { next };
            Ok((jar.add(session::set_cookie(&app, token)), Redirect::to(&next)).into_response())
        }
        Err(error @ (Error::Refused(_) | Error::TooMany { .. })) => {
            let refused = error.problem().refused;
            let fault = Some(refused.text(frame.lang).to_owned());
            let html = page(&StaffPage { frame, next, name: form.name, fault })?;
            Ok((refused.status, html).into_response())
        }
        Err(error) => Err(error),
    }
}

fn phone_cookie(app: &App, phone: String) -> Cookie<'static> {
    Cookie::build((PHONE_COOKIE, phone))
        .path("/login")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.is_https())
        .max_age(Duration::milliseconds(CODE_MS))
        .build()
}

fn forget_phone(app: &App) -> Cookie<'static> {
    let mut cookie = phone_cookie(app, String::new());
    cookie.set_max_age(Duration::ZERO);
    cookie
}

fn with_next(path: &str, next: &str) -> String {
    if next == "/" { path.to_owned() } else { format!("{path}?next={next}") }
}

/// 138****5678.
fn masked(phone: &str) -> String {
    match (phone.get(..3), phone.get(7..)) {
        (Some(first), Some(last)) => format!("{first}****{last}"),
        _ => String::new(),
    }
}

const fn minutes() -> i64 {
    CODE_MS / admission::time::MINUTE
}

/// Phones with a Chinese keyboard send １ for 1.
fn half_width(c: char) -> char {
    match c {
        '０'..='９' => {
            char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c)
        }
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_shown_with_its_ends_only() {
        assert_eq!(masked("13812345678"), "138****5678");
        assert_eq!(masked("1"), "");
    }

    #[test]
    fn full_width_digits_are_taken_for_digits() {
        assert_eq!("０12９".chars().map(half_width).collect::<String>(), "0129");
    }
}
