//! What a kiosk's screen is told, as it happens: the same stream that its page listens to.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::programs::client;

/// Nothing here takes longer on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A screen without a browser.
pub(crate) struct Screen {
    events: mpsc::UnboundedReceiver<(String, Value)>,
    devices: Value,
    reading: JoinHandle<()>,
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Screen {
    /// Listens to the page at `page`.
    pub(crate) async fn open(page: &str) -> Self {
        let answer = client().get(format!("{page}/live")).send().await.expect("the page answers");
        let (sender, events) = mpsc::unbounded_channel();
        let reading = tokio::spawn(async move {
            let (mut stream, mut rest, mut name) =
                (answer.bytes_stream(), Vec::new(), String::new());
            while let Some(Ok(bytes)) = stream.next().await {
                rest.extend_from_slice(&bytes);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let line = String::from_utf8(line).expect("text");
                    if let Some(event) = line.strip_prefix("event:") {
                        event.trim().clone_into(&mut name);
                    } else if let Some(data) = line.strip_prefix("data:") {
                        let data = serde_json::from_str(data).expect("JSON");
                        if sender.send((name.clone(), data)).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Self { events, devices: Value::Null, reading }
    }

    /// What is shown next.
    pub(crate) async fn shows(&mut self) -> Value {
        self.next("verdict", |_| true).await
    }

    /// Waits until the device whose name begins like this is so.
    pub(crate) async fn device(&mut self, name: &str, condition: &str) {
        let is = |devices: &Value| {
            devices.as_array().is_some_and(|devices| {
                devices.iter().any(|device| {
                    device["name"].as_str().is_some_and(|found| found.starts_with(name))
                        && device["condition"] == condition
                })
            })
        };
        if !is(&self.devices) {
            self.next("devices", is).await;
        }
    }

    async fn next(&mut self, name: &str, is: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let (event, data) = self.events.recv().await.expect("the kiosk runs");
                if event == "devices" {
                    self.devices = data.clone();
                }
                if event == name && is(&data) {
                    return data;
                }
            }
        };
        let found = timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("no such {name}; devices are {}", self.devices))
    }
}
