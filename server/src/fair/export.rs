//! `/stand/people.xlsx`: who agreed that this employer sees them, as a spreadsheet. Nobody else is in it, then and later.

use axum::{extract::State, response::Response};
use rust_xlsxwriter::{Workbook, XlsxError};

use super::{
    Employer, card,
    exhibitor::stand_of,
    people::{self, Met},
};
use crate::{
    App, audit,
    checkin::sheet::{Cell, Sheet},
    db::new_id,
    error::Result,
    event::Event,
    execute,
    web::{Frame, access::Staff, attachment, frame::zone},
};

/// `GET /stand/people.xlsx`. Personal data leaves the house, so it is written down who took it, and when: whoever takes
/// their consent back is then told whether they were in it.
pub(super) async fn people(State(app): State<App>, staff: Staff, frame: Frame) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (event, employer) = stand_of(&mut tx, &staff).await?;
    let mut met = people::met(&mut tx, &employer).await?;
    met.retain(|met| met.who.is_some());
    let gone = people::to_delete(&mut tx, &employer).await?;
    execute!(
        tx,
        "insert into employer_export (id, event_id, employer_id, staff_id, people, at_ms) values ($1, $2, $3, $4, $5, $6)",
        new_id(now),
        &event.id,
        &employer.id,
        &staff.id,
        i64::try_from(met.len()).unwrap_or(i64::MAX),
        now.0,
    )?;
    audit::record(&mut tx, &staff, "stand.export", &employer.id, "", now).await?;
    tx.commit().await?;
    let name = format!("{}-求职者.xlsx", employer.name);
    let file = tokio::task::spawn_blocking(move || write(&frame, &event, &employer, &met, &gone))
        .await
        .map_err(anyhow::Error::from)?
        .map_err(anyhow::Error::from)?;
    Ok(attachment("people.xlsx", &name, file))
}

fn write(
    frame: &Frame,
    event: &Event,
    employer: &Employer,
    met: &[Met],
    gone: &[String],
) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let mut sheet = Sheet::add(&mut book, "求职者")?;
    sheet.widths(&[14.0, 12.0, 16.0, 14.0, 28.0, 24.0, 12.0, 8.0, 32.0, 20.0])?;
    sheet.heading(&[
        "访客号",
        "姓名",
        "手机号",
        "学历",
        "求职意向",
        "岗位",
        "进展",
        "评级",
        "备注",
        "最近一次",
    ])?;
    for met in met {
        let Some(who) = &met.who else { continue };
        let at = admission::say::zoned(met.last(), &zone(&event.time_zone)).datetime();
        sheet.row(&[
            met.short().as_str().into(),
            who.name.as_str().into(),
            who.phone.as_deref().unwrap_or_default().into(),
            who.education.map_or("", super::Education::had).into(),
            who.wish.as_deref().unwrap_or_default().into(),
            met.posts.join("、").as_str().into(),
            met.outcome.map_or("", |outcome| outcome.name(frame)).into(),
            met.grade.as_deref().unwrap_or_default().into(),
            met.note.as_str().into(),
            if met.last_ms > 0 { Cell::Moment(at) } else { Cell::Empty },
        ])?;
    }
    sheet.skip();
    sheet.row(&[format!("{}（{}号展位）· {}", employer.name, employer.stand, event.title)
        .as_str()
        .into()])?;
    sheet.row(&[
        "只含同意向本单位提供联系方式的求职者，只能用于招聘联系。求职者随时可以撤回同意。".into(),
    ])?;
    if !gone.is_empty() {
        let mut sheet = Sheet::add(&mut book, "请删除")?;
        sheet.widths(&[14.0, 60.0])?;
        sheet.heading(&["访客号", "说明"])?;
        for id in gone {
            sheet.row(&[
                card::short(id).as_str().into(),
                "已撤回同意，请从以前导出的表格里删掉".into(),
            ])?;
        }
    }
    book.save_to_buffer()
}
