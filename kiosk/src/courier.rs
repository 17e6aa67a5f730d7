//! The courier between kiosk and server, without I/O: says what to do next, and how long to wait after a failure.
//!
//! One round is: everything in the journal up (or a sign of life), everything new down, the card key if it is
//! wanted, a rest. Up comes first, so that what comes down already counts what happened here. A revoked kiosk only sends
//! what is in its journal, and then leaves.

use admission::{
    scan::Chain,
    sync::{Receipt, UPLOAD_MAX},
};

/// The rest after a good round.
pub const REST_MS: u64 = 2_000;
/// The longest rest after failures: plugging the network in is noticed within it.
const REST_MAX_MS: u64 = 8_000;
const REST_AFTER_FAILURE_MS: u64 = 500;
/// A line on which not even so many entries get through at once carries nothing.
const BATCH_MIN: usize = 8;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Send the journal from after this place on.
    Upload {
        /// The server has all entries through this one.
        after: u64,
    },
    /// Fetch the next page of the feed.
    Fetch,
    /// Fetch the card key.
    FetchCardKey,
    /// Wait. A good round's rest ends early when there is something to send.
    Rest {
        /// This long.
        ms: u64,
        /// Whether the last round went well.
        well: bool,
    },
    /// Nothing more: this kiosk was revoked, and the server has everything that it had to tell.
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Upload,
    Fetch,
    FetchCardKey,
    Rest,
    Leave,
}

/// The server has another journal under this kiosk's name, or more of it than there is: this disk was copied or restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnotherJournal;

/// Where the courier is on its round.
#[derive(Debug)]
pub struct Courier {
    acknowledged: u64,
    step: Step,
    failures: u32,
    /// So many entries go up at once.
    batch: usize,
    /// The organizer revoked the kiosk.
    dismissed: bool,
}

impl Courier {
    /// A courier who knows that the server has all entries through `acknowledged`.
    #[must_use]
    pub const fn new(acknowledged: u64) -> Self {
        Self { acknowledged, step: Step::Upload, failures: 0, batch: UPLOAD_MAX, dismissed: false }
    }

    /// What to do next. `chance` (random) spreads the rests of many kiosks.
    #[must_use]
    pub fn task(&self, chance: u32) -> Task {
        match self.step {
            Step::Upload => Task::Upload { after: self.acknowledged },
            Step::Fetch => Task::Fetch,
            Step::FetchCardKey => Task::FetchCardKey,
            Step::Rest => Task::Rest { ms: self.rest_ms(chance), well: self.failures == 0 },
            Step::Leave => Task::Leave,
        }
    }

    /// How many entries to send at once: fewer after each failure, for a thin line does not carry many before its time is
    /// over, and somebody on the way may take no more; then more again.
    #[must_use]
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// The server has all entries through this one.
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Takes the server's answer. When it was asked, the journal ended at `head`; `own` is the journal's chain at the place
    /// through which the server has everything. It may have less than it said before (it was restored from a backup): then
    /// the rest is sent again.
    ///
    /// # Errors
    /// When it speaks of another journal. Nothing is believed then: what will be written at those places, it does not have.
    pub fn receipt(
        &mut self,
        receipt: &Receipt,
        head: u64,
        own: Option<Chain>,
    ) -> Result<(), AnotherJournal> {
        let have_through = receipt.have_through;
        if have_through > head || own != Some(receipt.chain) {
            return Err(AnotherJournal);
        }
        let progress = have_through > self.acknowledged;
        self.acknowledged = have_through;
        if !progress && have_through < head {
            self.failed();
            return Ok(());
        }
        if progress {
            // What is tried next may be too much again; that costs a short rest.
            self.failures = 0;
            self.batch = (self.batch + BATCH_MIN).min(UPLOAD_MAX);
        }
        if have_through == head {
            self.step = if self.dismissed { Step::Leave } else { Step::Fetch };
        }
        Ok(())
    }

    /// The server says that the organizer revoked the kiosk: once, to one that goes on telling what it did until the server
    /// has all of it; a second time, to one of which it takes nothing.
    pub fn dismiss(&mut self) {
        self.step = if self.dismissed { Step::Leave } else { Step::Upload };
        self.dismissed = true;
    }

    /// Whether the organizer revoked the kiosk.
    #[must_use]
    pub const fn is_dismissed(&self) -> bool {
        self.dismissed
    }

    /// A page was taken. Returns whether it ended the feed.
    pub fn page(&mut self, more: bool, card_key_wanted: bool) -> bool {
        if !more {
            self.step = if card_key_wanted { Step::FetchCardKey } else { Step::Rest };
            self.failures = 0;
        }
        !more
    }

    /// The card key was fetched, or refused: either way the round is over.
    pub fn card_key(&mut self) {
        self.step = Step::Rest;
    }

    /// The step failed.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.batch = (self.batch / 2).max(BATCH_MIN);
        self.step = Step::Rest;
    }

    /// The rest is over.
    pub fn rested(&mut self) {
        self.step = Step::Upload;
    }

    /// Between half and the whole of a span that doubles with each failure.
    fn rest_ms(&self, chance: u32) -> u64 {
        let span = match self.failures {
            0 => REST_MS,
            failures => (REST_AFTER_FAILURE_MS << failures.min(8)).min(REST_MAX_MS),
        };
        span / 2 + u64::from(chance) * (span / 2) / u64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use admission::Millis;
    use proptest::prelude::*;

    use super::*;

    /// The server has so many entries of this very journal.
    fn receipt(courier: &mut Courier, have_through: u64, head: u64) {
        let chain = Chain([7; 32]);
        let receipt = Receipt { have_through, chain, server_now: Millis(0) };
        courier.receipt(&receipt, head, Some(chain)).expect("this journal");
    }

    #[test]
    fn a_round_goes_up_then_down_then_rests() {
        let mut courier = Courier::new(3);
        assert_eq!(courier.task(0), Task::Upload { after: 3 });
        receipt(&mut courier, 503, 700);
        assert_eq!(courier.task(0), Task::Upload { after: 503 });
        receipt(&mut courier, 700, 700);
        assert_eq!(courier.task(0), Task::Fetch);
        assert!(!courier.page(true, true));
        assert_eq!(courier.task(0), Task::Fetch);
        assert!(courier.page(false, true));
        assert_eq!(courier.task(0), Task::FetchCardKey);
        courier.card_key();
        assert!(matches!(courier.task(0), Task::Rest { well: true, .. }));
        courier.rested();
        assert_eq!(courier.task(0), Task::Upload { after: 700 });
    }

    #[test]
    fn less_is_sent_at_once_over_a_line_that_does_not_carry_much() {
        let mut courier = Courier::new(0);
        assert_eq!(courier.batch(), UPLOAD_MAX);
        for batch in [250, 125, 62, 31, 15, 8, 8] {
            courier.failed();
            courier.rested();
            assert_eq!(courier.batch(), batch);
        }
        let (mut have, mut requests) = (0, 0);
        while courier.batch() < UPLOAD_MAX {
            have += courier.batch() as u64;
            receipt(&mut courier, have, 100_000);
            assert_eq!(courier.task(0), Task::Upload { after: have });
            requests += 1;
        }
        assert!(requests < 70, "{requests}");
        // What is too much costs a short rest, however long the line has been thin.
        courier.failed();
        assert!(matches!(courier.task(u32::MAX), Task::Rest { ms: 1_000, .. }));
    }

    #[test]
    fn what_a_restored_server_has_lost_is_sent_again() {
        let mut courier = Courier::new(700);
        receipt(&mut courier, 200, 700);
        assert!(matches!(courier.task(0), Task::Rest { well: false, .. }));
        courier.rested();
        assert_eq!(courier.task(0), Task::Upload { after: 200 });
        receipt(&mut courier, 700, 700);
        assert_eq!(courier.task(0), Task::Fetch);
    }

    #[test]
    fn what_was_never_written_here_is_not_acknowledged() {
        let mut courier = Courier::new(5);
        let chain = Chain([7; 32]);
        // Of a longer journal than this one, whatever stands in this one by the time of the answer; and of another one.
        for (have_through, own) in
            [(9, None), (9, Some(chain)), (5, None), (5, Some(Chain([8; 32])))]
        {
            let receipt = Receipt { have_through, chain, server_now: Millis(0) };
            assert_eq!(courier.receipt(&receipt, 5, own), Err(AnotherJournal));
            assert_eq!(courier.task(0), Task::Upload { after: 5 });
        }
    }

    #[test]
    fn a_revoked_kiosk_tells_what_it_did_and_leaves() {
        let mut courier = Courier::new(3);
        receipt(&mut courier, 3, 3);
        assert_eq!(courier.task(0), Task::Fetch);
        courier.dismiss();
        assert_eq!(courier.task(0), Task::Upload { after: 3 });
        courier.failed();
        courier.rested();
        receipt(&mut courier, 4, 5);
        assert_eq!(courier.task(0), Task::Upload { after: 4 });
        receipt(&mut courier, 5, 5);
        assert_eq!(courier.task(0), Task::Leave);
        // Nothing is taken of one that was lost.
        let mut lost = Courier::new(3);
        lost.dismiss();
        lost.dismiss();
        assert_eq!(lost.task(0), Task::Leave);
    }

    #[test]
    fn a_server_that_keeps_nothing_is_not_asked_in_a_tight_loop() {
        let mut courier = Courier::new(0);
        receipt(&mut courier, 0, 5);
        assert!(matches!(courier.task(0), Task::Rest { well: false, .. }));
    }

    proptest! {
        #[test]
        fn rests_grow_with_failures_and_stay_bounded(failures in 0_u32..200, chance in any::<u32>()) {
            let mut courier = Courier::new(0);
            for _ in 0..failures {
                courier.failed();
            }
            courier.step = Step::Rest;
            let Task::Rest { ms, well } = courier.task(chance) else { panic!("a rest") };
            prop_assert!((250..=REST_MAX_MS).contains(&ms));
            prop_assert_eq!(well, failures == 0);
        }
    }
}
