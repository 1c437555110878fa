//! Sending to a collector by OTLP over HTTP, as the standard `OTEL_*` variables say.

use crate::error::TelemetryError;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Handle;

/// Where to send, and how long that may take.
#[derive(Clone, Debug)]
pub(crate) struct Otlp {
    /// The base that `/v1/metrics` and `/v1/traces` are added to; else the variables say.
    pub(crate) endpoint: Option<String>,
    pub(crate) metrics: bool,
    pub(crate) traces: bool,
    timeout: Duration,
}

/// How long one request to the collector may take, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says
/// otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer of a collector that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

impl Otlp {
    /// Sends both kinds to `endpoint`.
    pub(crate) const fn to(endpoint: String) -> Self {
        Self { endpoint: Some(endpoint), metrics: true, traces: true, timeout: TIMEOUT }
    }

    /// What the standard variables ask for; `None` if that is nothing.
    pub(crate) fn from_variables(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Option<Self>, TelemetryError> {
        let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
        let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let all = variable("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
        let wanted = |endpoint, exporter| {
            let off = variable(exporter).is_some_and(|value| value.eq_ignore_ascii_case("none"));
            !disabled && !off && (all || variable(endpoint).is_some())
        };
        let metrics = wanted("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER");
        let traces = wanted("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER");
        if !metrics && !traces {
            return Ok(None);
        }
        for setting in [
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        ] {
            if let Some(found) = variable(setting).filter(|found| found != "http/protobuf") {
                let problem = format!("{found:?} is not spoken here: write http/protobuf, or leave it out");
                return Err(TelemetryError::Invalid { setting, problem });
            }
        }
        let timeout = match variable("OTEL_EXPORTER_OTLP_TIMEOUT") {
            None => TIMEOUT,
            Some(text) => text.trim().parse().map(Duration::from_millis).map_err(|_| {
                let problem = format!("{text:?} is not a number of milliseconds");
                TelemetryError::Invalid { setting: "OTEL_EXPORTER_OTLP_TIMEOUT", problem }
            })?,
        };
        Ok(Some(Self { endpoint: None, metrics, traces, timeout }))
    }

    /// What sends. It works on the runtime that it is made on.
    pub(crate) fn sender(&self) -> Result<Arc<dyn HttpClient>, TelemetryError> {
        let handle = Handle::try_current().map_err(|_| TelemetryError::NoRuntime)?;
        let client =
            reqwest::Client::builder().timeout(self.timeout).redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(|error| TelemetryError::Exporter(error.into()))?;
        Ok(Arc::new(Sender { client, handle }))
    }

    pub(crate) fn metrics(&self, sender: &Arc<dyn HttpClient>) -> Result<MetricExporter, TelemetryError> {
        let mut exporter = MetricExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        exporter = exporter.with_shared_http_client(Arc::clone(sender));
        if let Some(endpoint) = &self.endpoint {
            exporter = exporter.with_endpoint(format!("{}/v1/metrics", endpoint.trim_end_matches('/')));
        }
        exporter.build().map_err(|error| TelemetryError::Exporter(error.into()))
    }

    pub(crate) fn spans(&self, sender: &Arc<dyn HttpClient>) -> Result<SpanExporter, TelemetryError> {
        let mut exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        exporter = exporter.with_shared_http_client(Arc::clone(sender));
        if let Some(endpoint) = &self.endpoint {
            exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')));
        }
        exporter.build().map_err(|error| TelemetryError::Exporter(error.into()))
    }
}

/// Sends by reqwest on a runtime, for exporters that wait on threads of their own.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    handle: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.handle.spawn(async move {
            let mut answer = client.execute(request.try_into()?).await?;
            let (code, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err(format!("the collector answers more than {ANSWER_BYTES_MAX} bytes").into());
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::builder().status(code).body(Bytes::from(body))?;
            *response.headers_mut() = headers;
            Ok(response)
        });
        sent.await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Option<Otlp>, TelemetryError> {
        let find = |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Otlp::from_variables(find)
    }

    #[test]
    fn nothing_is_sent_unless_an_endpoint_is_named() {
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let both = of(&[endpoint]).unwrap().unwrap();
        assert!(both.metrics && both.traces && both.timeout == TIMEOUT);
        assert!(of(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
    }

    #[test]
    fn each_kind_is_switched_by_itself() {
        let one = of(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")]);
        let one = one.unwrap().unwrap();
        assert!(one.traces && !one.metrics);
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let no_traces = of(&[all, ("OTEL_TRACES_EXPORTER", "none")]).unwrap().unwrap();
        assert!(no_traces.metrics && !no_traces.traces);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_the_name_of_the_variable() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        let grpc = of(&[all, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err().to_string();
        assert!(grpc.starts_with("OTEL_EXPORTER_OTLP_PROTOCOL: \"grpc\""), "{grpc}");
        let time = of(&[all, ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]).unwrap_err().to_string();
        assert!(time.starts_with("OTEL_EXPORTER_OTLP_TIMEOUT: \"soon\""), "{time}");
    }
}
