//! Who may call what: one table, one layer.
//!
//! A route that is not in [`TABLE`] is refused, so a new route cannot be forgotten; a test walks the table as each role
//! and as nobody. The table says who may *call* a route. Whether the thing behind an id is theirs is decided by the
//! query that fetches it: ids are not permissions.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::session;
use crate::{
    App,
    error::{Error, Result},
};

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Not signed in.
    Nobody,
    /// A member or guest.
    Person(Person),
    /// A member of staff.
    Staff(Staff),
    /// An enrolled kiosk, by its signature.
    Kiosk(Kiosk),
    /// Somebody who scores by a personal link.
    Umpire(crate::contest::play::Umpire),
}

/// A signed-in member or guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// On the roster.
    pub member: bool,
}

/// A signed-in member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// What they may.
    pub role: Role,
}

/// A kiosk that signed its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kiosk {
    /// Its id.
    pub id: String,
    /// The event it serves.
    pub event_id: String,
    /// Its journal contradicted itself.
    pub quarantined: bool,
}

/// What a member of staff may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Everything, staff accounts included.
    Admin,
    /// Events, attendance, kiosks, imports.
    Organizer,
    /// Attendance and checking in.
    Volunteer,
    /// Redeeming at a partner venue.
    Venue,
    /// An employer at a fair.
    Exhibitor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Admin, Self::Organizer, Self::Volunteer, Self::Venue, Self::Exhibitor];

    /// The word in SQL and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Organizer => "organizer",
            Self::Volunteer => "volunteer",
            Self::Venue => "venue",
            Self::Exhibitor => "exhibitor",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, and who it is does not matter: the database is not asked, so it works while that is away.
    Anonymous,
    /// Anybody.
    Public,
    /// A signed-in member or guest.
    Person,
    /// Staff: administrators only.
    Admin,
    /// Staff: organizers and administrators.
    Organizer,
    /// Staff: volunteers, organizers and administrators.
    Volunteer,
    /// Staff: an employer's agent at a fair.
    Exhibitor,
    /// Somebody who redeems at a partner venue.
    Venue,
    /// A kiosk, by its signature.
    Kiosk,
    /// A kiosk, by its signature; also one that was revoked, for what it had decided before it heard of it. Not a lost one.
    Journal,
    /// Whoever scores: volunteers, organizers, administrators, and umpires by a personal link.
    Umpire,
}

impl Access {
    /// Whether `caller` may.
    #[must_use]
    pub fn admits(self, caller: &Caller) -> bool {
        let role = if let Caller::Staff(staff) = caller { Some(staff.role) } else { None };
        match self {
            Self::Anonymous | Self::Public => true,
            Self::Person => matches!(caller, Caller::Person(_)),
            Self::Admin => role == Some(Role::Admin),
            Self::Organizer => matches!(role, Some(Role::Admin | Role::Organizer)),
            Self::Volunteer => {
                matches!(role, Some(Role::Admin | Role::Organizer | Role::Volunteer))
            }
            Self::Exhibitor => role == Some(Role::Exhibitor),
            Self::Venue => role == Some(Role::Venue),
            Self::Kiosk | Self::Journal => matches!(caller, Caller::Kiosk(_)),
            Self::Umpire => matches!(caller, Caller::Umpire(_)) || Self::Volunteer.admits(caller),
        }
    }
}

/// Every route and who may call it. `GET` stands for `HEAD` too.
pub const TABLE: &[(&str, &str, Access)] = &[
    // Running the server.
    ("GET", "/healthz", Access::Anonymous),
    ("GET", "/readyz", Access::Anonymous),
    ("GET", "/metrics", Access::Anonymous),
    ("GET", "/assets/{*path}", Access::Anonymous),
    ("GET", "/sw.js", Access::Anonymous),
    ("GET", "/favicon.ico", Access::Anonymous),
    ("POST", "/language", Access::Public),
    ("GET", "/demo", Access::Public),
    // Signing in.
    ("GET", "/login", Access::Public),
    ("POST", "/login", Access::Public),
    ("POST", "/login/code", Access::Public),
    ("POST", "/logout", Access::Public),
    ("GET", "/staff/login", Access::Public),
    ("POST", "/staff/login", Access::Public),
    ("POST", "/api/v1/login/code", Access::Public),
    ("POST", "/api/v1/login", Access::Public),
    ("POST", "/api/v1/staff/login", Access::Public),
    ("GET", "/api/v1/openapi.json", Access::Anonymous),
    // Events.
    ("GET", "/", Access::Public),
    ("GET", "/events/{event}", Access::Public),
    ("GET", "/api/v1/events", Access::Public),
    ("GET", "/api/v1/events/{event}", Access::Public),
    ("GET", "/offers/{offer}/draw", Access::Public),
    ("GET", "/api/v1/offers/{offer}/draw", Access::Public),
    ("GET", "/api/v1/offers/{offer}/rush", Access::Anonymous),
    ("GET", "/api/v1/events/{event}/rush/stream", Access::Anonymous),
    ("POST", "/api/v1/events", Access::Organizer),
    ("PATCH", "/api/v1/events/{event}", Access::Organizer),
    // Job fairs.
    ("GET", "/events/{event}/fair", Access::Public),
    ("GET", "/events/{event}/fair/posts/{post}", Access::Public),
    ("GET", "/events/{event}/fair/employers/{employer}", Access::Public),
    ("POST", "/events/{event}/fair/marks", Access::Public),
    ("GET", "/events/{event}/fair/entry", Access::Person),
    ("POST", "/events/{event}/fair/entry", Access::Person),
    ("GET", "/events/{event}/fair/me", Access::Person),
    ("POST", "/events/{event}/fair/me/consents/{employer}", Access::Person),
    ("GET", "/stands/{poster}", Access::Public),
    ("POST", "/stands/{poster}", Access::Person),
    // An employer's stand.
    ("GET", "/stand/{link}", Access::Public),
    ("POST", "/stand/{link}", Access::Public),
    ("GET", "/stand", Access::Exhibitor),
    ("POST", "/stand", Access::Exhibitor),
    ("POST", "/stand/encounters/{encounter}/undo", Access::Exhibitor),
    ("GET", "/stand/people.xlsx", Access::Exhibitor),
    ("POST", "/api/v1/stand/encounters", Access::Exhibitor),
    ("POST", "/api/v1/stand/codes", Access::Exhibitor),
    // Vouchers: the partner venues.
    ("GET", "/api/v1/venues", Access::Public),
    ("POST", "/api/v1/venues", Access::Organizer),
    ("GET", "/admin/venues", Access::Organizer),
    ("POST", "/admin/venues", Access::Organizer),
    ("GET", "/admin/venues/new", Access::Organizer),
    ("GET", "/admin/venues/{venue}/edit", Access::Organizer),
    ("POST", "/admin/venues/{venue}/edit", Access::Organizer),
    ("GET", "/admin/venues/{venue}", Access::Organizer),
    ("POST", "/admin/venues/{venue}/people", Access::Organizer),
    ("GET", "/admin/venues/{venue}/settlement/{month}", Access::Organizer),
    ("GET", "/admin/venues/{venue}/settlement/{month}/{file}", Access::Organizer),
    ("POST", "/admin/venues/{venue}/settlement/{month}/closing", Access::Organizer),
    ("GET", "/admin/vouchers", Access::Organizer),
    ("GET", "/benefits", Access::Public),
    // A venue's own pages.
    ("GET", "/venue/{link}", Access::Public),
    ("POST", "/venue/{link}", Access::Public),
    ("GET", "/venue", Access::Venue),
    ("POST", "/venue/look", Access::Venue),
    ("POST", "/venue/redemptions", Access::Venue),
    ("POST", "/venue/redemptions/{scan}/undo", Access::Venue),
    ("POST", "/api/v1/venue/redemptions", Access::Venue),
    ("POST", "/api/v1/venue/codes", Access::Venue),
    ("GET", "/api/v1/venue/vouchers", Access::Venue),
    ("GET", "/venue/settlement", Access::Venue),
    ("GET", "/venue/settlement/{month}", Access::Venue),
    ("GET", "/venue/settlement/{month}/{file}", Access::Venue),
    // Desks.
    ("GET", "/events/{event}/desks", Access::Public),
    ("GET", "/events/{event}/desks/board", Access::Public),
    ("POST", "/events/{event}/desks/{desk}/turns", Access::Person),
    ("POST", "/events/{event}/desks/{desk}/turns/{turn}/leaving", Access::Person),
    ("GET", "/admin/events/{event}/desks", Access::Volunteer),
    ("POST", "/admin/events/{event}/desks", Access::Organizer),
    ("GET", "/admin/events/{event}/desks/{desk}", Access::Volunteer),
    ("POST", "/admin/events/{event}/desks/{desk}", Access::Volunteer),
    // The organizer of a fair.
    ("GET", "/admin/events/{event}/fair", Access::Organizer),
    ("POST", "/admin/events/{event}/fair/capacity", Access::Organizer),
    ("GET", "/admin/events/{event}/fair/registration", Access::Volunteer),
    ("POST", "/admin/events/{event}/fair/registration", Access::Volunteer),
    ("GET", "/admin/events/{event}/fair/employers", Access::Organizer),
    ("POST", "/admin/events/{event}/fair/employers/{employer}/link", Access::Organizer),
    ("GET", "/admin/events/{event}/fair/posters", Access::Organizer),
    ("GET", "/admin/events/{event}/fair/report", Access::Organizer),
    ("GET", "/admin/events/{event}/fair/report.xlsx", Access::Organizer),
    ("GET", "/admin/events/{event}/fair/report.pdf", Access::Organizer),
    ("GET", "/admin/events/{event}/fair/import", Access::Organizer),
    ("POST", "/admin/events/{event}/fair/import", Access::Organizer),
    // Goods at pick-up points.
    ("GET", "/events/{event}/goods", Access::Public),
    ("GET", "/admin/events/{event}/goods", Access::Volunteer),
    ("POST", "/admin/events/{event}/goods", Access::Organizer),
    ("POST", "/admin/events/{event}/goods/points", Access::Organizer),
    ("GET", "/admin/events/{event}/goods/batches", Access::Organizer),
    ("POST", "/admin/events/{event}/goods/batches", Access::Organizer),
    ("POST", "/admin/events/{event}/goods/batches/import", Access::Organizer),
    ("GET", "/admin/events/{event}/goods/{point}", Access::Volunteer),
    ("POST", "/admin/events/{event}/goods/{point}", Access::Volunteer),
    ("POST", "/admin/events/{event}/goods/{point}/stock", Access::Organizer),
    // Books that members borrow.
    ("GET", "/books", Access::Person),
    ("POST", "/books/{book}/wait", Access::Person),
    ("POST", "/loans/{loan}/renewal", Access::Person),
    ("GET", "/admin/books", Access::Volunteer),
    ("POST", "/admin/books", Access::Volunteer),
    ("POST", "/admin/books/rule", Access::Organizer),
    ("POST", "/admin/books/import", Access::Organizer),
    // The yearly report.
    ("GET", "/admin/report", Access::Organizer),
    ("GET", "/admin/report.xlsx", Access::Organizer),
    ("GET", "/admin/report.pdf", Access::Organizer),
    ("GET", "/admin/events/{event}/costs", Access::Organizer),
    ("POST", "/admin/events/{event}/costs", Access::Organizer),
    // Booking and tickets: a person's own.
    ("POST", "/events/{event}/booking", Access::Person),
    ("GET", "/me", Access::Person),
    ("GET", "/bookings/{booking}", Access::Person),
    ("GET", "/bookings/{booking}/cancellation", Access::Person),
    ("POST", "/bookings/{booking}/cancellation", Access::Person),
    ("POST", "/bookings/{booking}/confirmation", Access::Person),
    ("GET", "/bookings/{booking}/appeal", Access::Person),
    ("POST", "/bookings/{booking}/appeal", Access::Person),
    ("GET", "/tickets/{ticket}", Access::Person),
    ("GET", "/tickets/{ticket}/ticket.ics", Access::Person),
    ("POST", "/api/v1/bookings", Access::Person),
    ("GET", "/api/v1/bookings/{booking}", Access::Person),
    ("POST", "/api/v1/bookings/{booking}/cancellation", Access::Person),
    ("POST", "/api/v1/bookings/{booking}/confirmation", Access::Person),
    ("GET", "/api/v1/no-shows", Access::Person),
    ("POST", "/api/v1/bookings/{booking}/appeal", Access::Person),
    ("GET", "/api/v1/tickets/{ticket}/qr.png", Access::Person),
    ("GET", "/api/v1/tickets/{ticket}/qr.svg", Access::Person),
    // Contests: disciplines, entries, draws.
    ("GET", "/events/{event}/contest", Access::Public),
    ("GET", "/disciplines/{discipline}", Access::Public),
    ("GET", "/disciplines/{discipline}/screen", Access::Public),
    ("GET", "/disciplines/{discipline}/draw", Access::Public),
    ("GET", "/api/v1/disciplines/{discipline}/draw", Access::Public),
    ("GET", "/disciplines/{discipline}/entry", Access::Person),
    ("POST", "/disciplines/{discipline}/entry", Access::Person),
    ("GET", "/entries/{entry}", Access::Person),
    ("POST", "/entries/{entry}/acceptance", Access::Person),
    ("POST", "/entries/{entry}/withdrawal", Access::Person),
    ("GET", "/admin/events/{event}/contest", Access::Volunteer),
    ("POST", "/admin/events/{event}/contest", Access::Organizer),
    ("POST", "/admin/events/{event}/contest/limit", Access::Organizer),
    ("GET", "/admin/disciplines/{discipline}", Access::Volunteer),
    ("POST", "/admin/disciplines/{discipline}/list", Access::Organizer),
    ("POST", "/admin/disciplines/{discipline}/draw", Access::Organizer),
    ("POST", "/admin/entries/{entry}", Access::Volunteer),
    // Kiosks.
    ("POST", "/api/v1/kiosks", Access::Organizer),
    ("POST", "/api/v1/kiosks/enrolment", Access::Public),
    ("GET", "/api/v1/kiosk/feed", Access::Kiosk),
    ("POST", "/api/v1/kiosk/scans", Access::Journal),
    ("POST", "/api/v1/kiosk/check", Access::Kiosk),
    ("POST", "/api/v1/kiosk/numbers", Access::Kiosk),
    ("GET", "/api/v1/kiosk/card-key", Access::Kiosk),
    ("GET", "/api/v1/kiosk/people", Access::Kiosk),
    // Attendance.
    ("GET", "/api/v1/events/{event}/attendance", Access::Volunteer),
    ("GET", "/api/v1/events/{event}/attendance/stream", Access::Volunteer),
    // The organizer's pages.
    ("GET", "/admin", Access::Volunteer),
    ("GET", "/admin/events/new", Access::Organizer),
    ("POST", "/admin/events", Access::Organizer),
    ("GET", "/admin/events/{event}", Access::Volunteer),
    ("GET", "/admin/events/{event}/edit", Access::Organizer),
    ("POST", "/admin/events/{event}/edit", Access::Organizer),
    ("GET", "/admin/events/{event}/status", Access::Organizer),
    ("POST", "/admin/events/{event}/status", Access::Organizer),
    ("GET", "/admin/events/{event}/offers/new", Access::Organizer),
    ("POST", "/admin/events/{event}/offers", Access::Organizer),
    ("GET", "/admin/events/{event}/offers/{offer}", Access::Organizer),
    ("POST", "/admin/events/{event}/offers/{offer}", Access::Organizer),
    ("GET", "/admin/events/{event}/list", Access::Volunteer),
    ("GET", "/admin/events/{event}/list/{ticket}", Access::Volunteer),
    ("POST", "/admin/events/{event}/list/{ticket}/admission", Access::Volunteer),
    ("POST", "/admin/events/{event}/list/{ticket}/undo", Access::Volunteer),
    ("GET", "/admin/events/{event}/conflicts", Access::Organizer),
    ("POST", "/admin/events/{event}/conflicts/{ticket}", Access::Organizer),
    ("POST", "/admin/events/{event}/strays/{ticket}", Access::Organizer),
    ("POST", "/admin/events/{event}/list/{ticket}/excuse", Access::Organizer),
    ("GET", "/admin/events/{event}/line", Access::Organizer),
    ("POST", "/admin/events/{event}/line/decisions", Access::Organizer),
    ("GET", "/admin/events/{event}/line/{booking}", Access::Organizer),
    ("POST", "/admin/events/{event}/line/{booking}/payment", Access::Organizer),
    ("POST", "/admin/events/{event}/line/{booking}/decision", Access::Organizer),
    ("POST", "/admin/events/{event}/line/{booking}/removal", Access::Organizer),
    ("POST", "/admin/events/{event}/line/{booking}/turn", Access::Organizer),
    ("POST", "/admin/events/{event}/line/{booking}/refund", Access::Organizer),
    ("GET", "/admin/events/{event}/attendance.xlsx", Access::Organizer),
    ("GET", "/admin/events/{event}/kiosks", Access::Organizer),
    ("POST", "/admin/events/{event}/kiosks", Access::Organizer),
    ("GET", "/admin/events/{event}/kiosks/{kiosk}/revocation", Access::Organizer),
    ("POST", "/admin/events/{event}/kiosks/{kiosk}/revocation", Access::Organizer),
    // Playing a contest.
    ("GET", "/events/{event}/play", Access::Public),
    ("GET", "/events/{event}/umpire", Access::Public),
    ("GET", "/disciplines/{discipline}/standings", Access::Public),
    ("GET", "/api/v1/events/{event}/changes", Access::Public),
    ("GET", "/api/v1/events/{event}/play", Access::Umpire),
    ("GET", "/api/v1/matches/{match}", Access::Umpire),
    ("POST", "/api/v1/matches/{match}/report", Access::Umpire),
    ("POST", "/api/v1/matches/{match}/arrival", Access::Umpire),
    ("POST", "/api/v1/matches/{match}/late", Access::Umpire),
    ("GET", "/admin/ties/{tie}/line-up/{side}", Access::Organizer),
    ("POST", "/admin/ties/{tie}/line-up/{side}", Access::Organizer),
    ("GET", "/ties/{tie}/line-up", Access::Person),
    ("POST", "/ties/{tie}/line-up", Access::Person),
    ("POST", "/api/v1/matches/{match}/call", Access::Volunteer),
    ("POST", "/api/v1/matches/{match}/correction", Access::Organizer),
    ("POST", "/api/v1/events/{event}/calls", Access::Volunteer),
    ("POST", "/api/v1/events/{event}/courts", Access::Organizer),
    ("POST", "/api/v1/events/{event}/umpires", Access::Organizer),
    ("POST", "/api/v1/entries/{entry}/conduct", Access::Organizer),
    // Walks.
    ("POST", "/api/v1/disciplines/{discipline}/passages", Access::Umpire),
    ("POST", "/api/v1/disciplines/{discipline}/gun", Access::Organizer),
    ("GET", "/admin/disciplines/{discipline}/walk", Access::Volunteer),
    ("POST", "/admin/disciplines/{discipline}/walk/passages", Access::Volunteer),
    ("POST", "/admin/disciplines/{discipline}/walk/course", Access::Organizer),
    ("POST", "/admin/disciplines/{discipline}/walk/bibs", Access::Organizer),
    ("POST", "/admin/disciplines/{discipline}/walk/gun", Access::Organizer),
    ("POST", "/admin/disciplines/{discipline}/walk/chips", Access::Organizer),
    // Results and certificates.
    ("GET", "/events/{event}/results", Access::Public),
    ("GET", "/certificates/{code}", Access::Public),
    ("GET", "/entries/{entry}/certificate.pdf", Access::Person),
    ("GET", "/admin/entries/{entry}/certificate.pdf", Access::Volunteer),
    ("POST", "/admin/events/{event}/results/points", Access::Organizer),
    ("GET", "/admin/events/{event}/results.xlsx", Access::Organizer),
    ("GET", "/admin/events/{event}/play", Access::Volunteer),
    ("POST", "/admin/events/{event}/play/calls", Access::Volunteer),
    ("POST", "/admin/events/{event}/play/courts", Access::Organizer),
    ("POST", "/admin/events/{event}/play/courts/{court}", Access::Organizer),
    ("POST", "/admin/events/{event}/play/umpires", Access::Organizer),
    ("POST", "/admin/events/{event}/play/umpires/{umpire}", Access::Organizer),
    ("GET", "/admin/matches/{match}", Access::Volunteer),
    ("POST", "/admin/matches/{match}", Access::Volunteer),
    ("POST", "/admin/matches/{match}/call", Access::Volunteer),
    ("POST", "/admin/matches/{match}/first", Access::Volunteer),
    ("POST", "/admin/matches/{match}/arrival", Access::Volunteer),
    ("POST", "/admin/matches/{match}/late", Access::Volunteer),
    ("POST", "/admin/groups/{group}/lots", Access::Organizer),
    ("GET", "/api/v1/officer/allocations", Access::Person),
    ("GET", "/api/v1/officer/allocations/{offer}/{union}", Access::Person),
    ("GET", "/api/v1/officer/allocations/{offer}/{union}/members", Access::Person),
    ("POST", "/api/v1/officer/allocations/{offer}/{union}/bookings", Access::Person),
    (
        "POST",
        "/api/v1/officer/allocations/{offer}/{union}/bookings/{booking}/return",
        Access::Person,
    ),
    ("GET", "/officer", Access::Person),
    ("GET", "/officer/offers/{offer}/{union}", Access::Person),
    ("POST", "/officer/offers/{offer}/{union}", Access::Person),
    ("POST", "/officer/offers/{offer}/{union}/{booking}/return", Access::Person),
    ("GET", "/officer/goods/{event}/{organisation}", Access::Person),
    ("POST", "/officer/goods/{event}/{organisation}", Access::Person),
    ("GET", "/admin/events/{event}/offers/{offer}/allocation", Access::Organizer),
    ("POST", "/admin/events/{event}/offers/{offer}/allocation", Access::Organizer),
    ("GET", "/admin/officers", Access::Organizer),
    ("POST", "/admin/officers", Access::Organizer),
    ("POST", "/admin/officers/{union}/{person}/dismissal", Access::Organizer),
    ("GET", "/admin/no-shows", Access::Organizer),
    ("POST", "/admin/no-shows/rule", Access::Admin),
    ("POST", "/admin/no-shows/{booking}/decision", Access::Organizer),
    ("GET", "/admin/import", Access::Organizer),
    ("POST", "/admin/import", Access::Organizer),
    ("GET", "/admin/import/{import}", Access::Organizer),
    ("POST", "/admin/import/{import}/confirmation", Access::Organizer),
    ("POST", "/admin/import/{import}/discard", Access::Organizer),
];

/// The table, by method and route.
static LINES: LazyLock<HashMap<(&str, &str), Access>> = LazyLock::new(|| {
    TABLE.iter().map(|(method, route, access)| ((*method, *route), *access)).collect()
});

/// The largest body a kiosk may sign: a full upload.
const KIOSK_BODY_MAX: usize = 4 * 1024 * 1024;

/// The layer: finds out who is calling, and turns away those who may not.
pub async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match admit(&app, &mut request).await {
        Ok(()) => next.run(request).await,
        // A person at a page is sent to the sign-in and comes back; a program is told.
        Err((Error::SignedOut, access)) if wants_page(&request) => {
            let back = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let login = if access == Access::Person { "/login" } else { "/staff/login" };
            let query: String = percent_encoded(back);
            Redirect::to(&format!("{login}?next={query}")).into_response()
        }
        Err((error, _)) => error.into_response(),
    }
}

async fn admit(app: &App, request: &mut Request) -> Result<(), (Error, Access)> {
    // No id has a NUL. PostgreSQL fails on one, and work that fails takes the batch of the ledger with it that it is in.
    if request.uri().path().contains("%00") {
        return Err((Error::NotFound, Access::Anonymous));
    }
    let method =
        if *request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let path = request.extensions().get::<MatchedPath>().cloned();
    let line = path.as_ref().and_then(|path| LINES.get(&(method.as_str(), path.as_str())));
    let Some(access) = line else {
        tracing::error!(%method, ?path, "a route is missing in the access table");
        return Err((Error::Forbidden, Access::Admin));
    };
    let caller = caller_of(app, request, *access).await.map_err(|error| (error, *access))?;
    if !access.admits(&caller) {
        let error = if caller == Caller::Nobody { Error::SignedOut } else { Error::Forbidden };
        return Err((error, *access));
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

async fn caller_of(app: &App, request: &mut Request, access: Access) -> Result<Caller> {
    if access == Access::Anonymous {
        return Ok(Caller::Nobody);
    }
    if matches!(access, Access::Kiosk | Access::Journal) {
        let (head, body) = std::mem::take(request).into_parts();
        let body = to_bytes(body, KIOSK_BODY_MAX).await.map_err(|_| Error::KioskUnknown)?;
        let kiosk = crate::kiosk::signed_by(app, &head, &body, access).await;
        *request = Request::from_parts(head, Body::from(body));
        return Ok(Caller::Kiosk(kiosk?));
    }
    if access == Access::Umpire
        && let Some(umpire) =
            crate::contest::play::scorer::umpire_of(app, request.headers()).await?
    {
        return Ok(Caller::Umpire(umpire));
    }
    if let Some(token) = session::bearer(request.headers()) {
        return session::caller(app, &token).await;
    }
    let Some(token) = session::cookie(app, request.headers()) else { return Ok(Caller::Nobody) };
    if !request.method().is_safe() && comes_from_elsewhere(request) {
        return Err(Error::CrossSite);
    }
    session::caller(app, &token).await
}

/// Whether a browser says that the request was made by another site's page.
fn comes_from_elsewhere(request: &Request) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (header(header::ORIGIN.as_str()), header(header::HOST.as_str())) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        _ => false,
    }
}

fn wants_page(request: &Request) -> bool {
    request.method() == Method::GET && !request.uri().path().starts_with("/api/")
}

/// `text` as it may stand in an address or a file name.
pub(crate) fn percent_encoded(text: &str) -> String {
    const KEPT: &[u8] = b"/-_.~";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || KEPT.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl FromRequestParts<App> for Person {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        match parts.extensions.get() {
            Some(Caller::Person(person)) => Ok(person.clone()),
            _ => Err(Error::SignedOut),
        }
    }
}

impl FromRequestParts<App> for Staff {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        match parts.extensions.get() {
            Some(Caller::Staff(staff)) => Ok(staff.clone()),
            _ => Err(Error::SignedOut),
        }
    }
}

impl FromRequestParts<App> for Kiosk {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        match parts.extensions.get() {
            Some(Caller::Kiosk(kiosk)) => Ok(kiosk.clone()),
            _ => Err(Error::KioskUnknown),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        Ok(parts.extensions.get().cloned().unwrap_or(Self::Nobody))
    }
}
