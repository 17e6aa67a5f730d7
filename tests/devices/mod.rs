//! What is plugged into a kiosk: real lines, a real card service, a real browser's keys, paper that can be looked at.

mod cards;
mod keys;
mod paper;
mod scanners;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    end_to_end::book,
    support::{
        Engine,
        browser::Browser,
        programs::{DemoServer, KioskProgram},
        screen::Screen,
    },
};

/// A server with a demo world, and a kiosk at its fair with these devices.
struct Venue {
    server: DemoServer,
    kiosk: KioskProgram,
    screen: Screen,
    /// The kiosk's folder.
    folder: TempDir,
}

impl Venue {
    async fn open(arguments: &[&str]) -> Self {
        let server = DemoServer::start(Engine::Sqlite).await;
        let folder = TempDir::new().expect("temporary folder");
        let code = server.notes["kiosk_code"].as_str().expect("a code");
        KioskProgram::enroll(&server.url, code, folder.path()).await;
        let kiosk = KioskProgram::run_with(folder.path(), arguments).await;
        let screen = Screen::open(&kiosk.page).await;
        Self { server, kiosk, screen, folder }
    }

    /// The `n`th member of the demo.
    fn member(&self, n: usize) -> &Value {
        &self.server.notes["members"][n]
    }

    /// The ticket code of the `n`th member, who books the fair.
    async fn ticket(&self, n: usize) -> String {
        book(&self.server.url, self.member(n), &self.server.notes["events"][0]).await
    }

    /// A browser at the desk, which the enrolment code and a first PIN open.
    async fn desk(&self, browser: &Browser) {
        browser.go(&format!("{}/desk", self.kiosk.page)).await;
        browser.fill("#code", self.server.notes["kiosk_code"].as_str().expect("a code")).await;
        for digit in "246810".chars() {
            browser.click(&format!("[data-key='{digit}']")).await;
        }
        browser.click("#pin-form .go").await;
        browser.until("document.body.dataset.state === 'open'").await;
    }

    /// The headline that is shown next, in Chinese.
    async fn headline(&mut self) -> String {
        let shown = self.screen.shows().await;
        shown["zh"]["headline"].as_str().expect("a headline").to_owned()
    }
}
