//! How long it takes from a scan to the verdict that is painted, measured in the kiosk's own page.

use std::{io::Write as _, path::Path};

use serde_json::Value;

use super::{browser::Browser, scenes::Scene};

/// Begins with the last key that a scanner types, as the browser stamps it, or with a frame of the camera that is sent; ends when the frame of the screen after the page's new verdict has been painted. Or, for comparison, after the answer
/// to a request that asked for nothing: everything but the decision and its showing.
const IN_PAGE: &str = "
    const watch = window.stopwatch = { began: 0, times: [], blank: false, waiting: [] };
    // A message is taken up after the painting that a frame ends with.
    watch.painted = () => new Promise((done) => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done(performance.now());
        channel.port2.postMessage(0);
    }));
    addEventListener('keydown', (event) => { watch.began = event.timeStamp; }, true);
    const real = window.fetch;
    const stop = async () => {
        const began = watch.began;
        if (!began) return;
        watch.began = 0;
        watch.times.push(await watch.painted() - began);
        watch.waiting.splice(0).forEach((wake) => wake());
    };
    // Whoever asked again and again would be measured too.
    watch.until = async (times) => {
        while (watch.times.length < times) await new Promise((wake) => watch.waiting.push(wake));
        return watch.times;
    };
    window.fetch = async (path, asked) => {
        if (String(path).startsWith('/frame')) watch.began = performance.now();
        if (!watch.blank || path !== '/scan') return real(path, asked);
        const answer = await real(path, { ...asked, body: ' ' });
        stop();
        return answer;
    };
    // The page marks each new verdict, so that its animation begins anew.
    new MutationObserver(stop).observe(document.body, { attributeFilter: ['class'] });";

/// A stopwatch in a kiosk's page.
pub(crate) struct Stopwatch<'a>(&'a Browser);

impl<'a> Stopwatch<'a> {
    /// Waits for the page, and puts a stopwatch into it.
    pub(crate) async fn at(browser: &'a Browser, page: &str) -> Self {
        browser.go(page).await;
        browser.sees("#prompt", "请出示").await;
        browser.script(IN_PAGE).await;
        Self(browser)
    }

    /// Types a code as a scanner does; milliseconds until its verdict was painted.
    pub(crate) async fn typed(&self, code: &str) -> f64 {
        let before = self.times(0).await.len();
        self.0.types_key_by_key(code).await;
        self.times(before + 1).await[before]
    }

    /// The same, but nothing is asked; milliseconds until the answer to that could have been painted.
    pub(crate) async fn blank(&self, code: &str) -> f64 {
        self.0.script("stopwatch.blank = true").await;
        let time = self.typed(code).await;
        self.0.script("stopwatch.blank = false").await;
        time
    }

    /// Switches the camera on and waits for so many verdicts; milliseconds from the frame to each.
    pub(crate) async fn filmed(&self, verdicts: usize) -> Vec<f64> {
        // As a page kept it that had a switch for it.
        self.0
            .script("localStorage.setItem('camera', 'on'); dispatchEvent(new Event('set'))")
            .await;
        self.times(verdicts).await
    }

    /// All times, once there are so many.
    async fn times(&self, at_least: usize) -> Vec<f64> {
        let times = self.0.script(&format!("return stopwatch.until({at_least})")).await;
        times.as_array().expect("a list").iter().filter_map(Value::as_f64).collect()
    }
}

/// Writes what a camera sees when one ticket after the other is held before it, a second each, as YUV4MPEG2 without colour.
pub(crate) fn film(file: &Path, codes: &[String], (width, height): (usize, usize)) {
    let mut film = std::fs::File::create(file).expect("a file");
    let head = format!("YUV4MPEG2 W{width} H{height} F4:1 Ip A1:1 C420jpeg\n");
    film.write_all(head.as_bytes()).expect("written");
    for code in codes {
        let mut frame = Scene { width, height, module: 5.0, ..Scene::of(code) }.pixels();
        frame.resize(width * height * 3 / 2, 128);
        for _ in 0..4 {
            film.write_all(b"FRAME\n").and_then(|()| film.write_all(&frame)).expect("written");
        }
    }
}
