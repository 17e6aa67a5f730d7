//! Scanners, as `--scanner` names them.

use std::{
    io::{self, BufRead, Read, Write},
    str::FromStr,
};

use tokio::runtime::Handle;
use zeroize::{Zeroize, Zeroizing};

use crate::{door::Trigger, doorkeeper::Kiosk};

/// Longer than any code or swipe: a scanner that sends no line end.
const LINE_MAX: usize = 4_096;

/// Where scans come from beside the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanner {
    /// Each line of standard input is one scan; each verdict is a line of JSON on standard output.
    Stdin,
}

/// The text names no scanner that this version knows.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this version knows the scanner `stdin`, and scanners that type into the page (no option needed); \
     `{0}` is not supported (本版本不支持该扫描器)"
)]
pub struct UnknownScanner(String);

impl FromStr for Scanner {
    type Err = UnknownScanner;

    fn from_str(spec: &str) -> Result<Self, UnknownScanner> {
        match spec {
            "stdin" => Ok(Self::Stdin),
            other => Err(UnknownScanner(other.to_owned())),
        }
    }
}

/// Reads `input` line by line to its end, on a thread of its own: each line goes to the door, each verdict to
/// `output`, in order. The next line is read when the last verdict is out.
///
/// # Errors
/// When the input cannot be read or the output not be written.
pub fn serve_lines(
    kiosk: &Kiosk,
    runtime: &Handle,
    input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    runtime.block_on(kiosk.started());
    let mut input = io::BufReader::new(input);
    while let Some(text) = read_line(&mut input)? {
        if let Some(shown) = runtime.block_on(kiosk.scan(text, Trigger::Machine)) {
            writeln!(output, "{}", shown.line())?;
            output.flush()?;
        }
    }
    Ok(())
}

/// The next line without its end; of a line that is too long, the beginning. What is not UTF-8 is replaced.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    let mut any = false;
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(any.then(|| text(&line)));
        }
        any = true;
        // A bare carriage return ends a line too: many scanners send nothing else.
        let end = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let piece = &chunk[..end.unwrap_or(chunk.len())];
        let room = LINE_MAX - line.len();
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(Some(text(&line)));
        }
    }
}

fn text(line: &[u8]) -> Zeroizing<String> {
    let mut lossy = String::from_utf8_lossy(line).into_owned();
    let text = Zeroizing::new(lossy.clone());
    lossy.zeroize();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_any_line_end_and_the_last_needs_none() {
        let mut input = io::Cursor::new("a\r\nb\rc\n\u{4e2d}\nlast");
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input).expect("memory") {
            lines.push(line.to_string());
        }
        assert_eq!(lines, ["a", "", "b", "c", "中", "last"]);
    }

    #[test]
    fn an_endless_line_is_cut_and_bytes_that_are_no_text_are_replaced() {
        let mut input = io::Cursor::new([vec![b'x'; 10_000], vec![b'\n', 0xFF, b'\n']].concat());
        assert_eq!(read_line(&mut input).expect("memory").map(|line| line.len()), Some(LINE_MAX));
        let line = read_line(&mut input).expect("memory").expect("a line");
        assert_eq!(line.as_str(), "\u{FFFD}");
    }

    #[test]
    fn an_unknown_scanner_is_named_in_the_error() {
        assert_eq!("stdin".parse(), Ok(Scanner::Stdin));
        let error = "serial:/dev/ttyACM0".parse::<Scanner>().expect_err("not supported");
        assert!(error.to_string().contains("serial:/dev/ttyACM0"));
    }
}
