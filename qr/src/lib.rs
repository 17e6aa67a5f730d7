//! Reads QR codes from pictures: cheap passes first, harder ones where they fail and time is left.
//!
//! Which passes and in what order was measured, see docs/decoding.md. A wrong text does no harm here (a ticket's
//! signature refuses it); a decoder that hangs, panics or eats memory does. So every picture is bounded before a decoder
//! sees it, walls of finder patterns are turned away, and a panic ends one attempt, not the program.

mod engine;
mod filter;
mod finder;
mod picture;
#[cfg(test)]
#[path = "../../tests/support/scenes.rs"]
mod scenes;

use std::time::Instant;

use zeroize::Zeroizing;

use self::engine::Engine::{self, Java, PortHarder, PortHistogram, PortHybrid, Quirc};
pub use self::picture::{Luma, Unreadable};

/// The size to which pictures are scaled for the first passes, in pixels: what cameras send.
pub const SCREEN: (usize, usize) = (1280, 720);
/// The size to which still pictures are scaled for a second try: small codes in large photographs.
const LARGE: (usize, usize) = (2560, 1920);
/// Pictures smaller than this in both directions are worth doubling.
const SMALL: (usize, usize) = (640, 480);

/// A code found in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its text; wiped after use, since anything may stand in a code.
    pub text: Zeroizing<String>,
    /// Its area in the picture, in pixels: of two codes the larger is nearer.
    pub area: u32,
}

/// What a frame of the camera showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The codes that could be read, the largest first.
    pub codes: Vec<Code>,
    /// Whether something looks like a code, read or not.
    pub near: bool,
}

/// Reads a frame of the camera: the cheap passes; then, when something looks like a code, the hard ones until `until`,
/// else one of them, so that what the finder overlooks is found within a few frames. `turn` counts the frames.
#[must_use]
pub fn read_frame(frame: &Luma, turn: usize, until: Instant) -> Seen {
    read_frame_beside(frame, turn, until, |_| false)
}

/// The same where some codes are in view for long and are `known`: a poster on the wall, which every frame shows, does not keep
/// a darker code before it from being looked for, by one of the hard passes in each frame.
#[must_use]
pub fn read_frame_beside(
    frame: &Luma,
    turn: usize,
    until: Instant,
    known: impl Fn(&str) -> bool,
) -> Seen {
    let sight = Sight::of(&filter::fit(frame, SCREEN));
    let mut codes = first(CHEAP.iter(), &sight, until, &known);
    let near = !codes.is_empty() || finder::is_near(&sight.flat);
    if codes.iter().all(|code| known(&code.text)) {
        let passes = if near && codes.is_empty() { HARD.len() } else { 1 };
        let passes = HARD.iter().cycle().skip(turn % HARD.len()).take(passes);
        for code in first(passes, &sight, until, &known) {
            keep(&mut codes, code);
        }
    }
    Seen { near: near || !codes.is_empty(), codes: sorted(codes) }
}

/// Reads a still picture with all there is. After `until` no further pass begins.
#[must_use]
pub fn read_still(picture: &Luma, until: Instant) -> Vec<Code> {
    let sight = Sight::of(&filter::fit(picture, SCREEN));
    let mut found = Vec::new();
    // A picture may show several codes, of which each pass finds some.
    for pass in CHEAP {
        for code in pass(&sight) {
            keep(&mut found, code);
        }
    }
    let none_known = |_: &str| false;
    if found.is_empty() {
        found = first(HARD.iter().chain(&LAST), &sight, until, &none_known);
    }
    if found.is_empty() && picture.width() > sight.full.width() && Instant::now() < until {
        let sight = Sight::of(&filter::fit(picture, LARGE));
        found = first(CHEAP.iter().chain(&HARD), &sight, until, &none_known);
    }
    sorted(found)
}

/// A picture, and what many passes take of it.
struct Sight {
    full: Luma,
    /// At half its size.
    half: Luma,
    /// The half in black and white.
    flat: Luma,
}

impl Sight {
    fn of(picture: &Luma) -> Self {
        let half = filter::half(picture);
        let flat = filter::local_threshold(&half, 8);
        Self { full: picture.clone(), half, flat }
    }
}

/// One way to look at a picture.
type Pass = fn(&Sight) -> Vec<Code>;

/// What every frame goes through. Black and white pictures need no more than the simplest threshold.
const CHEAP: [Pass; 3] = [
    |sight| larger(attempt(&sight.half, PortHybrid), 4),
    |sight| attempt(&sight.full, PortHybrid),
    // Shadows, and screens that hardly shine.
    |sight| larger(attempt(&sight.flat, PortHistogram), 4),
];

/// What is too slow for every frame, in the order of what it adds for its time.
const HARD: [Pass; 12] = [
    // Light on dark.
    |sight| larger(attempt(&filter::invert(&sight.half), PortHistogram), 4),
    // Out of focus.
    |sight| larger(attempt(&flat(&filter::sharpen(&sight.half)), PortHistogram), 4),
    // Noise.
    |sight| attempt(&flat(&filter::blur(&sight.full)), PortHistogram),
    // Broken glass.
    |sight| attempt(&flat(&filter::close(&sight.full)), Java),
    |sight| attempt(&sight.full, PortHistogram),
    |sight| attempt(&sight.full, Java),
    // Another way to find corners altogether.
    |sight| attempt(&sight.full, Quirc),
    |sight| attempt(&filter::blur(&sight.full), PortHybrid),
    |sight| attempt(&filter::invert(&sight.full), PortHybrid),
    |sight| larger(attempt(&filter::third(&sight.full), PortHybrid), 9),
    |sight| attempt(&filter::local_threshold(&sight.full, 30), PortHarder),
    |sight| attempt(&filter::sharpen(&filter::blur(&sight.full)), PortHybrid),
];

/// What is for still pictures only.
const LAST: [Pass; 6] = [
    |sight| attempt(&filter::close(&sight.full), Quirc),
    |sight| attempt(&filter::local_threshold(&filter::blur(&sight.full), 8), PortHarder),
    |sight| attempt(&filter::sharpen(&filter::blur(&sight.full)), Java),
    |sight| attempt(&filter::sharpen(&sight.full), PortHarder),
    |sight| doubled(sight, PortHarder),
    |sight| doubled(sight, Java),
];

fn flat(picture: &Luma) -> Luma {
    filter::local_threshold(picture, 12)
}

fn doubled(sight: &Sight, engine: Engine) -> Vec<Code> {
    filter::double(&sight.full, SMALL).map(|doubled| attempt(&doubled, engine)).unwrap_or_default()
}

fn attempt(picture: &Luma, engine: Engine) -> Vec<Code> {
    if finder::is_hostile(picture) { Vec::new() } else { engine::read(picture, engine) }
}

/// What `passes` find until one of them finds something that is not `known`.
fn first<'a>(
    passes: impl Iterator<Item = &'a Pass>,
    sight: &Sight,
    until: Instant,
    known: &impl Fn(&str) -> bool,
) -> Vec<Code> {
    let mut found = Vec::new();
    for pass in passes {
        for code in pass(sight) {
            keep(&mut found, code);
        }
        if found.iter().any(|code| !known(&code.text)) || Instant::now() >= until {
            break;
        }
    }
    found
}

/// Adds a code that was not found before.
fn keep(found: &mut Vec<Code>, code: Code) {
    if !found.iter().any(|other| other.text == code.text) {
        found.push(code);
    }
}

/// `codes` in the pixels of a picture so many times larger.
fn larger(mut codes: Vec<Code>, times: u32) -> Vec<Code> {
    for code in &mut codes {
        code.area = code.area.saturating_mul(times);
    }
    codes
}

fn sorted(mut codes: Vec<Code>) -> Vec<Code> {
    codes.sort_by_key(|code| std::cmp::Reverse(code.area));
    codes
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use proptest::prelude::*;

    use super::{scenes::Scene, *};

    const CODE: &str = "T1AEAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IAEBAGBAFAYDQQCIKBMGA2DQ7CAISCNBK\
                        GEYTSNZUHE4TOMZSGIYTEMRTGQYTSMRSGEYTSMZUGIYTSNBRGEYTSNZUHE";

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn luma(scene: &Scene) -> Luma {
        Luma::new(scene.width, scene.height, scene.pixels()).expect("a picture")
    }

    fn texts(codes: &[Code]) -> Vec<&str> {
        codes.iter().map(|code| code.text.as_str()).collect()
    }

    #[test]
    fn a_frame_of_the_camera_is_read_tilted_dark_blurred_curved_cracked_and_inverted() {
        let good = Scene::of(CODE);
        for (what, scene) in [
            ("good", good.clone()),
            ("far", Scene { module: 3.0, ..good.clone() }),
            ("near", Scene { module: 11.0, ..good.clone() }),
            ("turned", Scene { turned: (35.0, 0.0, 20.0), ..good.clone() }),
            ("tilted", Scene { turned: (10.0, 40.0, 75.0), ..good.clone() }),
            ("upside down", Scene { turned: (15.0, -30.0, 180.0), ..good.clone() }),
            ("dark", Scene { light: (8.0, 40.0), ..good.clone() }),
            ("noisy", Scene { noise: 40.0, ..good.clone() }),
            ("blurred", Scene { blur: 2, ..good.clone() }),
            ("curved", Scene { bulge: 0.7, ..good.clone() }),
            ("cracked", Scene { cracks: 3, ..good.clone() }),
            ("in half shadow", Scene { shadow: true, ..good.clone() }),
            ("inverted", Scene { inverted: true, ..good.clone() }),
        ] {
            let seen = read_frame(&luma(&scene), 0, soon());
            assert_eq!(texts(&seen.codes), [CODE], "{what}");
            assert!(seen.near, "{what}");
        }
    }

    #[test]
    fn an_empty_frame_is_not_near_and_too_broken_a_code_is() {
        let empty = Luma::from_fn(1280, 720, |x, y| (x / 9 + y / 7) as u8);
        assert_eq!(read_frame(&empty, 3, soon()), Seen::default());
        let good = luma(&Scene::of(CODE));
        // A thumb on the middle.
        let thumb = |x: usize, y: usize| x.abs_diff(640) < 100 && y.abs_diff(360) < 100;
        let hidden = Luma::from_fn(1280, 720, |x, y| if thumb(x, y) { 90 } else { good.row(y)[x] });
        let seen = read_frame(&hidden, 0, soon());
        assert_eq!((seen.codes, seen.near), (Vec::new(), true));
    }

    #[test]
    fn the_photographs_are_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/qr");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).expect("tests/data/qr") {
            let path = entry.expect("a file").path();
            if path.extension().is_some_and(|ending| ending == "jpg") {
                let text = std::fs::read_to_string(path.with_extension("txt")).expect("its text");
                let file = std::fs::File::open(&path).expect("a file");
                let picture = Luma::open(file).expect("a picture");
                let codes = read_still(&picture, soon());
                assert_eq!(texts(&codes), [text.trim_end()], "{}", path.display());
                read += 1;
            }
        }
        assert_eq!(read, 12);
    }

    /// Two scenes beside each other in one picture.
    fn beside(left: &Scene, right: &Scene) -> Luma {
        let [left, right] = [left, right].map(|scene| luma(&Scene { width: 640, ..scene.clone() }));
        let either =
            |x: usize, y: usize| if x < 640 { left.row(y)[x] } else { right.row(y)[x - 640] };
        Luma::from_fn(1280, 720, either)
    }

    #[test]
    fn the_larger_of_two_codes_comes_first() {
        let near = Scene { module: 9.0, ..Scene::of("T1NEAR") };
        let far = Scene { module: 4.0, ..Scene::of("T1FAR") };
        let codes = read_still(&beside(&far, &near), soon());
        assert_eq!(texts(&codes), ["T1NEAR", "T1FAR"]);
    }

    #[test]
    fn a_poster_in_view_does_not_hide_a_code_that_is_harder_to_read() {
        let poster = Scene { module: 9.0, ..Scene::of("https://example.org/poster") };
        let dark = Scene { inverted: true, module: 5.0, ..Scene::of(CODE) };
        let both = beside(&poster, &dark);
        let sees = |turn: usize, known: &dyn Fn(&str) -> bool| {
            let seen = read_frame_beside(&both, turn, soon(), known);
            seen.codes.iter().any(|code| code.text.as_str() == CODE)
        };
        let is_poster = |text: &str| text.starts_with("https://");
        assert!((0..HARD.len()).any(|turn| sees(turn, &is_poster)), "within a few frames");
        // New itself, the poster is told at once.
        assert!(!(0..HARD.len()).any(|turn| sees(turn, &|_| false)));
    }

    #[test]
    fn walls_of_finder_patterns_and_noise_are_done_with_soon() {
        let finder = |x: usize, y: usize| {
            let (dx, dy) = ((x % 18 / 2).abs_diff(4), (y % 18 / 2).abs_diff(4));
            if matches!(dx.max(dy), 2 | 4..) { 255 } else { 0 }
        };
        let noise = |x: usize, y: usize| (((x * 7_919 + y * 104_729) * 2_654_435_761) >> 13) as u8;
        let stripes = |x: usize, _| if x % 7 < 3 { 0 } else { 255 };
        let pictures: [&dyn Fn(usize, usize) -> u8; 3] = [&finder, &noise, &stripes];
        for picture in pictures {
            let begun = Instant::now();
            let picture = Luma::from_fn(1280, 720, picture);
            assert_eq!(read_still(&picture, soon()), []);
            assert_eq!(read_frame(&picture, 0, soon()).codes, []);
            // Tens of milliseconds when built for release; this is for hangs.
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_picture_makes_it_panic(width in 0..90_usize, pixels in prop::collection::vec(any::<u8>(), 0..6_000), turn in 0..20_usize) {
            let height = pixels.len().checked_div(width).unwrap_or(0);
            let picture = Luma::new(width, height, pixels[..width * height].to_vec()).expect("whole rows");
            drop(read_frame(&picture, turn, soon()));
            drop(read_still(&picture, soon()));
        }

        #[test]
        fn a_damaged_code_gives_its_text_or_none(
            holes in prop::collection::vec((0..200_usize, 0..200_usize, 1..40_usize, any::<u8>()), 0..12),
        ) {
            let scene = Scene { width: 200, height: 200, module: 6.0, ..Scene::of("T1DAMAGED") };
            let good = luma(&scene);
            let damaged = Luma::from_fn(200, 200, |x, y| {
                let hole = holes.iter().find(|hole| x.abs_diff(hole.0) < hole.2 && y.abs_diff(hole.1) < hole.2);
                hole.map_or(good.row(y)[x], |hole| hole.3)
            });
            for code in read_still(&damaged, soon()) {
                prop_assert_eq!(code.text.as_str(), "T1DAMAGED");
            }
        }

        #[test]
        fn no_file_makes_it_panic(kind in 0..5_usize, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let head: [&[u8]; 5] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"BM"];
            drop(Luma::read(&[head[kind], &bytes].concat()));
        }
    }
}
