//! What a handler can fail with, and the HTTP answer. A refusal at the door is not a failure: it is a `Verdict`.
//!
//! The answer carries a [`Problem`]; `web::problem` writes it as `application/problem+json` (RFC 9457) under
//! `/api` and as a page elsewhere.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use admission::{say::Lang, sync::REVOCATION_HEADER};
use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

/// The result of most things here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a handler can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such thing, or none that the caller may know of.
    #[error("there is nothing here")]
    NotFound,
    /// Nobody is signed in.
    #[error("not signed in")]
    SignedOut,
    /// Signed in, and not allowed.
    #[error("not allowed")]
    Forbidden,
    /// A form came from another site.
    #[error("a form came from another site")]
    CrossSite,
    /// A kiosk's signature is missing or wrong.
    #[error("the kiosk's signature is missing or wrong")]
    KioskUnknown,
    /// The kiosk was revoked.
    #[error("the kiosk was revoked")]
    KioskRevoked {
        /// The server's signature of that: a kiosk believes nobody else on the way.
        signed: String,
    },
    /// The queue is full, or the server is stopping.
    #[error("busy")]
    Busy,
    /// The transaction holds the counter of an event that comes after this one; the ledger runs the work again.
    #[error("out of turn")]
    OutOfTurn {
        /// The event's id.
        event: String,
    },
    /// Too often.
    #[error("too many requests; retry after {retry_after_s} s")]
    TooMany {
        /// Seconds until it is worth trying again.
        retry_after_s: i64,
    },
    /// What was sent cannot be used: where, and why, in the sender's words.
    #[error("{0}")]
    Invalid(Refused),
    /// A rule says no.
    #[error("{0}")]
    Refused(Refused),
    /// The database is away, or takes no writes for now: a restart, a failover, a full disk.
    #[error("the database is away")]
    Away,
    /// The database failed. The cause goes to the log, not to the visitor.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Something else of ours failed.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

/// A "no" that a person can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code for programs: `sold_out`.
    pub code: &'static str,
    /// What happened and what to do, in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

impl Refused {
    /// A rule says no: 409 unless another status fits better.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        Self { status, code, zh: zh.into(), en: en.into() }
    }

    /// The sentence in that language.
    #[must_use]
    pub fn text(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Error {
    /// What was sent cannot be used. `code` names the fault, the texts name the place.
    pub fn invalid(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Invalid(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, code, zh, en))
    }

    /// Whether the database is away or takes no writes for now, so that trying again later is the thing to do.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Database(error) => crate::db::is_away(error),
            Self::Internal(error) => {
                error.downcast_ref::<sqlx::Error>().is_some_and(crate::db::is_away)
            }
            _ => false,
        }
    }

    /// The answer to this failure.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, code, zh, en) = match self {
            Self::Invalid(refused) | Self::Refused(refused) => {
                return Problem { refused: refused.clone(), retry_after_s: None };
            }
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "这里没有内容。请检查地址，或返回首页。",
                "There is nothing here. Please check the address or go to the start page.",
            ),
            Self::SignedOut => {
                (StatusCode::UNAUTHORIZED, "signed_out", "请先登录。", "Please sign in first.")
            }
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "您没有此项权限，请联系管理员。",
                "You may not do this. Please ask an administrator.",
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "cross_site",
                "请求来自其他网站，已拒绝。请从本站页面重新操作。",
                "This request came from another site and was refused. Please use the page of this site.",
            ),
            Self::KioskUnknown => (
                StatusCode::UNAUTHORIZED,
                "kiosk_unknown",
                "终端签名无效，请重新登记终端。",
                "The kiosk's signature is not valid. Please enrol the kiosk again.",
            ),
            Self::KioskRevoked { .. } => (
                StatusCode::UNAUTHORIZED,
                "kiosk_revoked",
                "此终端已停用。",
                "This kiosk was revoked.",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "现在人很多，请过几秒再试，您的操作没有丢失也没有重复。",
                "Many people are here right now. Please try again in a few seconds; nothing was lost or done twice.",
            ),
            _ if self.is_away() => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "系统正在恢复，请过几秒再试。已经成功的不会丢，再试一次也不会重复。",
                "The system is recovering. Please try again in a few seconds: nothing that was confirmed is lost, and trying again does nothing twice.",
            ),
            Self::TooMany { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "操作太频繁，请稍后再试。",
                "Too many requests. Please try again later.",
            ),
            Self::Database(error) if is_no_text(error) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_request",
                "提交的内容含有无法保存的字符，请检查后再试。",
                "What was sent has a character that cannot be kept. Please check it and try again.",
            ),
            Self::Away | Self::Database(_) | Self::Internal(_) | Self::OutOfTurn { .. } => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "系统出了问题，我们已记录。请稍后再试。",
                "Something went wrong on our side and was logged. Please try again later.",
            ),
        };
        let retry_after_s = match self {
            Self::Busy => Some(2),
            _ if self.is_away() => Some(5),
            Self::TooMany { retry_after_s } => Some(*retry_after_s),
            _ => None,
        };
        Problem { refused: Refused::new(status, code, zh, en), retry_after_s }
    }
}

/// PostgreSQL keeps no NUL in a text: the sender's fault, not ours.
fn is_no_text(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "22021")
}

/// An error answer before it is written for a program or a person.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Status, code and sentence.
    pub refused: Refused,
    /// Seconds until it is worth trying again.
    pub retry_after_s: Option<i64>,
}

/// While the database is away all requests fail alike: one line a second tells of those since the line before.
fn log_away(error: &Error) {
    static LOGGED: Mutex<(Option<Instant>, u64)> = Mutex::new((None, 0));
    // A panic elsewhere leaves nothing half done in it.
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let (last, requests) = &mut *logged;
    *requests += 1;
    if last.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
        tracing::error!(cause = %error, requests = *requests, "the database is away; requests failed");
        *logged = (Some(Instant::now()), 0);
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        if self.is_away() {
            log_away(&self);
        } else if problem.refused.status.is_server_error() && !matches!(self, Self::Busy) {
            tracing::error!(cause = %self, "request failed");
        }
        let mut response = problem.refused.status.into_response();
        if let Some(seconds) = problem.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Self::KioskRevoked { signed } = &self
            && let Ok(signed) = HeaderValue::from_str(signed)
        {
            response.headers_mut().insert(REVOCATION_HEADER, signed);
        }
        response.extensions_mut().insert(problem);
        response
    }
}
