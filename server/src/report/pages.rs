//! `/admin/report`: the year as a page, a spreadsheet and a PDF.

use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::get,
};
use rust_xlsxwriter::{Workbook, XlsxError};
use serde::Deserialize;

use super::{
    figures::{self, ZONE},
    tables::{Table, Value, sentence, tables},
};
use crate::{
    App, audit,
    checkin::sheet::{Cell, Sheet},
    error::{Error, Result},
    pdf::{Align, Column, Pdf},
    voucher::settlement::year::Books,
    web::{Frame, access::Staff, attachment, frame::zone, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/report", get(show))
        .route("/admin/report.xlsx", get(spreadsheet))
        .route("/admin/report.pdf", get(document))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    year: Option<i16>,
}

/// A year's report, computed.
struct Report {
    year: i16,
    sentence: String,
    tables: Vec<Table>,
    /// Ids of the events, in the order of the table that lists them.
    events: Vec<String>,
}

async fn report(app: &App, frame: &Frame, asked: &Asked) -> Result<Report> {
    let this = admission::say::zoned(frame.now, &zone(ZONE)).year();
    let year = asked.year.unwrap_or(this);
    if !(2000..=2100).contains(&year) {
        return Err(Error::NotFound);
    }
    let mut tx = app.db.read().await?;
    let books = Books::read(&mut tx, frame.now).await?;
    let held = figures::of_year(&mut tx, &books, year, frame.now).await?;
    let before = figures::of_year(&mut tx, &books, year - 1, frame.now).await?;
    let roster = figures::roster(&mut tx).await?;
    Ok(Report {
        year,
        sentence: sentence(&held),
        tables: tables(frame, (&held, &before), roster),
        events: held.events.into_iter().map(|held| held.event.id).collect(),
    })
}

#[derive(Template)]
#[template(path = "report/show.html")]
struct ReportPage {
    frame: Frame,
    report: Report,
    /// Years to choose from.
    years: Vec<i16>,
}

impl ReportPage {
    /// The rows of a table, each with the costs of its event where the table lists events.
    fn rows<'a>(&self, table: &'a Table) -> Vec<(String, &'a [Value])> {
        let lists_events = table.title == self.frame.t("各场明细", "Every event");
        let costs = |at: usize| {
            let id = self.report.events.get(at).filter(|_| lists_events);
            id.map(|id| format!("/admin/events/{id}/costs")).unwrap_or_default()
        };
        table.rows.iter().enumerate().map(|(at, row)| (costs(at), row.as_slice())).collect()
    }
}

/// `GET /admin/report?year=2026`.
async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let report = report(&app, &frame, &asked).await?;
    let this = admission::say::zoned(frame.now, &zone(ZONE)).year();
    let mut years: Vec<i16> = (this - 4..=this).rev().collect();
    if !years.contains(&report.year) {
        years.push(report.year);
    }
    page(&ReportPage { frame, report, years })
}

/// The report that leaves the house as a file; it is written down who took it.
async fn taken(app: &App, frame: &Frame, staff: &Staff, asked: &Asked) -> Result<Report> {
    let report = report(app, frame, asked).await?;
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, staff, "report.year", &report.year.to_string(), "", app.clock.now())
        .await?;
    tx.commit().await?;
    Ok(report)
}

/// `GET /admin/report.xlsx?year=2026`.
async fn spreadsheet(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let report = taken(&app, &frame, &staff, &asked).await?;
    let file = write(&frame, &report).map_err(anyhow::Error::from)?;
    Ok(attachment("report.xlsx", &format!("{}年工会工作数据.xlsx", report.year), file))
}

fn write(frame: &Frame, report: &Report) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    for (at, table) in report.tables.iter().enumerate() {
        let mut sheet = Sheet::add(&mut book, &table.title.replace(['（', '）'], " "))?;
        sheet.widths(&[28.0, 14.0, 12.0, 12.0, 14.0, 12.0, 12.0, 12.0])?;
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        sheet.heading(&columns)?;
        for row in &table.rows {
            let cells: Vec<Cell> = row.iter().map(|value| value.cell(frame)).collect();
            sheet.row(&cells)?;
        }
        if !table.note.is_empty() {
            sheet.skip();
            sheet.row(&[table.note.as_str().into()])?;
        }
        if at == 0 {
            sheet.row(&[report.sentence.as_str().into()])?;
        }
    }
    book.save_to_buffer()
}

/// `GET /admin/report.pdf?year=2026`.
async fn document(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let report = taken(&app, &frame, &staff, &asked).await?;
    let mut pdf = Pdf::new(&format!("{} 年工会工作数据", report.year));
    pdf.paragraph(&report.sentence);
    for table in &report.tables {
        pdf.heading(&table.title);
        let said = |row: &Vec<Value>| row.iter().map(|value| value.said(&frame)).collect();
        let rows: Vec<Vec<String>> = table.rows.iter().map(said).collect();
        let is_figure = |at: usize| table.rows.iter().any(|row| row[at].is_figure());
        let columns: Vec<Column<'_>> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, heading)| {
                let align = if is_figure(at) { Align::Right } else { Align::Left };
                // A figure needs its room; names take what is left.
                let widest =
                    || rows.iter().map(|row| width(&row[at])).fold(width(heading), f64::max);
                let share = match align {
                    Align::Left if at < 2 => 7.0,
                    Align::Left => 4.0,
                    Align::Right => widest() + 1.0,
                };
                Column { heading, share, align }
            })
            .collect();
        pdf.table(&columns, &rows);
        if !table.note.is_empty() {
            pdf.paragraph(&table.note);
        }
    }
    let name = format!("{}年工会工作数据.pdf", report.year);
    Ok(attachment("report.pdf", &name, pdf.finish()))
}

/// About how wide a text is, in Chinese characters.
fn width(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 0.55 } else { 1.0 }).sum()
}
