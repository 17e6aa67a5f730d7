//! Chance from a seed: whatever is drawn by lot stands in the order of its keys.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Lots under one seed. The lot of a text is HMAC-SHA256(seed, text): nobody can choose it, anybody can compute it.
#[derive(Clone, Debug)]
pub struct Lots([u8; 32]);

impl Lots {
    /// Lots under `seed`.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// The lot of a text.
    #[must_use]
    pub fn of(&self, text: &str) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// `items` in the order of the lots of what `name` calls them.
    pub fn order<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let mut items: Vec<([u8; 32], T)> =
            items.into_iter().map(|item| (self.of(&name(&item)), item)).collect();
        items.sort_by_key(|(lot, _)| *lot);
        items.into_iter().map(|(_, item)| item).collect()
    }
}
