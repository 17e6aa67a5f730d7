//! What tests stand on: a server of their own on either engine, a clock they move, people who act in it.

pub(crate) mod app;
pub(crate) mod kiosk;
pub(crate) mod people;
pub(crate) mod postgres;

pub(crate) use app::{Engine, TestApp};
pub(crate) use kiosk::TestKiosk;
pub(crate) use people::{Member, bin, data};

/// Makes one test per engine of each `async fn name(app: TestApp)`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn body($app: crate::support::TestApp) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    body(crate::support::TestApp::new(crate::support::Engine::Sqlite).await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    body(crate::support::TestApp::new(crate::support::Engine::Postgres).await).await;
                }
            }
        )+
    };
}
pub(crate) use on_both;
