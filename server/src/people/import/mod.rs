//! Import of organisations and members from the files that unions send.
//!
//! In reading order: [`sheet`] (bytes to rows of cells), [`headings`] (which column is which), [`check`] (one form for
//! each value, and whether it is right), [`rows`] (typed rows), [`fault`] (what can be wrong), [`verdict`] (what becomes
//! of each row). All of these are pure; [`batch`] applies them to the database. Card and ID numbers are keyed
//! fingerprints before the next row is read and are wiped from our own buffers; what calamine and the allocator hold
//! meanwhile is memory only, never a file.

pub mod batch;
pub mod check;
pub mod cli;
pub mod fault;
pub mod headings;
#[cfg(test)]
mod judge_tests;
pub mod listing;
mod members;
mod organisations;
pub(crate) mod pages;
mod previews;
pub mod rows;
pub mod sheet;
mod siblings;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub mod verdict;
mod view;

use admission::Millis;
use jiff::civil::Date;

/// The day it is where the federation is.
fn today(now: Millis) -> Date {
    admission::say::zoned(now, &crate::web::frame::zone("Asia/Shanghai")).date()
}
