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
    voucher::{self, Venue, batch::Shares},
    web::{
        Frame,
        access::Staff,
        form::{Typed, yuan},
        page,
    },
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
    /// Where vouchers may be good; of no account for other events.
    venues: Vec<Venue>,
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
        let venues = if event.kind == "voucher" { voucher::venues(tx).await? } else { Vec::new() };
        Ok(Self { frame, form, event, offer, unions, venues, done: Done::default(), tab: "edit" })
    }

    /// Whether it is a batch of vouchers already: its venue can be another, but not none.
    fn is_batch(&self) -> bool {
        self.offer.as_ref().is_some_and(|offer| offer.venue_id.is_some())
    }

    /// The days of the week, for boxes to tick: all are ticked where none was chosen yet.
    fn weekdays(&self) -> Vec<(u8, String, bool)> {
        let all = self.form.values("weekday").next().is_none();
        let day = |day: u8| {
            let name = admission::say::weekdays(1 << (day - 1), self.frame.lang);
            (day, name, all || self.form.has("weekday", &day.to_string()))
        };
        (1..=7).map(day).collect()
    }

    /// Who bears the price of a voucher, once it is known.
    fn shares(&self) -> Option<String> {
        let offer = self.offer.as_ref().filter(|offer| offer.venue_id.is_some())?;
        let cents =
            |field| (self.form.value(field).parse::<f64>().unwrap_or(0.0) * 100.0).round() as i64;
        let shares =
            Shares::of(cents("face"), cents("price"), offer.contribution_cents, offer.uses);
        let (member, union, venue) =
            (yuan(shares.member_cents), yuan(shares.union_cents), yuan(shares.venue_cents));
        Some(self.frame.say(
            format!("每张券：会员 {member} 元，工会 {union} 元，场馆让利 {venue} 元。"),
            format!(
                "Of each voucher: member {member}, union {union}, venue lets off {venue} yuan."
            ),
        ))
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
    let id = match queries::add_offer(&mut tx, &event.id, &draft, now).await {
        Ok(id) => id,
        Err(Error::Invalid(fault)) => {
            tx.rollback().await?;
            draft::blame(&mut form, vec![fault]);
            let mut tx = app.db.read().await?;
            return Ok(refused(page(&OfferPage::read(&mut tx, frame, event, None, form).await?)?));
        }
        Err(error) => return Err(error),
    };
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
    let mut form = draft::form_of_offer(&event, &offer, &unions, &floors);
    if let Some(batch) = voucher::batch::of_offer(&mut tx, &offer.id).await? {
        let days = offer.terms().days;
        draft::add_batch(&mut form, &voucher::BatchDraft::of(&batch, days.as_ref()));
    }
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

/// An offer of an event that organizers may change: what comes with entries follows them.
async fn read(tx: &mut Tx, event: &str, offer: &str) -> Result<(Event, Offer)> {
    let event = queries::event(tx, event).await?;
    let offer = queries::offer(tx, offer).await?;
    let theirs = offer.event_id == event.id && !offer.is_given();
    if theirs { Ok((event, offer)) } else { Err(Error::NotFound) }
}

async fn saved(app: &App, mut tx: Tx, event: &Event) -> Result<Response> {
    tx.notify(&event.id).await?;
    tx.commit().await?;
    app.live.changed(&event.id);
    app.outbox_wakes.notify_one();
    Ok(Redirect::to(&format!("/admin/events/{}/edit?done=offer", event.id)).into_response())
}
