//! What time it is. A kiosk's clock may be wrong from the beginning, and may be set while it runs; what the server's showed
//! when it was last heard is true, and what has happened since came after it.

use admission::{
    Millis, Reason, Verdict, decide,
    moving::Moment,
    scan::Skew,
    sync::Corrected,
    time::{DAY, HOUR},
};

use super::Door;

/// How long a kiosk was without power, it does not know; longer than this, and it has missed its event.
const OFF_AT_MOST_MS: i64 = DAY;

/// What a door does not know of the time: the machine was without power, and neither the server nor another kiosk was
/// heard since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// The first entry of the journal that is written in it.
    from: u64,
    /// Certainly past when the clock showed `began`.
    past: Millis,
    began: Millis,
}

impl Door {
    /// The clock was set: it shows so much more than it would have shown, less when it was set back. Nothing else is new.
    pub fn clock_set(&mut self, by_ms: i64) {
        if let Some(doubt) = &mut self.doubt {
            doubt.began = doubt.began.plus(by_ms);
        }
        let known = &mut self.known;
        let skew = known.skew.get_or_insert(Skew { ms: 0, error_ms: 0 });
        skew.ms = skew.ms.saturating_sub(by_ms);
        for moment in [&mut known.complete_at, &mut self.silent_at].into_iter().flatten() {
            *moment = moment.plus(by_ms);
        }
        self.pending.at = self.pending.at.plus(by_ms);
        if let Some((_, at)) = &mut self.looked_at {
            *at = at.plus(by_ms);
        }
        if let Some(last) = &mut self.last {
            last.seen = last.seen.plus(by_ms);
        }
    }

    /// Begins, when `latest` is certainly past. The clock may have been set while nobody looked, and one without a battery
    /// begins long ago: then nobody's ticket would be valid, or names and cards would go. What was measured of it holds
    /// when it leads to a time between `latest` and the end of the lease; if it does not, the clock itself may be right now;
    /// and if that cannot be either, it goes on from `latest`. Gives how far off what was measured is.
    pub fn go_on_from(&mut self, latest: Millis, now: Millis) -> i64 {
        let Some(post) = &self.known.post else { return 0 };
        let may_be = |time: Millis| latest <= time && time < post.lease_until;
        let measured = self.true_time(now);
        let time = match measured {
            measured if may_be(measured) => return 0,
            _ if may_be(now) => now,
            measured if measured < latest || now < latest => latest,
            // The lease is over, whatever else is wrong.
            _ => return 0,
        };
        let off = time.since(measured);
        self.clock_set(off.saturating_neg());
        if let Some(skew) = &mut self.known.skew {
            // How long it was without power, it does not know.
            skew.error_ms = skew.error_ms.saturating_add(off.saturating_abs().min(DAY));
        }
        off
    }

    /// The machine was without power for nobody knows how long, and `latest` is certainly past. Its clock may be as late as
    /// that until somebody confirms it: nobody is turned away for the hour alone where that hour may be another.
    pub fn doubt(&mut self, latest: Millis, now: Millis) {
        self.doubt = Some(Doubt { from: self.known.head.seq + 1, past: latest, began: now });
        let skew = self.known.skew.get_or_insert(Skew { ms: 0, error_ms: 0 });
        skew.error_ms = skew.error_ms.max(OFF_AT_MOST_MS);
    }

    /// Whether nobody has confirmed the clock since the machine was without power.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// The server, or a kiosk that heard it, was heard: the clock is so far off. Gives what that changes of what was written
    /// in doubt, if anything was.
    pub fn confirm(&mut self, skew: Skew) -> Option<Corrected> {
        let Doubt { from, .. } = self.doubt.take()?;
        let by_ms = skew.ms.saturating_sub(self.known.skew.map_or(0, |skew| skew.ms));
        // So much longer ago than the clock knew of.
        if let Some(complete_at) = &mut self.known.complete_at {
            *complete_at = complete_at.plus(by_ms.saturating_neg());
        }
        self.known.skew = Some(skew);
        let (through, error_ms) = (self.known.head.seq, skew.error_ms);
        (from <= through).then_some(Corrected { from, through, by_ms, error_ms })
    }

    /// What `decide` says at the true time of `now`. In doubt, whom it would refuse for the hour alone is admitted when the
    /// true time may be one at which they would be.
    pub(super) fn at_its_hour<T>(
        &self,
        now: Millis,
        decide: impl Fn(Millis) -> (Verdict, T),
    ) -> (Verdict, T) {
        let said = decide(self.true_time(now));
        let Some(Doubt { past, began, .. }) = self.doubt else { return said };
        let is_of_the_hour = |verdict: &Verdict| {
            matches!(verdict.reason(), Some(Reason::TooEarly | Reason::TooLate | Reason::NotToday))
        };
        if !is_of_the_hour(&said.0) {
            return said;
        }
        let first = past.plus(now.since(began).max(0));
        let last = self.true_time(now).max(first).plus(OFF_AT_MOST_MS);
        // Whom another rule refuses at an hour that may be the true one, that one refuses.
        let mut refused = None;
        // No admission is shorter than what is tolerated at both its ends.
        let mut hour = first;
        while hour <= last {
            let other = decide(hour);
            if other.0.may_pass() {
                return other;
            }
            if !is_of_the_hour(&other.0) {
                refused.get_or_insert(other);
            }
            hour = hour.plus(decide::TOLERANCE_MS);
        }
        refused.unwrap_or(said)
    }

    /// When its copy was complete, by its clock as it is now, and how far that is off.
    #[must_use]
    pub const fn clock(&self) -> (Option<Millis>, Option<Skew>) {
        (self.known.complete_at, self.known.skew)
    }

    /// Whether what the copy tells of people must go: its lease is over, and the server has not been heard for
    /// an hour. (While it is heard, it renews the lease or says what goes.)
    #[must_use]
    pub fn lease_ended(&self, now: Millis) -> bool {
        match (&self.known.post, self.known.complete_at) {
            (Some(post), Some(complete_at)) => {
                self.true_time(now) > post.lease_until && now.since(complete_at) > HOUR
            }
            _ => false,
        }
    }

    /// The true time when the kiosk's clock shows `at`, with what is known of it: nothing while it is in doubt.
    pub(super) fn moment(&self, at: Millis) -> Moment {
        let skew = self.known.skew.filter(|_| !self.is_in_doubt());
        Moment { now: self.true_time(at), error_ms: skew.map(|skew| skew.error_ms) }
    }

    /// The best estimate of the true time when the kiosk's clock shows `now`.
    #[must_use]
    pub fn true_time(&self, now: Millis) -> Millis {
        now.plus(self.known.skew.map_or(0, |skew| skew.ms))
    }
}
