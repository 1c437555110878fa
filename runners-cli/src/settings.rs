//! The settings of a server: from flags, the environment, a file and what is usual, in this order.
//! Each is told with where it comes from; none is a secret.

mod artifacts;
mod document;
mod layer;
mod live;
mod schema;
mod store;

pub(crate) use layer::{DockerSection, Features, SelfHosted, Sources};
pub(crate) use schema::schema;

use crate::{
    args::GivenSettings,
    orchestration::{BROWSERS, BROWSERS_MAX},
    rollout,
    size::Size,
    span::Span,
    terminal,
};
use anyhow::{Context as _, Result, bail};
use layer::Layer;
use runners_core::{ControlPlaneBuilder, Egress, Feature, Network, Retention, Rollout, TenantId};
use runners_exec_container::ImageReference;
use runners_region_http::{HttpRegion, REGIONS_VARIABLE, RegionSettings};
use serde_json::{Map, json};
use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// The settings of a server, each as it counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    layer: Layer,
    /// Where each that is set comes from, by its key.
    origins: BTreeMap<String, Origin>,
    /// Regions, each with where it comes from; of two with the same name the later counts.
    regions: Regions,
}

/// What each source says, a later one before those in front of it.
type Layers = Vec<(Origin, Layer)>;
type Regions = Vec<(Origin, RegionSettings)>;

/// The shortest term that a control plane takes.
const TERM_MIN: Duration = Duration::from_secs(1);

/// The file of settings where none is named, if it is there.
const FILE: &str = "runners.toml";

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment,
    File(PathBuf),
    Default,
}

impl Settings {
    /// Puts together what was given on the command line and in `environment`, and what the file says
    /// that those name.
    pub(crate) fn resolve(
        given: &GivenSettings,
        sources: &Sources,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let (mut layers, regions) = Self::of_file(given.config.as_deref(), &environment)?;
        let docker = rollout::docker(&environment);
        let (features, self_hosted) = rollout::read(environment)?;
        let variables =
            Layer { features, self_hosted, docker, ..Layer::given(given, |id| sources.in_environment(id)) };
        layers.push((Origin::Environment, variables));
        layers.push((Origin::Flag, Layer::given(given, |id| sources.on_command_line(id))));
        let settings = Self { regions, ..Self::merge(layers)? };
        settings.check()?;
        Ok(settings)
    }

    /// What a file says, and the regions of `environment`: for those who host nothing.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let (layers, regions) = Self::of_file(file, &environment)?;
        let settings = Self { regions, ..Self::merge(layers)? };
        settings.check_browsers()?;
        Ok(settings)
    }

    fn of_file(file: Option<&Path>, environment: &[(String, String)]) -> Result<(Layers, Regions)> {
        let (mut layers, mut all) = (vec![(Origin::Default, Layer::usual())], Vec::new());
        let usual = || Some(Path::new(FILE)).filter(|file| file.is_file());
        if let Some(path) = file.or_else(usual) {
            let (layer, regions) = document::read(path)?;
            layers.push((Origin::File(path.to_owned()), layer));
            all.push((Origin::File(path.to_owned()), regions));
        }
        if let Some((name, text)) = environment.iter().find(|(name, _)| name == REGIONS_VARIABLE)
            && !text.trim().is_empty()
        {
            all.push((Origin::Environment, text.parse().with_context(|| name.clone())?));
        }
        Ok((layers, all))
    }

    /// What stands in a later layer counts.
    fn merge(layers: Vec<(Origin, Layer)>) -> Result<Self> {
        let (mut merged, mut origins) = (Map::new(), BTreeMap::new());
        for (origin, layer) in layers {
            for (key, value) in layer.entries() {
                origins.insert(key.clone(), origin.clone());
                layer::put(&mut merged, &key, value);
            }
        }
        let layer = serde_json::from_value(merged.into()).context("the settings do not fit together")?;
        Ok(Self { layer, origins, regions: Vec::new() })
    }

    fn check(&self) -> Result<()> {
        if self.layer.tls_cert.is_some() != self.layer.tls_key.is_some() {
            bail!("--tls-cert and --tls-key belong together: give both, or neither");
        }
        if let Some(Span(term)) = self.layer.term.filter(|Span(term)| *term < TERM_MIN) {
            bail!(
                "term is {}ms, and must be at least 1s: a runner speaks several times within it, and whoever it \
                 does not hear from in time loses its work",
                term.as_millis()
            );
        }
        self.store()?;
        self.check_browsers()?;
        self.artifacts()?;
        self.live()?;
        if let Some(image) = &self.layer.docker.default_image {
            image.parse::<ImageReference>().context("Docker.DefaultImage")?;
        }
        if self.tls().is_some() && self.insecure_http() {
            bail!("there is a certificate, and insecure-http allows to go without: leave one of them out");
        }
        Ok(())
    }

    fn check_browsers(&self) -> Result<()> {
        match self.browsers() {
            1..=BROWSERS_MAX => Ok(()),
            browsers => bail!("browsers is {browsers}, and must be from 1 to {BROWSERS_MAX}"),
        }
    }

    pub(crate) fn data(&self) -> &Path {
        self.layer.data.as_deref().unwrap_or(Path::new(crate::tokens::DATA))
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.layer.listen.unwrap_or(layer::LISTEN)
    }

    /// The certificate and its key.
    pub(crate) fn tls(&self) -> Option<(&Path, &Path)> {
        self.layer.tls_cert.as_deref().zip(self.layer.tls_key.as_deref())
    }

    pub(crate) fn insecure_http(&self) -> bool {
        self.layer.insecure_http.unwrap_or_default()
    }

    /// Whether there is a dashboard.
    pub(crate) fn dashboard(&self) -> bool {
        !self.layer.no_dashboard.unwrap_or_default()
    }

    pub(crate) fn webhook_allow(&self) -> impl Iterator<Item = Network> {
        self.layer.webhook_allow.iter().flatten().map(|network| network.0)
    }

    pub(crate) fn metrics_listen(&self) -> Option<SocketAddr> {
        self.layer.metrics_listen
    }

    pub(crate) fn flows(&self) -> Option<&Path> {
        self.layer.flows.as_deref()
    }

    pub(crate) fn secrets(&self) -> Option<&Path> {
        self.layer.secrets.as_deref()
    }

    /// How many browsers carry checks out here at once.
    pub(crate) fn browsers(&self) -> usize {
        self.layer.browsers.unwrap_or(BROWSERS)
    }

    pub(crate) fn serves_orchestrator(&self) -> bool {
        !self.layer.no_orchestrator.unwrap_or_default()
    }

    pub(crate) fn serves_endpoint(&self) -> bool {
        !self.layer.no_endpoint.unwrap_or_default()
    }

    /// Regions that are called over HTTP, where `egress` and the settings allow it.
    pub(crate) fn regions(&self, egress: Egress) -> Result<Vec<HttpRegion>> {
        let egress = self.with_networks(egress);
        let mut all = BTreeMap::new();
        for (origin, settings) in &self.regions {
            let regions = settings.clone().build(&egress);
            let regions =
                regions.with_context(|| format!("{origin}: allow it with --egress-allow if need be"))?;
            all.extend(regions.into_iter().map(|region| (region.name().to_owned(), region)));
        }
        Ok(all.into_values().collect())
    }

    /// Which pages may be looked at from here.
    pub(crate) fn pages(&self, egress: Egress) -> Egress {
        let hosts = self.layer.egress_host.iter().flatten();
        hosts.fold(self.with_networks(egress), Egress::allow_host)
    }

    fn with_networks(&self, egress: Egress) -> Egress {
        let networks = self.layer.egress_allow.iter().flatten().map(|network| network.0);
        networks.fold(egress, Egress::allow_network)
    }

    /// Gives a control plane its limits and what is rolled out.
    pub(crate) fn apply(&self, mut builder: ControlPlaneBuilder) -> ControlPlaneBuilder {
        if let Some(Span(term)) = self.layer.term {
            builder = builder.term(term);
        }
        if let Some(Span(life)) = self.layer.credential_life {
            builder = builder.credential_life(life);
        }
        if let Some(Span(grace)) = self.layer.artifact_grace {
            builder = builder.artifact_grace(grace);
        }
        if let Some(Size(quota)) = self.layer.artifact_quota {
            builder = builder.artifact_quota(quota);
        }
        if let Some(Span(kept)) = self.layer.keep_jobs {
            builder = builder.retention(Retention { concluded_for: Some(kept), ..Retention::default() });
        }
        // What cannot be was refused when it was read.
        if let Ok(live) = self.live() {
            builder = builder.live(live);
        }
        if let Some(image) = &self.layer.docker.default_image {
            builder = builder.default_image(image);
        }
        builder.rollout(self.rollout())
    }

    fn rollout(&self) -> Rollout {
        let (features, tenants) = (&self.layer.features, &self.layer.self_hosted);
        let feature = |enabled: Option<bool>, tenants: &Option<Vec<TenantId>>| Feature {
            enabled: enabled.unwrap_or(true),
            tenants: tenants.iter().flatten().copied().collect(),
        };
        Rollout {
            self_hosted: feature(features.self_hosted_runners_enabled, &tenants.enabled_tenants),
            relay: feature(features.self_hosted_relay_enabled, &tenants.relay_enabled_tenants),
        }
    }

    /// Prints every setting with where it comes from: as a file that says the same, or as JSON.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            let each = self.layer.entries().into_iter().map(|(key, value)| {
                let origin = self.origins.get(&key).map(ToString::to_string);
                (key, json!({ "value": value, "source": origin }))
            });
            let regions = self.region_names().map(|(name, origin)| {
                (format!("{}.{name}", document::REGIONS), json!({ "source": origin.to_string() }))
            });
            return terminal::print_json(&each.chain(regions).collect::<Map<_, _>>());
        }
        let mut section = "";
        let keys = layer::keys();
        for key in &keys {
            let (above, name) = key.rsplit_once('.').unwrap_or(("", key));
            if above != std::mem::replace(&mut section, above) {
                terminal::print(format!("\n[{above}]"));
            }
            terminal::print(self.line(key, name));
        }
        let mut regions = self.region_names().peekable();
        if regions.peek().is_some() {
            terminal::print(format!("\n[{}]", document::REGIONS));
        }
        for (name, origin) in regions {
            terminal::print(format!("{:<40} # {origin}", format!("# {name} = …")));
        }
    }

    /// The names of regions, each with where it comes from. What they are may be a secret.
    fn region_names(&self) -> impl Iterator<Item = (&str, &Origin)> {
        let mut all = BTreeMap::new();
        for (origin, settings) in &self.regions {
            all.extend(settings.names().map(|name| (name, origin)));
        }
        all.into_iter()
    }

    fn line(&self, key: &str, name: &str) -> String {
        let value = self.layer.entries().into_iter().find(|(set, _)| set == key).map(|(_, value)| value);
        match (value.and_then(|value| toml::Value::try_from(value).ok()), self.origins.get(key)) {
            (Some(value), Some(origin)) => format!("{:<40} # {origin}", format!("{name} = {value}")),
            _ => format!("# {name} is not set"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests;
