//! Error answers: `application/problem+json` under `/api`, a page elsewhere.

use admission::say::Lang;
use askama::Template;
use axum::{
    Json,
    extract::Request,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Frame, access::Caller, frame::lang_of, session};
use crate::{App, error::Problem};

/// An error as RFC 9457 tells it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemJson {
    /// `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What happened and what to do, in the caller's language.
    title: String,
    /// HTTP status.
    status: u16,
    /// Stable code for programs: `sold_out`.
    code: &'static str,
}

#[derive(Template)]
#[template(path = "web/problem.html")]
struct ProblemPage {
    frame: Frame,
    status: u16,
    title: String,
}

/// Who asked, as far as it matters when the answer is a [`Problem`].
pub(crate) struct Asked {
    lang: Lang,
    /// The page that was asked for; none under `/api`.
    page: Option<Page>,
}

struct Page {
    path: String,
    /// The session's token.
    token: Option<String>,
}

impl Asked {
    /// Who sent `request`.
    pub(crate) fn of(app: &App, request: &Request) -> Self {
        let path = request.uri().path();
        // A program is not told who it is.
        let page = (!path.starts_with("/api/")).then(|| Page {
            path: path.to_owned(),
            token: session::cookie(app, request.headers()),
        });
        Self { lang: lang_of(request.headers()), page }
    }

    /// The answer with its [`Problem`], if it has one, written for whoever asked.
    pub(crate) async fn told(self, app: &App, mut response: Response) -> Response {
        let Self { lang, page } = self;
        let status = response.status();
        let problem = match response.extensions_mut().remove::<Problem>() {
            Some(problem) => problem,
            // axum's own rejections (a bad form, an unknown route) have a body that is not for people.
            None if status.is_client_error() && !is_page(&response) => {
                let mut problem = crate::error::Error::invalid(
                    "bad_request",
                    "提交的内容无法识别，请返回上一页检查后再试。",
                    "What was sent could not be read. Please go back, check it and try again.",
                )
                .problem();
                problem.refused.status = status;
                problem
            }
            None => return response,
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        let title = problem.refused.text(lang).to_owned();
        let body = match page {
            None => json(&problem, title, lang),
            Some(Page { path, token }) => {
                // Who it is is in the database.
                let token = token.filter(|_| status != StatusCode::SERVICE_UNAVAILABLE);
                let frame =
                    Frame { lang, caller: caller(app, token).await, now: app.clock.now(), path };
                match (ProblemPage { frame, status: status.as_u16(), title: title.clone() })
                    .render()
                {
                    Ok(html) => Html(html).into_response(),
                    Err(_) => title.into_response(),
                }
            }
        };
        let (written, body) = body.into_parts();
        parts.headers.extend(written.headers);
        Response::from_parts(parts, body)
    }
}

/// A handler has drawn a page of its own, as for a form with a fault in it.
fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Who gets the page, so that its head offers them what every page does.
async fn caller(app: &App, token: Option<String>) -> Caller {
    match token {
        Some(token) => session::caller(app, &token).await.unwrap_or(Caller::Nobody),
        None => Caller::Nobody,
    }
}

fn json(problem: &Problem, title: String, lang: Lang) -> Response {
    let body = ProblemJson {
        kind: "about:blank",
        title,
        status: problem.refused.status.as_u16(),
        code: problem.refused.code,
    };
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CONTENT_LANGUAGE, lang.tag()),
    ];
    let mut response = Json(body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}
