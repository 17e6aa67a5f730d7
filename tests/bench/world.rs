//! A server of its own, as a process, with people and events to measure it with.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use admission::{
    Clock as _,
    sync::{KIOSK_HEADER, SIGNATURE_HEADER, sign_request},
    ticket::{TicketFact, TicketId},
};
use anyhow::{Context as _, ensure};
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use turnout_server::{
    SystemClock,
    db::{Db, new_id},
    execute, execute_rows, fetch,
    keys::Keys,
    staff,
    web::{
        access::Role,
        session::{self, Holder},
    },
};

use crate::load::Post;

const HOUR: i64 = 3_600_000;
/// Rows of one statement.
const ROWS: usize = 1_000;

/// Servers of its own, on one database.
pub(crate) struct World {
    /// Of the first of them.
    pub(crate) url: String,
    /// Of each of them.
    pub(crate) urls: Vec<String>,
    pub(crate) db: Db,
    organizer: String,
    http: reqwest::Client,
    keys: Keys,
    servers: Vec<Child>,
}

/// An event with its offers.
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) offers: Vec<String>,
}

/// A kiosk as the server sees it.
pub(crate) struct Signer {
    pub(crate) id: String,
    key: SigningKey,
}

impl World {
    /// Starts so many servers on `database`, or on a file in `folder`.
    pub(crate) async fn start(
        folder: &Path,
        database: Option<String>,
        count: usize,
    ) -> anyhow::Result<Self> {
        let database =
            database.unwrap_or_else(|| format!("sqlite://{}", folder.join("turnout.db").display()));
        let db = Db::open(&database).await?;
        let now = SystemClock.now();
        let organizer = staff::add(&db, &new_id(now), Role::Organizer, now).await?;
        let organizer = staff::session_for(&db, &organizer.id, now).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let (mut servers, mut urls) = (Vec::new(), Vec::new());
        // One after the other: the first makes the keys.
        for _ in 0..count {
            let listen = free_address()?;
            let server = Command::new(program("turnout-server")?)
                .args(["serve", "--listen", &listen, "--database", &database, "--data"])
                .arg(folder)
                .env("RUST_LOG", "warn")
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn()?;
            let url = format!("http://{listen}");
            await_ready(&http, &format!("{url}/readyz")).await?;
            servers.push(server);
            urls.push(url);
        }
        let keys = Keys::open(&folder.join("keys"))?;
        let url = urls.first().context("at least one server")?.clone();
        Ok(Self { url, urls, db, organizer, http, keys, servers })
    }

    /// Has the database count what is in its tables.
    pub(crate) async fn analyze(&self) -> anyhow::Result<()> {
        let mut tx = self.db.write().await?;
        execute!(tx, "analyze")?;
        Ok(tx.commit().await?)
    }

    /// Resident memory of the largest of the servers, MiB.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<f64> {
        let mut most = 0.0;
        for server in &self.servers {
            most = f64::max(most, resident_mib(server)?);
        }
        Ok(most)
    }

    /// So many members, signed in; their tokens. Once for each database.
    pub(crate) async fn members(&self, count: u32) -> anyhow::Result<Vec<String>> {
        let now = SystemClock.now();
        let mut tokens = Vec::new();
        let mut tx = self.db.write().await?;
        for n in 0..count {
            let id = new_id(now);
            execute!(
                tx,
                "insert into person (id, kind, name, name_search, phone, status, created_ms, updated_ms)
                 values ($1, 'member', '王小明', '王小明', $2, 'active', $3, $3)",
                &id,
                format!("199{n:08}"),
                now.0,
            )?;
            tokens.push(session::open(&mut tx, Holder::Person(&id), now).await?);
        }
        tx.commit().await?;
        Ok(tokens)
    }

    /// An event that is happening now, with an open offer of each quota.
    pub(crate) async fn event(&self, quotas: &[i64]) -> anyhow::Result<Event> {
        let now = SystemClock.now().0;
        let offers: Vec<Value> = quotas
            .iter()
            .map(|quota| {
                json!({
                    "name": "入场", "quota": quota, "opens_ms": now - HOUR, "closes_ms": now + 8 * HOUR,
                    "eligibility": "members",
                })
            })
            .collect();
        let draft = json!({
            "kind": "activity", "theme": "reading", "title": "读书会", "place": "王佐镇文化中心", "status": "published",
            "starts_ms": now - HOUR, "ends_ms": now + 8 * HOUR, "offers": offers,
        });
        let made = self.ask("/api/v1/events", &draft).await?;
        let offers = made["offers"].as_array().context("offers")?.iter();
        Ok(Event {
            id: text(&made["id"])?,
            offers: offers.map(|offer| text(&offer["id"])).collect::<anyhow::Result<_>>()?,
        })
    }

    /// The code that enrols a new kiosk at the gate of an event.
    pub(crate) async fn kiosk_code(&self, event: &Event) -> anyhow::Result<String> {
        let new = json!({ "name": "东门", "event": event.id, "station": "gate" });
        text(&self.ask("/api/v1/kiosks", &new).await?["code"])
    }

    /// An enrolled kiosk whose requests are signed here.
    pub(crate) async fn signer(&self, event: &Event, n: u8) -> anyhow::Result<Signer> {
        let key = SigningKey::from_bytes(&[n; 32]);
        let public_key = HEXLOWER.encode(key.verifying_key().as_bytes());
        let enrolment = json!({ "code": self.kiosk_code(event).await?, "public_key": public_key });
        let id = text(&self.ask("/api/v1/kiosks/enrolment", &enrolment).await?["kiosk"])?;
        Ok(Signer { id, key })
    }

    /// So many valid tickets of an event, under one booking; their codes.
    pub(crate) async fn tickets(
        &self,
        event: &Event,
        count: u32,
    ) -> anyhow::Result<Vec<(TicketId, String)>> {
        let now = SystemClock.now();
        let mut tx = self.db.write().await?;
        let (person, booking) = (new_id(now), new_id(now));
        execute!(
            tx,
            "insert into person (id, kind, name, name_search, created_ms, updated_ms)
             values ($1, 'guest', '王小明', '王小明', $2, $2)",
            &person,
            now.0,
        )?;
        execute!(
            tx,
            "insert into booking (id, event_id, offer_id, person_id, status, places, created_ms)
             values ($1, $2, $3, $4, 'confirmed', $5, $6)",
            &booking,
            &event.id,
            &event.offers[0],
            &person,
            i64::from(count),
            now.0,
        )?;
        let (number, first): (i64, i64) = fetch!(
            tx,
            fetch_one,
            "select e.number, r.revision + 1 from event e join event_revision r on r.event_id = e.id where e.id = $1",
            &event.id,
        )?;
        let issuer = self.keys.issuer();
        let mut facts = Vec::new();
        for (n, revision) in (0..count).zip(first..) {
            let mut id = [7; 12];
            id[..4].copy_from_slice(&n.to_be_bytes());
            id[4..].copy_from_slice(&number.to_be_bytes());
            let fact = TicketFact {
                id: TicketId(id),
                event: u32::try_from(number)?,
                class: 0,
                valid_from: now.plus(-HOUR),
                valid_to: now.plus(8 * HOUR),
                reissue: 0,
            };
            facts.push((fact, revision));
        }
        for facts in facts.chunks(ROWS) {
            execute_rows!(
                tx,
                "insert into ticket (id, event_id, offer_id, booking_id, holder, holder_search, state, key_id,
                                     valid_from_ms, valid_to_ms, created_ms, revision) ",
                facts,
                |(fact, revision)| [
                    fact.id.to_string(),
                    &event.id,
                    &event.offers[0],
                    &booking,
                    "王小明",
                    "王小明",
                    "valid",
                    i64::from(issuer.id),
                    fact.valid_from.0,
                    fact.valid_to.0,
                    now.0,
                    *revision,
                ],
            )?;
        }
        execute!(
            tx,
            "update event_revision set revision = revision + $2 where event_id = $1",
            &event.id,
            i64::from(count)
        )?;
        tx.commit().await?;
        Ok(facts.into_iter().map(|(fact, _)| (fact.id, fact.sign(issuer))).collect())
    }

    /// What one query counts in the database.
    pub(crate) async fn count(&self, sql: &'static str) -> anyhow::Result<u64> {
        let mut tx = self.db.read().await?;
        let (count,): (i64,) = fetch!(tx, fetch_one, sql)?;
        Ok(u64::try_from(count)?)
    }

    /// Sends a signed request; the answer must be a success.
    pub(crate) async fn send(&self, post: &Post) -> anyhow::Result<()> {
        let mut request = self.http.post(format!("{}{}", self.url, post.path));
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        let answer = request
            .header("content-type", "application/json")
            .body(post.body.clone())
            .send()
            .await?;
        let status = answer.status();
        ensure!(status.is_success(), "{status}: {}", answer.text().await?);
        Ok(())
    }

    async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.organizer);
        let answer = request.json(body).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "{path}: {status} {}", answer.text().await?);
        Ok(answer.json().await?)
    }
}

impl Signer {
    /// A signed request.
    pub(crate) fn post(&self, path: &str, body: String) -> Post {
        let signature = sign_request(&self.key, &self.id, "POST", path, body.as_bytes());
        let headers = vec![(KIOSK_HEADER, self.id.clone()), (SIGNATURE_HEADER, signature)];
        Post { path: path.to_owned(), body, headers }
    }
}

/// Resident memory of a process, MiB.
pub(crate) fn resident_mib(process: &Child) -> anyhow::Result<f64> {
    let id = process.id().context("it runs")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(resident.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

/// A program of this workspace, built for release beside this one.
pub(crate) fn program(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("target folder")?;
    let program = folder.join(name);
    ensure!(program.exists(), "{} is missing: make bench builds it", program.display());
    Ok(program)
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Asks until the program answers well.
pub(crate) async fn await_ready(http: &reqwest::Client, url: &str) -> anyhow::Result<()> {
    let patience = Instant::now() + Duration::from_secs(60);
    while !http.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
        ensure!(Instant::now() < patience, "{url} does not become ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().with_context(|| format!("a text, not {value}"))?.to_owned())
}
