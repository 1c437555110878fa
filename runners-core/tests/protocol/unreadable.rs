//! Records that a newer release has written: what this one cannot read stops nobody else. Time is tokio's, paused.

use super::{
    crashing::{PLENTY, STARTS, World},
    hand::{Hand, operator, submission, user},
    webhooks::{Scripted, admin, spec},
};
use runners_core::{
    EventCursor, EventsOf, Index, JobOptions, Key, Kind, Outcome, RunId, TenantId, Transport as _,
    protocol::{Request, RunSpec, SubmitRequest},
    sleep,
    store::{Store as _, Write},
};
use std::time::Duration;

/// The newest format that there will ever be.
const FORMAT: u16 = u16::MAX;

/// Writes a record of a kind that the control plane itself has yet to see to, and that it cannot read. It stands
/// before all others.
async fn write(world: &World, kind: Kind) {
    let tenant = TenantId::from_bytes([0; 16]);
    let key = Key::new(tenant, kind, vec![0; 16]);
    let owner = [&[0; 16][..], &kind.number().to_be_bytes(), tenant.as_bytes(), &[0; 16]].concat();
    let indexes = vec![(Index::Owner, owner.into())];
    let write = Write::Put { key, expected: 0, format: FORMAT, body: b"{}"[..].into(), indexes };
    world.store.commit(vec![write]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_cannot_be_read_leaves_the_others_told() {
    let (world, sender) = (World::new(), Scripted::default());
    write(&world, Kind::Webhook).await;
    let control = world.builder(PLENTY).webhooks(sender.clone()).start().await.unwrap();
    admin(&control).create_webhook(spec(&["ready"]), None).await.unwrap();
    super::hand::submit(&user(&control), 7).await;
    sleep(&world.clock, Duration::from_secs(2)).await;
    assert_eq!(sender.calls().len(), 1);
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_read_leaves_the_others_closed() {
    let (world, run) = (World::new(), RunId::from_bytes([3; 16]));
    let control = world.start(PLENTY).await;
    let mut hand = Hand::new(&control, 1);
    let options = JobOptions { run: Some(run), ..JobOptions::default() };
    let run_spec = Some(RunSpec { run, timeout: None });
    let request = SubmitRequest { jobs: vec![submission(1, options)], run: run_spec };
    user(&control).call(Request::Submit(request)).await.unwrap();
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    control.stop().await.unwrap();

    // One that dies before it has closed it: what it commits are a session, and the end of the job.
    let cut = world.start(STARTS + 2).await;
    hand.caller = cut.caller(super::hand::runner_principal_of(1));
    hand.finish(token, Outcome::Passed, None);
    hand.send().await;
    sleep(&world.clock, Duration::from_secs(1)).await;
    cut.stop().await.unwrap();
    write(&world, Kind::Run).await;

    let control = world.start(PLENTY).await;
    sleep(&world.clock, Duration::from_secs(2)).await;
    let told =
        operator(&control).events(EventsOf::Run(run), EventCursor::START, Duration::ZERO).await.unwrap();
    let names: Vec<_> = told.events.iter().map(|(_, event)| event.what.name()).collect();
    assert_eq!(names.iter().filter(|name| **name == "closed").count(), 1, "{names:?}");
    control.stop().await.unwrap();
}
