//! What the browser's camera sees: frames come in one at a time, and each new code goes to the door once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use admission::ticket;
use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use qr::{Code, Luma, Seen};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{Page, view::View};
use crate::door::Trigger;

/// The largest frame: a byte for each pixel.
pub(super) const FRAME_MAX_BYTES: usize = qr::SCREEN.0 * qr::SCREEN.1;
/// No further pass over a frame begins later than this: the next frame comes soon.
const FRAME_TIME: Duration = Duration::from_millis(25);
/// A decoder that takes longer hangs. It is left behind, and frames go on without it.
const HANGS: Duration = Duration::from_secs(5);
/// So many may hang before the camera is given up.
const HANGING_MAX: usize = 3;
/// What frames have not shown for so long has left the view, and may be scanned again. Time without frames does not count: a
/// busy machine that looks once in two seconds would take what is held still for something new.
const LEAVES: Duration = Duration::from_millis(1_500);
/// A code that is there but cannot be read (it moves, it reflects) is taken for the one before, for so long.
const UNREAD_MAX: Duration = Duration::from_secs(10);
/// While one code is held into view, the next one waits for so long, or nobody could read the first verdict.
const VERDICT_READ: Duration = Duration::from_millis(1_500);
/// More codes than anybody holds into view.
const HELD_MAX: usize = 32;

/// The camera's side of the page.
#[derive(Debug)]
pub(super) struct Camera {
    /// One frame at a time.
    permit: Arc<Semaphore>,
    frames: AtomicUsize,
    hanging: AtomicUsize,
    view: Mutex<InView>,
}

impl Camera {
    pub(super) fn new() -> Self {
        Self {
            permit: Arc::new(Semaphore::new(1)),
            frames: AtomicUsize::new(0),
            hanging: AtomicUsize::new(0),
            view: Mutex::default(),
        }
    }

    fn in_view(&self) -> MutexGuard<'_, InView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The frame's size in pixels.
#[derive(Deserialize)]
pub(super) struct Size {
    width: usize,
    height: usize,
}

/// What the page is told of its frame.
#[derive(Serialize)]
struct Told {
    /// Something looks like a code.
    near: bool,
    /// A code was read.
    read: bool,
    /// What is shown, when the code was new.
    shown: Option<View>,
}

/// `POST /frame?width=W&height=H`: a frame of the camera, a grey byte for each pixel, at most 1280 × 720. 400 when the size
/// is another, 429 while the frame before is looked at.
pub(super) async fn frame(
    State(page): State<Page>,
    Query(size): Query<Size>,
    pixels: Bytes,
) -> Response {
    let Some(frame) = Luma::new(size.width, size.height, pixels.into()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let camera = &page.camera;
    let Ok(permit) = camera.permit.clone().try_acquire_owned() else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    let turn = camera.frames.fetch_add(1, Ordering::Relaxed);
    let held = camera.in_view().codes();
    let looking = tokio::task::spawn_blocking(move || {
        let known = |text: &str| held.contains(&hash(text));
        let seen = qr::read_frame_beside(&frame, turn, Instant::now() + FRAME_TIME, known);
        drop(permit);
        seen
    });
    let seen = match tokio::time::timeout(HANGS, looking).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => {
            tracing::error!(%error, "a frame of the camera could not be looked at");
            Seen::default()
        }
        Err(_) => {
            if camera.hanging.fetch_add(1, Ordering::Relaxed) < HANGING_MAX {
                camera.permit.add_permits(1);
            }
            tracing::error!("a decoder hangs on a frame of the camera; it is left behind");
            Seen::default()
        }
    };
    let (near, read) = (seen.near, !seen.codes.is_empty());
    let new = camera.in_view().see(seen, Instant::now());
    let mut shown = None;
    if let Some(text) = new {
        let code = hash(&text);
        let told = page.kiosk.scan(text, Trigger::Camera).await;
        camera.in_view().told(code, told.as_ref().is_some_and(|told| told.glance.is_some()));
        shown = told.map(|told| page.view(&told));
    }
    Json(Told { near, read, shown }).into_response()
}

/// The codes that are held into the camera: each is one scan until it leaves.
#[derive(Debug, Default)]
struct InView {
    held: Vec<Held>,
    scanned: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    code: [u8; 32],
    /// The same with what follows it.
    whole: [u8; 32],
    /// It did not show that its holder is there.
    lacks_proof: bool,
    /// When it was read last.
    read: Instant,
    /// The first frame since which it was neither read nor probably there.
    gone: Option<Instant>,
}

impl InView {
    /// What is held there now.
    fn codes(&self) -> Vec<[u8; 32]> {
        self.held.iter().map(|held| held.code).collect()
    }

    /// What came of a scan.
    fn told(&mut self, code: [u8; 32], lacks_proof: bool) {
        if let Some(held) = self.held.iter_mut().find(|held| held.code == code) {
            held.lacks_proof = lacks_proof;
        }
    }

    /// Takes in what a frame showed; the text that is to be scanned now.
    fn see(&mut self, seen: Seen, now: Instant) -> Option<Zeroizing<String>> {
        let unread = seen.near && seen.codes.is_empty();
        let shown: Vec<_> = seen.codes.iter().map(|code| hash(&code.text)).collect();
        self.held.retain_mut(|held| {
            let unread = unread && now.duration_since(held.read) < UNREAD_MAX;
            if unread || shown.contains(&held.code) {
                held.gone = None;
            } else {
                held.gone = held.gone.or(Some(now));
            }
            held.gone.is_none_or(|since| now.duration_since(since) < LEAVES)
        });
        let (mut new, mut again) = (Vec::new(), None);
        let mut held_on = false;
        for (code, hash) in seen.codes.into_iter().zip(shown) {
            let whole = Sha256::digest(&*code.text).into();
            if let Some(held) = self.held.iter_mut().find(|held| held.code == hash) {
                held.read = now;
                held_on = true;
                // The page itself, after a picture of it; or a phone that was woken, and showed the letters of before.
                if held.lacks_proof && held.whole != whole {
                    held.whole = whole;
                    again = Some(code.text);
                }
            } else {
                new.push((hash, code));
            }
        }
        if again.is_some() {
            self.scanned = Some(now);
            return again;
        }
        // A poster behind a person may show a code as well: tickets first, then the nearest.
        let (hash, code) =
            new.into_iter().max_by_key(|(_, code)| (is_ticket(&code.text), code.area))?;
        let unread_verdict =
            self.scanned.is_some_and(|scanned| now.duration_since(scanned) < VERDICT_READ);
        if held_on && unread_verdict || self.held.len() >= HELD_MAX {
            return None;
        }
        let Code { text, .. } = code;
        let whole = Sha256::digest(&*text).into();
        self.held.push(Held { code: hash, whole, lacks_proof: false, read: now, gone: None });
        self.scanned = Some(now);
        Some(text)
    }
}

fn is_ticket(text: &str) -> bool {
    text.starts_with(ticket::PREFIX)
}

/// Tells codes apart. What follows a ticket's code may change while it is held.
fn hash(text: &str) -> [u8; 32] {
    let end = if is_ticket(text) { ticket::CODE_CHARS } else { text.len() };
    Sha256::digest(text.get(..end).unwrap_or(text)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        view: InView,
        now: Instant,
    }

    impl Rig {
        fn new() -> Self {
            Self { view: InView::default(), now: Instant::now() }
        }

        /// A frame some milliseconds later; what goes to the door.
        fn frame(&mut self, after_ms: u64, codes: &[(&str, u32)], near: bool) -> Option<String> {
            self.now += Duration::from_millis(after_ms);
            let code =
                |&(text, area): &(&str, u32)| Code { text: Zeroizing::new(text.to_owned()), area };
            let seen = Seen { codes: codes.iter().map(code).collect(), near };
            self.view.see(seen, self.now).map(|text| text.to_string())
        }

        fn shows(&mut self, after_ms: u64, text: &str) -> Option<String> {
            self.frame(after_ms, &[(text, 100)], true)
        }
    }

    #[test]
    fn a_code_that_is_held_is_one_scan_and_one_that_comes_again_is_another() {
        let mut rig = Rig::new();
        assert_eq!(rig.shows(0, "T1A").as_deref(), Some("T1A"));
        for _ in 0..1_000 {
            assert_eq!(rig.shows(100, "T1A"), None);
        }
        assert_eq!(rig.frame(100, &[], false), None);
        assert_eq!(rig.frame(1_000, &[], false), None);
        assert_eq!(rig.shows(400, "T1A"), None, "gone for a moment only");
        assert_eq!(rig.frame(100, &[], false), None);
        assert_eq!(rig.frame(1_500, &[], false), None);
        assert_eq!(rig.shows(10, "T1A").as_deref(), Some("T1A"));
    }

    #[test]
    fn a_machine_that_looks_seldom_does_not_take_what_is_held_for_something_new() {
        let mut rig = Rig::new();
        assert_eq!(rig.shows(0, "T1A").as_deref(), Some("T1A"));
        for _ in 0..10 {
            assert_eq!(rig.shows(3_000, "T1A"), None);
            assert_eq!(rig.frame(3_000, &[], false), None, "it moved too fast for once");
        }
        assert_eq!(rig.shows(1_000, "T1A"), None);
    }

    #[test]
    fn a_code_that_cannot_be_read_for_a_while_is_still_the_same() {
        let mut rig = Rig::new();
        assert_eq!(rig.shows(0, "T1A").as_deref(), Some("T1A"));
        for _ in 0..9 {
            assert_eq!(rig.frame(1_000, &[], true), None);
        }
        assert_eq!(rig.shows(500, "T1A"), None);
        // But not for ever: what is there may be a pattern on the wall.
        for _ in 0..13 {
            assert_eq!(rig.frame(1_000, &[], true), None);
        }
        assert_eq!(rig.shows(500, "T1A").as_deref(), Some("T1A"));
    }

    #[test]
    fn the_next_person_is_scanned_at_once_and_a_second_code_in_view_waits_for_the_first_verdict() {
        let mut rig = Rig::new();
        assert_eq!(rig.shows(0, "T1A").as_deref(), Some("T1A"));
        assert_eq!(rig.shows(100, "T1B").as_deref(), Some("T1B"), "another phone");
        let both = [("T1B", 50), ("T1C", 90)];
        assert_eq!(rig.frame(100, &both, true), None, "the verdict on B is fresh");
        assert_eq!(rig.frame(1_400, &both, true).as_deref(), Some("T1C"));
        assert_eq!(rig.frame(1_000, &both, true), None);
    }

    #[test]
    fn tickets_come_before_posters_and_the_nearest_first() {
        let mut rig = Rig::new();
        let seen = [("https://example.org", 900), ("T1FAR", 10), ("T1NEAR", 20)];
        assert_eq!(rig.frame(0, &seen, true).as_deref(), Some("T1NEAR"));
    }

    #[test]
    fn what_follows_a_tickets_code_does_not_make_it_another() {
        let mut rig = Rig::new();
        let code = "T1".repeat(75);
        assert!(rig.shows(0, &format!("{code}AAAA")).is_some());
        assert_eq!(rig.shows(100, &format!("{code}BBBB")), None);
    }

    #[test]
    fn a_phone_that_shows_other_letters_after_those_that_proved_nothing_is_scanned_again() {
        let mut rig = Rig::new();
        let code = "T1".repeat(75);
        let [old, live, later] = ["AAAA", "BBBB", "CCCC"].map(|letters| format!("{code}{letters}"));
        assert!(rig.shows(0, &old).is_some());
        rig.view.told(hash(&old), true);
        for _ in 0..50 {
            assert_eq!(rig.shows(100, &old), None, "a picture is one scan");
        }
        assert_eq!(rig.shows(100, &live).as_deref(), Some(live.as_str()), "at once");
        rig.view.told(hash(&live), false);
        assert_eq!(rig.shows(100, &live), None);
        assert_eq!(rig.shows(100, &later), None, "whoever is in is in");
        assert_eq!(rig.shows(100, &old), None);
    }
}
