//! Turnout's tests: real processes, real databases, a real browser. One program, so that it links once.

mod support;

mod access;
mod booking;
mod checkin;
mod login;
mod ticket;
mod tidy;
