//! One match at the desk, with its history; and the page on an umpire's phone.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use super::{
    super::{MatchState, Outcome, Side, queries as contest},
    api::done,
    desk::back,
    queries::{self, Told},
    record::{self, Report},
    scorer::By,
    view::{Book, MatchView},
};
use crate::{
    App,
    db::new_id,
    error::{Error, Refused, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, page},
};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/matches/{match}", get(show).post(save))
        .route("/events/{event}/umpire", get(umpire))
}

#[derive(Template)]
#[template(path = "contest/play/match.html")]
struct MatchPage {
    frame: Frame,
    form: Typed,
    event: Event,
    found: MatchView,
    history: Vec<Told>,
    refused: Option<Refused>,
    /// How many lines can be filled in.
    lines: usize,
}

impl MatchPage {
    fn is_over(&self) -> bool {
        self.found.state == MatchState::Ended
    }

    fn state(&self) -> &'static str {
        self.found.state.said(self.frame.lang)
    }

    fn refusal<'a>(&self, refused: &'a Refused) -> &'a str {
        refused.text(self.frame.lang)
    }

    fn line(&self, number: &usize) -> String {
        match self.found.rule.halves.map(usize::from) {
            Some(halves) if *number >= halves => self.frame.t("加时", "Extra time").to_owned(),
            Some(2) => self
                .frame
                .t(["上半场", "下半场"][*number % 2], ["1st half", "2nd half"][*number % 2])
                .to_owned(),
            Some(_) => {
                self.frame.say(format!("第 {} 节", number + 1), format!("Part {}", number + 1))
            }
            None => self.frame.say(format!("第 {} 局", number + 1), format!("Game {}", number + 1)),
        }
    }

    fn value(&self, side: &str, number: &usize) -> String {
        self.form.value(&format!("{side}{number}")).to_owned()
    }

    fn action(&self, told: &Told) -> &'static str {
        let (zh, en) = match told.action.as_str() {
            "called" => ("叫号", "Called"),
            "uncalled" => ("收回叫号", "Call taken back"),
            "started" => ("开始", "Began"),
            "result" => ("结果", "Result"),
            "correction" => ("更正", "Corrected"),
            _ => ("改动", "Changed"),
        };
        self.frame.t(zh, en)
    }

    /// What a line of the history says of the score.
    fn score(&self, told: &Told) -> String {
        let said =
            |text: &Option<String>| text.as_deref().map(|text| self.told(text)).unwrap_or_default();
        match (&told.before, &told.after) {
            (Some(_), Some(_)) => format!("{} → {}", said(&told.before), said(&told.after)),
            _ => said(&told.after),
        }
    }

    fn told(&self, text: &str) -> String {
        let Ok(score) = serde_json::from_str::<serde_json::Value>(text) else {
            return String::new();
        };
        let games = score["games"].as_array().into_iter().flatten();
        let games: Vec<String> = games.map(|game| format!("{}:{}", game[0], game[1])).collect();
        let outcome = score["outcome"].as_str().and_then(Outcome::from_word);
        match outcome {
            Some(Outcome::Played) | None => games.join(" "),
            Some(outcome) => format!("{} {}", games.join(" "), outcome.said(self.frame.lang)),
        }
    }
}

/// `GET /admin/matches/{match}`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    page(&read(&app, &id, frame, None, None).await?)
}

async fn read(
    app: &App,
    id: &str,
    frame: Frame,
    form: Option<Typed>,
    refused: Option<Refused>,
) -> Result<MatchPage> {
    let mut tx = app.db.read().await?;
    let found = contest::match_(&mut tx, id).await?;
    let event = event::queries::event(&mut tx, &found.event_id).await?;
    let book = Book::open(&mut tx, &event.id, frame.lang, false).await?;
    let found = book.view(&found).ok_or(Error::NotFound)?;
    let history = queries::history(&mut tx, id).await?;
    let lines = match (found.rule.best_of, found.rule.halves) {
        (Some(best_of), _) => best_of.into(),
        (None, halves) => usize::from(halves.unwrap_or(1)) + usize::from(found.knockout),
    };
    let form = form.unwrap_or_else(|| filled(&found));
    Ok(MatchPage { frame, form, event, found, history, refused, lines })
}

fn filled(found: &MatchView) -> Typed {
    let mut form = Typed::of([("version", found.version.to_string())]);
    for (number, [a, b]) in found.games.iter().enumerate() {
        form.add(&format!("a{number}"), a.to_string());
        form.add(&format!("b{number}"), b.to_string());
    }
    if let Some([a, b]) = found.shootout {
        form.add("shootout_a", a.to_string());
        form.add("shootout_b", b.to_string());
    }
    let gone = match (found.outcome, found.winner) {
        (None | Some(Outcome::Played), _) => "played".to_owned(),
        (Some(outcome), Some(winner)) => format!("{}_{}", outcome.word(), winner.other().word()),
        (Some(outcome), None) => outcome.word().to_owned(),
    };
    form.add("ending", gone);
    form
}

/// `POST /admin/matches/{match}`: the result, or a correction of it. What was typed stays.
async fn save(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    let saved = async {
        let sent = sent(&form, new_id(frame.now))?;
        let mut tx = app.db.write().await?;
        let over = contest::match_(&mut tx, &id).await?.state == MatchState::Ended;
        let by = By::Staff(staff.clone());
        let found = if over {
            if !By::Staff(staff).decides() {
                return Err(Error::Forbidden);
            }
            record::correct(&mut tx, &by, &id, &sent, frame.now).await?
        } else {
            record::report(&mut tx, &by, &id, &sent, frame.now).await?
        };
        done(&app, tx, &found.event_id).await?;
        Ok(found.event_id)
    };
    match saved.await {
        Ok(event_id) => Ok(back(&event_id)),
        Err(Error::Refused(refused) | Error::Invalid(refused)) => {
            frame.path = format!("/admin/matches/{id}");
            let status = refused.status;
            let mut response = page(&read(&app, &id, frame, Some(form), Some(refused)).await?)?;
            *response.status_mut() = status;
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

/// What the form says. Empty lines at the end were not played.
fn sent(form: &Typed, key: String) -> Result<Report> {
    let pair = |a: &str, b: &str| -> Result<Option<[i64; 2]>> {
        match (form.value(a).trim(), form.value(b).trim()) {
            ("", "") => Ok(None),
            _ => match (form.number(a), form.number(b)) {
                (Some(a), Some(b)) => Ok(Some([a, b])),
                _ => Err(Error::invalid(
                    "score",
                    "比分请填写数字，两边都要填。",
                    "Scores are numbers; fill in both sides.",
                )),
            },
        }
    };
    let mut games = Vec::new();
    for number in 0..32 {
        match pair(&format!("a{number}"), &format!("b{number}"))? {
            Some(game) => games.push(game),
            None => break,
        }
    }
    let (outcome, gone) = match form.value("ending").rsplit_once('_') {
        Some((outcome, side)) => (Outcome::from_word(outcome), Side::from_word(side)),
        None => (Outcome::from_word(form.value("ending")), None),
    };
    Ok(Report {
        key,
        version: form.number("version").unwrap_or(-1),
        games,
        shootout: pair("shootout_a", "shootout_b")?,
        outcome: Some(outcome.unwrap_or(Outcome::Played)),
        gone,
        reason: form.value("reason").to_owned(),
    })
}

#[derive(Template)]
#[template(path = "contest/play/umpire.html")]
struct UmpirePage {
    frame: Frame,
    event: Event,
}

/// `GET /events/{event}/umpire`: the page alone; what it shows it asks for with the link's secret, or as staff.
async fn umpire(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    page(&UmpirePage { frame, event })
}

impl UmpirePage {
    /// What the script says, in the reader's language, as JSON.
    fn words(&self) -> String {
        let t = |zh, en| self.frame.t(zh, en);
        serde_json::json!({
            "none": t("现在没有叫到您这张台的比赛。叫号后会自动出现。", "No match is called to your court. It will appear by itself."),
            "signedOut": t("链接无效或已停用，请向赛务台要新的链接。", "The link is not good any more. Ask the desk for a new one."),
            "ended": t("已结束", "Over"), "called": t("请到场", "Called"), "playing": t("进行中", "Playing"),
            "game": t("第 {n} 局", "Game {n}"), "half": t("第 {n} 节", "Part {n}"), "extra": t("加时", "Extra time"),
            "shootout": t("点球", "Shoot-out"), "won": t("{name} 胜", "{name} wins"),
            "nextGame": t("第 {n} 局 {score}，开始下一局", "Game {n} {score}: next game"),
            "nextPart": t("进入下一节", "Next part"), "toExtra": t("进入加时", "Extra time"), "toShootout": t("点球决胜", "Shoot-out"),
            "finish": t("确认结果 {score}", "Confirm {score}"), "draw": t("平局", "Draw"),
            "saved": t("已保存", "Saved"), "saving": t("正在保存…", "Saving…"),
            "offline": t("没有网络，先记在手机里，恢复后自动补传", "No network: kept on the phone, sent later"),
            "over": t("比赛结束", "Match over"), "back": t("回到列表", "Back to the list"),
            "walkover": t("{name} 弃权（未到场）", "{name} did not come"), "retired": t("{name} 中途退赛", "{name} gives up"),
            "here": t("{name} 到场", "{name} is here"), "isHere": t("{name} 已到 ✓", "{name} is here ✓"),
            "late": t("判 {name} 迟到弃权", "{name} is late: walk-over"),
            "neither": t("双方都弃权", "Neither came"), "tie": t("团体赛：请给各单项记分", "Score its single matches"),
        })
        .to_string()
    }
}
