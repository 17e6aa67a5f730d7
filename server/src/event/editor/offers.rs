//! An event's offers: new, and changed.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
};

use super::{Done, draft, events::refused};
use crate::{
    App, audit,
    db::Tx,
    draw,
    error::{Error, Result},
    event::{Event, Offer, queries},
    web::{Frame, access::Staff, form::Typed, page},
};

#[derive(Template)]
#[template(path = "event/editor/offer.html")]
struct OfferPage {
    frame: Frame,
    form: Typed,
    event: Event,
    /// None for a new one.
    offer: Option<Offer>,
    unions: Vec<Union>,
    done: Done,
    tab: &'static str,
}

/// A union whose members may be let book.
struct Union {
    id: String,
    name: String,
    chosen: bool,
    /// Places set aside for it in a draw, as they were typed.
    floor: String,
}

impl Union {
    /// The name of the field of those places.
    fn floor_field(&self) -> String {
        draft::floor_field(&self.id)
    }
}

impl OfferPage {
    async fn read(
        tx: &mut Tx,
        frame: Frame,
        event: Event,
        offer: Option<Offer>,
        form: Typed,
    ) -> Result<Self> {
        let unions = queries::unions(tx).await?;
        let mut unions: Vec<Union> = unions
            .into_iter()
            .map(|(id, name)| Union {
                chosen: form.has("unions", &id),
                floor: form.value(&draft::floor_field(&id)).to_owned(),
                id,
                name,
            })
            .collect();
        // What is chosen is seen without looking for it.
        unions.sort_by_key(|union| !union.chosen && union.floor.is_empty());
        Ok(Self { frame, form, event, offer, unions, done: Done::default(), tab: "edit" })
    }

    /// How far the quota can go down.
    fn quota_hint(&self) -> String {
        match &self.offer {
            Some(Offer { taken: taken @ 1.., .. }) => self.frame.say(
                format!("已报 {taken} 个，不能少于它。"),
                format!("{taken} are booked; it cannot be less."),
            ),
            _ => String::new(),
        }
    }
}

/// `GET /admin/events/{event}/offers/new`.
pub(super) async fn new(
    State(app): State<App>,
    Path(event): Path<String>,
    Query(done): Query<Done>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = queries::event(&mut tx, &event).await?;
    let form = draft::blank_offer(&event, frame.now);
    page(&OfferPage { done, ..OfferPage::read(&mut tx, frame, event, None, form).await? })
}

/// `POST /admin/events/{event}/offers`.
pub(super) async fn create(
    State(app): State<App>,
    Path(event): Path<String>,
    staff: Staff,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    frame.path = format!("/admin/events/{event}/offers/new");
    let mut tx = app.db.read().await?;
    let event = queries::event(&mut tx, &event).await?;
    let Some(draft) = draft::offer(&mut form, &event, None) else {
        return Ok(refused(page(&OfferPage::read(&mut tx, frame, event, None, form).await?)?));
    };
    drop(tx);
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let id = queries::add_offer(&mut tx, &event.id, &draft, now).await?;
    draw::commit(&mut tx, &app.keys, &event.id, now).await?;
    audit::record(&mut tx, &staff, "offer.create", &id, "", now).await?;
    saved(&app, tx, &event).await
}

/// `GET /admin/events/{event}/offers/{offer}`.
pub(super) async fn edit(
    State(app): State<App>,
    Path((event, offer)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (event, offer) = read(&mut tx, &event, &offer).await?;
    let unions = queries::offer_unions(&mut tx, &offer.id).await?;
    let floors = draw::queries::floor_ids(&mut tx, &offer.id).await?;
    let form = draft::form_of_offer(&event, &offer, &unions, &floors);
    page(&OfferPage::read(&mut tx, frame, event, Some(offer), form).await?)
}

/// `POST /admin/events/{event}/offers/{offer}`.
pub(super) async fn change(
    State(app): State<App>,
    Path((event, offer)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (event, offer) = read(&mut tx, &event, &offer).await?;
    if let Some(draft) = draft::offer(&mut form, &event, Some(&offer)) {
        let now = app.clock.now();
        let mut tx = app.db.write().await?;
        queries::hold(&mut tx, &event.id).await?;
        match queries::update_offer(&mut tx, &offer.id, &draft).await {
            Ok(()) => {
                // A raised quota goes to those in line first.
                draw::commit(&mut tx, &app.keys, &event.id, now).await?;
                let offer = queries::offer(&mut tx, &offer.id).await?;
                crate::booking::line::advance(&mut tx, &app, &offer, now).await?;
                audit::record(&mut tx, &staff, "offer.change", &offer.id, "", now).await?;
                return saved(&app, tx, &event).await;
            }
            // Fewer places than are booked: only the database knows.
            Err(Error::Invalid(fault)) => draft::blame(&mut form, vec![fault]),
            Err(error) => return Err(error),
        }
        tx.rollback().await?;
    }
    Ok(refused(page(&OfferPage::read(&mut tx, frame, event, Some(offer), form).await?)?))
}

async fn read(tx: &mut Tx, event: &str, offer: &str) -> Result<(Event, Offer)> {
    let event = queries::event(tx, event).await?;
    let offer = queries::offer(tx, offer).await?;
    if offer.event_id == event.id { Ok((event, offer)) } else { Err(Error::NotFound) }
}

async fn saved(app: &App, mut tx: Tx, event: &Event) -> Result<Response> {
    tx.notify(&event.id).await?;
    tx.commit().await?;
    app.live.changed(&event.id);
    app.outbox_wakes.notify_one();
    Ok(Redirect::to(&format!("/admin/events/{}/edit?done=offer", event.id)).into_response())
}
