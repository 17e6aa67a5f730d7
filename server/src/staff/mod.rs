//! Staff accounts: made, given a new password and ended on the command line.

use admission::Millis;
use axum::http::StatusCode;

use crate::{
    account::rules::{STAFF_PER_NAME, hash_password},
    db::{Db, Tx, new_id},
    error::{Error, Refused, Result},
    execute, fetch,
    web::{access::Role, limits, session},
};

/// No letters or digits that are misread.
const PASSWORD_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567892";
const PASSWORD_CHARS: usize = 14;
/// In the place of a hash: of those who come by a personal link and a PIN. No password has this hash.
pub(crate) const NO_PASSWORD: &str = "!";

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

/// Gives the account of that name a new random password, for who forgot theirs: whoever is signed in with the old one is
/// signed out, and guesses that locked it are forgotten.
///
/// # Errors
/// [`Error::Refused`] `no_such_account`, also for who comes by a personal link: they never had a password.
pub async fn renew_password(db: &Db, name: &str) -> Result<String> {
    let (name, password) = (name.trim(), random_password());
    let hash = hash_password(&password)?;
    let mut tx = db.write().await?;
    let changed = execute!(
        &mut tx,
        "update staff set password_hash = $2
         where name = $1 and disabled_ms is null and password_hash <> $3",
        name,
        hash,
        NO_PASSWORD,
    )?;
    sign_out(&mut tx, name, changed).await?;
    limits::forget(&mut tx, STAFF_PER_NAME, name).await?;
    tx.commit().await?;
    Ok(password)
}

/// Ends the account of that name. Its name stays taken, for what was done under it stands in the books.
///
/// # Errors
/// [`Error::Refused`] `no_such_account`.
pub async fn end(db: &Db, name: &str, now: Millis) -> Result<()> {
    let name = name.trim();
    let mut tx = db.write().await?;
    let changed = execute!(
        &mut tx,
        "update staff set disabled_ms = $2
         where name = $1 and disabled_ms is null and password_hash <> $3",
        name,
        now.0,
        NO_PASSWORD,
    )?;
    sign_out(&mut tx, name, changed).await?;
    tx.commit().await?;
    Ok(())
}

/// Everybody who signs in with a password: name and role.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &Db) -> Result<Vec<(String, String)>> {
    let mut tx = db.read().await?;
    Ok(fetch!(
        tx,
        fetch_all,
        "select name, role from staff where disabled_ms is null and password_hash <> $1
         order by role, created_ms, id",
        NO_PASSWORD,
    )?)
}

async fn sign_out(tx: &mut Tx, name: &str, accounts: u64) -> Result<()> {
    if accounts == 0 {
        return Err(Refused::new(
            StatusCode::NOT_FOUND,
            "no_such_account",
            "没有这个姓名的账号。用 turnout-server staff list 看有哪些。",
            "There is no account of this name: turnout-server staff list shows them all.",
        )
        .into());
    }
    execute!(
        tx,
        "delete from session where staff_id in (select id from staff where name = $1)",
        name,
    )?;
    Ok(())
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
