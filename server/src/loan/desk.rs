//! `/admin/books`: the desk on a phone: the member's card or ticket, then the copy's barcode; what comes back; what is
//! late; the catalogue.

use admission::{card::CardNumber, ticket};
use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Multipart, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    catalogue::{self, Remark},
    queries::{self, Loan, Rule},
    rules::{self, ZONE},
};
use crate::{
    App, audit, booking,
    db::Tx,
    error::{Error, Refused, Result},
    kiosk,
    people::import::sheet::Limits,
    web::{
        Frame,
        access::{Person, Staff},
        form::Typed,
        page,
    },
};

/// A catalogue is small.
const BYTES: usize = 4 << 20;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/books", get(show).post(act))
        .route("/admin/books/rule", post(set_rule))
        .route("/admin/books/import", post(import))
        .layer(DefaultBodyLimit::max(BYTES + (64 << 10)))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// What was done: `returned`, `lost`, `found`, `set`.
    #[serde(default)]
    done: String,
}

/// Who stands at the desk.
struct Reader {
    person: Person,
    organisation: Option<String>,
    loans: Vec<Loan>,
    objection: Option<Refused>,
}

#[derive(Template)]
#[template(path = "loan/desk.html")]
struct DeskPage {
    frame: Frame,
    rule: Rule,
    counts: (i64, i64, i64),
    late: Vec<Loan>,
    reader: Option<Reader>,
    /// A loan that was just made.
    lent: Option<Loan>,
    done: String,
    looked: bool,
    refusal: Option<Refused>,
    imported: Option<usize>,
    remarks: Vec<Remark>,
}

impl DeskPage {
    async fn read(tx: &mut Tx, mut frame: Frame) -> Result<Self> {
        frame.path = "/admin/books".to_owned();
        Ok(Self {
            rule: queries::rule(tx).await?,
            counts: queries::counts(tx).await?,
            late: queries::due_before(tx, frame.now).await?,
            reader: None,
            lent: None,
            done: String::new(),
            looked: false,
            refusal: None,
            imported: None,
            remarks: Vec::new(),
            frame,
        })
    }

    async fn seen(&mut self, tx: &mut Tx, person_id: &str) -> Result<()> {
        if let Some((person, organisation)) = booking::walk_in::person(tx, person_id).await? {
            let loans = queries::open_of(tx, person_id).await?;
            let objection = rules::objection(tx, person_id, self.rule, self.frame.now).await?;
            self.reader = Some(Reader { person, organisation, loans, objection });
        }
        Ok(())
    }
}

impl Loan {
    /// Days since it was due; none while it is not.
    pub(super) fn days_late(&self, frame: &Frame) -> i64 {
        (frame.now.since(self.due_ms) / admission::time::DAY + 1).max(0)
    }

    pub(super) fn is_late(&self, frame: &Frame) -> bool {
        self.due_ms < frame.now
    }

    /// The day on which it is due: 4月2日.
    pub(super) fn due(&self) -> String {
        rules::day(self.due_ms)
    }

    /// The moment until which the day lasts, in full.
    pub(super) fn due_in_full(&self, frame: &Frame) -> String {
        frame.at(&self.due_ms, ZONE)
    }
}

/// The person whose card, ticket or phone was scanned or typed. The text itself is kept nowhere.
async fn person(app: &App, tx: &mut Tx, said: &str) -> Result<Option<String>> {
    let said = said.trim();
    if let Some(card) = CardNumber::read(said).filter(|card| card.has_bin(&app.card_bins)) {
        let fingerprint = card.fingerprint(&app.keys.card);
        return kiosk::queries::person_of_card(tx, &fingerprint.0).await;
    }
    let plain: String =
        said.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    if ticket::looks_like_code(&plain) {
        let Ok(fact) = ticket::verify(&plain, &app.keys.trusted()) else { return Ok(None) };
        return match booking::queries::ticket(tx, &fact.id.to_string()).await {
            Ok(ticket) => Ok(ticket.person_id),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        };
    }
    let digits: String = said.chars().filter(char::is_ascii_digit).collect();
    let mut people = match digits.len() {
        11 => booking::walk_in::members_of_phone(tx, &digits).await?,
        _ => Vec::new(),
    };
    // A phone that two share says nothing about which of them it is.
    Ok(people.pop().filter(|_| people.is_empty()))
}

/// `GET /admin/books`.
async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    page(&DeskPage { done: asked.done, ..DeskPage::read(&mut tx, frame).await? })
}

/// `POST /admin/books`: looks a reader up, lends, takes back, notes a copy as lost or found.
async fn act(State(app): State<App>, staff: Staff, frame: Frame, form: Typed) -> Result<Response> {
    let (now, what) = (app.clock.now(), form.value("act").to_owned());
    let code = catalogue::barcode(form.value("barcode"));
    let reader = form.value("person").replace('\0', "");
    let (mut lent, mut done) = (None, String::new());
    let mut refusal = None;
    if what != "look" {
        let mut tx = app.db.write().await?;
        let outcome = match what.as_str() {
            "lend" => rules::lend(&mut tx, (&code, &reader), &staff.id, now)
                .await?
                .map(|loan| lent = Some(loan)),
            "return" => rules::take_back(&mut tx, &code, now).await?.map(drop),
            "lost" => rules::lose(&mut tx, &code, now).await?,
            "found" => rules::find(&mut tx, &code, now).await?,
            _ => return Err(Error::NotFound),
        };
        match outcome {
            Ok(()) => {
                audit::record(&mut tx, &staff, &format!("book.{what}"), &code, "", now).await?;
                tx.commit().await?;
                app.outbox_wakes.notify_one();
                done = what.clone();
            }
            Err(refused) => {
                tx.rollback().await?;
                refusal = Some(refused);
            }
        }
        if what != "lend" && refusal.is_none() {
            return Ok(Redirect::to(&format!("/admin/books?done={done}")).into_response());
        }
    }
    let mut tx = app.db.read().await?;
    let mut shown = DeskPage::read(&mut tx, frame).await?;
    let id = match what.as_str() {
        "look" => person(&app, &mut tx, form.value("card")).await?,
        "lend" => Some(reader),
        _ => None,
    };
    if let Some(id) = id {
        shown.seen(&mut tx, &id).await?;
    }
    let status = refusal.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let shown = DeskPage { lent, done, refusal, looked: what == "look", ..shown };
    Ok((status, page(&shown)?).into_response())
}

/// `POST /admin/books/rule`: for how long, how many, and what being late means.
async fn set_rule(State(app): State<App>, staff: Staff, form: Typed) -> Result<Response> {
    let number = |field: &str, from: i64, to: i64| {
        form.number(field).filter(|number| (from..=to).contains(number)).ok_or_else(|| {
            Error::invalid(
                "rule",
                format!("请填 {from} 到 {to} 之间的数。"),
                format!("Please give a number from {from} to {to}."),
            )
        })
    };
    let rule = Rule {
        weeks: number("weeks", 1, 26)?,
        most: number("most", 1, 20)?,
        bar_days: number("bar_days", 0, 365)?,
        hold_days: number("hold_days", 1, 30)?,
    };
    let mut tx = app.db.write().await?;
    queries::set_rule(&mut tx, rule).await?;
    audit::record(&mut tx, &staff, "book.rule", "loan_rule", "", app.clock.now()).await?;
    tx.commit().await?;
    Ok(Redirect::to("/admin/books?done=set").into_response())
}

/// `POST /admin/books/import`: titles and copies from .xlsx or .csv.
async fn import(
    State(app): State<App>,
    staff: Staff,
    frame: Frame,
    mut upload: Multipart,
) -> Result<Response> {
    let unreadable = || {
        Error::invalid(
            "file",
            "文件没有传完整，请再选一次。",
            "The file did not arrive whole. Please choose it again.",
        )
    };
    let mut bytes = Vec::new();
    while let Some(field) = upload.next_field().await.map_err(|_| unreadable())? {
        if field.name() == Some("file") {
            bytes = field.bytes().await.map_err(|_| unreadable())?.to_vec();
        }
    }
    let limits = Limits { bytes: BYTES, unpacked: 64 << 20, rows: 20_000, ..Limits::default() };
    let list = tokio::task::spawn_blocking(move || catalogue::read(&bytes, &limits))
        .await
        .map_err(anyhow::Error::from)?;
    let (books, remarks) = match list {
        Ok(list) => list,
        Err(error) => return Err(Error::invalid("file", error.to_string(), error.to_string())),
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let added = catalogue::add(&mut tx, &books, now).await?;
    audit::record(&mut tx, &staff, "book.import", "book", &added.to_string(), now).await?;
    tx.commit().await?;
    let mut tx = app.db.read().await?;
    let shown = DeskPage::read(&mut tx, frame).await?;
    page(&DeskPage { imported: Some(added), remarks, ..shown })
}
