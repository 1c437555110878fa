//! Live views over HTTP: from a runner behind a network that cuts connections to one who looks.

use crate::proxy::{Fate, Proxy};
use runners_core::{
    Attempt, Client, Command, ControlPlane, Digest, Fault, JobId, MemoryStore, PoolId, Principal,
    Registration, Runner, Scope, SystemClock, TenantId, Token, TokenKind, Transport as _,
    live::{
        Input, LiveAccess, LiveEvent, LiveOptions, LivePhase, Neighbours as _, Relay as _, RelayError,
        StreamId, Viewer,
    },
    protocol::{EnrolRequest, Reply, Request},
    sleep,
    testing::frames::ScriptedFrames,
};
use runners_transport_http::{HttpFace, HttpNeighbours, HttpRelay, HttpTransport, serve};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

/// The longest that anything here may take: a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(serde::Serialize, serde::Deserialize)]
struct Show;

impl Command for Show {
    const KIND: &'static str = "show";
    type Result = ();
}

/// A control plane behind a server.
struct World {
    control: ControlPlane,
    address: SocketAddr,
    source: ScriptedFrames,
    _server: JoinSet<()>,
}

impl World {
    async fn new(has_relay: bool) -> Self {
        Self::on(MemoryStore::default(), has_relay).await
    }

    /// One of those on this store.
    async fn on(store: MemoryStore, has_relay: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let builder = ControlPlane::builder(store).live(LiveOptions::default());
        let builder = builder.neighbours(format!("http://{address}"), HttpNeighbours::default());
        let control = builder.start().await.unwrap();
        let callers = {
            let control = control.clone();
            move |principal| Arc::new(control.caller(principal)) as Arc<dyn runners_core::Transport>
        };
        let face = HttpFace::builder(control.authenticator(), callers);
        let face = if has_relay { face.live(control.live()) } else { face };
        let mut server = JoinSet::new();
        server.spawn(async move { serve(listener, face.build(), std::future::pending()).await.unwrap() });
        Self { control, address, source: ScriptedFrames::default(), _server: server }
    }

    /// A credential of a new runner of the default pool.
    async fn credential(&self, letter: u8) -> Token {
        let registration = Digest::of(&[letter]);
        self.control
            .admit_registration(registration, Registration::new(TenantId::DEFAULT, PoolId::DEFAULT))
            .await
            .unwrap();
        let registrant = Principal::Registrant { tenant: TenantId::DEFAULT, registration };
        let token = Token::new(TokenKind::Runner, [letter; Token::RANDOM_BYTES]);
        let enrol =
            Request::Enrol(EnrolRequest { credential: token.digest(), name: "far".into(), pool: None });
        let reply = self.control.caller(registrant).call(enrol).await.unwrap();
        assert!(matches!(reply, Reply::Enrolled(_)), "{reply:?}");
        token
    }

    /// A runner that syncs by one way, and shows by another.
    async fn runner(&self, relay: SocketAddr) -> Runner {
        let token = self.credential(b'r').await;
        let transport = |address| {
            HttpTransport::builder(format!("http://{address}")).token(token.clone()).build().unwrap()
        };
        let source = self.source.clone();
        Runner::builder(transport(self.address))
            .relay(HttpRelay::new(&transport(relay)))
            .executor(move |_: Show, attempt: Attempt| {
                let source = source.clone();
                async move {
                    attempt.show(Arc::new(source));
                    attempt.cancelled().await;
                    Ok::<_, Fault>(())
                }
            })
            .start()
    }

    async fn job(&self) -> JobId {
        let job = Client::new(self.control.caller(everything())).submit(&Show).await.unwrap().id();
        within(async {
            while self.control.management(everything()).view(job, LiveAccess::View).await.is_err() {
                sleep(&SystemClock::default(), Duration::from_millis(5)).await;
            }
        })
        .await;
        job
    }

    async fn watch(&self, job: JobId) -> Viewer {
        let grant = self.control.management(everything()).view(job, LiveAccess::Control).await.unwrap();
        self.control.live().watch(&grant.text).await.unwrap()
    }
}

fn everything() -> Principal {
    Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    let clock = SystemClock::default();
    tokio::select! {
        done = work => done,
        () = sleep(&clock, PATIENCE) => panic!("it takes too long"),
    }
}

/// Looks until a picture comes that has these bytes.
async fn seen(viewer: &mut Viewer, wanted: &[u8]) {
    within(async {
        loop {
            match viewer.next().await.expect("it is not over") {
                LiveEvent::Picture(picture) => {
                    viewer.shown(picture.number);
                    if picture.frame.bytes == wanted {
                        return;
                    }
                }
                LiveEvent::State(state) => {
                    assert_ne!(state.phase, LivePhase::Over, "{}", state.detail);
                }
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn pictures_and_inputs_travel_over_a_websocket_of_the_runner() {
    let world = World::new(true).await;
    let runner = world.runner(world.address).await;
    let job = world.job().await;
    let large = vec![7; 1 << 20];
    world.source.put(large.clone());
    let mut viewer = world.watch(job).await;
    seen(&mut viewer, &large).await;
    viewer.take_control();
    viewer.input(1, Input::Text { text: "grüße".into() });
    let inputs = within(world.source.inputs(1)).await;
    assert_eq!(inputs, [Input::Text { text: "grüße".into() }]);
    drop(viewer);
    within(world.source.until_open(0)).await;
    runner.kill();
    within(world.control.stop()).await.unwrap();
}

#[tokio::test]
async fn a_network_that_cuts_connections_is_outlived() {
    let world = World::new(true).await;
    let cut = Arc::new(Notify::new());
    let proxy = {
        let cut = cut.clone();
        Proxy::start(world.address, move |number| {
            // What is cut first is cut in the midst of a picture.
            if number == 0 { Fate::CutAfterRequest(40_000) } else { Fate::CutWhen(cut.clone()) }
        })
        .await
    };
    let runner = world.runner(proxy.address()).await;
    let job = world.job().await;
    world.source.put(vec![1; 100_000]);
    let mut viewer = world.watch(job).await;
    seen(&mut viewer, &[1; 100_000]).await;
    for letter in 2..5 {
        cut.notify_waiters();
        world.source.put(vec![letter; 1000]);
        seen(&mut viewer, &vec![letter; 1000]).await;
    }
    runner.kill();
}

#[tokio::test]
async fn only_the_runner_that_was_asked_connects_and_refusals_are_final() {
    let world = World::new(true).await;
    let runner = world.runner(world.address).await;
    let job = world.job().await;
    let viewer = world.watch(job).await;
    let stream = world.control.management(everything()).stream(job).await.unwrap().unwrap().stream;
    let relay = |token, address: SocketAddr| {
        HttpRelay::new(&HttpTransport::builder(format!("http://{address}")).token(token).build().unwrap())
    };
    let another = relay(world.credential(b'o').await, world.address);
    let unknown = relay(Token::new(TokenKind::Runner, [9; Token::RANDOM_BYTES]), world.address);
    let own = relay(Token::new(TokenKind::Runner, [b'r'; Token::RANDOM_BYTES]), world.address);
    for (relay, stream) in [(&another, stream), (&unknown, stream), (&own, StreamId::from_bytes([3; 16]))] {
        let refused = within(relay.connect(stream)).await;
        assert!(matches!(refused, Err(RelayError::Refused(_))), "{refused:?}");
    }
    assert!(within(own.connect(stream)).await.is_ok(), "the one that was asked may come again");
    let off = World::new(false).await;
    let refused = within(relay(off.credential(b'r').await, off.address).connect(stream)).await;
    assert!(matches!(&refused, Err(RelayError::Refused(why)) if why.contains("no relay")), "{refused:?}");
    let broken = Proxy::start(world.address, |_| Fate::Dropped).await;
    let token = Token::new(TokenKind::Runner, [b'r'; Token::RANDOM_BYTES]);
    let cut = within(relay(token, broken.address()).connect(stream)).await;
    assert!(matches!(cut, Err(RelayError::Unreachable(_))), "{cut:?}");
    drop(viewer);
    runner.kill();
}

#[tokio::test]
async fn a_proxy_that_carries_no_upgrades_is_told_what_is_missing() {
    let world = World::new(true).await;
    let runner = world.runner(world.address).await;
    let job = world.job().await;
    let viewer = world.watch(job).await;
    let stream = world.control.management(everything()).stream(job).await.unwrap().unwrap().stream;
    let url = format!("http://{}/v1/streams/{stream}", world.address);
    let token = Token::new(TokenKind::Runner, [b'r'; Token::RANDOM_BYTES]);
    let plain = reqwest::Client::new().get(url).bearer_auth(token.expose()).header("runners-protocol", "1");
    let answer = within(plain.send()).await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("proxy"), "it says where to look");
    drop(viewer);
    runner.kill();
}

#[tokio::test]
async fn one_control_plane_leads_a_runner_and_those_who_look_to_another() {
    let store = MemoryStore::default();
    let (one, two) = (World::on(store.clone(), true).await, World::on(store, true).await);
    let runner = one.runner(two.address).await;
    let job = one.job().await;
    let has_it = async |world: &World| {
        let stream = world.control.management(everything()).stream(job).await.unwrap();
        stream.is_some_and(|stream| stream.phase != LivePhase::Over)
    };
    // Once each has heard of the other, there is one stream for both.
    let (mut here, mut there) = within(async {
        loop {
            two.credential(b'x').await;
            let both = (one.watch(job).await, two.watch(job).await);
            if has_it(&one).await != has_it(&two).await {
                return both;
            }
            drop(both);
            sleep(&SystemClock::default(), Duration::from_millis(100)).await;
        }
    })
    .await;
    for picture in ["a", "b"] {
        one.source.put(picture);
        seen(&mut here, picture.as_bytes()).await;
        seen(&mut there, picture.as_bytes()).await;
    }
    assert_eq!(one.source.opened(), 1, "two who look cost the runner no more than one");
    let stranger = World::new(true).await;
    let url = format!("http://{}", two.address);
    let grant = {
        let _runner = stranger.runner(stranger.address).await;
        let foreign = stranger.job().await;
        stranger.control.management(everything()).view(foreign, LiveAccess::View).await.unwrap().text
    };
    let led = within(HttpNeighbours::default().connect(&url, &Token::from_text(grant))).await;
    assert!(matches!(&led, Err(RelayError::Refused(why)) if why.contains("pass")), "{led:?}");
    drop((here, there));
    runner.kill();
}
