//! `/admin/events/{event}/goods`: what is handed out and where, what is left, and who had some.

use admission::time::MINUTE;
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Goods, Point,
    pages::{Place, places},
    queries::{self, Line, OrganisationCount},
    setup::{self, Entry, NewPoint},
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event},
    web::{
        Frame,
        access::Staff,
        form::{Typed, yuan},
        local_time, page,
    },
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/goods", get(show).post(start))
        .route("/admin/events/{event}/goods/points", post(add_point))
        .route("/admin/events/{event}/goods/{point}/stock", post(enter))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "goods/desk.html")]
struct DeskPage {
    frame: Frame,
    form: Typed,
    event: Event,
    tab: &'static str,
    goods: Option<Goods>,
    places: Vec<Place>,
    /// Handed out under another name than a point's.
    astray: Vec<(String, i64)>,
    organisations: Vec<OrganisationCount>,
    lines: Vec<Line>,
    twice: Vec<(String, i64)>,
    done: String,
}

impl DeskPage {
    async fn read(tx: &mut Tx, mut frame: Frame, id: &str, form: Typed) -> Result<Self> {
        frame.path = format!("/admin/events/{id}/goods");
        let event = event::queries::event(tx, id).await?;
        if !matches!(event.kind.as_str(), "voucher" | "activity") {
            return Err(Error::NotFound);
        }
        let zone = crate::web::frame::zone(&event.time_zone);
        let mut form = form;
        for (field, at) in [
            ("opens", frame.now),
            ("closes", event.starts_ms),
            ("from", event.starts_ms),
            ("to", event.ends_ms),
        ] {
            if form.value(field).is_empty() {
                form.add(field, local_time::write(at, &zone));
            }
        }
        Ok(Self {
            goods: queries::goods(tx, id).await?,
            places: places(tx, id).await?,
            astray: queries::astray(tx, id).await?,
            organisations: queries::by_organisation(tx, id).await?,
            lines: queries::lines(tx, id, 30).await?,
            twice: queries::twice(tx, id).await?,
            done: String::new(),
            tab: "goods",
            frame,
            form,
            event,
        })
    }

    fn unit(&self) -> &str {
        self.goods.as_ref().map_or("份", |goods| goods.unit.as_str())
    }

    fn brought(&self) -> i64 {
        self.places.iter().map(|place| place.stock.brought).sum()
    }

    fn handed(&self) -> i64 {
        let astray: i64 = self.astray.iter().map(|(_, units)| units).sum();
        self.places.iter().map(|place| place.stock.handed).sum::<i64>() + astray
    }

    fn left(&self) -> i64 {
        self.brought() - self.handed()
    }

    fn promised(&self) -> i64 {
        self.places.iter().map(|place| place.stock.promised).sum()
    }

    /// Where a point that is short could get some from.
    fn spare(&self, short: &Place) -> Option<(&str, i64)> {
        let others = self.places.iter().filter(|place| place.point.id != short.point.id);
        let most = others.max_by_key(|place| place.stock.free())?;
        (most.stock.free() > 0).then_some((most.point.name.as_str(), most.stock.free()))
    }

    /// What a line of the ledger is called.
    fn kind(&self, line: &Line) -> &'static str {
        match line.kind.as_str() {
            "delivery" => self.frame.t("到货", "Delivery"),
            "transfer" if line.units < 0 => self.frame.t("调出", "Sent on"),
            "transfer" => self.frame.t("调入", "Came from another"),
            _ => self.frame.t("更正", "Correction"),
        }
    }

    /// What all of it cost, as far as it was handed out and a price is recorded.
    fn cost(&self) -> Option<String> {
        let cents = self.goods.as_ref()?.unit_cents?;
        Some(yuan(cents * self.handed()))
    }
}

/// `GET /admin/events/{event}/goods`.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let mut form = Typed::default();
    if let Some(goods) = queries::goods(&mut tx, &id).await? {
        form.add("item", goods.item);
        form.add("unit", goods.unit);
        form.add("cents", goods.unit_cents.map(yuan).unwrap_or_default());
    }
    page(&DeskPage { done: asked.done, ..DeskPage::read(&mut tx, frame, &id, form).await? })
}

/// The page again with what was typed, and why it did not work.
async fn again(
    app: &App,
    frame: Frame,
    id: &str,
    mut form: Typed,
    error: Error,
) -> Result<Response> {
    let (Error::Invalid(refused) | Error::Refused(refused)) = error else { return Err(error) };
    let field = match refused.code {
        "ends_before_start" | "valid_to" | "valid_window" => "to",
        "closes_before_open" => "closes",
        code => code,
    };
    form.blame(field, refused.clone());
    form.blame("all", refused.clone());
    let mut tx = app.db.read().await?;
    let shown = DeskPage::read(&mut tx, frame, id, form).await?;
    Ok((refused.status, page(&shown)?).into_response())
}

fn fault(field: &'static str, zh: &str, en: &str) -> Error {
    Error::invalid(field, zh, en)
}

/// `POST /admin/events/{event}/goods`: says what is handed out.
async fn start(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let Some(cents) = form.cents("cents") else {
        let error = fault(
            "cents",
            "请填金额，例如 18.50，或留空。",
            "An amount such as 18.50, or nothing.",
        );
        return again(&app, frame, &id, form, error).await;
    };
    let text = |field: &str| form.value(field).replace('\0', "").trim().to_owned();
    let goods = Goods {
        item: text("item"),
        unit: text("unit"),
        unit_cents: Some(cents).filter(|_| !form.value("cents").trim().is_empty()),
        offer_id: None,
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    event::queries::event(&mut tx, &id).await?;
    if let Err(error) = setup::start(&mut tx, &id, &goods, now).await {
        tx.rollback().await?;
        return again(&app, frame, &id, form, error).await;
    }
    audit::record(&mut tx, &staff, "goods.set", &id, &goods.item, now).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/admin/events/{id}/goods?done=set")).into_response())
}

fn new_point(form: &Typed, event: &Event) -> Result<NewPoint> {
    let moment = |field: &'static str| {
        form.moment(field, &event.time_zone)
            .ok_or_else(|| fault(field, "请填日期和时间。", "Please give a date and a time."))
    };
    let number = |field: &'static str| {
        form.number(field).ok_or_else(|| fault(field, "请填数字。", "Please give a number."))
    };
    let text = |field: &str| form.value(field).replace('\0', "").trim().to_owned();
    let minutes = number("accept")?;
    if !(5..=7 * 24 * 60).contains(&minutes) {
        return Err(fault("accept", "请填 5 分钟到 7 天。", "From 5 minutes to 7 days."));
    }
    Ok(NewPoint {
        name: text("name"),
        place: text("place"),
        quota: number("quota")?,
        opens: moment("opens")?,
        closes: moment("closes")?,
        from: moment("from")?,
        to: moment("to")?,
        leftover: if text("leftover").is_empty() { None } else { Some(moment("leftover")?) },
        leftover_to: if form.has("leftover_to", "walk_in") { "walk_in" } else { "line" },
        accept_ms: minutes * MINUTE,
    })
}

/// `POST /admin/events/{event}/goods/points`: one more pick-up point.
async fn add_point(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    queries::goods(&mut tx, &id).await?.ok_or(Error::NotFound)?;
    let made = match new_point(&form, &event) {
        Ok(new) => setup::add_point(&mut tx, &event, &new, now).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(point) => {
            audit::record(&mut tx, &staff, "goods.point", &point, "", now).await?;
            tx.notify(&id).await?;
            tx.commit().await?;
        }
        Err(error) => {
            tx.rollback().await?;
            return again(&app, frame, &id, form, error).await;
        }
    }
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/admin/events/{id}/goods?done=point")).into_response())
}

/// `POST /admin/events/{event}/goods/{point}/stock`: something came, was found or lost, or went to another point.
async fn enter(
    State(app): State<App>,
    Path((id, point)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let (now, note) = (app.clock.now(), form.value("note").replace('\0', "").trim().to_owned());
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &id).await?;
    let point = queries::point(&mut tx, &id, &point).await?;
    let done = match entry(&mut tx, &point, &form).await {
        Ok(entry) => setup::enter(&mut tx, &point, &entry, &note, (&staff.id, now)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        tx.rollback().await?;
        return again(&app, frame, &id, form, error).await;
    }
    audit::record(&mut tx, &staff, "goods.stock", &point.id, form.value("units"), now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/admin/events/{id}/goods?done=stock")).into_response())
}

async fn entry(tx: &mut Tx, point: &Point, form: &Typed) -> Result<Entry> {
    let units = form.number("units").unwrap_or(0);
    match form.value("kind") {
        "transfer" => {
            let other = queries::point(tx, &point.event_id, form.value("to_point")).await;
            let other = other.ok().filter(|other| other.id != point.id);
            let missing = fault("to_point", "请选调到哪里。", "Please choose where it goes.");
            Ok(Entry::Transfer(units, other.ok_or(missing)?))
        }
        "correction" => Ok(Entry::Correction(units)),
        _ => Ok(Entry::Delivery(units)),
    }
}

impl Typed {
    /// The first sentence about anything that is wrong.
    fn wrong(&self) -> Option<&Refused> {
        self.fault("all")
    }
}
