//! `turnout-kiosk enroll`: makes this machine a kiosk, by the one-time code an organizer was shown.

use std::path::Path;

use admission::sync;
use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::{
    api,
    identity::{Enrolment, Folder},
};

/// Enrols the kiosk whose files are in `data`: makes a key pair, shows `server` the code and the public half.
///
/// # Errors
/// When the folder is a kiosk's already, or the server does not take the code.
pub async fn enroll(server: &str, code: &str, data: &Path) -> anyhow::Result<Enrolment> {
    let folder = Folder::new(data);
    let server = server_address(server)?;
    folder
        .make()
        .with_context(|| format!("cannot make the folder {} (无法创建目录)", data.display()))?;
    let before = folder.enrolment().context("cannot read kiosk.json")?;
    if let Some(before) = &before
        && folder.key().context("cannot read kiosk.key")?.is_some()
    {
        bail!(
            "{} is the kiosk “{}” already (此目录已登记过). Run it, or give another --data folder",
            data.display(),
            before.name
        );
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).context("the system gives no randomness")?;
    let key = SigningKey::from_bytes(&secret);
    let public_key = HEXLOWER.encode(key.verifying_key().as_bytes());
    let code = code.trim().to_owned();
    let enrolled = match api::enrol(&server, &sync::Enrolment { code, public_key }).await {
        Err(failure @ api::Failure::Unreachable(_)) => {
            return Err(failure).with_context(|| format!("not enrolled (没有登记); check {server}"));
        }
        answer => answer.context(
            "the server did not take the enrolment code (登记失败). Codes work once and not for long: \
             ask for a new one with `turnout-server kiosk add`",
        )?,
    };
    if let Some(before) = before {
        // A revoked kiosk begins anew; what it could not send stays beside, for `journal export`.
        folder.set_store_aside(&before.kiosk).context("cannot put the old journal aside")?;
    }
    let enrolment = Enrolment { kiosk: enrolled.kiosk, name: enrolled.name, server };
    folder.keep(&enrolment, &key).context("cannot write the kiosk's key")?;
    Ok(enrolment)
}

fn server_address(server: &str) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(server).with_context(|| {
        format!("`{server}` is no address; it looks like https://turnout.example")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        bail!("`{server}` is no http or https address");
    }
    Ok(server.trim_end_matches('/').to_owned())
}
