//! Closes the browsers of jobs whose results are known: a result does not wait until a browser has ended.

use crate::browser::Session;
use futures::poll;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// The most sessions that are closed behind at once. The next result waits for one of them, so that
/// browsers that end slowly do not pile up.
const CLOSING_MAX: usize = 4;

/// The sessions that are being closed. Clones share them; dropping the last one ends what is left, which
/// kills a browser on this machine.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    places: Arc<Semaphore>,
    sessions: Arc<Mutex<JoinSet<()>>>,
}

impl Closing {
    /// Nothing is being closed.
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(CLOSING_MAX)), sessions: Arc::default() }
    }

    /// Closes a session in the background, as soon as there is a place.
    pub(super) async fn close(&self, session: Arc<dyn Session>) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("invariant: the places are never closed");
        let mut closing = Box::pin(async move {
            session.close().await;
            drop(place);
        });
        // It has begun before the result is known, so a browser that is kept is known to come back.
        if poll!(&mut closing).is_pending() {
            let mut sessions = self.sessions();
            while sessions.try_join_next().is_some() {}
            sessions.spawn(closing);
        }
    }

    /// Waits until all sessions are closed whose closing has begun.
    pub(super) async fn settle(&self) {
        let mut sessions = mem::take(&mut *self.sessions());
        while sessions.join_next().await.is_some() {}
    }

    fn sessions(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BrowserError, BrowserFlow, Call, FlowExecutor, OpenError, ReplayOptions, Screenshots,
        browser::Browser,
    };
    use async_trait::async_trait;
    use runners_core::{Conclusion, ControlPlane, MemoryStore};
    use serde_json::{Map, Value};
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// A browser whose sessions close when they may.
    #[derive(Clone, Debug)]
    struct Slow {
        may_close: Arc<Semaphore>,
        closed: Arc<AtomicUsize>,
        capabilities: Map<String, Value>,
    }

    impl Slow {
        fn new() -> Self {
            let may_close = Arc::new(Semaphore::new(0));
            Self { may_close, closed: Arc::default(), capabilities: Map::new() }
        }

        fn closed(&self) -> usize {
            self.closed.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl Browser for Slow {
        async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
            Ok(Box::new(self.clone()))
        }
    }

    #[async_trait]
    impl Session for Slow {
        fn capabilities(&self) -> &Map<String, Value> {
            &self.capabilities
        }

        async fn call(&self, _call: Call) -> Result<Value, BrowserError> {
            Ok(Value::Null)
        }

        async fn close(&self) {
            self.may_close.acquire().await.unwrap().forget();
            self.closed.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_result_does_not_wait_until_its_browser_has_ended_and_whoever_settles_does() {
        let slow = Slow::new();
        let options = ReplayOptions { screenshots: Screenshots::OfFailures, ..ReplayOptions::default() };
        let executor = FlowExecutor::new(slow.clone()).with_options(options);
        let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
        let runner = control.local_runner("default").executor(executor.clone()).start();
        let flow = BrowserFlow::parse(r#"{ "title": "nothing", "steps": [] }"#).unwrap();
        let view = control.local_client().submit(&flow).await.unwrap().wait().await.unwrap();
        assert_eq!((view.conclusion(), slow.closed()), (Some(Conclusion::Passed), 0));
        let mut settled = pin!(executor.settle());
        assert!(poll!(&mut settled).is_pending());
        slow.may_close.add_permits(1);
        settled.await;
        assert_eq!(slow.closed(), 1);
        runner.drain().await.unwrap();
        control.stop().await.unwrap();
    }

    #[tokio::test]
    async fn sessions_that_close_slowly_do_not_pile_up() {
        let (slow, closing) = (Slow::new(), Closing::new());
        for _ in 0..CLOSING_MAX {
            closing.close(Arc::new(slow.clone())).await;
        }
        let mut next = pin!(closing.close(Arc::new(slow.clone())));
        assert!(poll!(&mut next).is_pending());
        slow.may_close.add_permits(1);
        next.await;
        slow.may_close.add_permits(CLOSING_MAX);
        closing.settle().await;
        assert_eq!(slow.closed(), CLOSING_MAX + 1);
    }
}
