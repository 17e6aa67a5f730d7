//! Job fairs as those who run, visit and hire at them meet them: through pages, forms and the command line.

mod day;
mod desks;
mod lists;
pub(crate) mod screens;
mod stand;

use std::process::Command;

use reqwest::{Method, header};
use serde_json::json;
use turnout_server::people::import::sheet::Limits;

use crate::support::{TestApp, app::Answer, data, people::bin};

/// An answer to a form: where it leads when it worked, and the cookies it set.
pub(crate) struct Sent {
    pub(crate) answer: Answer,
    pub(crate) location: String,
    pub(crate) cookie: String,
}

impl Sent {
    /// The path that it leads to.
    #[track_caller]
    pub(crate) fn leads_to(self, part: &str) -> String {
        assert_eq!(self.answer.status.as_u16(), 303, "{}", self.answer.text);
        assert!(self.location.contains(part), "{}", self.location);
        self.location
    }

    /// The page that it is, which must have that status.
    #[track_caller]
    pub(crate) fn page(self, status: u16) -> String {
        assert_eq!(self.answer.status.as_u16(), status, "{}", self.answer.text);
        self.answer.text
    }
}

/// Sends a form as whoever holds `token` or `cookie`.
pub(crate) async fn send(
    app: &TestApp,
    path: &str,
    (token, cookie): (&str, &str),
    fields: &[(&str, &str)],
) -> Sent {
    app.advance(1_000);
    let mut request = app.http.request(Method::POST, format!("{}{path}", app.url)).form(fields);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    let response = request.send().await.expect("an answer");
    let text_of = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let (location, cookie) = (text_of(header::LOCATION), text_of(header::SET_COOKIE));
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let status = response.status();
    let text = response.text().await.expect("a body");
    Sent { answer: Answer { status, text }, location, cookie }
}

/// A page that must be there.
pub(crate) async fn page(app: &TestApp, path: &str, token: &str) -> String {
    let answer = app.get(path, token).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.text
}

/// A fair with the federation's lists, happening now, open to anyone. Gives the ids of event and offer.
pub(crate) async fn fair(app: &TestApp) -> (String, String) {
    let (event, offer) = app
        .event(|draft| {
            draft["kind"] = "fair".into();
            draft["theme"] = json!(null);
            draft["title"] = "春季招聘会".into();
            draft["offers"][0]["quota"] = 2_000.into();
            draft["offers"][0]["eligibility"] = "anyone".into();
        })
        .await;
    let bytes = std::fs::read(data("fair.xlsx")).expect("the lists");
    let lists = turnout_server::fair::import::read(&bytes, &Limits::default()).expect("lists");
    let mut tx = app.app.db.write().await.expect("write");
    let report = lists.write(&mut tx, &event, app.now()).await.expect("import");
    tx.commit().await.expect("commit");
    assert_eq!(report.left_out, 0);
    (event, offer)
}

/// Runs `turnout-server import fair` on the test's own database.
pub(crate) fn import(
    app: &TestApp,
    file: &std::path::Path,
    event: &str,
    arguments: &[&str],
) -> String {
    let output = Command::new(bin("turnout-server"))
        .args(["import", "fair"])
        .arg(file)
        .args(["--event", event, "--data"])
        .arg(app.folder.path())
        .args(["--database", &app.database])
        .args(arguments)
        .output()
        .expect("the server runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    format!("{text}{}", String::from_utf8(output.stderr).expect("UTF-8"))
}

/// What stands between `before` and `after` in a page, the first time.
#[track_caller]
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before} is missing in {text}")).1;
    rest.split_once(after).expect(after).0
}
