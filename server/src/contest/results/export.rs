//! `/admin/events/{event}/results.xlsx`: places, organisations and every match, as a spreadsheet.

use axum::{
    extract::{Path, State},
    response::Response,
};
use rust_xlsxwriter::{Workbook, XlsxError};

use super::places::{self, Organisation, Placed};
use crate::{
    App, audit,
    checkin::export::sheet::{Cell, Sheet},
    contest::{
        MatchState, Side,
        play::view::{Book, MatchView},
        queries as contest,
    },
    error::Result,
    event,
    web::{Frame, access::Staff, attachment},
};

struct Report {
    frame: Frame,
    all: Vec<(String, Vec<Placed>)>,
    organisations: Vec<Organisation>,
    matches: Vec<MatchView>,
}

/// `GET /admin/events/{event}/results.xlsx`. Personal data leaves the house, so it is written down who took it.
pub(super) async fn export(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let book = Book::open(&mut tx, &id, frame.lang, false).await?;
    let (mut all, mut matches) = (Vec::new(), Vec::new());
    for discipline in &book.disciplines {
        all.push((discipline.name.clone(), places::of_discipline(&mut tx, discipline).await?));
        let found = contest::matches(&mut tx, &discipline.id).await?;
        let ended = found.iter().filter(|found| found.state == MatchState::Ended);
        matches.extend(ended.filter_map(|found| book.view(found)));
    }
    let worth = places::points(&mut tx, &id).await?;
    drop(tx);
    let placed: Vec<Vec<Placed>> = all.iter().map(|(_, placed)| placed.clone()).collect();
    let organisations = places::organisations(&placed, &worth);
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, &staff, "results.export", &id, "", frame.now).await?;
    tx.commit().await?;
    let name = format!("{}-{}.xlsx", event.title, frame.t("成绩", "results"));
    let report = Report { frame, all, organisations, matches };
    let file = tokio::task::spawn_blocking(move || report.write())
        .await
        .map_err(anyhow::Error::from)?
        .map_err(anyhow::Error::from)?;
    Ok(attachment("results.xlsx", &name, file))
}

impl Report {
    fn write(self) -> Result<Vec<u8>, XlsxError> {
        let frame = &self.frame;
        let mut book = Workbook::new();
        let mut sheet = Sheet::add(&mut book, frame.t("名次", "Places"))?;
        sheet.widths(&[22.0, 8.0, 24.0, 32.0, 10.0, 12.0])?;
        sheet.heading(&["项目", "名次", "选手（队）", "单位", "号码", "净时间"].map(
            |zh| match zh {
                "项目" => frame.t(zh, "Discipline"),
                "名次" => frame.t(zh, "Place"),
                "选手（队）" => frame.t(zh, "Entrant"),
                "单位" => frame.t(zh, "Organisation"),
                "号码" => frame.t(zh, "Bib"),
                _ => frame.t(zh, "Net time"),
            },
        ))?;
        for (discipline, placed) in &self.all {
            for one in placed {
                sheet.row(&[
                    discipline.as_str().into(),
                    one.place.into(),
                    one.entry.name.as_str().into(),
                    one.entry.organisation.as_deref().unwrap_or_default().into(),
                    one.entry.bib.as_deref().unwrap_or_default().into(),
                    one.time.as_deref().unwrap_or_default().into(),
                ])?;
            }
        }
        let mut sheet = Sheet::add(&mut book, frame.t("单位总分", "Organisations"))?;
        sheet.widths(&[8.0, 36.0, 8.0, 8.0, 8.0, 8.0])?;
        sheet.heading(&[
            frame.t("名次", "Rank"),
            frame.t("单位", "Organisation"),
            frame.t("总分", "Points"),
            frame.t("第一", "First"),
            frame.t("第二", "Second"),
            frame.t("第三", "Third"),
        ])?;
        for one in &self.organisations {
            let [first, second, third] = one.medals;
            let rank = i64::try_from(one.rank).unwrap_or(0);
            sheet.row(&[
                rank.into(),
                one.name.as_str().into(),
                one.points.into(),
                first.into(),
                second.into(),
                third.into(),
            ])?;
        }
        let mut sheet = Sheet::add(&mut book, frame.t("比赛", "Matches"))?;
        sheet.widths(&[22.0, 20.0, 24.0, 24.0, 40.0, 24.0])?;
        sheet.heading(&[
            frame.t("项目", "Discipline"),
            frame.t("轮次", "Round"),
            frame.t("甲方", "A"),
            frame.t("乙方", "B"),
            frame.t("比分", "Score"),
            frame.t("胜方", "Winner"),
        ])?;
        for found in &self.matches {
            let winner = found.winner.map_or("", |side: Side| found.side(&side).name.as_str());
            sheet.row(&[
                found.discipline.as_str().into(),
                found.stage.as_str().into(),
                found.a.name.as_str().into(),
                found.b.name.as_str().into(),
                Cell::from(found.said(&frame.lang).as_str()),
                winner.into(),
            ])?;
        }
        book.save_to_buffer()
    }
}
