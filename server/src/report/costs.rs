//! `/admin/events/{event}/costs`: what an event cost, written down by organizers, line by line.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::figures;
use crate::{
    App, audit,
    db::{Tx, new_id},
    error::{Error, Result},
    event::Event,
    execute, fetch,
    web::{
        Frame,
        access::Staff,
        form::{Typed, yuan},
        page,
    },
};

/// A line of more is a slip of the finger.
const CENTS_MAX: i64 = 1_000_000_000;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/admin/events/{event}/costs", get(show).post(add))
}

/// A line.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Cost {
    cents: i64,
    what: String,
    staff: String,
    #[sqlx(try_from = "i64")]
    at_ms: Millis,
}

impl Cost {
    fn yuan(&self) -> String {
        yuan(self.cents)
    }
}

#[derive(Template)]
#[template(path = "report/costs.html")]
struct CostsPage {
    frame: Frame,
    form: Typed,
    event: Event,
    tab: &'static str,
    costs: Vec<Cost>,
}

impl CostsPage {
    async fn read(tx: &mut Tx, mut frame: Frame, id: &str, form: Typed) -> Result<Self> {
        frame.path = format!("/admin/events/{id}/costs");
        let costs = fetch!(
            tx,
            fetch_all,
            "select c.cents, c.what, f.name as staff, c.at_ms from cost c join staff f on f.id = c.staff_id
             where c.event_id = $1 order by c.at_ms, c.id",
            id,
        )?;
        Ok(Self { event: figures::event(tx, id).await?, tab: "costs", frame, form, costs })
    }

    fn sum(&self) -> String {
        yuan(self.costs.iter().map(|cost| cost.cents).sum::<i64>())
    }
}

/// `GET /admin/events/{event}/costs`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    page(&CostsPage::read(&mut tx, frame, &id, Typed::default()).await?)
}

/// `POST /admin/events/{event}/costs`: one more line; taken back by one below nought.
async fn add(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let what = form.value("what").replace('\0', "").trim().to_owned();
    let cents = form.cents("yuan").filter(|cents| (1..=CENTS_MAX).contains(cents));
    if cents.is_none() {
        let error = Error::invalid(
            "yuan",
            "请填金额，例如 360 或 89.50。",
            "An amount such as 360 or 89.50.",
        );
        form.blame("yuan", error.problem().refused);
    }
    if !(1..=60).contains(&what.chars().count()) {
        let error = Error::invalid(
            "what",
            "请写用在什么上，最多 60 个字。",
            "What for, in at most 60 characters.",
        );
        form.blame("what", error.problem().refused);
    }
    let (Some(cents), true) = (cents, form.is_sound()) else {
        let mut tx = app.db.read().await?;
        let again = CostsPage::read(&mut tx, frame, &id, form).await?;
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response());
    };
    let cents = if form.has("act", "less") { -cents } else { cents };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    figures::event(&mut tx, &id).await?;
    insert(&mut tx, &id, (cents, &what), &staff.id, now).await?;
    audit::record(&mut tx, &staff, "event.cost", &id, &cents.to_string(), now).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/admin/events/{id}/costs")).into_response())
}

async fn insert(
    tx: &mut Tx,
    event_id: &str,
    (cents, what): (i64, &str),
    staff_id: &str,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into cost (id, event_id, cents, what, staff_id, at_ms) values ($1, $2, $3, $4, $5, $6)",
        new_id(now),
        event_id,
        cents,
        what,
        staff_id,
        now.0,
    )?;
    Ok(())
}

/// Writes a line in the name of the organizer who was there first: for the demo world.
pub(crate) async fn write(
    tx: &mut Tx,
    event_id: &str,
    line: (i64, &str),
    now: Millis,
) -> anyhow::Result<()> {
    let (staff_id,): (String,) =
        fetch!(tx, fetch_one, "select id from staff where role = 'organizer' order by id limit 1")?;
    Ok(insert(tx, event_id, line, &staff_id, now).await?)
}
