//! Where a request is carried out: in this process, which lasts as long as the run, or at a server.

use crate::{
    args::AskArgs,
    connection::{self, TokenSource},
    faces::ORCHESTRATOR,
    orchestration::Checks,
    settings::Settings,
};
use anyhow::{Context as _, Error, Result, bail};
use runners_api::HttpOrchestrator;
use runners_core::{
    ArtifactStore, Egress, MemoryArtifacts, MemoryStore, TokenKind,
    orchestration::{Orchestrator, OrchestratorClient, OrchestratorError},
};
use runners_transport_http::HttpArtifacts;
use std::{env, sync::Arc};

/// The variable of a credential.
const VARIABLE: &str = "RUNNERS_API_TOKEN";

/// Who is asked.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: OrchestratorClient,
    /// What checks leave.
    pub(super) artifacts: Arc<dyn ArtifactStore>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Here { orchestrator: Orchestrator, checks: Box<Checks> },
    Server(String),
}

impl Place {
    /// Takes the server, or starts an orchestrator of the regions that the settings name.
    pub(super) async fn open(arguments: &AskArgs) -> Result<Self> {
        match &arguments.server {
            Some(server) => Self::at(server, arguments),
            None => {
                check_credential(arguments)?;
                Self::here(arguments).await
            }
        }
    }

    async fn here(arguments: &AskArgs) -> Result<Self> {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            name.into_string().ok().zip(value.into_string().ok())
        };
        let settings = Settings::read(arguments.config.as_deref(), env::vars_os().filter_map(unicode))?;
        let artifacts = MemoryArtifacts::default();
        let flows = arguments.flows.as_deref().or(settings.flows());
        // Whoever starts this says what is called and looked at, and it is their network.
        let egress = Egress::browsing();
        let pages = settings.pages(egress.clone());
        let browsers = arguments.browsers.unwrap_or_else(|| settings.browsers());
        let secrets = arguments.secrets.as_deref().or(settings.secrets());
        let checks = Checks::open(flows, secrets, (&arguments.browser, browsers), pages, artifacts.clone())?;
        let orchestrator =
            checks.orchestrator(MemoryStore::default(), artifacts.clone(), &settings, egress)?;
        let orchestrator = orchestrator.start().await?;
        Ok(Self {
            client: orchestrator.local_client(),
            artifacts: Arc::new(artifacts),
            kind: Kind::Here { orchestrator, checks: Box::new(checks) },
        })
    }

    fn at(server: &str, arguments: &AskArgs) -> Result<Self> {
        let source = TokenSource {
            kinds: &[TokenKind::Api],
            text: arguments.token.as_deref(),
            file: arguments.token_file.as_deref(),
            server,
        };
        let token = source.find()?.ok_or_else(|| source.missing(VARIABLE))?;
        // It says what is wrong with the URL, the token and the certificates.
        let transport = connection::transport(server, token.clone(), &arguments.trust)?;
        let url = format!("{}{ORCHESTRATOR}", server.trim_end_matches('/'));
        let client = HttpOrchestrator::builder(url)
            .token(token)
            .insecure_http(arguments.trust.insecure_http)
            .client(connection::client(&arguments.trust)?)
            .build()
            .with_context(|| format!("cannot use --server {server:?}"))?;
        Ok(Self {
            client: client.into_client(),
            artifacts: Arc::new(HttpArtifacts::new(&transport)),
            kind: Kind::Server(server.to_owned()),
        })
    }

    /// Why nothing is carried out in this process, if nothing is.
    pub(super) fn idle(&self) -> Option<&str> {
        match &self.kind {
            Kind::Here { checks, .. } => checks.idle(),
            Kind::Server(_) => None,
        }
    }

    /// Whether no server is asked.
    pub(super) const fn is_here(&self) -> bool {
        matches!(self.kind, Kind::Here { .. })
    }

    /// Adds what to do to an error.
    pub(super) fn explain(&self, error: OrchestratorError) -> Error {
        let Kind::Server(server) = &self.kind else { return error.into() };
        let advice = match &error {
            OrchestratorError::Unreachable(_) => {
                format!(
                    "could not reach {server}: is it the right URL (-s), and is `runners server` running?"
                )
            }
            OrchestratorError::Denied { .. } => {
                format!("{server} does not allow this token: it is another server's, or its scopes do not do")
            }
            OrchestratorError::Unexpected { .. } => {
                format!("{server} serves no orchestrator below {ORCHESTRATOR}")
            }
            _ => return error.into(),
        };
        Error::from(error).context(advice)
    }

    /// Gives up what is under way, and ends the browser.
    pub(super) async fn close(self) {
        if let Kind::Here { orchestrator, checks } = self.kind {
            orchestrator.stop().await;
            checks.stop().await;
        }
    }
}

/// Refuses a credential that was given for this command and would be used nowhere. The variable may stand there
/// for others.
fn check_credential(arguments: &AskArgs) -> Result<()> {
    let is_of_variable = arguments.token.is_some() && arguments.token == env::var(VARIABLE).ok();
    if arguments.token_file.is_some() || (arguments.token.is_some() && !is_of_variable) {
        bail!("a credential is given, and no server that it is for: name the server by -s");
    }
    Ok(())
}
