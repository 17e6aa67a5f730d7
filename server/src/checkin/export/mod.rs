//! `/admin/events/{event}/attendance.xlsx`: what happened, as a spreadsheet.
//!
//! The file is put together in memory, never on a disk: it is full of names.

pub(crate) mod sheet;

use admission::{Millis, say::zoned};
use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::tz::TimeZone;
use rust_xlsxwriter::{Workbook, XlsxError};
use sheet::{Cell, Sheet};

use super::{
    attendance::{self, Attendance},
    by_hand::reason_name,
    holders::queries::{self, Holder},
};
use crate::{
    App, audit,
    db::Tx,
    error::Result,
    event::{self, Event},
    fetch,
    web::{Frame, access::Staff, attachment, frame::zone},
};

/// `GET /admin/events/{event}/attendance.xlsx`. Personal data leaves the house, so it is written down who took it.
pub(super) async fn export(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let report = Report {
        attendance: attendance::of_event(&mut tx, &id).await?,
        people: queries::all(&mut tx, &id).await?,
        scans: scans(&mut tx, &id).await?,
        zone: zone(&event.time_zone),
        name: name(&event, now),
        event,
        frame,
    };
    drop(tx);
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, &staff, "attendance.export", &id, "", now).await?;
    tx.commit().await?;
    let name = report.name.clone();
    let file = tokio::task::spawn_blocking(move || report.write())
        .await
        .map_err(anyhow::Error::from)?
        .map_err(anyhow::Error::from)?;
    Ok(attachment("attendance.xlsx", &name, file))
}

/// 乒乓球赛-入场-2027-03-05.xlsx, with nothing that a file system would take for its own.
fn name(event: &Event, now: Millis) -> String {
    let title: String = event
        .title
        .chars()
        .map(|c| if c.is_control() || r#"\/:*?"<>|"#.contains(c) { '-' } else { c })
        .collect();
    let day = zoned(now, &zone(&event.time_zone)).strftime("%Y-%m-%d").to_string();
    format!("{title}-{day}.xlsx")
}

/// A scan as the third sheet tells it.
#[derive(Debug, sqlx::FromRow)]
struct Scan {
    true_ms: i64,
    received_ms: i64,
    station: String,
    kiosk: Option<String>,
    staff: Option<String>,
    kind: String,
    medium: String,
    holder: Option<String>,
    verdict: String,
    reason: Option<String>,
    trust: String,
    undone_ms: Option<i64>,
    note: Option<String>,
}

async fn scans(tx: &mut Tx, event_id: &str) -> Result<Vec<Scan>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select s.true_ms, s.received_ms, s.station, k.name as kiosk, f.name as staff, s.kind, s.medium, t.holder,
                s.verdict, s.reason, s.trust, s.undone_ms, s.note
         from scan s
         left join kiosk k on k.id = s.kiosk_id
         left join staff f on f.id = s.staff_id
         left join ticket t on t.id = s.ticket_id
         where s.event_id = $1 and not s.provisional order by s.true_ms, s.id",
        event_id,
    )?)
}

/// Everything that goes into the file.
struct Report {
    frame: Frame,
    event: Event,
    zone: TimeZone,
    name: String,
    attendance: Attendance,
    people: Vec<Holder>,
    scans: Vec<Scan>,
}

impl Report {
    fn write(&self) -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        self.summary(Sheet::add(&mut book, self.t("概况", "Summary"))?)?;
        self.list(Sheet::add(&mut book, self.t("人员", "People"))?)?;
        self.journal(Sheet::add(&mut book, self.t("扫码记录", "Scans"))?)?;
        book.save_to_buffer()
    }

    fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        self.frame.t(zh, en)
    }

    fn at(&self, moment: i64) -> Cell {
        Cell::Moment(zoned(Millis(moment), &self.zone).datetime())
    }

    fn summary(&self, mut sheet: Sheet<'_>) -> Result<(), XlsxError> {
        let (event, attendance) = (&self.event, &self.attendance);
        sheet.widths(&[28.0, 20.0, 12.0, 12.0])?;
        sheet.heading(&[&event.title])?;
        sheet.row(&[self.t("开始", "Begins").into(), self.at(event.starts_ms.0)])?;
        sheet.row(&[self.t("结束", "Ends").into(), self.at(event.ends_ms.0)])?;
        sheet.row(&[self.t("地点", "Place").into(), event.place.as_str().into()])?;
        sheet.row(&[self.t("导出时间", "Exported").into(), self.at(self.frame.now.0)])?;
        sheet.skip();
        sheet.row(&[self.t("报名（人）", "Booked").into(), attendance.booked.into()])?;
        sheet.row(&[self.t("已入场（人）", "In").into(), attendance.admitted.into()])?;
        sheet.row(&[self.t("未到（人）", "Still to come").into(), attendance.to_come.into()])?;
        sheet.row(&[self.t("被拒（人次）", "Refused, times").into(), attendance.refused.into()])?;
        sheet.skip();
        sheet.heading(&[
            self.t("名额", "Offer"),
            self.t("名额数", "Places"),
            self.t("报名", "Booked"),
            self.t("已入场", "In"),
        ])?;
        for offer in &attendance.offers {
            let numbers = [offer.quota, offer.booked, offer.admitted].map(Cell::from);
            sheet.row(&[&[offer.name.as_str().into()], &numbers[..]].concat())?;
        }
        sheet.skip();
        sheet.heading(&[
            self.t("入口", "Station"),
            self.t("入场", "In"),
            self.t("被拒", "Refused"),
        ])?;
        for station in &attendance.stations {
            let name = station.station.as_str().into();
            sheet.row(&[name, station.admitted.into(), station.refused.into()])?;
        }
        sheet.skip();
        sheet.heading(&[self.t("被拒原因", "Reason of refusal"), self.t("人次", "Times")])?;
        for reason in &attendance.reasons {
            let name = reason_name(&reason.reason, self.frame.lang);
            sheet.row(&[name.as_str().into(), reason.count.into()])?;
        }
        Ok(())
    }

    fn list(&self, mut sheet: Sheet<'_>) -> Result<(), XlsxError> {
        sheet.widths(&[14.0, 18.0, 32.0, 18.0, 12.0, 20.0, 16.0])?;
        sheet.heading(&[
            self.t("姓名", "Name"),
            self.t("身份", "Who"),
            self.t("单位", "Firm"),
            self.t("名额", "Offer"),
            self.t("状态", "State"),
            self.t("入场时间", "Admitted"),
            self.t("入口", "Station"),
        ])?;
        for holder in &self.people {
            sheet.row(&[
                holder.holder.as_str().into(),
                holder.standing_in(&self.frame).as_str().into(),
                holder.organisation.as_deref().unwrap_or_default().into(),
                holder.offer.as_str().into(),
                holder.standing(&self.frame).1.into(),
                holder.used_ms.map_or(Cell::Empty, |at| self.at(at)),
                holder.used_station.as_deref().unwrap_or_default().into(),
            ])?;
        }
        Ok(())
    }

    fn journal(&self, mut sheet: Sheet<'_>) -> Result<(), XlsxError> {
        sheet.widths(&[20.0, 16.0, 16.0, 12.0, 14.0, 12.0, 14.0, 14.0, 20.0, 20.0, 32.0])?;
        sheet.heading(&[
            self.t("时间", "When"),
            self.t("入口", "Station"),
            self.t("终端或工作人员", "Kiosk or staff"),
            self.t("介质", "Medium"),
            self.t("姓名", "Name"),
            self.t("结果", "Verdict"),
            self.t("原因", "Reason"),
            self.t("依据", "Trust"),
            self.t("收到时间", "Received"),
            self.t("撤销时间", "Taken back"),
            self.t("备注", "Note"),
        ])?;
        for scan in &self.scans {
            let reason = scan.reason.as_deref().map(|word| reason_name(word, self.frame.lang));
            sheet.row(&[
                self.at(scan.true_ms),
                scan.station.as_str().into(),
                scan.kiosk.as_deref().or(scan.staff.as_deref()).unwrap_or_default().into(),
                self.medium(scan).into(),
                scan.holder.as_deref().unwrap_or_default().into(),
                self.verdict(scan).into(),
                reason.as_deref().unwrap_or_default().into(),
                self.trust(scan).into(),
                self.at(scan.received_ms),
                scan.undone_ms.map_or(Cell::Empty, |at| self.at(at)),
                scan.note.as_deref().unwrap_or_default().into(),
            ])?;
        }
        Ok(())
    }

    fn medium<'a>(&'a self, scan: &'a Scan) -> &'a str {
        match (scan.kind.as_str(), scan.medium.as_str()) {
            ("hand" | "undo", _) => self.t("人工", "By hand"),
            (_, "card") => self.t("京卡", "Card"),
            (_, "code" | "qr") => self.t("二维码", "Code"),
            (_, other) => other,
        }
    }

    fn trust<'a>(&'a self, scan: &'a Scan) -> &'a str {
        match scan.trust.as_str() {
            "live" => self.t("实时", "Live"),
            "local" => self.t("本机数据", "Local copy"),
            "agreed" => self.t("与其他终端一致", "Agreed with other kiosks"),
            "signature_only" => self.t("仅验签名", "Signature only"),
            other => other,
        }
    }

    fn verdict(&self, scan: &Scan) -> &str {
        match (scan.kind.as_str(), scan.verdict.as_str()) {
            ("undo", _) => self.t("撤销入场", "Taken back"),
            (_, "admitted") => self.t("入场", "Admitted"),
            (_, "refused") => self.t("拒绝", "Refused"),
            _ => self.t("请核对", "Look"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_keeps_the_title_and_nothing_that_means_something_to_a_disk() {
        let event = Event {
            id: String::new(),
            number: 1,
            kind: "contest".to_owned(),
            theme: None,
            title: "乒乓球/羽毛球:\n决赛".to_owned(),
            place: String::new(),
            entrance: String::new(),
            poster: String::new(),
            starts_ms: Millis(0),
            ends_ms: Millis(1),
            time_zone: "Asia/Shanghai".to_owned(),
            status: "published".to_owned(),
            cancel_note: String::new(),
            capacity: None,
        };
        assert_eq!(name(&event, Millis(1_804_224_300_000)), "乒乓球-羽毛球--决赛-2027-03-05.xlsx");
    }
}
