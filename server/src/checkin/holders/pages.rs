//! The list, and one holder with what happened.

use admission::Millis;
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::queries::{self, Happened, Holder, Sought, Which};
use crate::{
    App,
    checkin::by_hand,
    error::{Error, Refused, Result},
    event::{self, Event},
    no_show,
    web::{Frame, access::Staff, form::Typed, page},
};

/// Rows on a page of the list.
const ROWS: i64 = 50;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    which: String,
    #[serde(default)]
    page: i64,
}

#[derive(Template)]
#[template(path = "checkin/holders/list.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    q: String,
    which: Which,
    found: i64,
    /// From 0.
    number: i64,
    rows: Vec<Holder>,
    tab: &'static str,
}

/// `GET /admin/events/{event}/list`.
pub(super) async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let which = Which::of(&asked.which);
    let sought = Sought::of(&asked.q, which);
    let found = queries::count(&mut tx, &id, &sought).await?;
    // An address from yesterday may ask for a page that is no more.
    let number = (asked.page - 1).clamp(0, (found - 1).max(0) / ROWS);
    let rows = queries::page(&mut tx, &id, &sought, ROWS, number * ROWS).await?;
    let q = asked.q.trim().to_owned();
    page(&ListPage { frame, event, q, which, found, number, rows, tab: "list" })
}

impl ListPage {
    /// Each choice of the filter: its word, its name, whether it is chosen.
    fn filters(&self) -> [(&'static str, &'static str, bool); 4] {
        Which::ALL.map(|which| {
            let name = match which {
                Which::All => self.frame.t("全部", "All"),
                Which::In => self.frame.t("已入场", "In"),
                Which::ToCome => self.frame.t("未到", "To come"),
                Which::Cancelled => self.frame.t("已取消", "Cancelled"),
            };
            (which.word(), name, which == self.which)
        })
    }

    /// 第 1–50 人，共 212 人.
    fn extent(&self) -> String {
        let first = self.number * ROWS + 1;
        let last = (first + ROWS - 1).min(self.found);
        let found = self.found;
        self.frame.say(
            format!("第 {first}–{last} 张，共 {found} 张票"),
            format!("{first}–{last} of {found} tickets"),
        )
    }

    /// The page before this one, as the address counts: from 1.
    fn before(&self) -> Option<i64> {
        (self.number > 0).then_some(self.number)
    }

    /// The page after this one.
    fn after(&self) -> Option<i64> {
        ((self.number + 1) * ROWS < self.found).then_some(self.number + 2)
    }
}

impl Holder {
    /// How the ticket stands: the look of its badge, and its words.
    pub(in crate::checkin) fn standing(&self, frame: &Frame) -> (&'static str, &'static str) {
        match (self.state.as_str(), self.used_ms) {
            ("cancelled", _) => ("mute", frame.t("已取消", "Cancelled")),
            (_, Some(_)) => ("ok", frame.t("已入场", "In")),
            ("unpaid", None) => ("warn", frame.t("未缴费", "Not paid")),
            ("unapproved", None) => ("warn", frame.t("未审核", "Not approved")),
            (_, None) => ("mute", frame.t("未到", "To come")),
        }
    }

    /// When and where the holder came in.
    fn used(&self, frame: &Frame, event: &Event) -> Option<String> {
        let at = frame.at(&Millis(self.used_ms?), &event.time_zone);
        Some(format!("{at} {}", self.used_station.as_deref().unwrap_or_default()))
    }

    /// 会员, 来宾, or 王小明同行.
    pub(in crate::checkin) fn standing_in(&self, frame: &Frame) -> String {
        if self.companion {
            let booker = &self.booker;
            return frame.say(format!("与{booker}同行"), format!("with {booker}"));
        }
        if self.member { frame.t("会员", "Member") } else { frame.t("来宾", "Guest") }.to_owned()
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "checkin/holders/show.html")]
struct HolderPage {
    frame: Frame,
    event: Event,
    holder: Holder,
    /// Last digits of the holder's cards.
    cards: Vec<String>,
    history: Vec<Happened>,
    done: String,
    /// Whether staying away is counted, and why it is excused, if it is.
    leave: (bool, Option<String>),
    /// Why it did not work.
    refusal: Option<String>,
    form: Typed,
}

impl HolderPage {
    async fn read(app: &App, frame: Frame, event_id: &str, ticket_id: &str) -> Result<Self> {
        let mut tx = app.db.read().await?;
        Ok(Self {
            event: event::queries::event(&mut tx, event_id).await?,
            holder: queries::one(&mut tx, event_id, ticket_id).await?,
            cards: queries::cards(&mut tx, ticket_id).await?,
            history: queries::history(&mut tx, ticket_id).await?,
            leave: no_show::queries::leave(&mut tx, ticket_id).await?,
            frame,
            done: String::new(),
            refusal: None,
            form: Typed::default(),
        })
    }
}

/// `GET /admin/events/{event}/list/{ticket}`.
pub(super) async fn show(
    State(app): State<App>,
    Path((event, ticket)): Path<(String, String)>,
    Query(Done { done }): Query<Done>,
    frame: Frame,
) -> Result<Response> {
    page(&HolderPage { done, ..HolderPage::read(&app, frame, &event, &ticket).await? })
}

/// `POST /admin/events/{event}/list/{ticket}/admission`: checks the holder in by hand.
pub(super) async fn check_in(
    State(app): State<App>,
    Path((event, ticket)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let outcome = by_hand::check_in(&app, &staff, &event, &ticket, form.value("note")).await;
    answer(&app, frame, (&event, &ticket), form, outcome, "admitted").await
}

/// `POST /admin/events/{event}/list/{ticket}/undo`: takes the admission back, with a reason.
pub(super) async fn undo(
    State(app): State<App>,
    Path((event, ticket)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let outcome = by_hand::undo(&app, &staff, &event, &ticket, form.value("reason")).await;
    answer(&app, frame, (&event, &ticket), form, outcome, "undone").await
}

/// Leads back to the holder with a notice, or shows the holder again with why it did not work.
async fn answer(
    app: &App,
    mut frame: Frame,
    (event, ticket): (&str, &str),
    mut form: Typed,
    outcome: Result<()>,
    done: &str,
) -> Result<Response> {
    let address = format!("/admin/events/{event}/list/{ticket}");
    let refused: Refused = match outcome {
        Ok(()) => return Ok(Redirect::to(&format!("{address}?done={done}")).into_response()),
        Err(Error::Refused(refused) | Error::Invalid(refused)) => refused,
        Err(error) => return Err(error),
    };
    frame.path = address;
    let refusal = if refused.status == StatusCode::UNPROCESSABLE_ENTITY {
        form.blame(refused.code, refused.clone());
        None
    } else {
        Some(refused.text(frame.lang).to_owned())
    };
    let again = HolderPage { refusal, form, ..HolderPage::read(app, frame, event, ticket).await? };
    Ok((refused.status, page(&again)?).into_response())
}
