//! The two calls of the foreign protocol, and who sits where: a token is a runner of ours, and a session its stay.
//!
//! For each foreign runner that registers, a [`Runner`] of ours is embedded here. It speaks to the control plane as
//! any other does, so pools, slots, leases, retries and drain are the control plane's own.

use super::{
    execution,
    seat::{Seat, random_id},
    wire::{Message, Poll, Response, SystemInfo},
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response as Answer},
    routing::get,
};
use runners_core::{
    ArtifactStore, Authenticate as _, Clock, ControlPlane, Digest, Facts, FactsSource, Load, Principal,
    Random as _, RecordsAuthenticator, Runner, Spool, SystemRandom, Token, TokenKind, Transport as _,
    protocol::{EnrolRequest, Reply, Request},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio_util::task::TaskTracker;

/// Pictures of ten megabytes travel as base64, and videos do too.
const BODY_BYTES_MAX: usize = 64 << 20;
/// A runner that was heard this lately is there: nobody else may register with its token.
const THERE: Duration = Duration::from_secs(15);
/// How many jobs a runner is given at once.
const SLOTS: u32 = 4;
/// How long attempts may take to end when their runner has left.
const GRACE: Duration = Duration::from_secs(2);

/// Carries the foreign protocol onto a control plane. Clones are the same gateway.
#[derive(Clone, Debug)]
pub(crate) struct Gateway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    control: ControlPlane,
    accounts: RecordsAuthenticator,
    artifacts: Arc<dyn ArtifactStore>,
    clock: Arc<dyn Clock>,
    /// By the digest of the token. What a runner is remembered by stays when it leaves.
    desks: Mutex<BTreeMap<Digest, Arc<Desk>>>,
    stays: TaskTracker,
}

/// What belongs to a token.
#[derive(Debug)]
struct Desk {
    /// The identity of the embedded runner. A host that is to survive a restart gives a directory.
    spool: Spool,
    seat: Mutex<Option<Sitting>>,
    /// One registration after the other.
    entrance: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Sitting {
    seat: Arc<Seat>,
    runner: Runner,
    told: Arc<Mutex<Option<SystemInfo>>>,
}

impl Gateway {
    pub(crate) fn new(control: &ControlPlane, artifacts: impl ArtifactStore, clock: impl Clock) -> Self {
        Self(Arc::new(Shared {
            control: control.clone(),
            accounts: control.authenticator(),
            artifacts: Arc::new(artifacts),
            clock: Arc::new(clock),
            desks: Mutex::default(),
            stays: TaskTracker::new(),
        }))
    }

    /// The routes, for a host that mounts them beside its own.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/api/ws/runner", get(register).post(message))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone())
    }

    /// Lets every runner go. Commands that say so wait for their last poll.
    pub(crate) async fn stop(&self) {
        for desk in self.desks().values() {
            if let Some(sitting) = desk.sitting() {
                sitting.seat.leave();
            }
        }
        self.0.stays.close();
        self.0.stays.wait().await;
    }

    /// The desk of a token, if it is one of a runner's.
    async fn desk(&self, headers: &HeaderMap) -> Result<(Arc<Desk>, Principal), Refusal> {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok());
        let text = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Token)?;
        let principal = self.0.accounts.authenticate(text).await.map_err(|_| Refusal::Token)?;
        let Principal::Registrant { .. } = principal else { return Err(Refusal::Token) };
        let desk = Arc::clone(self.desks().entry(Token::from_text(text).digest()).or_insert_with(|| {
            Arc::new(Desk {
                spool: Spool::memory(),
                seat: Mutex::default(),
                entrance: tokio::sync::Mutex::new(()),
            })
        }));
        Ok((desk, principal))
    }

    /// Seats the runner of a token, under a session.
    async fn seat(&self, desk: &Desk, registrant: Principal, session: String) -> Result<Sitting, Refusal> {
        if let Some(before) = desk.sitting() {
            before.seat.leave();
            before.runner.stopped().await;
        }
        let runner = self.identity(desk, registrant).await?;
        let Principal::Runner { tenant, .. } = &runner else { return Err(Refusal::Token) };
        let tenant = *tenant;
        let seat = Seat::new(session, Arc::clone(&self.0.clock));
        let builder = Runner::builder(self.0.control.caller(runner))
            .name("polling")
            .slots(SLOTS)
            .label("protocol:polling")
            .facts(Elsewhere)
            .spool(desk.spool.clone())
            .artifacts(tenant, Arc::clone(&self.0.artifacts));
        let runner = execution::equip(builder, &seat, &self.0.clock).start();
        let sitting = Sitting { seat, runner, told: Arc::default() };
        *desk.seat() = Some(sitting.clone());
        self.0.stays.spawn(stay(sitting.clone()));
        Ok(sitting)
    }

    /// Whom the runner of a desk speaks as: enrolled at its first registration, the same ever after.
    async fn identity(&self, desk: &Desk, registrant: Principal) -> Result<Principal, Refusal> {
        const NAME: &str = "credential";
        let kept = desk.spool.read_secret(NAME).map_err(|_| Refusal::Unavailable)?;
        let credential = match kept {
            Some(text) => Token::from_text(text),
            None => {
                let mut random = [0; Token::RANDOM_BYTES];
                SystemRandom::default().fill(&mut random);
                let credential = Token::new(TokenKind::Runner, random);
                desk.spool.write_secret(NAME, credential.expose()).map_err(|_| Refusal::Unavailable)?;
                credential
            }
        };
        // A repeat with the same credential is answered the same.
        let request =
            EnrolRequest { credential: credential.digest(), name: "polling".to_owned(), pool: None };
        let reply = self.0.control.caller(registrant).call(Request::Enrol(request)).await;
        match reply {
            Ok(Reply::Enrolled(_)) => {}
            Ok(_) => return Err(Refusal::Token),
            Err(_) => return Err(Refusal::Unavailable),
        }
        self.0.accounts.authenticate(credential.expose()).await.map_err(|_| Refusal::Token)
    }

    fn desks(&self) -> MutexGuard<'_, BTreeMap<Digest, Arc<Desk>>> {
        self.0.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn sitting(&self) -> Option<Sitting> {
        self.seat().clone().filter(|sitting| !sitting.seat.is_gone())
    }

    fn seat(&self) -> MutexGuard<'_, Option<Sitting>> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The foreign runner's machine, of which nothing is known before it polls.
#[derive(Debug)]
struct Elsewhere;

impl FactsSource for Elsewhere {
    fn describe(&self, _: &mut Facts) {}
    fn load(&self) -> Load {
        Load::default()
    }
}

/// A stay: until the foreign runner leaves or falls silent, or the control plane ends ours.
async fn stay(sitting: Sitting) {
    let Sitting { seat, runner, .. } = sitting;
    tokio::select! {
        _ = runner.stopped() => {
            // Removed, or told to shut down: the program behind it is to end too.
            seat.send("command:shutdown", serde_json::Map::new());
            tokio::select! {
                () = seat.silent() => {}
                _ = seat.gone() => {}
            }
            seat.leave();
        }
        () = seat.silent() => seat.leave(),
        _ = seat.gone() => {}
    }
    runner.stop(GRACE).await;
}

/// `GET`: registers a runner.
async fn register(State(gateway): State<Gateway>, headers: HeaderMap) -> Result<Answer, Refusal> {
    let (desk, registrant) = gateway.desk(&headers).await?;
    let _one = desk.entrance.lock().await;
    if desk.sitting().is_some_and(|sitting| sitting.seat.silence() < THERE) {
        return Err(Refusal::Duplicate);
    }
    let sitting = gateway.seat(&desk, registrant, random_id()).await?;
    let runner = sitting.runner.snapshot();
    let body = json!({
        "runnerId": runner.incarnation.to_string(),
        "teamId": "default",
        "capabilities": ["run", "record"],
        "commands": [],
        "sessionId": sitting.seat.session,
    });
    Ok(Json(body).into_response())
}

/// `POST`: a poll, or what became of a command.
async fn message(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Result<Json<Message>, axum::extract::rejection::JsonRejection>,
) -> Result<Answer, Refusal> {
    let (desk, registrant) = gateway.desk(&headers).await?;
    let Json(message) = body.map_err(|error| Refusal::Malformed(error.body_text()))?;
    let session = headers.get("x-session-id").and_then(|value| value.to_str().ok());
    let sitting = match (desk.sitting(), session) {
        (Some(sitting), Some(session)) if sitting.seat.session != session => return Err(Refusal::Displaced),
        (Some(sitting), _) => sitting,
        // The gateway was started again: whoever comes with a session goes on with it.
        (None, _) => {
            let _one = desk.entrance.lock().await;
            match desk.sitting() {
                Some(sitting) => sitting,
                None => {
                    gateway.seat(&desk, registrant, session.map_or_else(random_id, str::to_owned)).await?
                }
            }
        }
    };
    if message.name == "status:heartbeat" {
        return poll(&sitting, message).await;
    }
    if !message.name.starts_with("response:") {
        return Err(Refusal::Unknown(message.name));
    }
    let response = Response::read(&message).map_err(|error| Refusal::Malformed(error.to_string()))?;
    if let (Some(id), Some(response)) = (Response::answers(&message), response) {
        sitting.seat.answered(id, response).await;
    }
    Ok(Json(json!({ "ok": true })).into_response())
}

async fn poll(sitting: &Sitting, message: Message) -> Result<Answer, Refusal> {
    let poll: Poll = serde_json::from_value(Value::Object(message.payload))
        .map_err(|error| Refusal::Malformed(format!("payload: {error}")))?;
    sitting.seat.heard();
    if poll.disconnect {
        sitting.seat.leave();
        return Ok(Json(json!({ "ok": true, "goodbye": true })).into_response());
    }
    if let Some(told) = poll.system_info {
        sitting.tell(told);
    }
    let commands = sitting.seat.poll().await;
    Ok(Json(json!({ "ok": true, "commands": commands })).into_response())
}

impl Sitting {
    /// What the foreign runner says of its machine, once it says something new.
    fn tell(&self, told: SystemInfo) {
        let mut known = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(&told) {
            return;
        }
        self.runner.change_facts(|facts: &mut Facts| {
            let (os, kernel) = told.platform.split_once(' ').unwrap_or((&told.platform, ""));
            (facts.os, facts.kernel) = (os.to_owned(), kernel.to_owned());
            facts.memory_bytes = bytes(told.memory.total);
        });
        *known = Some(told);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn bytes(count: f64) -> u64 {
    count as u64
}

/// Why a call is refused, in the foreign protocol's words.
#[derive(Debug)]
enum Refusal {
    Token,
    Duplicate,
    Displaced,
    Malformed(String),
    Unknown(String),
    Unavailable,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Answer {
        let (code, body) = match self {
            Self::Token => (StatusCode::UNAUTHORIZED, json!({ "error": "the token is not one of a runner" })),
            Self::Duplicate => (
                StatusCode::CONFLICT,
                json!({ "error": "a runner with this token is connected: stop it, or register another one" }),
            ),
            Self::Displaced => {
                (StatusCode::CONFLICT, json!({ "error": "another session has taken this token" }))
            }
            Self::Malformed(problem) => (StatusCode::BAD_REQUEST, json!({ "error": problem })),
            Self::Unknown(name) => {
                let error = "type is neither status:heartbeat nor a response:";
                (StatusCode::BAD_REQUEST, json!({ "error": error, "type": name }))
            }
            Self::Unavailable => {
                (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": "Internal server error" }))
            }
        };
        (code, Json(body)).into_response()
    }
}
