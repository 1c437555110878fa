//! What a run tells of itself: that it is opened, and that it is closed, whatever comes between.

use super::hand::{Hand, operator, submission, user};
use async_trait::async_trait;
use runners_core::{
    Caller, ControlPlane, Event, EventCursor, EventsOf, JobId, JobOptions, Kind, Management, MemoryStore,
    Outcome, RunId, Transport as _,
    protocol::{Acceptance, Reply, Request, RunSpec, SubmitRequest},
    sleep,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

const RUN: RunId = RunId::from_bytes([3; 16]);
const LONG: Duration = Duration::from_secs(20);

/// What becomes of a commit that closes a run.
#[derive(Clone, Debug)]
enum Closing {
    Done,
    Refused,
    /// It waits until it is told, and tells the other when it has begun.
    Held(Arc<Notify>, Arc<Notify>),
}

/// A store in which runs are closed as a test says.
#[derive(Clone, Debug)]
struct Stage {
    inner: MemoryStore,
    clock: SimClock,
    closing: Arc<Mutex<Closing>>,
}

impl Stage {
    fn new() -> Self {
        Self {
            inner: MemoryStore::default(),
            clock: SimClock::new(),
            closing: Arc::new(Mutex::new(Closing::Done)),
        }
    }

    fn closing(&self, how: Closing) {
        *self.closing.lock().unwrap() = how;
    }

    async fn control(&self) -> ControlPlane {
        let builder = ControlPlane::builder(self.clone()).clock(self.clock.clone());
        builder.random(SeededRandom::new(7)).start().await.unwrap()
    }
}

#[async_trait]
impl Store for Stage {
    async fn load(&self, keys: Vec<runners_core::Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let puts =
            |kind| writes.iter().any(|write| matches!(write, Write::Put { key, .. } if key.kind == kind));
        let opens = matches!(&writes[..], [Write::Put { expected: 0, .. }]);
        let how = self.closing.lock().unwrap().clone();
        match how {
            Closing::Refused if puts(Kind::Run) && !puts(Kind::Job) && !opens => {
                return Err(StoreError::Unavailable("the disk is away".into()));
            }
            Closing::Held(until, begun) if puts(Kind::Run) && !puts(Kind::Job) && !opens => {
                self.closing(Closing::Done);
                begun.notify_one();
                until.notified().await;
            }
            _ => {}
        }
        self.inner.commit(writes).await
    }
}

async fn submit(user: &Caller, numbers: &[u8]) {
    let options = JobOptions { run: Some(RUN), ..JobOptions::default() };
    let jobs = numbers.iter().map(|number| submission(*number, options.clone())).collect();
    let request = SubmitRequest { jobs, run: Some(RunSpec { run: RUN, timeout: None }) };
    let Reply::Submitted(submitted) = user.call(Request::Submit(request)).await.unwrap() else {
        panic!("expected acceptances")
    };
    assert!(submitted.jobs.iter().all(|job| matches!(job, Acceptance::Accepted(_))), "{submitted:?}");
}

async fn finish_one(hand: &mut Hand) {
    hand.next.free = 1;
    hand.next.park_for = LONG;
    let answer = hand.sync().await;
    hand.next.park_for = Duration::ZERO;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    hand.next.finishes.clear();
}

/// How often nothing may be told before it is given up.
const SILENCES_MAX: usize = 100;

/// Reads on until an event of this name was told.
async fn read_to(viewer: &Management, of: EventsOf, after: &mut EventCursor, name: &str) -> Vec<Event> {
    let (mut told, mut silences) = (Vec::new(), 0);
    while silences < SILENCES_MAX {
        let page = viewer.events(of, *after, LONG).await.unwrap();
        silences += usize::from(page.events.is_empty());
        for (at, event) in page.events {
            *after = at;
            told.push(event);
            if told.last().is_some_and(|event| event.what.name() == name) {
                return told;
            }
        }
    }
    panic!("no {name:?} was told, but {:?}", names(&told));
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.what.name()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_tells_when_it_is_opened_and_when_it_is_closed_and_each_time_it_is_again() {
    let control = Stage::new().control().await;
    let (user, viewer, mut hand) = (user(&control), operator(&control), Hand::new(&control, 1));
    submit(&user, &[1, 2]).await;
    finish_one(&mut hand).await;
    finish_one(&mut hand).await;
    let mut after = EventCursor::START;
    let told = read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    let of_a_job = ["offered", "running", "concluded"];
    let expected = [&["opened", "ready", "ready"][..], &of_a_job, &of_a_job, &["closed"]].concat();
    assert_eq!(names(&told), expected, "once each");
    let (opened, closed) = (&told[0], told.last().unwrap());
    assert_eq!((opened.job, opened.run, closed.job, closed.run), (None, Some(RUN), None, Some(RUN)));
    assert!(opened.sequence < closed.sequence);

    submit(&user, &[3]).await;
    finish_one(&mut hand).await;
    let again = read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    assert_eq!(names(&again), ["opened", "ready", "offered", "running", "concluded", "closed"]);
    let mut after = EventCursor::START;
    let mut of_tenant = read_to(&viewer, EventsOf::Tenant, &mut after, "closed").await;
    of_tenant.extend(read_to(&viewer, EventsOf::Tenant, &mut after, "closed").await);
    assert_eq!(of_tenant, [told, again].concat(), "the tenant's feed tells the same");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_lived_to_close_is_closed_after_a_restart() {
    let stage = Stage::new();
    let control = stage.control().await;
    let mut hand = Hand::new(&control, 1);
    submit(&user(&control), &[1]).await;
    stage.closing(Closing::Refused);
    finish_one(&mut hand).await;
    control.stop().await.unwrap();
    stage.closing(Closing::Done);
    sleep(&stage.clock, Duration::from_secs(1)).await;
    let control = stage.control().await;
    let mut after = EventCursor::START;
    let told = read_to(&operator(&control), EventsOf::Run(RUN), &mut after, "closed").await;
    assert_eq!(names(&told), ["opened", "ready", "offered", "running", "concluded", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_not_closed_over_a_job_that_was_added_meanwhile() {
    let stage = Stage::new();
    let control = stage.control().await;
    let (user, viewer, mut hand) = (user(&control), operator(&control), Hand::new(&control, 1));
    submit(&user, &[1]).await;
    let (until, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    stage.closing(Closing::Held(until.clone(), begun.clone()));
    finish_one(&mut hand).await;
    begun.notified().await;
    submit(&user, &[2]).await;
    until.notify_one();
    // It is refused by now.
    sleep(&stage.clock, Duration::from_secs(1)).await;
    finish_one(&mut hand).await;
    let mut after = EventCursor::START;
    let told = read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    let concluded = told.iter().filter(|event| event.what.name() == "concluded").map(|event| event.job);
    let both = [1, 2].map(|number| Some(JobId::from_bytes([number; 16])));
    assert_eq!(concluded.collect::<Vec<_>>(), both, "{:?}", names(&told));
    assert_eq!(names(&told).iter().filter(|name| **name == "opened").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closing_that_arrives_after_a_job_came_and_went_is_told_again_behind_it() {
    let stage = Stage::new();
    let control = stage.control().await;
    let (user, viewer, mut hand) = (user(&control), operator(&control), Hand::new(&control, 1));
    submit(&user, &[1]).await;
    let (until, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    stage.closing(Closing::Held(until.clone(), begun.clone()));
    finish_one(&mut hand).await;
    begun.notified().await;
    submit(&user, &[2]).await;
    finish_one(&mut hand).await;
    until.notify_one();
    let mut after = EventCursor::START;
    let first = read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    assert_eq!(names(&first), ["opened", "ready", "offered", "running", "concluded", "closed"]);
    let rest = read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    assert_eq!(
        names(&rest),
        ["ready", "offered", "running", "concluded", "closed"],
        "nothing is open behind it"
    );
    let page = viewer.events(EventsOf::Run(RUN), after, Duration::ZERO).await.unwrap();
    assert!(page.events.is_empty(), "{page:?}");
}

#[tokio::test(start_paused = true)]
async fn jobs_that_find_their_run_closed_are_accepted_and_the_first_opens_it() {
    let stage = Stage::new();
    let control = stage.control().await;
    let (user, viewer, mut hand) = (user(&control), operator(&control), Hand::new(&control, 1));
    submit(&user, &[1]).await;
    finish_one(&mut hand).await;
    let mut after = EventCursor::START;
    read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    // The second finds the run as it was before the first has opened it again.
    let options = |after: &[u8]| JobOptions {
        run: Some(RUN),
        after: after.iter().map(|number| JobId::from_bytes([*number; 16])).collect(),
        ..JobOptions::default()
    };
    let jobs = vec![submission(2, options(&[])), submission(3, options(&[2]))];
    let run = Some(RunSpec { run: RUN, timeout: None });
    let reply = user.call(Request::Submit(SubmitRequest { jobs, run })).await.unwrap();
    let Reply::Submitted(submitted) = reply else { panic!("expected acceptances") };
    assert!(submitted.jobs.iter().all(|job| matches!(job, Acceptance::Accepted(_))), "{submitted:?}");
    finish_one(&mut hand).await;
    finish_one(&mut hand).await;
    let again = read_to(&viewer, EventsOf::Run(RUN), &mut after, "closed").await;
    assert_eq!(names(&again)[..3], ["opened", "ready", "blocked"]);
}
