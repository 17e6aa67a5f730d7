//! How often what happened on a day: a day on which nothing happens proves nothing.

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::day) struct Counted {
    pub(super) scans: u64,
    pub(super) admitted: u64,
    pub(super) agreed: u64,
    pub(super) refused_by_word_of_others: u64,
    pub(super) double_admissions: u64,
    pub(super) undone: u64,
    pub(super) cancelled: u64,
    pub(super) power_cuts: u64,
    pub(super) lost_answers: u64,
    pub(super) doubled_uploads: u64,
    pub(super) late_uploads: u64,
    pub(super) by_card: u64,
    pub(super) walk_ins: u64,
    pub(super) full: u64,
    pub(super) redeemed: u64,
    pub(super) chosen: u64,
    pub(super) overridden: u64,
    pub(super) by_hand: u64,
    pub(super) revoked: u64,
    pub(super) told_after_revocation: u64,
    pub(super) forgotten_times: u64,
    pub(super) in_doubt: u64,
    pub(super) confirmed_by_others: u64,
    pub(super) screenshots: u64,
    pub(super) ids: u64,
}

impl Counted {
    pub(in crate::day) fn all(&self) -> [(&'static str, u64); 25] {
        [
            ("clock that forgot the time", self.forgotten_times),
            ("scan in doubt of the clock", self.in_doubt),
            ("clock that another kiosk confirmed", self.confirmed_by_others),
            ("admission by card", self.by_card),
            ("walk-in", self.walk_ins),
            ("walk-in without a place left", self.full),
            ("redemption", self.redeemed),
            ("choice at a counter", self.chosen),
            ("override", self.overridden),
            ("admission by hand", self.by_hand),
            ("revoked kiosk", self.revoked),
            ("scan told after a revocation", self.told_after_revocation),
            ("scan", self.scans),
            ("admission", self.admitted),
            ("agreement", self.agreed),
            ("refusal by word of others", self.refused_by_word_of_others),
            ("double admission", self.double_admissions),
            ("undo", self.undone),
            ("cancellation", self.cancelled),
            ("power cut", self.power_cuts),
            ("lost answer", self.lost_answers),
            ("doubled upload", self.doubled_uploads),
            ("late upload", self.late_uploads),
            ("refused screenshot", self.screenshots),
            ("look at an ID", self.ids),
        ]
    }

    pub(in crate::day) fn add(&mut self, other: &Self) {
        self.scans += other.scans;
        self.admitted += other.admitted;
        self.agreed += other.agreed;
        self.refused_by_word_of_others += other.refused_by_word_of_others;
        self.double_admissions += other.double_admissions;
        self.undone += other.undone;
        self.cancelled += other.cancelled;
        self.power_cuts += other.power_cuts;
        self.lost_answers += other.lost_answers;
        self.doubled_uploads += other.doubled_uploads;
        self.late_uploads += other.late_uploads;
        self.by_card += other.by_card;
        self.walk_ins += other.walk_ins;
        self.full += other.full;
        self.redeemed += other.redeemed;
        self.chosen += other.chosen;
        self.overridden += other.overridden;
        self.by_hand += other.by_hand;
        self.revoked += other.revoked;
        self.told_after_revocation += other.told_after_revocation;
        self.forgotten_times += other.forgotten_times;
        self.in_doubt += other.in_doubt;
        self.confirmed_by_others += other.confirmed_by_others;
        self.screenshots += other.screenshots;
        self.ids += other.ids;
    }
}
