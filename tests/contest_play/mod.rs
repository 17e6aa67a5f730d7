//! Playing a contest through HTTP: calls, umpires' phones, results, groups that fill a knock-out, corrections.

mod day;
mod desk;
mod late;
mod phone;
mod walk;
mod whole;
mod world;
