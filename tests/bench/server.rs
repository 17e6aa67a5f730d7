//! The server under load: bookings, check-ins, journals, sold-out answers, each against the no-op route.

use std::{path::Path, time::Instant};

use admission::{
    Clock as _, Verdict,
    decide::StationKind,
    scan::{Chain, Entry, Medium, Scan, Skew, Trust},
    sync::{Check, UPLOAD_MAX, Upload},
    ticket::TicketId,
};
use anyhow::ensure;
use serde_json::json;
use turnout_server::{SystemClock, fetch};

use crate::{
    load::{self, Post},
    report::{Report, Row},
    world::{Event, World},
};

const SECONDS: u32 = 5;
const MEMBERS: u32 = 20_000;
/// Each member books each offer once; so many that nobody books twice within the time.
const OFFERS: usize = 6;
const KIOSKS: u8 = 4;
const UPLOADS: usize = 20;

/// What the design asks of an engine: a share of the no-op route's answers per second.
pub(crate) struct Target {
    pub(crate) engine: &'static str,
    pub(crate) share: f64,
}

/// Measures a server on one engine.
pub(crate) async fn measure(
    world: &World,
    noop: &str,
    target: &Target,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let engine = target.engine;
    let members = world.members(MEMBERS).await?;
    let mut quotas = vec![1_000_000; OFFERS];
    quotas.push(1);
    let event = world.event(&quotas).await?;
    let (sold_out, open) = event.offers.split_last().expect("seven offers were asked for");

    let bookings = bookings(&members, open);
    let idle = load::play(noop, &bookings, SECONDS, folder).await?;
    let beside = |rate: f64| rate / idle.per_second();
    report.add(Row::rate("no-op route", idle.per_second()).seen(&idle));

    let seen = load::play(&world.url, &bookings, SECONDS, folder).await?;
    let confirmed = world.count("select count(*) from booking").await?;
    ensure!(
        seen.refused == 0 && seen.answers <= confirmed && confirmed < bookings.len() as u64,
        "{seen:?}, but {confirmed} bookings"
    );
    let rate = confirmed as f64 / seen.seconds;
    let row = Row::rate(format!("bookings confirmed, {engine}"), rate).seen(&seen);
    report.add(row.share_of_at_least(beside(rate), target.share));

    let checks = checks(world, &event).await?;
    let seen = load::play(&world.url, &checks, SECONDS, folder).await?;
    let counted = world.count("select count(*) from scan").await?;
    ensure!(seen.refused == 0, "{seen:?}");
    let rate = counted as f64 / seen.seconds;
    let row = Row::rate(format!("check-ins, one by one, {engine}"), rate).seen(&seen);
    report.add(row.share_of_at_least(beside(rate), target.share));

    let rate = uploads(world).await?;
    let row = Row::rate(format!("check-ins, journals of {UPLOAD_MAX}, {engine}"), rate);
    report.add(row.share_of_at_least(beside(rate), target.share));

    let hopeless = bookings_of(&members, sold_out);
    let seen = load::play(&world.url, &hopeless, SECONDS, folder).await?;
    // Whoever got the one place asks again with the same key when the requests begin anew.
    let rounds = seen.answers.div_ceil(u64::from(MEMBERS));
    ensure!(seen.answers - seen.refused <= rounds, "{seen:?}, but one place");
    let row = Row::rate(format!("sold-out answers, {engine}"), seen.per_second());
    report.add(row.seen(&seen).share(beside(seen.per_second())));
    Ok(())
}

fn bookings(members: &[String], offers: &[String]) -> Vec<Post> {
    offers.iter().flat_map(|offer| bookings_of(members, offer)).collect()
}

fn bookings_of(members: &[String], offer: &str) -> Vec<Post> {
    let posts = members.iter().map(|token| Post {
        path: "/api/v1/bookings".to_owned(),
        body: json!({ "offer": offer }).to_string(),
        headers: vec![
            ("Authorization", format!("Bearer {token}")),
            ("Idempotency-Key", format!("tap {offer}")),
        ],
    });
    posts.collect()
}

/// Every ticket that was booked, asked about once, by several kiosks in turn.
async fn checks(world: &World, event: &Event) -> anyhow::Result<Vec<Post>> {
    let mut kiosks = Vec::new();
    for n in 1..=KIOSKS {
        kiosks.push(world.signer(event, n).await?);
    }
    let mut tx = world.db.read().await?;
    let tickets: Vec<(String,)> = fetch!(tx, fetch_all, "select id from ticket order by id")?;
    let mut posts = Vec::new();
    for (at, (ticket,)) in tickets.into_iter().enumerate() {
        let check = Check {
            seq: (at / kiosks.len()) as u64 + 1,
            ticket: Some((ticket.parse::<TicketId>()?, 0)),
            card: None,
            medium: Medium::Code,
            at: SystemClock.now(),
        };
        let body = serde_json::to_string(&check)?;
        posts.push(kiosks[at % kiosks.len()].post("/api/v1/kiosk/check", body));
    }
    Ok(posts)
}

/// A kiosk comes back after a day alone and sends its journal, page after page; scans per second.
async fn uploads(world: &World) -> anyhow::Result<f64> {
    let event = world.event(&[1_000_000]).await?;
    let number = {
        let mut tx = world.db.read().await?;
        let (number,): (i64,) =
            fetch!(tx, fetch_one, "select number from event where id = $1", &event.id)?;
        u32::try_from(number)?
    };
    let scans = UPLOADS * UPLOAD_MAX;
    let tickets = world.tickets(&event, u32::try_from(scans)?).await?;
    let kiosk = world.signer(&event, KIOSKS + 1).await?;
    let mut chain = Chain::start(&kiosk.id);
    let mut posts = Vec::new();
    for (page, tickets) in tickets.chunks(UPLOAD_MAX).enumerate() {
        let from_seq = (page * UPLOAD_MAX) as u64 + 1;
        let before = chain;
        let mut entries = Vec::new();
        for (seq, (ticket, _)) in (from_seq..).zip(tickets) {
            let entry = Entry::of(&Scan {
                seq,
                event: number,
                station_kind: StationKind::Gate,
                station: "东门".to_owned(),
                medium: Medium::Code,
                ticket: Some(*ticket),
                verdict: Verdict::Admitted,
                trust: Trust::SignatureOnly,
                at: SystemClock.now(),
                skew: Some(Skew { ms: 0, error_ms: 5 }),
            });
            chain = chain.after(seq, &entry);
            entries.push(entry);
        }
        let upload = Upload { from_seq, before, entries, head_seq: scans as u64, skew_ms: Some(0) };
        posts.push(kiosk.post("/api/v1/kiosk/scans", serde_json::to_string(&upload)?));
    }
    let begun = Instant::now();
    for post in &posts {
        world.send(post).await?;
    }
    Ok(scans as f64 / begun.elapsed().as_secs_f64())
}
