//! What one source says of the settings of a server; most say little. The names of the fields are the
//! keys of the file and, but for what is rolled out, the names of the flags.

use crate::{
    args::GivenSettings,
    orchestration::{BROWSERS, BROWSERS_MAX},
    size::Size,
    span::Span,
};
use clap::{ArgMatches, parser::ValueSource};
use runners_core::checks::schemars::{self, JsonSchema};
use runners_core::{Network, TenantId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

/// Where a server listens unless said otherwise.
pub(super) const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7878));

/// What one source says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct Layer {
    pub(super) data: Option<PathBuf>,
    pub(super) store: Option<String>,
    pub(super) store_password_file: Option<PathBuf>,
    pub(super) store_schema: Option<String>,
    pub(super) store_connections: Option<usize>,
    pub(super) store_direct: Option<String>,
    pub(super) store_ca_file: Option<PathBuf>,
    pub(super) artifacts: Option<String>,
    pub(super) artifacts_endpoint: Option<String>,
    pub(super) artifacts_region: Option<String>,
    pub(super) artifacts_credentials_file: Option<PathBuf>,
    pub(super) artifacts_ca_file: Option<PathBuf>,
    pub(super) artifacts_virtual_host: Option<bool>,
    pub(super) no_direct_uploads: Option<bool>,
    pub(super) direct_reads: Option<bool>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) insecure_http: Option<bool>,
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) webhook_allow: Option<Vec<Allowed>>,
    pub(super) no_dashboard: Option<bool>,
    pub(super) metrics_listen: Option<SocketAddr>,
    #[schemars(with = "Option<String>")]
    pub(super) term: Option<Span>,
    #[schemars(with = "Option<String>")]
    pub(super) credential_life: Option<Span>,
    #[schemars(with = "Option<String>")]
    pub(super) artifact_grace: Option<Span>,
    #[schemars(with = "Option<String>")]
    pub(super) artifact_quota: Option<Size>,
    #[schemars(with = "Option<String>")]
    pub(super) keep_jobs: Option<Span>,
    pub(super) flows: Option<PathBuf>,
    pub(super) secrets: Option<PathBuf>,
    #[schemars(range(min = 1, max = BROWSERS_MAX))]
    pub(super) browsers: Option<usize>,
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) egress_allow: Option<Vec<Allowed>>,
    pub(super) egress_host: Option<Vec<String>>,
    pub(super) no_orchestrator: Option<bool>,
    pub(super) no_endpoint: Option<bool>,
    pub(super) no_live: Option<bool>,
    pub(super) live_address: Option<String>,
    pub(super) live_streams: Option<usize>,
    pub(super) live_tenant_streams: Option<usize>,
    pub(super) live_viewers: Option<usize>,
    pub(super) live_rate: Option<u32>,
    pub(super) live_width: Option<u32>,
    #[serde(rename = "Features")]
    pub(super) features: Features,
    #[serde(rename = "SelfHosted")]
    pub(super) self_hosted: SelfHosted,
    #[serde(rename = "Docker")]
    pub(super) docker: DockerSection,
}

/// What is rolled out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct Features {
    pub(crate) self_hosted_runners_enabled: Option<bool>,
    pub(crate) self_hosted_relay_enabled: Option<bool>,
}

/// To whom it is rolled out: to everybody if nobody is named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub(crate) struct SelfHosted {
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) enabled_tenants: Option<Vec<TenantId>>,
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) relay_enabled_tenants: Option<Vec<TenantId>>,
}

/// Containers of jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
#[schemars(crate = "schemars", rename = "Docker")]
pub(crate) struct DockerSection {
    /// The image of container jobs that name none, in pools that have none.
    pub(crate) default_image: Option<String>,
}

/// A network that may be called too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allowed(pub(super) Network);

/// Where each argument was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Vec<(String, ValueSource)>);

impl Layer {
    /// What counts unless anybody says otherwise.
    pub(super) fn usual() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            data: Some(crate::tokens::DATA.into()),
            listen: Some(LISTEN),
            insecure_http: Some(false),
            webhook_allow: Some(Vec::new()),
            no_dashboard: Some(false),
            term: Some(Span(Duration::from_secs(180))),
            credential_life: Some(Span(90 * DAY)),
            artifact_grace: Some(Span(DAY / 4)),
            keep_jobs: Some(Span(30 * DAY)),
            browsers: Some(BROWSERS),
            egress_allow: Some(Vec::new()),
            egress_host: Some(Vec::new()),
            no_orchestrator: Some(false),
            no_endpoint: Some(false),
            no_live: Some(false),
            live_streams: Some(200),
            live_tenant_streams: Some(20),
            live_viewers: Some(32),
            live_rate: Some(30),
            live_width: Some(1920),
            features: Features {
                self_hosted_runners_enabled: Some(true),
                self_hosted_relay_enabled: Some(true),
            },
            self_hosted: SelfHosted {
                enabled_tenants: Some(Vec::new()),
                relay_enabled_tenants: Some(Vec::new()),
            },
            ..Self::default()
        }
    }

    /// Of the arguments, those of which `of` says so.
    pub(super) fn given(given: &GivenSettings, of: impl Fn(&str) -> bool) -> Self {
        let allowed = |networks: &[Network]| networks.iter().copied().map(Allowed).collect();
        Self {
            data: given.data.clone().filter(|_| of("data")),
            store: given.store.clone().filter(|_| of("store")),
            store_password_file: given.store_password_file.clone().filter(|_| of("store_password_file")),
            store_schema: given.store_schema.clone().filter(|_| of("store_schema")),
            store_connections: given.store_connections.filter(|_| of("store_connections")),
            store_direct: given.store_direct.clone().filter(|_| of("store_direct")),
            store_ca_file: given.store_ca_file.clone().filter(|_| of("store_ca_file")),
            artifacts: given.artifacts.clone().filter(|_| of("artifacts")),
            artifacts_endpoint: given.artifacts_endpoint.clone().filter(|_| of("artifacts_endpoint")),
            artifacts_region: given.artifacts_region.clone().filter(|_| of("artifacts_region")),
            artifacts_credentials_file: given
                .artifacts_credentials_file
                .clone()
                .filter(|_| of("artifacts_credentials_file")),
            artifacts_ca_file: given.artifacts_ca_file.clone().filter(|_| of("artifacts_ca_file")),
            artifacts_virtual_host: of("artifacts_virtual_host").then_some(given.artifacts_virtual_host),
            no_direct_uploads: of("no_direct_uploads").then_some(given.no_direct_uploads),
            direct_reads: of("direct_reads").then_some(given.direct_reads),
            listen: given.listen.filter(|_| of("listen")),
            tls_cert: given.tls_cert.clone().filter(|_| of("tls_cert")),
            tls_key: given.tls_key.clone().filter(|_| of("tls_key")),
            insecure_http: of("insecure_http").then_some(given.insecure_http),
            webhook_allow: of("webhook_allow").then(|| allowed(&given.webhook_allow)),
            no_dashboard: of("no_dashboard").then_some(given.no_dashboard),
            metrics_listen: given.metrics_listen.filter(|_| of("metrics_listen")),
            term: given.term.filter(|_| of("term")),
            credential_life: given.credential_life.filter(|_| of("credential_life")),
            artifact_grace: given.artifact_grace.filter(|_| of("artifact_grace")),
            artifact_quota: given.artifact_quota.filter(|_| of("artifact_quota")),
            keep_jobs: given.keep_jobs.filter(|_| of("keep_jobs")),
            flows: given.flows.clone().filter(|_| of("flows")),
            secrets: given.secrets.clone().filter(|_| of("secrets")),
            browsers: given.browsers.filter(|_| of("browsers")),
            egress_allow: of("egress_allow").then(|| allowed(&given.egress_allow)),
            egress_host: of("egress_host").then(|| given.egress_host.clone()),
            no_orchestrator: of("no_orchestrator").then_some(given.no_orchestrator),
            no_endpoint: of("no_endpoint").then_some(given.no_endpoint),
            no_live: of("no_live").then_some(given.live.no_live),
            live_address: given.live.live_address.clone().filter(|_| of("live_address")),
            live_streams: given.live.live_streams.filter(|_| of("live_streams")),
            live_tenant_streams: given.live.live_tenant_streams.filter(|_| of("live_tenant_streams")),
            live_viewers: given.live.live_viewers.filter(|_| of("live_viewers")),
            live_rate: given.live.live_rate.filter(|_| of("live_rate")),
            live_width: given.live.live_width.filter(|_| of("live_width")),
            ..Self::default()
        }
    }

    /// What it says, each by its key: those of a section have a point between.
    pub(super) fn entries(&self) -> Vec<(String, Value)> {
        let mut entries = flat(self);
        entries.retain(|(_, value)| !value.is_null());
        entries
    }
}

impl Sources {
    /// Where each of these arguments was given.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let each = matches.ids().filter_map(|id| Some((id.to_string(), matches.value_source(id.as_str())?)));
        Self(each.collect())
    }

    pub(super) fn on_command_line(&self, id: &str) -> bool {
        self.is(id, ValueSource::CommandLine)
    }

    pub(super) fn in_environment(&self, id: &str) -> bool {
        self.is(id, ValueSource::EnvVariable)
    }

    fn is(&self, id: &str, source: ValueSource) -> bool {
        self.0.iter().any(|(argument, from)| argument == id && *from == source)
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Every key that there is.
pub(super) fn keys() -> Vec<String> {
    flat(&Layer::default()).into_iter().map(|(key, _)| key).collect()
}

/// Puts a value where its key says.
pub(super) fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(map.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            let below = map.entry(section).or_insert_with(|| Map::new().into());
            if let Value::Object(below) = below {
                put(below, rest, value);
            }
        }
    }
}

fn flat(layer: &Layer) -> Vec<(String, Value)> {
    let Ok(Value::Object(map)) = serde_json::to_value(layer) else {
        unreachable!("invariant: settings are plain data with named fields")
    };
    let each = |(key, value): (String, Value)| match value {
        Value::Object(below) => {
            below.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)).collect()
        }
        value => vec![(key, value)],
    };
    // Those of sections come last, as a file has to have them.
    let mut all: Vec<_> = map.into_iter().flat_map(each).collect();
    all.sort_by_key(|(key, _)| key.contains('.'));
    all
}
