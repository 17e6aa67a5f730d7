//! `turnout-server`: reads the command line, opens the database, does what was asked.

use std::{process::ExitCode, sync::Arc};

use admission::{Clock as _, decide::StationKind};
use anyhow::bail;
use clap::{Parser, Subcommand};
use turnout_server::{
    App, SystemClock,
    archive::{Backup, CopyTo, Finding, Restore, Verify},
    config::{Serve, Storage},
    demo::{self, Demo},
    draw::cli::DrawCommand,
    error::Error,
    kiosk,
    people::import::cli::{self, Import},
    serve, staff,
    web::access::Role,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Event registration and check-in.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a fresh demo world and serve it.
    Demo(Demo),
    /// Serve pages and API.
    Serve(Serve),
    /// Read organisations or members from a spreadsheet.
    Import(Import),
    Backup(Backup),
    Restore(Restore),
    CopyTo(CopyTo),
    Verify(Verify),
    #[command(subcommand)]
    Draw(DrawCommand),
    /// Kiosks.
    #[command(subcommand)]
    Kiosk(KioskCommand),
    /// Staff accounts.
    #[command(subcommand)]
    Staff(StaffCommand),
}

#[derive(Debug, Subcommand)]
enum KioskCommand {
    /// Make a kiosk and print its one-time enrolment code.
    Add {
        /// What it is called, "东门一号".
        name: String,
        /// The event's id.
        #[arg(long)]
        event: String,
        /// gate, exit, counter, booth, desk or checkpoint.
        #[arg(long, default_value = "gate", value_parser = station_kind)]
        station: StationKind,
        /// Where the data is.
        #[command(flatten)]
        storage: Storage,
    },
}

#[derive(Debug, Subcommand)]
enum StaffCommand {
    /// Make an account and print its first password.
    Add {
        /// The person's name, used to sign in.
        name: String,
        /// What they may do.
        #[arg(long, value_enum)]
        role: Role,
        /// Where the data is.
        #[command(flatten)]
        storage: Storage,
    },
    /// Give somebody who forgot theirs a new password, print it, and sign them out everywhere.
    Password {
        /// The account's name.
        name: String,
        /// Where the data is.
        #[command(flatten)]
        storage: Storage,
    },
    /// End an account, and sign them out everywhere. What they did stays in the books, and their name with it.
    Remove {
        /// The account's name.
        name: String,
        /// Where the data is.
        #[command(flatten)]
        storage: Storage,
    },
    /// Print the accounts that sign in with a password: role and name, one a line.
    List {
        /// Where the data is.
        #[command(flatten)]
        storage: Storage,
    },
}

fn main() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().on_thread_start(turnout_server::threads::take_turns).build();
    runtime.expect("the system has threads").block_on(begin())
}

async fn begin() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "info,sqlx=warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    run(Cli::parse()).await.unwrap_or_else(|error| {
        eprintln!("turnout-server: {}", explained(&error));
        ExitCode::FAILURE
    })
}

/// One line for the operator: a rule's own sentence in both languages, or what went wrong and its causes.
fn explained(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Invalid(refused) | Error::Refused(refused)) => {
            format!("{} {}", refused.zh, refused.en)
        }
        _ => format!("{error:#}"),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(config) => {
            let app = App::open(&config, Arc::new(SystemClock)).await?;
            app.watch_the_clock();
            serve(app, config.listen).await?;
        }
        Command::Demo(demo) => demo::run(demo, Arc::new(SystemClock)).await?,
        Command::Import(import) => return cli::run(&import, &SystemClock).await,
        Command::Backup(backup) => println!("{} rows", backup.run().await?),
        Command::Restore(restore) => println!("{} rows", restore.run().await?),
        Command::CopyTo(copy) => println!("{} rows", copy.run().await?),
        Command::Draw(draw) => draw.run()?,
        Command::Verify(verify) => return Ok(told(&verify.run().await?)),
        Command::Kiosk(KioskCommand::Add { name, event, station, storage }) => {
            let db = storage.open_existing().await?;
            let mut tx = db.write().await?;
            let new = kiosk::rules::NewKiosk {
                station: name.clone(),
                name,
                event_id: event.clone(),
                station_kind: station,
            };
            let (_, code) = match kiosk::rules::add(&mut tx, &new, SystemClock.now()).await {
                Err(Error::NotFound) => bail!(
                    "没有活动 {event}。活动页地址里有它的编号。 There is no event {event}: the address of its page has its id"
                ),
                added => added?,
            };
            tx.commit().await?;
            println!("{code}");
        }
        Command::Staff(StaffCommand::Add { name, role, storage }) => {
            let db = storage.open().await?;
            let new = staff::add(&db, &name, role, SystemClock.now()).await?;
            println!("{}", new.password);
            eprintln!("{name} signs in at /staff/login with this password.");
        }
        Command::Staff(StaffCommand::Password { name, storage }) => {
            let db = storage.open_existing().await?;
            println!("{}", staff::renew_password(&db, &name).await?);
            eprintln!(
                "{name} signs in at /staff/login with this password, and no more with the old one."
            );
        }
        Command::Staff(StaffCommand::Remove { name, storage }) => {
            let db = storage.open_existing().await?;
            staff::end(&db, &name, SystemClock.now()).await?;
            eprintln!("{name} cannot sign in any more.");
        }
        Command::Staff(StaffCommand::List { storage }) => {
            let db = storage.open_existing().await?;
            for (name, role) in staff::list(&db).await? {
                println!("{role}\t{name}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is wrong with the books; fails when anything is.
fn told(findings: &[Finding]) -> ExitCode {
    for finding in findings {
        println!("{}: {}", finding.what, finding.ids.join(", "));
    }
    if findings.is_empty() {
        println!("账目无误 The books are right.");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn station_kind(word: &str) -> Result<StationKind, String> {
    StationKind::from_word(word)
        .ok_or_else(|| "one of gate, exit, counter, booth, desk, checkpoint".to_owned())
}
