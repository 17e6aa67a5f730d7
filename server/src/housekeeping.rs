//! Deletes what is of no use any more. What happened (bookings, scans, the audit) is never deleted here.

use std::time::Duration;

use admission::time::{DAY, HOUR};

use crate::{App, booking, error::Result, execute, kiosk, loan, voucher};

const EVERY: Duration = Duration::from_secs(3_600);
/// A repeated request is answered as before for at least a day.
const ANSWERS_MS: i64 = 48 * HOUR;
/// No limit counts for longer than an hour.
const ATTEMPTS_MS: i64 = DAY;
const MESSAGES_MS: i64 = 30 * DAY;

/// Sweeps every hour until the server stops.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.stopping.cancelled() => return,
        }
        if let Err(error) = sweep(&app).await {
            tracing::warn!(cause = %error, "housekeeping failed; trying again in an hour");
        }
    }
}

/// Deletes expired sessions and codes, old answers, attempts and messages; takes back places lent to kiosks that will
/// not speak again; reminds who has a book that is due.
///
/// # Errors
/// When the database fails; then nothing was deleted.
pub async fn sweep(app: &App) -> Result<()> {
    kiosk::allotment::reclaim(app).await?;
    loan::sweep(app).await?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    execute!(tx, "delete from session where expires_ms < $1", now.0)?;
    execute!(tx, "delete from login_code where expires_ms < $1", now.0)?;
    booking::queries::forget_answers(&mut tx, now.plus(-ANSWERS_MS)).await?;
    execute!(tx, "delete from attempt where window_ms < $1", now.plus(-ATTEMPTS_MS).0)?;
    execute!(tx, "delete from message where created_ms < $1", now.plus(-MESSAGES_MS).0)?;
    voucher::benefit::forget(&mut tx, now).await?;
    Ok(tx.commit().await?)
}
