//! What the tests share: a control plane, a server, credentials and calls.

use async_trait::async_trait;
use futures::future::BoxFuture;
use reqwest::{Client, Method, Response};
use runners_api::ManagementFace;
use runners_core::{
    Authenticate, AuthenticateError, ControlPlane, Digest, MemoryArtifacts, MemoryStore, Peer, PoolId,
    Principal, RecordsAuthenticator, Runner, Scope, TenantId, Token, TokenKind, Transport, WebhookCall,
    WebhookError, WebhookSender,
    protocol::{EnrolRequest, Reply, Request},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{net::TcpListener, task::JoinSet};

/// A tenant that has nothing.
pub(crate) const OTHER: TenantId = TenantId::from_bytes([9; 16]);

/// A control plane behind a server, for as long as this lives.
pub(crate) struct Stage {
    pub(crate) control: ControlPlane,
    pub(crate) store: MemoryStore,
    pub(crate) artifacts: MemoryArtifacts,
    pub(crate) hooks: Refusing,
    pub(crate) url: String,
    client: Client,
    _server: JoinSet<()>,
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

    fn ended(&self, text: &str) -> BoxFuture<'static, ()> {
        self.0.ended(text)
    }
}

/// Keeps every call to a webhook, and answers that it cannot be taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusing(pub(crate) Arc<Mutex<Vec<WebhookCall>>>);

#[async_trait]
impl WebhookSender for Refusing {
    async fn send(&self, call: WebhookCall) -> Result<u16, WebhookError> {
        self.0.lock().unwrap().push(call);
        Ok(503)
    }
}

impl Stage {
    /// `a` may do everything, `r` only reads, `s` only submits, `o` is of another tenant, and `z` is
    /// the operator.
    pub(crate) async fn open() -> Self {
        let (store, artifacts, hooks) =
            (MemoryStore::default(), MemoryArtifacts::default(), Refusing::default());
        let control = ControlPlane::builder(store.clone()).artifacts(artifacts.clone());
        let control = control.webhooks(hooks.clone()).start().await.unwrap();
        let everything = [Scope::Submit, Scope::Read, Scope::Admin];
        for (letter, tenant, scopes) in [
            (b'a', TenantId::DEFAULT, &everything[..]),
            (b'r', TenantId::DEFAULT, &[Scope::Read]),
            (b's', TenantId::DEFAULT, &[Scope::Submit]),
            (b'o', OTHER, &everything),
        ] {
            let scopes = scopes.iter().copied();
            control.admit_api_credential(token(letter).digest(), tenant, scopes).await.unwrap();
        }
        let face = ManagementFace::builder(&control, WithOperator(control.authenticator())).build();
        let peer = axum::Extension(Peer([127, 0, 0, 1].into()));
        let app = axum::Router::new().nest("/api", face.into_router()).layer(peer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let server = async move { axum::serve(listener, app).await.unwrap() };
        Self {
            control,
            store,
            artifacts,
            hooks,
            url,
            client: Client::builder().build().unwrap(),
            _server: [server].into_iter().collect(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str, who: u8) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token(who).expose())
    }

    /// Calls without a credential.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Calls with a body, if there is one. What comes back, and with which code.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        who: u8,
        body: impl Into<Option<Value>>,
    ) -> (u16, Value) {
        let mut request = self.request(method, path, who);
        if let Some(body) = body.into() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (code, body) = self.call(Method::GET, path, b'a', None).await;
        assert_eq!(code, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Option<Value>>) -> Value {
        let (code, answer) = self.call(Method::POST, path, b'a', body).await;
        assert!((200..300).contains(&code), "{path}: {code} {answer}");
        answer
    }

    /// Enrols a runner of the pool `default`, and starts it in this process.
    pub(crate) async fn runner(&self, name: &str) -> Runner {
        let path = format!("/self-hosted/pools/{}/registration-tokens", PoolId::DEFAULT);
        let issued = self.post(&path, json!({})).await;
        let registration = Digest::of(issued["token"].as_str().unwrap().as_bytes());
        let registrant = Principal::Registrant { tenant: TenantId::DEFAULT, registration };
        let credential = Digest::of(name.as_bytes());
        let enrol = Request::Enrol(EnrolRequest { credential, name: name.into(), pool: None });
        let Reply::Enrolled(enrolled) = self.control.caller(registrant).call(enrol).await.unwrap() else {
            panic!("it was not enrolled")
        };
        let (tenant, pool, runner) = (enrolled.tenant, enrolled.pool, enrolled.runner);
        let caller = self.control.caller(Principal::Runner { tenant, pool, runner });
        Runner::builder(Arc::new(caller) as Arc<dyn Transport>)
            .name(name)
            .slots(2)
            .executor(async |text: Shout, attempt: runners_core::Attempt| {
                attempt.log(format!("shouting {}\n", text.0));
                Ok::<_, runners_core::Fault>(text.0.to_uppercase())
            })
            .start()
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Shout(pub(crate) String);

impl runners_core::Command for Shout {
    const KIND: &'static str = "shout";
    type Result = String;
}

/// What an answer holds: JSON, or text as a string, or nothing.
pub(crate) async fn read(response: Response) -> (u16, Value) {
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
