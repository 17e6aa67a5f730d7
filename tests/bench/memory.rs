//! How much memory the server takes with the whole federation loaded: `turnout-server serve` on the demo's world, after
//! people have used it.

use std::{path::Path, process::Stdio};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    report::{Report, Row},
    world::{await_ready, free_address, program, resident_mib},
};

const AT_MOST_MIB: f64 = 64.0;
const ROUNDS: usize = 50;

/// Makes the demo world, serves it from a new process, and has everybody look at it.
pub(crate) async fn measure(folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let data = folder.join("demo");
    let mut demo = server("demo", &data, "127.0.0.1:0").arg("--json").spawn()?;
    let mut lines = BufReader::new(demo.stdout.take().context("piped")?).lines();
    let notes: Value =
        serde_json::from_str(&lines.next_line().await?.context("the demo has ended")?)?;
    use_it(notes["url"].as_str().context("url")?, &notes, &[]).await?;
    let made = resident_mib(&demo)?;
    demo.kill().await?;

    let listen = free_address()?;
    let url = format!("http://{listen}");
    let server: Child = server("serve", &data, &listen).spawn()?;
    await_ready(&reqwest::Client::builder().no_proxy().build()?, &format!("{url}/readyz")).await?;
    let idle = resident_mib(&server)?;
    let members = notes["members"].as_array().context("members")?;
    use_it(&url, &notes, members).await?;
    report.add(Row::size("server's memory, the whole federation loaded, at rest", idle, "MiB"));
    report.add(Row::at_most(
        "server's memory, the whole federation loaded, after its pages and bookings",
        resident_mib(&server)?,
        "MiB",
        AT_MOST_MIB,
    ));
    report.add(Row::size("memory of the process that made the demo's world", made, "MiB"));
    Ok(())
}

fn server(command: &str, data: &Path, listen: &str) -> Command {
    let mut server = Command::new(program("turnout-server").expect("built beside this program"));
    server
        .args([command, "--listen", listen, "--data"])
        .arg(data)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    server
}

/// The organizer looks at what there is, each of `members` at their own, and they book.
async fn use_it(url: &str, notes: &Value, members: &[Value]) -> anyhow::Result<()> {
    let event = notes["events"][0]["id"].as_str().context("event")?;
    let offer = notes["events"][0]["offers"][0]["id"].as_str().context("offer")?;
    let organizer = notes["organizer"]["token"].as_str().context("token")?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let read = async |path: &str, token: &str| -> anyhow::Result<()> {
        let page = http.get(format!("{url}{path}")).bearer_auth(token).send().await?;
        page.error_for_status()?.bytes().await?;
        Ok(())
    };
    let pages = [
        "/".to_owned(),
        format!("/events/{event}"),
        "/admin".to_owned(),
        format!("/admin/events/{event}"),
        format!("/admin/events/{event}/list"),
        "/admin/report".to_owned(),
        "/admin/officers?q=wang".to_owned(),
    ];
    for _ in 0..ROUNDS {
        try_join_all(pages.iter().map(|path| read(path, organizer))).await?;
    }
    let visits = members.iter().map(async |member| {
        let token = member["token"].as_str().context("token")?;
        read(&format!("/events/{event}"), token).await?;
        let book = http.post(format!("{url}/api/v1/bookings")).bearer_auth(token);
        book.json(&json!({ "offer": offer })).send().await?.error_for_status()?;
        read("/me", token).await
    });
    try_join_all(visits).await?;
    Ok(())
}
