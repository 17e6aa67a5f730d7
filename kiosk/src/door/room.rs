//! How many may still come in at this gate, where the event has an approved size (核定人数, a line that the law draws).
//!
//! A gate that is alone cannot know who comes in at the others. So the server gives each gate a share of what is left, and
//! the shares together are no more than that: whoever is alone for however long, more than were approved never get in. A
//! gate in contact asks the server, which counts everybody and knows better.

use std::collections::VecDeque;

use admission::{Verdict, decide};

use super::Door;

/// What this gate did that the server's share does not count yet: place in the journal, and how many more are inside.
#[derive(Debug, Default)]
pub(super) struct Moves(VecDeque<(u64, i64)>);

impl Door {
    /// What the journal says that this gate did since the server gave it its share; for a door that begins.
    pub fn take_moves(&mut self, moves: impl IntoIterator<Item = (u64, i64)>) {
        self.moves = Moves(moves.into_iter().collect());
    }

    /// The entry at `seq` changed by `more` how many are inside.
    pub(super) fn moved(&mut self, seq: u64, more: i64) {
        if self.known.post.as_ref().is_some_and(|post| post.room.is_some()) {
            self.moves.0.push_back((seq, more));
        }
    }

    /// A new share counts everything through a place.
    pub(super) fn settle_moves(&mut self) {
        match self.known.post.as_ref().and_then(|post| post.room) {
            Some(room) => self.moves.0.retain(|(seq, _)| *seq > room.through),
            None => self.moves.0.clear(),
        }
    }

    /// What a verdict becomes when this gate's share is used up.
    pub(super) fn where_there_is_room(&self, verdict: Verdict) -> Verdict {
        let Some(post) = &self.known.post else { return verdict };
        let Some(room) = post.room else { return verdict };
        let more: i64 = self.moves.0.iter().map(|(_, more)| more).sum();
        if more < i64::from(room.share) {
            return verdict;
        }
        decide::when_full(verdict, post.station_kind)
    }
}
