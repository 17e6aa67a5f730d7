//! What is fuzzed (`fuzz/`), a bounded part of it in every run: each input that was ever worth keeping, and seeded changes of
//! those. `TURNOUT_SEED` gives a run again; the targets themselves look for new inputs, see fuzz/README.md.

use std::{fs, path::Path};

use crate::support::random::Random;

#[path = "../fuzz/checks/entry.rs"]
mod entry;
#[path = "../fuzz/checks/frame.rs"]
mod frame;
#[path = "../fuzz/checks/picture.rs"]
mod picture;
#[path = "../fuzz/checks/stream.rs"]
mod stream;
#[path = "../fuzz/checks/text.rs"]
mod text;
#[path = "../fuzz/checks/tlv.rs"]
mod tlv;

/// The corpus is for reading in a moment, not an archive.
const CORPUS_MAX_BYTES: u64 = 200_000;

/// Every input of a target's corpus, then `changed` of them.
fn bounded(target: &str, changed: usize, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("a corpus")
        .map(|file| file.expect("readable").path())
        .collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("readable")).collect();
    assert!(!corpus.is_empty(), "{target} has no corpus");
    corpus.iter().for_each(|input| check(input));
    let mut random = Random::seeded();
    for _ in 0..changed {
        let (one, other) =
            (&corpus[random.index(corpus.len())], &corpus[random.index(corpus.len())]);
        check(&changed_by(&mut random, one, other));
    }
}

/// An input somewhat like `one`, or like its beginning and the end of `other`.
fn changed_by(random: &mut Random, one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut input = one.to_vec();
    if random.below(4) == 0 {
        input.truncate(random.index(one.len() + 1));
        input.extend(&other[random.index(other.len() + 1)..]);
    }
    for _ in 0..=random.below(4) {
        let at = random.index(input.len() + 1);
        let byte = u8::try_from(random.below(256)).expect("a byte");
        match (random.below(4), input.get_mut(at)) {
            (0, Some(there)) => *there = byte,
            (1, Some(there)) => *there ^= 1 << (byte % 8),
            (2, Some(_)) => drop(input.remove(at)),
            _ => input.insert(at, byte),
        }
    }
    input
}

#[test]
fn what_a_scanner_sends_is_read_or_refused() {
    bounded("text", 3_000, text::check);
}

#[test]
fn what_a_chip_says_is_read_or_refused() {
    bounded("tlv", 20_000, tlv::check);
}

#[test]
fn what_the_other_side_sends_is_read_or_refused() {
    bounded("entry", 3_000, entry::check);
}

#[test]
fn frames_between_kiosks_are_read_however_the_network_cuts_them() {
    bounded("stream", 20_000, stream::check);
}

#[test]
fn a_frame_is_read_in_bounded_time() {
    bounded("frame", 200, frame::check);
}

#[test]
fn the_bytes_of_a_picture_are_read_or_refused() {
    bounded("picture", 300, picture::check);
}

#[test]
fn the_corpus_stays_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let bytes: u64 = fs::read_dir(folder)
        .expect("a corpus")
        .flat_map(|target| fs::read_dir(target.expect("readable").path()).expect("a folder"))
        .map(|input| input.expect("readable").metadata().expect("a size").len())
        .sum();
    assert!(
        bytes < CORPUS_MAX_BYTES,
        "{bytes} bytes: cargo fuzz cmin, and leave out what is large"
    );
}
