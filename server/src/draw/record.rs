//! The published record of a ballot, and how anybody computes it again. Pure: the record is all there is.
//!
//! The rule, in full (docs/draws.md says it for readers who do not read Rust):
//!
//! 1. SHA-256 of the seed's 32 bytes is the commitment, published before the first entry.
//! 2. The key of an entry of weight w is the smallest of HMAC-SHA256(seed, "ID/0") … HMAC-SHA256(seed, "ID/w-1").
//!    Entries stand in ascending order of their keys.
//! 3. For each floor, in the order of the record, that union's entries are drawn in order, as long as they fit into the
//!    floor and into what is left.
//! 4. Everybody else is drawn in order as long as they fit into what is left. A group that does not fit is passed over:
//!    it gets all its places or none. What a floor did not use is drawn here.

use std::collections::HashSet;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// The version of the record's form.
pub const VERSION: u32 = 1;
/// Nobody's weight is above it, so that a record cannot keep its reader busy for ever.
pub const WEIGHT_MAX: u32 = 100;

/// A ballot as it is published.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// `ballot`.
    pub kind: String,
    /// What it was about, in words.
    pub title: String,
    /// SHA-256 of the seed, 64 hexadecimal digits; known before the first entry.
    pub commitment: String,
    /// When the commitment was made, milliseconds since 1970, UTC.
    pub committed_ms: i64,
    /// The seed, 64 hexadecimal digits.
    pub seed: String,
    /// When it was drawn, milliseconds since 1970, UTC.
    pub drawn_ms: i64,
    /// How many places there were to draw.
    pub quota: i64,
    /// Places set aside for the people of a union, as far as they want them.
    pub floors: Vec<Floor>,
    /// Who took part, in no particular order.
    pub entries: Vec<Entry>,
    /// What came out: the ids of the entries in the order in which they were drawn.
    pub won: Vec<String>,
    /// The ids of the others, in the order of their keys: the order of the waiting list.
    pub lost: Vec<String>,
}

/// Places set aside for the people of a union.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Floor {
    /// The union's name.
    pub union: String,
    /// How many.
    pub places: i64,
}

/// One entry.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Entry {
    /// Its id: the booking's.
    pub id: String,
    /// The masked name of who made it.
    pub name: String,
    /// Their union's name.
    pub union: Option<String>,
    /// Places it asks for.
    pub places: i64,
    /// How many chances it has.
    pub weight: u32,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is of another kind or version.
    #[error(
        "这不是本程序认识的抽签记录。 This is not a record of a ballot that this program knows"
    )]
    Unknown,
    /// The seed is not 64 hexadecimal digits.
    #[error("种子不是 64 位十六进制数。 The seed is not 64 hexadecimal digits")]
    Seed,
    /// The seed is not the one that was committed to.
    #[error("种子与事先公布的承诺不符。 The seed is not the one that was committed to")]
    Commitment,
    /// Two entries have one id, or an entry asks for nothing or has a weight out of range.
    #[error("名单里有重复或无效的报名。 An entry is there twice or makes no sense")]
    Entries,
    /// Another result comes out.
    #[error("重新计算的结果与公布的不同。 Another result comes out than was published")]
    Result,
}

/// What a seed commits to: SHA-256, in hexadecimal digits.
#[must_use]
pub fn commitment(seed: &[u8; 32]) -> String {
    HEXLOWER.encode(&Sha256::digest(seed))
}

/// The key of an entry: the smallest of its chances.
#[must_use]
pub fn key(seed: &[u8; 32], id: &str, weight: u32) -> [u8; 32] {
    let chance = |n: u32| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes a key of any length");
        mac.update(format!("{id}/{n}").as_bytes());
        mac.finalize().into_bytes().into()
    };
    (0..weight.max(1)).map(chance).min().unwrap_or([0xff; 32])
}

/// Draws: gives the ids of the winners in the order in which they were drawn, and of the others in order.
#[must_use]
pub fn draw(
    seed: &[u8; 32],
    quota: i64,
    floors: &[Floor],
    entries: &[Entry],
) -> (Vec<String>, Vec<String>) {
    let mut order: Vec<(&Entry, [u8; 32])> =
        entries.iter().map(|entry| (entry, key(seed, &entry.id, entry.weight))).collect();
    order.sort_by(|(a, a_key), (b, b_key)| (a_key, &a.id).cmp(&(b_key, &b.id)));
    let (mut won, mut left) = (Vec::new(), quota);
    let mut drawn = HashSet::new();
    for floor in floors {
        let mut reserved = floor.places.min(left);
        for (entry, _) in &order {
            let theirs = entry.union.as_ref() == Some(&floor.union);
            if theirs && entry.places <= reserved && drawn.insert(&entry.id) {
                reserved -= entry.places;
                left -= entry.places;
                won.push(entry.id.clone());
            }
        }
    }
    for (entry, _) in &order {
        if entry.places <= left && drawn.insert(&entry.id) {
            left -= entry.places;
            won.push(entry.id.clone());
        }
    }
    let lost = order
        .iter()
        .map(|(entry, _)| &entry.id)
        .filter(|id| !drawn.contains(id))
        .cloned()
        .collect();
    (won, lost)
}

impl Record {
    /// Computes the record again.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self) -> Result<(), Fault> {
        if self.version != VERSION || self.kind != "ballot" {
            return Err(Fault::Unknown);
        }
        let seed = HEXLOWER.decode(self.seed.as_bytes()).map_err(|_| Fault::Seed)?;
        let seed: [u8; 32] = seed.try_into().map_err(|_| Fault::Seed)?;
        if commitment(&seed) != self.commitment {
            return Err(Fault::Commitment);
        }
        let mut ids = HashSet::new();
        let sound = |entry: &Entry| entry.places >= 1 && (1..=WEIGHT_MAX).contains(&entry.weight);
        if !self.entries.iter().all(|entry| sound(entry) && ids.insert(&entry.id)) {
            return Err(Fault::Entries);
        }
        let (won, lost) = draw(&seed, self.quota, &self.floors, &self.entries);
        if (&won, &lost) == (&self.won, &self.lost) { Ok(()) } else { Err(Fault::Result) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(n: u32, union: u8, places: i64, weight: u32) -> Entry {
        let union = (union < 3).then(|| format!("工会{union}"));
        Entry { id: format!("entry-{n}"), name: "王*明".to_owned(), union, places, weight }
    }

    fn record(seed: [u8; 32], quota: i64, floors: Vec<Floor>, entries: Vec<Entry>) -> Record {
        let (won, lost) = draw(&seed, quota, &floors, &entries);
        Record {
            version: VERSION,
            kind: "ballot".to_owned(),
            title: "温泉券".to_owned(),
            commitment: commitment(&seed),
            committed_ms: 0,
            seed: HEXLOWER.encode(&seed),
            drawn_ms: 1,
            quota,
            floors,
            entries,
            won,
            lost,
        }
    }

    prop_compose! {
        fn entries()(parts in prop::collection::vec((0..5_u8, 1..4_i64, 1..5_u32), 0..40)) -> Vec<Entry> {
            parts.into_iter().zip(0..).map(|((union, places, weight), n)| entry(n, union, places, weight)).collect()
        }
    }

    proptest! {
        #[test]
        fn a_draw_keeps_its_rules(
            seed in any::<[u8; 32]>(), quota in 0..30_i64, floor in 0..10_i64, mut entries in entries()
        ) {
            let floors = vec![Floor { union: "工会0".to_owned(), places: floor }];
            let record = record(seed, quota, floors.clone(), entries.clone());
            prop_assert_eq!(record.verify(), Ok(()));
            let places = |ids: &[String], pick: &dyn Fn(&Entry) -> bool| -> i64 {
                entries.iter().filter(|entry| ids.contains(&entry.id) && pick(entry)).map(|entry| entry.places).sum()
            };
            prop_assert!(places(&record.won, &|_| true) <= quota);
            // Nobody who would still fit was left out.
            let left = quota - places(&record.won, &|_| true);
            prop_assert!(entries.iter().all(|entry| record.won.contains(&entry.id) || entry.places > left));
            // The floor was kept as far as its people wanted it: who of them lost did not fit into what was left of it.
            let theirs = |entry: &Entry| entry.union.as_deref() == Some("工会0");
            let unused = floor.min(quota) - places(&record.won, &theirs);
            prop_assert!(entries.iter().all(|entry| !theirs(entry) || record.won.contains(&entry.id) || entry.places > unused));
            // Everybody has one outcome.
            prop_assert_eq!(record.won.len() + record.lost.len(), entries.len());
            // The order in which people entered does not matter.
            entries.reverse();
            prop_assert_eq!(draw(&seed, quota, &floors, &entries), (record.won, record.lost));
        }

        #[test]
        fn what_was_changed_afterwards_is_found(seed in any::<[u8; 32]>(), change in 0..5_u8) {
            let entries = (0..20).map(|n| entry(n, 0, 1, 1)).collect();
            let mut record = record(seed, 5, Vec::new(), entries);
            match change {
                0 => record.won.swap(0, 1),
                1 => record.seed = HEXLOWER.encode(&[7; 32]),
                2 => record.quota += 1,
                3 => record.entries[3].id = "entry-4".to_owned(),
                _ => { record.won.pop(); }
            }
            prop_assert!(record.verify().is_err());
        }
    }

    #[test]
    fn a_weight_of_three_wins_about_three_times_as_often() {
        let entries: Vec<Entry> =
            (0..10).map(|n| entry(n, 4, 1, if n == 0 { 3 } else { 1 })).collect();
        let wins = (0..2_000_u32).filter(|n| {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&n.to_be_bytes());
            draw(&seed, 1, &[], &entries).0 == ["entry-0"]
        });
        // 3 chances of 12: 500 are expected, with a deviation of 19.
        let wins = wins.count();
        assert!((400..600).contains(&wins), "{wins} of 2000");
    }
}
