//! Turnout's kiosk: scans cards and QR codes at the door and checks people in, with or without a network.
//!
//! In reading order: [`door`] (the decision, a state machine without I/O), [`courier`] (the sync, likewise) and [`mesh`]
//! (what kiosks on one network tell each other);
//! [`shown`] and [`status`] (what the screen tells); [`store`], [`api`] and [`devices`] (the edges);
//! [`desk`] (who holds the tickets, sealed under a PIN) and [`settings`] (what staff set for the screen); [`ready`] and [`drill`] (the evening before); [`doorkeeper`], `steady`, `doubts` and `sync` (the tasks that join core and edges, and their clock); [`run`], [`page`], [`enroll`],
//! [`journal`] and [`supervisor`] (what the program does).

pub mod api;
pub mod courier;
#[cfg(test)]
mod day;
pub mod decode;
pub mod desk;
pub mod devices;
pub mod door;
pub mod doorkeeper;
mod doubts;
pub mod drill;
pub mod enroll;
#[cfg(test)]
mod fake_server;
pub mod identity;
pub mod journal;
pub mod mesh;
pub mod page;
pub mod ready;
pub mod run;
pub mod seal;
pub mod settings;
pub mod shown;
pub mod status;
mod steady;
pub mod store;
pub mod supervisor;
mod sync;
mod tls;
