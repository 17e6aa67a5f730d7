//! Staff accounts.

use admission::Millis;
use axum::http::StatusCode;

use crate::{
    account::rules::hash_password,
    db::{Db, new_id},
    error::{Error, Refused, Result},
    execute,
    web::{access::Role, session},
};

/// No letters or digits that are misread.
const PASSWORD_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567892";
const PASSWORD_CHARS: usize = 14;

/// A new account's particulars, shown once.
#[derive(Debug)]
pub struct NewStaff {
    /// Its id.
    pub id: String,
    /// The first password.
    pub password: String,
}

/// Makes an account with a random password.
///
/// # Errors
/// [`Error::Refused`] `name_taken`.
pub async fn add(db: &Db, name: &str, role: Role, now: Millis) -> Result<NewStaff> {
    let password = random_password();
    let hash = hash_password(&password)?;
    let id = new_id(now);
    let mut tx = db.write().await?;
    let inserted = execute!(
        &mut tx,
        "insert into staff (id, name, role, password_hash, created_ms) values ($1, $2, $3, $4, $5)",
        &id,
        name.trim(),
        role.word(),
        hash,
        now.0,
    );
    match inserted {
        Err(error)
            if error.as_database_error().is_some_and(|error| error.is_unique_violation()) =>
        {
            Err(Refused::new(
                StatusCode::CONFLICT,
                "name_taken",
                "已有同名账号，请换一个姓名。",
                "There is an account of this name already. Please choose another name.",
            )
            .into())
        }
        Err(error) => Err(Error::from(error)),
        Ok(_) => {
            tx.commit().await?;
            Ok(NewStaff { id, password })
        }
    }
}

/// Opens a session for an account without its password: for the demo only.
///
/// # Errors
/// When the database fails.
pub async fn session_for(db: &Db, id: &str, now: Millis) -> Result<String> {
    let mut tx = db.write().await?;
    let token = session::open(&mut tx, session::Holder::Staff(id), now).await?;
    tx.commit().await?;
    Ok(token)
}

fn random_password() -> String {
    let mut bytes = [0; PASSWORD_CHARS];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| char::from(PASSWORD_ALPHABET[usize::from(byte % 32)])).collect()
}
