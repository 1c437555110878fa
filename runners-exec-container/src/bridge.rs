//! A network of a runner's own: an internal bridge that leads nowhere, and is removed when its use is over.
//! That of an attempt does not even lead to the machine.

use crate::{
    engine::Engine,
    error::EngineError,
    guard::Guard,
    plan::Mark,
    removal::{Made, Removals},
};
use bollard::{models::NetworkCreateRequest, query_parameters::InspectNetworkOptions};
use std::{collections::HashMap, net::IpAddr};

/// What keeps Docker from giving the machine an address in a bridge.
const NO_ADDRESS_OF_THE_MACHINE: (&str, &str) = ("com.docker.network.bridge.inhibit_ipv4", "true");

/// What containers in a network reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Each other.
    Itself,
    /// The machine of the engine, too.
    Machine,
}

/// A network that exists until this is dropped.
#[derive(Debug)]
pub(crate) struct Bridge {
    engine: Engine,
    guard: Guard,
    pub(crate) name: String,
}

impl Bridge {
    /// Makes one.
    ///
    /// # Cancel safety
    /// Dropping the future removes what is made.
    pub(crate) async fn create(
        engine: &Engine,
        removals: &Removals,
        mark: Mark,
        reach: Reach,
    ) -> Result<Self, EngineError> {
        let request = request(engine, mark, reach);
        let name = request.name.clone();
        let docker = engine.docker.clone();
        let making = async move { Ok(Made::Network(docker.create_network(request).await?.id)) };
        let guard = Guard::make((engine, removals), "make a network", making).await?;
        Ok(Self { engine: engine.clone(), guard, name })
    }

    /// The address of the machine in it, if it has one.
    pub(crate) async fn machine(&self) -> Result<Option<IpAddr>, EngineError> {
        let inspected = self.engine.docker.inspect_network(self.guard.id(), None::<InspectNetworkOptions>);
        let found = self.engine.call("look at a network", inspected).await?;
        let ranges = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        Ok(ranges.into_iter().find_map(|range| range.gateway?.parse().ok()))
    }

    /// Removes it, once nobody is in it. What fails goes on in the background.
    pub(crate) async fn remove(self) -> Result<(), EngineError> {
        self.guard.remove().await
    }
}

fn request(engine: &Engine, mark: Mark, reach: Reach) -> NetworkCreateRequest {
    // podman does not know the option.
    let options = (reach == Reach::Itself && engine.version.is_docker()).then(|| {
        let (name, value) = NO_ADDRESS_OF_THE_MACHINE;
        HashMap::from([(name.to_owned(), value.to_owned())])
    });
    NetworkCreateRequest {
        name: mark.name,
        driver: Some("bridge".to_owned()),
        internal: Some(true),
        enable_ipv6: Some(false),
        options,
        labels: Some(mark.labels),
        ..NetworkCreateRequest::default()
    }
}
