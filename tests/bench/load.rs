//! Load by wrk: a client that is not ours.

use std::{fmt::Write as _, fs, path::Path, process::Stdio};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

/// Open connections: members who tap at the same moment.
const CONNECTIONS: u32 = 128;

/// One `POST` of JSON.
pub(crate) struct Post {
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What wrk saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) answers: u64,
    /// Answers of 400 and above.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Plays `posts` against `url` for so many seconds, from the first again when they run out.
pub(crate) async fn play(
    url: &str,
    posts: &[Post],
    seconds: u32,
    folder: &Path,
) -> anyhow::Result<Seen> {
    let file = folder.join("requests.txt");
    fs::write(&file, lines(posts))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/wrk.lua");
    let run = Command::new("wrk")
        .args(["--threads", "1", "--timeout", "20s"])
        .args(["--connections", &CONNECTIONS.to_string(), "--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(script)
        .arg(url)
        .arg("--")
        .arg(&file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("wrk does not run: apt-get install wrk")?;
    let printed = String::from_utf8_lossy(&run.stdout);
    let measured = printed
        .lines()
        .find_map(|line| line.strip_prefix("measured "))
        .with_context(|| format!("{printed}{}", String::from_utf8_lossy(&run.stderr)))?;
    let numbers: Vec<u64> = measured.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [answers, micros, refused, broken, p50, p99] = numbers[..] else {
        anyhow::bail!("wrk says: {measured}");
    };
    ensure!(broken == 0, "{broken} requests broke off:\n{printed}");
    Ok(Seen {
        answers,
        refused,
        seconds: micros as f64 / 1e6,
        p50_ms: p50 as f64 / 1e3,
        p99_ms: p99 as f64 / 1e3,
    })
}

fn lines(posts: &[Post]) -> String {
    let mut text = String::new();
    for post in posts {
        text.push_str(&post.path);
        text.push('\t');
        text.push_str(&post.body);
        for (name, value) in &post.headers {
            write!(text, "\t{name}\t{value}").expect("a String takes all");
        }
        text.push('\n');
    }
    text
}
