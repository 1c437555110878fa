//! Where metrics and spans go: set up once by a host, ended by it.

use crate::{
    error::TelemetryError, exposition::Exposition, instruments::OtelMetrics, otlp::Otlp, traces::OtelTraces,
};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::SdkMeterProvider,
    trace::{SdkTracer, SdkTracerProvider, SpanExporter},
};
use runners_core::{Clock, SystemClock, metrics::Meter};
use std::{sync::Arc, time::Duration};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

/// Metrics and spans of one program, on their way to wherever they are kept.
///
/// Nothing global is installed: the host gives [`metrics`](Self::metrics) and
/// [`traces`](Self::traces) to what it builds, adds the [`layer`](Self::layer) to its subscriber, and
/// calls [`shutdown`](Self::shutdown) at the end.
#[derive(Debug)]
pub struct Telemetry {
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
    exposition: Option<Exposition>,
    reads: bool,
    prefix: String,
    clock: Arc<dyn Clock>,
}

/// Describes telemetry before it is set up.
#[derive(Debug)]
#[must_use = "nothing is set up until `build`"]
pub struct TelemetryBuilder {
    service: String,
    prefix: String,
    exposes: bool,
    otlp: Result<Option<Otlp>, TelemetryError>,
    tracers: Option<SdkTracerProvider>,
    clock: Arc<dyn Clock>,
}

/// What the tracer of the layer is called.
const TRACER: &str = "runners";

impl Telemetry {
    /// Starts to describe the telemetry of `service`, such as `runners-server`.
    /// `OTEL_SERVICE_NAME` goes before it.
    pub fn builder(service: impl Into<String>) -> TelemetryBuilder {
        TelemetryBuilder {
            service: service.into(),
            prefix: Meter::PREFIX.to_owned(),
            exposes: false,
            otlp: Ok(None),
            tracers: None,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// What a control plane, a runner or both record to. If metrics are neither exposed nor sent,
    /// none are made.
    #[must_use]
    pub fn metrics(&self) -> OtelMetrics {
        OtelMetrics::new(&self.meters, &self.prefix).wanted(self.reads)
    }

    /// The metrics as Prometheus text, if that was asked for.
    #[must_use]
    pub fn exposition(&self) -> Option<Exposition> {
        self.exposition.clone()
    }

    /// What carries traces from the client over the control plane to the runner. Give it to the
    /// builders of all that are in this process.
    #[must_use]
    pub fn traces(&self) -> OtelTraces {
        OtelTraces::default()
    }

    /// The layer that turns `tracing` spans into exported ones, if spans are exported. Without it
    /// in the subscriber, [`traces`](Self::traces) carries nothing.
    #[must_use]
    pub fn layer<S>(&self) -> Option<OpenTelemetryLayer<S, SdkTracer>>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracers = self.tracers.as_ref()?;
        Some(tracing_opentelemetry::layer().with_tracer(tracers.tracer(TRACER)))
    }

    /// Sends what is still to be sent, and ends. It takes no longer than `within`.
    ///
    /// # Errors
    /// [`TelemetryError::Undelivered`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves it ending.
    pub async fn shutdown(self, within: Duration) -> Result<(), TelemetryError> {
        let deadline = self.clock.boot() + within;
        let (meters, tracers) = (self.meters, self.tracers);
        // The providers block until their threads have sent the rest.
        let ended = tokio::task::spawn_blocking(move || -> OTelSdkResult {
            let spans = tracers.map_or(Ok(()), |tracers| tracers.shutdown_with_timeout(within));
            meters.shutdown_with_timeout(within).and(spans)
        });
        let undelivered = |error| TelemetryError::Undelivered(error);
        tokio::select! {
            biased;
            ended = ended => match ended {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(undelivered(error.into())),
                Err(error) => Err(undelivered(error.into())),
            },
            () = self.clock.sleep_until(deadline) => Err(undelivered("it took too long".into())),
        }
    }
}

impl TelemetryBuilder {
    /// What the names of the meters begin with; [`Meter::PREFIX`] unless said otherwise.
    pub fn meter_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Has the metrics at hand as Prometheus text: [`Telemetry::exposition`].
    pub const fn exposes(mut self) -> Self {
        self.exposes = true;
        self
    }

    /// Sends metrics and spans to the collector at this URL, to which `/v1/metrics` and
    /// `/v1/traces` are added.
    pub fn otlp(mut self, endpoint: impl Into<String>) -> Self {
        self.otlp = Ok(Some(Otlp::to(endpoint.into())));
        self
    }

    /// Sends metrics and spans as the standard `OTEL_*` variables say: nothing, unless
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` or that of one kind is set. The protocol is `http/protobuf`.
    pub fn otlp_from_env(mut self) -> Self {
        self.otlp = Otlp::from_variables(|name| std::env::var(name).ok());
        self
    }

    /// Hands each span that ends to `exporter`, in place of sending it by OTLP.
    pub fn spans_to(mut self, exporter: impl SpanExporter + 'static) -> Self {
        self.tracers = Some(SdkTracerProvider::builder().with_simple_exporter(exporter).build());
        self
    }

    /// Where it takes the time from. The machine unless said otherwise.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets it up. If anything is sent, that happens on the current tokio runtime.
    ///
    /// # Errors
    /// [`TelemetryError::Invalid`] for a setting that cannot be used, [`TelemetryError::NoRuntime`],
    /// [`TelemetryError::Exporter`].
    pub fn build(self) -> Result<Telemetry, TelemetryError> {
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => Resource::builder().build(),
            None => Resource::builder().with_service_name(self.service).build(),
        };
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone());
        let mut tracers = self.tracers;
        let mut exposition = None;
        let mut reads = self.exposes;
        if self.exposes {
            let registry = prometheus::Registry::new();
            let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build();
            meters = meters.with_reader(exporter.map_err(|error| TelemetryError::Exporter(error.into()))?);
            exposition = Some(Exposition::new(registry));
        }
        if let Some(otlp) = self.otlp? {
            let sender = otlp.sender()?;
            if otlp.metrics {
                reads = true;
                meters = meters.with_periodic_exporter(otlp.metrics(&sender)?);
            }
            if otlp.traces && tracers.is_none() {
                let spans = otlp.spans(&sender)?;
                let provider = SdkTracerProvider::builder().with_batch_exporter(spans);
                tracers = Some(provider.with_resource(resource).build());
            }
        }
        let (prefix, clock) = (self.prefix, self.clock);
        Ok(Telemetry { meters: meters.build(), tracers, exposition, reads, prefix, clock })
    }
}
