//! The yearly report: figures computed from rows, people and person-times never mixed, what nobody recorded said to be
//! missing; the page, the spreadsheet and the PDF say the same.

use std::{io::Cursor, path::Path};

use admission::Verdict;
use calamine::{Reader as _, Xlsx};
use turnout_server::web::access::Role;

use crate::{
    fair::{page, send},
    support::{TestApp, on_both},
};

/// An event of that kind and theme that began an hour ago, and its offer.
async fn held(app: &TestApp, kind: &str, theme: Option<&str>, title: &str) -> (String, String) {
    app.event(|draft| {
        draft["kind"] = kind.into();
        draft["theme"] = theme.into();
        draft["title"] = title.into();
    })
    .await
}

/// The cells of the row that begins with `what`, in the table under that heading.
pub(crate) fn row(shown: &str, heading: &str, what: &str) -> Vec<String> {
    let table = shown.split(&format!("<h2>{heading}</h2>")).nth(1).expect(heading);
    let table = table.split("</table>").next().expect("a table");
    let row = table.split("<tr>").find(|row| row.contains(&format!(">{what}<"))).expect(what);
    row.split("<t")
        .filter(|cell| cell.starts_with(['h', 'd']))
        .map(|cell| {
            let inner = cell.split_once('>').map_or("", |(_, inner)| inner);
            let inner = inner.split("</t").next().unwrap_or_default();
            let link = inner.split_once('>').and_then(|(_, text)| text.split('<').next());
            link.unwrap_or(inner).to_owned()
        })
        .collect()
}

/// The lines of a PDF, each as its words: read by another program than the one that wrote it.
pub(crate) async fn lines_of(pdf: &[u8], folder: &Path) -> Vec<Vec<String>> {
    let file = folder.join("report.pdf");
    std::fs::write(&file, pdf).expect("written");
    let read =
        tokio::process::Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output();
    let output = read.await.expect("pdftotext runs: apt-get install poppler-utils");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

on_both! {
    async fn the_year_is_counted_in_people_and_in_times_and_says_what_is_missing(app) {
        let organizer = app.staff(Role::Organizer).await;
        let (reading, reading_offer) = held(&app, "activity", Some("reading"), "读书会").await;
        let (law, law_offer) = held(&app, "activity", Some("law"), "普法讲座").await;
        held(&app, "contest", None, "乒乓球赛").await;
        // One comes to both, one to one of them; a third stays away.
        let (both, once, stayed) = (app.member("王小明").await, app.member("李小红").await, app.member("孙没来").await);
        let mut gates = [app.kiosk(&reading, "东门").await, app.kiosk(&law, "西门").await];
        for (gate, offer, members) in [(0, &reading_offer, vec![&both, &once]), (1, &law_offer, vec![&both])] {
            for member in members {
                let ticket = app.booked(member, offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
                gates[gate].decide(&ticket, Verdict::Admitted);
            }
            gates[gate].upload().await;
        }
        app.booked(&stayed, &reading_offer).await;

        let costs = format!("/admin/events/{reading}/costs");
        send(&app, &costs, (&organizer, ""), &[("what", "书"), ("yuan", "360.50"), ("act", "more")]).await.leads_to("/costs");
        send(&app, &costs, (&organizer, ""), &[("what", "多记了"), ("yuan", "60"), ("act", "less")]).await.leads_to("/costs");
        send(&app, &costs, (&organizer, ""), &[("what", ""), ("yuan", "十元"), ("act", "more")]).await.page(422);

        let shown = page(&app, "/admin/report?year=2027", &organizer).await;
        assert_eq!(row(&shown, "总表", "主题活动"), ["主题活动", "2", "2", "3", "300.50", "0", ""], "{shown}");
        assert_eq!(row(&shown, "总表", "文体比赛"), ["文体比赛", "1", "没有记录", "没有记录", "没有记录", "0", ""]);
        assert_eq!(row(&shown, "十类主题活动", "普法"), ["普法", "1", "1", "1", "没有记录", "0", ""]);
        assert_eq!(row(&shown, "十类主题活动", "婚恋")[1], "0", "all ten are there");
        assert_eq!(row(&shown, "总表", "图书借阅")[2], "没有记录");
        assert!(shown.contains("有 1 场没有签到记录、2 场没有支出记录"), "{shown}");
        assert!(shown.contains("举办文体比赛 1 场；开展主题活动 2 场，2 人、3 人次，支出 300.50 元"), "{shown}");

        // The year after has this one beside it.
        let after = page(&app, "/admin/report?year=2028", &organizer).await;
        let theme = row(&after, "总表", "主题活动");
        assert_eq!((theme[1].as_str(), theme[5].as_str(), theme[6].as_str()), ("0", "2", "3"));
        assert_eq!(app.get("/admin/report?year=99", &organizer).await.status.as_u16(), 404);
    }

    async fn the_page_the_spreadsheet_and_the_pdf_say_the_same(app) {
        let organizer = app.staff(Role::Organizer).await;
        let (event, offer) = held(&app, "activity", Some("fitness"), "健步走").await;
        let mut gate = app.kiosk(&event, "东门").await;
        for n in 0..7 {
            let member = app.member(&format!("会员{n}")).await;
            let ticket = app.booked(&member, &offer).await["tickets"][0]["id"].as_str().expect("id").to_owned();
            gate.decide(&ticket, Verdict::Admitted);
        }
        gate.upload().await;
        let costs = format!("/admin/events/{event}/costs");
        send(&app, &costs, (&organizer, ""), &[("what", "矿泉水"), ("yuan", "88.80"), ("act", "more")]).await.leads_to("/costs");
        let shown = page(&app, "/admin/report?year=2027", &organizer).await;
        let file = |name: &str| app.http.get(format!("{}/admin/{name}?year=2027", app.url)).bearer_auth(&organizer).send();
        let bytes = file("report.xlsx").await.expect("answer").bytes().await.expect("bytes");
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).expect("a workbook");
        let document = file("report.pdf").await.expect("answer").bytes().await.expect("bytes");
        let lines = lines_of(&document, app.folder.path()).await;
        let mut compared = 0;
        for heading in ["总表", "十类主题活动"] {
            let sheet = book.worksheet_range(heading).expect(heading);
            for cells in sheet.rows().skip(1).take_while(|cells| !cells[0].to_string().is_empty()) {
                let what = cells[0].to_string();
                let on_page = row(&shown, heading, &what);
                for (cell, said) in cells.iter().zip(&on_page) {
                    let written = cell.to_string();
                    let same = written == *said || written.parse::<f64>().ok().is_some_and(|number| said.parse() == Ok(number));
                    assert!(same, "{what}: {written} is not {said}");
                    compared += 1;
                }
                let words: Vec<String> = on_page.into_iter().filter(|said| !said.is_empty()).collect();
                assert!(lines.contains(&words), "{words:?} is not in the PDF: {lines:?}");
            }
        }
        assert!(compared > 100, "{compared}");
    }

    async fn the_report_is_the_organizers(app) {
        let (volunteer, member) = (app.staff(Role::Volunteer).await, app.member("王小明").await);
        for path in ["/admin/report", "/admin/report.xlsx", "/admin/report.pdf"] {
            assert_eq!(app.get(path, &volunteer).await.status.as_u16(), 403, "{path}");
            assert_ne!(app.get(path, &member.token).await.status.as_u16(), 200, "{path}");
        }
    }
}
