//! The server under load: bookings, check-ins, journals, sold-out answers, each against the no-op route.

use std::{path::Path, time::Instant};

use admission::{
    Clock as _, Verdict,
    decide::{Proof, StationKind},
    scan::{Chain, Deed, Entry, Medium, Scan, Skew, Trust},
    sync::{Check, UPLOAD_MAX, Upload},
    ticket::TicketId,
};
use anyhow::ensure;
use serde_json::json;
use turnout_server::{SystemClock, fetch};

use crate::{
    MEMBERS,
    load::{self, Post, Seen},
    report::{Report, Row},
    world::{Signer, World},
};

const SECONDS: u32 = 4;
/// Each is measured so often, beside a no-op route that is measured right before; the median round is told.
const ROUNDS: usize = 3;
/// Each member books each offer once; so many that nobody books twice within a round.
const OFFERS: usize = 6;
const KIOSKS: u8 = 4;
/// So many that no ticket is asked about twice within a round.
const CHECKS: usize = 120_000;
const UPLOADS: usize = 20;

/// What the design asks of an engine: a share of the no-op route's answers per second.
pub(crate) struct Target {
    pub(crate) engine: &'static str,
    pub(crate) share: f64,
}

/// Something measured beside the no-op route.
struct Round {
    per_second: f64,
    /// Of what the no-op route gave.
    share: f64,
    seen: Seen,
}

impl Round {
    /// The one with the median share.
    fn median(mut rounds: Vec<Self>) -> Self {
        rounds.sort_by(|one, other| one.share.total_cmp(&other.share));
        rounds.swap_remove(rounds.len() / 2)
    }

    fn row(&self, what: String) -> Row {
        Row::rate(what, self.per_second).seen(&self.seen)
    }
}

/// Measures the servers of `world`: bookings and check-ins, and what else there is with one server.
pub(crate) async fn measure(
    world: &World,
    members: &[String],
    noop: &str,
    target: &Target,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let noop = [noop.to_owned()];
    let whose = match world.urls.len() {
        1 => target.engine.to_owned(),
        many => format!("{}, {many} servers", target.engine),
    };
    let event = world.event(&[vec![1_000_000; ROUNDS * OFFERS], vec![1]].concat()).await?;
    let (sold_out, open) = event.offers.split_last().expect("one more was asked for");
    let mut kiosks = Vec::new();
    for n in 1..=KIOSKS {
        kiosks.push(world.signer(&event, n).await?);
    }

    let tickets = world.tickets(&event, u32::try_from(ROUNDS * CHECKS)?).await?;
    let mut tickets = tickets.chunks(CHECKS);
    let (mut idles, mut booked, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    let mut places = 0;
    for offers in open.chunks(OFFERS) {
        let bookings = bookings(members, offers);
        let idle = load::play(&noop, &bookings, SECONDS, folder).await?;
        let beside = |rate: f64| rate / idle.per_second();
        let before = world.count("select count(*) from booking").await?;
        let seen = load::play(&world.urls, &bookings, SECONDS, folder).await?;
        let confirmed = world.count("select count(*) from booking").await? - before;
        ensure!(
            seen.refused == 0 && seen.answers <= confirmed && confirmed < bookings.len() as u64,
            "{seen:?}, but {confirmed} bookings"
        );
        let per_second = confirmed as f64 / seen.seconds;
        booked.push(Round { per_second, share: beside(per_second), seen });

        let tickets = tickets.next().expect("some for each round");
        let checks = checks(&kiosks, tickets, &mut places)?;
        let before = world.count("select count(*) from scan").await?;
        let seen = load::play(&world.urls, &checks, SECONDS, folder).await?;
        let counted = world.count("select count(*) from scan").await? - before;
        ensure!(
            seen.refused == 0 && counted < checks.len() as u64,
            "{seen:?}, but {counted} scans"
        );
        let per_second = counted as f64 / seen.seconds;
        checked.push(Round { per_second, share: beside(per_second), seen });
        idles.push(Round { per_second: idle.per_second(), share: idle.per_second(), seen: idle });
    }
    let idle = Round::median(idles);
    report.add(idle.row("no-op route".to_owned()));
    let round = Round::median(booked);
    let row = round.row(format!("bookings confirmed, {whose}"));
    report.add(row.share_of_at_least(round.share, target.share));
    let round = Round::median(checked);
    let row = round.row(format!("check-ins, one by one, {whose}"));
    report.add(row.share_of_at_least(round.share, target.share));
    report.add(Row::size(format!("a server's memory then, {whose}"), world.memory_mib()?, "MiB"));
    if world.urls.len() > 1 {
        return Ok(());
    }

    let beside = |rate: f64| rate / idle.per_second;
    let rate = uploads(world).await?;
    let row = Row::rate(format!("check-ins, journals of {UPLOAD_MAX}, {whose}"), rate);
    report.add(row.share_of_at_least(beside(rate), target.share));

    let hopeless = bookings_of(members, sold_out);
    let seen = load::play(&world.urls, &hopeless, SECONDS, folder).await?;
    // Whoever got the one place asks again with the same key when the requests begin anew.
    let rounds = seen.answers.div_ceil(u64::from(MEMBERS));
    ensure!(seen.answers - seen.refused <= rounds, "{seen:?}, but one place");
    let row = Row::rate(format!("sold-out answers, {whose}"), seen.per_second());
    report.add(row.seen(&seen).share(beside(seen.per_second())));
    Ok(())
}

pub(crate) fn bookings(members: &[String], offers: &[String]) -> Vec<Post> {
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

/// Each of these tickets, asked about once, by several kiosks in turn. `places` counts on in their journals.
fn checks(
    kiosks: &[Signer],
    tickets: &[(TicketId, String)],
    places: &mut u64,
) -> anyhow::Result<Vec<Post>> {
    let mut posts = Vec::new();
    for (ticket, _) in tickets {
        *places += 1;
        let kiosk = &kiosks[usize::try_from(*places)? % kiosks.len()];
        let check = Check {
            seq: *places,
            ticket: Some((*ticket, 0)),
            card: None,
            medium: Medium::Code,
            proof: Proof::Absent,
            at: SystemClock.now(),
            fact: None,
        };
        posts.push(kiosk.post("/api/v1/kiosk/check", serde_json::to_string(&check)?));
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
                deed: Deed::default(),
            });
            chain = chain.after(seq, &entry);
            entries.push(entry);
        }
        let (head_seq, skew_ms) = (scans as u64, Some(0));
        let upload = Upload { from_seq, before, entries, head_seq, skew_ms, ..Upload::default() };
        posts.push(kiosk.post("/api/v1/kiosk/scans", serde_json::to_string(&upload)?));
    }
    let begun = Instant::now();
    for post in &posts {
        world.send(post).await?;
    }
    Ok(scans as f64 / begun.elapsed().as_secs_f64())
}
