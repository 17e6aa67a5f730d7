//! `turnout-server demo`: a fresh world of the federation's size, and a page that lists how to get into it.

mod books;
mod contest;
mod fair;
mod goods;
pub(crate) mod page;
mod voucher;
mod world;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use admission::{Clock, Millis};
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::{
    App,
    config::{DEFAULT_BINS, Serve, Sms, Storage},
    listen, serve_on,
};

/// The number on the card of the first member in the demo's roster. Synthetic, like all of them.
pub(crate) const FIRST_CARD: &str = "6210300000000007";

/// In a demo's folder: only a folder that has this file is emptied.
const MARK: &str = "turnout-demo";

/// Make a fresh demo world and serve it.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// Address to listen on.
    #[arg(long, env = "TURNOUT_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Folder of the demo world; what an earlier demo left there is removed.
    #[arg(long, env = "TURNOUT_DATA", default_value = "demo-data")]
    data: PathBuf,
    /// Use this database instead of a file in the folder. It must be empty.
    #[arg(long, env = "TURNOUT_DATABASE")]
    database: Option<String>,
    /// The address people reach it by.
    #[arg(long, env = "TURNOUT_PUBLIC_URL")]
    public_url: Option<String>,
    /// Where the demo's kiosk will show its screen, for the page that lists everything.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    kiosk_url: String,
    /// Print one JSON object on one line instead of the list for people.
    #[arg(long)]
    json: bool,
}

/// What a demo world has for those who try it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Notes {
    /// Where the server is.
    pub url: String,
    /// One-time code that enrols a kiosk at the event that is happening now.
    pub kiosk_code: String,
    /// An organizer's session.
    pub organizer: Session,
    /// The events, the kiosk's first.
    pub events: Vec<EventNote>,
    /// Fifty members who hold no ticket yet.
    pub members: Vec<MemberNote>,
    /// Staff accounts.
    pub staff: Vec<StaffNote>,
    /// A stand of the fair that is on.
    pub stand: StandNote,
    /// The page of a partner venue, where vouchers are redeemed.
    pub venue: StandNote,
    /// The page where an umpire of the contest scores; there is no PIN.
    pub umpire: StandNote,
    /// Where the kiosk's screen will be.
    #[serde(skip)]
    pub kiosk_url: String,
    /// How many organisations and members there are.
    #[serde(skip)]
    pub counts: (usize, usize),
}

/// A session, for programs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Session {
    /// To be sent as `Authorization: Bearer`.
    pub token: String,
}

/// An event of the demo world.
#[derive(Clone, Debug, Serialize)]
pub struct EventNote {
    /// Its id.
    pub id: String,
    /// `contest`, `voucher`, `fair` or `activity`.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Its offers.
    pub offers: Vec<OfferNote>,
}

/// An offer of the demo world.
#[derive(Clone, Debug, Serialize)]
pub struct OfferNote {
    /// Its id.
    pub id: String,
    /// `first_come`, …
    pub mode: String,
}

/// A member of the demo world. Synthetic.
#[derive(Clone, Debug, Serialize)]
pub struct MemberNote {
    /// Their name.
    pub name: String,
    /// Their mobile number.
    pub phone: String,
    /// Their session.
    pub token: String,
}

/// A staff account of the demo world.
#[derive(Clone, Debug, Serialize)]
pub struct StaffNote {
    /// Its name, to sign in with.
    pub name: String,
    /// `admin`, `organizer`, `volunteer`.
    pub role: String,
    /// Its password.
    pub password: String,
}

/// An employer's page at the fair of the demo world, or a venue's.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StandNote {
    /// The stand's number and the employer.
    pub name: String,
    /// The path of the personal link.
    pub path: String,
    /// Its PIN.
    pub pin: String,
}

/// Makes the world and serves it until the process is asked to stop.
///
/// # Errors
/// When the folder is not a demo's, the address is taken, or the database fails.
pub async fn run(demo: Demo, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let listener = listen(demo.listen)?;
    let address = listener.local_addr()?;
    empty(&demo.data)?;
    let config = Serve {
        storage: Storage { database: demo.database.clone(), data: demo.data.clone() },
        listen: address,
        public_url: demo.public_url.clone(),
        behind_proxy: false,
        sms: Sms::default(),
        card_bins: DEFAULT_BINS.map(str::to_owned).to_vec(),
    };
    let app = App::open(&config, clock).await?;
    let mut notes = world::make(&app).await?;
    notes.url = config.public_url();
    notes.kiosk_url = demo.kiosk_url;
    if demo.json {
        println!("{}", serde_json::to_string(&notes)?);
    } else {
        println!("{}", notes.for_people(app.clock.now()));
    }
    app.watch_the_clock();
    serve_on(app.in_demo(notes), listener).await
}

impl Notes {
    fn for_people(&self, now: Millis) -> String {
        let mut text = String::new();
        let zone = crate::web::frame::zone("Asia/Shanghai");
        let mut line = |words: std::fmt::Arguments<'_>| {
            text.push_str(&words.to_string());
            text.push('\n');
        };
        line(format_args!("Turnout demo, {}", admission::say::zoned(now, &zone).strftime("%F %R")));
        line(format_args!("  {} organisations, {} members", self.counts.0, self.counts.1));
        line(format_args!("  everything on one page   {}/demo", self.url));
        line(format_args!(
            "  members                  {}/   (codes appear on the demo page)",
            self.url
        ));
        for member in self.members.iter().take(3) {
            line(format_args!("    {}  {}", member.phone, member.name));
        }
        line(format_args!("  staff                    {}/staff/login", self.url));
        for staff in &self.staff {
            line(format_args!("    {:<10} {}  {}", staff.role, staff.name, staff.password));
        }
        let venue = &self.venue;
        line(format_args!(
            "  a venue's page           {}{}  PIN {}",
            self.url, venue.path, venue.pin
        ));
        line(format_args!("  kiosk enrolment code     {}", self.kiosk_code));
        text
    }
}

/// Makes the folder, and removes what an earlier demo left there; never anything else.
fn empty(folder: &Path) -> anyhow::Result<()> {
    let mark = folder.join(MARK);
    if mark.exists() {
        for name in ["turnout.db", "turnout.db-wal", "turnout.db-shm"] {
            let file = folder.join(name);
            if file.exists() {
                fs::remove_file(&file)
                    .with_context(|| format!("cannot remove {}", file.display()))?;
            }
        }
    }
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    anyhow::ensure!(
        mark.exists() || !folder.join("turnout.db").exists(),
        "{} holds a database that is no demo's; choose another folder with --data",
        folder.display()
    );
    fs::write(
        &mark,
        "This folder belongs to `turnout-server demo`, which empties it at each start.\n",
    )?;
    Ok(())
}
