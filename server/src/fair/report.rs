//! The report that the federation must write about a fair: a page, a spreadsheet and a PDF, all computed from rows.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use rust_xlsxwriter::{Workbook, XlsxError};

use super::{
    figures::{self, Figures, StandFigure},
    pages::fair,
};
use crate::{
    App, audit,
    checkin::sheet::Sheet,
    error::Result,
    event::Event,
    pdf::{Align, Column, Pdf},
    web::{Frame, access::Staff, attachment, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/fair/report", get(show))
        .route("/admin/events/{event}/fair/report.xlsx", get(spreadsheet))
        .route("/admin/events/{event}/fair/report.pdf", get(document))
}

/// One figure of the report: what, how much, of what unit, counted how.
struct Line {
    what: &'static str,
    count: i64,
    unit: &'static str,
    how: String,
}

#[derive(Template)]
#[template(path = "fair/report.html")]
struct ReportPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    figures: Figures,
    lines: Vec<Line>,
    /// In the federation's own sentence.
    sentence: String,
}

/// `GET /admin/events/{event}/fair/report`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let figures = figures::of(&mut tx, &event, frame.now).await?;
    let (lines, sentence) = (lines(&figures, &frame), sentence(&event, &figures));
    page(&ReportPage { frame, event, tab: "fair", figures, lines, sentence })
}

/// The figures that leave the house as a file; it is written down who took them. They are read first: on SQLite a
/// transaction for writing holds up everybody who books.
async fn taken(app: &App, id: &str, staff: &Staff, frame: &Frame) -> Result<(Event, Figures)> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, frame, id).await?;
    let figures = figures::of(&mut tx, &event, frame.now).await?;
    drop(tx);
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, staff, "fair.report", id, "", app.clock.now()).await?;
    tx.commit().await?;
    Ok((event, figures))
}

/// `GET /admin/events/{event}/fair/report.xlsx`.
async fn spreadsheet(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let (event, figures) = taken(&app, &id, &staff, &frame).await?;
    let name = format!("{}-总结.xlsx", event.title);
    let file = write(&frame, &event, &figures).map_err(anyhow::Error::from)?;
    Ok(attachment("report.xlsx", &name, file))
}

/// `GET /admin/events/{event}/fair/report.pdf`.
async fn document(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let (event, figures) = taken(&app, &id, &staff, &frame).await?;
    let name = format!("{}-总结.pdf", event.title);
    Ok(attachment("report.pdf", &name, draw(&frame, &event, &figures)))
}

fn draw(frame: &Frame, event: &Event, figures: &Figures) -> Vec<u8> {
    let column = |heading, share, align| Column { heading, share, align };
    let mut pdf = Pdf::new(&format!("{} 总结", event.title));
    let when = frame.span(&event.starts_ms, &event.ends_ms, &event.time_zone);
    pdf.paragraph(&format!("{when} · {}", event.place));
    pdf.paragraph(&sentence(event, figures));
    pdf.heading("数据");
    let rows: Vec<Vec<String>> = lines(figures, frame)
        .into_iter()
        .map(|line| {
            vec![line.what.to_owned(), line.count.to_string(), line.unit.to_owned(), line.how]
        })
        .collect();
    let columns = [
        column("项目", 5.0, Align::Left),
        column("数量", 2.0, Align::Right),
        column("单位", 2.0, Align::Left),
        column("口径", 12.0, Align::Left),
    ];
    pdf.table(&columns, &rows);
    pdf.heading("各单位");
    let rows: Vec<Vec<String>> = by_stand(figures)
        .into_iter()
        .map(|stand| {
            let counts = [stand.headcount, stand.visitors, stand.intentions, stand.hired];
            let words = [stand.stand.clone(), stand.name.clone()];
            words.into_iter().chain(counts.map(|count| count.to_string())).collect()
        })
        .collect();
    let columns = [
        column("展位", 2.0, Align::Left),
        column("单位", 9.0, Align::Left),
        column("招聘（人）", 3.0, Align::Right),
        column("来访（人）", 3.0, Align::Right),
        column("意向（人）", 3.0, Align::Right),
        column("录用（人）", 3.0, Align::Right),
    ];
    pdf.table(&columns, &rows);
    if !figures.desks.is_empty() {
        pdf.heading("咨询台");
        let rows: Vec<Vec<String>> = figures
            .desks
            .iter()
            .map(|desk| vec![desk.name.clone(), desk.consultations.to_string()])
            .collect();
        pdf.table(
            &[column("咨询台", 3.0, Align::Left), column("咨询（人次）", 1.0, Align::Right)],
            &rows,
        );
    }
    pdf.finish()
}

/// In the order of the hall.
fn by_stand(figures: &Figures) -> Vec<&StandFigure> {
    let mut stands: Vec<_> = figures.stands.iter().collect();
    stands.sort_by(|one, other| one.stand.cmp(&other.stand));
    stands
}

fn lines(figures: &Figures, frame: &Frame) -> Vec<Line> {
    let line = |what, count, unit, how: (&str, &str)| Line {
        what,
        count,
        unit,
        how: frame.t(how.0, how.1).to_owned(),
    };
    let (people, times) = (frame.t("人", "people"), frame.t("人次", "times"));
    vec![
        line(
            frame.t("参会单位", "Employers"),
            figures.employers,
            frame.t("家", ""),
            ("有展位的单位，一家一个展位", "With a stand; each has one"),
        ),
        line(
            frame.t("提供岗位", "Places offered"),
            figures.headcount,
            frame.t("个", ""),
            ("招聘人数合计", "People they look for, in all"),
        ),
        line(
            frame.t("涉及工种", "Trades"),
            figures.trades,
            frame.t("个", ""),
            ("按职业分类代码去重", "Distinct occupations"),
        ),
        line(
            frame.t("入场", "Entries"),
            figures.entries,
            times,
            (
                "入口放行的次数，同一人再次入场再计一次",
                "Admissions at the gates; coming again counts again",
            ),
        ),
        line(
            frame.t("入场", "People"),
            figures.people,
            people,
            ("入场的人去重", "Distinct people among them"),
        ),
        line(
            frame.t("与单位洽谈", "Talked with employers"),
            figures.talked,
            people,
            (
                "与至少一家单位谈过或留了联系方式，去重",
                "Talked with at least one, or left particulars; distinct",
            ),
        ),
        line(
            frame.t("达成意向", "Reached an intention"),
            figures.intentions,
            people,
            (
                "展位登记达成意向或录用的人，去重；同一人和几家单位达成意向只算一人",
                "Recorded by stands; distinct, also when one agreed with several employers",
            ),
        ),
        line(
            frame.t("意向", "Intentions"),
            figures.agreed,
            frame.t("项", ""),
            ("求职者、单位、岗位各不同的一项", "One for each visitor, employer and post"),
        ),
        line(
            frame.t("已录用", "Hired"),
            figures.hired,
            people,
            ("含会后补记，去重", "Then and later; distinct"),
        ),
        line(
            frame.t("政策与权益咨询", "Consultations"),
            figures.consultations,
            times,
            ("到咨询台一次算一次", "Each visit to a desk counts once"),
        ),
    ]
}

/// 本次招聘会有 27 家单位参加，…
fn sentence(event: &Event, figures: &Figures) -> String {
    let desks: Vec<&str> = figures.desks.iter().map(|desk| desk.name.as_str()).collect();
    let desks = match desks.len() {
        0 => String::new(),
        n => format!(
            "现场设{} {n} 个咨询台，接受咨询 {} 人次。",
            desks.join("、"),
            figures.consultations
        ),
    };
    format!(
        "「{}」有 {} 家单位参加，提供 {} 个岗位，涉及 {} 个工种；入场 {} 人次（{} 人），{} 人达成就业意向。{desks}",
        event.title,
        figures.employers,
        figures.headcount,
        figures.trades,
        figures.entries,
        figures.people,
        figures.intentions
    )
}

fn write(
    frame: &Frame,
    event: &Event,
    figures: &Figures,
) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let mut sheet = Sheet::add(&mut book, "总结")?;
    sheet.widths(&[22.0, 12.0, 8.0, 60.0])?;
    sheet.heading(&["项目", "数量", "单位", "口径"])?;
    for line in lines(figures, frame) {
        sheet.row(&[
            line.what.into(),
            line.count.into(),
            line.unit.into(),
            line.how.as_str().into(),
        ])?;
    }
    sheet.skip();
    sheet.row(&[sentence(event, figures).as_str().into()])?;
    let when = frame.span(&event.starts_ms, &event.ends_ms, &event.time_zone);
    sheet.row(&[format!("{when} · {}", event.place).as_str().into()])?;
    let mut sheet = Sheet::add(&mut book, "各单位")?;
    sheet.widths(&[8.0, 36.0, 10.0, 12.0, 14.0, 14.0, 12.0])?;
    sheet.heading(&[
        "展位",
        "单位",
        "岗位（条）",
        "招聘（人）",
        "来访（人）",
        "意向（人）",
        "录用（人）",
    ])?;
    for stand in by_stand(figures) {
        sheet.row(&[
            stand.stand.as_str().into(),
            stand.name.as_str().into(),
            stand.posts.into(),
            stand.headcount.into(),
            stand.visitors.into(),
            stand.intentions.into(),
            stand.hired.into(),
        ])?;
    }
    let mut sheet = Sheet::add(&mut book, "咨询台")?;
    sheet.widths(&[20.0, 14.0])?;
    sheet.heading(&["咨询台", "咨询（人次）"])?;
    for desk in &figures.desks {
        sheet.row(&[desk.name.as_str().into(), desk.consultations.into()])?;
    }
    book.save_to_buffer()
}
