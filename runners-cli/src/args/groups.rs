//! Groups of arguments that several commands take.

use super::live::GivenLive;
use crate::{orchestration::BROWSERS_MAX, settings::Settings, size::Size, span::Span};
use clap::{Args, ValueEnum};
use runners_exec_webdriver::{Engine, Screenshots};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

/// Where a server on this machine is, unless said otherwise.
pub(super) const SERVER: &str = "http://127.0.0.1:7878";

/// How a control plane is hosted.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    #[command(flatten)]
    pub(crate) given: GivenSettings,
    /// Print one JSON object a line instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// What was given, with what the file says and what is usual.
    #[arg(skip)]
    pub(crate) settings: Settings,
}

/// Settings of a control plane, as far as they are given. The file may say the same, under the same
/// names without the dashes before; a flag goes before the environment, and that before the file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct GivenSettings {
    /// A file of settings: TOML, or JSON if its name ends so [default: runners.toml, if it is there].
    /// Its keys are the flags below, the section `regions`, and Features.SelfHostedRunnersEnabled,
    /// Features.SelfHostedRelayEnabled, SelfHosted.EnabledTenants and SelfHosted.RelayEnabledTenants;
    /// `runners config schema` describes them all.
    #[arg(long, value_name = "FILE", env = "RUNNERS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where the queue, the artifacts and the tokens are kept [default: runners-data].
    #[arg(long, value_name = "DIR", env = "RUNNERS_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Keep the queue in PostgreSQL instead, which several servers can share: a URL such as
    /// postgres://runners@db.example/runners, without the password. That is PGPASSWORD, or in
    /// --store-password-file.
    #[arg(long, value_name = "URL", env = "RUNNERS_STORE")]
    pub(crate) store: Option<String>,
    /// A file with the password of --store.
    #[arg(long, value_name = "FILE", env = "RUNNERS_STORE_PASSWORD_FILE")]
    pub(crate) store_password_file: Option<PathBuf>,
    /// The schema of --store that holds the tables, one for each deployment [default: runners].
    #[arg(long, value_name = "NAME", env = "RUNNERS_STORE_SCHEMA")]
    pub(crate) store_schema: Option<String>,
    /// How many connections to --store are open at most, from 4 to 256 [default: 16].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_STORE_CONNECTIONS")]
    pub(crate) store_connections: Option<usize>,
    /// Where to listen for what other servers write, if --store leads to a pooler that shares
    /// connections between transactions: the URL of PostgreSQL itself, or `none` to ask now and then.
    #[arg(long, value_name = "URL", env = "RUNNERS_STORE_DIRECT")]
    pub(crate) store_direct: Option<String>,
    /// A PEM file with the authorities that the certificate of --store is checked against, instead of
    /// those of the system.
    #[arg(long, value_name = "FILE", env = "RUNNERS_STORE_CA_FILE")]
    pub(crate) store_ca_file: Option<PathBuf>,
    /// Where the artifacts are kept, if not below --data: a bucket on S3-compatible storage such as
    /// s3://BUCKET/PREFIX, which several servers can share, or another directory. The key to a bucket is
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in --artifacts-credentials-file.
    #[arg(long, value_name = "PLACE", env = "RUNNERS_ARTIFACTS")]
    pub(crate) artifacts: Option<String>,
    /// The URL of the storage of --artifacts [default: AWS].
    #[arg(long, value_name = "URL", env = "RUNNERS_ARTIFACTS_ENDPOINT")]
    pub(crate) artifacts_endpoint: Option<String>,
    /// The region of the bucket [default: what AWS_REGION says, or us-east-1].
    #[arg(long, value_name = "NAME", env = "RUNNERS_ARTIFACTS_REGION")]
    pub(crate) artifacts_region: Option<String>,
    /// A file with the key to the bucket, in the format that AWS's own tools share. It is read again when
    /// somebody renews it.
    #[arg(long, value_name = "FILE", env = "RUNNERS_ARTIFACTS_CREDENTIALS_FILE")]
    pub(crate) artifacts_credentials_file: Option<PathBuf>,
    /// A PEM file with authorities to trust, beside those of the system, for the storage of --artifacts.
    #[arg(long, value_name = "FILE", env = "RUNNERS_ARTIFACTS_CA_FILE")]
    pub(crate) artifacts_ca_file: Option<PathBuf>,
    /// Write the bucket before the host of --artifacts-endpoint, not into the path. It always is at AWS.
    #[arg(long, env = "RUNNERS_ARTIFACTS_VIRTUAL_HOST")]
    pub(crate) artifacts_virtual_host: bool,
    /// Have runners send all artifacts through this server, and none straight to the storage.
    #[arg(long, env = "RUNNERS_NO_DIRECT_UPLOADS")]
    pub(crate) no_direct_uploads: bool,
    /// Send whoever reads an artifact straight to the storage, by an address that is good for a minute: runners,
    /// programs, and browsers for what they save. Browsers must reach it under --artifacts-endpoint.
    #[arg(long, env = "RUNNERS_DIRECT_READS")]
    pub(crate) direct_reads: bool,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7878].
    #[arg(long, value_name = "ADDRESS", env = "RUNNERS_LISTEN", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Speak https with this certificate: a PEM file with the chain, the server's own first. It is
    /// read again when it changes.
    #[arg(long, value_name = "FILE", env = "RUNNERS_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert: a PEM file.
    #[arg(long, value_name = "FILE", env = "RUNNERS_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Allow listening beyond this machine with plain http, where everybody on the way can read the
    /// tokens.
    #[arg(long, env = "RUNNERS_INSECURE_HTTP")]
    pub(crate) insecure_http: bool,
    /// Let webhooks call this network too, such as 10.0.0.0/8; may be given several times. Public
    /// addresses can always be called.
    #[arg(long, value_name = "NETWORK", env = "RUNNERS_WEBHOOK_ALLOW", value_delimiter = ',')]
    pub(crate) webhook_allow: Vec<runners_core::Network>,
    /// Leave out the dashboard, which is at /dashboard otherwise.
    #[arg(long, env = "RUNNERS_NO_DASHBOARD")]
    pub(crate) no_dashboard: bool,
    /// Serve metrics as Prometheus text on this address, or on this port of 127.0.0.1. Whoever reaches
    /// it can read them.
    #[arg(long, value_name = "ADDRESS", value_parser = metrics_address, env = "RUNNERS_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// How long a lease is good for without a word from its runner [default: 3m]. The shorter, the
    /// sooner lost work is tried again, and the shorter an outage that running work survives.
    #[arg(long, value_name = "TIME", env = "RUNNERS_TERM")]
    pub(crate) term: Option<Span>,
    /// How long the credential of a runner is good for; it renews it by itself [default: 90d].
    #[arg(long, value_name = "TIME", env = "RUNNERS_CREDENTIAL_LIFE")]
    pub(crate) credential_life: Option<Span>,
    /// How long bytes that nothing names stay among the artifacts [default: 6h].
    #[arg(long, value_name = "TIME", env = "RUNNERS_ARTIFACT_GRACE")]
    pub(crate) artifact_grace: Option<Span>,
    /// How many bytes the artifacts of a tenant may have, such as 50g, unless `runners tenants quota` says
    /// otherwise of it [default: any number]. What does not fit is refused before it is sent, and its job ends
    /// as it would have without it.
    #[arg(long, value_name = "SIZE", env = "RUNNERS_ARTIFACT_QUOTA")]
    pub(crate) artifact_quota: Option<Size>,
    /// How long ended jobs are kept, with what they left, unless their tenant says otherwise
    /// [default: 30d].
    #[arg(long, value_name = "TIME", env = "RUNNERS_KEEP_JOBS")]
    pub(crate) keep_jobs: Option<Span>,
    /// A directory of recorded flows, each a check under the name of its file: for regions that are
    /// pools, and with a browser here for mode local and the runner endpoint.
    #[arg(long, value_name = "DIR", env = "RUNNERS_FLOWS")]
    pub(crate) flows: Option<PathBuf>,
    /// A directory of secrets that those flows may name where they are carried out here, for the tenant
    /// default alone: one in each file (mode 0600). Environment variables RUNNERS_SECRET_NAME are secrets
    /// too.
    #[arg(long, value_name = "DIR", env = "RUNNERS_SECRETS")]
    pub(crate) secrets: Option<PathBuf>,
    /// How many of those checks are carried out here at once, over all calls, each in a browser; others
    /// wait for their turn. From 1 to 64 [default: 4].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_BROWSERS", value_parser = browsers)]
    pub(crate) browsers: Option<usize>,
    /// Let regions be called, and pages be looked at from here, in this network too, such as
    /// 127.0.0.0/8; may be given several times. Public addresses always can be.
    #[arg(long, value_name = "NETWORK", env = "RUNNERS_EGRESS_ALLOW", value_delimiter = ',')]
    pub(crate) egress_allow: Vec<runners_core::Network>,
    /// Let only pages of this host be looked at from here, or of all below it with *.example.org; may be
    /// given several times [default: of every host].
    #[arg(long, value_name = "HOST", env = "RUNNERS_EGRESS_HOST", value_delimiter = ',')]
    pub(crate) egress_host: Vec<String>,
    /// Serve no orchestrator, below /api/orchestrator.
    #[arg(long, env = "RUNNERS_NO_ORCHESTRATOR")]
    pub(crate) no_orchestrator: bool,
    /// Serve no runner endpoint, below /api/runner.
    #[arg(long, env = "RUNNERS_NO_ENDPOINT")]
    pub(crate) no_endpoint: bool,
    #[command(flatten)]
    pub(crate) live: GivenLive,
}

/// Which servers a credential is sent to. Proxies are those that HTTPS_PROXY and NO_PROXY name.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustArgs {
    /// A PEM file with certificates of authorities to trust beside those of the system.
    #[arg(long, value_name = "FILE", env = "RUNNERS_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Allow plain http beyond this machine, where everybody on the way can read the credential.
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

/// How a control plane is reached as a user.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApiArgs {
    /// The control plane's URL.
    #[arg(short, long, value_name = "URL", env = "RUNNERS_SERVER", default_value = SERVER)]
    pub(crate) server: String,
    /// The API credential; safer are --token-file and RUNNERS_API_TOKEN.
    #[arg(short, long, value_name = "TOKEN", env = "RUNNERS_API_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A file with the API credential [default for a server on this machine: runners-data/api-token,
    /// if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Work within this tenant, by its id or name. Only the operator can: the credential is then
    /// [default for a server on this machine: runners-data/operator-token, if it is there].
    #[arg(long, value_name = "TENANT")]
    pub(crate) as_tenant: Option<String>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// Which browser replays flows, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct BrowserArgs {
    /// Which browser to start: chromium, firefox or webkit.
    #[arg(long, value_name = "ENGINE", env = "RUNNERS_ENGINE", default_value_t = Engine::Chromium)]
    pub(crate) engine: Engine,
    /// Show the browser's window.
    #[arg(long)]
    pub(crate) headed: bool,
    /// Let pages use the graphics card of this machine; without it, WebGL is drawn by software.
    #[arg(long, env = "RUNNERS_GPU")]
    pub(crate) gpu: bool,
    /// Keep so many browsers started, each for one flow after the other in a context of its own, which
    /// leaves nothing behind. For chromium and firefox.
    #[arg(long, value_name = "COUNT", env = "RUNNERS_WARM", default_value_t = 0)]
    pub(crate) warm: u16,
    /// Replace a browser of --warm after so many flows [default: 100].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_WARM_JOBS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) warm_jobs: Option<u32>,
    /// Replace a browser of --warm that has more memory of its own between two flows, in MiB [default: 1024].
    /// It is looked at on Linux.
    #[arg(long, value_name = "MIB", env = "RUNNERS_WARM_MEMORY", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) warm_memory: Option<u32>,
    /// Let browsers go to this host only, such as shop.example or *.shop.example; may be repeated. Without
    /// it, flows of others go everywhere but to link-local addresses and a cloud's metadata.
    #[arg(long, value_name = "HOST", env = "RUNNERS_BROWSE", value_delimiter = ',')]
    pub(crate) browse: Vec<String>,
    /// Use the WebDriver at this URL, such as a Selenium Grid, instead of starting a browser. User and
    /// password in it are told nowhere; safer than on the command line they are in the variable.
    #[arg(long, value_name = "URL", env = "RUNNERS_WEBDRIVER", hide_env_values = true)]
    #[arg(conflicts_with_all = ["headed", "gpu"])]
    pub(crate) webdriver: Option<String>,
    /// A JSON file with the capabilities to ask of --webdriver, such as {"browserName": "firefox"}. The
    /// variable RUNNERS_WEBDRIVER_AUTHORIZATION is sent as that header, if it is there.
    #[arg(long, value_name = "FILE", env = "RUNNERS_WEBDRIVER_CAPABILITIES", requires = "webdriver")]
    pub(crate) webdriver_capabilities: Option<PathBuf>,
    /// Which pictures are kept.
    #[arg(long, value_enum, default_value_t = Pictures::End)]
    pub(crate) screenshots: Pictures,
    /// Keep more: the bodies of requests, what the screen showed, or a video of it (by ffmpeg); may be
    /// repeated. A flow may ask for the same.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) capture: Vec<Captured>,
    /// The pictures that pages are compared with.
    #[arg(long, value_name = "DIR", default_value = "baselines", env = "RUNNERS_BASELINES")]
    pub(crate) baselines: PathBuf,
    /// Keep the pictures that differ, or are new, as those that are compared with.
    #[arg(long)]
    pub(crate) update_baselines: bool,
}

/// What else is kept of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Captured {
    /// The bodies of requests and responses.
    Bodies,
    /// Pictures of the screen whenever it changes.
    Frames,
    /// A video of the screen.
    Video,
}

impl Captured {
    /// What a job says to ask for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Bodies => "bodies",
            Self::Frames => "frames",
            Self::Video => "video",
        }
    }
}

/// Which pictures of a flow are kept.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Pictures {
    /// Of the step that failed.
    Failure,
    /// At the end, or of the step that failed.
    End,
    /// After every step.
    Steps,
}

impl From<Pictures> for Screenshots {
    fn from(pictures: Pictures) -> Self {
        match pictures {
            Pictures::Failure => Self::OfFailures,
            Pictures::End => Self::AtTheEnd,
            Pictures::Steps => Self::OfEveryStep,
        }
    }
}

/// What the flows have to be filled in.
#[derive(Debug, Args)]
pub(crate) struct ParameterArgs {
    /// A value for a parameter that the flows declare; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    given: Vec<(String, String)>,
}

impl ParameterArgs {
    /// The values by name; the last one of a name counts.
    pub(crate) fn by_name(&self) -> BTreeMap<String, String> {
        self.given.iter().cloned().collect()
    }
}

/// What is shown and left of flows that were seen through.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Where screenshots, page sources and the reports go.
    #[arg(short, long, value_name = "DIR", default_value = "runners-output")]
    pub(crate) output: PathBuf,
    /// Show every step with its time.
    #[arg(long)]
    pub(crate) steps: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads an address with its port.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address: write IP:PORT, such as 127.0.0.1:7878"))
}

/// Reads an address, or a port of this machine alone.
pub(super) fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    port.or_else(|_| text.parse())
        .map_err(|_| format!("{text:?} is not an address: write a port, such as 9464, or 127.0.0.1:9464"))
}

/// Reads how many browsers there may be at once.
pub(super) fn browsers(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=BROWSERS_MAX).contains(count));
    count.ok_or_else(|| format!("{text:?} is not from 1 to {BROWSERS_MAX}"))
}

/// Reads `NAME=VALUE`.
pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // What was written may be a secret that was meant for another place.
        _ => Err("write NAME=VALUE, such as user=ada".to_owned()),
    }
}

/// Reads how long an attempt may take, such as `90s`, `5m` or `1h`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    match text.parse()? {
        Span(span) if span <= runners_core::JobOptions::TIMEOUT_MAX => Ok(span),
        Span(_) => Err(format!("{text:?} is not between 1ms and 168h, which is the limit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_for_this_machine_unless_an_address_is_given() {
        assert!(
            listen_address("[::]:0").is_ok()
                && listen_address("7878").unwrap_err().contains("127.0.0.1:7878")
        );
        assert_eq!(metrics_address("9464"), Ok(SocketAddr::from(([127, 0, 0, 1], 9464))));
        assert_eq!(metrics_address("[::]:9464"), Ok("[::]:9464".parse().unwrap()));
        for bad in ["", "localhost", "65536", "127.0.0.1"] {
            assert!(metrics_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_attempt_has_a_week_at_most() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("168h"), time("7d"));
        for bad in ["", "90", "0s", "169h"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
