//! `turnout-kiosk decode`, as people run it: pictures in, a line for each code out.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{data, people::bin};

fn decode(pictures: &[PathBuf]) -> Output {
    Command::new(bin("turnout-kiosk")).arg("decode").args(pictures).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn pictures_give_a_line_for_each_code() {
    let names = ["dark", "blurred", "tilted", "curved", "inverted", "cracked", "photo-newspaper"];
    let pictures = names.map(|name| data(&format!("qr/{name}.jpg")));
    let texts = names.map(|name| data(&format!("qr/{name}.txt")));
    let texts = texts.map(|file| std::fs::read_to_string(file).expect("its text"));
    let done = decode(&pictures);
    assert_eq!(text(&done.stdout), texts.concat());
    assert!(done.status.success() && done.stderr.is_empty(), "{}", text(&done.stderr));
}

#[test]
fn what_is_no_picture_or_a_bomb_is_told_and_does_not_stop_the_next() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let written = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("written");
        file
    };
    let other = written("names.csv", "姓名,电话\n".as_bytes());
    let missing = folder.path().join("missing.png");
    let good = data("qr/tilted.jpg");
    let done =
        decode(&[data("qr/bomb.png"), other, missing, Path::new("/dev/zero").to_owned(), good]);
    assert_eq!(done.status.code(), Some(1));
    let ticket = std::fs::read_to_string(data("qr/tilted.txt")).expect("its text");
    assert_eq!(text(&done.stdout), ticket);
    let errors = text(&done.stderr);
    for told in [
        "bomb.png: is too large",
        "names.csv: is not a whole",
        "missing.png: cannot be read",
        "/dev/zero: is too large",
        "4 of 5 pictures gave no code",
    ] {
        assert!(errors.contains(told), "{told}: {errors}");
    }
}
