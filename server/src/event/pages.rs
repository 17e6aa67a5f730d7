//! The public pages: what there is, and one event with what can be booked of it.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::{
    Event, Offer, queries,
    rules::{self, Standing},
};
use crate::{
    App,
    booking::{self, Booking, shelf::Shelved},
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    goods,
    no_show::{self, rules::Rule},
    web::{Frame, access::Caller, form::yuan, page},
};

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(home)).route("/events/{event}", get(show))
}

#[derive(Template)]
#[template(path = "event/home.html")]
struct HomePage {
    frame: Frame,
    /// The reader's next event.
    next: Option<Shelved>,
    /// What can be booked, now or soon, and then the rest; each under its heading.
    sections: Vec<(&'static str, Vec<Card>)>,
}

/// An event in the list.
struct Card {
    event: Event,
    badge: &'static str,
    state: String,
    /// What else decides whether to open it.
    note: String,
}

/// `GET /`: the events that are not over.
async fn home(State(app): State<App>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let mut ahead = match &frame.caller {
        Caller::Person(person) => booking::shelf::of(&mut tx, &person.id, frame.now).await?,
        _ => Vec::new(),
    };
    ahead.retain(|booking| booking.is_ahead(frame.now));
    let mut cards = Vec::new();
    for event in queries::public(&mut tx, frame.now).await? {
        let offers = queries::offers(&mut tx, &event.id).await?;
        let mine = ahead.iter().any(|booking| booking.event_id == event.id);
        cards.push(Card::of(&frame, event, &offers, mine));
    }
    let next = ahead.into_iter().next();
    let (bookable, others) = cards.into_iter().partition(Card::is_bookable);
    let sections = [
        (frame.t("可以报名", "Open for booking"), bookable),
        (frame.t("其他活动", "Also coming up"), others),
    ];
    let sections =
        sections.into_iter().filter(|(_, cards): &(_, Vec<Card>)| !cards.is_empty()).collect();
    page(&HomePage { frame, next, sections })
}

/// Whether who comes first has a place.
fn is_for_the_quick(offer: &Offer) -> bool {
    !matches!(offer.mode.as_str(), "draw" | "approval")
}

/// How many places an offer has, and how they are given.
fn given(frame: &Frame, offer: &Offer) -> String {
    let quota = offer.quota;
    match offer.mode.as_str() {
        "draw" => frame.say(format!("{quota} 个名额，抽签"), format!("{quota} places, by draw")),
        "approval" => {
            frame.say(format!("{quota} 个名额，审核"), format!("{quota} places, by approval"))
        }
        "allocation" => frame.say(
            format!("{quota} 个名额，先分到各工会"),
            format!("{quota} places, by unions first"),
        ),
        _ => frame.say(format!("{quota} 个名额，先到先得"), format!("{quota} places, first come")),
    }
}

impl Card {
    /// Tells how the most promising of its offers stands, or that it is `mine` already.
    fn of(frame: &Frame, event: Event, offers: &[Offer], mine: bool) -> Self {
        let whose = &event;
        let at = |wanted| {
            offers.iter().filter(move |offer| rules::standing(whose, offer, frame.now) == wanted)
        };
        let words = |zh, en| frame.t(zh, en).to_owned();
        let left: i64 = at(Standing::Open).map(Offer::left).sum();
        let opening = at(Standing::NotOpen).min_by_key(|offer| offer.opens_ms);
        let (badge, state, note) = if event.is_cancelled() {
            ("warn", words("活动已取消", "Cancelled"), String::new())
        } else if mine {
            ("ok", words("您已报名", "You are in"), String::new())
        } else if left > 0 {
            // Where nobody has to hurry, how many are left says nothing.
            let note = match at(Standing::Open).find(|offer| is_for_the_quick(offer)) {
                Some(_) => frame.say(format!("还剩 {left} 个名额"), format!("{left} left")),
                None => {
                    at(Standing::Open).next().map(|offer| given(frame, offer)).unwrap_or_default()
                }
            };
            ("ok", words("正在报名", "Open"), note)
        } else if let Some(offer) = opening {
            let at = frame.at(&offer.opens_ms, &event.time_zone);
            let state = frame.say(format!("{at} 开始报名"), format!("Opens {at}"));
            ("info", state, given(frame, offer))
        } else if let Some(until) = offers
            .iter()
            .filter(|offer| offer.is_reserved(frame.now) && event.status == "published")
            .find_map(Offer::flows_back)
        {
            let at = frame.at(&until, &event.time_zone);
            (
                "info",
                words("由各工会指定", "Given by the unions"),
                frame.say(format!("{at} 放出剩余名额"), format!("What is left opens {at}")),
            )
        } else if at(Standing::Line).next().is_some() {
            (
                "warn",
                words("名额已满", "Full"),
                words("可以候补，有人取消按顺序递补", "You may stand in line"),
            )
        } else if at(Standing::SoldOut).next().is_some() {
            (
                "warn",
                words("名额已满", "Full"),
                words("有人取消会重新放出", "Cancelled places come back"),
            )
        } else if offers.iter().any(Offer::is_given) {
            let (zh, en) = match event.kind.as_str() {
                "contest" => ("参赛名单和对阵", "Entries and draw"),
                _ => ("按单位发放", "By units"),
            };
            ("info", words(zh, en), String::new())
        } else if offers.is_empty() {
            ("mute", words("不用报名", "No booking needed"), String::new())
        } else {
            ("mute", words("报名已截止", "Booking closed"), String::new())
        };
        Self { badge, state, note, event }
    }

    /// It can be booked, or soon.
    fn is_bookable(&self) -> bool {
        matches!(self.badge, "ok" | "info")
    }
}

#[derive(Template)]
#[template(path = "event/show.html")]
struct EventPage {
    frame: Frame,
    event: Event,
    offers: Vec<Shown>,
    /// Why the last try to book gave nothing.
    refusal: Option<String>,
    /// Names this rendering's tap, so that a second tap or a repeated request is the same booking.
    key: String,
    /// What was typed before the refusal.
    typed: Vec<String>,
    /// What follows from staying away, where it is counted.
    no_shows: Rule,
    /// Whether goods are handed out at pick-up points.
    hands_out: bool,
}

/// An offer, and what its reader can do about it.
struct Shown {
    offer: Offer,
    choice: Choice,
    /// For eligibility by union: their names.
    unions: Vec<String>,
}

/// What the reader can do about an offer.
enum Choice {
    /// They hold places already.
    Mine(Box<Booking>),
    /// Book.
    Book,
    /// Sign in first.
    SignIn,
    /// Staff do not book for themselves.
    Staff,
    /// Nothing yet: it opens later.
    Wait,
    /// Nothing yet: the unions' officers give the places.
    Reserved,
    /// Join the line: it is full.
    Line,
    /// Nothing: it is full.
    Full,
    /// Nothing: it is over.
    Closed,
    /// Nothing: it is not for them.
    NotForThem,
    /// Nothing until then: they stayed away too often.
    Barred(Millis),
}

impl EventPage {
    /// 比赛 · 健身.
    fn kind(&self) -> String {
        let name = |table: &[(&str, &'static str, &'static str)], word: &str| {
            table.iter().find(|(known, ..)| *known == word).map(|(_, zh, en)| self.frame.t(zh, en))
        };
        let theme = self.event.theme.as_deref().and_then(|theme| name(&rules::THEMES, theme));
        let kind = name(&rules::KINDS, &self.event.kind).unwrap_or_default();
        theme.map_or_else(|| kind.to_owned(), |theme| format!("{kind} · {theme}"))
    }

    /// One name field for each companion who may come.
    fn companions(&self, offer: &Offer) -> Vec<String> {
        let most = usize::try_from(offer.guests_max.min(offer.per_person - 1)).unwrap_or(0).min(9);
        (0..most).map(|field| self.typed.get(field).cloned().unwrap_or_default()).collect()
    }
}

impl Shown {
    /// For templates, whose `match` is too wordy for so many places.
    const fn word(&self) -> &'static str {
        match self.choice {
            Choice::Mine(_) => "mine",
            Choice::Book => "book",
            Choice::SignIn => "sign_in",
            Choice::Staff => "staff",
            Choice::Wait => "wait",
            Choice::Reserved => "reserved",
            Choice::Line => "line",
            Choice::Full => "full",
            Choice::Closed => "closed",
            Choice::NotForThem => "not_for_them",
            Choice::Barred(_) => "barred",
        }
    }

    /// What a place costs, in yuan; none when nothing.
    fn yuan(&self) -> Option<String> {
        let cents = self.offer.contribution_cents;
        (cents > 0).then(|| yuan(cents))
    }

    /// For how long a place is held that has to be confirmed or paid for.
    fn held(&self, frame: &Frame) -> Option<String> {
        let time = admission::say::lasting(self.offer.held_ms()?, frame.lang);
        Some(time.trim().to_owned())
    }

    /// The limits that reach beyond this offer.
    fn limits(&self, frame: &Frame) -> Vec<String> {
        let limit = |most: Option<i64>, zh: &str, en: &str| {
            let most = most?;
            Some(frame.say(format!("{zh}每人最多 {most} 个"), format!("At most {most} {en}")))
        };
        let all = [
            limit(self.offer.limit_event, "整场活动", "at this event"),
            limit(self.offer.limit_month, "同类活动每月", "a month at events of this kind"),
            limit(self.offer.limit_year, "同类活动每年", "a year at events of this kind"),
        ];
        all.into_iter().flatten().collect()
    }

    /// Its places are the unions' to give.
    fn reserved(&self, now: &Millis) -> bool {
        self.offer.is_reserved(*now)
    }

    /// From which day on it is open to them again, in Chinese and English.
    fn barred(&self, event: &Event) -> Option<(String, String)> {
        match self.choice {
            Choice::Barred(until) => Some(no_show::rules::day(until, &event.time_zone)),
            _ => None,
        }
    }

    /// Whether it goes to whoever comes first, and its reader may come: then the page keeps itself fresh, and the form
    /// is there before booking opens.
    fn is_rushed(&self, frame: &Frame) -> bool {
        self.offer.mode == "first_come"
            && frame.is_person()
            && matches!(self.choice, Choice::Book | Choice::Wait | Choice::Line | Choice::Full)
    }

    const fn mine(&self) -> Option<&Booking> {
        if let Choice::Mine(booking) = &self.choice { Some(booking) } else { None }
    }
}

/// `GET /events/{event}`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    page(&read(&app, frame, &id).await?)
}

/// The event's page again, with why booking was refused and what was typed.
pub(crate) async fn show_again(
    app: &App,
    frame: Frame,
    event_id: &str,
    refused: &Refused,
    typed: Vec<String>,
) -> Result<Response> {
    let refusal = Some(refused.text(frame.lang).to_owned());
    let again = EventPage { refusal, typed, ..read(app, frame, event_id).await? };
    // The page is there; what was asked of it is not.
    let status =
        if refused.status == StatusCode::NOT_FOUND { StatusCode::CONFLICT } else { refused.status };
    Ok((status, page(&again)?).into_response())
}

async fn read(app: &App, mut frame: Frame, id: &str) -> Result<EventPage> {
    let mut tx = app.db.read().await?;
    let event = queries::event(&mut tx, id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    // After a refused form too, the language switch leads to the page itself.
    frame.path = format!("/events/{id}");
    let mut offers = Vec::new();
    for offer in queries::offers(&mut tx, id).await? {
        // What others give out is not asked for here: a contest's players have their tickets from their entries.
        if offer.is_given() {
            continue;
        }
        let choice = choice(&mut tx, &frame, &event, &offer).await?;
        let unions = queries::offer_unions(&mut tx, &offer.id)
            .await?
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        offers.push(Shown { offer, choice, unions });
    }
    let key = new_id(frame.now);
    let no_shows = no_show::queries::rule(&mut tx).await?;
    let hands_out = goods::queries::goods(&mut tx, id).await?.is_some();
    let (refusal, typed) = (None, Vec::new());
    Ok(EventPage { frame, event, offers, refusal, key, typed, no_shows, hands_out })
}

async fn choice(tx: &mut Tx, frame: &Frame, event: &Event, offer: &Offer) -> Result<Choice> {
    let standing = rules::standing(event, offer, frame.now);
    let over = matches!(standing, Standing::Closed | Standing::Cancelled);
    if let Caller::Person(person) = &frame.caller {
        if let Some(booking) = booking::queries::booking_of_offer(tx, &offer.id, &person.id).await?
        {
            return Ok(Choice::Mine(Box::new(booking)));
        }
        if !over && !booking::rules::eligible(tx, offer, &person.id).await? {
            return Ok(Choice::NotForThem);
        }
        let barred = no_show::rules::barred_until(tx, offer, &person.id, frame.now).await?;
        if let Some(until) = barred.filter(|_| !over) {
            return Ok(Choice::Barred(until));
        }
    }
    Ok(match (standing, &frame.caller) {
        (Standing::Closed | Standing::Cancelled, _) => Choice::Closed,
        (Standing::NotOpen, _) => Choice::Wait,
        (Standing::Reserved, _) => Choice::Reserved,
        (Standing::SoldOut, _) => Choice::Full,
        (Standing::Open, Caller::Person(_)) => Choice::Book,
        (Standing::Line, Caller::Person(_)) => Choice::Line,
        (Standing::Open | Standing::Line, Caller::Staff(_)) => Choice::Staff,
        (Standing::Open | Standing::Line, _) => Choice::SignIn,
    })
}
