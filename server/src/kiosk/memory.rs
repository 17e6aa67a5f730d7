//! Kiosks in memory: whose key signs a request is looked up once in a second, not for each of them.
//!
//! A kiosk that is revoked or quarantined here is looked up anew at once; where another server process did it, after
//! [`KEPT`] at the latest.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use admission::sync::RequestKey;
use tokio::time::Instant;

use super::{Kiosk, queries};
use crate::{db::Db, error::Result};

/// How long a kiosk is believed to be as it was.
const KEPT: Duration = Duration::from_secs(1);
/// How many are remembered at most.
const KIOSKS: usize = 1_000;

/// A kiosk, and the key that signs its requests, if it has one.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) kiosk: Kiosk,
    pub(super) key: Option<RequestKey>,
}

/// The memory. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    kiosks: HashMap<String, (Arc<Signer>, Instant)>,
    /// Counts what was forgotten: what was read before is not kept after it.
    forgotten: u64,
}

impl Known {
    /// The kiosk of that id.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when there is none.
    pub(super) async fn kiosk(&self, db: &Db, id: &str) -> Result<Arc<Signer>> {
        if let Some((signer, until)) = self.lock().kiosks.get(id)
            && Instant::now() < *until
        {
            return Ok(Arc::clone(signer));
        }
        let (until, mark) = (Instant::now() + KEPT, self.lock().forgotten);
        let kiosk = queries::kiosk(&mut db.read().await?, id).await?;
        let key = kiosk.public_key.as_deref().and_then(RequestKey::read);
        let signer = Arc::new(Signer { kiosk, key });
        let mut remembered = self.lock();
        if remembered.forgotten == mark {
            if remembered.kiosks.len() >= KIOSKS {
                remembered.kiosks.clear();
            }
            remembered.kiosks.insert(id.to_owned(), (Arc::clone(&signer), until));
        }
        Ok(signer)
    }

    /// The kiosk of that id has changed.
    pub(super) fn forget(&self, id: &str) {
        let mut remembered = self.lock();
        remembered.forgotten += 1;
        remembered.kiosks.remove(id);
    }

    /// A panic elsewhere leaves nothing half done in it.
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
