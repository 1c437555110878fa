//! Metrics and traces of the program: where they go, and the port that they are read at.

use crate::args::Command;
use anyhow::{Context as _, Result};
use runners_otel::{Exposition, Telemetry};
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// How long what is still to be sent may take at the end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(3);

/// Sets up what the command line and the `OTEL_*` variables ask for.
pub(crate) fn open(command: &Command) -> Result<Telemetry> {
    let (service, listen) = match command {
        Command::Server(arguments) => ("runners-server", arguments.host.settings.metrics_listen()),
        Command::Dev(arguments) => ("runners-dev", arguments.host.settings.metrics_listen()),
        Command::Run(arguments) => ("runners-run", arguments.metrics_listen),
        Command::Submit(_) => ("runners-submit", None),
        // Short questions, whose spans nobody looks for.
        _ => return Telemetry::builder("runners").build().map_err(Into::into),
    };
    let mut telemetry = Telemetry::builder(service).otlp_from_env();
    if listen.is_some() {
        telemetry = telemetry.exposes();
    }
    telemetry.build().context("metrics and traces cannot go where they are to")
}

/// Sends what is still to be sent.
pub(crate) async fn close(telemetry: Telemetry) {
    if let Err(error) = telemetry.shutdown(SHUTDOWN_MAX).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "some metrics or spans are lost");
    }
}

/// The spans that are exported: those of a job, and what an executor does within.
pub(crate) fn spans() -> Targets {
    Targets::new().with_target("runners", LevelFilter::INFO)
}

/// The port at which metrics are read, while it is open.
#[derive(Debug)]
pub(crate) struct MetricsPort {
    /// Where they are.
    pub(crate) url: String,
    _serving: JoinSet<()>,
}

impl MetricsPort {
    /// Opens it, if it was asked for.
    pub(crate) async fn open(telemetry: &Telemetry, listen: Option<SocketAddr>) -> Result<Option<Self>> {
        let (Some(listen), Some(exposition)) = (listen, telemetry.exposition()) else { return Ok(None) };
        let problem = || format!("could not listen on {listen}: choose another --metrics-listen");
        let listener = TcpListener::bind(listen).await.with_context(problem)?;
        let url = format!("http://{}{}", listener.local_addr().with_context(problem)?, Exposition::PATH);
        let mut serving = JoinSet::new();
        // It ends with what it tells of.
        serving.spawn(async move {
            let served = runners_transport_http::serve(listener, exposition, std::future::pending()).await;
            if let Err(error) = served {
                tracing::warn!(%error, "metrics cannot be read any more");
            }
        });
        Ok(Some(Self { url, _serving: serving }))
    }
}
