//! The published record of a contest's draw, and how anybody computes it again. Pure: the record is all there is.

use std::collections::HashSet;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ENTRANTS_MAX, Entrant, Together, groups, knock_out, lots::Lots, places::seeds_max};
use crate::{
    contest::{Format, SeedRule},
    draw::record::{Fault, commitment},
};

/// The version of records that are made now. Those of version 1 are drawn as they were: winners of groups in a block that
/// is not full by lot alone, so that first and second of a group could share a half.
pub const VERSION: u32 = 2;
/// What `kind` says.
pub const KIND: &str = "contest";

/// A contest's draw as it is published.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = ContestDraw)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// `contest`.
    pub kind: String,
    /// What it was about, in words.
    pub title: String,
    /// SHA-256 of the seed, 64 hexadecimal digits; known before the draw.
    pub commitment: String,
    /// When the commitment was made, milliseconds since 1970, UTC.
    pub committed_ms: i64,
    /// The seed, 64 hexadecimal digits.
    pub seed: String,
    /// When it was drawn, milliseconds since 1970, UTC.
    pub drawn_ms: i64,
    /// By which rules.
    #[serde(flatten)]
    pub terms: Terms,
    /// Who was drawn, in no particular order.
    pub entries: Vec<Entry>,
    /// What came out.
    #[serde(flatten)]
    pub drawn: Drawn,
}

/// The rules of a draw.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Terms {
    /// `knock_out`, `groups` or `round_robin`.
    pub format: Format,
    /// Whose places for seeds.
    pub seed_rule: SeedRule,
    /// About how many in one group.
    pub group_size: u32,
    /// How many of each group go on.
    pub group_winners: u32,
}

/// One entrant.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
#[schema(as = ContestDrawEntry)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Its name, masked when it is a person's.
    pub name: String,
    /// The organisation it plays for.
    pub organisation: Option<String>,
    /// 1 is the strongest.
    pub seed: Option<u32>,
}

/// What came out of a draw.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Drawn {
    /// The ids of each group's entries by their places there; none in a knock-out.
    pub groups: Vec<Vec<String>>,
    /// The lines of the knock-out from the top: an entry's id, or `2/1` for the winner of the second group, or a bye.
    pub lines: Vec<Option<String>>,
    /// Pairs of one organisation that could not be kept apart; with groups, those in the groups, and of the knock-out behind
    /// them the pairs of one group that are nearer than so many must be.
    pub together: Together,
}

/// Draws by the rule of that version.
#[must_use]
pub fn draw(version: u32, seed: &[u8; 32], terms: &Terms, entries: &[Entry]) -> Drawn {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    // The order of the list does not matter.
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    let entrants: Vec<Entrant> = entries
        .iter()
        .map(|entry| Entrant {
            id: entry.id.clone(),
            organisation: entry.organisation.clone(),
            seed: entry.seed,
            stage: 0,
        })
        .collect();
    let lots = Lots::new(*seed);
    let id = |at: &usize| entries[*at].id.clone();
    let count = match terms.format {
        Format::KnockOut | Format::Walk => {
            let seeds = seeds_max(terms.seed_rule, entrants.len());
            let drawn = knock_out::draw(terms.seed_rule, seeds, &entrants, &lots);
            let lines = drawn.lines.iter().map(|line| line.as_ref().map(id)).collect();
            return Drawn { groups: Vec::new(), lines, together: drawn.together };
        }
        Format::RoundRobin => 1,
        Format::Groups => groups::count(entrants.len(), terms.group_size as usize),
    };
    let drawn = groups::draw(count, &entrants, &lots);
    let winners = terms.group_winners as usize;
    let (mut lines, mut together) = (Vec::new(), Together::default());
    if count > 1 {
        let names = groups::qualifiers(count, winners);
        let name = |at: usize| groups::qualifier(names[at].0, names[at].1);
        let bracket = if version == 1 {
            groups::knock_out_of_version_1(terms.seed_rule, count, winners, &lots)
        } else {
            groups::knock_out(terms.seed_rule, count, winners, &lots)
        };
        if version > 1 {
            together = groups::beyond(&bracket, count, winners);
        }
        lines = bracket.lines.into_iter().map(|line| line.map(name)).collect();
    }
    Drawn {
        groups: drawn.groups.iter().map(|group| group.iter().map(id).collect()).collect(),
        lines,
        together: Together { group: drawn.together, ..together },
    }
}

impl Record {
    /// Computes the record again.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self) -> Result<(), Fault> {
        if !(1..=VERSION).contains(&self.version) || self.kind != KIND {
            return Err(Fault::Unknown);
        }
        let seed = HEXLOWER.decode(self.seed.as_bytes()).map_err(|_| Fault::Seed)?;
        let seed: [u8; 32] = seed.try_into().map_err(|_| Fault::Seed)?;
        if commitment(&seed) != self.commitment {
            return Err(Fault::Commitment);
        }
        let mut ids = HashSet::new();
        let terms = &self.terms;
        let sound = (2..=ENTRANTS_MAX).contains(&self.entries.len())
            && self.entries.iter().all(|entry| ids.insert(&entry.id))
            && terms.format != Format::Walk
            && (3..=16).contains(&terms.group_size)
            && (1..=4).contains(&terms.group_winners)
            && terms.group_winners < terms.group_size;
        if !sound {
            return Err(Fault::Entries);
        }
        let again = draw(self.version, &seed, terms, &self.entries);
        if again == self.drawn { Ok(()) } else { Err(Fault::Result) }
    }
}
