//! The recorded fact: what one kiosk saw and decided once, and the chain that binds its journal.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    decide::{Reason, StationKind, Verdict},
    say::{Lang, lasting},
    ticket::TicketId,
    time::{MINUTE, Millis},
};

/// What one kiosk saw and decided once. Append-only; holds no name, phone or card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Its place in the kiosk's journal, from 1, without gaps.
    pub seq: u64,
    /// The event's number.
    pub event: u32,
    /// What is done at the station.
    pub station_kind: StationKind,
    /// The station's name.
    pub station: String,
    /// How the holder showed who they are.
    pub medium: Medium,
    /// The ticket it is about, when one was found.
    pub ticket: Option<TicketId>,
    /// What was decided. An object of its own: a refusal may have an `at` and a `station` too.
    pub verdict: Verdict,
    /// On what knowledge.
    pub trust: Trust,
    /// The kiosk's own clock.
    pub at: Millis,
    /// How far the server's clock was ahead of the kiosk's when last measured.
    pub skew: Option<Skew>,
    /// What people did beside showing a code or card.
    #[serde(default, skip_serializing_if = "Deed::is_plain")]
    pub deed: Deed,
}

impl Scan {
    /// The best estimate of the true time: the kiosk's clock, corrected by the measured skew.
    #[must_use]
    pub fn true_at(&self) -> Millis {
        self.at.plus(self.skew.map_or(0, |skew| skew.ms))
    }
}

/// What people did beside showing a code or card. Names nobody but staff, by the label they gave themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// What it was.
    #[serde(default)]
    pub act: Act,
    /// The place of the earlier entry that it is about: what is taken back, or which visit is consented to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
    /// The reason that a supervisor overrode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Reason>,
    /// Why, in the words of the button that was tapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who stood at the kiosk, as they called themselves: 甲, 小李.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Whether the holder lets the stand have their name and phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<bool>,
    /// For a walk-in: whose card it was, and from which allotment the place is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_in: Option<WalkIn>,
}

impl Deed {
    /// Nothing but a scan.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// A place given at the door to a member without a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkIn {
    /// The person's id, a UUID.
    pub person: String,
    /// The number of the allotment that the place is from.
    pub allotment: i64,
    /// The offer's class.
    pub class: u8,
}

/// Why somebody was let in by hand whose ticket asks for a moving code: staff compared the name on an ID.
pub const ID_SEEN: &str = "已核对证件";

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Somebody showed a code or card, and the rule decided.
    #[default]
    Scan,
    /// Staff found the holder in the list, and the rule decided.
    Hand,
    /// A supervisor let the holder pass whom the rule refused.
    Override,
    /// An earlier admission is taken back. The entry lets nobody in.
    Undo,
    /// The holder of an earlier visit said whether the stand may have their name and phone.
    Consent,
    /// A member without a ticket was given a place.
    WalkIn,
}

impl Act {
    /// The word in SQL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Hand => "hand",
            Self::Override => "override",
            Self::Undo => "undo",
            Self::Consent => "consent",
            Self::WalkIn => "walk_in",
        }
    }
}

/// How the holder showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// A ticket code.
    Code,
    /// A membership card.
    Card,
    /// Neither could be read.
    Other,
}

impl Medium {
    /// The word in SQL and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Card => "card",
            Self::Other => "other",
        }
    }
}

/// How far the server's clock is ahead of the kiosk's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skew {
    /// Server minus kiosk, milliseconds.
    pub ms: i64,
    /// Half the round trip it was measured with, milliseconds.
    pub error_ms: i64,
}

impl Skew {
    /// Measured from one exchange: asked at `sent`, answered at `received` by the kiosk's clock, the
    /// server's clock showing `server` in between.
    #[must_use]
    pub const fn measured(sent: Millis, server: Millis, received: Millis) -> Self {
        let round_trip = received.since(sent);
        let round_trip = if round_trip > 0 { round_trip } else { 0 };
        Self { ms: server.since(sent) - round_trip / 2, error_ms: (round_trip + 1) / 2 }
    }

    /// Whether both may be right. If not, a clock was set between the two measurements.
    #[must_use]
    pub const fn agrees_with(self, other: Self) -> bool {
        let apart = self.ms.abs_diff(other.ms);
        apart <= self.error_ms.saturating_add(other.error_ms).unsigned_abs()
    }
}

/// On what knowledge a verdict rests. Every green shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Trust {
    /// The server was asked and answered.
    Live,
    /// The kiosk's own copy, this old.
    Local {
        /// Milliseconds since the copy was last known to be complete.
        age_ms: i64,
    },
    /// The kiosk's own copy, this old, and all that so many other kiosks on the local network did.
    Agreed {
        /// How many others were heard a moment ago, with nothing of theirs missing here.
        kiosks: u32,
        /// Milliseconds since the copy was last known to be complete.
        age_ms: i64,
    },
    /// Nothing but the ticket's signature.
    SignatureOnly,
}

impl Trust {
    /// The word in SQL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Local { .. } => "local",
            Self::Agreed { .. } => "agreed",
            Self::SignatureOnly => "signature_only",
        }
    }

    /// The label on the screen: 实时, 与 3 台终端一致, 本机数据（3 分钟前）, 仅验签名.
    #[must_use]
    pub fn label(self, lang: Lang) -> String {
        match self {
            Self::Live => lang.pick("实时", "live").to_owned(),
            Self::SignatureOnly => lang.pick("仅验签名", "signature only").to_owned(),
            Self::Agreed { kiosks, .. } => match lang {
                Lang::Zh => format!("与 {kiosks} 台终端一致"),
                Lang::En if kiosks == 1 => "agreed with 1 kiosk".to_owned(),
                Lang::En => format!("agreed with {kiosks} kiosks"),
            },
            Self::Local { age_ms } if age_ms < MINUTE => {
                lang.pick("本机数据，刚刚更新", "local, just now").to_owned()
            }
            Self::Local { age_ms } => match lang {
                Lang::Zh => {
                    format!("本机数据，{}前", lasting(age_ms / MINUTE * MINUTE, lang).trim_start())
                }
                Lang::En => format!("local, {} old", lasting(age_ms / MINUTE * MINUTE, lang)),
            },
        }
    }
}

/// One line of a kiosk's journal as it was written: the JSON of a [`Scan`]. Kept as text on both sides, so that
/// the chain holds across versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entry(pub String);

impl Entry {
    /// The entry that records `scan`.
    ///
    /// # Panics
    /// Never: a scan is plain data.
    #[must_use]
    pub fn of(scan: &Scan) -> Self {
        Self(serde_json::to_string(scan).expect("a scan is plain data"))
    }

    /// The scan it records.
    ///
    /// # Errors
    /// When the text is not the JSON of a scan.
    pub fn scan(&self) -> serde_json::Result<Scan> {
        serde_json::from_str(&self.0)
    }
}

/// The hash that binds an entry to all entries before it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chain(pub [u8; 32]);

impl Chain {
    /// The chain before the first entry of `kiosk`'s journal.
    #[must_use]
    pub fn start(kiosk: &str) -> Self {
        Self(
            Sha256::new()
                .chain_update(b"turnout journal 1\0")
                .chain_update(kiosk)
                .finalize()
                .into(),
        )
    }

    /// The chain after `entry`, which is the `seq`-th.
    #[must_use]
    pub fn after(self, seq: u64, entry: &Entry) -> Self {
        Self(
            Sha256::new()
                .chain_update(self.0)
                .chain_update(seq.to_be_bytes())
                .chain_update((entry.0.len() as u64).to_be_bytes())
                .chain_update(&entry.0)
                .finalize()
                .into(),
        )
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({})", HEXLOWER.encode(&self.0[..4]))
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> Self {
        HEXLOWER.encode(&chain.0)
    }
}

impl TryFrom<String> for Chain {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        let bytes =
            HEXLOWER.decode(hex.as_bytes()).map_err(|_| "a chain is 64 hexadecimal digits")?;
        bytes.try_into().map(Self).map_err(|_| "a chain is 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decide::Refusal, time::HOUR};

    fn scan(seq: u64) -> Scan {
        Scan {
            seq,
            event: 4,
            station_kind: StationKind::Gate,
            station: "东门".into(),
            medium: Medium::Code,
            ticket: Some(TicketId([9; 12])),
            verdict: Verdict::Refused(Refusal::Cancelled),
            trust: Trust::Local { age_ms: 5 },
            at: Millis(1_000),
            skew: Some(Skew { ms: -250, error_ms: 3 }),
            deed: Deed::default(),
        }
    }

    #[test]
    fn an_entry_reads_back_as_its_scan() {
        let entry = Entry::of(&scan(1));
        assert_eq!(entry.scan().expect("own text"), scan(1));
        assert_eq!(scan(1).true_at(), Millis(750));
    }

    #[test]
    fn a_deed_reads_back_and_a_plain_scan_has_none() {
        assert!(!Entry::of(&scan(1)).0.contains("deed"));
        let deed =
            Deed {
                act: Act::Undo, about: Some(1), why: Some("扫错了".into()), ..Deed::default()
            };
        let scan = Scan { deed, ..scan(2) };
        assert_eq!(Entry::of(&scan).scan().expect("own text"), scan);
    }

    #[test]
    fn every_verdict_reads_back() {
        let (at, station) = (Millis(7), "西门".to_owned());
        for verdict in [
            Verdict::Admitted,
            Verdict::Attention(Refusal::ShowId),
            Verdict::Refused(Refusal::StaleCode),
            Verdict::Refused(Refusal::AlreadyUsed { at, station }),
            Verdict::Refused(Refusal::TooEarly { opens_at: at }),
            Verdict::Refused(Refusal::TooLate { closed_at: at }),
        ] {
            let scan = Scan { verdict, ..scan(1) };
            assert_eq!(Entry::of(&scan).scan().expect("own text"), scan);
        }
    }

    #[test]
    fn the_chain_tells_order_content_and_kiosk_apart() {
        let (one, two) = (Entry::of(&scan(1)), Entry::of(&scan(2)));
        let start = Chain::start("kiosk-a");
        let ends = [
            start.after(1, &one).after(2, &two),
            start.after(1, &two).after(2, &one),
            start.after(1, &one),
            Chain::start("kiosk-b").after(1, &one).after(2, &two),
        ];
        for (at, end) in ends.iter().enumerate() {
            assert!(!ends[at + 1..].contains(end));
        }
        assert_eq!(Chain::try_from(String::from(ends[0])), Ok(ends[0]));
    }

    #[test]
    fn skew_is_measured_to_half_a_round_trip() {
        let skew = Skew::measured(Millis(1_000), Millis(5_050), Millis(1_100));
        assert_eq!(skew, Skew { ms: 4_000, error_ms: 50 });
        // A clock that was set back in between does not make the error less than nothing.
        assert_eq!(Skew::measured(Millis(1_000), Millis(5_050), Millis(0)).error_ms, 0);
        let sharper = Skew { ms: 4_020, error_ms: 5 };
        assert!(skew.agrees_with(sharper) && sharper.agrees_with(skew));
        assert!(!skew.agrees_with(Skew { ms: 4_060, error_ms: 5 }));
    }

    #[test]
    fn trust_has_the_labels_of_the_design() {
        assert_eq!(Trust::Live.label(Lang::En), "live");
        assert_eq!(
            Trust::Local { age_ms: 3 * MINUTE + 20_000 }.label(Lang::En),
            "local, 3 min old"
        );
        assert_eq!(Trust::SignatureOnly.label(Lang::En), "signature only");
        let agreed = |kiosks| Trust::Agreed { kiosks, age_ms: HOUR };
        assert_eq!(agreed(3).label(Lang::Zh), "与 3 台终端一致");
        assert_eq!(agreed(3).label(Lang::En), "agreed with 3 kiosks");
        assert_eq!(agreed(1).label(Lang::En), "agreed with 1 kiosk");
        assert_eq!(Trust::Local { age_ms: 3 * MINUTE }.label(Lang::Zh), "本机数据，3 分钟前");
    }
}
