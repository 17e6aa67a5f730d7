//! Statements: computed from scans while a month is open, frozen when it is closed, and never changed afterwards.

use std::io::Cursor;

use admission::{Verdict, decide::StationKind, scan::Deed, ticket::TicketId};
use calamine::{Data, Reader, Xlsx};
use turnout_server::{execute, fetch, web::access::Role};

use super::{Agent, DAY, agent, campaign, organizers, serial, venue, voucher};
use crate::{
    fair::{between, send},
    report::row,
    support::{TestApp, on_both, random::Random},
};

const PRICE: i64 = 6_000;

/// What all statements of a venue come to by their pages, open and closed, in cents.
async fn settled(app: &TestApp, venue: &str) -> i64 {
    let hub = organizers(app, &format!("/admin/venues/{venue}")).await;
    let months = between(&hub, "id=\"settlement\"", "</section>");
    months
        .split("class=\"nowrap\">")
        .skip(1)
        .map(|rest| {
            let yuan = rest.split_whitespace().next().expect("a sum");
            (yuan.parse::<f64>().unwrap_or_else(|_| panic!("{yuan} in {months}")) * 100.0).round()
                as i64
        })
        .sum()
}

/// What is owed by the scans themselves: for each voucher, its standing redemptions while it was good, as far as it may be
/// used. Computed without any of the program's own arithmetic.
async fn owed(app: &TestApp, venue: &str) -> i64 {
    let mut tx = app.app.db.read().await.expect("read");
    let rows: Vec<(String, i64, i64)> = fetch!(
        tx,
        fetch_all,
        "select t.id, o.uses, count(*) from scan s join ticket t on t.id = s.ticket_id join offer o on o.id = t.offer_id
         where o.venue_id = $1 and s.station_kind = 'counter' and s.verdict = 'admitted' and s.undone_ms is null
           and s.true_ms < t.valid_to_ms + 120000
         group by t.id, o.uses",
        venue,
    )
    .expect("scans");
    rows.into_iter().map(|(_, uses, count)| uses.min(count) * PRICE).sum()
}

async fn close(app: &TestApp, venue: &str, month: &str) -> crate::fair::Sent {
    let organizer = app.staff(Role::Organizer).await;
    send(app, &format!("/admin/venues/{venue}/settlement/{month}/closing"), (&organizer, ""), &[])
        .await
}

/// The lines of a statement, as its page shows them.
fn lines(page: &str) -> Vec<String> {
    let Some((_, rest)) = page.split_once("id=\"lines\"") else { return Vec::new() };
    let body = between(rest, "<tbody>", "</tbody>");
    body.split("<tr>")
        .skip(1)
        .map(|row| {
            let mut text = String::new();
            let mut inside = true;
            for c in row.chars() {
                match c {
                    '<' => inside = false,
                    '>' => {
                        inside = true;
                        text.push(' ');
                    }
                    c if inside => text.push(c),
                    _ => {}
                }
            }
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

async fn own_sheet(app: &TestApp, agent: &Agent, month: &str) -> Vec<Vec<String>> {
    let path = format!("{}/venue/settlement/{month}/statement.xlsx", app.url);
    let request = app.http.get(path).header("cookie", &agent.cookie);
    let bytes = request.send().await.expect("answer").bytes().await.expect("bytes");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).expect("a workbook");
    let range: calamine::Range<Data> = book.worksheets().remove(0).1;
    range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

on_both! {
    async fn a_month_is_closed_once_and_what_comes_later_goes_to_the_next(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| offer["uses"] = 1.into()).await;
        let mut tickets = Vec::new();
        for name in ["王小明", "李小红", "赵大力", "钱多多"] {
            tickets.push(voucher(&app, &app.member(name).await, &offer).await);
        }
        let agent = agent(&app, &springs).await;
        agent.redeem(&app, "tap-00001", &tickets[0].1).await;
        agent.redeem(&app, "tap-00002", &tickets[1].1).await;
        let page = agent.page(&app, "/venue").await;
        let scan = between(&page, "/venue/redemptions/", "/undo").to_owned();
        agent.form(&app, &format!("/venue/redemptions/{scan}/undo"), &[("reason", "客人没有入场")]).await.leads_to("/venue");
        // A kiosk saw somebody in March and is heard in April only.
        let mut kiosk = app.kiosk(&event, "南宫温泉水世界").await;
        let third: TicketId = tickets[2].0.parse().expect("an id");
        kiosk.record(StationKind::Counter, third, Verdict::Admitted, Deed::default());
        let early = close(&app, &springs, "2027-03").await.page(409);
        assert!(early.contains("还没有过完"), "{early}");

        app.advance(30 * DAY);
        let agent = super::agent(&app, &springs).await;
        close(&app, &springs, "2027-03").await.leads_to("/settlement/2027-03");
        let path = format!("/admin/venues/{springs}/settlement/2027-03");
        let march = organizers(&app, &path).await;
        assert!(march.contains("JS202703-001") && march.contains("核销 2 次，撤销 1 次，应付 60 元"), "{march}");
        assert!(march.contains("以后的补报和撤销进下一个月"), "it is sound: {march}");
        let again = close(&app, &springs, "2027-03").await.page(409);
        assert!(again.contains("已经结算"), "{again}");

        kiosk.upload().await;
        let late = kiosk.journal.len();
        assert_eq!(late, 1);
        assert_eq!(lines(&organizers(&app, &path).await), lines(&march), "a closed month does not change");
        let april = agent.page(&app, "/venue/settlement/2027-04").await;
        let told = lines(&april);
        assert_eq!(told.len(), 1, "{april}");
        assert!(told[0].starts_with(&serial(&tickets[2].0)) && told[0].contains("上月补报") && told[0].ends_with("60"), "{told:?}");
        // A redemption of March is taken back in April: a line of its own, in April.
        let organizer = app.staff(Role::Organizer).await;
        let undo = format!("/admin/events/{event}/list/{}/undo", tickets[0].0);
        let first = between(&organizers(&app, &format!("/admin/events/{event}/list/{}", tickets[0].0)).await, "<form", "</form>").to_owned();
        let sent = send(&app, &undo, (&organizer, ""), &[("reason", "核对后更正"), ("note", "核对后更正")]).await;
        assert!(sent.answer.status.as_u16() < 400, "{first}: {}", sent.answer.text);
        let april = agent.page(&app, "/venue/settlement/2027-04").await;
        let told = lines(&april);
        assert!(told.iter().any(|line| line.contains("撤销") && line.ends_with("-60")), "{told:?}");
        assert_eq!(settled(&app, &springs).await, owed(&app, &springs).await);
        let sheet = own_sheet(&app, &agent, "2027-03").await;
        assert_eq!(sheet[1][1], serial(&tickets[0].0));
        assert_eq!(sheet.iter().find(|row| row[1] == "合计").map(|row| row[7].as_str()), Some("6000"));

        // The yearly report says what venues are owed: of the three, two were taken back; March's statement stands at 60.
        let report = organizers(&app, "/admin/report?year=2027").await;
        assert_eq!(row(&report, "合作场馆", "南宫温泉水世界"), ["南宫温泉水世界", "1", "60", "60", "0", "0"]);
        assert_eq!(row(&report, "总表", "福利券")[..5], ["福利券", "1", "1", "1", "60"]);

        // Somebody changes a line in the database: it shows.
        for (change, back) in [("serial = 'AAAAA-22222'", format!("serial = '{}'", sheet[1][1])), ("amount_cents = 99999", "amount_cents = 6000".to_owned())] {
            for (change, told) in [(change, true), (&back, false)] {
                let mut tx = app.app.db.write().await.expect("write");
                let sql = sqlx::AssertSqlSafe(format!("update settlement_entry set {change} where line = 1"));
                execute!(tx, sql).expect("a change");
                tx.commit().await.expect("commit");
                assert_eq!(organizers(&app, &path).await.contains("内容和校验值不符"), told, "{change}");
            }
        }
    }

    async fn a_redemption_after_expiry_or_over_the_limit_is_not_paid(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let now = app.now().0;
        let (event, offer) = campaign(&app, &springs, |offer| {
            offer["uses"] = 1.into();
            offer["valid_to_ms"] = (now + DAY).into();
        }).await;
        let (one, _) = voucher(&app, &app.member("王小明").await, &offer).await;
        let (two, code) = voucher(&app, &app.member("李小红").await, &offer).await;
        let (one, two): (TicketId, TicketId) = (one.parse().expect("id"), two.parse().expect("id"));
        let mut first = app.kiosk(&event, "南宫温泉水世界").await;
        let mut second = app.kiosk(&event, "二号台").await;
        for kiosk in [&mut first, &mut second] {
            kiosk.record(StationKind::Counter, one, Verdict::Admitted, Deed::default());
            app.advance(60_000);
        }
        app.advance(2 * DAY);
        assert_eq!(agent(&app, &springs).await.redeem(&app, "too-late-1", &code).await["reason"], "too_late");
        first.record(StationKind::Counter, two, Verdict::Admitted, Deed::default());
        first.upload().await;
        second.upload().await;
        let page = organizers(&app, &format!("/admin/venues/{springs}/settlement/2027-03")).await;
        let told = lines(&page);
        assert_eq!(told.len(), 3, "{page}");
        assert!(told[1].contains("超过次数，不付") && told[2].contains("不在有效期内，不付"), "{told:?}");
        assert!(page.contains("核销 3 次，其中 2 次不付，撤销 0 次，应付 60 元"), "{page}");
        assert_eq!((settled(&app, &springs).await, owed(&app, &springs).await), (PRICE, PRICE));
    }

    async fn a_statement_goes_out_as_pdf_under_its_number(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (_, offer) = campaign(&app, &springs, |_| {}).await;
        let (_, code) = voucher(&app, &app.member("王小明").await, &offer).await;
        agent(&app, &springs).await.redeem(&app, "tap-00001", &code).await;
        app.advance(30 * DAY);
        close(&app, &springs, "2027-03").await.leads_to("2027-03");
        let agent = agent(&app, &springs).await;
        let path = format!("{}/venue/settlement/2027-03/statement.pdf", app.url);
        let answer = app.http.get(path).header("cookie", &agent.cookie).send().await.expect("answer");
        assert_eq!(answer.headers()["content-type"], "application/pdf");
        let bytes = answer.bytes().await.expect("bytes").to_vec();
        assert!(bytes.starts_with(b"%PDF-") && bytes.ends_with(b"%%EOF\n") && bytes.len() < 200_000);
        let shown = agent.page(&app, "/venue/settlement/2027-03").await;
        assert!(shown.contains("JS202703-001") && shown.contains("应付 60 元"), "{shown}");
    }

    async fn whatever_is_redeemed_undone_or_sent_twice_uses_stay_within_limits_and_sums_tie(app) {
        let springs = venue(&app, "南宫温泉水世界").await;
        let (event, offer) = campaign(&app, &springs, |offer| offer["uses"] = 2.into()).await;
        let mut tickets = Vec::new();
        for name in ["王小明", "李小红", "赵大力"] {
            tickets.push(voucher(&app, &app.member(name).await, &offer).await);
        }
        let mut random = Random::seeded();
        let mut kiosk = app.kiosk(&event, "南宫温泉水世界").await;
        let mut agent = agent(&app, &springs).await;
        let mut sent: Vec<(String, usize)> = Vec::new();
        let mut closed = 0;
        for step in 0..70 {
            let which = random.index(3);
            match random.below(10) {
                0..=2 => {
                    let id = format!("step-{step:04}");
                    agent.redeem(&app, &id, &tickets[which].1).await;
                    sent.push((id, which));
                }
                3 => {
                    let id = format!("late-{step:04}");
                    let age = random.below(40) as i64 * DAY / 2;
                    agent.redeem_late(&app, &id, &tickets[which].1, age).await;
                    sent.push((id, which));
                }
                4 if !sent.is_empty() => {
                    let (id, which) = sent[random.index(sent.len())].clone();
                    agent.redeem(&app, &id, &tickets[which].1).await;
                }
                5 | 6 => {
                    let page = agent.page(&app, "/venue").await;
                    let undos: Vec<&str> = page.split("/venue/redemptions/").skip(1).filter_map(|rest| rest.split_once("/undo").map(|(id, _)| id)).filter(|id| !id.contains('"')).collect();
                    if !undos.is_empty() {
                        let id = undos[random.index(undos.len())].to_owned();
                        agent.form(&app, &format!("/venue/redemptions/{id}/undo"), &[("reason", "重复核销")]).await.leads_to("/venue");
                    }
                }
                7 => {
                    // A kiosk that hears of nothing lets pass what its own copy allows, and a phone may have been faster.
                    let ticket: TicketId = tickets[which].0.parse().expect("an id");
                    kiosk.record(StationKind::Counter, ticket, Verdict::Admitted, Deed::default());
                    if random.below(2) == 0 {
                        kiosk.upload().await;
                    }
                }
                8 => {
                    app.advance(random.below(12) as i64 * DAY);
                    agent = super::agent(&app, &springs).await;
                }
                _ => {
                    let month = ["2027-03", "2027-04"].get(closed);
                    if let Some(month) = month
                        && close(&app, &springs, month).await.answer.status.as_u16() == 303
                    {
                        closed += 1;
                    }
                }
            }
            assert_eq!(settled(&app, &springs).await, owed(&app, &springs).await, "step {step}");
        }
        kiosk.upload().await;
        assert_eq!(settled(&app, &springs).await, owed(&app, &springs).await, "at the end");
        // What phones redeemed was always within the limit of what was known.
        let mut tx = app.app.db.read().await.expect("read");
        let over: Vec<(String, i64)> = fetch!(
            tx,
            fetch_all,
            "select ticket_id, count(*) from scan
             where verdict = 'admitted' and undone_ms is null and kiosk_id is null and station_kind = 'counter'
             group by ticket_id having count(*) > 2",
        )
        .expect("scans");
        assert_eq!(over, []);
        drop(tx);
        assert_eq!(turnout_server::archive::verify(&app.app.db).await.expect("readable"), []);
    }
}
