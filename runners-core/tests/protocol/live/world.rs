//! What the tests of live views share: a runner that shows a scripted source, a wire that is cut, one who looks.

use crate::{inspect, user};
use async_trait::async_trait;
use runners_core::{
    Attempt, Command, ControlPlane, ControlPlaneBuilder, Error, Fault, Feature, JobHandle, JobId, Management,
    MemoryStore, Principal, Rollout, Runner, RunnerId, Scope, TenantId,
    live::{
        LiveAccess, LiveEvent, LiveOptions, LivePhase, LivePicture, LiveState, Relay, RelayError, Socket,
        StreamId, Viewer,
    },
    protocol::{RefusalCode, StateView},
    testing::{clock::SimClock, frames::ScriptedFrames, metrics::RecordedMetrics},
};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Show;

impl Command for Show {
    const KIND: &'static str = "show";
    type Result = ();
}

/// A control plane, and one runner whose attempts show a scripted source until they are cancelled.
pub(crate) struct World {
    pub(crate) clock: SimClock,
    pub(crate) control: ControlPlane,
    pub(crate) metrics: RecordedMetrics,
    pub(crate) runner_metrics: RecordedMetrics,
    pub(crate) source: ScriptedFrames,
    pub(crate) runner: Runner,
    pub(crate) wire: Cutting,
}

/// The relay, whose connections a test cuts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cutting {
    pub(crate) inner: Arc<Mutex<Option<Arc<dyn Relay>>>>,
    pub(crate) cuts: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
}

impl Cutting {
    pub(crate) fn cut(&self) {
        self.cuts.lock().unwrap().clear();
    }
}

#[async_trait]
impl Relay for Cutting {
    async fn connect(&self, stream: StreamId) -> Result<Socket, RelayError> {
        let inner = self.inner.lock().unwrap().clone();
        let Some(inner) = inner else { return Err(RelayError::Unreachable("there is no way".into())) };
        let socket = inner.connect(stream).await?;
        let (cut, until) = oneshot::channel();
        self.cuts.lock().unwrap().push(cut);
        Ok(socket.until(async { drop(until.await) }))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(LiveOptions::default(), Rollout::default()).await
    }

    pub(crate) async fn with(options: LiveOptions, rollout: Rollout) -> Self {
        let builder = ControlPlane::builder(MemoryStore::default()).live(options).rollout(rollout);
        Self::of(builder).await
    }

    /// With this control plane.
    pub(crate) async fn of(builder: ControlPlaneBuilder) -> Self {
        let (clock, metrics, runner_metrics) =
            (SimClock::new(), RecordedMetrics::default(), RecordedMetrics::default());
        let control = builder.clock(clock.clone()).metrics(metrics.clone()).start().await.unwrap();
        let (source, wire) = (ScriptedFrames::default(), Cutting::default());
        let shown = source.clone();
        let show = move |_: Show, attempt: Attempt| {
            let shown = shown.clone();
            async move {
                attempt.show(Arc::new(shown));
                attempt.cancelled().await;
                Ok::<_, Fault>(())
            }
        };
        let hide = async |_: Hide, attempt: Attempt| {
            attempt.cancelled().await;
            Ok::<_, Fault>(())
        };
        let builder = control.local_runner("default").slots(3).metrics(runner_metrics.clone());
        let runner = builder.relay(wire.clone()).executor(show).executor(hide).start();
        Self { clock, control, metrics, runner_metrics, source, runner, wire }
    }

    /// A job that runs.
    pub(crate) async fn job<C: Command>(&self, command: &C) -> JobHandle<C::Result> {
        let job = self.control.local_client().submit(command).await.unwrap();
        while self.runner.snapshot().held.iter().all(|token| token.job != job.id())
            || self
                .user(&Scope::ALL)
                .view(job.id(), LiveAccess::View)
                .await
                .is_err_and(|error| is(&error, RefusalCode::NotRunning))
        {
            tokio::task::yield_now().await;
        }
        let runner = runner_of(&self.control, job.id()).await;
        *self.wire.inner.lock().unwrap() = Some(Arc::new(self.control.relay(TenantId::DEFAULT, runner)));
        job
    }

    pub(crate) fn user(&self, scopes: &[Scope]) -> Management {
        self.who(TenantId::DEFAULT, scopes)
    }

    pub(crate) fn who(&self, tenant: TenantId, scopes: &[Scope]) -> Management {
        self.control.management(Principal::Api { tenant, scopes: scopes.iter().copied().collect() })
    }

    pub(crate) async fn watch(&self, job: JobId, access: LiveAccess) -> Viewer {
        let grant = self.user(&Scope::ALL).view(job, access).await.unwrap();
        self.control.live().watch(&grant.text).await.unwrap()
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Hide;

impl Command for Hide {
    const KIND: &'static str = "hide";
    type Result = ();
}

pub(crate) async fn runner_of(control: &ControlPlane, job: JobId) -> RunnerId {
    let caller = user(control);
    match inspect(&caller, job).await.state {
        StateView::Running { runner, .. } => runner,
        other => panic!("expected it to run, got {other:?}"),
    }
}

pub(crate) fn without_relay(mut rollout: Rollout) -> Rollout {
    rollout.relay = Feature::OFF;
    rollout
}

pub(crate) fn is(error: &Error, code: RefusalCode) -> bool {
    matches!(error, Error::Refused(refused) if refused.code == code)
}

pub(crate) async fn picture(viewer: &mut Viewer) -> LivePicture {
    loop {
        match viewer.next().await.expect("it is not over") {
            LiveEvent::Picture(picture) => return picture,
            LiveEvent::State(state) if state.phase == LivePhase::Over => {
                panic!("it is over: {}", state.detail)
            }
            _ => {}
        }
    }
}

/// The next picture's bytes, acknowledged.
pub(crate) async fn seen(viewer: &mut Viewer) -> String {
    let LivePicture { number, frame, .. } = picture(viewer).await;
    viewer.shown(number);
    String::from_utf8(frame.bytes.to_vec()).unwrap()
}

pub(crate) async fn state(viewer: &mut Viewer, wanted: impl Fn(&LiveState) -> bool) -> LiveState {
    loop {
        if let LiveEvent::State(state) = viewer.next().await.expect("it is not over")
            && wanted(&state)
        {
            return state;
        }
    }
}

pub(crate) async fn over(viewer: &mut Viewer) -> String {
    let last = state(viewer, |state| state.phase == LivePhase::Over).await;
    assert!(viewer.next().await.is_none());
    assert!(!last.detail.is_empty());
    last.reason
}
