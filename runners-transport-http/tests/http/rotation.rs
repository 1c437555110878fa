//! A runner's credential is replaced over HTTP, and whenever its process ends, one that is on disk
//! is good.

use crate::support::{HandClock, Running};
use runners_core::{
    ControlPlane, ExitReason, MemoryArtifacts, MemoryStore, PoolId, Principal, Random as _, Runner, Spool,
    SystemClock, SystemRandom, TenantId, Token, TokenKind, Transport as _, TransportError,
    protocol::{EnrolRequest, RefusalCode, Reply, Request, RotateRequest},
};
use runners_transport_http::{HttpFace, HttpTransport, RotationError, RunnerCredential};
use std::sync::Arc;

struct Stage {
    running: Running,
    clock: HandClock,
    spool: Spool,
    credential: RunnerCredential,
    given: Token,
}

impl Stage {
    /// A control plane that a runner was registered at in advance.
    async fn new() -> Self {
        let clock = HandClock::new();
        let builder = ControlPlane::builder(MemoryStore::default()).clock(clock.clone());
        let control = builder.start().await.unwrap();
        let callers = {
            let control = control.clone();
            move |principal| Arc::new(control.caller(principal)) as Arc<dyn runners_core::Transport>
        };
        let running = Running::start(HttpFace::builder(control.authenticator(), callers)).await;
        let management = control.management(Principal::Operator).within(TenantId::DEFAULT).unwrap();
        let given = management.register_runner(PoolId::DEFAULT, "ahead").await.unwrap().token.unwrap();
        let spool = Spool::memory();
        let credential =
            RunnerCredential::new(spool.clone(), SystemClock::default(), SystemRandom::default());
        credential.keep(&given).unwrap();
        Self { running, clock, spool, credential, given }
    }

    fn transport(&self) -> HttpTransport {
        self.running.transport(self.credential.current().unwrap().unwrap())
    }

    /// Draws the next credential onto the disk, as far as a rotation that was cut short has come.
    fn next_on_disk(&self) -> Token {
        let mut bytes = [0; Token::RANDOM_BYTES];
        SystemRandom::default().fill(&mut bytes);
        let next = Token::new(TokenKind::Runner, bytes);
        self.spool.write_secret("credential-next", next.expose()).unwrap();
        next
    }

    fn current(&self) -> String {
        self.credential.current().unwrap().unwrap().expose().to_owned()
    }
}

#[tokio::test]
async fn a_credential_is_replaced_in_every_clone_and_the_old_one_is_gone_from_the_disk() {
    let stage = Stage::new().await;
    let transport = stage.transport();
    let clone = transport.clone();
    let before = stage.credential.settle(&transport).await.unwrap();
    let after = stage.credential.rotate(&transport).await.unwrap();
    assert_eq!(before.runner, after.runner);
    assert_ne!(stage.current(), stage.given.expose());
    assert!(!stage.credential.is_being_replaced().unwrap());

    stage.clock.advance(RotateRequest::OVERLAP);
    let request = EnrolRequest {
        credential: stage.credential.current().unwrap().unwrap().digest(),
        name: "-".into(),
        pool: None,
    };
    let old = stage.running.transport(stage.given.clone()).call(Request::Enrol(request.clone())).await;
    assert!(matches!(old, Err(TransportError::Unauthorized(_))), "{old:?}");
    let new = clone.call(Request::Enrol(request)).await.unwrap();
    assert!(matches!(new, Reply::Enrolled(enrolled) if enrolled.runner == before.runner));
}

#[tokio::test]
async fn a_rotation_that_was_cut_short_before_it_was_announced_leaves_the_current_one() {
    let stage = Stage::new().await;
    let next = stage.next_on_disk();
    let transport = stage.transport();
    stage.credential.settle(&transport).await.unwrap();
    assert_eq!(stage.current(), stage.given.expose());
    stage.credential.rotate(&transport).await.unwrap();
    assert_eq!(stage.current(), next.expose(), "what is on disk already is used");
}

#[tokio::test]
async fn a_rotation_that_was_cut_short_after_it_was_announced_is_brought_to_its_end() {
    let stage = Stage::new().await;
    let (next, transport) = (stage.next_on_disk(), stage.transport());
    transport.call(Request::Rotate(RotateRequest { next: next.digest() })).await.unwrap();
    stage.credential.settle(&transport).await.unwrap();
    assert_eq!(stage.current(), next.expose());
    assert!(!stage.credential.is_being_replaced().unwrap());
}

#[tokio::test]
async fn a_removed_runner_is_told_so_by_a_control_plane_that_was_started_since() {
    let (clock, store) = (HandClock::new(), MemoryStore::default());
    let start = || ControlPlane::builder(store.clone()).clock(clock.clone()).start();
    let control = start().await.unwrap();
    let management = control.management(Principal::Operator).within(TenantId::DEFAULT).unwrap();
    let made = management.register_runner(PoolId::DEFAULT, "one").await.unwrap();
    let token = made.token.unwrap();
    management.remove_runner(made.view.id).await.unwrap();
    control.stop().await.unwrap();

    let control = start().await.unwrap();
    let authenticator = control.authenticator();
    let callers = move |principal| Arc::new(control.caller(principal)) as Arc<dyn runners_core::Transport>;
    let face = HttpFace::builder(authenticator, callers).artifacts(MemoryArtifacts::default());
    let running = Running::start(face).await;
    let transport = running.transport(token.clone());
    let request = EnrolRequest { credential: token.digest(), name: "-".into(), pool: None };
    for request in [crate::support::idle(1), Request::Enrol(request)] {
        let told = transport.call(request).await.unwrap();
        assert!(matches!(&told, Reply::Refused(refused) if refused.code == RefusalCode::Removed), "{told:?}");
    }
    let url = format!("{}/v1/artifacts/{}", running.url(), runners_core::Digest::of(b"x"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = client.get(url).bearer_auth(token.expose()).header("runners-protocol", "1");
    let answer = get.send().await.unwrap();
    assert_eq!(answer.status(), 401, "it has nothing to do with artifacts any more");
    assert!(answer.text().await.unwrap().contains("was removed"));
    let runner = Runner::builder(running.transport(token)).start();
    let left = runner.stopped().await;
    assert!(
        matches!(&left, ExitReason::Refused(refused) if refused.code == RefusalCode::Removed),
        "it exits, and does not try again: {left:?}"
    );
}

#[tokio::test]
async fn without_a_credential_there_is_nothing_to_replace() {
    let stage = Stage::new().await;
    let empty = RunnerCredential::new(Spool::memory(), SystemClock::default(), SystemRandom::default());
    let none = empty.settle(&stage.transport()).await;
    assert!(matches!(none, Err(RotationError::None)), "{none:?}");
}
