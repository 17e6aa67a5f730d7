//! A fair of 1,000 visitors, from the first ticket to the report, through the interfaces that people and devices use; a
//! model beside it counts with sets. Seeded: `TURNOUT_SEED` replays a day.

use std::{collections::BTreeSet, io::Cursor};

use admission::Verdict;
use calamine::{Reader as _, Xlsx};
use futures_util::future::join_all;
use serde_json::{Value, json};
use turnout_server::{fetch, web::access::Role};

use super::{
    between, fair, page, send,
    stand::{agent, employers, visitor},
};
use crate::support::{on_both, random::Random};

const VISITORS: usize = 1_000;
/// So many do something at the same moment.
const AT_ONCE: usize = 25;

on_both! {
    async fn a_fair_of_a_thousand_visitors_comes_to_what_was_counted(app) {
        let mut random = Random::seeded();
        let (event, offer) = fair(&app).await;
        let mut visitors = Vec::new();
        for some in (0..VISITORS).collect::<Vec<_>>().chunks(AT_ONCE) {
            let coming: Vec<_> = some.iter().map(|n| (format!("访客{n}"), &offer)).collect();
            visitors.extend(join_all(coming.iter().map(|(name, offer)| visitor(&app, name, offer))).await);
        }

        // Three gates; some go out and come in again, some never come.
        let (mut entries, mut people) = (0_i64, BTreeSet::new());
        for (gate, part) in ["东门", "西门", "北门"].iter().zip(visitors.chunks(VISITORS.div_ceil(3))) {
            let mut kiosk = app.kiosk(&event, gate).await;
            for (_, ticket, _) in part {
                if random.below(20) == 0 {
                    continue;
                }
                app.advance(500);
                kiosk.decide(ticket, Verdict::Admitted);
                entries += 1;
                people.insert(ticket.as_str());
            }
            kiosk.upload().await;
            kiosk.upload().await;
        }

        // Stands record and send, late, twice and in any order.
        let (mut reached, mut talked, mut agreed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut consented = Vec::new();
        for (employer, _) in employers(&app, &event).await {
            let agent = agent(&app, &event, &employer).await;
            let mut facts: Vec<Value> = Vec::new();
            for n in 0..20 + random.below(60) {
                let (member, ticket, code) = &visitors[random.index(VISITORS)];
                let outcome = ["talked", "talked", "cv", "interview", "intention"][random.index(5)];
                let number = admission::ticket::number(ticket);
                let card = if random.below(2) == 0 { code.as_str() } else { &number[..8] };
                facts.push(json!({ "id": format!("fact-{n:04}"), "card": card, "outcome": outcome, "at_ms": app.now().0 - 1_000 * random.below(600) as i64 }));
                talked.insert(ticket.as_str());
                if outcome == "intention" {
                    reached.insert(ticket.as_str());
                    agreed.insert((employer.clone(), ticket.as_str()));
                }
                if random.below(4) == 0 {
                    consented.push((employer.clone(), member));
                }
            }
            random.shuffle(&mut facts);
            for some in facts.chunks(17) {
                agent.upload(&app, some.into()).await;
            }
            let again = agent.upload(&app, facts[..5].into()).await;
            assert_eq!(again["kept"].as_array().map(Vec::len), Some(5));
        }

        // Consents: each employer sees those who agreed, and nobody else.
        let me = format!("/events/{event}/fair/me/consents");
        for some in consented.chunks(AT_ONCE) {
            let given = some.iter().map(|(employer, member)| {
                let path = format!("{me}/{employer}");
                let app = &app;
                async move { send(app, &path, (&member.token, ""), &[("consent", "yes")]).await.leads_to("/fair/me") }
            });
            join_all(given).await;
        }
        let seen: BTreeSet<(String, String)> = consented.iter().map(|(employer, member)| (employer.clone(), member.id.clone())).collect();
        for (employer, _) in employers(&app, &event).await.into_iter().take(3) {
            let agent = agent(&app, &event, &employer).await;
            let shown = agent.get(&app, "/stand").await;
            let theirs = seen.iter().filter(|(of, _)| *of == employer).count();
            assert_eq!(shown.matches("href=\"tel:").count(), theirs, "{employer}");
        }

        // Desks: everybody who takes a number is served, or gives up.
        let mut tx = app.app.db.read().await.expect("read");
        let desks: Vec<(String,)> = fetch!(tx, fetch_all, "select id from desk where event_id = $1 order by letter", &event).expect("desks");
        drop(tx);
        let volunteer = app.staff(Role::Volunteer).await;
        let mut consultations = 0;
        for (at, (desk,)) in desks.iter().enumerate() {
            let asking = &visitors[at * 40..at * 40 + 15 + random.index(10)];
            let take = format!("/events/{event}/desks/{desk}/turns");
            join_all(asking.iter().map(|(member, ..)| send(&app, &take, (&member.token, ""), &[]))).await;
            let there = format!("/admin/events/{event}/desks/{desk}");
            let mut turn = String::new();
            for _ in asking {
                send(&app, &there, (&volunteer, ""), &[("act", "next"), ("turn", &turn)]).await.leads_to("/desks/");
                app.advance(120_000);
                turn = between(&page(&app, &there, &volunteer).await, "name=\"turn\" value=\"", "\"").to_owned();
            }
            send(&app, &there, (&volunteer, ""), &[("act", "done"), ("turn", &turn)]).await.leads_to("/desks/");
            consultations += asking.len();
        }

        let organizer = app.staff(Role::Organizer).await;
        let report = page(&app, &format!("/admin/events/{event}/fair/report"), &organizer).await;
        let sentence = between(&report, "id=\"sentence\">", "<");
        let told = format!(
            "有 27 家单位参加，提供 768 个岗位，涉及 115 个工种；入场 {entries} 人次（{} 人），{} 人达成就业意向。",
            people.len(),
            reached.len(),
        );
        assert!(sentence.contains(&told), "{sentence} is not {told}");
        assert!(sentence.contains(&format!("接受咨询 {consultations} 人次")), "{sentence}");
        for (what, count) in [("与单位洽谈", talked.len()), ("意向", agreed.len())] {
            let cell = format!("<th>{what}</th><td class=\"num\"><b>{count}</b>");
            assert!(report.contains(&cell), "{cell} is missing in {report}");
        }
        // The same figures leave the house, as a spreadsheet and as a document.
        let file = |name: &str| app.http.get(format!("{}/admin/events/{event}/fair/{name}", app.url)).bearer_auth(&organizer).send();
        let bytes = file("report.xlsx").await.expect("answer").bytes().await.expect("bytes");
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).expect("a workbook");
        let sheet = book.worksheet_range("总结").expect("a sheet");
        let counted: Vec<String> = sheet.rows().skip(1).take(7).map(|row| row[1].to_string()).collect();
        let expected = [27, 768, 115, entries, people.len() as i64, talked.len() as i64, reached.len() as i64];
        assert_eq!(counted, expected.map(|count| count.to_string()));
        let document = file("report.pdf").await.expect("answer");
        assert_eq!(document.headers()["content-type"], "application/pdf");
        assert!(document.bytes().await.expect("bytes").starts_with(b"%PDF-"));
        let board = page(&app, &format!("/admin/events/{event}/fair"), &organizer).await;
        assert_eq!(between(&board, "id=\"inside\">", "<"), people.len().to_string());
    }
}
