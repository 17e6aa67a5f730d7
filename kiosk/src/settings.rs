//! What staff set for this machine's screen, behind the PIN. A visitor sets none of it: a door without its camera, or without
//! its sound, is a door out of action.

use serde::{Deserialize, Serialize};

/// Longer than any name that a browser gives a camera.
const CAMERA_MAX: usize = 256;

/// What is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Codes are read by the browser's camera.
    pub camera: bool,
    /// Which one, by the browser's name for it; none leaves that to the browser.
    #[serde(default)]
    pub device: Option<String>,
    /// Verdicts sound.
    pub sound: bool,
    /// Verdicts are spoken.
    pub voice: bool,
}

impl Settings {
    /// Whether they could be somebody's choice.
    #[must_use]
    pub fn are_sound(&self) -> bool {
        self.device.as_ref().is_none_or(|device| device.len() <= CAMERA_MAX)
    }
}
