//! `/admin/events/{event}`: who is in, live. `live.js` exchanges the parts that change; without it the page is a
//! snapshot.

use admission::{Millis, time::HOUR};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    attendance::{self, Attendance, RecentScan, STEP_MS},
    by_hand::reason_name,
    chart::Chart,
    conflict,
};
use crate::{
    App,
    error::Result,
    event::{self, Event, Offer},
    kiosk::{self, Health},
    web::{Frame, page},
};

/// How many of the last scans are shown.
const RECENT: i64 = 12;

#[derive(Template)]
#[template(path = "checkin/dashboard.html")]
struct DashboardPage {
    frame: Frame,
    event: Event,
    attendance: Attendance,
    chart: Chart,
    stations: Vec<Station>,
    recent: Vec<RecentScan>,
    /// Kiosks at which somebody tries PINs: the name, and how often within a day.
    tried: Vec<(String, i64)>,
    /// Tickets that doors let in by their signature and that are not in the books.
    strays: i64,
    tab: &'static str,
}

/// A station with what its kiosks are doing.
struct Station {
    name: String,
    admitted: i64,
    refused: i64,
    last: Option<Millis>,
    /// Of its kiosks, the one that needs care most.
    health: Option<Health>,
}

/// `GET /admin/events/{event}`.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let offers = event::queries::offers(&mut tx, &id).await?;
    let attendance = attendance::of_event(&mut tx, &id).await?;
    let recent = attendance::recent(&mut tx, &id, RECENT).await?;
    let kiosks = kiosk::queries::of_event(&mut tx, &id).await?;
    let tried = kiosks.iter().filter(|kiosk| kiosk.is_tried());
    let tried = tried.map(|kiosk| (kiosk.name.clone(), kiosk.wrong_pins)).collect();
    let strays = conflict::open_strays(&mut tx, &id).await?;
    let kiosks = kiosks.iter().map(|kiosk| (kiosk.station.as_str(), kiosk.health(frame.now)));
    let stations = stations(&attendance, kiosks);
    let chart = Chart::of(
        &attendance.curve,
        STEP_MS,
        attendance.booked,
        window(&event, &offers),
        frame.now,
    );
    let tab = "live";
    page(&DashboardPage { frame, event, attendance, chart, stations, recent, tried, strays, tab })
}

/// What is drawn: from when the first may come to when the last may.
fn window(event: &Event, offers: &[Offer]) -> (Millis, Millis) {
    let from = offers.iter().map(|offer| offer.valid_from_ms).min();
    let to = offers.iter().map(|offer| offer.valid_to_ms).max();
    (from.unwrap_or(event.starts_ms.plus(-HOUR)), to.unwrap_or(event.ends_ms))
}

/// Stations where something happened, and stations where a kiosk stands.
fn stations<'a>(
    attendance: &Attendance,
    kiosks: impl Iterator<Item = (&'a str, Health)>,
) -> Vec<Station> {
    let counted = attendance.stations.iter().map(|count| Station {
        name: count.station.clone(),
        admitted: count.admitted,
        refused: count.refused,
        last: Some(Millis(count.last_ms)),
        health: None,
    });
    let mut stations: Vec<Station> = counted.collect();
    for (name, health) in kiosks {
        if health == Health::Revoked {
            continue;
        }
        match stations.iter_mut().find(|station| station.name == name) {
            Some(station) => station.health = station.health.max(Some(health)),
            None => stations.push(Station {
                name: name.to_owned(),
                admitted: 0,
                refused: 0,
                last: None,
                health: Some(health),
            }),
        }
    }
    stations
}

impl DashboardPage {
    /// 13:00, or 11/22 when the curve spans days.
    fn tick(&self, moment: &Millis) -> String {
        let zoned = admission::say::zoned(*moment, &crate::web::frame::zone(&self.event.time_zone));
        let format = if self.chart.days { "%-m/%-d" } else { "%-H:%M" };
        zoned.strftime(format).to_string()
    }

    /// How often somebody tried PINs at a kiosk.
    fn tried_at(&self, name: &str, times: &i64) -> String {
        self.frame.say(
            format!("有人在「{name}」试密码：一天内输错 {times} 次"),
            format!("Somebody tries PINs at “{name}”: {times} wrong ones within a day"),
        )
    }

    /// The name of a refusal's reason.
    fn reason(&self, word: &str) -> String {
        reason_name(word, self.frame.lang)
    }

    /// The width of a reason's bar, in hundredths of the longest.
    fn share(&self, count: &i64) -> i64 {
        let most = self.attendance.reasons.iter().map(|reason| reason.count).max().unwrap_or(1);
        count * 100 / most.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::attendance::StationCount, *};

    #[test]
    fn a_station_shows_the_kiosk_that_needs_care_most() {
        let count = |station: &str| StationCount {
            station: station.to_owned(),
            admitted: 3,
            refused: 1,
            last_ms: 7,
        };
        let attendance = Attendance { stations: vec![count("东门")], ..Attendance::default() };
        let silent = Health::Silent { since: Millis(5) };
        let kiosks = [
            ("东门", Health::Waiting),
            ("东门", Health::Online),
            ("东门", silent),
            ("西门", Health::Waiting),
            ("北门", Health::Revoked),
        ];
        let stations = stations(&attendance, kiosks.into_iter());
        let shown: Vec<_> =
            stations.iter().map(|s| (s.name.as_str(), s.admitted, s.health)).collect();
        assert_eq!(shown, [("东门", 3, Some(silent)), ("西门", 0, Some(Health::Waiting))]);
    }
}
