//! A real Chromium, driven through chromedriver.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
    elements::Element,
    error::CmdError,
    key::Key,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::programs;

const PATIENCE: Duration = Duration::from_secs(60);

/// A browser window with a profile of its own.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: String,
    _driver: Child,
    profile: TempDir,
}

impl Browser {
    /// A phone: 390×844.
    pub(crate) async fn phone() -> Self {
        Self::open(390, 844, 2.0, true, &[]).await
    }

    /// A tablet: 820×1180.
    pub(crate) async fn tablet() -> Self {
        Self::open(820, 1180, 1.0, true, &[]).await
    }

    /// Makes the page so many pixels wide and high, whatever the window is.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// A laptop: 1280×800.
    pub(crate) async fn laptop() -> Self {
        // The window's own frame takes 143 of these.
        Self::open(1280, 943, 1.0, false, &[]).await
    }

    /// A laptop whose camera sees `video` (.y4m), again and again, and whose user allows it.
    pub(crate) async fn with_camera(video: &Path) -> Self {
        let fed = format!("--use-file-for-fake-video-capture={}", video.display());
        let more = [&fed, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
        Self::open(1280, 943, 1.0, false, &more).await
    }

    async fn open(width: u32, height: u32, scale: f64, mobile: bool, more: &[&str]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|probe| probe.local_addr())
            .expect("a port")
            .port();
        let profile = TempDir::new().expect("temporary folder");
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts: apt-get install chromium-driver");
        let mut options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            "--hide-scrollbars", "--lang=zh-CN", format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
        ], "prefs": { "intl.accept_languages": "zh-CN,zh" } });
        let arguments = options["args"].as_array_mut().expect("a list");
        arguments.extend(more.iter().map(|&argument| json!(argument)));
        if mobile {
            options["mobileEmulation"] = json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": scale, "touch": true } });
        }
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        let address = format!("http://127.0.0.1:{port}");
        let connecting = async {
            loop {
                if let Ok(client) = ClientBuilder::new(HttpConnector::new())
                    .capabilities(capabilities.clone())
                    .connect(&address)
                    .await
                {
                    return client;
                }
                tokio::task::yield_now().await;
            }
        };
        let client = timeout(PATIENCE, connecting).await.expect("chromium starts");
        Self { client, driver: address, _driver: driver, profile }
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    /// Types into the field that `css` finds.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        self.on(css, async |field| {
            field.clear().await?;
            field.send_keys(text).await
        })
        .await;
    }

    /// Chooses a file in the field that `css` finds, which need not be seen.
    pub(crate) async fn choose(&self, css: &str, file: &Path) {
        let field = self.client.find(Locator::Css(css)).await.expect(css);
        field.send_keys(&file.display().to_string()).await.expect("choose");
    }

    /// Types like a scanner: characters and Enter, into whatever has the focus.
    pub(crate) async fn types(&self, text: &str) {
        let body = self.client.find(Locator::Css("body")).await.expect("a body");
        body.send_keys(&format!("{text}\n")).await.expect("type");
    }

    /// Types a text and Enter, each key when the page is done with the one before: faster than a scanner, but none waits for others.
    pub(crate) async fn types_key_by_key(&self, text: &str) {
        let keys = text.chars().chain([char::from(Key::Enter)]);
        let typed = keys.fold(KeyActions::new("scanner".to_owned()), |typed, value| {
            typed.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(typed).await.expect("type");
    }

    /// Clicks what `css` finds.
    pub(crate) async fn click(&self, css: &str) {
        self.on(css, async |thing| {
            let element = serde_json::to_value(&thing).expect("element");
            let scroll = "arguments[0].scrollIntoView({block: 'center'})";
            self.client.execute(scroll, vec![element]).await?;
            thing.click().await
        })
        .await;
    }

    /// Does something with what `css` finds; once more if the page has put another in its place meanwhile.
    async fn on(&self, css: &str, act: impl AsyncFn(Element) -> Result<(), CmdError>) {
        loop {
            let thing = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
            match act(thing.expect(css)).await {
                Err(error) if was_replaced(&error) => {}
                done => return done.expect(css),
            }
        }
    }

    /// Waits until `css` finds something that shows `text`.
    pub(crate) async fn sees(&self, css: &str, text: &str) {
        let looking = async {
            loop {
                let found = self
                    .client
                    .execute(
                        "const e = document.querySelector(arguments[0]); return e ? e.innerText : null",
                        vec![json!(css)],
                    )
                    .await
                    .expect("script runs");
                if found.as_str().is_some_and(|found| found.contains(text)) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        if timeout(PATIENCE, looking).await.is_err() {
            let source = self.client.source().await.unwrap_or_default();
            panic!(
                "{css} never shows {text:?} at {:?}:\n{source}",
                self.client.current_url().await
            );
        }
    }

    /// Waits until the expression is true in the page.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let looking = async {
            while self.script(&script).await != json!(true) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, looking).await.expect(expression);
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("script runs")
    }

    /// Runs a command of the DevTools protocol, through chromedriver.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) {
        let session = self.client.session_id().await.expect("chromedriver").expect("a session");
        let path = format!("{}/session/{session}/goog/cdp/execute", self.driver);
        let body = json!({ "cmd": command, "params": parameters });
        let answer = programs::client().post(path).json(&body).send().await.expect("chromedriver");
        assert!(answer.status().is_success(), "{command}: {}", answer.text().await.expect("why"));
    }

    /// A picture of what is to be seen once nothing moves any more; where it is kept.
    pub(crate) async fn picture(&self, name: &str, folder: &Path) -> PathBuf {
        let still = "for (const moving of document.getAnimations())
            if (Number.isFinite(moving.effect.getComputedTiming().endTime)) moving.finish()";
        self.script(still).await;
        let png = self.client.screenshot().await.expect("screenshot");
        let file = folder.join(format!("{name}.png"));
        std::fs::write(&file, &png).expect("write");
        if let Some(keep) = std::env::var_os("TURNOUT_PICTURES") {
            let keep =
                Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("workspace").join(keep);
            std::fs::create_dir_all(&keep).expect("folder");
            std::fs::write(keep.join(format!("{name}.png")), &png).expect("write");
        }
        file
    }

    pub(crate) async fn close(self) {
        self.client.clone().close().await.expect("the browser closes");
    }
}

/// Whether a thing is no longer in the page. Chromedriver has an error of its own for that, and sometimes (156) hands on Chromium's.
fn was_replaced(error: &CmdError) -> bool {
    error.is_stale_element_reference()
        || matches!(error, CmdError::Standard(told) if told.message.contains("does not belong to the document"))
}

impl Drop for Browser {
    /// Ends a Chromium that was not closed: after a test that failed it would go on, and take the processor from the others.
    fn drop(&mut self) {
        let profile = self.profile.path().as_os_str().as_encoded_bytes();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let is_its_own =
                |line: Vec<u8>| line.windows(profile.len()).any(|part| part == profile);
            if fs::read(process.path().join("cmdline")).is_ok_and(is_its_own) {
                // It may have ended by now.
                drop(
                    std::process::Command::new("kill").arg("-9").arg(process.file_name()).output(),
                );
            }
        }
    }
}
