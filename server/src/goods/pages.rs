//! `/events/{event}/goods`: where and when a member collects what, and where there is some left.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use super::{
    Goods, Point,
    queries::{self, Collector},
    stock::Stock,
};
use crate::{
    App,
    error::{Error, Result},
    event::{self, Event, Offer},
    web::{Frame, access::Caller, page},
};

/// The HTML route.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/events/{event}/goods", get(show))
}

/// A point with what is booked and what is there.
pub(super) struct Place {
    pub(super) point: Point,
    pub(super) offer: Offer,
    pub(super) stock: Stock,
}

/// Every point of an event.
pub(super) async fn places(tx: &mut crate::db::Tx, event_id: &str) -> Result<Vec<Place>> {
    let stocks = queries::stocks(tx, event_id, None).await?;
    let mut places = Vec::new();
    for (point, stock) in queries::points(tx, event_id).await?.into_iter().zip(stocks) {
        let offer = event::queries::offer(tx, &point.offer_id).await?;
        places.push(Place { point, offer, stock });
    }
    Ok(places)
}

#[derive(Template)]
#[template(path = "goods/show.html")]
struct ShowPage {
    frame: Frame,
    event: Event,
    goods: Goods,
    places: Vec<Place>,
    /// What the reader may collect, or did.
    mine: Vec<Collector>,
}

impl Collector {
    /// When they had theirs.
    pub(super) fn had(&self) -> Option<Millis> {
        self.had_ms.map(Millis)
    }
}

impl ShowPage {
    /// Whether the reader has none, and may still book one somewhere.
    fn may_book(&self) -> bool {
        let now = self.frame.now;
        let open = |place: &Place| place.offer.opens_ms <= now && now < place.offer.closes_ms;
        self.event.status == "published" && self.mine.is_empty() && self.places.iter().any(open)
    }

    /// How a point stands for those who have booked nothing: the look of its badge, and its words.
    fn standing(&self, place: &Place) -> (&'static str, String) {
        let frame = &self.frame;
        let over = frame.now >= place.offer.valid_to_ms;
        let free = place.stock.free().min(place.offer.left()).max(0);
        if over {
            ("mute", frame.t("已结束", "Over").to_owned())
        } else if frame.now < place.offer.valid_from_ms {
            let left = place.offer.left();
            ("info", frame.say(format!("可报 {left} 份"), format!("{left} to be booked")))
        } else if free > 0 && frame.now >= place.offer.closes_ms {
            ("ok", frame.say(format!("到场可领 {free} 份"), format!("{free} for whoever comes")))
        } else if free > 0 {
            ("ok", frame.say(format!("还有 {free} 份没人报"), format!("{free} free")))
        } else {
            ("warn", frame.t("都有人报了", "None free").to_owned())
        }
    }
}

/// `GET /events/{event}/goods`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    let goods = queries::goods(&mut tx, &id).await?.ok_or(Error::NotFound)?;
    let places = places(&mut tx, &id).await?;
    let mine = match &frame.caller {
        Caller::Person(person) => queries::of_person(&mut tx, &id, &person.id).await?,
        _ => Vec::new(),
    };
    page(&ShowPage { frame, event, goods, places, mine })
}
