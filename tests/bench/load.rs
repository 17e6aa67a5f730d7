//! Load by wrk: a client that is not ours. Several servers get one wrk each, with a share of the connections.

use std::{fmt::Write as _, fs, path::Path, process::Stdio};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::process::Command;

/// Open connections: members who tap at the same moment.
const CONNECTIONS: u32 = 1_024;

/// One `POST` of JSON.
#[derive(Clone)]
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

/// Plays `posts` against the servers at `urls` for so many seconds, each server its share of them, from the first again
/// when they run out. The latencies are the mean of the medians and the worst p99.
pub(crate) async fn play(
    urls: &[String],
    posts: &[Post],
    seconds: u32,
    folder: &Path,
) -> anyhow::Result<Seen> {
    let share = posts.len().div_ceil(urls.len());
    let connections = CONNECTIONS / u32::try_from(urls.len())?;
    let runs = urls.iter().zip(posts.chunks(share)).enumerate().map(|(n, (url, posts))| {
        let file = folder.join(format!("requests-{n}.txt"));
        async move {
            fs::write(&file, lines(posts))?;
            one(url, &file, seconds, connections).await
        }
    });
    let seen = try_join_all(runs).await?;
    let all = |of: fn(&Seen) -> f64| seen.iter().map(of).collect::<Vec<_>>();
    Ok(Seen {
        answers: seen.iter().map(|seen| seen.answers).sum(),
        refused: seen.iter().map(|seen| seen.refused).sum(),
        seconds: all(|seen| seen.seconds).into_iter().fold(0.0, f64::max),
        p50_ms: all(|seen| seen.p50_ms).into_iter().sum::<f64>() / seen.len() as f64,
        p99_ms: all(|seen| seen.p99_ms).into_iter().fold(0.0, f64::max),
    })
}

async fn one(url: &str, file: &Path, seconds: u32, connections: u32) -> anyhow::Result<Seen> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/wrk.lua");
    let run = Command::new("wrk")
        .args(["--threads", "1", "--timeout", "20s"])
        .args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(script)
        .arg(url)
        .arg("--")
        .arg(file)
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
