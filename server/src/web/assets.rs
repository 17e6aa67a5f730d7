//! Static files, inside the binary. Each address carries the file's hash as `?v=`, so browsers keep it for ever and
//! still get the next version at once.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use rust_embed::RustEmbed;

use crate::error::{Error, Result};

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for name in Assets::iter() {
        if let Some(file) = Assets::get(&name) {
            hash.update(file.metadata.sha256_hash());
        }
    }
    HEXLOWER.encode(&hash.finalize()[..6])
});

/// The address of an asset, for templates.
pub(crate) fn asset(name: &str) -> String {
    format!("/assets/{name}?v={}", *VERSION)
}

/// `GET /assets/{path}`.
pub(super) async fn serve(Path(path): Path<String>) -> Result<Response> {
    file(&path, "public, max-age=31536000, immutable")
}

/// `GET /sw.js`: the service worker, at the root so that it may keep every page.
pub(super) async fn service_worker() -> Result<Response> {
    file("sw.js", "no-cache")
}

/// `GET /favicon.ico`.
pub(super) async fn favicon() -> Result<Response> {
    file("favicon.svg", "public, max-age=86400")
}

fn file(path: &str, cache: &'static str) -> Result<Response> {
    let file = Assets::get(path).ok_or(Error::NotFound)?;
    let kind = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("text/plain"));
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    Ok((headers, file.data).into_response())
}
