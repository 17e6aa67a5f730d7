//! The rules of signing in. No answer tells whether a phone is on the roster or a name on the staff.

use admission::{
    Millis,
    time::{HOUR, MINUTE, SECOND},
};
use argon2::{
    Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash,
};
use axum::http::StatusCode;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    App,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    execute, fetch, outbox,
    web::{
        limits::{self, Limit},
        session::{self, Holder},
    },
};

/// A code is good for this long.
pub const CODE_MS: i64 = 5 * MINUTE;
/// Wrong guesses that kill a code.
const TRIES: i64 = 5;

const CODE_PER_MINUTE: Limit = Limit { what: "code-minute", max: 1, window_ms: 55 * SECOND };
const CODE_PER_HOUR: Limit = Limit { what: "code-hour", max: 6, window_ms: HOUR };
const CODE_PER_ADDRESS: Limit = Limit { what: "code-address", max: 120, window_ms: HOUR };
const LOGIN_PER_PHONE: Limit = Limit { what: "login", max: 15, window_ms: HOUR };
const LOGIN_PER_ADDRESS: Limit = Limit { what: "login-address", max: 300, window_ms: HOUR };
pub(crate) const STAFF_PER_NAME: Limit = Limit { what: "staff", max: 10, window_ms: 15 * MINUTE };
const STAFF_PER_ADDRESS: Limit = Limit { what: "staff-address", max: 60, window_ms: 15 * MINUTE };

/// A mobile number in the form it is kept in: 11 digits.
///
/// # Errors
/// [`Error::Invalid`] when it is none.
pub fn mobile(text: &str) -> Result<String> {
    let half: String = text
        .chars()
        .map(|c| {
            if ('０'..='９').contains(&c) {
                char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c)
            } else {
                c
            }
        })
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{3000}'))
        .collect();
    let digits = half.strip_prefix("+86").or_else(|| half.strip_prefix("0086")).unwrap_or(&half);
    let valid = digits.len() == 11
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.starts_with('1')
        && !matches!(digits.as_bytes()[1], b'0'..=b'2');
    if valid {
        return Ok(digits.to_owned());
    }
    Err(Error::invalid(
        "phone",
        "手机号应为 11 位数字，请检查。",
        "A mobile number has 11 digits. Please check it.",
    ))
}

/// Sends a code to `phone`. The answer is the same whoever it belongs to.
///
/// # Errors
/// [`Error::TooMany`]; [`Error::Invalid`] when it is no mobile number.
pub async fn send_code(app: &App, phone: &str, address: &str) -> Result<()> {
    let phone = mobile(phone)?;
    let now = app.clock.now();
    limits::spend(
        app,
        &[(CODE_PER_ADDRESS, address), (CODE_PER_MINUTE, &phone), (CODE_PER_HOUR, &phone)],
    )
    .await?;
    let code = six_digits();
    let mut tx = app.db.write().await?;
    execute!(
        tx,
        "insert into login_code (phone, code_hash, sent_ms, expires_ms, tries_left) values ($1, $2, $3, $4, $5)
         on conflict (phone) do update set code_hash = excluded.code_hash, sent_ms = excluded.sent_ms,
             expires_ms = excluded.expires_ms, tries_left = excluded.tries_left",
        &phone,
        code_hash(&phone, &code),
        now.0,
        now.plus(CODE_MS).0,
        TRIES,
    )?;
    let minutes = CODE_MS / MINUTE;
    let body = format!("【王佐镇总工会】登录验证码 {code}，{minutes} 分钟内有效。请勿告诉他人。");
    outbox::write(&mut tx, &phone, &body, now).await?;
    tx.commit().await?;
    app.outbox_wakes.notify_one();
    Ok(())
}

/// What a right code leads to.
#[derive(Debug)]
pub enum SignIn {
    /// A session; its token.
    Done(String),
    /// Several people share this phone: who is it? Ids and names, whole: whoever holds the phone may be any of them,
    /// and 李双 and 李影 are one when masked.
    Choose(Vec<(String, String)>),
}

/// Signs in with the code that was sent. Somebody who is on no roster becomes a guest. `person` chooses among people
/// who share a phone.
///
/// # Errors
/// [`Error::Refused`] `wrong_code` when the code is wrong, used or expired; [`Error::TooMany`] when locked out.
pub async fn sign_in(
    app: &App,
    phone: &str,
    code: &str,
    person: Option<&str>,
    address: &str,
) -> Result<SignIn> {
    let phone = mobile(phone)?;
    let now = app.clock.now();
    limits::spend(app, &[(LOGIN_PER_ADDRESS, address), (LOGIN_PER_PHONE, &phone)]).await?;
    if !guess(app, &phone, code.trim(), now).await? {
        return Err(wrong_code());
    }
    let mut tx = app.db.write().await?;
    let people: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select id, name from person where phone = $1 and (status is null or status in ('active', 'retained'))
         order by kind desc, id",
        &phone,
    )?;
    let id = match (people.as_slice(), person) {
        ([], _) => new_guest(&mut tx, &phone, now).await?,
        ([(id, _)], _) => id.clone(),
        (people, Some(chosen)) => match people.iter().find(|(id, _)| id == chosen) {
            Some((id, _)) => id.clone(),
            None => return Err(wrong_code()),
        },
        // The code stays good until somebody has been chosen.
        (people, None) => {
            let people = people.to_vec();
            tx.rollback().await?;
            return Ok(SignIn::Choose(people));
        }
    };
    execute!(tx, "delete from login_code where phone = $1", &phone)?;
    limits::forget(&mut tx, LOGIN_PER_PHONE, &phone).await?;
    let token = session::open(&mut tx, Holder::Person(&id), now).await?;
    tx.commit().await?;
    Ok(SignIn::Done(token))
}

/// Checks a guess. A wrong one is counted, durably, before it is answered; the last kills the code.
async fn guess(app: &App, phone: &str, code: &str, now: Millis) -> Result<bool> {
    let mut tx = app.db.write().await?;
    let row: Option<(Vec<u8>,)> = fetch!(
        tx,
        fetch_optional,
        "update login_code set tries_left = tries_left - 1
         where phone = $1 and tries_left > 0 and expires_ms > $2 returning code_hash",
        phone,
        now.0,
    )?;
    let right = row.is_some_and(|(hash,)| bool::from(hash.ct_eq(&code_hash(phone, code))));
    if right {
        // A right guess costs nothing.
        execute!(tx, "update login_code set tries_left = tries_left + 1 where phone = $1", phone)?;
    }
    tx.commit().await?;
    Ok(right)
}

async fn new_guest(tx: &mut Tx, phone: &str, now: Millis) -> Result<String> {
    let id = new_id(now);
    let name = format!("来宾{}", &phone[7..]);
    execute!(
        tx,
        "insert into person (id, kind, name, name_search, phone, created_ms, updated_ms)
         values ($1, 'guest', $2, $2, $3, $4, $4)",
        &id,
        &name,
        phone,
        now.0,
    )?;
    Ok(id)
}

/// Signs staff in; gives the session's token.
///
/// # Errors
/// [`Error::Refused`] `wrong_password`; [`Error::TooMany`] when locked out.
pub async fn staff_sign_in(app: &App, name: &str, password: &str, address: &str) -> Result<String> {
    let (name, now) = (name.trim(), app.clock.now());
    limits::spend(app, &[(STAFF_PER_ADDRESS, address), (STAFF_PER_NAME, name)]).await?;
    let mut tx = app.db.read().await?;
    let row: Option<(String, String)> = fetch!(
        tx,
        fetch_optional,
        "select id, password_hash from staff where name = $1 and disabled_ms is null",
        name,
    )?;
    drop(tx);
    let (id, hash) = row.map_or((None, None), |(id, hash)| (Some(id), Some(hash)));
    let password = password.to_owned();
    // An unknown name takes as long as a wrong password.
    let right = tokio::task::spawn_blocking(move || verify(&password, hash.as_deref()))
        .await
        .map_err(anyhow::Error::from)?;
    let Some(id) = id.filter(|_| right) else {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "wrong_password",
            "姓名或密码不对，请检查后再试。",
            "The name or the password is wrong. Please check and try again.",
        )
        .into());
    };
    let mut tx = app.db.write().await?;
    limits::forget(&mut tx, STAFF_PER_NAME, name).await?;
    let token = session::open(&mut tx, Holder::Staff(&id), now).await?;
    tx.commit().await?;
    Ok(token)
}

/// A password as it is kept: Argon2id with a salt of its own.
///
/// # Errors
/// When hashing fails.
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(hash.to_string())
}

pub(crate) fn verify(password: &str, hash: Option<&str>) -> bool {
    /// Of a password that nobody has.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$8z0X1Zl0l8vZ5d4jzJ3oJm2n8Y0m0b8l1i6Cq7d3m5A";
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
}

fn wrong_code() -> Error {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "wrong_code",
        "验证码不对或已过期，请检查，或重新获取。",
        "The code is wrong or has expired. Please check it or ask for a new one.",
    )
    .into()
}

fn code_hash(phone: &str, code: &str) -> Vec<u8> {
    Sha256::new().chain_update(phone).chain_update([0]).chain_update(code).finalize().to_vec()
}

fn six_digits() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    // The bias of a 64-bit number modulo a million is of no account.
    format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mobile_number_is_read_as_people_type_it() {
        for text in
            ["13812345678", "+86 138-1234-5678", "0086 13812345678", "１３８１２３４５６７８"]
        {
            assert_eq!(mobile(text).expect(text), "13812345678");
        }
        for text in ["", "1381234567", "12812345678", "138123456789", "1381234567x"] {
            assert!(mobile(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_verified_against_its_hash_only() {
        let hash = hash_password("通过道口").expect("hash");
        assert!(verify("通过道口", Some(&hash)));
        assert!(!verify("错的", Some(&hash)));
        assert!(!verify("通过道口", None));
    }
}
