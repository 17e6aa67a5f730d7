//! What the chip of a card says: BER-TLV, and lists of what it wants to be told.

// The file alone: the kiosk's crate brings a database with it, which nobody fuzzes here.
#[path = "../../kiosk/src/devices/card/tlv.rs"]
mod chip;

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    for tag in [0x57, 0x5A, 0x4F, 0x61, 0x94, 0x9F38] {
        let all = chip::all(bytes, tag);
        assert_eq!(all.first().copied(), chip::find(bytes, tag));
        // A value is a part of what was said, and not more of them are found than there are bytes.
        assert!(all.len() <= bytes.len());
        assert!(
            all.iter()
                .all(|value| bytes.as_ptr_range().contains(&value.as_ptr()) || value.is_empty())
        );
    }
    std::hint::black_box(chip::asked_for(bytes));
}
