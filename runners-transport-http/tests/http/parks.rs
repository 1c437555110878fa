//! Networks that do not bear parked calls, and clients that go away while they are parked.

use crate::{
    proxy::{Fate, Proxy},
    support::{HandClock, Logged, Running, answer_to, face, idle, of_the_host, scripted},
};
use runners_core::{Clock as _, Transport, TransportError, protocol::Request};
use runners_transport_http::{HttpTransport, HttpTransportBuilder};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};

/// A control plane that parks what may be parked, and tells how long it was asked to.
fn parking() -> (Arc<dyn Transport>, mpsc::UnboundedReceiver<Duration>) {
    let (tell, told) = mpsc::unbounded_channel();
    let far = scripted(move |request| {
        tell.send(request.park_for()).unwrap();
        async move {
            if !request.park_for().is_zero() {
                futures::future::pending::<()>().await;
            }
            Ok(answer_to(&request))
        }
    });
    (far, told)
}

struct Cutting {
    clock: HandClock,
    transport: HttpTransport,
    asked: mpsc::UnboundedReceiver<Duration>,
    cut: Arc<Notify>,
    _held: (Running, Proxy),
}

impl Cutting {
    async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(configure: impl FnOnce(HttpTransportBuilder) -> HttpTransportBuilder) -> Self {
        let (far, asked) = parking();
        let running = Running::start(face(far)).await;
        let cut = Arc::new(Notify::new());
        let cuts = cut.clone();
        let proxy = Proxy::start(running.address, move |_| Fate::CutWhen(cuts.clone())).await;
        let clock = HandClock::new();
        let builder = proxy.builder().clock(clock.clone()).token(of_the_host());
        let transport = configure(builder).build().unwrap();
        Self { clock, transport, asked, cut, _held: (running, proxy) }
    }

    /// Parks a call, and cuts it after `span`.
    async fn cut_after(&mut self, seq: u64, span: Duration) -> Duration {
        let (call, cut) = (self.transport.call(idle(seq)), async {
            let park_for = self.asked.recv().await.unwrap();
            self.clock.advance(span);
            self.cut.notify_one();
            park_for
        });
        let (told, park_for) = futures::join!(call, cut);
        assert!(matches!(told, Err(TransportError::Unreachable(_))), "{told:?}");
        park_for
    }
}

const WHOLE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn three_cuts_running_lead_to_polls_and_parking_is_tried_again_later() {
    let mut network = Cutting::start().await;
    for seq in 1..=3 {
        assert_eq!(network.cut_after(seq, Duration::from_secs(2)).await, WHOLE);
    }
    for seq in 4..=6 {
        let request = idle(seq);
        let (polled, ()) = futures::join!(
            network.transport.call(request.clone()),
            network.clock.pass(Duration::from_secs(3))
        );
        assert_eq!(polled.unwrap(), answer_to(&request));
        assert_eq!(network.asked.recv().await, Some(Duration::ZERO), "a poll is not parked");
    }
    network.clock.advance(Duration::from_secs(600));
    assert_eq!(network.cut_after(7, Duration::from_secs(2)).await, WHOLE, "parking is tried again");
    let request = idle(8);
    let (polled, ()) =
        futures::join!(network.transport.call(request), network.clock.pass(Duration::from_secs(3)));
    polled.unwrap();
    assert_eq!(network.asked.recv().await, Some(Duration::ZERO), "one cut was enough");
}

#[tokio::test]
async fn polls_are_told_of_once_however_often_parking_fails() {
    let logged = Logged::default();
    let _guard = logged.listen();
    let mut network = Cutting::start().await;
    let told = || logged.text().matches("something in between cuts parked calls: polling instead").count();
    for seq in 1..=3 {
        assert_eq!(told(), 0);
        network.cut_after(seq, Duration::from_secs(2)).await;
    }
    assert_eq!(told(), 1, "{}", logged.text());
    for seq in 4..=6 {
        network.clock.advance(Duration::from_secs(600));
        assert_eq!(network.cut_after(seq, Duration::from_secs(2)).await, WHOLE, "parking is tried again");
        assert_eq!(told(), 1, "{}", logged.text());
    }
}

#[tokio::test]
async fn polls_are_as_far_apart_as_was_asked_for() {
    const APART: Duration = Duration::from_secs(7);
    let mut network = Cutting::with(|builder| builder.poll_interval(APART)).await;
    for seq in 1..=3 {
        network.cut_after(seq, Duration::from_secs(2)).await;
    }
    let mut arrived = Vec::new();
    for seq in 4..=7 {
        let (polled, at) = futures::join!(network.transport.call(idle(seq)), async {
            assert_eq!(network.asked.recv().await, Some(Duration::ZERO), "a poll is not parked");
            let at = network.clock.boot();
            // What an answer is waited for is longer.
            network.clock.pass_one(|slept| slept < Duration::from_secs(10)).await;
            at
        });
        polled.unwrap();
        arrived.push(at);
    }
    let apart: Vec<Duration> = arrived.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert_eq!(apart, [APART; 3]);
}

#[tokio::test]
async fn three_late_cuts_lead_to_shorter_parks() {
    let mut network = Cutting::start().await;
    for seq in 1..=3 {
        assert_eq!(network.cut_after(seq, Duration::from_secs(15)).await, WHOLE);
    }
    assert_eq!(network.cut_after(4, Duration::from_secs(1)).await, Duration::from_secs(12));
}

#[tokio::test]
async fn a_poll_that_brings_something_is_not_kept_waiting() {
    let mut network = Cutting::start().await;
    for seq in 1..=3 {
        network.cut_after(seq, Duration::from_secs(2)).await;
    }
    let inspect = Request::Wait(runners_core::protocol::WaitRequest {
        job: runners_core::JobId::from_bytes([1; 16]),
        park_for: WHOLE,
    });
    // The far end answers a wait with a sync's answer, number 0, and tells nothing in it.
    let before = network.clock.sleeps().len();
    let confirming = match idle(4) {
        Request::Sync(mut sync) => {
            let token =
                runners_core::FencingToken { job: runners_core::JobId::from_bytes([1; 16]), grant: 1 };
            sync.held = vec![runners_core::protocol::Held { token, phase: Default::default() }];
            Request::Sync(sync)
        }
        other => panic!("{other:?}"),
    };
    network.transport.call(confirming).await.unwrap();
    let waits = network.clock.sleeps().split_off(before);
    assert!(!waits.contains(&Duration::from_secs(3)), "what confirms an attempt was kept waiting: {waits:?}");
    drop(inspect);
}

#[tokio::test]
async fn a_parked_call_is_dropped_when_its_client_goes_away() {
    struct Tell(mpsc::UnboundedSender<&'static str>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send("dropped").unwrap();
        }
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let far = scripted(move |_| {
        tell.send("arrived").unwrap();
        let dropped = Tell(tell.clone());
        async move {
            let _dropped = dropped;
            futures::future::pending().await
        }
    });
    let running = Running::start(face(far)).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    for builder in
        [HttpTransport::builder(running.url()), HttpTransport::builder(running.url()).client(http2)]
    {
        let transport = builder.token(of_the_host()).build().unwrap();
        {
            let mut call = transport.call(idle(1));
            tokio::select! {
                ended = &mut call => panic!("{ended:?}"),
                arrived = told.recv() => assert_eq!(arrived, Some("arrived")),
            }
        }
        assert_eq!(told.recv().await, Some("dropped"));
    }
}
