//! A region that is called over HTTP: its calls, its circuit and its health. One exchange, and what a
//! reply means, are beside it; when a call is made again is decided by the orchestrator.

use crate::{
    builder::HttpRegionBuilder,
    circuit::{Admission, Circuit},
    exchange,
    settings::RegionTenants,
};
use async_trait::async_trait;
use futures::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::Url;
use runners_core::{
    Clock, Egress,
    orchestration::{Region, RegionCall, RegionError, RegionReply},
    sleep,
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};

/// The header that names a call: one that comes again has the same.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What calls and their answers are.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How long a call is put off where it cannot be found out in time whether the region is back.
const PROBE_FOR: Duration = Duration::from_secs(1);
/// The longest that a region may take to tell about itself, and the most that is read of it.
const HEALTH_WITHIN: Duration = Duration::from_secs(5);
const HEALTH_BYTES_MAX: usize = 1 << 20;

/// A region that is called over HTTP: `POST <url>/execute`. Clones are the same region.
///
/// Every call carries an `Idempotency-Key`, which a repeat of it has again. After five calls in a row
/// that the region did not answer, or put off, it is left alone for a while: calls are put off without
/// being made. It is called again once it answers `GET <url>/info`, with whatever is no error of a server.
///
/// No redirect of a call is followed and no proxy is used, and only addresses that the
/// [`Egress`] allows are connected to, whatever a name leads to.
///
/// What its results name as artifacts is fetched, if whoever calls
/// [keeps](RegionCall::artifacts) it: up to 64 MiB each, 100 of one result, 1,000 of one call and 256 MiB
/// together, in two minutes. Each names its bytes by a `url`, relative to that of the call or absolute, or a
/// `data:` URL with them. They are fetched where the egress allows it, redirects included; the token and the
/// headers of the region go to its own origin alone. What is not fetched is told under `missing` of its
/// result, with the reason, and changes no verdict.
#[derive(Clone)]
pub struct HttpRegion(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) client: reqwest::Client,
    /// The token and the headers of the region.
    pub(crate) headers: HeaderMap,
    pub(crate) egress: Arc<Egress>,
    pub(crate) execute: Url,
    pub(crate) about: Url,
    pub(crate) answer_within: Duration,
    pub(crate) reply_bytes_max: usize,
    pub(crate) circuit: Mutex<Circuit>,
    /// It was found out whether the region is back, or nobody tries any more.
    pub(crate) probe_ended: Notify,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tenants: Option<RegionTenants>,
    /// One for each artifact that may be fetched at once.
    pub(crate) fetches: Semaphore,
}

/// How a region is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionHealth {
    /// Whether it answered.
    pub answers: bool,
    /// Whether it is left alone because it failed again and again.
    pub is_left_alone: bool,
    /// The names of its checks, if it told.
    pub checks: Option<Vec<String>>,
    /// Why it is not well.
    pub problem: Option<String>,
}

impl HttpRegion {
    /// The longest that a call may take, unless said otherwise: 10 minutes.
    pub const ANSWER_WITHIN: Duration = Duration::from_secs(10 * 60);
    /// The largest reply, unless said otherwise: 16 MiB.
    pub const REPLY_BYTES_MAX: usize = 16 << 20;

    /// A region to be set up. The URL is what comes before `/execute`.
    pub fn builder(name: impl Into<String>, url: impl Into<String>) -> HttpRegionBuilder {
        HttpRegionBuilder::new(name.into(), url.into())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose requests it is for, if its [settings](crate::RegionSettings) say. Seeing to it is for whoever
    /// adds it to an orchestrator.
    #[must_use]
    pub fn tenants(&self) -> Option<&RegionTenants> {
        self.0.tenants.as_ref()
    }

    /// Asks the region how it is, with `GET <url>/info`. If it answers, it is left alone no longer.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn health(&self) -> RegionHealth {
        let asked = self.0.ask().await;
        let mut circuit = self.0.circuit();
        if asked.is_ok() {
            circuit.succeeded();
            self.0.probe_ended.notify_waiters();
        }
        let problem = asked.as_ref().err().map(ToString::to_string);
        RegionHealth {
            answers: problem.is_none(),
            is_left_alone: circuit.is_open(),
            checks: asked.ok().flatten(),
            problem,
        }
    }
}

#[async_trait]
impl Region for HttpRegion {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        let over = async {
            select(pin!(call.cancelled()), pin!(call.given_up())).await;
        };
        let mut results = match select(pin!(self.0.in_time(&call)), pin!(over)).await {
            Either::Left((answered, _)) => answered?,
            // What is dropped closes its connection, by which the region sees that nobody waits.
            Either::Right(_) => return Err(RegionError::refused("the call was cancelled")),
        };
        self.0.fetch_left(&call, &mut results).await;
        Ok(RegionReply::new(results))
    }

    fn is_left_alone(&self) -> bool {
        self.0.circuit().is_open()
    }
}

impl Inner {
    async fn in_time(&self, call: &RegionCall) -> Result<Vec<Value>, RegionError> {
        self.admit().await?;
        let after = self.answer_within;
        let calling = exchange::call(self.request(call), self.reply_bytes_max);
        let answered = match select(pin!(calling), pin!(sleep(&*self.clock, after))).await {
            Either::Left((answered, _)) => answered,
            Either::Right(_) => Err(RegionError::TimedOut { after }),
        };
        let is_out_of_order = matches!(
            answered,
            Err(RegionError::RetryLater { .. }
                | RegionError::Unreachable { .. }
                | RegionError::TimedOut { .. })
        );
        let mut circuit = self.circuit();
        if is_out_of_order {
            circuit.failed(self.clock.boot());
        } else {
            circuit.succeeded();
        }
        answered
    }

    fn request(&self, call: &RegionCall) -> reqwest::RequestBuilder {
        let runners = call.checks.iter().map(|check| Asked { name: &check.name, input: &check.input });
        let body = Body {
            url: &call.url,
            runners: runners.collect(),
            run_id: &call.run,
            region: call.region.as_deref(),
            check_timeout: call.check_timeout.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        };
        let body = serde_json::to_vec(&body).expect("invariant: a call is plain data");
        let request = self.client.post(self.execute.clone()).headers(self.headers_of_call());
        let request = request.header(header::CONTENT_TYPE, JSON);
        request.header(IDEMPOTENCY_KEY, call.idempotency_key()).body(body)
    }

    /// Finds out whether the region is to be called.
    async fn admit(&self) -> Result<(), RegionError> {
        let until = self.clock.boot() + HEALTH_WITHIN;
        loop {
            let mut ended = pin!(self.probe_ended.notified());
            ended.as_mut().enable();
            let admission = self.circuit().admit(self.clock.boot());
            match admission {
                Admission::Call => return Ok(()),
                Admission::Probe => return self.probe().await,
                Admission::Wait(left) => return Err(left_alone(left)),
                Admission::Await => {
                    if let Either::Right(_) = select(ended, pin!(self.clock.sleep_until(until))).await {
                        return Err(left_alone(PROBE_FOR));
                    }
                }
            }
        }
    }

    /// Finds out whether the region is back. What it answers is its own affair, as long as it is up to it.
    async fn probe(&self) -> Result<(), RegionError> {
        let probe = Probe(Some(self));
        let request = self.client.get(self.about.clone()).headers(self.headers_of_call());
        let answered = match select(pin!(exchange::code(request)), pin!(self.health_within())).await {
            Either::Left((Ok(code), _)) if code.is_server_error() => Err(out_of_order(code)),
            Either::Left((answered, _)) => answered.map(drop),
            Either::Right((late, _)) => Err(late),
        };
        let now = self.clock.boot();
        let left = probe.ended(|circuit| {
            if answered.is_ok() {
                circuit.succeeded();
            } else {
                circuit.failed(now);
            }
            circuit.left(now)
        });
        answered.map_err(|error| match error {
            // It is not the region that is to be put in order.
            RegionError::Refused { .. } => error,
            error => RegionError::retry_later(Some(left), format!("it was asked how it is: {error}")),
        })
    }

    /// What there is to say once the region has taken too long to tell about itself.
    async fn health_within(&self) -> RegionError {
        sleep(&*self.clock, HEALTH_WITHIN).await;
        RegionError::TimedOut { after: HEALTH_WITHIN }
    }

    /// Asks for the names of the checks. An answer that does not tell them is an answer.
    async fn ask(&self) -> Result<Option<Vec<String>>, RegionError> {
        let request = self.client.get(self.about.clone()).headers(self.headers_of_call());
        let asked = exchange::exchange(request, HEALTH_BYTES_MAX);
        let (code, _, body) = match select(pin!(asked), pin!(self.health_within())).await {
            Either::Left((answered, _)) => answered?,
            Either::Right((late, _)) => return Err(late),
        };
        if code.is_server_error() {
            return Err(out_of_order(code));
        }
        let told: Option<Value> = serde_json::from_slice(&body).ok();
        let names = told.as_ref().and_then(|told| told.get("runners")?.as_array());
        Ok(names.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
    }

    /// Those of the region, and what is understood; the region's own `Accept` goes before.
    fn headers_of_call(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.entry(header::ACCEPT).or_insert(JSON);
        headers
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    url: &'a str,
    runners: Vec<Asked<'a>>,
    run_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    /// In milliseconds. Regions that do not know it ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    check_timeout: Option<u64>,
}

#[derive(Serialize)]
struct Asked<'a> {
    name: &'a str,
    input: &'a Map<String, Value>,
}

/// A probe that is on its way. Dropped, it makes room for another.
struct Probe<'a>(Option<&'a Inner>);

impl Probe<'_> {
    fn ended(mut self, end: impl FnOnce(&mut Circuit) -> Duration) -> Duration {
        let left = self.0.take().map(|inner| {
            let left = end(&mut inner.circuit());
            inner.probe_ended.notify_waiters();
            left
        });
        left.unwrap_or_default()
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.0 {
            inner.circuit().gave_up_probe();
            inner.probe_ended.notify_waiters();
        }
    }
}

/// That a call is put off without being made.
fn left_alone(left: Duration) -> RegionError {
    RegionError::retry_later(Some(left), "it failed again and again, and is left alone for a while")
}

fn out_of_order(code: StatusCode) -> RegionError {
    RegionError::retry_later(None, code.to_string())
}

impl fmt::Debug for HttpRegion {
    /// Without the URL, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRegion").field("name", &self.0.name).finish_non_exhaustive()
    }
}
