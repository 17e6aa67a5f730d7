//! A verdict and the kiosk's state as the page needs them: words in both languages, made here, not in the browser.

use admission::{
    Millis, Verdict,
    decide::StationKind,
    say::{self, Lang, Words},
    ticket::TicketId,
};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::{
    shown::{Choice, Outcome, Shown},
    status::{Both, Place, Status},
};

/// How the kiosk is, with the time.
#[derive(Serialize)]
pub(super) struct Now {
    /// What time it is.
    pub(super) now_ms: Millis,
    /// How it is.
    #[serde(flatten)]
    pub(super) status: Status,
}

/// What the page shows after a scan.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// Tells one verdict from the next; none when nothing was decided.
    scan: Option<String>,
    /// Colour, shape and sound.
    look: Look,
    /// What people are told.
    zh: Words,
    en: Words,
    /// The holder's name, masked.
    holder: Option<String>,
    /// A walker's number, or a seat.
    place: Option<String>,
    /// What was booked.
    offer: Option<String>,
    /// Tickets to choose from.
    choices: Vec<Choice>,
    /// The ticket that staff let in once they have looked at an ID.
    glance: Option<TicketId>,
    /// Whether the visitor is asked for their consent, and to what, word for word.
    asks_consent: bool,
    consent_to: Option<Both>,
    /// Shown in a drill.
    practice: bool,
    trust: Both,
    /// Back to ready after this long.
    stays_ms: i64,
    /// The kiosk's clock at the scan.
    at_ms: Millis,
}

/// A colour, a shape and a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Look {
    Admitted,
    Refused,
    Attention,
    Closed,
}

impl View {
    pub(super) fn of(shown: &Shown, place: Option<&Place>, now: Millis) -> Self {
        let zone = place.and_then(|place| TimeZone::get(&place.time_zone).ok());
        let zone = zone.unwrap_or(TimeZone::UTC);
        let look = match &shown.outcome {
            Outcome::Decided(Verdict::Admitted, _) => Look::Admitted,
            Outcome::Decided(Verdict::Refused(_), _) => Look::Refused,
            Outcome::Decided(Verdict::Attention(_), _) | Outcome::Unread(_) => Look::Attention,
            Outcome::Closed(_) => Look::Closed,
        };
        Self {
            scan: shown.scan.clone(),
            look,
            zh: shown.words(Lang::Zh, now, &zone),
            en: shown.words(Lang::En, now, &zone),
            holder: shown.holder.clone(),
            place: shown.place.clone(),
            offer: shown.offer.clone(),
            choices: shown.choices.clone(),
            glance: shown.glance,
            asks_consent: shown.asks_consent,
            consent_to: consent_to(shown),
            practice: shown.is_practice(),
            trust: Both::trust(shown.trust),
            stays_ms: shown.stays_ms(),
            at_ms: shown.at,
        }
    }
}

/// At an employer's stand these are the words that its consent is kept under; a desk only takes name and phone.
fn consent_to(shown: &Shown) -> Option<Both> {
    let words = match shown.kind {
        StationKind::Booth => say::CONSENT,
        _ => (
            "同意把我的姓名和手机号给咨询台，用于回复我的咨询。",
            "The desk may see my name and number, to answer my question.",
        ),
    };
    shown.asks_consent.then(|| Both { zh: words.0.to_owned(), en: words.1.to_owned() })
}
