//! How much memory the server takes with the whole federation loaded.

use std::{path::Path, process::Stdio};

use anyhow::Context as _;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::{
    report::{Report, Row},
    world::{program, resident_mib},
};

const AT_MOST_MIB: f64 = 64.0;
const ROUNDS: usize = 50;

/// Makes the demo world and has a look at its pages.
pub(crate) async fn measure(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let mut server = Command::new(program("turnout-server")?)
        .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("demo"))
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(server.stdout.take().context("piped")?).lines();
    let notes: Value =
        serde_json::from_str(&lines.next_line().await?.context("the demo has ended")?)?;
    let url = notes["url"].as_str().context("url")?;
    let event = notes["events"][0]["id"].as_str().context("event")?;
    let token = notes["organizer"]["token"].as_str().context("token")?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    for _ in 0..ROUNDS {
        for path in ["/", &format!("/events/{event}"), "/admin", &format!("/admin/events/{event}")]
        {
            let page = http.get(format!("{url}{path}")).bearer_auth(token).send().await?;
            page.error_for_status()?.bytes().await?;
        }
    }
    report.add(Row::at_most(
        "server's memory, the whole federation loaded",
        resident_mib(&server)?,
        "MiB",
        AT_MOST_MIB,
    ));
    Ok(())
}
