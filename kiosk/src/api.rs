//! The kiosk's way to its server: each request signed with the kiosk's own key.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use admission::{
    Millis,
    sync::{
        CallNumber, CardKeyAnswer, Check, Checked, Enrolled, Enrolment, Feed, IssuerPublicKey,
        KIOSK_HEADER, NumberWanted, People, REVOCATION_HEADER, Receipt, SIGNATURE_HEADER, Upload,
        keys_are_signed, revocation_is_signed, sign_request,
    },
};
use ed25519_dalek::SigningKey;
use reqwest::{Method, Response, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    run::SystemClock,
    store::Cursors,
    tls::{self, NotBefore},
};

/// A handshake takes several turns, and over some lines each takes two seconds.
const CONNECT: Duration = Duration::from_secs(8);
/// Whoever says nothing for this long says nothing more. How long an answer takes as a whole depends on the line: over a
/// thin one five thousand tickets take minutes.
const SILENCE: Duration = Duration::from_secs(30);
/// So long, all the same: whoever sends a byte now and then is no server of ours.
const AT_MOST: Duration = Duration::from_secs(15 * 60);

/// The code with which the server says that this kiosk was revoked.
const REVOKED: &str = "kiosk_revoked";

/// Why the server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It could not be reached, or took too long.
    #[error("the server cannot be reached (无法连接服务器): {0}")]
    Unreachable(String),
    /// The organizer revoked this kiosk.
    #[error("the organizer has revoked this kiosk (本机已被主办方停用)")]
    Revoked,
    /// It refused, and says why.
    #[error("the server refused (服务器拒绝): {status} {code} {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code of the problem.
        code: String,
        /// What to do.
        detail: String,
    },
    /// It answered something else than agreed.
    #[error("the server's answer makes no sense (服务器的回答无法识别): {0}")]
    Nonsense(String),
}

impl Failure {
    /// Where the text is wrong, but not what it says: it may hold a name.
    fn nonsense(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::Nonsense(format!("{:?} error at line {line} column {column}", error.classify()))
    }
}

/// An RFC 9457 problem, as far as a kiosk reads it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    title: String,
    detail: String,
}

/// The server, as an enrolled kiosk speaks to it.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    server: String,
    kiosk: String,
    key: SigningKey,
    /// The server's own keys, as it last told them.
    keys: Arc<RwLock<Vec<IssuerPublicKey>>>,
    /// By which its certificate is looked at.
    time: NotBefore,
}

impl Api {
    /// The server at `server` for `kiosk`, which signs with `key`.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(server: &str, kiosk: &str, key: SigningKey) -> Result<Self, Failure> {
        let server = server.trim_end_matches('/').to_owned();
        let (keys, time) = (Arc::default(), NotBefore::new(Arc::new(SystemClock)));
        let client = client(SILENCE, time.clone())?;
        Ok(Self { client, server, kiosk: kiosk.to_owned(), key, keys, time })
    }

    /// That moment is past, whatever the clock shows: a certificate that was valid then is not valid yet for nobody.
    pub fn is_past(&self, moment: Millis) {
        self.time.is_past(moment);
    }

    /// From now on the server signs with these what it says in its own name.
    pub fn trust(&self, keys: Vec<IssuerPublicKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Whether that is the server's own word. Over https nobody else answers (older servers sign nothing, and one whose keys
    /// were changed since signs with others); over http anybody on the way may, so it must be signed with a key that this
    /// kiosk knows. One that knows none has nothing to lose.
    fn is_its_word(&self, signed: &str, request_signature: &str) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        self.is_safe()
            || keys.is_empty()
            || revocation_is_signed(&keys, signed, &self.kiosk, request_signature)
    }

    /// Whether these are the server's own keys. Over http somebody on the way may say that others are, and sign with those:
    /// so one that is known must have signed them.
    #[must_use]
    pub fn are_its_keys(&self, keys: &[IssuerPublicKey], signed: &str) -> bool {
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        self.is_safe()
            || known.is_empty()
            || *known == keys
            || keys_are_signed(&known, signed, keys)
    }

    fn is_safe(&self) -> bool {
        self.server.starts_with("https://")
    }

    /// `GET /kiosk/feed`: the next page of what changed after `cursors`.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn feed(&self, cursors: Cursors) -> Result<Feed, Failure> {
        let Cursors { revision, cards_revision } = cursors;
        let path = format!("/api/v1/kiosk/feed?after={revision}&cards_after={cards_revision}");
        self.send(Method::GET, &path, Vec::new()).await
    }

    /// `GET /kiosk/people`: the next page of who holds tickets that changed after `revision`.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn people(&self, revision: i64) -> Result<People, Failure> {
        let path = format!("/api/v1/kiosk/people?after={revision}");
        self.send(Method::GET, &path, Vec::new()).await
    }

    /// `POST /kiosk/scans`: a piece of the journal.
    ///
    /// # Errors
    /// When the server does not acknowledge it.
    pub async fn upload(&self, upload: &Upload) -> Result<Receipt, Failure> {
        self.send(Method::POST, "/api/v1/kiosk/scans", json(upload)?).await
    }

    /// `POST /kiosk/check`: what the server says of a scan.
    ///
    /// # Errors
    /// When it says nothing.
    pub async fn check(&self, check: &Check) -> Result<Checked, Failure> {
        self.send(Method::POST, "/api/v1/kiosk/check", json(check)?).await
    }

    /// `POST /kiosk/numbers`: the next call number of the desk; none where scans are no numbers.
    ///
    /// # Errors
    /// When the server gives no answer.
    pub async fn number(&self, wanted: &NumberWanted) -> Result<Option<CallNumber>, Failure> {
        self.send(Method::POST, "/api/v1/kiosk/numbers", json(wanted)?).await
    }

    /// `GET /kiosk/card-key`.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn card_key(&self) -> Result<CardKeyAnswer, Failure> {
        self.send(Method::GET, "/api/v1/kiosk/card-key", Vec::new()).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        let signature = sign_request(&self.key, &self.kiosk, method.as_str(), path, &body);
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.server))
            .header(KIOSK_HEADER, &self.kiosk)
            .header(SIGNATURE_HEADER, &signature);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let signed = response.headers().get(REVOCATION_HEADER);
        let signed = signed.and_then(|signed| signed.to_str().ok()).unwrap_or_default().to_owned();
        match answer(response).await {
            Err(Failure::Revoked) if !self.is_its_word(&signed, &signature) => {
                tracing::warn!(
                    "somebody says that this kiosk was revoked, and it is not signed by the server"
                );
                Err(Failure::Refused {
                    status: StatusCode::UNAUTHORIZED.as_u16(),
                    code: "revocation_not_signed".to_owned(),
                    detail: "its word that this kiosk was revoked is not signed (停用通知没有服务器签名，未采信)".to_owned(),
                })
            }
            answer => answer,
        }
    }
}

/// `POST /kiosks/enrolment`: makes this kiosk known to `server` by its one-time code.
///
/// # Errors
/// When the server does not take the code.
pub async fn enrol(server: &str, enrolment: &Enrolment) -> Result<Enrolled, Failure> {
    let url = format!("{}/api/v1/kiosks/enrolment", server.trim_end_matches('/'));
    let time = NotBefore::new(Arc::new(SystemClock));
    let response = client(SILENCE, time)?.post(url).json(enrolment).send().await;
    answer(response.map_err(unreachable)?).await
}

fn client(silence: Duration, time: NotBefore) -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .use_preconfigured_tls(tls::trusting_the_system(time)?)
        .connect_timeout(CONNECT)
        .read_timeout(silence)
        .timeout(AT_MOST)
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("turnout-kiosk/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::Unreachable(innermost(&error)))
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::nonsense(&error))
}

async fn answer<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| Failure::nonsense(&error));
    }
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    if status == StatusCode::UNAUTHORIZED && problem.code == REVOKED {
        return Err(Failure::Revoked);
    }
    let detail = if problem.detail.is_empty() { problem.title } else { problem.detail };
    Err(Failure::Refused { status: status.as_u16(), code: problem.code, detail })
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn unreachable(error: reqwest::Error) -> Failure {
    Failure::Unreachable(innermost(&error))
}

/// The cause at the bottom, which names neither URL nor content: "Connection refused".
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Takes a request, and answers with so many pieces of a people's list, one after the other with a pause between; and
    /// then goes on saying nothing.
    async fn answers_slowly(pieces: u32, pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut request = [0; 4_096];
            assert!(stream.read(&mut request).await.expect("a request") > 0);
            let body = r#"{"people":[],"revision":7,"more":false}"#;
            let space = usize::try_from(pieces).expect("few");
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + space);
            stream.write_all(head.as_bytes()).await.expect("taken");
            for _ in 0..pieces {
                tokio::time::sleep(pause).await;
                stream.write_all(b" ").await.expect("taken");
            }
            if pieces > 0 {
                stream.write_all(body.as_bytes()).await.expect("taken");
            }
            std::future::pending::<()>().await;
        });
        format!("http://{address}")
    }

    async fn asks(server: &str, silence: Duration) -> Result<People, Failure> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let time = NotBefore::new(Arc::new(SystemClock));
        let client = client(silence, time.clone()).expect("a client");
        let (server, kiosk) = (server.to_owned(), "k".to_owned());
        Api { client, server, kiosk, key, keys: Arc::default(), time }.people(0).await
    }

    #[test]
    fn whoever_is_on_the_way_neither_revokes_nor_says_with_what_that_is_signed() {
        use admission::{
            sync::{sign_keys, sign_revocation},
            ticket::IssuerKey,
        };
        let issuer = |id, secret| IssuerKey::new(id, &[secret; 32]);
        let public = |key: &IssuerKey| IssuerPublicKey::new(key.id, &key.public());
        let api = |server| Api::new(server, "k", SigningKey::from_bytes(&[7; 32])).expect("an api");
        let (own, new, forger) = (issuer(1, 3), issuer(2, 4), issuer(2, 5));
        let by = |key| sign_revocation(key, "k", "request");
        for (server, is_https) in
            [("http://turnout.example", false), ("https://turnout.example", true)]
        {
            let api = api(server);
            assert!(api.are_its_keys(&[public(&own)], ""), "the first that it hears of");
            api.trust(vec![public(&own)]);
            assert!(api.is_its_word(&by(&own), "request"));
            assert!(api.are_its_keys(&[public(&own)], ""), "an older server signs no keys");
            // Its keys were all changed since, and this kiosk has not heard of it.
            assert_eq!(api.is_its_word(&by(&new), "request"), is_https);
            for keys in [vec![public(&forger)], vec![public(&own), public(&forger)]] {
                assert_eq!(api.are_its_keys(&keys, &sign_keys(&forger, &keys)), is_https);
            }
            let both = [public(&own), public(&new)];
            assert!(api.are_its_keys(&both, &sign_keys(&own, &both)));
        }
    }

    #[tokio::test]
    async fn an_answer_may_take_as_long_as_the_line_needs_while_there_is_more_of_it() {
        let silence = Duration::from_secs(4);
        // Longer in all than the longest silence.
        let server = answers_slowly(25, silence / 20).await;
        assert_eq!(asks(&server, silence).await.expect("an answer").revision, 7);
        let server = answers_slowly(0, silence).await;
        let silent = asks(&server, Duration::from_millis(50)).await;
        assert!(matches!(silent, Err(Failure::Unreachable(_))), "{silent:?}");
    }
}
