//! Reading QR codes, on one core: frames of a camera with a ticket and without, and the pictures in tests/data/qr.

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use qr::Luma;

use crate::{
    report::{Report, Row},
    scenes::Scene,
};

const CODE: &str = "T1AEAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IAEBAGBAFAYDQQCIKBMGA2DQ7CAISCNBKGEY\
                    TSNZUHE4TOMZSGIYTEMRTGQYTSMRSGEYTSMZUGIYTSNBRGEYTSNZUHE";
const FRAMES: usize = 24;
const ROUNDS: usize = 8;
const FRAMES_PER_SECOND: f64 = 30.0;

/// Measures the decoder.
pub(crate) fn measure(root: &Path, report: &mut Report) -> anyhow::Result<()> {
    let held = |turn: usize| {
        let at = turn as f32 / FRAMES as f32 * std::f32::consts::TAU;
        let turned = (30.0 * at.sin(), 25.0 * at.cos(), 40.0 * at.sin());
        Scene { turned, module: 6.0 + 2.0 * at.cos(), ..Scene::of(CODE) }
    };
    let tickets: Vec<_> = (0..FRAMES).map(|turn| luma(&held(turn))).collect();
    let empty: Vec<_> =
        (0..FRAMES).map(|turn| luma(&Scene { aside: (3.0, 3.0), ..held(turn) })).collect();
    let (rate, read) = frames_per_second(&tickets);
    ensure!(read == FRAMES * ROUNDS, "only {read} of {} frames are read", FRAMES * ROUNDS);
    report.add(frames("camera frames of 1280×720 with a ticket, one core", rate));
    let (rate, read) = frames_per_second(&empty);
    ensure!(read == 0, "something is read where nothing is");
    report.add(frames("camera frames of 1280×720 without a code, one core", rate));
    report.add(pictures(&root.join("tests/data/qr"))?);
    Ok(())
}

fn luma(scene: &Scene) -> Luma {
    Luma::new(scene.width, scene.height, scene.pixels()).expect("whole rows")
}

fn frames(what: &str, rate: f64) -> Row {
    Row::rate(what, rate).target(format!("≥ {FRAMES_PER_SECOND}/s"), rate >= FRAMES_PER_SECOND)
}

/// The rate, and how many frames gave the code.
fn frames_per_second(frames: &[Luma]) -> (f64, usize) {
    let (begun, mut read) = (Instant::now(), 0);
    for turn in 0..frames.len() * ROUNDS {
        let until = Instant::now() + Duration::from_millis(25);
        let seen = qr::read_frame(&frames[turn % frames.len()], turn, until);
        read += usize::from(seen.codes.iter().any(|code| code.text.as_str() == CODE));
    }
    ((frames.len() * ROUNDS) as f64 / begun.elapsed().as_secs_f64(), read)
}

fn pictures(folder: &Path) -> anyhow::Result<Row> {
    let (mut took, mut read, mut all) = (Vec::new(), 0, 0);
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_none_or(|ending| ending != "jpg") {
            continue;
        }
        let text = std::fs::read_to_string(file.with_extension("txt"))?;
        let picture = Luma::open(File::open(&file)?)?;
        let begun = Instant::now();
        let codes = qr::read_still(&picture, begun + Duration::from_secs(2));
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        all += 1;
        read += usize::from(codes.iter().any(|code| code.text.as_str() == text.trim_end()));
    }
    took.sort_by(f64::total_cmp);
    let (middle, last) = (took.get(all / 2), took.last());
    let (middle, last) = middle.zip(last).context("no pictures")?;
    Ok(Row::latency(
        &format!("{read} of {all} hard still pictures read (tests/data/qr)"),
        *middle,
        *last,
    )
    .target("all".to_owned(), read == all))
}
