//! A statement as a spreadsheet and as a PDF.

use rust_xlsxwriter::{Workbook, XlsxError};

use super::{Entry, Kind, Mark, Statement};
use crate::{
    checkin::sheet::{Cell, Sheet},
    pdf::{Align, Column, Pdf},
    voucher::venue::Venue,
    web::{Frame, form::yuan, frame::zone},
};

/// What a line is, in words.
pub(super) fn kind(frame: &Frame, entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Redemption => frame.t("核销", "Redeemed"),
        Kind::Reversal => frame.t("撤销", "Taken back"),
        Kind::Adjustment => frame.t("补计", "Adjusted"),
    }
}

/// What is to be said about a line beside that.
pub(super) fn remark(frame: &Frame, entry: &Entry) -> String {
    let mark = match entry.mark {
        Mark::Payable => "",
        Mark::Outside => frame.t("不在有效期内，不付", "outside its time: not paid"),
        Mark::Over => frame.t("超过次数，不付", "over its uses: not paid"),
    };
    let late = if entry.late { frame.t("上月补报", "from an earlier month") } else { "" };
    [mark, late]
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect::<Vec<_>>()
        .join(frame.t("；", "; "))
}

fn moment(entry: &Entry) -> jiff::Zoned {
    admission::say::zoned(entry.at_ms, &zone("Asia/Shanghai"))
}

/// 本月核销 12 次，撤销 1 次，应付 660 元。
pub(super) fn sentence(frame: &Frame, statement: &Statement) -> String {
    let (redeemed, reversed, unpaid) =
        (statement.count(Kind::Redemption), statement.count(Kind::Reversal), statement.unpaid());
    let total = yuan(statement.total_cents());
    let (zh, en) = if unpaid == 0 {
        (String::new(), String::new())
    } else {
        (format!("，其中 {unpaid} 次不付"), format!(", {unpaid} of them not paid"))
    };
    frame.say(
        format!("核销 {redeemed} 次{zh}，撤销 {reversed} 次，应付 {total} 元。"),
        format!("{redeemed} redeemed{en}, {reversed} taken back; {total} yuan are due."),
    )
}

/// The statement as PDF.
pub(super) fn pdf(frame: &Frame, venue: &Venue, statement: &Statement) -> Vec<u8> {
    let column = |heading, share, align| Column { heading, share, align };
    let mut pdf = Pdf::new(&format!("福利券结算单 {}", statement.month.name()));
    pdf.paragraph(&format!("{} · {}", venue.name, venue.address));
    match &statement.closed {
        Some(closed) => {
            let when = frame.in_full(&closed.closed_ms, "Asia/Shanghai");
            pdf.paragraph(&format!("编号 {}，{when} 结算。", closed.number));
        }
        None => pdf.paragraph("尚未结算，数字还会变。"),
    }
    pdf.paragraph(&sentence(frame, statement));
    let rows: Vec<Vec<String>> = (1..)
        .zip(&statement.entries)
        .map(|(line, entry)| {
            vec![
                line.to_string(),
                entry.serial.clone(),
                entry.batch.clone(),
                moment(entry).strftime("%m-%d %H:%M").to_string(),
                kind(frame, entry).to_owned(),
                remark(frame, entry),
                yuan(entry.amount_cents),
            ]
        })
        .collect();
    let columns = [
        column("序号", 2.0, Align::Right),
        column("券号", 4.5, Align::Left),
        column("券", 6.0, Align::Left),
        column("时间", 4.0, Align::Left),
        column("事项", 2.5, Align::Left),
        column("说明", 5.5, Align::Left),
        column("金额（元）", 3.5, Align::Right),
    ];
    pdf.table(&columns, &rows);
    pdf.paragraph(&format!("合计 {} 元", yuan(statement.total_cents())));
    if let Some(closed) = &statement.closed {
        pdf.paragraph(&format!("校验 SHA-256 {}", closed.sha256));
        // What both sides sign.
        let sides = ["总工会（盖章）", "合作场馆（盖章）", "日期"];
        let columns = sides.map(|side| column(side, 1.0, Align::Left));
        pdf.table(&columns, &[vec!["\u{3000}".to_owned(); sides.len()]]);
    }
    pdf.finish()
}

/// The statement as spreadsheet: amounts are in cents beside yuan, so that they can be summed without rounding.
pub(super) fn xlsx(
    frame: &Frame,
    venue: &Venue,
    statement: &Statement,
) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let mut sheet = Sheet::add(&mut book, &statement.month.to_string())?;
    sheet.widths(&[6.0, 14.0, 26.0, 20.0, 8.0, 26.0, 12.0, 12.0])?;
    sheet.heading(&["序号", "券号", "券", "时间", "事项", "说明", "金额（元）", "金额（分）"])?;
    for (line, entry) in (1_i64..).zip(&statement.entries) {
        sheet.row(&[
            line.into(),
            entry.serial.as_str().into(),
            entry.batch.as_str().into(),
            Cell::Moment(moment(entry).datetime()),
            kind(frame, entry).into(),
            remark(frame, entry).as_str().into(),
            yuan(entry.amount_cents).as_str().into(),
            entry.amount_cents.into(),
        ])?;
    }
    sheet.skip();
    let total = statement.total_cents();
    sheet.row(&[
        Cell::Empty,
        "合计".into(),
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        yuan(total).as_str().into(),
        total.into(),
    ])?;
    sheet.row(&[
        "".into(),
        venue.name.as_str().into(),
        sentence(frame, statement).as_str().into(),
    ])?;
    if let Some(closed) = &statement.closed {
        sheet.row(&[
            "".into(),
            closed.number.as_str().into(),
            format!("SHA-256 {}", closed.sha256).as_str().into(),
        ])?;
    }
    book.save_to_buffer()
}
