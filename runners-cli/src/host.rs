//! A control plane with its HTTP face in this process: opened from a data directory, served until
//! it is told to stop.

use crate::{
    accounts::Accounts,
    args::{BrowserArgs, HostArgs},
    faces::{DASHBOARD, ENDPOINT, Faces, MANAGEMENT, ORCHESTRATOR},
    orchestration::{Checks, Here},
    settings::Settings,
    telemetry::MetricsPort,
    terminal,
    tokens::{self, DataDirectory},
};
use anyhow::{Context as _, Result, bail};
use runners_api::{EndpointFace, ManagementFace, OrchestratorFace, OrchestratorFaceBuilder};
use runners_core::{
    AddressPolicy, ArtifactStore, ControlPlane, Egress, PoolId, Registration, Scope, TenantId, Token,
    TokenKind, orchestration::Orchestrator, store::Store,
};
use runners_dashboard::Dashboard;
use runners_exec_webdriver::RecordedFlows;
use runners_otel::Telemetry;
use runners_transport_http::{HttpFace, HttpWebhooks, Server, TlsIdentity};
use serde_json::json;
use std::{io::ErrorKind, path::Path, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A control plane that listens, and does not answer yet.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) control: ControlPlane,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) data: DataDirectory,
    /// Where the queue is, for people.
    queue: String,
    /// Where artifacts are, for people.
    shelf: String,
    /// Admits runners to the pool `default`.
    pub(crate) registration: Token,
    accounts: Accounts,
    checks: Checks,
    /// None if it is switched off.
    orchestrator: Option<Orchestrator>,
    serves_endpoint: bool,
    /// Which pages may be looked at from here.
    pages: Egress,
    listener: TcpListener,
    /// Speaks https with it, if there is one.
    identity: Option<TlsIdentity>,
    url: String,
    has_dashboard: bool,
    json: bool,
    metrics: Option<MetricsPort>,
}

impl Host {
    /// Claims the address, opens the store, starts the control plane and the orchestrator, and makes sure
    /// of the tokens. Checks are carried out by `browser`; `egress` says where to, beside the settings.
    pub(crate) async fn open(
        arguments: &HostArgs,
        browser: &BrowserArgs,
        egress: Egress,
        telemetry: &Telemetry,
    ) -> Result<Self> {
        let settings = &arguments.settings;
        let (listener, identity) = listen(settings).await?;
        let scheme = if identity.is_some() { "https" } else { "http" };
        let listens = listener.local_addr().context("the listener has no address")?;
        let url = format!("{scheme}://{listens}");
        let data = DataDirectory::open(settings.data())?;
        let kept = settings.store()?;
        let store: Arc<dyn Store> = kept.open(&data.database()).await?;
        let shelf = settings.artifacts()?;
        let artifacts = shelf.open(&data.artifacts()).await?;
        let policy = settings.webhook_allow().fold(AddressPolicy::default(), AddressPolicy::allow);
        let webhooks = HttpWebhooks::new(policy).context("could not set up calls to webhooks")?;
        let control = settings
            .apply(ControlPlane::builder(Arc::clone(&store)))
            .webhooks(webhooks)
            .artifacts(artifacts)
            .flow_reader(RecordedFlows)
            .metrics(telemetry.metrics())
            .traces(telemetry.traces());
        let control = match settings.neighbours(listens, &url)? {
            Some((address, neighbours)) => control.neighbours(address, neighbours),
            None => control,
        };
        let control = control.start().await?;
        let artifacts = control.artifacts();
        let pages = settings.pages(egress.clone());
        let browsers = (browser, settings.browsers());
        let checks =
            Checks::open(settings.flows(), settings.secrets(), browsers, pages.clone(), artifacts.clone())?;
        let orchestrator = match settings.serves_orchestrator() {
            true => {
                let builder = checks.orchestrator(store, artifacts.clone(), settings, egress)?;
                let builder = builder.metrics(telemetry.metrics());
                Some(checks.with_pools(builder, &control).start().await?)
            }
            false => None,
        };
        let registration = admit(&control, &data).await?;
        let accounts = Accounts::new(&control, &data.operator()?);
        let metrics = MetricsPort::open(telemetry, settings.metrics_listen()).await?;
        warn_of_artifacts(kept.is_shared() && shelf.is_usual());
        Ok(Self {
            control,
            artifacts,
            queue: kept.name(&data.database()),
            shelf: shelf.name(&data.artifacts()),
            data,
            registration,
            accounts,
            checks,
            orchestrator,
            serves_endpoint: settings.serves_endpoint(),
            pages,
            listener,
            identity,
            url,
            has_dashboard: settings.dashboard(),
            json: arguments.json,
            metrics,
        })
    }

    /// Where the dashboard is, if there is one.
    pub(crate) fn dashboard_url(&self) -> Option<String> {
        self.has_dashboard.then(|| format!("{}{DASHBOARD}", self.url))
    }

    /// Says where it is and what to do next.
    pub(crate) fn announce(&self, title: &str, next: &[(&str, String)]) {
        let registration = self.data.token_file(TokenKind::Registration);
        let api = self.data.token_file(TokenKind::Api);
        if self.json {
            terminal::print_json(&json!({
                "event": "listening", "url": self.url, "database": self.queue,
                "artifacts": self.shelf,
                "registration_token_file": registration, "api_token_file": api,
                "operator_token_file": self.data.operator_file(),
                "metrics_url": self.metrics.as_ref().map(|metrics| &metrics.url),
                "dashboard_url": self.dashboard_url(),
                "orchestrator_url": self.orchestrator.as_ref().map(|_| format!("{}{ORCHESTRATOR}", self.url)),
                "regions": self.region_names(),
                "endpoint_url": self.serves_endpoint.then(|| format!("{}{ENDPOINT}", self.url)),
                "checks": self.checks.flows.names().collect::<Vec<_>>(),
            }));
            return;
        }
        let strong = console::Style::new().bold();
        terminal::print(strong.apply_to(format!("{title} {}", env!("CARGO_PKG_VERSION"))).to_string());
        let facts = [
            ("listens on", self.url.clone()),
            ("management", format!("{0}{MANAGEMENT}, described at {0}{MANAGEMENT}/docs", self.url)),
            ("protocol", format!("described at {}/docs", self.url)),
            ("queue", self.queue.clone()),
            ("artifacts", self.shelf.clone()),
            ("tokens", format!("{}, {}", registration.display(), api.display())),
            ("operator", self.data.operator_file().display().to_string()),
        ];
        let metrics = self.metrics.as_ref().map(|metrics| ("metrics", metrics.url.clone()));
        let dashboard = self.has_dashboard.then(|| {
            let signs_in = format!("sign in with what is in {}", api.display());
            ("dashboard", format!("{}{DASHBOARD}, {signs_in}", self.url))
        });
        let faint = console::Style::new().dim();
        for (name, value) in
            dashboard.iter().chain(&facts).chain(&self.orchestrates()).chain(&metrics).chain(next)
        {
            terminal::print(format!("  {} {value}", faint.apply_to(format!("{name:<12}"))));
        }
        terminal::print(format!("  {}", faint.apply_to("Ctrl-C stops it.")));
    }

    /// What people are told of the orchestrator and the checks.
    fn orchestrates(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if self.orchestrator.is_some() {
            facts.push(("orchestrator", format!("{}{ORCHESTRATOR}", self.url)));
            let mut regions = self.region_names();
            regions.push("each pool by its name".to_owned());
            facts.push(("regions", regions.join(", ")));
        }
        let checks: Vec<&str> = self.checks.flows.names().collect();
        if self.serves_endpoint && !checks.is_empty() {
            facts.push(("endpoint", format!("{}{ENDPOINT}", self.url)));
        }
        if !checks.is_empty() {
            facts.push(("checks", checks.join(", ")));
        }
        if let Here::Idle(why) = &self.checks.region
            && !checks.is_empty()
        {
            facts.push(("", format!("by pools alone: {why}")));
        }
        facts
    }

    fn region_names(&self) -> Vec<String> {
        self.orchestrator.iter().flat_map(Orchestrator::regions).map(str::to_owned).collect()
    }

    /// The command line that a runner, or a submitter, on this machine would use.
    pub(crate) fn command_line(&self, verb: &str, kind: TokenKind) -> String {
        let file = self.data.token_file(kind);
        let beside = Path::new(tokens::DATA).join(tokens::file_name(kind)) == file;
        let server =
            if self.url == "http://127.0.0.1:7878" { String::new() } else { format!(" -s {}", self.url) };
        let token = if beside { String::new() } else { format!(" --token-file {}", file.display()) };
        format!("runners {verb}{server}{token}")
    }

    /// Serves until `stop` is cancelled and what is under way is answered.
    pub(crate) async fn serve(self, stop: CancellationToken) -> Result<()> {
        let control = self.control.clone();
        let callers = {
            let control = control.clone();
            move |principal| Arc::new(control.caller(principal)) as Arc<dyn runners_core::Transport>
        };
        let face = HttpFace::builder(self.accounts.clone(), callers).artifacts(self.artifacts.clone());
        let face = face.live(control.live()).documented().build();
        let management = ManagementFace::builder(&control, self.accounts.clone()).build();
        let mut faces = Faces::new(face, management.into_router());
        let mut dashboard = Dashboard::builder(&control, self.accounts.clone()).server_url(self.url);
        if let Some(orchestrator) = &self.orchestrator {
            dashboard = dashboard.orchestrator(orchestrator);
            let face = OrchestratorFace::builder(orchestrator, self.accounts.clone());
            let face = with_reports(face.egress(self.pages.clone())).build();
            faces = faces.mount(ORCHESTRATOR, face.into_router());
        }
        if self.has_dashboard {
            faces = faces.with_dashboard(dashboard.build().into_router());
        }
        let endpoint = EndpointFace::builder(self.checks.flows.clone(), self.checks.region.clone());
        let endpoint = endpoint.artifacts(TenantId::DEFAULT, self.artifacts.clone());
        let endpoint = endpoint.authenticate(self.accounts).egress(self.pages).build();
        if self.serves_endpoint {
            faces = faces.mount(ENDPOINT, endpoint.clone().into_router());
        }
        let stopped = async {
            stop.cancelled().await;
            if let Some(orchestrator) = &self.orchestrator {
                orchestrator.stop().await;
            }
            // It answers the calls that it holds back, so that connections can end.
            if let Err(error) = control.stop().await {
                tracing::warn!(%error, "the control plane did not stop well");
            }
        };
        let server = Server::new(self.listener);
        let server = match self.identity {
            Some(identity) => server.tls(identity),
            None => server,
        };
        let served = server.serve(faces, stopped).await.context("the listener is broken");
        endpoint.idle().await;
        self.checks.stop().await;
        served
    }
}

/// Serves what became of each run as a page for people, and for other programs.
fn with_reports(face: OrchestratorFaceBuilder) -> OrchestratorFaceBuilder {
    face.report("report.html", "text/html; charset=utf-8", |run, read| {
        runners_report::Html::of(run).with_artifacts(read).render()
    })
    .report("junit.xml", "application/xml", |run, _| runners_report::junit(run))
    .report("ctrf.json", "application/json", |run, _| runners_report::ctrf(run))
}

/// Claims the address, and opens the certificate if there is one.
async fn listen(settings: &Settings) -> Result<(TcpListener, Option<TlsIdentity>)> {
    let listen = settings.listen();
    let identity = match settings.tls() {
        Some((certificate, key)) => Some(TlsIdentity::open(certificate, key).await?),
        None => None,
    };
    if !listen.ip().to_canonical().is_loopback() && identity.is_none() && !settings.insecure_http() {
        bail!(
            "on {listen} the tokens would travel over plain http for all to read: give --tls-cert and \
             --tls-key, listen on 127.0.0.1 behind a proxy with TLS, or allow it with --insecure-http"
        );
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::Error::from(error).context(format!(
            "could not listen on {listen}: stop what listens there, or choose another --listen"
        )),
        _ => anyhow::Error::from(error).context(format!("could not listen on {listen}")),
    })?;
    Ok((listener, identity))
}

/// Makes sure of both tokens, in their files and in the store.
async fn admit(control: &ControlPlane, data: &DataDirectory) -> Result<Token> {
    let registration = data.token(TokenKind::Registration)?;
    let admits = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT);
    control.admit_registration(registration.digest(), admits).await?;
    let api = data.token(TokenKind::Api)?;
    let scopes = [Scope::Submit, Scope::Read, Scope::Admin];
    control.admit_api_credential(api.digest(), TenantId::DEFAULT, scopes).await?;
    Ok(registration)
}

/// Says that what is left here is not found elsewhere, where there may be an elsewhere.
fn warn_of_artifacts(are_apart: bool) {
    if are_apart {
        terminal::note(
            "artifacts are in the data directory of this server: another one on the same database does not find \
             them, unless both are given the same --artifacts",
        );
    }
}
