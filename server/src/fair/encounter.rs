//! What happens between a visitor and an employer, as facts: the phone that records one names it, so a fact that arrives
//! late or twice is the same fact.

use admission::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Employer, card, consent, queries};
use crate::{
    App,
    booking::Ticket,
    db::Tx,
    error::{Error, Result},
    event::Event,
    execute, fetch, outbox,
    people::import::text,
    web::{Frame, access::Staff},
};

/// Longest note that is kept.
const NOTE_CHARS: usize = 200;
/// A phone's clock may be off by so much before its times are not believed.
const CLOCK_MS: i64 = 12 * admission::time::HOUR;

/// How far a visitor and an employer got. Each later one includes the earlier, but for the last.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// They talked.
    Talked,
    /// The visitor left a CV, or their particulars.
    Cv,
    /// An interview took place or is arranged.
    Interview,
    /// 达成意向: both want it.
    Intention,
    /// The visitor was hired.
    Hired,
    /// It came to nothing.
    Dropped,
}

impl Outcome {
    /// All of them, in the order of a form.
    pub(crate) const ALL: [Self; 6] =
        [Self::Talked, Self::Cv, Self::Interview, Self::Intention, Self::Hired, Self::Dropped];

    /// The word in SQL, JSON and forms.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Talked => "talked",
            Self::Cv => "cv",
            Self::Interview => "interview",
            Self::Intention => "intention",
            Self::Hired => "hired",
            Self::Dropped => "dropped",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// In two to four characters.
    pub(crate) const fn name(self, frame: &Frame) -> &'static str {
        match self {
            Self::Talked => frame.t("谈过", "Talked"),
            Self::Cv => frame.t("收简历", "CV"),
            Self::Interview => frame.t("面试", "Interview"),
            Self::Intention => frame.t("达成意向", "Intention"),
            Self::Hired => frame.t("已录用", "Hired"),
            Self::Dropped => frame.t("不合适", "No match"),
        }
    }

    /// The look of its badge.
    pub(crate) const fn badge(self) -> &'static str {
        match self {
            Self::Intention | Self::Hired => "ok",
            Self::Cv | Self::Interview => "info",
            Self::Talked | Self::Dropped => "mute",
        }
    }
}

/// What a stand records. Sending the same fact again changes nothing.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Fact {
    /// Made by the phone, 8 to 60 letters, digits and dashes.
    pub(crate) id: String,
    /// The visiting card: a ticket's code, or at least eight characters of its number.
    pub(crate) card: String,
    /// How far they got.
    pub(crate) outcome: Outcome,
    /// The post's number, when it is about one.
    #[serde(default)]
    pub(crate) post: Option<i64>,
    /// A, B or C.
    #[serde(default)]
    pub(crate) grade: Option<String>,
    /// For the employer alone.
    #[serde(default)]
    pub(crate) note: String,
    /// The visitor agreed, at the stand, that the employer sees who they are.
    #[serde(default)]
    pub(crate) consent: bool,
    /// When it happened by the phone's clock, milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// Records a fact of a stand. Gives the visitor's ticket.
///
/// # Errors
/// [`Error::Invalid`] or [`Error::NotFound`] when the fact cannot be kept, now or later; when the database fails.
pub(crate) async fn record(
    app: &App,
    tx: &mut Tx,
    (event, employer): (&Event, &Employer),
    staff: &Staff,
    fact: &Fact,
    now: Millis,
) -> Result<Ticket> {
    let id = namespaced(employer, &fact.id)?;
    let ticket = card::read(app, tx, &event.id, &fact.card).await.map_err(|error| match error {
        Error::NotFound => no_such_card(),
        error => error,
    })?;
    let post = match fact.post {
        Some(number) => Some(queries::post(tx, &event.id, number).await?),
        None => None,
    };
    if post.as_ref().is_some_and(|post| post.employer_id != employer.id) {
        return Err(Error::NotFound);
    }
    let grade = fact.grade.as_deref().filter(|grade| matches!(*grade, "A" | "B" | "C"));
    let note: String = text::folded(&fact.note).chars().take(NOTE_CHARS).collect();
    // Nothing happens after it is heard of, and a phone without a right clock has no say.
    let at =
        if (now.0 - fact.at_ms).abs() > CLOCK_MS { now } else { Millis(fact.at_ms.min(now.0)) };
    execute!(
        tx,
        "insert into encounter (id, event_id, employer_id, ticket_id, post_id, outcome, grade, note, how, staff_id, at_ms,
                                received_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'stand', $9, $10, $11) on conflict (id) do nothing",
        id,
        &event.id,
        &employer.id,
        &ticket.id,
        post.map(|post| post.id),
        fact.outcome.word(),
        grade,
        note,
        &staff.id,
        at.0,
        now.0,
    )?;
    if fact.consent && consent::note(tx, employer, &ticket, staff, (at, now)).await? {
        tell(app, tx, event, employer, &ticket, now).await?;
    }
    Ok(ticket)
}

/// Whoever agreed by word of mouth hears of it, and how to take it back.
async fn tell(
    app: &App,
    tx: &mut Tx,
    event: &Event,
    employer: &Employer,
    ticket: &Ticket,
    now: Millis,
) -> Result<()> {
    let Some(person) = &ticket.person_id else { return Ok(()) };
    let body = format!(
        "【王佐镇总工会】{}（{}号展位）记录您当面同意向其提供姓名和手机号。如非本意，请打开 {}/events/{}/fair/me 撤回。",
        employer.name, employer.stand, app.public_url, event.id
    );
    outbox::tell(tx, person, &body, now).await
}

/// The visitor leaves their particulars with an employer, having scanned its poster.
pub(super) async fn leave(
    tx: &mut Tx,
    employer: &Employer,
    ticket: &Ticket,
    post: Option<&str>,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into encounter (id, event_id, employer_id, ticket_id, post_id, outcome, how, at_ms, received_ms)
         select $1, $2, $3, $4, $5, 'cv', 'visitor', $6, $6
         where not exists (select 1 from encounter where employer_id = $3 and ticket_id = $4 and how = 'visitor'
                               and undone_ms is null and post_id is not distinct from $5)",
        crate::db::new_id(now),
        &employer.event_id,
        &employer.id,
        &ticket.id,
        post,
        now.0,
    )?;
    Ok(())
}

/// Takes back what the stand recorded by mistake. A second tap changes nothing.
pub(super) async fn undo(tx: &mut Tx, employer: &Employer, id: &str, now: Millis) -> Result<()> {
    let known: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from encounter where id = $1 and employer_id = $2 and how = 'stand'",
        id,
        &employer.id,
    )?;
    known.ok_or(Error::NotFound)?;
    execute!(
        tx,
        "update encounter set undone_ms = $2 where id = $1 and undone_ms is null",
        id,
        now.0
    )?;
    Ok(())
}

/// The fact's id among all employers': one cannot take another's.
fn namespaced(employer: &Employer, id: &str) -> Result<String> {
    let fits = (8..=60).contains(&id.len())
        && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric());
    if fits {
        return Ok(format!("{}.{id}", employer.id));
    }
    Err(Error::invalid(
        "id",
        "编号应为 8 到 60 个字母、数字或短横。",
        "An id has 8 to 60 letters, digits or dashes.",
    ))
}

fn no_such_card() -> Error {
    Error::invalid(
        "unknown_card",
        "没有这张入场券。请核对访客号（票面前 8 位），或再扫一次。",
        "There is no such ticket. Please check the visitor's number (the first 8 characters), or scan again.",
    )
}
