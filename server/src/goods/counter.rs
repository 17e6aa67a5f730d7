//! `/admin/events/{event}/goods/{point}`: a staff member's phone at a pick-up point: scan or type, a big button.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    Goods,
    hand_out::{self, Found},
    pages::{Place, places},
    queries::{self, Collector},
    stock::{Answer, answer},
};
use crate::{
    App,
    error::{Error, Refused, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/admin/events/{event}/goods/{point}", get(show).post(act))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// The ticket that something was handed out on just now.
    #[serde(default)]
    given: String,
}

#[derive(Template)]
#[template(path = "goods/counter.html")]
struct CounterPage {
    frame: Frame,
    event: Event,
    goods: Goods,
    here: Place,
    others: Vec<Place>,
    last: Vec<Collector>,
    given: Option<Collector>,
    /// Whether somebody was looked for.
    looked: bool,
    found: Found,
    refusal: Option<Refused>,
}

impl CounterPage {
    async fn read(app: &App, mut frame: Frame, (id, point): (&str, &str)) -> Result<Self> {
        frame.path = format!("/admin/events/{id}/goods/{point}");
        let mut tx = app.db.read().await?;
        let event = event::queries::event(&mut tx, id).await?;
        let goods = queries::goods(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let mut others = places(&mut tx, id).await?;
        let at = others.iter().position(|place| place.point.id == point).ok_or(Error::NotFound)?;
        let here = others.remove(at);
        let last = queries::last_at(&mut tx, id, &here.point.name).await?;
        let (given, looked, found, refusal) = (None, false, Found::default(), None);
        Ok(Self { frame, event, goods, here, others, last, given, looked, found, refusal })
    }

    /// What this counter would say, in words, when it would not hand out.
    fn objection(&self, found: &Collector) -> Option<String> {
        let frame = &self.frame;
        if let Some(at) = found.had() {
            let at = frame.at(&at, &self.event.time_zone);
            let place = found.had_at.as_deref().unwrap_or_default();
            return Some(
                frame.say(format!("已经领过：{at}，{place}"), format!("Had it {at} at {place}")),
            );
        }
        if found.state == "cancelled" {
            return Some(frame.t("已取消", "Cancelled").to_owned());
        }
        let stocks: Vec<_> = std::iter::once(&self.here)
            .chain(&self.others)
            .map(|place| place.stock.clone())
            .collect();
        let home = found.point.as_ref().and_then(|name| stocks.iter().find(|s| s.name == *name));
        let home = home.map(|stock| stock.point_id.as_str());
        match answer(&stocks, &self.here.point.id, home, found.units) {
            Answer::Give => None,
            Answer::Elsewhere => {
                let name = found.point.as_deref().unwrap_or_default();
                Some(frame.say(
                    format!("请到「{name}」领，这里的都有人报了。"),
                    format!("To be collected at {name}; what is here is promised to others."),
                ))
            }
            Answer::Short(Some(name)) => Some(frame.say(
                format!("这里不够了，「{name}」还有。"),
                format!("Not enough here; {name} has some."),
            )),
            Answer::Short(None) => Some(
                frame
                    .t(
                        "这里不够了，别处也没有多余的。",
                        "Not enough here, and no point has any to spare.",
                    )
                    .to_owned(),
            ),
        }
    }

    /// Of what is left here, what may go to somebody who booked nothing.
    fn free(&self) -> i64 {
        if self.here.offer.waiting > 0 {
            return 0;
        }
        self.here.stock.free().min(self.here.offer.left()).max(0)
    }
}

/// `GET /admin/events/{event}/goods/{point}`.
async fn show(
    State(app): State<App>,
    Path((id, point)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut shown = CounterPage::read(&app, frame, (&id, &point)).await?;
    if !asked.given.is_empty() {
        let mut tx = app.db.read().await?;
        shown.given = queries::collector(&mut tx, &id, &asked.given).await.ok();
    }
    page(&shown)
}

/// `POST /admin/events/{event}/goods/{point}`: looks somebody up (what was scanned never stands in an address), hands
/// out on a ticket, or gives one to a member who has none.
async fn act(
    State(app): State<App>,
    Path((id, point_id)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let point = queries::point(&mut tx, &id, &point_id).await?;
    let (said, note) = (form.value("card").replace('\0', ""), form.value("note").replace('\0', ""));
    let ticket = form.value("ticket").to_owned();
    let done = match form.value("act") {
        "give" => Some(hand_out::give(&app, &staff, &point, &ticket, &note).await.map(|()| ticket)),
        "walk_in" => {
            let person = form.value("person").to_owned();
            Some(hand_out::walk_in(&app, &staff, &point, &person, &note).await)
        }
        _ => None,
    };
    let refusal = match done {
        Some(Ok(ticket)) => {
            let address = format!("/admin/events/{id}/goods/{point_id}?given={ticket}");
            return Ok(Redirect::to(&address).into_response());
        }
        Some(Err(Error::Refused(refused) | Error::Invalid(refused))) => Some(refused),
        Some(Err(error)) => return Err(error),
        None => None,
    };
    let looked = refusal.is_none();
    let found =
        if looked { hand_out::find(&app, &mut tx, &id, &said).await? } else { Found::default() };
    drop(tx);
    let shown = CounterPage::read(&app, frame, (&id, &point_id)).await?;
    let status = refusal.as_ref().map_or(axum::http::StatusCode::OK, |refused| refused.status);
    Ok((status, page(&CounterPage { looked, found, refusal, ..shown })?).into_response())
}
