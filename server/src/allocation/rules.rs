//! How places are divided among unions, and when they flow back.

use admission::Millis;

use super::queries;
use crate::{
    App, booking,
    db::Tx,
    error::{Error, Result},
    event::{self, Event, Offer},
    web::access::Person,
};

/// Divides `places` in proportion to `counts` by the largest remainder: each gets the whole part of its share, and the
/// places that are left go to the largest fractions, of equal ones to the larger count, then to the one that stands
/// first. Nobody is counted: nobody gets any.
#[must_use]
pub(super) fn proportional(places: i64, counts: &[i64]) -> Vec<i64> {
    let total: i128 = counts.iter().map(|count| i128::from(*count)).sum();
    if total <= 0 || places <= 0 {
        return vec![0; counts.len()];
    }
    let share = |count: &i64| i128::from(places) * i128::from(*count);
    let whole = |count: &i64| i64::try_from(share(count) / total).unwrap_or(0);
    let mut given: Vec<i64> = counts.iter().map(whole).collect();
    let left = usize::try_from(places - given.iter().sum::<i64>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|at| {
        let count = counts[*at];
        (std::cmp::Reverse(share(&count) % total), std::cmp::Reverse(count))
    });
    for at in order.into_iter().take(left) {
        given[at] += 1;
    }
    given
}

/// A union's part of an offer, for one of its officers.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) event: Event,
    pub(super) offer: Offer,
    pub(super) union_id: String,
    pub(super) union_name: String,
    /// How many places the union may give.
    pub(super) places: i64,
    /// How many it has given.
    pub(super) taken: i64,
    /// When it was read.
    now: Millis,
}

/// How naming stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    NotOpen,
    Naming,
    FlowedBack,
    Closed,
}

impl Share {
    /// What `officer` gives of an offer.
    ///
    /// # Errors
    /// [`Error::NotFound`] when they are no officer of the union, or it has no part of the offer.
    pub(super) async fn of(
        tx: &mut Tx,
        officer: &Person,
        (offer, union_id): (&str, &str),
        now: Millis,
    ) -> Result<Self> {
        let union_name = queries::office(tx, &officer.id, union_id).await?;
        let offer = event::queries::offer(tx, offer).await?;
        let event = event::queries::event(tx, &offer.event_id).await?;
        if !event.is_public() || offer.mode != "allocation" {
            return Err(Error::NotFound);
        }
        let (places, taken) = queries::part(tx, &offer.id, union_id).await?;
        let union_id = union_id.to_owned();
        Ok(Self { event, offer, union_id, union_name, places, taken, now })
    }

    pub(super) fn state(&self) -> State {
        let Self { event, offer, now, .. } = self;
        if is_naming(event, offer, *now) {
            State::Naming
        } else if event.status != "published" || *now >= offer.closes_ms || *now >= event.ends_ms {
            State::Closed
        } else if *now < offer.opens_ms {
            State::NotOpen
        } else {
            State::FlowedBack
        }
    }
}

/// Whether the unions' officers give the places of `offer` now, and nobody else does.
#[must_use]
pub(crate) fn is_naming(event: &Event, offer: &Offer, now: Millis) -> bool {
    event.status == "published"
        && now >= offer.opens_ms
        && now < offer.closes_ms
        && now < event.ends_ms
        && offer.is_reserved(now)
}

/// Lets what the unions did not give flow back where the time has come: those in line get it first, then everybody.
/// Gives how many offers that were. Several server processes may do it at once; each offer flows back once.
///
/// # Errors
/// When the database fails; what flowed back before that is done.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let due = queries::due(&mut tx, now).await?;
    drop(tx);
    let mut count = 0;
    for (offer_id, event_id) in due {
        let (inner, event) = (app.clone(), event_id.clone());
        let flowed = app.ledger.write(move |tx| {
            let (app, offer_id, event_id) = (inner.clone(), offer_id.clone(), event.clone());
            Box::pin(async move { flow_back(tx, &app, &offer_id, &event_id, now).await })
        });
        if flowed.await? {
            count += 1;
            app.live.changed(&event_id);
            app.outbox_wakes.notify_one();
        }
    }
    Ok(count)
}

async fn flow_back(
    tx: &mut Tx,
    app: &App,
    offer_id: &str,
    event_id: &str,
    now: Millis,
) -> Result<bool> {
    event::queries::hold(tx, event_id).await?;
    if !queries::note_flowed_back(tx, offer_id, now).await? {
        return Ok(false);
    }
    let offer = event::queries::offer(tx, offer_id).await?;
    booking::line::advance(tx, app, &offer, now).await?;
    tx.notify(event_id).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_divided_by_the_largest_remainder() {
        for (places, counts, given) in [
            (10, &[5, 3, 2][..], &[5, 3, 2][..]),
            // 3.5, 2.1, 1.4: the place that is left goes to the half.
            (7, &[50, 30, 20], &[4, 2, 1]),
            // Equal fractions: the larger union, then the first.
            (1, &[1, 1, 1], &[1, 0, 0]),
            (3, &[3, 1, 1, 1], &[2, 1, 0, 0]),
            (5, &[0, 4], &[0, 5]),
            (5, &[0, 0], &[0, 0]),
            (0, &[3], &[0]),
            (2, &[], &[]),
        ] {
            assert_eq!(proportional(places, counts), given, "{places} among {counts:?}");
        }
    }

    #[test]
    fn every_place_is_given_and_nobody_is_a_place_from_their_share() {
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let counts: Vec<i64> = (0..=next(30)).map(|_| next(400) as i64).collect();
            let (places, total) = (next(500) as i64, counts.iter().sum::<i64>());
            let given = proportional(places, &counts);
            assert_eq!(given.iter().sum::<i64>(), if total == 0 { 0 } else { places });
            for (given, count) in given.iter().zip(&counts).filter(|_| total > 0) {
                assert!(
                    (given * total - places * count).abs() < total,
                    "{places} among {counts:?}"
                );
            }
        }
    }
}
