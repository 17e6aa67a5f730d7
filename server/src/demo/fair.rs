//! The demo's fairs: one that is on, with its lists and a stand to try, and last year's, which came to what the
//! federation reported for 2017: 27 employers, 768 places, 115 trades, nearly 1,000 entries, 316 people with an
//! intention, about 200 consultations. The report computes them from the rows that are made here.

use admission::{
    Millis, Verdict,
    decide::StationKind,
    time::{HOUR, MINUTE, SECOND},
};
use anyhow::Context as _;

use super::{
    EventNote, StandNote,
    world::{Door, Stands, add, at_hour, book_all, draft, offer},
};
use crate::{
    App,
    db::{Tx, new_id},
    event::{EventDraft, OfferDraft},
    execute_rows,
    fair::{self, exhibitor, import, queries},
    people::import::sheet::Limits,
    web::access::Person,
};

const LISTS: &[u8] = include_bytes!("../../../tests/data/fair.xlsx");

/// Visitors of last year's fair.
pub(super) const VISITORS: usize = 941;
/// Of these, who went out and came in again.
const CAME_AGAIN: usize = 47;
/// Of these, who reached an intention; the first of them with two employers.
const AGREED: usize = 316;
const AGREED_TWICE: usize = 52;
const HIRED: usize = 61;
const CONSULTATIONS: usize = 198;

/// Brings the lists into a fair; the approved size is a little above its places.
pub(super) async fn fill(app: &App, event_id: &str, now: Millis) -> anyhow::Result<()> {
    let lists = import::read(LISTS, &Limits::default())?;
    let mut tx = app.db.write().await?;
    let report = lists.write(&mut tx, event_id, now).await?;
    anyhow::ensure!(report.left_out == 0, "the demo's lists are whole");
    crate::execute!(tx, "update event set capacity = 1200 where id = $1", event_id)?;
    Ok(tx.commit().await?)
}

/// Makes the first stand's link and PIN.
pub(super) async fn open_stand(
    app: &App,
    event_id: &str,
    now: Millis,
) -> anyhow::Result<StandNote> {
    let secret = exhibitor::Secret::new().await?;
    let mut tx = app.db.write().await?;
    let employer =
        queries::employers(&mut tx, event_id).await?.into_iter().next().context("an employer")?;
    let way = exhibitor::make(&mut tx, &employer, secret, now).await?;
    tx.commit().await?;
    Ok(StandNote {
        name: format!("{} {}", employer.stand, employer.name),
        path: way.path,
        pin: way.pin,
    })
}

/// Last year's fair, from the first list to the last hire.
pub(super) async fn last_year(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<EventNote> {
    let begins = at_hour(now, -350, 9);
    let before = app.with_clock(std::sync::Arc::new(Stands(begins.plus(-24 * HOUR))));
    let note = add(app, &drafted(begins), begins.plus(-20 * 24 * HOUR)).await?;
    fill(app, &note.id, begins.plus(-10 * 24 * HOUR)).await?;
    let mut tickets = Vec::new();
    for some in people[..VISITORS.min(people.len())].chunks(200) {
        tickets.extend(book_all(&before, some, &note.offers[0], 0).await?);
    }
    doors(app, &note.id, &tickets, (begins, now)).await?;
    let mut tx = app.db.write().await?;
    encounters(&mut tx, &note.id, &tickets, begins).await?;
    consultations(&mut tx, &note.id, &tickets, begins).await?;
    tx.commit().await?;
    Ok(note)
}

fn drafted(begins: Millis) -> EventDraft {
    let offer = OfferDraft {
        cancel_until_ms: Some(begins.0),
        reentry: true,
        ..offer("入场", 1_200, begins.plus(-15 * 24 * HOUR), begins.plus(5 * HOUR), "anyone")
    };
    EventDraft {
        place: "王佐镇文化体育中心 一层展厅".to_owned(),
        poster: "27 家企业，768 个岗位，115 个工种。".to_owned(),
        offers: vec![offer],
        ..draft("fair", "春风行动 · 去年的招聘会", begins, 6)
    }
}

/// Minutes after the beginning when the n-th of `of` came: slowly, in a crowd, then late.
fn minute(n: usize, of: usize) -> i64 {
    let share = n as f64 / of.max(1) as f64;
    ((share * 2.0 - 1.0).powi(3) * 120.0 + 140.0) as i64
}

async fn doors(
    app: &App,
    event_id: &str,
    tickets: &[String],
    (begins, now): (Millis, Millis),
) -> anyhow::Result<()> {
    let third = tickets.len().div_ceil(3).max(1);
    for (station, tickets) in ["东门", "西门", "北门"].into_iter().zip(tickets.chunks(third))
    {
        let mut door = Door::at(app, event_id, station, StationKind::Gate).await?;
        for (n, ticket) in tickets.iter().enumerate() {
            door.saw(ticket, Verdict::Admitted, begins.plus(minute(n, tickets.len()) * MINUTE));
        }
        door.upload(app, event_id, now).await?;
    }
    let again = &tickets[..CAME_AGAIN.min(tickets.len())];
    let out = begins.plus(3 * HOUR);
    for (station, kind, at) in
        [("出口", StationKind::Exit, out), ("南门", StationKind::Gate, out.plus(HOUR))]
    {
        let mut door = Door::at(app, event_id, station, kind).await?;
        for (n, ticket) in again.iter().enumerate() {
            door.saw(ticket, Verdict::Admitted, at.plus(n as i64 * 40 * SECOND));
        }
        door.upload(app, event_id, now).await?;
    }
    Ok(())
}

/// One line of a stand's records.
struct Talk<'a> {
    employer: &'a str,
    post: Option<&'a str>,
    ticket: &'a str,
    outcome: &'static str,
    grade: Option<&'static str>,
    at: Millis,
}

async fn encounters(
    tx: &mut Tx,
    event_id: &str,
    tickets: &[String],
    begins: Millis,
) -> anyhow::Result<()> {
    let employers = queries::employers(tx, event_id).await?;
    let posts = queries::posts(tx, event_id).await?;
    let mut talks = Vec::new();
    for (n, ticket) in tickets.iter().enumerate() {
        // Popular stands are popular: squares of a number that wanders through all of them.
        let stand = |k: usize| {
            let share = ((n * 37 + k * 151) % 997) as f64 / 997.0;
            ((share * share) * employers.len() as f64) as usize % employers.len()
        };
        let at = |k: usize| begins.plus((minute(n % 314, 314) + 12 + 9 * k as i64) * MINUTE);
        let mut talk = |k: usize, outcome, at| {
            let employer = &employers[stand(k)];
            let theirs: Vec<_> =
                posts.iter().filter(|post| post.employer_id == employer.id).collect();
            let post = theirs.get(n % theirs.len().max(1)).map(|post| post.id.as_str());
            let grade = Some(["A", "B", "C"][n % 3]).filter(|_| outcome != "talked");
            talks.push(Talk { employer: &employer.id, post, ticket, outcome, grade, at });
        };
        for k in 0..n % 4 {
            talk(k, "talked", at(k));
        }
        // Spread over the whole list: every visitor in three agrees.
        let rank = n * AGREED / tickets.len();
        let agrees = rank < AGREED && (n == 0 || (n - 1) * AGREED / tickets.len() != rank);
        if agrees {
            talk(4, "cv", at(4));
            talk(4, "intention", at(4).plus(4 * MINUTE));
            if rank < AGREED_TWICE {
                talk(5, "interview", at(5));
                talk(5, "intention", at(5).plus(3 * MINUTE));
            }
            if rank >= AGREED - HIRED {
                talk(4, "hired", begins.plus(9 * 24 * HOUR));
            }
        }
    }
    for some in talks.chunks(500) {
        execute_rows!(
            tx,
            "insert into encounter (id, event_id, employer_id, ticket_id, post_id, outcome, grade, how, at_ms, received_ms) ",
            some,
            |talk| [
                format!("{}.{}", talk.employer, new_id(talk.at)),
                event_id,
                talk.employer,
                talk.ticket,
                talk.post,
                talk.outcome,
                talk.grade,
                "stand",
                talk.at.0,
                talk.at.0,
            ],
        )?;
        // Those who left a CV agreed that the employer sees them.
        execute_rows!(
            tx,
            "insert into consent (id, event_id, employer_id, ticket_id, granted, how, notice, at_ms, received_ms) ",
            some.iter().filter(|talk| talk.outcome == "cv"),
            |talk| [
                new_id(talk.at),
                event_id,
                talk.employer,
                talk.ticket,
                true,
                "visitor",
                fair::NOTICE,
                talk.at.0,
                talk.at.0,
            ],
        )?;
    }
    Ok(())
}

async fn consultations(
    tx: &mut Tx,
    event_id: &str,
    tickets: &[String],
    begins: Millis,
) -> anyhow::Result<()> {
    let desks = crate::desk::queries::desks(tx, event_id).await?;
    let turns = (0..CONSULTATIONS).map(|n| {
        let (desk, number) = (&desks[n % desks.len()], n / desks.len() + 1);
        let called = begins.plus((20 + number as i64 * 6) * MINUTE + n as i64 % 7 * 20 * SECOND);
        (desk, number as i64, &tickets[(n * 17) % tickets.len()], called)
    });
    execute_rows!(
        tx,
        "insert into desk_turn (id, event_id, desk_id, number, ticket_id, state, taken_ms, called_ms, calls, ended_ms) ",
        turns,
        |(desk, number, ticket, called)| [
            new_id(called),
            event_id,
            &desk.id,
            number,
            ticket,
            "done",
            called.0 - 12 * MINUTE,
            called.0,
            1_i64,
            called.0 + (3 + number % 5) * MINUTE,
        ],
    )?;
    for desk in &desks {
        crate::execute!(
            tx,
            "update desk set last_number = (select coalesce(max(number), 0) from desk_turn where desk_id = $1) where id = $1",
            &desk.id,
        )?;
    }
    Ok(())
}
