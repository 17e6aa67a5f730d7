//! Signatures of kiosks' requests, looked at together: whatever has come while the server did something else.
//!
//! One request alone is looked at at once. In a rush at many doors some dozens are, for less than half of what they cost
//! one by one, which is a third of what a check-in costs.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use admission::sync::{self, Claim};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// So many are looked at before others run: a millisecond. More of them cost hardly less each.
const TOGETHER: usize = 64;

/// Who looks at signatures. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Signatures(Arc<Mutex<Vec<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    claim: Claim,
    reply: oneshot::Sender<bool>,
}

impl Signatures {
    /// Whether the claim holds.
    ///
    /// # Errors
    /// [`Error::Busy`] when nobody could look.
    pub(super) async fn holds(&self, claim: Claim) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        let is_first = {
            let mut waiting = self.lock();
            waiting.push(Waiting { claim, reply });
            waiting.len() == 1
        };
        if is_first {
            // A task of its own: the client of the first may hang up.
            drop(tokio::spawn(self.clone().look()));
        }
        answer.await.map_err(|_| Error::Busy)
    }

    /// Looks at all that have come once all who are ready had their turn.
    async fn look(self) {
        tokio::task::yield_now().await;
        let mut waiting = mem::take(&mut *self.lock());
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(TOGETHER));
            let (claims, replies): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|Waiting { claim, reply }| (claim, reply)).unzip();
            for (reply, holds) in replies.into_iter().zip(sync::are_signed(&claims)) {
                // The asker may have gone away.
                reply.send(holds).ok();
            }
            waiting = rest;
            tokio::task::yield_now().await;
        }
    }

    /// A panic elsewhere leaves nothing half done in it.
    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use admission::sync::{RequestKey, sign_request};
    use ed25519_dalek::SigningKey;
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    fn claim(n: u8, body: &[u8]) -> Claim {
        let key = SigningKey::from_bytes(&[n % 3 + 1; 32]);
        let signature = sign_request(&key, "k", "POST", "/", &[n]);
        let public = RequestKey::read(key.verifying_key().as_bytes()).expect("a key");
        public.claim(&signature, "k", "POST", "/", body).expect("a signature")
    }

    #[tokio::test]
    async fn each_of_many_at_once_gets_its_own_answer() {
        let signatures = Signatures::default();
        let forged = |n: u8| n.is_multiple_of(50);
        let all = (0..200_u8).map(|n| {
            let claim = if forged(n) { claim(n, b"another") } else { claim(n, &[n]) };
            signatures.holds(claim)
        });
        let held = join_all(all).await;
        for (n, holds) in (0..200_u8).zip(held) {
            assert_eq!(holds.expect("an answer"), !forged(n), "{n}");
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_one_whose_client_hung_up() {
        let signatures = Signatures::default();
        let mut first = Box::pin(signatures.holds(claim(1, &[1])));
        assert!(first.as_mut().now_or_never().is_none());
        let second = signatures.holds(claim(2, &[2]));
        drop(first);
        assert!(second.await.expect("an answer"));
        assert!(signatures.holds(claim(3, &[3])).await.expect("an answer"));
    }
}
