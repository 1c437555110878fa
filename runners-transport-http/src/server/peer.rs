//! Telling a service from where its requests come.

use http::Request;
use runners_core::Peer;
use std::{
    net::IpAddr,
    task::{Context, Poll},
};
use tower_service::Service;

/// A service whose requests all come from one peer.
#[derive(Clone, Debug)]
pub(super) struct FromPeer<S> {
    service: S,
    peer: Peer,
}

impl<S> FromPeer<S> {
    pub(super) const fn new(service: S, address: IpAddr) -> Self {
        Self { service, peer: Peer(address) }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for FromPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }
}
