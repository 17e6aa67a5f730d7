//! ESC/POS: the commands that receipt printers of every make understand.

use super::picture::Picture;

/// Rows that are sent at once: cheap printers have small memories.
const BAND: usize = 128;
/// DLE EOT 2 and 4: why it is offline, and how its paper is. Answered at once, also by a printer without paper.
pub(super) const ASK_OFFLINE: [u8; 3] = [0x10, 0x04, 2];
pub(super) const ASK_PAPER: [u8; 3] = [0x10, 0x04, 4];

/// How a printer says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Well,
    PaperLow,
    PaperOut,
    CoverOpen,
    Broken,
}

/// The bytes that print `picture`, feed it out and cut it off.
pub(super) fn print(picture: &Picture) -> Vec<u8> {
    let across = picture.width / 8;
    // ESC @: whatever was set before is not wanted.
    let mut bytes = vec![0x1B, b'@'];
    for band in picture.rows.chunks(BAND * across) {
        let (rows, columns) = ((band.len() / across) as u16, across as u16);
        // GS v 0: dots, row by row.
        bytes.extend([0x1D, b'v', b'0', 0]);
        bytes.extend(columns.to_le_bytes());
        bytes.extend(rows.to_le_bytes());
        bytes.extend(band);
    }
    // ESC d: out as far as the blade; GS V: cut. Printers without a blade only feed.
    bytes.extend([0x1B, b'd', 3, 0x1D, b'V', b'B', 0]);
    bytes
}

/// Whether `byte` is an answer to a question about status: its fixed bits say so.
pub(super) const fn is_answer(byte: u8) -> bool {
    byte & 0b1001_0011 == 0b0001_0010
}

/// What the answers to [`ASK_OFFLINE`] and [`ASK_PAPER`] mean. A printer that does not answer is thought well.
pub(super) fn health(offline: Option<u8>, paper: Option<u8>) -> Health {
    let (offline, paper) = (offline.unwrap_or(0), paper.unwrap_or(0));
    if paper & 0x60 != 0 || offline & 0x20 != 0 {
        Health::PaperOut
    } else if offline & 0x04 != 0 {
        Health::CoverOpen
    } else if offline & 0x40 != 0 {
        Health::Broken
    } else if paper & 0x0C != 0 {
        Health::PaperLow
    } else {
        Health::Well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_goes_out_in_bands_and_is_cut() {
        let picture = Picture { width: 384, rows: vec![0xAA; 48 * 200] };
        let bytes = print(&picture);
        assert_eq!(bytes[..10], [0x1B, b'@', 0x1D, b'v', b'0', 0, 48, 0, 128, 0]);
        let second = 10 + 48 * 128;
        assert_eq!(bytes[second..second + 8], [0x1D, b'v', b'0', 0, 48, 0, 72, 0]);
        assert_eq!(bytes[bytes.len() - 4..], [0x1D, b'V', b'B', 0]);
        assert_eq!(bytes.len(), 2 + 2 * 8 + 48 * 200 + 7);
    }

    #[test]
    fn status_bytes_are_read_as_the_manual_says() {
        assert!(is_answer(0x12) && is_answer(0x72) && !is_answer(0x00) && !is_answer(0x13));
        assert_eq!(health(Some(0x12), Some(0x12)), Health::Well);
        assert_eq!(health(Some(0x12), Some(0x1E)), Health::PaperLow);
        assert_eq!(health(Some(0x32), Some(0x72)), Health::PaperOut);
        assert_eq!(health(Some(0x16), Some(0x12)), Health::CoverOpen);
        assert_eq!(health(Some(0x52), Some(0x12)), Health::Broken);
        assert_eq!(health(None, None), Health::Well, "not every printer answers");
    }
}
