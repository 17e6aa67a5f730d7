//! From scans to lines: what is owed for each redemption, once and only while the voucher is good and not used up.

use std::collections::HashMap;

use admission::{Millis, decide::TOLERANCE_MS};

use crate::voucher::serial;

/// A redemption, as its scan, voucher and batch say it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Redeemed {
    pub(super) scan_id: String,
    pub(super) event_id: String,
    pub(super) ticket_id: String,
    pub(super) batch: String,
    #[sqlx(try_from = "i64")]
    pub(super) true_ms: Millis,
    #[sqlx(try_from = "i64")]
    pub(super) received_ms: Millis,
    /// When it was taken back.
    pub(super) undone_ms: Option<i64>,
    #[sqlx(try_from = "i64")]
    pub(super) valid_from_ms: Millis,
    #[sqlx(try_from = "i64")]
    pub(super) valid_to_ms: Millis,
    pub(super) uses: i64,
    pub(super) price_cents: i64,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(in crate::voucher) enum Kind {
    /// A voucher was redeemed once.
    Redemption,
    /// That was taken back.
    Reversal,
    /// It was over the limit when it was settled, and is not any more.
    Adjustment,
}

impl Kind {
    /// The word in SQL.
    pub(in crate::voucher) const fn word(self) -> &'static str {
        match self {
            Self::Redemption => "redemption",
            Self::Reversal => "reversal",
            Self::Adjustment => "adjustment",
        }
    }
}

/// Whether a line is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(in crate::voucher) enum Mark {
    /// It is.
    Payable,
    /// Not: the voucher was not good then.
    Outside,
    /// Not: more often than it may be used.
    Over,
}

impl Mark {
    /// The word in SQL.
    pub(in crate::voucher) const fn word(self) -> &'static str {
        match self {
            Self::Payable => "payable",
            Self::Outside => "outside",
            Self::Over => "over",
        }
    }
}

/// A line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::voucher) struct Entry {
    pub(in crate::voucher) scan_id: String,
    pub(in crate::voucher) kind: Kind,
    pub(in crate::voucher) event_id: String,
    pub(in crate::voucher) ticket_id: String,
    pub(in crate::voucher) serial: String,
    pub(in crate::voucher) batch: String,
    #[sqlx(try_from = "i64")]
    pub(in crate::voucher) at_ms: Millis,
    #[sqlx(try_from = "i64")]
    pub(in crate::voucher) received_ms: Millis,
    pub(in crate::voucher) amount_cents: i64,
    pub(in crate::voucher) mark: Mark,
    pub(in crate::voucher) late: bool,
}

/// A line that was settled, as far as later ones depend on it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Frozen {
    pub(super) scan_id: String,
    pub(super) kind: Kind,
    pub(super) amount_cents: i64,
}

impl Frozen {
    /// What a line is once it is settled.
    pub(super) fn of(entry: &Entry) -> Self {
        Self { scan_id: entry.scan_id.clone(), kind: entry.kind, amount_cents: entry.amount_cents }
    }
}

/// What was settled of one scan.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    redemption: bool,
    reversal: bool,
    cents: i64,
}

/// Every line that is not settled yet, in order of time, as things stand at `until`; what was taken back later stands.
/// `redeemed` is in order of time.
///
/// Together with what was settled, the lines of a scan come to its price while it stands, lies within the voucher's time
/// and is among the first of its uses, and to nothing otherwise. Uses that were paid for come before those that were not.
pub(super) fn open(redeemed: &[Redeemed], frozen: &[Frozen], until: Millis) -> Vec<Entry> {
    let mut settled = HashMap::<&str, Settled>::new();
    for line in frozen {
        let scan = settled.entry(&line.scan_id).or_default();
        scan.redemption |= line.kind == Kind::Redemption;
        scan.reversal |= line.kind == Kind::Reversal;
        scan.cents += line.amount_cents;
    }
    let of = |scan: &Redeemed| settled.get(scan.scan_id.as_str()).copied().unwrap_or_default();
    let stands = |scan: &Redeemed| scan.undone_ms.is_none_or(|undone| undone >= until.0);
    // How many uses of each voucher are paid for.
    let mut paid = HashMap::<&str, i64>::new();
    for scan in redeemed.iter().filter(|scan| stands(scan) && of(scan).cents > 0) {
        *paid.entry(&scan.ticket_id).or_default() += 1;
    }
    let mut entries = Vec::new();
    for scan in redeemed {
        let before = of(scan);
        let mark = if !is_good(scan) {
            Mark::Outside
        } else if !stands(scan) || before.cents > 0 {
            Mark::Payable
        } else {
            let paid = paid.entry(&scan.ticket_id).or_default();
            let fits = *paid < scan.uses;
            *paid += i64::from(fits);
            if fits { Mark::Payable } else { Mark::Over }
        };
        let price = if mark == Mark::Payable { scan.price_cents } else { 0 };
        let line = |kind, at_ms, amount_cents| Entry {
            scan_id: scan.scan_id.clone(),
            kind,
            event_id: scan.event_id.clone(),
            ticket_id: scan.ticket_id.clone(),
            serial: serial::of(&scan.ticket_id),
            batch: scan.batch.clone(),
            at_ms,
            received_ms: scan.received_ms,
            amount_cents,
            mark,
            late: false,
        };
        let mut owed = before.cents;
        if !before.redemption {
            entries.push(line(Kind::Redemption, scan.true_ms, price));
            owed += price;
        } else if stands(scan) && owed == 0 && price > 0 {
            entries.push(line(Kind::Adjustment, scan.true_ms, price));
        }
        if let Some(undone) = scan.undone_ms.filter(|_| !stands(scan) && !before.reversal) {
            entries.push(line(Kind::Reversal, Millis(undone).max(scan.true_ms), -owed));
        }
    }
    entries.sort_by_key(|entry| entry.at_ms);
    entries
}

/// Whether the voucher was good at the time, as a door judges it.
fn is_good(scan: &Redeemed) -> bool {
    (scan.valid_from_ms.plus(-TOLERANCE_MS)..scan.valid_to_ms.plus(TOLERANCE_MS))
        .contains(&scan.true_ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: Millis = Millis(1_000_000_000);

    fn scan(id: &str, at: i64) -> Redeemed {
        Redeemed {
            scan_id: id.to_owned(),
            event_id: "e".to_owned(),
            ticket_id: "t".to_owned(),
            batch: "券".to_owned(),
            true_ms: Millis(at),
            received_ms: Millis(at),
            undone_ms: None,
            valid_from_ms: Millis(0),
            valid_to_ms: Millis(500_000),
            uses: 1,
            price_cents: 6_000,
        }
    }

    fn amounts(entries: &[Entry]) -> Vec<(&str, Kind, i64)> {
        entries
            .iter()
            .map(|entry| (entry.scan_id.as_str(), entry.kind, entry.amount_cents))
            .collect()
    }

    fn freeze(frozen: &mut Vec<Frozen>, entries: &[Entry]) {
        frozen.extend(entries.iter().map(Frozen::of));
    }

    #[test]
    fn one_that_is_taken_back_is_two_lines_that_come_to_nothing() {
        let taken_back = Redeemed { undone_ms: Some(20), ..scan("a", 10) };
        let entries = open(&[taken_back, scan("b", 30)], &[], END);
        let expected = [
            ("a", Kind::Redemption, 6_000),
            ("a", Kind::Reversal, -6_000),
            ("b", Kind::Redemption, 6_000),
        ];
        assert_eq!(amounts(&entries), expected);
    }

    #[test]
    fn what_is_expired_or_over_the_limit_stands_there_unpaid() {
        let entries = open(&[scan("a", 10), scan("b", 30), scan("late", 700_000)], &[], END);
        let marks: Vec<Mark> = entries.iter().map(|entry| entry.mark).collect();
        assert_eq!(marks, [Mark::Payable, Mark::Over, Mark::Outside]);
        assert_eq!(entries.iter().map(|entry| entry.amount_cents).sum::<i64>(), 6_000);
    }

    #[test]
    fn a_late_upload_does_not_unsettle_what_was_paid() {
        let mut frozen = Vec::new();
        freeze(&mut frozen, &open(&[scan("b", 30)], &[], END));
        let entries = open(&[scan("a", 10), scan("b", 30)], &frozen, END);
        assert_eq!(amounts(&entries), [("a", Kind::Redemption, 0)]);
        // The one that was paid is taken back: its use was the other's all along.
        freeze(&mut frozen, &entries);
        let taken_back = Redeemed { undone_ms: Some(40), ..scan("b", 30) };
        let entries = open(&[scan("a", 10), taken_back], &frozen, END);
        assert_eq!(
            amounts(&entries),
            [("a", Kind::Adjustment, 6_000), ("b", Kind::Reversal, -6_000)]
        );
    }

    proptest! {
        /// Whatever is redeemed, taken back, and closed in between, all lines together come to the price of what stands.
        #[test]
        fn all_lines_come_to_what_stands(
            scans in prop::collection::vec((0_i64..900, 0_usize..3, prop::option::of(1_i64..300), 0_i64..900), 1..14),
            closings in prop::collection::vec(1_i64..1_200, 0..4),
            uses in 1_i64..3,
        ) {
            let known = |now: i64| {
                let mut known: Vec<Redeemed> = scans.iter().enumerate()
                    .filter(|(_, (at, _, _, delay))| at + delay < now)
                    .map(|(n, (at, ticket, undone, _))| Redeemed {
                        ticket_id: format!("t{ticket}"),
                        valid_to_ms: Millis(700 - TOLERANCE_MS),
                        undone_ms: undone.map(|after| at + after).filter(|undone| *undone < now),
                        uses,
                        ..scan(&format!("s{n}"), *at)
                    })
                    .collect();
                known.sort_by_key(|scan| (scan.true_ms, scan.scan_id.clone()));
                known
            };
            let mut closings = closings;
            closings.sort_unstable();
            closings.push(5_000);
            let mut frozen = Vec::new();
            for now in closings {
                let redeemed: Vec<Redeemed> =
                    known(now).into_iter().filter(|scan| scan.true_ms.0 < now).collect();
                let entries = open(&redeemed, &frozen, Millis(now));
                freeze(&mut frozen, &entries);
                let total: i64 = frozen.iter().map(|line| line.amount_cents).sum();
                let stand = |ticket: &str| redeemed.iter()
                    .filter(|scan| scan.ticket_id == ticket && scan.undone_ms.is_none() && is_good(scan))
                    .count() as i64;
                let expected: i64 = ["t0", "t1", "t2"].iter().map(|ticket| stand(ticket).min(uses) * 6_000).sum();
                prop_assert_eq!(total, expected);
                // No line twice.
                let mut keys: Vec<_> = frozen.iter().map(|line| (line.scan_id.clone(), line.kind.word())).collect();
                keys.sort();
                let all = keys.len();
                keys.dedup();
                prop_assert_eq!(keys.len(), all);
            }
        }
    }
}
