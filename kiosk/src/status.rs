//! How the kiosk is, as its screen tells it between two scans.

use admission::{decide::StationKind, say::Lang, scan::Trust, time::Millis};
use serde::{Deserialize, Serialize};

use crate::{door::Door, mesh::Neighbour, shown::Closed};

/// How the kiosk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What it can do.
    pub phase: Phase,
    /// What it serves.
    pub place: Option<Place>,
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
    /// The event's other kiosks.
    pub neighbours: Vec<Neighbour>,
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
        let trust = if door.in_contact() { Trust::Live } else { door.local_trust(now) };
        Self {
            phase,
            place,
            online: door.in_contact(),
            trust: Both::trust(trust),
            cards: door.reads_cards(),
            waiting: 0,
            trouble: None,
            neighbours: Vec::new(),
        }
    }
}
