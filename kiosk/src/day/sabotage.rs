//! What is done wrong on purpose, so that the checker of a day is seen to find it.

/// One thing that is done wrong all day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// A line is called durable and is not.
    SkipTheJournal,
    /// The kiosk's copy does not take over that a ticket was cancelled.
    IgnoreRevocation,
    /// What the server only believed is never taken back.
    BurnOnLostReply,
    /// The server says that its rows tell one entry more than they do.
    HeardTooSoon,
    /// Two admissions of one ticket do not reach the inbox.
    NoConflicts,
    /// The label claims to agree with everybody.
    BoastOfAgreement,
    /// Whatever the answer to an upload says, the kiosk takes everything to be there.
    ForgetUploads,
    /// What other doors told is not looked at.
    DeafToOthers,
    /// An upload that was overtaken by later ones is taken for a contradiction.
    QuarantineTheLate,
    /// What an upload says of what was never decided is believed however late it arrives.
    BelieveTheLate,
    /// What a revoked kiosk has yet to tell is not taken.
    DeafToTheRevoked,
    /// A revoked kiosk keeps its copy.
    KeepTheCopy,
    /// A kiosk does not count the places that it gave.
    GiveWithoutEnd,
    /// A counter does not count how often a voucher was redeemed.
    RedeemWithoutEnd,
    /// What was written in doubt of the clock keeps its time once that is known.
    KeepWrongTimes,
    /// A kiosk does not ask whether the code of a ticket page moves.
    TakeScreenshots,
}

impl Sabotage {
    pub(super) const ALL: [Self; 16] = [
        Self::SkipTheJournal,
        Self::IgnoreRevocation,
        Self::BurnOnLostReply,
        Self::HeardTooSoon,
        Self::NoConflicts,
        Self::BoastOfAgreement,
        Self::ForgetUploads,
        Self::DeafToOthers,
        Self::QuarantineTheLate,
        Self::BelieveTheLate,
        Self::DeafToTheRevoked,
        Self::KeepTheCopy,
        Self::GiveWithoutEnd,
        Self::RedeemWithoutEnd,
        Self::KeepWrongTimes,
        Self::TakeScreenshots,
    ];
}
