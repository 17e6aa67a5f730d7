//! How each device is, and since when, as the screen tells it.

use std::{fmt, io, sync::Arc};

use admission::{Clock, Millis};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::printer::Printer;
use crate::status::Both;

/// One device as the screen and `/healthz` tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// As the command line names it: `serial:/dev/ttyACM0`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// How it is.
    pub condition: Condition,
    /// Since when, by the kiosk's clock.
    pub since_ms: Millis,
    /// What staff are told; none while all is well.
    pub says: Option<Both>,
}

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reads codes, and swipes of cards.
    Scanner,
    /// Reads the chips of cards.
    Reader,
    /// Prints slips.
    Printer,
}

/// How a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It works.
    Connected,
    /// It is not there: unplugged, switched off, out of reach.
    Away,
    /// It is there, and this program may not use it, or another one does.
    Denied,
    /// The service it is reached by does not run.
    NoService,
    /// The printer works, and its paper is nearly used up.
    PaperLow,
    /// The printer has no paper.
    PaperOut,
    /// The printer is open.
    CoverOpen,
    /// The printer says that it is out of order.
    Broken,
    /// No font on this machine has Chinese, so nothing can be printed.
    NoFont,
}

impl From<&io::Error> for Condition {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy => Self::Denied,
            _ => Self::Away,
        }
    }
}

impl Condition {
    /// Whether a printer prints.
    pub(super) const fn prints(self) -> bool {
        matches!(self, Self::Connected | Self::PaperLow)
    }

    /// What staff are told of a `kind` named `name`, and what to do.
    fn says(self, kind: Kind, name: &str) -> Option<Both> {
        let (zh, en) = match kind {
            Kind::Scanner => ("扫描器", "scanner"),
            Kind::Reader => ("读卡器", "card reader"),
            Kind::Printer => ("打印机", "printer"),
        };
        // Of a path under /dev/serial/by-id, the end tells most.
        let name = name.rsplit('/').next().unwrap_or(name);
        let both = |zh_rest: &str, en_rest: &str| {
            Some(Both {
                zh: format!("{zh} {name} {zh_rest}"),
                en: format!("The {en} {name} {en_rest}"),
            })
        };
        match self {
            Self::Connected => None,
            Self::Away => {
                both("没有连接，请检查插头和电源", "is not connected. Check plug and power")
            }
            Self::Denied => both(
                "不能使用：没有权限，或被其他程序占用",
                "cannot be used: not permitted, or in use by another program",
            ),
            Self::NoService => both(
                "不能使用：读卡服务 pcscd 没有运行",
                "cannot be used: the service pcscd is not running",
            ),
            Self::PaperLow => both("的纸快用完了", "is running out of paper"),
            Self::PaperOut => both("缺纸，请换纸。入场照常", "is out of paper. Admission goes on"),
            Self::CoverOpen => both("的盖子开着。入场照常", "is open. Admission goes on"),
            Self::Broken => both(
                "出了故障，请关机再开。入场照常",
                "is out of order: switch it off and on. Admission goes on",
            ),
            Self::NoFont => both(
                "不能打印：本机没有中文字体，请安装 fonts-noto-cjk",
                "cannot print: this machine has no Chinese font. Install fonts-noto-cjk",
            ),
        }
    }
}

/// How all devices are.
#[derive(Clone)]
pub struct Devices {
    board: watch::Sender<Vec<Device>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) printer: Option<Printer>,
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Devices").field(&*self.board.borrow()).finish()
    }
}

impl Devices {
    /// No device yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { board: watch::Sender::new(Vec::new()), clock, printer: None }
    }

    /// How they are, as it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Vec<Device>> {
        self.board.subscribe()
    }

    /// The printer, if there is one.
    #[must_use]
    pub const fn printer(&self) -> Option<&Printer> {
        self.printer.as_ref()
    }

    /// A place for one more device, which is away until it says otherwise.
    pub(super) fn seat(&self, name: String, kind: Kind) -> Seat {
        tracing::info!(device = name, "looking for it");
        let mut at = 0;
        self.board.send_modify(|board| {
            at = board.len();
            let (condition, since_ms) = (Condition::Away, self.clock.now());
            board.push(Device {
                says: condition.says(kind, &name),
                name,
                kind,
                condition,
                since_ms,
            });
        });
        Seat { at, devices: self.clone() }
    }
}

/// A device's own place among all.
#[derive(Debug)]
pub(super) struct Seat {
    at: usize,
    devices: Devices,
}

impl Seat {
    /// Tells how the device is now.
    pub(super) fn tell(&self, condition: Condition) {
        self.devices.board.send_if_modified(|board| {
            let device = &mut board[self.at];
            if device.condition == condition {
                return false;
            }
            match condition {
                Condition::Connected => tracing::info!(device = device.name, "connected"),
                other => tracing::warn!(device = device.name, condition = ?other, "a device is not ready"),
            }
            device.condition = condition;
            device.since_ms = self.devices.clock.now();
            device.says = condition.says(device.kind, &device.name);
            true
        });
    }
}
