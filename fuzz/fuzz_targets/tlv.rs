//! What the chip of a card says: BER-TLV, and lists of what it wants to be told.
#![no_main]

#[path = "../checks/tlv.rs"]
mod tlv;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tlv::check(bytes));
