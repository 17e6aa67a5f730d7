//! Listening, and stopping without losing anything.

use std::net::SocketAddr;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;

use crate::{App, router};

/// Serves `app` on `listen` until the process is asked to stop.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(app: App, listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!(
            "cannot listen on {listen}; is another program using it? Choose another with --listen"
        )
    })?;
    serve_on(app, listener).await
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
