//! From what was typed to a draft that the rules accept, or to faults beside the fields; and back.

use admission::{Millis, time::MINUTE};
use axum::http::StatusCode;
use jiff::tz::TimeZone;

use crate::{
    error::Refused,
    event::{Event, EventDraft, FloorDraft, Offer, OfferDraft, rules},
    voucher::{self, BatchDraft},
    web::{
        form::{self, Typed},
        frame::zone,
        local_time,
    },
};

/// How the names of the fields begin that hold places set aside for unions.
const FLOOR: &str = "floor-";

/// An empty form for a new event.
pub(super) fn blank_event() -> Typed {
    Typed::of([("kind", "activity".to_owned()), ("time_zone", "Asia/Shanghai".to_owned())])
}

/// The form of an event as it is.
pub(super) fn form_of_event(event: &Event) -> Typed {
    let zone = zone(&event.time_zone);
    Typed::of([
        ("kind", event.kind.clone()),
        ("theme", event.theme.clone().unwrap_or_default()),
        ("title", event.title.clone()),
        ("place", event.place.clone()),
        ("entrance", event.entrance.clone()),
        ("poster", event.poster.clone()),
        ("starts", local_time::write(event.starts_ms, &zone)),
        ("ends", local_time::write(event.ends_ms, &zone)),
        ("time_zone", event.time_zone.clone()),
    ])
}

/// The draft in `form`. `None` when something is wrong with it; the faults are noted in the form.
pub(super) fn event(form: &mut Typed) -> Option<EventDraft> {
    let clocks = TimeZone::get(form.value("time_zone")).unwrap_or_else(|_| zone("Asia/Shanghai"));
    let starts = moment(form, "starts", &clocks, "开始时间", "when it begins");
    let ends = moment(form, "ends", &clocks, "结束时间", "when it ends");
    let text = |field| form.value(field).trim().to_owned();
    let draft = EventDraft {
        kind: text("kind"),
        theme: Some(text("theme")).filter(|theme| !theme.is_empty()),
        title: text("title"),
        place: text("place"),
        entrance: text("entrance"),
        poster: form.value("poster").replace("\r\n", "\n").trim().to_owned(),
        // A time that is missing has its own fault and needs no second one.
        starts_ms: starts.or(ends.map(|ends| ends.plus(-MINUTE))).unwrap_or_default().0,
        ends_ms: ends.or(starts.map(|starts| starts.plus(MINUTE))).unwrap_or(Millis(MINUTE)).0,
        time_zone: text("time_zone"),
        status: "draft".to_owned(),
        offers: Vec::new(),
    };
    blame(form, rules::event_faults(&draft));
    form.is_sound().then_some(draft)
}

/// The form of a new offer: booking opens now and closes when the event begins.
pub(super) fn blank_offer(event: &Event, now: Millis) -> Typed {
    let zone = zone(&event.time_zone);
    Typed::of([
        ("opens", local_time::write(now, &zone)),
        ("closes", local_time::write(event.starts_ms, &zone)),
        ("per_person", "1".to_owned()),
        ("guests_max", "0".to_owned()),
        ("eligibility", "members".to_owned()),
        ("mode", "first_come".to_owned()),
        ("weight_drives", "0".to_owned()),
        ("accept", "120".to_owned()),
    ])
}

/// The form of an offer as it is.
pub(super) fn form_of_offer(
    event: &Event,
    offer: &Offer,
    unions: &[(String, String)],
    floors: &[(String, i64)],
) -> Typed {
    let zone = zone(&event.time_zone);
    let mut form = Typed::of([
        ("name", offer.name.clone()),
        ("quota", offer.quota.to_string()),
        ("opens", local_time::write(offer.opens_ms, &zone)),
        ("closes", local_time::write(offer.closes_ms, &zone)),
        ("cancel_until", local_time::write(offer.cancel_until_ms, &zone)),
        ("per_person", offer.per_person.to_string()),
        ("guests_max", offer.guests_max.to_string()),
        ("eligibility", offer.eligibility.clone()),
        ("mode", offer.mode.clone()),
        ("weight_drives", offer.weight_drives.to_string()),
        ("waiting_list", if offer.waiting_list { "yes" } else { "" }.to_owned()),
        ("accept", (offer.accept_ms / MINUTE).to_string()),
        ("hold", offer.hold_ms.map(|ms| (ms / MINUTE).to_string()).unwrap_or_default()),
        ("contribution", yuan(offer.contribution_cents)),
        ("uses", offer.uses.to_string()),
        ("reentry", if offer.reentry { "yes" } else { "" }.to_owned()),
        ("moving_code", if offer.moving_code { "yes" } else { "" }.to_owned()),
        ("walk_ins", offer.walk_ins.to_string()),
        ("no_shows_count", if offer.no_shows_count { "yes" } else { "" }.to_owned()),
        (
            "flow_back",
            offer.flows_back().map(|at| local_time::write(at, &zone)).unwrap_or_default(),
        ),
        ("limit_event", written(offer.limit_event)),
        ("limit_month", written(offer.limit_month)),
        ("limit_year", written(offer.limit_year)),
        ("valid_from", local_time::write(offer.valid_from_ms, &zone)),
        ("valid_to", local_time::write(offer.valid_to_ms, &zone)),
    ]);
    for (id, _) in unions {
        form.add("unions", id.clone());
    }
    for (id, places) in floors {
        form.add(&floor_field(id), places.to_string());
    }
    form
}

/// The draft in `form`, with times on the clocks of the event. `None` when something is wrong with it; the faults are
/// noted in the form. What the form does not ask for stays as it is in `before`.
pub(super) fn offer(form: &mut Typed, event: &Event, before: Option<&Offer>) -> Option<OfferDraft> {
    let zone = zone(&event.time_zone);
    let opens = moment(form, "opens", &zone, "报名开始时间", "when booking opens");
    let closes = moment(form, "closes", &zone, "报名截止时间", "when booking closes");
    let cancel_until = optional(form, "cancel_until", &zone);
    let flow_back = optional(form, "flow_back", &zone);
    let valid_from = optional(form, "valid_from", &zone);
    let valid_to = optional(form, "valid_to", &zone);
    let unions = form.values("unions").map(str::to_owned).collect();
    let before = before.map_or_else(|| OfferDraft::plain("", 0, 0, 0), OfferDraft::from);
    let accept = optional_number(form, "accept", "确认的时间", "how long one may take to accept");
    let hold = optional_number(form, "hold", "保留的时间", "how long a place is held");
    let floors = floors(form);
    let draft = OfferDraft {
        name: form.value("name").trim().to_owned(),
        mode: Some(form.value("mode").to_owned())
            .filter(|mode| !mode.is_empty())
            .unwrap_or_else(|| before.mode.clone()),
        weight_drives: optional_number(form, "weight_drives", "次数", "how many").unwrap_or(0),
        uses: optional_number(form, "uses", "可兑换次数", "how often").unwrap_or(before.uses),
        reentry: form.has("reentry", "yes"),
        moving_code: form.has("moving_code", "yes"),
        walk_ins: optional_number(form, "walk_ins", "现场名额", "places at the door")
            .unwrap_or(before.walk_ins),
        quota: number(form, "quota", "名额", "how many places there are"),
        opens_ms: opens.or(closes.map(|closes| closes.plus(-MINUTE))).unwrap_or_default().0,
        closes_ms: closes.or(opens.map(|opens| opens.plus(MINUTE))).unwrap_or(Millis(MINUTE)).0,
        cancel_until_ms: cancel_until.map(|until| until.0),
        per_person: number(form, "per_person", "每人限额", "the limit per person"),
        guests_max: number(form, "guests_max", "随行人数", "how many companions"),
        eligibility: form.value("eligibility").to_owned(),
        unions,
        floors: Some(floors),
        flow_back_ms: flow_back.map(|at| at.0),
        valid_from_ms: valid_from.map(|from| from.0),
        valid_to_ms: valid_to.map(|to| to.0),
        waiting_list: form.has("waiting_list", "yes"),
        no_shows_count: form.has("no_shows_count", "yes"),
        accept_ms: accept.map_or(before.accept_ms, |minutes| minutes.saturating_mul(MINUTE)),
        hold_ms: hold.map(|minutes| minutes.saturating_mul(MINUTE)),
        contribution_cents: cents(form, "contribution"),
        batch: batch(form),
        limit_event: optional_number(form, "limit_event", "限额", "the limit"),
        limit_month: optional_number(form, "limit_month", "限额", "the limit"),
        limit_year: optional_number(form, "limit_year", "限额", "the limit"),
    };
    blame(form, rules::offer_faults(&draft));
    if form.is_sound()
        && let Err(error) = rules::windows(&draft, event.starts_ms, event.ends_ms)
    {
        form.blame("valid_to", error.problem().refused);
    }
    form.is_sound().then_some(draft)
}

/// The name of the field of a union's places that are set aside.
pub(super) fn floor_field(union_id: &str) -> String {
    format!("{FLOOR}{union_id}")
}

/// Places set aside for unions: those that are neither empty nor nought. Only a draw has any.
fn floors(form: &mut Typed) -> Vec<FloorDraft> {
    if form.value("mode") != "draw" {
        return Vec::new();
    }
    let typed = form.beginning(FLOOR).filter(|(_, places)| !places.trim().is_empty());
    let unions: Vec<String> = typed.map(|(union, _)| union.to_owned()).collect();
    let mut floors = Vec::new();
    for union in unions {
        match form.number(&floor_field(&union)) {
            Some(0) => {}
            Some(places) => floors.push(FloorDraft { union, places }),
            None => form
                .blame("floors", missing("保底名额，要用数字", "the places set aside, in figures")),
        }
    }
    floors
}

/// The voucher terms in `form`; none where no venue was chosen.
fn batch(form: &mut Typed) -> Option<BatchDraft> {
    if form.value("venue").is_empty() {
        return None;
    }
    let (face_cents, price_cents) = (cents(form, "face"), cents(form, "price"));
    let companions = optional_number(form, "companions", "同行人数", "how many companions");
    Some(BatchDraft {
        venue: form.value("venue").to_owned(),
        face_cents,
        price_cents,
        weekdays: form.values("weekday").filter_map(|day| day.parse().ok()).collect(),
        closed: voucher::batch::dates(form.value("closed")),
        companions: companions.unwrap_or(0),
    })
}

/// Adds the voucher terms of an offer to its form.
pub(super) fn add_batch(form: &mut Typed, terms: &BatchDraft) {
    form.add("venue", terms.venue.clone());
    form.add("face", yuan(terms.face_cents));
    form.add("price", yuan(terms.price_cents));
    form.add("companions", terms.companions.to_string());
    form.add("closed", terms.closed.join("\n"));
    for day in &terms.weekdays {
        form.add("weekday", day.to_string());
    }
}

/// Puts each fault beside the field that it is about.
pub(super) fn blame(form: &mut Typed, faults: Vec<Refused>) {
    for refused in faults {
        let field = match refused.code {
            "ends_before_start" => "ends",
            "closes_before_open" => "closes",
            "guests_over_limit" => "guests_max",
            "accept_ms" => "accept",
            "hold_ms" => "hold",
            "contribution_cents" | "contribution_over_price" => "contribution",
            "face_cents" => "face",
            "price_cents" | "price_over_face" => "price",
            code => code,
        };
        form.blame(field, refused);
    }
}

fn moment(form: &mut Typed, field: &str, zone: &TimeZone, zh: &str, en: &str) -> Option<Millis> {
    let moment = local_time::read(form.value(field), zone);
    if moment.is_none() {
        form.blame(field, missing(zh, en));
    }
    moment
}

fn optional(form: &mut Typed, field: &str, zone: &TimeZone) -> Option<Millis> {
    if form.value(field).trim().is_empty() {
        return None;
    }
    moment(form, field, zone, "日期和时间，或留空", "a date and a time, or nothing")
}

/// A number that is missing is noted; what stands for it is within every limit, so that it has no second fault.
fn number(form: &mut Typed, field: &str, zh: &str, en: &str) -> i64 {
    form.number(field).unwrap_or_else(|| {
        form.blame(field, missing(&format!("{zh}，要用数字"), &format!("{en}, in figures")));
        i64::from(field != "guests_max")
    })
}

/// A number, or nothing. What is neither is noted.
fn optional_number(form: &mut Typed, field: &str, zh: &str, en: &str) -> Option<i64> {
    if form.value(field).trim().is_empty() {
        return None;
    }
    let number = form.number(field);
    if number.is_none() {
        form.blame(field, missing(&format!("{zh}，要用数字"), &format!("{en}, in figures")));
    }
    number
}

/// An amount in cents, typed in yuan with at most two decimals; nothing is nought.
fn cents(form: &mut Typed, field: &str) -> i64 {
    form.cents(field).unwrap_or_else(|| {
        form.blame(field, missing("金额，例如 10 或 10.50", "an amount, such as 10 or 10.50"));
        0
    })
}

fn yuan(cents: i64) -> String {
    if cents == 0 { String::new() } else { form::yuan(cents) }
}

fn written(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn missing(zh: &str, en: &str) -> Refused {
    Refused::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "missing",
        format!("请填写{zh}。"),
        format!("Please fill in {en}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_stands_beside_its_field() {
        let mut form = Typed::of([
            ("kind", "contest".to_owned()),
            ("starts", "2027-03-05T14:00".to_owned()),
            ("ends", "2027-03-05T13:00".to_owned()),
            ("place", "镇文体中心".to_owned()),
            ("time_zone", "Asia/Shanghai".to_owned()),
        ]);
        assert!(event(&mut form).is_none());
        assert_eq!(form.fault("ends").map(|fault| fault.code), Some("ends_before_start"));
        assert_eq!(form.fault("title").map(|fault| fault.code), Some("title"));
        assert_eq!(form.fault("place"), None);
    }

    #[test]
    fn a_missing_time_is_one_fault() {
        let mut form = blank_event();
        form.add("title", "讲座".to_owned());
        form.add("place", "礼堂".to_owned());
        form.add("starts", "2027-03-05T14:00".to_owned());
        assert!(event(&mut form).is_none());
        assert_eq!(form.fault("ends").map(|fault| fault.code), Some("missing"));
        assert_eq!(form.fault("starts"), None);
    }
}
