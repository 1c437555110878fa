//! Live views over several control planes on one store: whichever of them a runner and those who look come to.

use super::world::{Show, World, is, runner_of, seen, state};
use async_trait::async_trait;
use runners_core::{
    Command, ControlPlane, JobId, MemoryStore, Principal, RunnerId, Scope, TenantId, Token,
    live::{
        Input, LiveAccess, LiveControl, LiveEvent, LiveHub, LiveOptions, LivePhase, Neighbours, RelayError,
        Socket, Viewer,
    },
    protocol::{CancelTarget, RefusalCode},
    sleep,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The control planes that are there, by their addresses.
#[derive(Clone, Debug, Default)]
struct Street {
    houses: Arc<Mutex<BTreeMap<String, LiveHub>>>,
}

#[async_trait]
impl Neighbours for Street {
    async fn connect(&self, address: &str, pass: &Token) -> Result<Socket, RelayError> {
        let found = self.houses.lock().unwrap().get(address).cloned();
        let hub = found.ok_or_else(|| RelayError::Unreachable("nobody is there".into()))?;
        let passage = hub.pass(pass).await.map_err(|error| RelayError::Refused(error.to_string()))?;
        let (ours, theirs) = Socket::pair();
        passage.serve(std::future::ready(Ok(theirs)));
        Ok(ours)
    }
}

/// What nobody does.
#[derive(serde::Serialize, serde::Deserialize)]
struct Nothing;

impl Command for Nothing {
    const KIND: &'static str = "nothing";
    type Result = ();
}

/// Two control planes on one store, with a job of a runner that syncs with the first.
struct Two {
    world: World,
    planes: [ControlPlane; 2],
    street: Street,
    job: JobId,
    runner: RunnerId,
}

impl Two {
    async fn new() -> Self {
        let (store, street) = (MemoryStore::default(), Street::default());
        let mut options = LiveOptions::default();
        options.grant_life = Duration::from_secs(60);
        let builder =
            |name: &str| ControlPlane::builder(store.clone()).live(options).neighbours(name, street.clone());
        let world = World::of(builder("one")).await;
        let other = builder("two").clock(world.clock.clone()).start().await.unwrap();
        let planes = [world.control.clone(), other];
        for (name, control) in ["one", "two"].into_iter().zip(&planes) {
            street.houses.lock().unwrap().insert(name.to_owned(), control.live());
        }
        // Each writes something of which the other hears.
        planes[1].local_client().submit(&Nothing).await.unwrap();
        let job = world.job(&Show).await.id();
        sleep(&world.clock, Duration::from_secs(10)).await;
        let runner = runner_of(&world.control, job).await;
        Self { world, planes, street, job, runner }
    }

    /// Has the runner connect to this control plane.
    fn lead_runner(&self, to: usize) {
        let relay = self.planes[to].relay(TenantId::DEFAULT, self.runner);
        *self.world.wire.inner.lock().unwrap() = Some(Arc::new(relay));
    }

    async fn watch(&self, at: usize) -> Viewer {
        let grant = self.grant(at).await;
        self.planes[at].live().watch(&grant).await.unwrap()
    }

    async fn grant(&self, at: usize) -> String {
        let principal = Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() };
        self.planes[at].management(principal).view(self.job, LiveAccess::Control).await.unwrap().text
    }

    /// Which of them has the streams of the runner: whoever looks at the other one is led there.
    async fn home(&self) -> usize {
        self.lead_runner(0);
        let mut viewer = self.watch(0).await;
        state(&mut viewer, |state| state.phase == LivePhase::Live).await;
        let principal = Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() };
        let here = self.planes[0].management(principal).stream(self.job).await.unwrap();
        usize::from(here.is_none())
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_view_is_found_whichever_control_planes_its_runner_and_those_who_look_come_to() {
    let two = Two::new().await;
    for (viewer_at, runner_at) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        two.lead_runner(runner_at);
        let label = format!("viewer {viewer_at}, runner {runner_at}");
        two.world.source.put(label.clone());
        let mut viewer = two.watch(viewer_at).await;
        while seen(&mut viewer).await != label {}
        // A connection that is cut is made again, wherever it comes in.
        two.lead_runner(1 - runner_at);
        two.world.wire.cut();
        state(&mut viewer, |state| state.phase == LivePhase::Reconnecting).await;
        two.world.source.put("again");
        while seen(&mut viewer).await != "again" {}
        viewer.pause(true);
        two.world.source.until_open(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_look_at_different_control_planes_share_one_stream_and_one_control() {
    let two = Two::new().await;
    two.lead_runner(1);
    two.world.source.put("a");
    let (mut one, mut other) = (two.watch(0).await, two.watch(1).await);
    assert_eq!((seen(&mut one).await, seen(&mut other).await), ("a".into(), "a".into()));
    assert_eq!(two.world.source.opened(), 1, "two who look cost the runner no more than one");
    one.take_control();
    state(&mut one, |state| state.control == LiveControl::You).await;
    other.take_control();
    state(&mut one, |state| state.control == LiveControl::Another).await;
    state(&mut other, |state| state.control == LiveControl::You).await;
    for viewer in [&mut one, &mut other] {
        viewer.input(7, Input::Text { text: "typed".into() });
    }
    let answered = async |viewer: &mut Viewer| loop {
        if let LiveEvent::Done { input, problem } = viewer.next().await.expect("it is not over") {
            return (input, problem.is_none());
        }
    };
    assert_eq!(answered(&mut other).await, (7, true));
    assert_eq!(answered(&mut one).await, (7, false), "it has no control");
}

#[tokio::test(start_paused = true)]
async fn where_the_control_plane_that_should_have_a_stream_is_gone_another_has_it() {
    let two = Two::new().await;
    let home = two.home().await;
    let name = ["one", "two"][home];
    two.street.houses.lock().unwrap().remove(name);
    two.lead_runner(1 - home);
    two.world.source.put("a");
    let mut viewer = two.watch(1 - home).await;
    assert_eq!(seen(&mut viewer).await, "a");
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_is_told_the_same_wherever_they_come_to() {
    let two = Two::new().await;
    let away = 1 - two.home().await;
    let grant = two.grant(away).await;
    let mut viewer = two.planes[away].live().watch(&grant).await.unwrap();
    // It is over when the grant is.
    while viewer.next().await.is_some() {}
    let refused = two.planes[away].live().watch(&grant).await.unwrap_err();
    assert!(is(&refused, RefusalCode::Expired), "{refused}");
    let mut viewer = two.watch(away).await;
    state(&mut viewer, |state| state.phase == LivePhase::Live).await;
    two.world.user(&Scope::ALL).cancel(CancelTarget::Job(two.job)).await.unwrap();
    let last = state(&mut viewer, |state| state.phase == LivePhase::Over).await;
    assert!(["over", "attempt_over"].contains(&&*last.reason), "{}", last.reason);
    assert!(viewer.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_no_control_plane_of_the_store_has_made_leads_nowhere() {
    let (two, stranger) = (Two::new().await, World::new().await);
    let foreign = stranger.job(&Show).await;
    let grant = stranger.user(&Scope::ALL).view(foreign.id(), LiveAccess::View).await.unwrap().text;
    for bad in [grant.as_str(), "pass_", "view_", "pass_e30.e30", "rrun_00"] {
        let refused = two.planes[0].live().pass(&Token::from_text(bad)).await.unwrap_err();
        assert!(is(&refused, RefusalCode::Forbidden), "{bad}: {refused}");
    }
}
