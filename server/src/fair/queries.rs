//! The SQL of employers and posts.

use super::{Employer, Post};
use crate::{
    db::Tx,
    error::{Error, Result},
    fetch,
};

/// Sixteen letters and digits that nobody guesses.
pub(crate) fn random_code() -> String {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    data_encoding::BASE32_NOPAD.encode(&bytes)
}

/// The employers of a fair, in the order of their stands.
pub(crate) async fn employers(tx: &mut Tx, event_id: &str) -> Result<Vec<Employer>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from employer where event_id = $1 order by stand, id",
        event_id
    )?)
}

/// The employer of that id.
pub(crate) async fn employer(tx: &mut Tx, id: &str) -> Result<Employer> {
    let row: Option<Employer> =
        fetch!(tx, fetch_optional, "select * from employer where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// The posts of a fair, in the order of their numbers.
pub(crate) async fn posts(tx: &mut Tx, event_id: &str) -> Result<Vec<Post>> {
    Ok(fetch!(tx, fetch_all, "select * from post where event_id = $1 order by number", event_id)?)
}

/// The posts of an employer.
pub(crate) async fn posts_of(tx: &mut Tx, employer_id: &str) -> Result<Vec<Post>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from post where employer_id = $1 order by number",
        employer_id
    )?)
}

/// The post of that number at a fair.
pub(crate) async fn post(tx: &mut Tx, event_id: &str, number: i64) -> Result<Post> {
    let row: Option<Post> = fetch!(
        tx,
        fetch_optional,
        "select * from post where event_id = $1 and number = $2",
        event_id,
        number
    )?;
    row.ok_or(Error::NotFound)
}
