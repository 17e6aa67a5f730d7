//! What time it is. A kiosk's clock may be wrong from the beginning, and may be set while it runs; what the server's showed
//! when it was last heard is true, and what has happened since came after it.

use admission::{
    Millis,
    scan::Skew,
    time::{DAY, HOUR},
};

use super::Door;

impl Door {
    /// The clock was set: it shows so much more than it would have shown, less when it was set back. Nothing else is new.
    pub fn clock_set(&mut self, by_ms: i64) {
        let known = &mut self.known;
        let skew = known.skew.get_or_insert(Skew { ms: 0, error_ms: 0 });
        skew.ms = skew.ms.saturating_sub(by_ms);
        for moment in [&mut known.complete_at, &mut self.silent_at].into_iter().flatten() {
            *moment = moment.plus(by_ms);
        }
        self.pending.at = self.pending.at.plus(by_ms);
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

    /// The best estimate of the true time when the kiosk's clock shows `now`.
    #[must_use]
    pub fn true_time(&self, now: Millis) -> Millis {
        now.plus(self.known.skew.map_or(0, |skew| skew.ms))
    }
}
