//! Whether the clock on the wall was set while the kiosk ran: by a person, or by a network that came back. The machine counts
//! how long it has been on, asleep or awake, and what the wall shows more or less than that was not the passing of time.

use admission::Millis;
use serde::{Deserialize, Serialize};

/// Clocks are trimmed all the time; who sets one moves it by more than this.
const SET_MS: u64 = 10_000;

/// Both clocks when they were last looked at.
#[derive(Debug, Default)]
pub(crate) struct Watch(Option<(Millis, i64)>);

impl Watch {
    /// By how much the wall's clock was set since the last look, if it was. `on_ms` is how long the machine has been on.
    pub(crate) fn look(&mut self, wall: Millis, on_ms: i64) -> Option<i64> {
        let (wall_before, on_before) = self.0.replace((wall, on_ms))?;
        let by_ms = wall.since(wall_before).saturating_sub(on_ms - on_before);
        (by_ms.unsigned_abs() >= SET_MS).then_some(by_ms)
    }
}

/// How long the machine has been on, milliseconds; none where it does not say.
pub(crate) fn on_ms() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<i64>().ok()? * 1_000 + hundredths.parse::<i64>().ok()? * 10)
}

/// The name of this time between two power cuts; none where the machine does not say.
pub(crate) fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|boot| !boot.is_empty())
}

/// What was known of the time while the machine was on: what is known of it after it was off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alive {
    /// Between which power cuts.
    pub(crate) boot: String,
    /// The true time then, as far as it was known.
    pub(crate) at: Millis,
    /// What the wall's clock showed more than the machine had been on.
    pub(crate) ahead_ms: i64,
    /// Whether somebody had confirmed the clock.
    pub(crate) sure: bool,
}

impl Alive {
    /// How far the wall's clock was set since, on the same machine that was on all the time.
    pub(crate) fn set_by_ms(&self, wall: Millis, on_ms: i64) -> i64 {
        let by_ms = wall.0.saturating_sub(on_ms).saturating_sub(self.ahead_ms);
        if by_ms.unsigned_abs() >= SET_MS { by_ms } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_is_told_from_time_that_passed() {
        let mut watch = Watch::default();
        let noon = Millis(1_800_000_000_000);
        assert_eq!(watch.look(noon, 5_000), None, "nothing to compare with");
        assert_eq!(watch.look(noon.plus(500), 5_500), None);
        assert_eq!(watch.look(noon.plus(3_600_500), 3_605_500), None, "asleep for an hour");
        assert_eq!(watch.look(noon.plus(3_601_900), 3_606_000), None, "trimmed");
        assert_eq!(watch.look(noon.plus(-7_200_000), 3_607_000), Some(-10_802_900));
        assert_eq!(watch.look(noon.plus(-7_199_000), 3_608_000), None, "once");
        assert_eq!(watch.look(Millis(i64::MAX), 3_608_500).map(i64::is_positive), Some(true));
    }

    #[test]
    fn this_machine_counts() {
        let before = on_ms().expect("it says");
        assert!(before > 0 && on_ms().expect("it says") >= before);
    }
}
