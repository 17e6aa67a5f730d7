//! A venue's page on a phone: scan or type a voucher, redeem it once, take a mistake back. It works without a network: the
//! phone keeps what was redeemed and sends it later (`counter.js`); without scripts it is plain forms.

use admission::{Reason, Verdict};
use askama::Template;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    benefit::{self, Told},
    redeem::{self, Done, Found, Seen, Wish},
    staff,
    venue::Venue,
};
use crate::{
    App,
    db::new_id,
    error::{Error, Result},
    web::{
        Frame,
        access::Staff,
        form::Typed,
        frame::zone,
        page,
        photo::{self, Codes},
    },
};

/// Wishes of one upload at most.
const UPLOAD_MAX: usize = 100;
/// Why a redemption is taken back, in Chinese and English.
const REASONS: [(&str, &str); 3] = [
    ("扫错了券", "The wrong voucher"),
    ("客人没有入场", "The guest did not come in"),
    ("重复核销", "Redeemed twice"),
];

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/venue", get(show))
        .route("/venue/look", post(look))
        .route("/venue/redemptions", post(add))
        .route("/venue/redemptions/{scan}/undo", post(undo))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// The id of what was just redeemed.
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "voucher/counter.html")]
struct CounterPage {
    frame: Frame,
    venue: Venue,
    /// What was typed or scanned.
    said: String,
    found: Option<Found>,
    /// What is told of somebody who showed a member's code.
    told: Option<Told>,
    /// How many members were counted today.
    members: i64,
    /// It was redeemed just now, not only looked at.
    redeemed: bool,
    done: Vec<Done>,
    /// Names this rendering's tap.
    key: String,
    fault: Option<String>,
}

impl CounterPage {
    async fn read(app: &App, mut frame: Frame, staff: &Staff) -> Result<Self> {
        "/venue".clone_into(&mut frame.path);
        let mut tx = app.db.read().await?;
        let venue = staff::venue_of(&mut tx, staff).await?;
        let clocks = zone("Asia/Shanghai");
        let today = admission::days::date_of(frame.now, &clocks);
        let midnight = admission::days::begin_of(today, &clocks);
        let done = redeem::since(&mut tx, &venue.id, midnight).await?;
        let members = benefit::today(&mut tx, &venue, frame.now).await?;
        let (key, told) = (new_id(frame.now), None);
        let (said, found, redeemed, fault) = (String::new(), None, false, None);
        Ok(Self { frame, venue, said, found, told, members, redeemed, done, key, fault })
    }

    fn counted(&self) -> usize {
        self.done.iter().filter(|done| done.undone_ms.is_none()).count()
    }

    fn reasons(&self) -> Vec<(&'static str, &'static str)> {
        REASONS.map(|(zh, en)| (zh, self.frame.t(zh, en))).to_vec()
    }

    /// What the phone says of a voucher without a network: the case, what it is, what to do. `{}` is when its list was made,
    /// or a day.
    fn away(&self) -> [(&'static str, &'static str, &'static str); 7] {
        let frame = &self.frame;
        [
            (
                "good",
                frame.t("可以使用", "It is good"),
                frame.t(
                    "没有网络，按 {} 的名单核对。核销后有网络时自动上传。",
                    "No network: by the list of {}. It is sent when the network is back.",
                ),
            ),
            (
                "ask",
                frame.t("请核对证件", "Check an ID"),
                frame.t(
                    "没有网络，看不出是不是截图。证件上的姓名和券面一致，再核销（名单是 {} 的）。",
                    "Without a network a screenshot cannot be told. Redeem it when the name on an ID is the voucher's. (By the list of {}.)",
                ),
            ),
            (
                "unknown",
                frame.t("名单里没有这张券", "Not on the list"),
                frame.t(
                    "请核对券号。名单是 {} 的，之后才领的券可以先登记；券无效时不能结算，请向客人要联系方式。",
                    "Check the serial. The list is of {}; a newer voucher may be noted, but one that is not good is not paid for: ask the guest how to reach them.",
                ),
            ),
            (
                "used",
                frame.t("已用完", "Used up"),
                frame.t(
                    "这张券的次数已经用完，请对方联系工会。",
                    "Every use of it is used. Please ask the federation.",
                ),
            ),
            (
                "early",
                frame.t("还没到使用时间", "Too early"),
                frame.t("{} 起可以使用。", "It is good from {}."),
            ),
            (
                "late",
                frame.t("已过期", "Expired"),
                frame.t("这张券已经过期，不能再用。", "It is not good any more."),
            ),
            (
                "closed",
                frame.t("今天不可用", "Not today"),
                frame.t("下一个可用日：{}。", "The next day it is good: {}."),
            ),
        ]
    }

    /// The look of what was found: `ok`, `info` where somebody has to look, `warn`.
    fn look(&self, found: &Found) -> &'static str {
        match &found.verdict {
            Verdict::Admitted if !found.undone => "ok",
            Verdict::Attention(_) => "info",
            _ => "warn",
        }
    }

    /// By what it may be redeemed now, as the form says it: by what was seen to move, or when its holder's ID was looked at.
    /// None: not at all.
    fn redeemable(&self, found: &Found) -> Option<&'static str> {
        match found.verdict.reason() {
            None if self.redeemed => None,
            None => Some(found.seen.map_or("", Seen::word)),
            Some(Reason::ShowId | Reason::StaleCode) => Some(Seen::Id.word()),
            Some(_) => None,
        }
    }

    fn headline(&self, found: &Found) -> String {
        if !self.redeemed && found.verdict.is_admitted() {
            return self.frame.t("可以使用", "It is good").to_owned();
        }
        found.words(self.frame.lang).headline
    }

    fn next(&self, found: &Found) -> String {
        if self.redeemed || !found.verdict.is_admitted() {
            found.words(self.frame.lang).next
        } else {
            String::new()
        }
    }
}

/// `GET /venue`.
async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut shown = CounterPage::read(&app, frame, &staff).await?;
    let is_it = |done: &&Done| !asked.done.is_empty() && done.id.ends_with(&asked.done);
    if let Some(done) = shown.done.iter().find(is_it) {
        let (said, undone) = (done.serial(), done.undone_ms.is_some());
        let found = redeem::look(&app, &staff, &said).await?;
        shown.found = Some(Found { verdict: Verdict::Admitted, undone, ..found });
        shown.redeemed = true;
    }
    page(&shown)
}

/// `POST /venue/look`: what the voucher is worth, of which nothing is redeemed; or whether whoever shows a member's code
/// is one, which counts.
async fn look(State(app): State<App>, staff: Staff, frame: Frame, form: Typed) -> Result<Response> {
    let said = form.value("said").trim().to_owned();
    if benefit::is_code(&said) {
        let made = new_id(frame.now);
        let id = Some(form.value("id")).filter(|id| !id.is_empty()).unwrap_or(&made);
        let told = benefit::count(&app, &staff, id, &said).await?;
        let shown = CounterPage::read(&app, frame, &staff).await?;
        return page(&CounterPage { told: Some(told), ..shown });
    }
    let found = redeem::look(&app, &staff, &said).await?;
    let shown = CounterPage::read(&app, frame, &staff).await?;
    page(&CounterPage { found: Some(found), said, ..shown })
}

/// `POST /venue/redemptions`: redeems once, from the form.
async fn add(State(app): State<App>, staff: Staff, frame: Frame, form: Typed) -> Result<Response> {
    let (id, said) = (form.value("id").to_owned(), form.value("said").to_owned());
    let seen = Seen::from_word(form.value("seen"));
    let wish = Wish { id: id.clone(), said: said.clone(), age_ms: 0, at_ms: frame.now.0, seen };
    let found = redeem::redeem(&app, &staff, &wish).await?;
    if found.verdict.is_admitted() {
        return Ok(Redirect::to(&format!("/venue?done={id}")).into_response());
    }
    let shown = CounterPage::read(&app, frame, &staff).await?;
    let again = CounterPage { found: Some(found), said, redeemed: true, ..shown };
    Ok((StatusCode::CONFLICT, page(&again)?).into_response())
}

/// `POST /venue/redemptions/{scan}/undo`: takes a redemption of today back.
async fn undo(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    match redeem::undo(&app, &staff, &id, form.value("reason")).await {
        Ok(()) => Ok(Redirect::to("/venue").into_response()),
        Err(Error::Invalid(refused)) => {
            let shown = CounterPage::read(&app, frame, &staff).await?;
            let fault = Some(refused.text(shown.frame.lang).to_owned());
            Ok((refused.status, page(&CounterPage { fault, ..shown })?).into_response())
        }
        Err(error) => Err(error),
    }
}

/// Vouchers that a phone redeemed, or wants to.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Upload {
    /// In the order they happened; 100 at most.
    redemptions: Vec<WishJson>,
}

/// A voucher that is to be redeemed once.
#[derive(Debug, Deserialize, ToSchema)]
struct WishJson {
    /// Made by the phone, 8 to 60 letters, digits and dashes. Sending the same again changes nothing.
    id: String,
    /// The code that was scanned, or the serial that was typed.
    said: String,
    /// How many milliseconds ago.
    #[serde(default)]
    age_ms: i64,
    /// The phone's clock at the time, milliseconds since 1970.
    at_ms: i64,
    /// For vouchers that ask for a moving code: by what the holder is known to be there. Left out, the code is asked.
    #[serde(default)]
    seen: Option<Seen>,
}

/// What came of an upload, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Uploaded {
    results: Vec<FoundJson>,
}

/// What came of one of them.
#[derive(Debug, Serialize, ToSchema)]
struct FoundJson {
    id: String,
    /// `admitted`, `refused`, or `attention` when an ID is to be looked at.
    verdict: &'static str,
    reason: Option<&'static str>,
    /// In two to six characters.
    headline: String,
    /// What the holder does next.
    next: String,
    /// It was decided some time after it was done.
    late: bool,
    serial: Option<String>,
    /// The holder's name, masked.
    holder: Option<String>,
    batch: Option<String>,
    /// How often it may still be redeemed, and how often in all.
    left: Option<u8>,
    of: Option<u8>,
}

/// Redeems vouchers at the caller's venue, each once.
#[utoipa::path(post, path = "/venue/redemptions", request_body = Upload,
    responses((status = 200, body = Uploaded), (status = 403), (status = 422)))]
pub(super) async fn upload(
    State(app): State<App>,
    staff: Staff,
    frame: Frame,
    Json(Upload { redemptions }): Json<Upload>,
) -> Result<Json<Uploaded>> {
    if redemptions.len() > UPLOAD_MAX {
        return Err(Error::invalid(
            "redemptions",
            format!("一次最多 {UPLOAD_MAX} 条。"),
            format!("At most {UPLOAD_MAX} at once."),
        ));
    }
    let mut results = Vec::with_capacity(redemptions.len());
    for WishJson { id, said, age_ms, at_ms, seen } in redemptions {
        let wish = Wish { id: id.clone(), said, age_ms, at_ms, seen };
        let found = redeem::redeem(&app, &staff, &wish).await?;
        let words = found.words(frame.lang);
        let voucher = found.voucher.as_ref();
        results.push(FoundJson {
            id,
            verdict: found.verdict.word(),
            reason: found.verdict.reason().map(admission::Reason::word),
            headline: words.headline,
            next: words.next,
            late: found.late,
            serial: voucher.map(|voucher| voucher.serial.clone()),
            holder: voucher.map(|voucher| voucher.holder.clone()),
            batch: voucher.map(|voucher| voucher.batch.clone()),
            left: voucher.map(|voucher| voucher.left),
            of: voucher.map(|voucher| voucher.of),
        });
    }
    Ok(Json(Uploaded { results }))
}

/// Reads the codes of a photograph (JPEG, PNG, WebP), for phones whose browser cannot.
#[utoipa::path(post, path = "/venue/codes", request_body = Vec<u8>,
    responses((status = 200, body = Codes), (status = 422), (status = 503)))]
pub(super) async fn codes(_: Staff, picture: Bytes) -> Result<Json<Codes>> {
    photo::codes(picture).await
}
