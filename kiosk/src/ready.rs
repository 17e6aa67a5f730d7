//! Is this kiosk ready for tomorrow? One list, for the evening before: `turnout-kiosk check`, and on the operating page.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use admission::{
    Clock, Millis,
    decide::StationKind,
    say::{Lang, lasting},
    scan::Skew,
    sync::Post,
    time::{DAY, HOUR, MINUTE, SECOND},
};
use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::{
    api::Api,
    devices::{Condition, Device, Kind},
    identity::Folder,
    mesh::found,
    status::Both,
    store::Store,
};

/// Below this the journal may soon not be written: ten thousand scans need two megabytes, SQLite's log a hundred.
const DISK_LOW_MIB: u64 = 500;
const BATTERY_LOW: u8 = 60;
const CLOCK_OFF_MS: i64 = 2 * MINUTE;
const DATA_OLD_MS: i64 = HOUR;
/// Other kiosks announce themselves within this time.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Ready.
    Good,
    /// It works, and somebody should know.
    Note,
    /// See to it before people come.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: `server`, `data`, `clock`, `event`, …
    pub what: &'static str,
    /// How well it is.
    pub grade: Grade,
    /// In words, with what to do.
    #[serde(flatten)]
    pub words: Both,
}

/// What the machine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Free space where the store is, mebibytes.
    pub disk_mib: Option<u64>,
    /// Charge in per cent, and whether it is plugged in.
    pub battery: Option<(u8, bool)>,
    /// Cameras.
    pub cameras: usize,
    /// Scanners on serial lines, and keyboards (which scanners are too).
    pub scanners: usize,
    /// Printers on USB.
    pub printers: usize,
    /// Whether the service of chip-card readers runs.
    pub card_reader: bool,
    /// The devices that the running program uses, as it finds them. None: it does not run, and what is above is a guess.
    pub devices: Option<Vec<Device>>,
}

/// What the kiosk knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// What it serves.
    pub post: Option<Post>,
    /// When its copy was last complete.
    pub complete_at: Option<Millis>,
    /// Its skew.
    pub skew: Option<Skew>,
    /// Tickets and cards of the copy.
    pub size: (u64, u64),
    /// Entries that the server does not have.
    pub waiting: u64,
    /// Whether a PIN is set.
    pub has_pin: bool,
    /// The organizer revoked it.
    pub revoked: bool,
    /// Whether the server answers, or why not. None: not asked.
    pub server: Option<Result<(), String>>,
}

/// Looks at everything and says what to do.
#[must_use]
pub fn findings(known: &Knowledge, machine: &Machine, now: Millis) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |what, grade, zh: String, en: String| {
        found.push(Finding { what, grade, words: Both { zh, en } });
    };
    let fixed = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
    if known.revoked {
        let (zh, en) =
            fixed("本机已被主办方停用，请重新登记。", "Revoked by the organizer. Enrol it again.");
        say("server", Grade::Bad, zh, en);
        if known.waiting > 0 {
            let n = known.waiting;
            let zh = format!("还有 {n} 条记录待上传，请让它连着网络开一会儿");
            say(
                "upload",
                Grade::Note,
                zh,
                format!("{n} records to upload: leave it on the network"),
            );
        }
        return found;
    }
    match &known.server {
        Some(Ok(())) => {
            say("server", Grade::Good, "服务器有回答".into(), "The server answers".into())
        }
        Some(Err(why)) => say(
            "server",
            Grade::Note,
            format!("连不上服务器，可以离线检票：{why}"),
            format!("The server does not answer; admission works without it: {why}"),
        ),
        None => {}
    }
    let true_now = now.plus(known.skew.map_or(0, |skew| skew.ms));
    clock(known, now, &mut say);
    if let Some(post) = &known.post {
        let keys = post.keys.len();
        let grade = if keys == 0 { Grade::Bad } else { Grade::Good };
        say("keys", grade, format!("验票密钥 {keys} 把"), format!("Ticket keys: {keys}"));
        event(post, true_now, &mut say);
        let (tickets, cards) = known.size;
        let needs = post.station_kind != StationKind::Exit && tickets == 0;
        say(
            "tickets",
            if needs { Grade::Note } else { Grade::Good },
            format!("{tickets} 张票，{cards} 张卡"),
            format!("{tickets} tickets, {cards} cards"),
        );
    }
    if known.waiting > 0 {
        let n = known.waiting;
        say("upload", Grade::Note, format!("{n} 条记录待上传"), format!("{n} records to upload"));
    }
    let (grade, (zh, en)) = if known.has_pin {
        (Grade::Good, fixed("操作密码已设置", "The PIN is set"))
    } else {
        (
            Grade::Bad,
            fixed(
                "没有操作密码：打开「操作台」设一个，否则重启后不能刷卡、不能查名单。",
                "No PIN: open the desk and set one, or cards and the list are lost after a restart.",
            ),
        )
    };
    say("pin", grade, zh, en);
    hardware(machine, &mut say);
    found
}

/// The event's other kiosks, each with whether it is heard on this network. None when there is no other.
#[must_use]
pub fn others(kiosks: &[(String, bool)]) -> Option<Finding> {
    let missing: Vec<&str> =
        kiosks.iter().filter(|(_, heard)| !heard).map(|(name, _)| name.as_str()).collect();
    let (all, heard) = (kiosks.len(), kiosks.len() - missing.len());
    if all == 0 {
        return None;
    }
    let (grade, zh, en) = if missing.is_empty() {
        (
            Grade::Good,
            format!("同一网络上有另外 {all} 台终端"),
            format!("Other kiosks on this network: {all}"),
        )
    } else {
        let (list, names) = (missing.join("、"), missing.join(", "));
        (
            Grade::Note,
            format!(
                "同一网络上有另外 {heard} 台终端，没有找到：{list}。断网时彼此不知道谁已入场。"
            ),
            format!(
                "Other kiosks on this network: {heard}; not found: {names}. Without the server, doors do not know of each other."
            ),
        )
    };
    Some(Finding { what: "kiosks", grade, words: Both { zh, en } })
}

/// Nobody has confirmed the clock since the machine was without power.
#[must_use]
pub fn clock_unsure() -> Finding {
    Finding {
        what: "clock",
        grade: Grade::Note,
        words: Both {
            zh: "开机以后还没有核对时间：连上网络，或让另一台已联网的终端开着，会自己校正。在那以前，不会只因为时间不到或已过而拒绝有票的人。".into(),
            en: "The time is not confirmed since the start: a network, or another kiosk that has one, does so. Until then nobody with a \
                 ticket is turned away for the hour alone."
                .into(),
        },
    }
}

/// How old the tickets are, and whether the clock that says so is to be believed.
fn clock(
    known: &Knowledge,
    now: Millis,
    say: &mut impl FnMut(&'static str, Grade, String, String),
) {
    let age = known.complete_at.map(|at| now.since(at));
    // The machine has forgotten the time: without a battery for its clock it begins in the past.
    let is_set_back = age.is_some_and(|age| age < -CLOCK_OFF_MS);
    match age {
        None => say(
            "data",
            Grade::Bad,
            "还没有取到票据，请连上网络运行一次。".into(),
            "No tickets yet. Run it once with a network.".into(),
        ),
        Some(_) if is_set_back => say(
            "data",
            Grade::Note,
            "时钟不对，不知道票据有多旧".into(),
            "The clock is wrong, so nobody knows how old the data is".into(),
        ),
        Some(age) => say(
            "data",
            if age > DAY {
                Grade::Bad
            } else if age > DATA_OLD_MS {
                Grade::Note
            } else {
                Grade::Good
            },
            format!("票据更新于{}前", lasting(age, Lang::Zh)),
            format!("Data is {} old", lasting(age, Lang::En)),
        ),
    }
    match known.skew {
        _ if is_set_back => say(
            "clock",
            Grade::Bad,
            "时钟比上次取票的时候还早：这台机器断电就忘了时间。请校准，或连上网络。".into(),
            "The clock shows a time before the tickets were fetched: this machine forgets the time without power. \
             Set it, or connect it to the network."
                .into(),
        ),
        None => say(
            "clock",
            Grade::Note,
            "还没有和服务器对过表".into(),
            "The clock was not compared with the server yet".into(),
        ),
        Some(skew) if skew.ms.saturating_abs() > CLOCK_OFF_MS => {
            let off = skew.ms.saturating_abs();
            say(
                "clock",
                Grade::Bad,
                format!("时钟相差{}", lasting(off, Lang::Zh)),
                format!("The clock is {} off", lasting(off, Lang::En)),
            );
        }
        Some(skew) => {
            let tenths = skew.ms.saturating_abs() / (SECOND / 10);
            say(
                "clock",
                Grade::Good,
                format!("时钟相差 {}.{} 秒", tenths / 10, tenths % 10),
                format!("The clock is {}.{} s off", tenths / 10, tenths % 10),
            );
        }
    }
}

/// What is to be said of the way to a server at that address: without encryption whoever is on the same network may answer
/// in its place, wipe this kiosk by calling it revoked, and read who comes.
fn way(server: &str) -> Option<Finding> {
    let url = reqwest::Url::parse(server).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    (url.scheme() == "http" && !is_here).then(|| Finding {
        what: "way",
        grade: Grade::Note,
        words: Both {
            zh: "与服务器的连接没有加密（http）：同一网络上的人可以冒充服务器。请用 https 重新登记。".into(),
            en: "The way to the server is not encrypted (http): others on the network may answer for it. Enrol with https."
                .into(),
        },
    })
}

/// When the copy was complete, by the clock as it is `now`: it may have been set since that was written down.
fn by_this_clock(complete_at: Millis, then: Option<Skew>, now: Skew) -> Millis {
    complete_at.plus(then.map_or(0, |skew| skew.ms).saturating_sub(now.ms))
}

/// Last year's hours, copied: the commonest mistake.
fn event(post: &Post, now: Millis, say: &mut impl FnMut(&'static str, Grade, String, String)) {
    let event = &post.event;
    let zone = jiff::tz::TimeZone::get(&event.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let at = |moment, lang| admission::say::at(moment, lang, now, &zone);
    let (zh, en) = (at(event.starts_at, Lang::Zh), at(event.starts_at, Lang::En));
    let (grade, zh, en) = if event.cancelled {
        (Grade::Bad, "活动已取消".to_owned(), "The event was cancelled".to_owned())
    } else if now > event.ends_at {
        (
            Grade::Bad,
            format!("活动已经结束（{zh} 开始）"),
            format!("The event is over (it began {en})"),
        )
    } else if event.starts_at.since(now) > 7 * DAY {
        (
            Grade::Note,
            format!("活动还早：{zh} 开始"),
            format!("The event is far off: it begins {en}"),
        )
    } else {
        (
            Grade::Good,
            format!("「{}」{zh} 开始", event.title),
            format!("“{}” begins {en}", event.title),
        )
    };
    say("event", grade, zh, en);
    for offer in &event.offers {
        if offer.valid_from >= event.ends_at || offer.valid_to <= event.starts_at {
            say(
                "hours",
                Grade::Bad,
                format!(
                    "「{}」的入场时间不在活动时间内（{} 起），请主办方核对。",
                    offer.name,
                    at(offer.valid_from, Lang::Zh)
                ),
                format!(
                    "“{}” admits outside the event's hours (from {}). Ask the organizer.",
                    offer.name,
                    at(offer.valid_from, Lang::En)
                ),
            );
        }
    }
}

/// As people say it: in gigabytes, where there are any.
fn of_disk(mib: u64) -> String {
    if mib < 1024 { format!("{mib} MB") } else { format!("{} GB", mib / 1024) }
}

fn hardware(machine: &Machine, say: &mut impl FnMut(&'static str, Grade, String, String)) {
    match machine.disk_mib {
        Some(mib) => say(
            "disk",
            if mib < DISK_LOW_MIB { Grade::Bad } else { Grade::Good },
            format!("磁盘剩余 {}", of_disk(mib)),
            format!("{} of disk left", of_disk(mib)),
        ),
        None => {
            say("disk", Grade::Note, "磁盘空间未知".into(), "Free disk space is not known".into())
        }
    }
    if let Some((charge, plugged)) = machine.battery {
        say(
            "battery",
            if plugged || charge >= BATTERY_LOW { Grade::Good } else { Grade::Bad },
            format!("电池 {charge}%{}", if plugged { "，已接电源" } else { "，请接电源" }),
            format!("Battery {charge} %{}", if plugged { ", plugged in" } else { ", plug it in" }),
        );
    }
    let devices = machine.devices.as_deref().unwrap_or_default();
    let connected =
        |device: &&Device| device.kind != Kind::Printer && device.condition == Condition::Connected;
    let ways = machine.cameras + machine.scanners + devices.iter().filter(connected).count();
    say(
        "scanner",
        if ways == 0 { Grade::Bad } else { Grade::Good },
        format!("摄像头 {} 个，扫码器或键盘 {} 个", machine.cameras, machine.scanners),
        format!("Cameras: {}, scanners or keyboards: {}", machine.cameras, machine.scanners),
    );
    if machine.devices.is_none() {
        let (zh, en) = (
            "检票程序没有运行，设备只是系统里看到的",
            "The kiosk program does not run; devices are as the system sees them",
        );
        say("program", Grade::Note, zh.to_owned(), en.to_owned());
    }
    devices.iter().for_each(|device| tell(device, say));
    let uses = |kind| devices.iter().any(|device| device.kind == kind);
    if !uses(Kind::Reader) {
        let (zh, en) = match (machine.devices.is_some(), machine.card_reader) {
            (false, true) => ("读卡服务在运行", "The card reader service runs"),
            (true, _) => (
                "没有设芯片读卡器（只用磁条或二维码时不需要）",
                "No chip reader is set up (not needed for stripes and codes)",
            ),
            (false, false) => (
                "没有读卡服务（只用磁条或二维码时不需要）",
                "No card reader service (not needed for stripes and codes)",
            ),
        };
        say("card_reader", Grade::Good, zh.to_owned(), en.to_owned());
    }
    if !uses(Kind::Printer) {
        let (zh, en) = match (machine.devices.is_some(), machine.printers) {
            (true, _) => (
                "没有设打印机（不打印小票时不需要）".to_owned(),
                "No printer is set up (not needed without slips)".to_owned(),
            ),
            (false, n) => (format!("打印机 {n} 台"), format!("Printers: {n}")),
        };
        say("printer", Grade::Good, zh, en);
    }
}

/// How a device of the running program is.
fn tell(device: &Device, say: &mut impl FnMut(&'static str, Grade, String, String)) {
    let (what, zh, en) = match device.kind {
        Kind::Scanner => ("device", "扫描器", "The scanner"),
        Kind::Reader => ("card_reader", "读卡器", "The card reader"),
        Kind::Printer => ("printer", "打印机", "The printer"),
    };
    let grade = match device.condition {
        Condition::Connected => Grade::Good,
        Condition::PaperLow => Grade::Note,
        _ => Grade::Bad,
    };
    let name = &device.name;
    let well = || Both { zh: format!("{zh} {name} 正常"), en: format!("{en} {name} works") };
    let words = device.says.clone().unwrap_or_else(well);
    say(what, grade, words.zh, words.en);
}

/// What this machine says of itself, with the store in `folder`.
#[must_use]
pub fn machine(folder: &Path) -> Machine {
    let count = |folder: &str, fits: &dyn Fn(&str) -> bool| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_str().is_some_and(fits)).count()
    };
    let serial = |name: &str| name.starts_with("ttyACM") || name.starts_with("ttyUSB");
    Machine {
        disk_mib: disk_mib(folder),
        battery: battery(Path::new("/sys/class/power_supply")),
        cameras: count("/dev", &|name| name.starts_with("video")),
        scanners: count("/dev", &serial)
            + count("/dev/input/by-id", &|name| name.ends_with("-event-kbd")),
        printers: count("/dev/usb", &|name| name.starts_with("lp")),
        card_reader: Path::new("/run/pcscd/pcscd.comm").exists(),
        devices: None,
    }
}

fn disk_mib(folder: &Path) -> Option<u64> {
    let said = Command::new("df").arg("-Pm").arg(folder).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn battery(supplies: &Path) -> Option<(u8, bool)> {
    let says = |supply: &Path, file: &str| std::fs::read_to_string(supply.join(file)).ok();
    // Tablets name theirs after the chip that counts; a mouse has one too, which is not the kiosk's.
    let is_own = |supply: &PathBuf| {
        let is = |file, what| says(supply, file).is_some_and(|text| text.trim() == what);
        let is_named = supply.file_name().is_some_and(|n| n.to_string_lossy().starts_with("BAT"));
        (is_named || is("type", "Battery")) && !is("scope", "Device")
    };
    let supplies = std::fs::read_dir(supplies).ok()?.flatten().map(|entry| entry.path());
    let battery = supplies.filter(is_own).min()?;
    let read = |file: &str| says(&battery, file);
    let charge = read("capacity")?.trim().parse().ok()?;
    Some((charge, read("status").is_some_and(|status| status.trim() != "Discharging")))
}

/// What a running kiosk program tells at `/healthz`.
#[derive(Deserialize)]
struct Health {
    place: Option<Named>,
    devices: Vec<Device>,
    #[serde(default)]
    clock_unsure: bool,
}

#[derive(Deserialize)]
struct Named {
    kiosk: String,
}

/// What the program of the kiosk called `name` tells of itself, if it runs and serves its page at `page`.
async fn health_of_program(page: SocketAddr, name: &str) -> Option<Health> {
    let http =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build().ok()?;
    let answer = http.get(format!("http://{page}/healthz")).send().await.ok()?;
    let health: Health = answer.json().await.ok()?;
    health.place.as_ref().is_some_and(|place| place.kiosk == name).then_some(health)
}

/// Looks at the kiosk in `data`, asking its server for at most three seconds, and its program, if it runs, at `page`.
///
/// # Errors
/// When it is not enrolled or its store cannot be read.
pub async fn check(
    data: &Path,
    page: SocketAddr,
    clock: &dyn Clock,
) -> anyhow::Result<Vec<Finding>> {
    let folder = Folder::new(data);
    let enrolment = folder.enrolment().context("cannot read kiosk.json")?.with_context(|| {
        format!(
            "{} holds no kiosk (此目录没有登记过). Enrol it first: turnout-kiosk enroll",
            data.display()
        )
    })?;
    let store = Store::open(&folder.store()).await?;
    let head = store.verify(&enrolment.kiosk).await?;
    let mut memory = store.memory().await?;
    let server = match folder.key().context("cannot read kiosk.key")? {
        Some(key) if !memory.revoked => {
            let api = Api::new(&enrolment.server, &enrolment.kiosk, key)?;
            api.is_past(store.latest(&enrolment.kiosk, &memory).await?);
            let sent = clock.now();
            let asked =
                tokio::time::timeout(Duration::from_secs(3), api.feed(memory.cursors)).await;
            Some(match asked {
                Ok(Ok(feed)) => {
                    // As the clock is now, not as it was when the program last ran.
                    let asked = Skew::measured(sent, feed.server_now, clock.now());
                    let sharper =
                        |then: &Skew| then.error_ms < asked.error_ms && then.agrees_with(asked);
                    let skew = memory.skew.filter(sharper).unwrap_or(asked);
                    memory.complete_at =
                        memory.complete_at.map(|at| by_this_clock(at, memory.skew, skew));
                    memory.skew = Some(skew);
                    Ok(())
                }
                Ok(Err(failure)) => Err(failure.to_string()),
                Err(_) => Err("no answer within 3 s".to_owned()),
            })
        }
        _ => None,
    };
    let peers = memory.post.as_ref().map(|post| post.peers.clone()).unwrap_or_default();
    let known = Knowledge {
        waiting: head.seq.saturating_sub(memory.acknowledged),
        size: store.size().await?,
        has_pin: folder.sealed_card_key().exists(),
        post: memory.post,
        complete_at: memory.complete_at,
        skew: memory.skew,
        revoked: memory.revoked,
        server,
    };
    store.close().await;
    let health = health_of_program(page, &enrolment.name).await;
    let clock_unsure = health.as_ref().is_some_and(|health| health.clock_unsure);
    let machine = Machine { devices: health.map(|health| health.devices), ..machine(data) };
    let mut found = findings(&known, &machine, clock.now());
    found.extend(way(&enrolment.server).filter(|_| !known.revoked));
    found.extend(clock_unsure.then(self::clock_unsure));
    if !known.revoked && !peers.is_empty() {
        let seen = found::look_around(&enrolment.kiosk, LOOK_AROUND).await;
        let heard = peers.into_iter().map(|peer| {
            let heard = seen.contains_key(&peer.kiosk);
            (peer.name, heard)
        });
        found.extend(others(&heard.collect::<Vec<_>>()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use admission::sync::{EventInfo, IssuerPublicKey, OfferInfo};

    use super::*;

    const NOON: Millis = Millis(1_800_000_000_000);

    fn known() -> Knowledge {
        let event = EventInfo {
            number: 4,
            id: "e".into(),
            title: "乒乓球赛".into(),
            time_zone: "Asia/Shanghai".into(),
            starts_at: NOON.plus(12 * HOUR),
            ends_at: NOON.plus(16 * HOUR),
            cancelled: false,
            offers: vec![OfferInfo::once(0, "单打".into())],
        };
        let post = Post {
            name: "K1".into(),
            station_kind: StationKind::Gate,
            station: "东门".into(),
            event,
            keys: vec![IssuerPublicKey { id: 1, public_key: String::new() }],
            keys_signed: String::new(),
            card_bins: Vec::new(),
            lease_until: NOON.plus(DAY),
            allotments: Vec::new(),
            room: None,
            peers: Vec::new(),
            moving_key: None,
            venue: None,
        };
        Knowledge {
            post: Some(post),
            complete_at: Some(NOON.plus(-MINUTE)),
            skew: Some(Skew { ms: 300, error_ms: 5 }),
            size: (52, 7_370),
            waiting: 0,
            has_pin: true,
            revoked: false,
            server: Some(Ok(())),
        }
    }

    fn machine() -> Machine {
        Machine {
            disk_mib: Some(9_000),
            battery: Some((30, true)),
            cameras: 1,
            scanners: 1,
            printers: 0,
            card_reader: true,
            devices: Some(Vec::new()),
        }
    }

    fn device(kind: Kind, condition: Condition) -> Device {
        Device { name: "x".into(), kind, condition, since_ms: NOON, says: None }
    }

    fn bad(known: &Knowledge, machine: &Machine) -> Vec<&'static str> {
        let found = findings(known, machine, NOON);
        found.into_iter().filter(|f| f.grade == Grade::Bad).map(|f| f.what).collect()
    }

    fn with_post(change: impl FnOnce(&mut Post)) -> Knowledge {
        let mut known = known();
        change(known.post.as_mut().expect("a post"));
        known
    }

    #[test]
    fn a_ready_kiosk_has_nothing_to_see_to() {
        let found = findings(&known(), &machine(), NOON);
        assert!(found.iter().all(|finding| finding.grade == Grade::Good), "{found:?}");
        for what in [
            "server",
            "data",
            "clock",
            "keys",
            "event",
            "tickets",
            "pin",
            "disk",
            "battery",
            "scanner",
            "card_reader",
            "printer",
        ] {
            assert!(found.iter().any(|finding| finding.what == what), "{what} was not looked at");
        }
    }

    #[test]
    fn each_thing_that_keeps_people_waiting_is_told() {
        let known_as = |change: fn(&mut Knowledge)| {
            let mut known = known();
            change(&mut known);
            known
        };
        for (known, what) in [
            (known_as(|k| k.complete_at = None), "data"),
            (known_as(|k| k.complete_at = Some(NOON.plus(-2 * DAY))), "data"),
            (known_as(|k| k.skew = Some(Skew { ms: -3 * MINUTE, error_ms: 5 })), "clock"),
            (known_as(|k| k.complete_at = Some(NOON.plus(HOUR))), "clock"),
            (known_as(|k| k.has_pin = false), "pin"),
            (known_as(|k| k.revoked = true), "server"),
            (with_post(|post| post.keys.clear()), "keys"),
            (with_post(|post| post.event.cancelled = true), "event"),
            (with_post(|post| post.event.ends_at = NOON.plus(-HOUR)), "event"),
            (with_post(|post| post.event.offers[0].valid_to = NOON.plus(-365 * DAY)), "hours"),
        ] {
            assert_eq!(bad(&known, &machine()), [what]);
        }
        for (machine, what) in [
            (Machine { disk_mib: Some(100), ..machine() }, "disk"),
            (Machine { battery: Some((30, false)), ..machine() }, "battery"),
            (Machine { cameras: 0, scanners: 0, ..machine() }, "scanner"),
        ] {
            assert_eq!(bad(&known(), &machine), [what]);
        }
        for (kind, condition, what) in [
            (Kind::Scanner, Condition::Away, "device"),
            (Kind::Reader, Condition::NoService, "card_reader"),
            (Kind::Printer, Condition::PaperOut, "printer"),
        ] {
            let devices = Some(vec![device(kind, condition)]);
            assert_eq!(bad(&known(), &Machine { devices, ..machine() }), [what]);
        }
        // One that reads is enough, where it is no keyboard; a guess says that it is one.
        let devices = Some(vec![device(Kind::Scanner, Condition::Connected)]);
        let one = Machine { cameras: 0, scanners: 0, devices, ..machine() };
        assert_eq!(bad(&known(), &one), [""; 0]);
        let guess = findings(&known(), &Machine { devices: None, ..machine() }, NOON);
        assert!(guess.iter().any(|f| f.what == "program" && f.grade == Grade::Note));
        let offline = Knowledge { server: Some(Err("refused".into())), ..known() };
        assert_eq!(bad(&offline, &machine()), [""; 0], "no network is no fault");
    }

    #[test]
    fn how_old_the_tickets_are_is_told_by_the_clock_as_it_is_now() {
        let fetched = NOON.plus(-MINUTE);
        let (then, now) = (Skew { ms: 300, error_ms: 5 }, Skew { ms: 3 * HOUR, error_ms: 5 });
        let by_now = by_this_clock(fetched, Some(then), now);
        // The clock shows three hours less, and so does what it would have shown then.
        assert_eq!(NOON.plus(300 - 3 * HOUR).since(by_now), MINUTE);
        let set_back = Knowledge { complete_at: Some(fetched), skew: Some(then), ..known() };
        let found = findings(&set_back, &machine(), Millis(20_000));
        let told = |what| {
            let of = |finding: &&Finding| finding.what == what;
            found.iter().find(of).map(|finding| (finding.grade, finding.words.zh.as_str()))
        };
        assert_eq!(told("data").map(|(grade, _)| grade), Some(Grade::Note));
        assert!(
            told("clock").is_some_and(|(grade, zh)| grade == Grade::Bad && zh.contains("断电"))
        );
    }

    #[test]
    fn a_way_that_others_can_stand_in_is_told() {
        for server in ["http://turnout.example", "http://10.0.0.5:8080", "http://[fe80::1]:8080"] {
            assert_eq!(way(server).map(|found| found.grade), Some(Grade::Note), "{server}");
        }
        for server in [
            "https://turnout.example",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert_eq!(way(server), None, "{server}");
        }
    }

    #[test]
    fn a_kiosk_that_is_not_found_is_named() {
        assert_eq!(others(&[]), None);
        let kiosks = |heard| [("东门 2".to_owned(), true), ("西门".to_owned(), heard)];
        assert_eq!(others(&kiosks(true)).map(|found| found.grade), Some(Grade::Good));
        let found = others(&kiosks(false)).expect("something to say");
        assert_eq!(found.grade, Grade::Note);
        assert!(found.words.zh.contains("西门") && !found.words.zh.contains("东门"));
    }

    #[test]
    fn this_machine_has_a_disk() {
        assert!(super::machine(Path::new("/")).disk_mib.is_some());
        assert_eq!(battery(Path::new("/nowhere")), None);
    }

    #[test]
    fn a_battery_is_read_where_there_is_one() {
        let supplies = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(supplies.path().join("AC")).expect("made");
        assert_eq!(battery(supplies.path()), None);
        let mouse = supplies.path().join("A-mouse");
        std::fs::create_dir(&mouse).expect("made");
        for (file, text) in [("type", "Battery\n"), ("scope", "Device\n"), ("capacity", "3\n")] {
            std::fs::write(mouse.join(file), text).expect("written");
        }
        assert_eq!(battery(supplies.path()), None, "that is the mouse's");
        let own = supplies.path().join("axp20x-battery");
        std::fs::create_dir(&own).expect("made");
        std::fs::write(own.join("type"), "Battery\n").expect("written");
        for (status, plugged) in [("Discharging\n", false), ("Charging\n", true), ("Full\n", true)]
        {
            std::fs::write(own.join("capacity"), "57\n").expect("written");
            std::fs::write(own.join("status"), status).expect("written");
            assert_eq!(battery(supplies.path()), Some((57, plugged)));
        }
    }

    #[test]
    fn a_revoked_kiosk_says_what_it_has_yet_to_tell() {
        let known = Knowledge { revoked: true, waiting: 7, ..known() };
        let found = findings(&known, &machine(), NOON);
        assert_eq!(found.iter().map(|f| f.what).collect::<Vec<_>>(), ["server", "upload"]);
        assert!(found[1].words.zh.contains("7 条"));
    }
}
