//! Every colour that carries words can be read: 4.5:1 on each ground it stands on, in light and in dark.

use std::{collections::BTreeMap, fs, path::Path};

/// The custom properties that are colours, of the light and of the dark theme.
fn themes() -> [BTreeMap<String, [f64; 3]>; 2] {
    let sheet = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/assets/turnout.css");
    let sheet = fs::read_to_string(sheet).expect("the stylesheet");
    let mut blocks = sheet
        .split(":root {")
        .skip(1)
        .map(|rest| colours(rest.split('}').next().unwrap_or_default()));
    [blocks.next().expect("light"), blocks.next().expect("dark")]
}

fn colours(block: &str) -> BTreeMap<String, [f64; 3]> {
    let mut found = BTreeMap::new();
    for declaration in block.split(';') {
        let Some((name, value)) = declaration.split_once(": #") else { continue };
        let channel =
            |at| u8::from_str_radix(&value[at..at + 2], 16).map(f64::from).expect("#rrggbb");
        found.insert(name.trim().trim_start_matches('-').to_owned(), [0, 2, 4].map(channel));
    }
    found
}

/// Relative luminance, WCAG 2.
fn luminance(colour: [f64; 3]) -> f64 {
    let [r, g, b] = colour.map(|channel| {
        let c = channel / 255.0;
        if c <= 0.039_28 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn words_can_be_read_in_light_and_in_dark() {
    const GROUNDS: [&str; 6] = ["paper", "surface", "sunk", "ok-bg", "warn-bg", "info-bg"];
    for theme in themes() {
        let mut pairs: Vec<(&str, &str, f64)> = Vec::new();
        for ground in GROUNDS {
            pairs.extend([("ink", ground, 4.5), ("soft", ground, 4.5)]);
        }
        for (kind, own) in [("ok", "ok-bg"), ("warn", "warn-bg"), ("info", "info-bg")] {
            pairs.extend([own, "paper", "surface", "sunk"].map(|ground| (kind, ground, 4.5)));
        }
        pairs.extend([
            ("on-red", "red", 4.5),
            ("on-red", "red-deep", 4.5),
            ("edge", "paper", 3.0),
            ("edge", "surface", 3.0),
        ]);
        for (colour, ground, least) in pairs {
            let found = contrast(theme[colour], theme[ground]);
            assert!(found >= least, "{colour} on {ground}: {found:.2}, wanted {least}");
        }
    }
}
