//! Files that were uploaded and await confirmation: in memory only, few, not for long, and each for the session that
//! uploaded it. They hold fingerprints, never a card or ID number.

use std::sync::{Arc, Mutex, MutexGuard};

use admission::Millis;
use admission::time::MINUTE;
use tokio::sync::Semaphore;

use super::batch::Batch;
use super::verdict::Report;

/// How many are kept; the oldest gives way.
const MOST: usize = 8;
/// How long one is kept.
const LASTS_MS: i64 = 30 * MINUTE;
/// How many files are read at once: each takes memory and a core.
const READ_AT_ONCE: usize = 2;

/// The uploads of this server process.
#[derive(Clone, Debug)]
pub(super) struct Previews {
    kept: Arc<Mutex<Vec<Arc<Preview>>>>,
    /// Permits to read a file.
    pub(super) readers: Arc<Semaphore>,
}

/// One upload.
#[derive(Debug)]
pub(super) struct Preview {
    pub(super) id: String,
    /// The fingerprint of the session that uploaded it.
    pub(super) session: Vec<u8>,
    /// The file's name, without long numbers.
    pub(super) file: String,
    pub(super) since: Millis,
    /// Locked while it is carried out, so that a double tap imports once.
    pub(super) stage: tokio::sync::Mutex<Stage>,
}

/// How far an upload is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Read, not yet confirmed.
    Waiting(Batch),
    /// Carried out.
    Done(Report),
}

impl Previews {
    pub(super) fn new() -> Self {
        Self { kept: Arc::default(), readers: Arc::new(Semaphore::new(READ_AT_ONCE)) }
    }

    /// Keeps an upload; another one of the same session gives way to it.
    pub(super) fn keep(&self, preview: Preview, now: Millis) {
        let mut kept = self.fresh(now);
        kept.retain(|other| other.session != preview.session);
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Arc::new(preview));
    }

    /// The upload of this id, when it is this session's and not too old.
    pub(super) fn find(&self, id: &str, session: &[u8], now: Millis) -> Option<Arc<Preview>> {
        self.fresh(now).iter().find(|kept| kept.id == id && kept.session == session).cloned()
    }

    /// Forgets an upload of this session.
    pub(super) fn discard(&self, id: &str, session: &[u8], now: Millis) {
        self.fresh(now).retain(|kept| kept.id != id || kept.session != session);
    }

    fn fresh(&self, now: Millis) -> MutexGuard<'_, Vec<Arc<Preview>>> {
        let mut kept = self.kept.lock().expect("nothing panics while it holds the lock");
        kept.retain(|preview| now.since(preview.since) < LASTS_MS);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(id: &str, session: &str, since: i64) -> Preview {
        let stage = tokio::sync::Mutex::new(Stage::Done(Report::default()));
        let (id, session) = (id.to_owned(), session.as_bytes().to_vec());
        Preview { id, session, file: String::new(), since: Millis(since), stage }
    }

    #[test]
    fn an_upload_is_seen_by_its_own_session_for_half_an_hour() {
        let previews = Previews::new();
        previews.keep(preview("a", "one", 0), Millis(0));
        assert!(previews.find("a", b"one", Millis(LASTS_MS - 1)).is_some());
        assert!(previews.find("a", b"two", Millis(1)).is_none());
        assert!(previews.find("a", b"one", Millis(LASTS_MS)).is_none());
    }

    #[test]
    fn uploads_are_few_and_one_per_session() {
        let previews = Previews::new();
        for n in 0..20 {
            previews.keep(preview(&format!("p{n}"), &format!("s{n}"), 0), Millis(0));
        }
        assert!(previews.find("p11", b"s11", Millis(0)).is_none());
        assert!(previews.find("p12", b"s12", Millis(0)).is_some());
        previews.keep(preview("again", "s12", 0), Millis(0));
        assert!(previews.find("p12", b"s12", Millis(0)).is_none());
        previews.discard("again", b"s13", Millis(0));
        assert!(previews.find("again", b"s12", Millis(0)).is_some());
        previews.discard("again", b"s12", Millis(0));
        assert!(previews.find("again", b"s12", Millis(0)).is_none());
    }
}
