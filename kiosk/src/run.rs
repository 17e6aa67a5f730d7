//! `turnout-kiosk run`: opens the store, and puts door, sync, scanners and page to work until told to stop.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use admission::{Clock, Millis};
use anyhow::{Context, bail};
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle};
use zeroize::Zeroizing;

use crate::{
    api::Api,
    device::{self, Scanner},
    door::{Door, Knowledge},
    doorkeeper::{Doorkeeper, Kiosk, Tools},
    identity::{Enrolment, Folder},
    page, seal,
    store::{Memory, Store},
    sync::Sync,
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
    /// Never touch the network.
    pub offline: bool,
    /// Seals the card key on disk.
    pub pin: Option<Zeroizing<String>>,
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
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
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    store: Store,
}

impl Running {
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
    // After a revocation the key is gone, and with it the right to speak.
    let api = match key {
        Some(key) if !options.offline && !memory.revoked => {
            Some(Api::new(&enrolment.server, &enrolment.kiosk, key)?)
        }
        _ => None,
    };
    let Memory { post, acknowledged, complete_at, skew, revoked: locked, .. } = memory;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).context("the system gives no randomness")?;
    let known = Knowledge { head, post, complete_at, skew, locked };
    let mut door = Door::new(enrolment.kiosk.clone(), salt, known);
    if let Some(pin) = &options.pin {
        door.take_card_key(seal::open(&folder.sealed_card_key(), &enrolment.kiosk, pin)?);
    }
    let (keeper, kiosk) = Doorkeeper::new(Tools {
        kiosk: enrolment.kiosk.clone(),
        door,
        store: store.clone(),
        folder: folder.clone(),
        api: api.clone(),
        clock: clock.clone(),
        acknowledged,
    });
    let (stop, stopped) = watch::channel(false);
    let mut tasks = vec![
        tokio::spawn(keeper.work(stopped.clone())),
        tokio::spawn(page::serve(listener, kiosk.clone(), clock.clone(), stopped.clone())),
    ];
    if let Some(api) = api {
        let sync = Sync {
            kiosk: enrolment.kiosk.clone(),
            api,
            store: store.clone(),
            folder,
            clock,
            door: kiosk.messages.clone(),
            recorded: kiosk.recorded.clone(),
            pin: options.pin,
            skew,
            card_key_wanted: true,
            complete_at_written: Millis::default(),
        };
        tasks.push(tokio::spawn(sync.work(acknowledged, stopped)));
    }
    if options.scanners.contains(&Scanner::Stdin) {
        read_stdin(kiosk.clone())?;
    }
    tracing::info!(kiosk = %enrolment.name, journal = head.seq, "the kiosk's page is at http://{page}/");
    Ok(Running { page, kiosk, stop, tasks, store })
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

/// Standard input has a thread of its own, which ends with the program or with the input.
fn read_stdin(kiosk: Kiosk) -> std::io::Result<()> {
    let runtime = Handle::current();
    let read =
        move || match device::serve_lines(&kiosk, &runtime, std::io::stdin(), std::io::stdout()) {
            Ok(()) => tracing::info!("standard input has ended; the page goes on"),
            Err(error) => {
                tracing::error!(%error, "standard input or output failed; the page goes on")
            }
        };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(read).map(drop)
}
