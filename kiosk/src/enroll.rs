//! `turnout-kiosk enroll`: makes this machine a kiosk, by the one-time code an organizer was shown.

use std::path::Path;

use admission::{pin as pins, sync};
use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::{
    api,
    identity::{Enrolment, Folder},
    run,
    seal::Vault,
    store::Store,
};

/// Enrols the kiosk whose files are in `data`: makes a key pair, shows `server` the code and the public half. `pin` is
/// what opens its desk; without one, whoever sets it there must show the code again.
///
/// # Errors
/// When the folder is a kiosk's already, the PIN could be none, or the server does not take the code.
pub async fn enroll(
    server: &str,
    code: &str,
    data: &Path,
    pin: Option<&str>,
) -> anyhow::Result<Enrolment> {
    if pin.is_some_and(|pin| !pins::is_pin(pin)) {
        bail!("a PIN has 6 to 12 digits (PIN 为 6 到 12 位数字); nothing was enrolled");
    }
    if pin.is_some_and(pins::is_weak) {
        bail!("{}; nothing was enrolled", run::WEAK);
    }
    let folder = Folder::new(data);
    let server = server_address(server)?;
    folder
        .make()
        .with_context(|| format!("cannot make the folder {} (无法创建目录)", data.display()))?;
    let before = folder.enrolment().context("cannot read kiosk.json")?;
    if let Some(before) = &before
        && folder.key().context("cannot read kiosk.key")?.is_some()
    {
        let store = Store::open(&folder.store()).await?;
        let memory = store.memory().await?;
        let waiting = store.head(&before.kiosk).await?.seq.saturating_sub(memory.acknowledged);
        store.close().await;
        if memory.revoked {
            bail!(
                "“{}” was revoked and has {waiting} records to send (还有 {waiting} 条记录没有上传). Run it on the network \
                 until it has, or give another --data folder",
                before.name
            );
        }
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
    let shown = code.clone();
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
    let code = pin.is_none().then(|| Enrolment::hash_of(&enrolled.kiosk, &shown));
    let enrolment = Enrolment { kiosk: enrolled.kiosk, name: enrolled.name, server, code };
    folder.keep(&enrolment, &key).context("cannot write the kiosk's key")?;
    if let Some(pin) = pin {
        Vault::open(&folder.sealed_card_key(), &enrolment.kiosk, pin)
            .context("the kiosk is enrolled, but its PIN could not be set")?;
    }
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
