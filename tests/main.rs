//! Turnout's tests: real processes, real databases, a real browser. One program, so that it links once.

mod support;

mod access;
mod allocation;
mod archive;
mod away;
mod ballot;
mod booking;
mod booking_desk;
mod camera;
mod checkin;
mod conflict;
mod contest;
mod contest_play;
mod contrast;
mod decode;
mod devices;
mod end_to_end;
mod fair;
mod import;
mod line;
mod login;
mod many_servers;
mod model;
mod no_show;
mod nonsense;
mod organizer;
mod pages;
mod power_cut;
mod rush;
mod rush_page;
mod station;
mod ticket;
mod tidy;
mod walk_in;
mod watch;
