//! Import of organisations and members from the files that unions send.
//!
//! In reading order: [`sheet`] (bytes to rows of cells), [`headings`] (which column is which), [`check`] (one
//! form for each value, and whether it is right), [`rows`] (typed rows), [`fault`] (what can be wrong). All of
//! these are pure. Card and ID numbers are keyed fingerprints before the next row is read and are wiped from
//! our own buffers; what calamine and the allocator hold meanwhile is memory only, never a file.

pub mod check;
pub mod fault;
pub mod headings;
pub mod listing;
pub mod rows;
pub mod sheet;
#[cfg(test)]
mod tests;
mod text;
