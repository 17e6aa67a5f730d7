//! Certificates: a finisher's, a winner's. Each has a code; anybody who has it can ask what it says.

use admission::{Millis, name};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use data_encoding::BASE32_NOPAD;

use super::places::{self, Placed};
use crate::{
    App,
    contest::{Discipline, Kind, Sport, queries as contest},
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    execute, fetch,
    pdf::{SHEET_HEIGHT as HEIGHT, SHEET_WIDTH as WIDTH, Sheet},
    web::{
        Frame,
        access::{Person, percent_encoded},
        page,
    },
};

/// The last place that gets a certificate, where nobody walks.
const LAST_PLACE: i64 = 8;

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/entries/{entry}/certificate.pdf", get(own))
        .route("/admin/entries/{entry}/certificate.pdf", get(any))
        .route("/certificates/{code}", get(verify))
}

/// What a certificate says.
struct Certificate {
    code: String,
    event: Event,
    discipline: Discipline,
    placed: Placed,
    issued: Millis,
}

/// `GET /entries/{entry}/certificate.pdf`: for those who were in it.
async fn own(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (theirs,): (i64,) = fetch!(
        &mut tx,
        fetch_one,
        "select count(*) from entry_player where entry_id = $1 and person_id = $2 and left_ms is null",
        &id,
        &person.id,
    )?;
    drop(tx);
    if theirs == 0 {
        return Err(Error::NotFound);
    }
    file(&app, &id, &frame).await
}

/// `GET /admin/entries/{entry}/certificate.pdf`: for staff.
async fn any(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    file(&app, &id, &frame).await
}

async fn file(app: &App, entry_id: &str, frame: &Frame) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let mut found = read(&mut tx, entry_id).await?.ok_or(Error::NotFound)?;
    found.code = code(app, entry_id);
    execute!(
        tx,
        "insert into certificate (code, entry_id, event_id, issued_ms) values ($1, $2, $3, $4) on conflict do nothing",
        &found.code,
        entry_id,
        &found.event.id,
        frame.now.0,
    )?;
    tx.commit().await?;
    found.issued = frame.now;
    let name = format!("{}-{}.pdf", found.discipline.name, found.placed.entry.name);
    let url = format!("{}/certificates/{}", app.public_url, found.code);
    let bytes = drawn(&found, &url)?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!(
                "inline; filename=\"certificate.pdf\"; filename*=UTF-8''{}",
                percent_encoded(&name)
            ),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// The code of an entry's certificate: eighty bits that only the server can make.
fn code(app: &App, entry_id: &str) -> String {
    let print = app.keys.draw.fingerprint(format!("certificate/{entry_id}").as_bytes()).0;
    BASE32_NOPAD.encode(&print[..10])
}

impl Placed {
    /// Whether there is a certificate of this place.
    pub(super) fn has_certificate(&self, discipline: &Discipline) -> bool {
        discipline.sport == Sport::Walk || self.place <= LAST_PLACE
    }
}

/// Whether an entry has a certificate now.
pub(crate) async fn is_due(tx: &mut Tx, entry_id: &str) -> Result<bool> {
    Ok(read(tx, entry_id).await?.is_some())
}

/// What an entry has to show for itself; none while its place is not settled.
async fn read(tx: &mut Tx, entry_id: &str) -> Result<Option<Certificate>> {
    let entry = contest::entry(tx, entry_id).await?;
    let discipline = contest::discipline(tx, &entry.discipline_id).await?;
    let event = event::queries::event(tx, &entry.event_id).await?;
    let all = places::of_discipline(tx, &discipline).await?;
    let placed = all.into_iter().find(|placed| placed.entry.id == entry.id);
    let placed = placed.filter(|placed| placed.has_certificate(&discipline));
    Ok(placed.map(|placed| Certificate {
        code: String::new(),
        event,
        discipline,
        placed,
        issued: Millis(0),
    }))
}

fn drawn(found: &Certificate, url: &str) -> Result<Vec<u8>> {
    const RED: [f64; 3] = [0.70, 0.15, 0.11];
    const INK: [f64; 3] = [0.11, 0.10, 0.09];
    const SOFT: [f64; 3] = [0.37, 0.34, 0.31];
    let walk = found.discipline.sport == Sport::Walk;
    let title = if walk { "完赛证书" } else { "获奖证书" };
    let mut page = Sheet::new();
    page.frame(28.0, 3.0, RED);
    page.frame(36.0, 0.75, RED);
    page.centred(HEIGHT - 132.0, 58.0, RED, title);
    page.centred(
        HEIGHT - 164.0,
        14.0,
        SOFT,
        if walk { "CERTIFICATE OF COMPLETION" } else { "CERTIFICATE OF AWARD" },
    );
    page.fill(WIDTH / 2.0 - 40.0, HEIGHT - 186.0, 80.0, 1.5, RED);
    page.centred(HEIGHT - 256.0, 44.0, INK, &found.placed.entry.name);
    if let Some(organisation) = &found.placed.entry.organisation {
        page.centred(HEIGHT - 288.0, 16.0, SOFT, organisation);
    }
    // A title that has marks of its own needs no more.
    let title_of = &found.event.title;
    let marked = title_of.contains(['「', '“', '《']);
    let event = if marked { title_of.clone() } else { format!("“{title_of}”") };
    let at = format!("在{event}{}项目中", found.discipline.name);
    page.centred(HEIGHT - 340.0, 19.0, INK, &at);
    let said = match &found.placed.time {
        Some(time) => format!("走完全程，净时间 {time}，第 {} 名", found.placed.place),
        None => match (found.placed.place, found.placed.shared) {
            (1, _) => "荣获冠军".to_owned(),
            (2, _) => "荣获亚军".to_owned(),
            (place, true) => format!("荣获并列第 {place} 名"),
            (place, false) => format!("荣获第 {place} 名"),
        },
    };
    page.centred(HEIGHT - 384.0, 29.0, RED, &said);
    let zone = crate::web::frame::zone(&found.event.time_zone);
    let day =
        admission::say::zoned(found.event.starts_ms, &zone).strftime("%Y年%-m月%-d日").to_string();
    page.text(80.0, 92.0, 15.0, INK, "王佐镇总工会");
    page.text(80.0, 68.0, 13.0, SOFT, &day);
    page.qr(WIDTH - 170.0, 66.0, 96.0, url)?;
    for (y, text) in [(92.0, "扫码核验"), (74.0, spaced(&found.code).as_str())] {
        page.until(WIDTH - 178.0, y, 11.0, SOFT, text);
    }
    Ok(page.finish(title))
}

/// A code in groups of four.
fn spaced(code: &str) -> String {
    let letters: Vec<char> = code.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[derive(Template)]
#[template(path = "contest/results/verify.html")]
struct VerifyPage {
    frame: Frame,
    code: String,
    found: Option<Certificate>,
    /// It was given out, and what it says does not stand any more.
    void: bool,
}

impl VerifyPage {
    fn name(&self, found: &Certificate) -> String {
        let entry = &found.placed.entry;
        if found.discipline.kind == Kind::Team {
            entry.name.clone()
        } else {
            name::masked(&entry.name)
        }
    }
}

/// `GET /certificates/{code}`: whether it was given out, and what stands now.
async fn verify(
    State(app): State<App>,
    Path(code): Path<String>,
    frame: Frame,
) -> Result<Response> {
    let code: String =
        code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    let mut tx = app.db.read().await?;
    let row: Option<(String, i64)> = fetch!(
        &mut tx,
        fetch_optional,
        "select entry_id, issued_ms from certificate where code = $1",
        &code
    )?;
    let known = row.is_some();
    let found = match row {
        Some((entry_id, issued)) => read(&mut tx, &entry_id)
            .await?
            .map(|found| Certificate { issued: Millis(issued), ..found }),
        None => None,
    };
    let (code, void) = (spaced(&code), known && found.is_none());
    page(&VerifyPage { frame, code, found, void })
}
