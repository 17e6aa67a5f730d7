//! `/admin/events/{event}/conflicts`: the organizer's inbox of double admissions.

use std::collections::HashMap;

use admission::{Millis, time::SECOND};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{
    Finding,
    queries::{self, Admission, Conflict},
    settle,
    stray::{self, Judged},
};
use crate::{
    App,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, frame::zone, page},
};

/// The HTML routes.
pub(in crate::checkin) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/conflicts", get(list))
        .route("/admin/events/{event}/conflicts/{ticket}", post(choose))
        .route("/admin/events/{event}/strays/{ticket}", post(choose_of_stray))
}

#[derive(Template)]
#[template(path = "checkin/conflict/list.html")]
struct ConflictsPage {
    frame: Frame,
    event: Event,
    open: Vec<Shown>,
    settled: Vec<Shown>,
    /// Tickets that doors let in by their signature and that are not in the books, with their admissions.
    strays: Vec<Stray>,
    /// Those of which somebody said what became of them.
    judged: Vec<Judged>,
    tab: &'static str,
}

/// A ticket that is signed and not in the books.
struct Stray {
    ticket: String,
    admissions: Vec<Admission>,
}

/// A conflict with its admissions.
struct Shown {
    conflict: Conflict,
    admissions: Vec<Admission>,
}

impl Shown {
    /// Whether the clocks are too uncertain to say who was first.
    fn order_is_uncertain(&self) -> bool {
        self.admissions.windows(2).any(|pair| {
            pair[1].true_ms.since(pair[0].true_ms) <= pair[0].error_ms + pair[1].error_ms
        })
    }
}

/// `GET /admin/events/{event}/conflicts`.
async fn list(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let mut by_ticket: HashMap<String, Vec<Admission>> = HashMap::new();
    for admission in queries::of_conflicts(&mut tx, &id).await? {
        by_ticket.entry(admission.ticket_id.clone()).or_default().push(admission);
    }
    let conflicts = queries::of_event(&mut tx, &id).await?.into_iter().map(|conflict| {
        let admissions = by_ticket.remove(&conflict.ticket_id).unwrap_or_default();
        Shown { conflict, admissions }
    });
    let (open, settled) = conflicts.partition(|shown| shown.conflict.verdict.is_none());
    let strays = stray::admissions(&mut tx, &id).await?;
    let strays = strays.chunk_by(|one, next| one.ticket_id == next.ticket_id);
    let as_one = |admissions: &[Admission]| Stray {
        ticket: admissions[0].ticket_id.clone(),
        admissions: admissions.to_vec(),
    };
    let (strays, tab) = (strays.map(as_one).collect(), "conflicts");
    let judged = stray::judged(&mut tx, &id).await?;
    page(&ConflictsPage { frame, event, open, settled, strays, judged, tab })
}

/// `POST /admin/events/{event}/strays/{ticket}`: what became of a ticket that is not in the books.
async fn choose_of_stray(
    State(app): State<App>,
    Path((event, ticket)): Path<(String, String)>,
    staff: Staff,
    form: Typed,
) -> Result<Response> {
    let finding = stray::Finding::from_word(form.value("verdict")).ok_or_else(|| {
        Error::invalid(
            "verdict",
            "请选择一种结论。",
            "“verdict” must be one of: entered, accepted, error.",
        )
    })?;
    stray::settle(&app, &staff, (&event, &ticket), (finding, form.value("note"))).await?;
    Ok(Redirect::to(&format!("/admin/events/{event}/conflicts")).into_response())
}

/// `POST /admin/events/{event}/conflicts/{ticket}`: what it was.
async fn choose(
    State(app): State<App>,
    Path((event, ticket)): Path<(String, String)>,
    staff: Staff,
    form: Typed,
) -> Result<Response> {
    let finding = Finding::from_word(form.value("verdict")).ok_or_else(|| {
        Error::invalid(
            "verdict",
            "请选择一种结论。",
            "“verdict” must be one of: same_person, passed_on, error.",
        )
    })?;
    settle(&app, &staff, &event, &ticket, (finding, form.value("note"))).await?;
    Ok(Redirect::to(&format!("/admin/events/{event}/conflicts")).into_response())
}

impl ConflictsPage {
    /// What can be chosen: its word, its name, and what it means.
    fn findings(&self) -> [(&'static str, &'static str, &'static str); 3] {
        let frame = &self.frame;
        Finding::ALL.map(|finding| {
            let (name, means) = match finding {
                Finding::SamePerson => (
                    frame.t("同一人", "Same person"),
                    frame.t(
                        "一个人被扫了两次，人数不变。",
                        "One person, scanned twice. Counts stay.",
                    ),
                ),
                Finding::PassedOn => (
                    frame.t("转给了别人", "Passed on"),
                    frame.t("两个人用了一张票，都进去了。", "Two people went in on one ticket."),
                ),
                Finding::Error => (
                    frame.t("扫错了", "Wrong scan"),
                    frame.t(
                        "最早的留下，多出来的撤销；到访和离场不动。",
                        "The first stays, what is too many is taken back; visits and exits stay.",
                    ),
                ),
            };
            (finding.word(), name, means)
        })
    }

    /// The same for a ticket that is not in the books.
    fn findings_of_strays(&self) -> [(&'static str, &'static str, &'static str); 3] {
        let frame = &self.frame;
        stray::Finding::ALL.map(|finding| {
            let (name, means) = match finding {
                stray::Finding::Entered => (
                    frame.t("已补登", "Booked anew"),
                    frame.t(
                        "查到是谁，已重新报名。",
                        "It is known whose it was; they were booked again.",
                    ),
                ),
                stray::Finding::Accepted => (
                    frame.t("照记录算", "As recorded"),
                    frame.t(
                        "查不到是谁，门口的记录留着。",
                        "Nobody knows whose it was; what the doors recorded stays.",
                    ),
                ),
                stray::Finding::Error => (
                    frame.t("扫错了", "Wrong scan"),
                    frame.t(
                        "撤销门口的放行，这张票还能用一次。",
                        "What the doors did is taken back; the ticket is good once more.",
                    ),
                ),
            };
            (finding.word(), name, means)
        })
    }

    fn name_of_stray(&self, word: &str) -> &'static str {
        let mut findings = self.findings_of_strays().into_iter();
        findings.find(|(known, ..)| *known == word).map_or("", |(_, name, _)| name)
    }

    fn name_of(&self, word: &str) -> &'static str {
        self.findings()
            .into_iter()
            .find(|(known, ..)| *known == word)
            .map_or("", |(_, name, _)| name)
    }

    /// 14:03:22 ± 0.2 秒.
    fn moment(&self, admission: &Admission) -> String {
        let at = admission::say::zoned(admission.true_ms, &zone(&self.event.time_zone));
        let tenths = (admission.error_ms + SECOND / 10 - 1) / (SECOND / 10);
        let clock = at.strftime("%-m/%-d %H:%M:%S");
        self.frame.say(
            format!("{clock} ± {}.{} 秒", tenths / 10, tenths % 10),
            format!("{clock} ± {}.{} s", tenths / 10, tenths % 10),
        )
    }

    /// Who let them in: who stood there, else the kiosk.
    fn who(&self, admission: &Admission) -> String {
        match (&admission.operator, &admission.kiosk) {
            (Some(operator), Some(kiosk)) => format!("{operator} · {kiosk}"),
            (Some(operator), None) => operator.clone(),
            (None, Some(kiosk)) => kiosk.clone(),
            (None, None) => "–".to_owned(),
        }
    }

    /// On what knowledge that door decided.
    fn trust(&self, admission: &Admission) -> &'static str {
        match admission.trust.as_str() {
            "live" => self.frame.t("联网", "online"),
            "local" => self.frame.t("离线", "offline"),
            "agreed" => self.frame.t("离线，与其他终端一致", "offline, agreed with other kiosks"),
            _ => self.frame.t("离线，仅验签名", "offline, signature only"),
        }
    }

    /// 小李，今天 15:02.
    fn settled_by(&self, conflict: &Conflict) -> String {
        let who = conflict.settled_by.as_deref().unwrap_or("–");
        self.by(who, conflict.settled_ms.map(Millis))
    }

    fn judged_by(&self, judged: &Judged) -> String {
        self.by(&judged.settled_by, Some(judged.settled_ms))
    }

    fn by(&self, who: &str, at: Option<Millis>) -> String {
        let at = at.map(|at| self.frame.at(&at, &self.event.time_zone));
        format!("{who}{}{}", self.frame.t("，", ", "), at.unwrap_or_default())
    }
}
