//! How the kiosk is, as its screen tells it between two scans.

use admission::{
    Verdict,
    decide::StationKind,
    say::{self, Lang, Words},
    scan::Trust,
    time::Millis,
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::{door::Door, mesh::Neighbour, shown::Closed};

/// How the kiosk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What it can do.
    pub phase: Phase,
    /// What it serves.
    pub place: Option<Place>,
    /// When it opens, or closed, in both languages: before and after the hours of what is served.
    pub hours: Option<Hours>,
    /// Whether the server answered last.
    pub online: bool,
    /// On what knowledge the next verdict would rest.
    pub trust: Both,
    /// Whether cards can be read.
    pub cards: bool,
    /// Scans that the server does not have yet.
    pub waiting: u64,
    /// What staff must see to.
    pub trouble: Option<Trouble>,
    /// The machine was without power, and nobody has confirmed its clock since.
    pub clock_unsure: bool,
    /// The event's other kiosks.
    pub neighbours: Vec<Neighbour>,
    /// How far the true time is ahead of this kiosk's clock.
    #[serde(skip)]
    pub skew_ms: i64,
}

/// Where the doorkeeper publishes how the kiosk is.
///
/// It is read as a copy only. Whoever held on to the channel's own value and looked a second time would wait behind a
/// doorkeeper that is about to change it and waits for the first look to end: the whole kiosk would stand still.
#[derive(Clone, Debug)]
pub struct Board(watch::Receiver<Status>);

impl Board {
    /// A board that says `status`, and what changes it.
    #[must_use]
    pub fn new(status: Status) -> (watch::Sender<Status>, Self) {
        let (sender, receiver) = watch::channel(status);
        (sender, Self(receiver))
    }

    /// How the kiosk is now.
    #[must_use]
    pub fn now(&self) -> Status {
        self.0.borrow().clone()
    }

    /// Waits until `is` holds. None when the doorkeeper has left before that.
    pub async fn when(&self, is: impl FnMut(&Status) -> bool) -> Option<Status> {
        self.0.clone().wait_for(is).await.ok().map(|status| status.clone())
    }

    /// How the kiosk is now, and each time that changes.
    #[must_use]
    pub fn stream(&self) -> WatchStream<Status> {
        WatchStream::new(self.0.clone())
    }
}

/// What a kiosk can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is fetching what it serves.
    Starting,
    /// It decides.
    Ready,
    /// Its journal cannot be written.
    OutOfOrder,
    /// The organizer revoked it.
    Locked,
}

/// What a kiosk serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The event's title.
    pub event: String,
    /// The station's name.
    pub station: String,
    /// What is done there.
    pub kind: StationKind,
    /// The event's time zone.
    pub time_zone: String,
    /// The kiosk's name.
    pub kiosk: String,
}

/// What everybody would be told now, before they show anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hours {
    /// In Chinese.
    pub zh: Words,
    /// In English.
    pub en: Words,
}

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// What staff must see to. None of it stops the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The server keeps another journal under this kiosk's name: a copied or restored disk.
    Forked,
    /// The server refuses what this kiosk sends.
    Refused,
    /// This clock is more than two minutes off.
    ClockOff,
}

impl Both {
    /// The label of `trust`.
    #[must_use]
    pub fn trust(trust: Trust) -> Self {
        Self { zh: trust.label(Lang::Zh), en: trust.label(Lang::En) }
    }
}

impl Status {
    /// How `door` is at `now`, as far as it knows itself.
    #[must_use]
    pub fn of(door: &Door, now: Millis) -> Self {
        let place = door.post().map(|post| Place {
            event: post.event.title.clone(),
            station: post.station.clone(),
            kind: post.station_kind,
            time_zone: post.event.time_zone.clone(),
            kiosk: post.name.clone(),
        });
        let phase = match door.closed_because() {
            Some(Closed::Locked) => Phase::Locked,
            Some(Closed::OutOfOrder) => Phase::OutOfOrder,
            Some(Closed::NotReady) => Phase::Starting,
            None => Phase::Ready,
        };
        let hours = door.out_of_hours(now).zip(door.post()).map(|(refusal, post)| {
            let zone = TimeZone::get(&post.event.time_zone).unwrap_or(TimeZone::UTC);
            let (verdict, now) = (Verdict::Refused(refusal), door.true_time(now));
            let words = |lang| say::tell_at(post.station_kind, &verdict, lang, now, &zone);
            Hours { zh: words(Lang::Zh), en: words(Lang::En) }
        });
        let trust = if door.in_contact() { Trust::Live } else { door.local_trust(now) };
        Self {
            phase,
            place,
            hours,
            online: door.in_contact(),
            trust: Both::trust(trust),
            cards: door.reads_cards(),
            waiting: 0,
            trouble: None,
            clock_unsure: door.is_in_doubt(),
            neighbours: Vec::new(),
            skew_ms: door.true_time(now).since(now),
        }
    }
}
