//! Committing to a seed, and drawing once all entries are in.

use admission::Millis;
use data_encoding::HEXLOWER;

use super::{
    queries::{self, Entered},
    record::{self, Entry, Record, WEIGHT_MAX},
};
use crate::{
    App, booking,
    db::Tx,
    error::{Error, Result},
    event::{self, Event, Offer, OfferDraft},
    keys::Keys,
};

/// The seed of an offer's ballot. It is told to nobody before the draw.
fn seed_of(keys: &Keys, offer_id: &str) -> [u8; 32] {
    keys.draw.fingerprint(format!("ballot/{offer_id}").as_bytes()).0
}

/// Commits to the seeds of the ballots of an event that have no commitment yet: before anybody can enter.
pub(crate) async fn commit(tx: &mut Tx, keys: &Keys, event_id: &str, now: Millis) -> Result<()> {
    for offer in event::queries::offers(tx, event_id).await? {
        if offer.mode == "draw" {
            let commitment = record::commitment(&seed_of(keys, &offer.id));
            queries::commit(tx, &offer, &commitment, now).await?;
        }
    }
    Ok(())
}

/// Refuses a change of an offer that would break what its draw has promised: the rule stands still once somebody has
/// entered, and what is drawn is not opened again.
///
/// # Errors
/// [`Error::Invalid`] `closes`, `weight_drives` or `floors`.
pub(crate) async fn refuse_change(tx: &mut Tx, before: &Offer, draft: &OfferDraft) -> Result<()> {
    if before.mode != "draw" {
        return Ok(());
    }
    if draft.closes_ms > before.closes_ms.0 && queries::is_drawn(tx, &before.id).await? {
        return Err(Error::invalid(
            "closes",
            "已经抽签，报名时间不能再延长。可以另加一个名额。",
            "It is drawn; booking cannot be opened again. You may add another offer.",
        ));
    }
    if !queries::has_entries(tx, &before.id).await? {
        return Ok(());
    }
    if draft.weight_drives != before.weight_drives {
        return Err(Error::invalid(
            "weight_drives",
            "已经有人报名，加权的规则不能再改。",
            "People have entered; the rule of the draw cannot change any more.",
        ));
    }
    if let Some(floors) = &draft.floors {
        let mut wanted: Vec<(String, i64)> =
            floors.iter().map(|floor| (floor.union.clone(), floor.places)).collect();
        wanted.sort();
        if wanted != queries::floor_ids(tx, &before.id).await? {
            return Err(Error::invalid(
                "floors",
                "已经有人报名，保底名额不能再改。",
                "People have entered; the places set aside for unions cannot change any more.",
            ));
        }
    }
    Ok(())
}

/// Draws every ballot whose entries are all in. Gives how many were drawn. Several server processes may do it at once;
/// each ballot is drawn once.
///
/// # Errors
/// When the database fails, or the key folder is not the one that committed to a seed: of the first ballot that could
/// not be drawn. The others are drawn all the same.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let due = queries::due(&mut tx, now).await?;
    drop(tx);
    let (mut count, mut failed) = (0, None);
    for (offer_id, event_id) in due {
        let (inner, event) = (app.clone(), event_id.clone());
        let drawn = app
            .ledger
            .write(move |tx| {
                let (app, offer_id, event_id) = (inner.clone(), offer_id.clone(), event.clone());
                Box::pin(async move { draw(tx, &app, &offer_id, &event_id, now).await })
            })
            .await;
        match drawn {
            Ok(true) => {
                count += 1;
                app.live.changed(&event_id);
                app.outbox_wakes.notify_one();
            }
            Ok(false) => {}
            Err(error) if error.is_away() => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(count), Err)
}

async fn draw(tx: &mut Tx, app: &App, offer_id: &str, event_id: &str, now: Millis) -> Result<bool> {
    event::queries::hold(tx, event_id).await?;
    let Some(ballot) =
        queries::ballot(tx, offer_id).await?.filter(|ballot| ballot.drawn_ms.is_none())
    else {
        return Ok(false);
    };
    let event = event::queries::event(tx, event_id).await?;
    let offer = event::queries::offer(tx, offer_id).await?;
    let seed = seed_of(&app.keys, offer_id);
    if record::commitment(&seed) != ballot.commitment {
        return Err(Error::Internal(anyhow::anyhow!(
            "the draw key is not the one that committed to the ballot of offer {offer_id}: bring back keys/draw.key"
        )));
    }
    // Who is barred by now takes no part, and is told so.
    booking::drawn::put_out(tx, app, (&event, &offer), now).await?;
    let entered = queries::entries(tx, offer_id).await?;
    let entries = weighed(tx, &event, &offer, &entered).await?;
    let floors = queries::floors(tx, offer_id).await?;
    let (won, lost) = record::draw(&seed, offer.left(), &floors, &entries);
    let record = Record {
        version: record::VERSION,
        kind: "ballot".to_owned(),
        title: format!("{} · {}", event.title, offer.name),
        commitment: ballot.commitment,
        committed_ms: ballot.committed_ms,
        seed: HEXLOWER.encode(&seed),
        drawn_ms: now.0,
        quota: offer.left(),
        floors,
        entries,
        won,
        lost,
    };
    let text = serde_json::to_string_pretty(&record).map_err(anyhow::Error::from)?;
    if !queries::drawn(tx, offer_id, &text, now).await? {
        return Ok(false);
    }
    booking::drawn::settle(tx, app, (&event, &offer), &record.won, &record.lost, now).await?;
    tx.notify(event_id).await?;
    Ok(true)
}

/// The entries as they are published, with their weights: one chance for everybody, and one more for each of the last
/// drives in which one got nothing.
async fn weighed(
    tx: &mut Tx,
    event: &Event,
    offer: &Offer,
    entered: &[Entered],
) -> Result<Vec<Entry>> {
    let losses = match offer.weight_drives {
        0 => Default::default(),
        drives => queries::losses(tx, &event.kind, drives).await?,
    };
    let entry = |entered: &Entered| {
        let lost = losses.get(&entered.person_id).copied().unwrap_or(0);
        Entry {
            id: entered.id.clone(),
            name: admission::name::masked(&entered.name),
            union: entered.union_name.clone(),
            places: entered.places,
            weight: u32::try_from(lost + 1).unwrap_or(1).min(WEIGHT_MAX),
        }
    };
    Ok(entered.iter().map(entry).collect())
}
