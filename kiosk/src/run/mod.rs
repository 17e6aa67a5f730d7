//! `turnout-kiosk run`: opens the store, and puts door, sync, scanners and page to work until told to stop.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use admission::{Clock, Millis};
use anyhow::{Context, bail};
use futures_util::future::select_all;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

use crate::{
    api::Api,
    courier::Courier,
    desk::{Desk, Shut},
    devices::{Devices, Paper, Plug, Scanner},
    door::{Door, Knowledge},
    doorkeeper::{CLOCK_OFF_MS, Doorkeeper, Kiosk, Tools},
    doubts::{self, Stretch},
    identity::{Enrolment, Folder},
    mesh::{Mesh, net},
    page,
    status::Trouble,
    steady,
    store::{Memory, Store, StoreError},
    supervisor::Supervisor,
    sync::{CardKeyNews, Sync},
};

/// What a kiosk is run with.
#[derive(Debug)]
pub struct Options {
    /// Its folder.
    pub data: PathBuf,
    /// Where its page is served: a loopback address.
    pub listen: SocketAddr,
    /// Where scans come from beside the page.
    pub scanners: Vec<Scanner>,
    /// What slips are printed by, and on.
    pub printer: Option<(Plug, Paper)>,
    /// Never touch the network.
    pub offline: bool,
    /// Seals the card key on disk.
    pub pin: Option<Zeroizing<String>>,
    /// How it finds the event's other kiosks.
    pub mesh: net::Options,
    /// The name of this time between two power cuts, as the machine says it. None: it keeps its time without power.
    pub boot: Option<String>,
    /// Who starts the program again when it hangs, if anybody.
    pub supervisor: Option<Supervisor>,
}

/// The name of this time between two power cuts, as the machine says it.
#[must_use]
pub fn boot() -> Option<String> {
    steady::boot()
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are handed")]
    fn now(&self) -> Millis {
        Millis(jiff::Timestamp::now().as_millisecond())
    }
}

/// A kiosk at work.
pub struct Running {
    /// Where its page is.
    pub page: SocketAddr,
    /// The line to its door.
    pub kiosk: Kiosk,
    /// Its staffed side.
    pub desk: Arc<Desk>,
    /// The event's other kiosks.
    pub mesh: net::Line,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    store: Store,
}

impl Running {
    /// Waits until a part of the kiosk has died, which none does by itself: then the program had better begin anew.
    pub async fn broken(&mut self) {
        while !self.tasks.is_empty() {
            let (ended, at, _) = select_all(self.tasks.iter_mut()).await;
            drop(self.tasks.swap_remove(at));
            match ended {
                Err(error) if error.is_panic() => {
                    tracing::error!(%error, "a part of the kiosk has died");
                    return;
                }
                // Whoever has nothing more to do may leave: the courier of a revoked kiosk.
                _ => {}
            }
        }
        std::future::pending().await
    }

    /// Ends the scan at hand, then everything else.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task did not end well");
            }
        }
        self.store.close().await;
    }
}

/// Starts a kiosk.
///
/// # Errors
/// When it is not enrolled, its store is damaged or its address taken: what to do stands in the error.
pub async fn start(options: Options, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    let folder = Folder::new(&options.data);
    let enrolment = enrolment(&folder, &options)?;
    let key = folder.key().context("cannot read kiosk.key")?;
    let listener = listen(options.listen).await?;
    let page = listener.local_addr()?;
    let store = Store::open(&folder.store()).await?;
    let head = store.verify(&enrolment.kiosk).await?;
    let memory = store.memory().await?;
    if options.offline && memory.post.is_none() && !memory.revoked {
        bail!(
            "this kiosk has never heard from its server, so there is nothing to decide by (尚未同步过). \
             Run it once without --offline"
        );
    }
    // A revoked kiosk has its key until it has told the server all it did.
    let key = key.filter(|_| !options.offline);
    let api = match &key {
        Some(key) => Some(Api::new(&enrolment.server, &enrolment.kiosk, key.clone())?),
        None => None,
    };
    if let Some(api) = &api {
        // One that was made before these were kept knows them by its post.
        let keys = match store.server_keys().await? {
            keys if keys.is_empty() => memory.post.as_ref().map(|post| post.keys.clone()),
            keys => Some(keys),
        };
        api.trust(keys.unwrap_or_default());
    }
    let (told, settled) = store.told().await?;
    let vouched = memory.post.as_ref().map(|post| (post.event.number, post.peers.as_slice()));
    let mesh = Mesh::new(enrolment.kiosk.clone(), head, vouched, told, settled);
    let (mesh, mesh_work) = net::Line::new(mesh);
    let latest = store.latest(&enrolment.kiosk, &memory).await?;
    let Memory { post, acknowledged, complete_at, skew, revoked: locked, .. } = memory;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).context("the system gives no randomness")?;
    let room = post.as_ref().and_then(|post| post.room);
    let lease_until = post.as_ref().map_or(Millis(i64::MAX), |post| post.lease_until);
    let known = Knowledge { head, post, complete_at, skew, locked };
    let mut door = Door::new(enrolment.kiosk.clone(), salt, known);
    if let Some(room) = room {
        door.take_moves(store.moves_after(room.through).await?);
    }
    let alive = store.alive().await?.filter(|alive| alive.at < lease_until);
    let latest = alive.as_ref().map_or(latest, |alive| alive.at.max(latest));
    if let Some(api) = &api {
        api.is_past(latest);
    }
    // A machine that was on all the time knows how its clock was set meanwhile.
    let same = alive.filter(|alive| Some(&alive.boot) == options.boot.as_ref());
    if let (Some(alive), Some(on_ms)) = (&same, steady::on_ms()) {
        match alive.set_by_ms(clock.now(), on_ms) {
            0 => {}
            by_ms => door.clock_set(by_ms),
        }
    }
    let off = door.go_on_from(latest, clock.now());
    if options.boot.is_some() && !same.is_some_and(|alive| alive.sure) && door.post().is_some() {
        door.doubt(latest, clock.now());
        if let Err(error) =
            write_doubt(&store, &door, options.boot.as_deref(), (latest, clock.now())).await
        {
            tracing::warn!(%error, "scans that are made now keep their time when the program is started again");
        }
    }
    let trouble = (off.saturating_abs() > CLOCK_OFF_MS).then_some(Trouble::ClockOff);
    if trouble.is_some() {
        tracing::warn!(
            "the clock contradicts what this kiosk knows of the time (本机时钟不准): it goes on from that until the server is heard"
        );
    }
    let desk = Desk::new(&enrolment.kiosk, folder.clone(), store.clone(), clock.clone());
    desk.remember_settings().await?;
    if let Err(error) = desk.remember_tries().await {
        tracing::warn!(%error, "a clock that begins earlier may end the wait for wrong PINs");
    }
    let desk = Arc::new(desk);
    if let Some(pin) = &options.pin {
        match desk.open(pin).await {
            Ok(card_key) => door.take_card_key(card_key),
            Err(shut @ (Shut::NoPin | Shut::WeakPin)) => bail!("{}", in_words(&shut)),
            // It was changed at the kiosk since, say: no reason for a door to stay shut.
            Err(shut) => tracing::error!(
                "{}. Codes are read all the same; cards and the list once the desk is opened (二维码照常)",
                in_words(&shut)
            ),
        }
    }
    let (stop, stopped) = watch::channel(false);
    let mut devices = Devices::new(clock.clone());
    let mut tasks = Vec::new();
    tasks.extend(options.printer.map(|(plug, paper)| devices.print(plug, paper, stopped.clone())));
    let (keeper, kiosk) = Doorkeeper::new(Tools {
        kiosk: enrolment.kiosk.clone(),
        door,
        store: store.clone(),
        folder,
        desk: desk.clone(),
        api: api.clone().filter(|_| !locked),
        clock: clock.clone(),
        printer: devices.printer().cloned(),
        mesh: mesh.clone(),
        acknowledged,
        trouble,
        supervisor: options.supervisor,
        boot: options.boot,
    });
    tasks.extend(devices.scan(&options.scanners, &kiosk, &stopped)?);
    tasks.push(tokio::spawn(keeper.work(stopped.clone())));
    let screen = page::router(kiosk.clone(), desk.clone(), clock.clone(), devices);
    tasks.push(tokio::spawn(page::serve(listener, screen, stopped.clone())));
    if let Some(key) = key.filter(|_| !locked) {
        let bound = net::bind(options.mesh.listen).await?;
        let (kiosk, store) = (enrolment.kiosk.clone(), store.clone());
        let work = mesh_work.work(kiosk, key, store, options.mesh, bound, stopped.clone());
        tasks.push(tokio::spawn(work));
    }
    if let Some(api) = api {
        let sync = Sync {
            kiosk: enrolment.kiosk.clone(),
            api,
            store: store.clone(),
            desk: desk.clone(),
            clock,
            door: kiosk.messages.clone(),
            recorded: kiosk.recorded.clone(),
            skew,
            status: kiosk.status.clone(),
            card_key: CardKeyNews::None,
            mesh: mesh.clone(),
            heard: Vec::new(),
            server_now: None,
            complete_at_written: Millis::default(),
        };
        let mut courier = Courier::new(acknowledged);
        if locked {
            courier.dismiss();
        }
        tasks.push(tokio::spawn(sync.work(courier, stopped)));
    }
    tracing::info!(kiosk = %enrolment.name, journal = head.seq, "the kiosk's page is at http://{page}/");
    Ok(Running { page, kiosk, desk, mesh, stop, tasks, store })
}

/// Writes down that the door is in doubt, so that what it does now is put right also when it begins anew meanwhile.
async fn write_doubt(
    store: &Store,
    door: &Door,
    boot: Option<&str>,
    (latest, now): (Millis, Millis),
) -> Result<(), StoreError> {
    let (Some(boot), Some(on_ms)) = (boot, steady::on_ms()) else { return Ok(()) };
    let reckoned = door.true_time(now);
    let stretch = Stretch {
        boot: boot.to_owned(),
        from: door.head().seq + 1,
        on_at: reckoned.plus(-on_ms),
        least_ms: latest.since(reckoned).min(0),
    };
    let stretches = doubts::with(store.doubts().await?, stretch);
    store.keep_doubts(&stretches).await
}

/// What whoever sets a PIN that everybody tries first is told.
pub(crate) const WEAK: &str =
    "that PIN is one that everybody tries first (密码太简单，容易被猜到): choose another";

fn in_words(shut: &Shut) -> String {
    match shut {
        Shut::WrongPin { .. } => {
            "the PIN does not open this kiosk (PIN 不正确): check --pin or TURNOUT_PIN".to_owned()
        }
        Shut::TooSoon { wait_ms } => format!(
            "too many wrong PINs (PIN 输错太多次): try again in {} s, or start without --pin",
            wait_ms / 1_000 + 1
        ),
        Shut::WeakPin => WEAK.to_owned(),
        Shut::NoPin => "a PIN has 6 to 12 digits (PIN 为 6 到 12 位数字)".to_owned(),
        other => other.to_string(),
    }
}

fn enrolment(folder: &Folder, options: &Options) -> anyhow::Result<Enrolment> {
    folder.enrolment().context("cannot read kiosk.json")?.with_context(|| {
        format!(
            "{} holds no kiosk (此目录没有登记过). Enrol it first: turnout-kiosk enroll --server URL \
             --code CODE --data {}; `turnout-server kiosk add` prints a code",
            options.data.display(),
            options.data.display()
        )
    })
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    if !address.ip().is_loopback() {
        bail!(
            "--listen {address} is not a loopback address. The page shows names and takes scans, so it is \
             for this machine alone: 127.0.0.1:8081"
        );
    }
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address} (端口被占用?): another program or kiosk may use it; give \
             another --listen"
        )
    })
}

#[cfg(test)]
mod tests;
