//! Live views at the control plane: a hub in memory that joins runners with those who look. A stream is there
//! while somebody wants it; what is not in memory, such as who may look, is in grants and in the store.
//!
//! With several control planes on a store, all streams of a runner are at one of them, and the others lead there
//! whoever comes to them (`neighbours`).

mod far;
mod grants;
mod neighbours;
mod seat;
mod source;
mod stream;
mod viewer;

pub(crate) use neighbours::Neighbourhood;
pub use neighbours::Passage;
pub use source::{AdmittedSource, LocalRelay};
pub(crate) use stream::Opening as LiveOpening;
pub use viewer::Viewer;

use super::{ControlPlane, Plane, lock};
use crate::{
    rules::{live::Ending, view_grant::Claims},
    values::{
        id::{StreamId, TenantId},
        lease::FencingToken,
        live::FrameWish,
        reply::{RefusalCode, Refused},
        view::{LiveOptions, StreamView},
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use stream::Stream;
use tokio::sync::OnceCell;

/// The live views of a control plane. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct LiveHub {
    plane: Arc<Plane>,
}

impl ControlPlane {
    /// Its live views: for faces that carry them to runners and to those who look, and for hosts that show them
    /// themselves.
    #[must_use]
    pub fn live(&self) -> LiveHub {
        LiveHub::new(&self.plane)
    }
}

impl LiveHub {
    pub(crate) fn new(plane: &Arc<Plane>) -> Self {
        Self { plane: Arc::clone(plane) }
    }

    /// The most that anybody who looks gets.
    #[must_use]
    pub fn wish_max(&self) -> FrameWish {
        self.plane.live.options().wish_max
    }
}

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    options: LiveOptions,
    /// How others find streams here, and the other way round.
    neighbourhood: Option<Neighbourhood>,
    /// Signs grants, once it was read.
    key: OnceCell<Vec<u8>>,
    open: Mutex<BTreeMap<FencingToken, Arc<Stream>>>,
}

impl Streams {
    pub(crate) fn new(options: LiveOptions, neighbourhood: Option<Neighbourhood>) -> Self {
        Self { options, neighbourhood, key: OnceCell::new(), open: Mutex::default() }
    }

    pub(crate) const fn options(&self) -> &LiveOptions {
        &self.options
    }

    /// Where others reach this control plane, if they do.
    pub(crate) fn address(&self) -> Option<String> {
        Some(self.neighbourhood.as_ref()?.address.clone())
    }

    /// How the stream of an attempt is, if there is one.
    pub(crate) fn view(&self, token: FencingToken) -> Option<StreamView> {
        self.of(token).map(|stream| stream.view())
    }

    /// An attempt runs no longer.
    pub(crate) fn attempt_over(&self, token: FencingToken) {
        if let Some(stream) = self.of(token) {
            if stream.is_over() {
                return self.forget(&stream);
            }
            stream.change(|rules, _| rules.end(Ending::attempt_over()));
        }
    }

    fn of(&self, token: FencingToken) -> Option<Arc<Stream>> {
        lock(&self.open).get(&token).cloned()
    }

    fn named(&self, id: StreamId) -> Option<Arc<Stream>> {
        lock(&self.open).values().find(|stream| stream.id == id).cloned()
    }

    /// The stream of an attempt that has not ended, or else the one that `make` makes, which is then new.
    fn open(&self, claims: &Claims, make: impl FnOnce() -> Stream) -> Result<(Arc<Stream>, bool), Refused> {
        let mut open = lock(&self.open);
        if let Some(stream) = open.get(&claims.token).filter(|stream| !stream.is_over()) {
            return Ok((Arc::clone(stream), false));
        }
        let LiveOptions { streams_max, tenant_streams_max, .. } = self.options;
        let running: Vec<_> = open.values().filter(|stream| !stream.is_over()).collect();
        let of_tenant = running.iter().filter(|stream| stream.tenant == claims.tenant).count();
        for (count, limit, whose) in [
            (running.len(), streams_max, "of this control plane"),
            (of_tenant, tenant_streams_max, "of this tenant"),
        ] {
            if count >= limit {
                let detail = format!("{count} live views are open, which is the limit {whose}: try later");
                return Err(Refused::new(RefusalCode::Exhausted, detail));
            }
        }
        let stream = Arc::new(make());
        open.insert(claims.token, Arc::clone(&stream));
        Ok((stream, true))
    }

    fn forget(&self, stream: &Stream) {
        let mut open = lock(&self.open);
        if open.get(&stream.token).is_some_and(|kept| kept.id == stream.id) {
            open.remove(&stream.token);
        }
    }
}

impl Plane {
    /// Refuses a tenant that has no live view.
    pub(crate) fn may_relay(&self, tenant: TenantId) -> Result<(), Refused> {
        let problem = if !self.live.options().relay {
            "live view is switched off at this control plane: ask its operator"
        } else if !lock(&self.rollout).of(tenant).relay {
            "live view is not switched on for this tenant: ask the operator"
        } else {
            return Ok(());
        };
        Err(Refused::new(RefusalCode::Forbidden, problem))
    }
}
