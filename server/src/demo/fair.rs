//! The demo's fairs: one in the middle of its day, with its lists and a stand to try, and last year's, which came to what the
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
    kiosk,
    people::import::sheet::Limits,
    web::access::Person,
};

const LISTS: &[u8] = include_bytes!("../../../tests/data/fair.xlsx");

/// Visitors of last year's fair.
pub(super) const VISITORS: usize = 941;
/// Of these, who went out and came in again.
const CAME_AGAIN: usize = 47;
const CONSULTATIONS: usize = 198;
const LAST_YEAR: Reached = Reached { agreed: 316, agreed_twice: 52, hired: 61 };

/// Of those who have a ticket for today's fair: who came so far, who left, and who of these came in again.
const CAME: usize = 372;
const LEFT: usize = 96;
const BACK: usize = 28;
const TODAY: Reached = Reached { agreed: 58, agreed_twice: 9, hired: 0 };
/// Who waits at each desk now, and how many each has served.
const WAITING: [i64; 4] = [6, 2, 4, 3];
const SERVED: i64 = 12;

/// How many visitors reached what: an intention, one with two employers, a job.
struct Reached {
    agreed: usize,
    agreed_twice: usize,
    hired: usize,
}

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
    let at = |n: usize, k: usize| begins.plus((minute(n % 314, 314) + 12 + 9 * k as i64) * MINUTE);
    let mut tx = app.db.write().await?;
    let hired_at = begins.plus(9 * 24 * HOUR);
    encounters(&mut tx, &note.id, &tickets, &LAST_YEAR, hired_at, at).await?;
    consultations(&mut tx, &note.id, &tickets, begins).await?;
    tx.commit().await?;
    Ok(note)
}

/// What today's fair has seen since it began.
pub(super) async fn today(
    app: &App,
    event_id: &str,
    tickets: &[String],
    (begins, now): (Millis, Millis),
) -> anyhow::Result<()> {
    let came = &tickets[..CAME.min(tickets.len())];
    // Many come at once, then fewer and fewer.
    let lasted = now.since(begins) - 10 * MINUTE;
    let arrived = |n: usize| {
        let share = n as f64 / came.len() as f64;
        begins.plus((share.powf(1.6) * lasted as f64) as i64)
    };
    let mut doors = Vec::new();
    let (west, north) = came.split_at(came.len() * 2 / 3);
    for (station, tickets, first) in [("西门", west, 0), ("北门", north, west.len())] {
        let mut door = Door::at(app, event_id, station, StationKind::Gate).await?;
        for (n, ticket) in tickets.iter().enumerate() {
            door.saw(ticket, Verdict::Admitted, arrived(first + n));
        }
        doors.push(door.upload(app, event_id, now).await?);
    }
    for (station, kind, tickets, before) in [
        ("出口", StationKind::Exit, &came[..LEFT], 70 * MINUTE),
        ("南门", StationKind::Gate, &came[..BACK], 40 * MINUTE),
    ] {
        let mut door = Door::at(app, event_id, station, kind).await?;
        for (n, ticket) in tickets.iter().enumerate() {
            door.saw(ticket, Verdict::Admitted, now.plus(n as i64 * 20 * SECOND - before));
        }
        doors.push(door.upload(app, event_id, now).await?);
    }
    // What they counted stays. A kiosk that is set up now looks for neighbours, and these would never answer.
    let mut tx = app.db.write().await?;
    for door in doors {
        kiosk::queries::revoke(&mut tx, &door, event_id, false, now).await?;
    }
    tx.commit().await?;
    // Between coming and now.
    let at = |n: usize, k: usize| {
        let since = now.since(arrived(n));
        arrived(n).plus(since * (k as i64 + 1) / 8)
    };
    let mut tx = app.db.write().await?;
    encounters(&mut tx, event_id, came, &TODAY, now, at).await?;
    wishes(&mut tx, event_id, came, begins).await?;
    queues(&mut tx, event_id, &came[LEFT..], now).await?;
    Ok(tx.commit().await?)
}

/// What every other visitor said of themselves when they took their ticket.
async fn wishes(tx: &mut Tx, event_id: &str, tickets: &[String], at: Millis) -> anyhow::Result<()> {
    const WISHES: [(&str, &str); 5] = [
        ("college", "会计或出纳"),
        ("senior", "保安、物业"),
        ("bachelor", "行政文员"),
        ("senior", "司机"),
        ("junior", "保洁，能上早班"),
    ];
    for (n, ticket) in tickets.iter().enumerate().step_by(2) {
        let (education, wish) = WISHES[n / 2 % WISHES.len()];
        crate::execute!(
            tx,
            "insert into seeker (person_id, event_id, education, wish, updated_ms)
             select person_id, event_id, $3, $4, $5 from ticket where id = $1 and event_id = $2",
            ticket,
            event_id,
            education,
            wish,
            at.0,
        )?;
    }
    Ok(())
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

/// What stands recorded. `at` says when the n-th visitor met an employer for the k-th time.
async fn encounters(
    tx: &mut Tx,
    event_id: &str,
    tickets: &[String],
    reached: &Reached,
    hired_at: Millis,
    at: impl Fn(usize, usize) -> Millis,
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
        let at = |k: usize| at(n, k);
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
        // Spread over the whole list.
        let rank = n * reached.agreed / tickets.len();
        let agrees =
            rank < reached.agreed && (n == 0 || (n - 1) * reached.agreed / tickets.len() != rank);
        if agrees {
            talk(4, "cv", at(4));
            talk(4, "intention", at(4).plus(4 * MINUTE));
            if rank < reached.agreed_twice {
                talk(5, "interview", at(5));
                talk(5, "intention", at(5).plus(3 * MINUTE));
            }
            if rank >= reached.agreed - reached.hired {
                talk(4, "hired", hired_at);
            }
        } else if n % 5 == 2 {
            talk(4, "cv", at(4));
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

/// A number that somebody took.
struct Number<'a> {
    desk: &'a str,
    number: i64,
    ticket: &'a str,
    state: &'static str,
    taken: Millis,
    called: Option<Millis>,
    ended: Option<Millis>,
}

async fn consultations(
    tx: &mut Tx,
    event_id: &str,
    tickets: &[String],
    begins: Millis,
) -> anyhow::Result<()> {
    let desks = crate::desk::queries::desks(tx, event_id).await?;
    let numbers = (0..CONSULTATIONS).map(|n| {
        let (desk, number) = (&desks[n % desks.len()], (n / desks.len() + 1) as i64);
        let called = begins.plus((20 + number * 6) * MINUTE + n as i64 % 7 * 20 * SECOND);
        Number {
            desk: &desk.id,
            number,
            ticket: &tickets[(n * 17) % tickets.len()],
            state: "done",
            taken: called.plus(-12 * MINUTE),
            called: Some(called),
            ended: Some(called.plus((3 + number % 5) * MINUTE)),
        }
    });
    take_numbers(tx, event_id, numbers).await
}

/// Desks as they stand now: some were served, one missed their call, one is there, others wait.
async fn queues(
    tx: &mut Tx,
    event_id: &str,
    tickets: &[String],
    now: Millis,
) -> anyhow::Result<()> {
    let desks = crate::desk::queries::desks(tx, event_id).await?;
    let mut visitors = tickets.iter().cycle().step_by(7);
    let mut numbers = Vec::new();
    for (desk, waiting) in desks.iter().zip(WAITING) {
        crate::desk::queries::number_by_kiosk(tx, desk, true).await?;
        let last = SERVED + 2 + waiting;
        for (number, ticket) in (1..=last).zip(visitors.by_ref()) {
            let taken = now.plus((number - last - 1) * 11 * MINUTE / 2);
            let called = now.plus((number - SERVED - 2) * 10 * MINUTE - 4 * MINUTE);
            let (state, called, ended) = match number - SERVED {
                ..=0 => ("done", Some(called), Some(called.plus((4 + number % 5) * MINUTE))),
                1 => ("skipped", Some(called), Some(called.plus(3 * MINUTE))),
                2 => ("called", Some(called), None),
                _ => ("waiting", None, None),
            };
            let taken = called.map_or(taken, |called| called.plus(-(6 + number % 4) * MINUTE));
            numbers.push(Number { desk: &desk.id, number, ticket, state, taken, called, ended });
        }
    }
    take_numbers(tx, event_id, numbers.into_iter()).await
}

async fn take_numbers(
    tx: &mut Tx,
    event_id: &str,
    numbers: impl Iterator<Item = Number<'_>>,
) -> anyhow::Result<()> {
    execute_rows!(
        tx,
        "insert into desk_turn (id, event_id, desk_id, number, ticket_id, state, taken_ms, called_ms, calls, ended_ms) ",
        numbers,
        |one| [
            new_id(one.taken),
            event_id,
            one.desk,
            one.number,
            one.ticket,
            one.state,
            one.taken.0,
            one.called.map(|at| at.0),
            i64::from(one.called.is_some()),
            one.ended.map(|at| at.0),
        ],
    )?;
    crate::execute!(
        tx,
        "update desk set last_number = (select coalesce(max(number), 0) from desk_turn where desk_id = desk.id)
         where event_id = $1",
        event_id,
    )?;
    Ok(())
}
