//! `turnout-kiosk decode`: the codes in picture files, one line each.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use qr::{Code, Luma, Unreadable};

/// No pass begins later than this after the picture was read.
const PATIENCE: Duration = Duration::from_secs(2);
/// A decoder that still works then hangs, and is left behind.
const PATIENCE_MAX: Duration = Duration::from_secs(20);

/// Prints the text of each code in each of `pictures` to `output`, one a line, and what is wrong with a picture to
/// `errors`. A bad picture does not stop the next.
///
/// Line breaks and other control characters within a code are printed as escapes (`\n`).
///
/// # Errors
/// When nothing can be printed; at the end, when a picture could not be read or showed no code.
pub fn command(
    pictures: &[PathBuf],
    mut output: impl Write,
    mut errors: impl Write,
) -> anyhow::Result<()> {
    let mut without = 0;
    for path in pictures {
        let found = look(path);
        without += usize::from(!found.as_ref().is_ok_and(|found| !found.is_empty()));
        match found {
            Ok(found) if found.is_empty() => {
                writeln!(errors, "{}: no code found (未找到二维码)", path.display())?;
            }
            Ok(found) => {
                for code in found {
                    writeln!(output, "{}", on_one_line(&code.text))?;
                }
            }
            Err(error) => writeln!(errors, "{}: {error}", path.display())?,
        }
        output.flush()?;
    }
    ensure!(without == 0, "{without} of {} pictures gave no code", pictures.len());
    Ok(())
}

/// On a thread of its own, so that a decoder that hangs holds up nothing but itself.
fn look(path: &Path) -> Result<Vec<Code>, Unreadable> {
    let (sender, found) = mpsc::channel();
    let path = path.to_owned();
    let work = move || {
        let picture = File::open(&path).map_err(Unreadable::from).and_then(Luma::open);
        let read = picture.map(|picture| qr::read_still(&picture, Instant::now() + PATIENCE));
        // Nobody listens any more when it took too long.
        drop(sender.send(read));
    };
    thread::Builder::new().name("decode".to_owned()).spawn(work)?;
    found.recv_timeout(PATIENCE_MAX).unwrap_or_else(|_| {
        Err(Unreadable::Picture("no decoder came to an end with it".to_owned()))
    })
}

fn on_one_line(text: &str) -> String {
    text.trim_end_matches(['\r', '\n'])
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use image::Luma;
    use qrcode::QrCode;

    use super::{command, on_one_line};

    #[test]
    fn a_code_is_one_line_whatever_it_holds() {
        assert_eq!(on_one_line("a\r\nb\u{1b}[31m 中\n"), "a\\r\\nb\\u{1b}[31m 中");
    }

    #[test]
    fn a_bad_picture_does_not_stop_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bad, good) = (folder.path().join("bad.png"), folder.path().join("good.png"));
        std::fs::write(&bad, b"\x89PNG\r\n\x1a\nbut not really").expect("written");
        let code = QrCode::new("T1GOOD").expect("short");
        code.render::<Luma<u8>>().build().save(&good).expect("written");
        let missing = folder.path().join("missing.png");
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let done = command(&[bad, missing, good.clone()], &mut output, &mut errors);
        let errors = String::from_utf8(errors).expect("text");
        assert_eq!(output, b"T1GOOD\n", "{errors}");
        assert!(done.is_err_and(|error| error.to_string().starts_with("2 of 3")));
        assert!(command(&[good], Vec::new(), Vec::new()).is_ok());
        assert!(
            errors.contains("bad.png: is not a whole") && errors.contains("missing.png: cannot")
        );
    }
}
