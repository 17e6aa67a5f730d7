//! Who did what on the staff's pages. Append-only.

use admission::Millis;

use crate::{
    db::{Tx, new_id},
    error::Result,
    execute,
    web::access::Staff,
};

/// Writes down that `staff` did `action` (`event.cancel`) to `subject` (an id, never a name).
///
/// # Errors
/// When the database fails.
pub async fn record(
    tx: &mut Tx,
    staff: &Staff,
    action: &str,
    subject: &str,
    note: &str,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into audit (id, at_ms, staff_id, action, subject, note) values ($1, $2, $3, $4, $5, $6)",
        new_id(now),
        now.0,
        &staff.id,
        action,
        subject,
        note,
    )?;
    Ok(())
}
