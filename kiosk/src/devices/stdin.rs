//! Standard input as a scanner: what programs and tests speak to a kiosk by.

use std::io::{self, BufRead, Read, Write};

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::lines::text;
use crate::{door::Trigger, doorkeeper::Kiosk};

/// Longer than any code or swipe: a scanner that sends no line end.
const LINE_MAX: usize = 4_096;

/// Gives standard input a thread of its own, which ends with the program or with the input.
pub(super) fn read(kiosk: Kiosk) -> io::Result<()> {
    let runtime = Handle::current();
    let read = move || match serve_lines(&kiosk, &runtime, io::stdin(), io::stdout()) {
        Ok(()) => tracing::info!("standard input has ended; the page goes on"),
        Err(error) => tracing::error!(%error, "standard input or output failed; the page goes on"),
    };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(read).map(drop)
}

/// Reads `input` line by line to its end, on a thread of its own: each line goes to the door, each verdict to
/// `output`, in order. The next line is read when the last verdict is out.
fn serve_lines(
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
}
