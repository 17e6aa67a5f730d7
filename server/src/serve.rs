//! Listening, and stopping without losing anything.

use std::net::SocketAddr;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

use crate::{App, router};

/// So many phones may knock at once. Beyond that the system takes no notice of who knocks: they knock again a second later, three
/// seconds later, seven. It never holds more than `net.core.somaxconn` says, 4,096 where nobody has changed it.
const KNOCKING: u32 = 65_535;

/// Opens `address` to a rush.
///
/// # Errors
/// When it cannot be listened on.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // So that a server that has just stopped can start again.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(KNOCKING)
    };
    open().with_context(|| {
        format!(
            "cannot listen on {address}; is another program using it? Choose another with --listen"
        )
    })
}

/// Serves `app` on `address` until the process is asked to stop.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(app: App, address: SocketAddr) -> anyhow::Result<()> {
    serve_on(app, listen(address)?).await
}

/// Serves `app` on an open listener until the process is asked to stop: requests under way are answered, the
/// database is closed.
///
/// # Errors
/// When the listener fails.
pub async fn serve_on(app: App, listener: TcpListener) -> anyhow::Result<()> {
    take_all_files();
    tracing::info!(address = %listener.local_addr()?, url = %app.public_url, database = app.db.engine(), "serving");
    let stopping = app.stopping.clone();
    let service = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            asked_to_stop().await;
            stopping.cancel();
        })
        .await?;
    app.db.close().await;
    Ok(())
}

/// Each phone that waits for an opening is an open file. A shell allows a program some thousand of them, and as many more as it
/// asks for.
fn take_all_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(files = ?current, cause = %error, "no more phones at once than there may be open files");
    }
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
