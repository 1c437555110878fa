//! The conformance suites: of transports over loopback, plain, over HTTP/2, through a proxy that delays and
//! through one that drops and cuts; of artifact stores over everything that stores.

use crate::{
    proxy::{Fate, Proxy},
    support::{Near, Running, face, of_the_host},
};
use runners_core::{
    ArtifactStore, MemoryArtifacts, Transport, TransportError,
    protocol::{Reply, Request},
    testing::artifact_suite,
};
use runners_transport_http::{HttpArtifacts, HttpTransport};
use std::sync::Arc;

mod plain {
    async fn make(far: super::Arc<dyn super::Transport>) -> impl super::Transport {
        let running = super::Running::start(super::face(far)).await;
        super::Near(running.transport(super::of_the_host()), running)
    }
    runners_core::transport_suite!(make);
}

mod http2 {
    async fn make(far: super::Arc<dyn super::Transport>) -> impl super::Transport {
        let running = super::Running::start(super::face(far)).await;
        let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
        let builder = super::HttpTransport::builder(running.url()).client(client);
        super::Near(builder.token(super::of_the_host()).build().unwrap(), running)
    }
    runners_core::transport_suite!(make);
}

mod delayed {
    async fn make(far: super::Arc<dyn super::Transport>) -> impl super::Transport {
        let running = super::Running::start(super::face(far)).await;
        let proxy = super::Proxy::start(running.address, |_| super::Fate::Delayed).await;
        super::Near(proxy.transport(super::of_the_host()), (running, proxy))
    }
    runners_core::transport_suite!(make);
}

/// Two in three connections are lost, one of them in the head of its first request.
mod cut {
    async fn make(far: super::Arc<dyn super::Transport>) -> impl super::Transport {
        let running = super::Running::start(super::face(far)).await;
        let fate = |number| match number % 3 {
            0 => super::Fate::Dropped,
            1 => super::Fate::CutAfterRequest(40),
            _ => super::Fate::Carried,
        };
        let proxy = super::Proxy::start(running.address, fate).await;
        super::Again(super::Near(proxy.transport(super::of_the_host()), (running, proxy)))
    }
    runners_core::transport_suite!(make);
}

mod below_a_prefix {
    async fn make(far: super::Arc<dyn super::Transport>) -> impl super::Transport {
        let running = super::Running::start(super::face(far).prefix("/a/b/")).await;
        let builder = super::HttpTransport::builder(format!("{}/a/b", running.url()));
        super::Near(builder.token(super::of_the_host()).build().unwrap(), running)
    }
    runners_core::transport_suite!(make);
}

/// A transport that asks again where nothing came back. No request is lost after it has arrived whole, so none
/// arrives twice.
#[derive(Debug)]
struct Again<T>(T);

/// How often it asks, which is far more often than connections are lost in a row.
const TRIES_MAX: usize = 100;

#[async_trait::async_trait]
impl<T: Transport> Transport for Again<T> {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        for _ in 1..TRIES_MAX {
            match self.0.call(request.clone()).await {
                Err(TransportError::Unreachable(_)) => {}
                ended => return ended,
            }
        }
        self.0.call(request).await
    }
}

mod artifacts {
    async fn make() -> impl super::ArtifactStore {
        super::artifacts(super::MemoryArtifacts::default()).await
    }
    runners_core::artifact_suite!(make);
}

mod artifacts_in_a_directory {
    async fn make() -> impl super::ArtifactStore {
        let directory = tempfile::tempdir().unwrap();
        let store = runners_core::DirectoryArtifacts::open(directory.path()).await.unwrap();
        super::Guarded(super::artifacts(store).await, directory)
    }
    runners_core::artifact_suite!(make);
}

async fn artifacts(store: impl ArtifactStore) -> Guarded<HttpArtifacts, Running> {
    let far = crate::support::answering();
    let running = Running::start(face(far).artifacts(store)).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host())).tenant(artifact_suite::TENANT);
    Guarded(artifacts, running)
}

/// A store and what must live as long as it.
#[derive(Debug)]
struct Guarded<S, G>(S, G);

#[async_trait::async_trait]
impl<S: ArtifactStore, G: std::fmt::Debug + Send + Sync + 'static> ArtifactStore for Guarded<S, G> {
    async fn put(
        &self,
        key: runners_core::ArtifactKey,
        length: u64,
        bytes: runners_core::ByteStream,
    ) -> Result<(), runners_core::ArtifactError> {
        self.0.put(key, length, bytes).await
    }
    async fn get(
        &self,
        key: runners_core::ArtifactKey,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<runners_core::ByteStream, runners_core::ArtifactError> {
        self.0.get(key, range).await
    }
    async fn head(&self, key: runners_core::ArtifactKey) -> Result<Option<u64>, runners_core::ArtifactError> {
        self.0.head(key).await
    }
    async fn delete(&self, key: runners_core::ArtifactKey) -> Result<(), runners_core::ArtifactError> {
        self.0.delete(key).await
    }
    async fn upload_offset(
        &self,
        key: runners_core::ArtifactKey,
        length: u64,
    ) -> Result<Option<u64>, runners_core::ArtifactError> {
        self.0.upload_offset(key, length).await
    }
    async fn append(
        &self,
        key: runners_core::ArtifactKey,
        length: u64,
        offset: u64,
        bytes: runners_core::ByteStream,
    ) -> Result<u64, runners_core::ArtifactError> {
        self.0.append(key, length, offset, bytes).await
    }
}
