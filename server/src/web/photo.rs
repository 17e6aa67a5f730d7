//! Codes of a photograph, for phones whose browser cannot read them: a venue's counter, an employer's stand.

use std::time::{Duration, Instant};

use axum::{Json, body::Bytes};
use qr::Luma;
use serde::Serialize;
use tokio::{sync::Semaphore, time::timeout};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// A photograph is looked at for so long.
const TIME: Duration = Duration::from_millis(1_500);
/// A photograph waits for so long for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// So many photographs are looked at at once: it is hard work.
static AT_ONCE: Semaphore = Semaphore::const_new(1);

/// The codes of a photograph.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Codes {
    /// The largest first.
    codes: Vec<String>,
}

/// Reads the codes of a photograph (JPEG, PNG, WebP).
///
/// # Errors
/// [`Error::Busy`] when others take too long; [`Error::Invalid`] when it is no picture.
pub(crate) async fn codes(picture: Bytes) -> Result<Json<Codes>> {
    let turn = timeout(WAIT, AT_ONCE.acquire()).await.map_err(|_| Error::Busy)?;
    let permit = turn.map_err(anyhow::Error::from)?;
    let looking = tokio::task::spawn_blocking(move || -> Result<Vec<String>> {
        let picture = Luma::read(&picture).map_err(|_| unreadable())?;
        let seen = qr::read_still(&picture, Instant::now() + TIME);
        drop(permit);
        Ok(seen.into_iter().map(|code| code.text.to_string()).collect())
    });
    let codes = looking.await.map_err(anyhow::Error::from)?;
    codes.map(|codes| Json(Codes { codes }))
}

fn unreadable() -> Error {
    Error::invalid(
        "picture",
        "这不是图片，或图片太大。请直接拍二维码。",
        "This is no picture, or too large a one. Please take a photograph of the code.",
    )
}
