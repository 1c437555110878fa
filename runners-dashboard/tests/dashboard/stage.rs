//! What the tests share: a control plane, its dashboard behind a server, and browsers of a kind.

use async_trait::async_trait;
use reqwest::{Client, Response, redirect::Policy};
use runners_core::{
    Authenticate, AuthenticateError, Command, ControlPlane, Digest, JobId, JobOptions, MemoryArtifacts,
    MemoryStore, Principal, RecordsAuthenticator, Registration, Runner, Scope, TenantId, Token, TokenKind,
    Transport as _,
    protocol::{EnrolRequest, Reply, Request},
};
use runners_dashboard::Dashboard;
use std::sync::Arc;
use tokio::{net::TcpListener, task::JoinSet};

/// A tenant that has nothing.
pub(crate) const OTHER: TenantId = TenantId::from_bytes([9; 16]);

/// The prefix that it is mounted under.
pub(crate) const PREFIX: &str = "/a/dashboard";

/// A control plane behind its dashboard, for as long as this lives.
pub(crate) struct Stage {
    pub(crate) control: ControlPlane,
    pub(crate) artifacts: MemoryArtifacts,
    /// The origin, without the prefix.
    pub(crate) origin: String,
    _server: JoinSet<()>,
}

/// What a page asked for that means no good.
const HAR: &str = r#"{"log":{"version":"1.2","entries":[
    {"time":12.5,"_at_ms":40,"_step":2,"_resourceType":"document",
     "request":{"method":"GET","url":"https://example.com/<script>alert(1)</script>"},
     "response":{"status":200,"content":{"size":2048,"mimeType":"text/html; charset=utf-8"},"bodySize":2000}},
    {"time":1e300,"request":{"method":"GET","url":"https://example.com/slow"},"response":{"status":200}},
    {"time":-1,"request":{"method":"POST","url":"https://example.com/gone"},
     "response":{"status":0,"content":{},"bodySize":-1,"_error":"net::ERR_<b>FAILED</b>"}}]}}"#;

/// What its console said.
const CONSOLE: &str = r#"{"version":1,"left_out":3,"entries":[
    {"at_ms":5,"level":"error","source":"uncaught","text":"<img src=x onerror=alert(2)>","step":1}]}"#;

/// How far it got when its browser was lost.
const CUT_SHORT: &str = r#"{"title":"A shop","reason":"","duration_ms":9,"steps":[
    {"index":0,"type":"navigate","description":"go there","state":"passed","duration_ms":4},
    {"index":1,"type":"click","description":"click","state":"cut_short","duration_ms":5,
     "reason":"the browser was lost during step 2"}]}"#;

/// Somebody who has signed in.
pub(crate) struct Browser {
    client: Client,
    url: String,
    pub(crate) cookie: String,
}

/// A command that the runner of the tests executes.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Shout(pub(crate) String);

impl Command for Shout {
    const KIND: &'static str = "shout";
    type Result = String;
}

/// A token of somebody, by a letter.
pub(crate) fn token(letter: u8) -> Token {
    Token::new(TokenKind::Api, [letter; Token::RANDOM_BYTES])
}

/// The control plane's own credentials, and one of its operator, which it keeps none of.
#[derive(Debug)]
struct WithOperator(RecordsAuthenticator);

#[async_trait]
impl Authenticate for WithOperator {
    async fn authenticate(&self, text: &str) -> Result<Principal, AuthenticateError> {
        if text == token(b'z').expose() {
            return Ok(Principal::Operator);
        }
        self.0.authenticate(text).await
    }
}

impl Stage {
    /// `a` may do everything, `r` only reads, `s` only submits, `o` is of another tenant, and `z` is
    /// the operator.
    pub(crate) async fn open() -> Self {
        let artifacts = MemoryArtifacts::default();
        let control =
            ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone()).start().await.unwrap();
        for (letter, tenant, scopes) in [
            (b'a', TenantId::DEFAULT, &Scope::ALL[..]),
            (b'r', TenantId::DEFAULT, &[Scope::Read]),
            (b's', TenantId::DEFAULT, &[Scope::Submit]),
            (b'o', OTHER, &Scope::ALL[..]),
        ] {
            let scopes = scopes.iter().copied();
            control.admit_api_credential(token(letter).digest(), tenant, scopes).await.unwrap();
        }
        let dashboard = Dashboard::builder(&control, WithOperator(control.authenticator())).build();
        let app = axum::Router::new().nest_service(PREFIX, dashboard.into_router());
        let (origin, server) = serve(app).await;
        Self { control, artifacts, origin, _server: server }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{PREFIX}/{path}", self.origin)
    }

    /// Signs somebody in by their letter.
    pub(crate) async fn sign_in(&self, who: u8) -> Browser {
        let client = client();
        let sign_in = client.post(self.url("sign-in")).header("origin", &self.origin);
        let answer = sign_in.body(encoded(&[("credential", token(who).expose())])).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Browser { client, url: self.url(""), cookie }
    }

    /// A principal who may do everything in the default tenant.
    pub(crate) fn everything() -> Principal {
        Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() }
    }

    /// Queues a job, and gives its id.
    pub(crate) async fn submit(&self, text: &str, options: JobOptions) -> JobId {
        let client = runners_core::Client::new(self.control.caller(Self::everything()));
        client.submit(&(Shout(text.into()), options)).await.unwrap().id()
    }

    /// Enrols a runner of the pool `default`, and starts it in this process.
    pub(crate) async fn runner(&self, name: &str) -> Runner {
        let registration = Digest::of(name.as_bytes());
        let admits = Registration::new(TenantId::DEFAULT, runners_core::PoolId::DEFAULT);
        self.control.admit_registration(registration, admits).await.unwrap();
        let registrant = Principal::Registrant { tenant: TenantId::DEFAULT, registration };
        let credential = Digest::of(format!("credential of {name}").as_bytes());
        let enrol = Request::Enrol(EnrolRequest { credential, name: name.into(), pool: None });
        let Reply::Enrolled(enrolled) = self.control.caller(registrant).call(enrol).await.unwrap() else {
            panic!("it was not enrolled")
        };
        let (tenant, pool, runner) = (enrolled.tenant, enrolled.pool, enrolled.runner);
        let caller = self.control.caller(Principal::Runner { tenant, pool, runner });
        Runner::builder(Arc::new(caller) as Arc<dyn runners_core::Transport>)
            .name(name)
            .slots(2)
            .artifacts(tenant, self.artifacts.clone())
            .executor(async |text: Shout, attempt: runners_core::Attempt| {
                attempt.log(format!("shouting <b>{}</b>\n", text.0));
                if text.0 == "artifacts" {
                    attempt.attach("shot.png", "image/png", &b"png"[..]).await.unwrap();
                    attempt
                        .attach("page.html", "text/html", &b"<script>alert(1)</script>"[..])
                        .await
                        .unwrap();
                }
                if text.0 == "traffic" {
                    attempt.attach("network.har", "application/json", HAR.as_bytes()).await.unwrap();
                    attempt.attach("console.json", "application/json", CONSOLE.as_bytes()).await.unwrap();
                }
                if text.0 == "cut short" {
                    attempt.attach("cut-short.json", "application/json", CUT_SHORT.as_bytes()).await.unwrap();
                    return Err(runners_core::Fault::permanent("browser_lost", "the browser was lost"));
                }
                if text.0 == "fail" {
                    return Err(runners_core::Fault::permanent("hoarse", "nothing is to be heard"));
                }
                Ok::<_, runners_core::Fault>(text.0.to_uppercase())
            })
            .start()
    }
}

impl Browser {
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).header("cookie", &self.cookie)
    }

    /// A page, and its code.
    pub(crate) async fn open(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let (code, page) = self.open(path).await;
        assert_eq!(code, 200, "{path}: {page}");
        page
    }

    /// Sends a form as the page of it does.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let page = self.page("settings").await;
        let token = between(&page, "name=\"form_token\" value=\"", "\"");
        let fields: Vec<_> =
            [("form_token", token), ("form_key", "one")].iter().chain(fields).copied().collect();
        self.post(path, &fields).send().await.unwrap()
    }

    /// Sends a form without anything that a page adds.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let post = self.client.post(format!("{}{path}", self.url)).header("cookie", &self.cookie);
        post.header("sec-fetch-site", "same-origin").body(encoded(fields))
    }
}

/// A client that follows no redirects.
pub(crate) fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

/// Serves routes on a port of this machine.
pub(crate) async fn serve(app: axum::Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = async move { axum::serve(listener, app).await.unwrap() };
    (origin, [server].into_iter().collect())
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// What stands between two texts.
pub(crate) fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split_once(after).unwrap().0
}
