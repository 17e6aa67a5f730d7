//! What tests stand on: a server of their own on either engine, a clock they move, people who act in it.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod form;
pub(crate) mod kiosk;
pub(crate) mod network;
mod outage;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod programs;
pub(crate) mod random;
pub(crate) mod scenes;
pub(crate) mod screen;
pub(crate) mod stopwatch;

pub(crate) use app::{Engine, TestApp};
pub(crate) use people::data;

/// Durability is tested elsewhere; in most tests the disk would only cost time, and room.
pub(crate) const NO_SYNC: &[&str] = &["fsync=off", "full_page_writes=off", "max_wal_size=192MB"];

/// Makes one test per engine of each `async fn name(app: TestApp)`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => {
        $(
            $(#[$meta])*
            async fn $name($app: crate::support::TestApp) $body

            mod $name {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    super::$name(crate::support::TestApp::new(crate::support::Engine::Sqlite).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    super::$name(crate::support::TestApp::new(crate::support::Engine::Postgres).await).await;
                }
            }
        )+
    };
}
pub(crate) use on_both;
