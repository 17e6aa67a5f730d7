//! The organizer's page of an offer's parts: how many places each union may give.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    queries::{self, Part},
    rules,
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event, Offer},
    web::{Frame, access::Staff, form::Typed, page},
};

/// The organizer's routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/admin/events/{event}/offers/{offer}/allocation", get(show).post(save))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// `members`: propose parts in proportion to the numbers of members.
    #[serde(default)]
    by: String,
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "allocation/desk.html")]
struct DeskPage {
    frame: Frame,
    form: Typed,
    event: Event,
    offer: Offer,
    parts: Vec<Part>,
    /// The form holds a proposal that is not saved.
    proposed: bool,
    saved: bool,
    tab: &'static str,
}

impl DeskPage {
    async fn read(tx: &mut Tx, mut frame: Frame, (event, offer): (&str, &str)) -> Result<Self> {
        frame.path = format!("/admin/events/{event}/offers/{offer}/allocation");
        let event = event::queries::event(tx, event).await?;
        let offer = event::queries::offer(tx, offer).await?;
        if offer.event_id != event.id || offer.mode != "allocation" {
            return Err(Error::NotFound);
        }
        let parts = queries::parts(tx, &offer).await?;
        let mut form = Typed::default();
        for part in &parts {
            form.add(&part.field(), part.places.to_string());
        }
        let (proposed, saved, tab) = (false, false, "edit");
        Ok(Self { frame, form, event, offer, parts, proposed, saved, tab })
    }

    /// Parts in proportion to the members, though none below what was given.
    fn propose(&mut self) {
        let counts: Vec<i64> = self.parts.iter().map(|part| part.members).collect();
        let shares = rules::proportional(self.offer.quota, &counts);
        self.form = Typed::default();
        for (part, share) in self.parts.iter().zip(shares) {
            self.form.add(&part.field(), share.max(part.taken).to_string());
        }
        self.proposed = true;
    }

    /// The sum of what stands in the form.
    fn sum(&self) -> i64 {
        self.parts.iter().filter_map(|part| self.form.number(&part.field())).sum()
    }
}

impl Part {
    /// The name of its field in the form.
    fn field(&self) -> String {
        format!("places-{}", self.union_id)
    }
}

/// `GET /admin/events/{event}/offers/{offer}/allocation?by=members`.
async fn show(
    State(app): State<App>,
    Path((event, offer)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let mut desk = DeskPage::read(&mut tx, frame, (&event, &offer)).await?;
    if asked.by == "members" {
        desk.propose();
    }
    desk.saved = asked.done == "saved";
    page(&desk)
}

/// `POST /admin/events/{event}/offers/{offer}/allocation`: saves all parts at once, or none.
async fn save(
    State(app): State<App>,
    Path((event, offer)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &event).await?;
    let mut desk = DeskPage::read(&mut tx, frame, (&event, &offer)).await?;
    desk.form = form;
    write(&mut tx, &mut desk).await?;
    if !desk.form.is_sound() {
        tx.rollback().await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&desk)?).into_response());
    }
    let note = format!("{} places", desk.sum());
    audit::record(&mut tx, &staff, "allocation.set", &offer, &note, now).await?;
    tx.notify(&event).await?;
    tx.commit().await?;
    app.live.changed(&event);
    let address = format!("/admin/events/{event}/offers/{offer}/allocation?done=saved");
    Ok(Redirect::to(&address).into_response())
}

async fn write(tx: &mut Tx, desk: &mut DeskPage) -> Result<()> {
    let mut sum = 0;
    for part in desk.parts.clone() {
        let field = part.field();
        let typed = desk.form.value(&field).trim().to_owned();
        let places = if typed.is_empty() { Some(0) } else { desk.form.number(&field) };
        let Some(places) = places.filter(|places| (0..=1_000_000).contains(places)) else {
            desk.form
                .blame(&field, fault("请填 0 或更大的数。", "Please give a number from 0 on."));
            continue;
        };
        sum += places;
        if (places > 0 || part.places > 0)
            && !queries::set_places(tx, &desk.offer, &part.union_id, places).await?
        {
            let taken = part.taken;
            let refused = fault(
                &format!("已指定 {taken} 个，不能少于它。"),
                &format!("{taken} are given; it cannot be less."),
            );
            desk.form.blame(&field, refused);
        }
    }
    let quota = desk.offer.quota;
    if sum > quota {
        let refused = fault(
            &format!("合计 {sum} 个，比名额 {quota} 个多。"),
            &format!("That is {sum} in all; the offer has {quota}."),
        );
        desk.form.blame("sum", refused);
    }
    Ok(())
}

fn fault(zh: &str, en: &str) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "places", zh, en)
}
