//! Events: the history of a job, and the feeds of its run and its tenant.

use super::{
    control,
    hand::{Hand, submission, submit, submit_with, user},
};
use runners_core::{
    Clock as _, Conclusion, ControlPlane, Error, Event, EventCursor, EventsOf, Happening, JobId, JobOptions,
    Key, Kind, Management, MemoryStore, Outcome, Principal, RetryPolicy, RunId, Scope, TenantId,
    Transport as _,
    protocol::{RefusalCode, Reply, Request, RunSpec, SubmitRequest},
    sleep,
    store::{Page, Query, Store as _, Write},
    testing::clock::SimClock,
};
use std::time::Duration;

fn viewer(control: &ControlPlane) -> Management {
    control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Read].into() })
}

async fn all(viewer: &Management, of: EventsOf) -> Vec<(EventCursor, Event)> {
    let mut found = Vec::new();
    let mut after = EventCursor::START;
    loop {
        let page = viewer.events(of, after, Duration::ZERO).await.unwrap();
        if page.events.is_empty() {
            return found;
        }
        after = page.next;
        found.extend(page.events);
    }
}

fn names(events: &[(EventCursor, Event)]) -> Vec<&'static str> {
    events.iter().map(|(_, event)| event.what.name()).collect()
}

async fn finished(hand: &mut Hand) {
    ended(hand, Outcome::Passed).await;
}

async fn ended(hand: &mut Hand, outcome: Outcome) {
    let answer = hand.sync().await;
    for token in hand.hold(&answer) {
        hand.sync().await;
        hand.finish(token, outcome.clone(), None);
    }
    hand.sync().await;
    hand.next.finishes.clear();
}

#[tokio::test]
async fn a_job_tells_each_of_its_states_once_and_can_be_read_on_from_any() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    finished(&mut hand).await;
    let events = all(&viewer(&control), EventsOf::Job(job)).await;
    assert_eq!(names(&events), ["ready", "offered", "running", "concluded"]);
    assert_eq!(events[3].1.what, Happening::Concluded { conclusion: Conclusion::Passed });
    for at in 0..events.len() {
        let rest = viewer(&control).events(EventsOf::Job(job), events[at].0, Duration::ZERO).await.unwrap();
        assert_eq!(rest.events, events[at + 1..]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_that_its_record_has_no_room_for_is_told_whole() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let retry = RetryPolicy { attempts_max: 9, failed: true, ..RetryPolicy::default() };
    let job = JobId::from_bytes([7; 16]);
    submit_with(&user, 7, JobOptions { retry, ..JobOptions::default() }).await;
    for _ in 0..9 {
        ended(&mut hand, Outcome::Failed).await;
        sleep(&clock, RetryPolicy::default().backoff_max).await;
    }
    let own = all(&viewer(&control), EventsOf::Job(job)).await;
    assert_eq!(names(&own).iter().filter(|name| **name == "running").count(), 9);
    assert_eq!(own.last().unwrap().1.what, Happening::Concluded { conclusion: Conclusion::Failed });
    let told = all(&viewer(&control), EventsOf::Tenant).await;
    let events =
        |told: &[(EventCursor, Event)]| told.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>();
    assert_eq!(events(&own), events(&told));
    for at in 0..own.len() {
        let rest = viewer(&control).events(EventsOf::Job(job), own[at].0, Duration::ZERO).await.unwrap();
        assert_eq!(rest.events, own[at + 1..]);
    }
}

#[tokio::test]
async fn a_feed_tells_what_the_jobs_tell_in_order() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let run = RunId::from_bytes([5; 16]);
    let options = JobOptions { run: Some(run), ..JobOptions::default() };
    let jobs = [1, 2].map(|number| submission(number, options.clone()));
    let spec = RunSpec { run, timeout: None };
    let request = SubmitRequest { jobs: jobs.into(), run: Some(spec) };
    assert!(matches!(user.call(Request::Submit(request)).await.unwrap(), Reply::Submitted(_)));
    submit(&user, 3).await;
    finished(&mut hand).await;
    finished(&mut hand).await;

    let viewer = viewer(&control);
    // The run is closed right after the last of its jobs has ended.
    let mut after = EventCursor::START;
    while !all(&viewer, EventsOf::Run(run)).await.iter().any(|(_, event)| event.what == Happening::Closed) {
        after = viewer.events(EventsOf::Run(run), after, Duration::from_secs(20)).await.unwrap().next;
    }
    let feed = all(&viewer, EventsOf::Tenant).await;
    assert!(feed.is_sorted_by(|one, next| one.0 < next.0), "every place is after the one before");
    assert_eq!(feed.len(), 14, "four of each job, and two of the run");
    for number in 1..=3 {
        let job = JobId::from_bytes([number; 16]);
        let own = all(&viewer, EventsOf::Job(job)).await.into_iter().map(|(_, event)| event);
        let told = feed.iter().filter(|(_, event)| event.job == Some(job)).map(|(_, event)| event.clone());
        assert_eq!(own.collect::<Vec<_>>(), told.collect::<Vec<_>>());
    }
    let of_run: Vec<Event> =
        all(&viewer, EventsOf::Run(run)).await.into_iter().map(|(_, event)| event).collect();
    let told = feed.iter().filter(|(_, event)| event.run == Some(run)).map(|(_, event)| event.clone());
    assert_eq!(of_run, told.collect::<Vec<_>>());
    for (at, (place, _)) in feed.iter().enumerate() {
        let rest = viewer.events(EventsOf::Tenant, *place, Duration::ZERO).await.unwrap();
        assert_eq!(rest.events, feed[at + 1..], "it can be read on from inside a batch too");
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_reader_is_woken_by_the_next_event() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let user = user(&control);
    let viewer = viewer(&control);
    let before = clock.boot();
    let reading = viewer.events(EventsOf::Tenant, EventCursor::START, Duration::from_secs(15));
    let (page, job) = tokio::join!(reading, submit(&user, 7));
    assert_eq!(page.unwrap().events[0].1.job, Some(job));
    assert_eq!(clock.boot().since(before), Duration::ZERO, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_stops_answers_who_waits_and_lets_nobody_wait_any_more() {
    let control = control().await;
    let viewer = viewer(&control);
    let ask = |park_for| viewer.events(EventsOf::Tenant, EventCursor::START, park_for);
    let (waited, stopped) = tokio::join!(ask(Duration::from_secs(15)), control.stop());
    stopped.unwrap();
    assert!(waited.unwrap().events.is_empty());
    let refused = ask(Duration::from_secs(15)).await.unwrap_err();
    assert!(refused.with_causes().ends_with("the control plane is stopping"), "{refused:?}");
    assert!(ask(Duration::ZERO).await.unwrap().events.is_empty(), "what does not wait is answered");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_starts_with_its_wall_set_back_tells_after_what_was_told() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let start = || ControlPlane::builder(store.clone()).clock(clock.clone()).start();
    let before = start().await.unwrap();
    let run = RunId::from_bytes([5; 16]);
    let submit = async |control: &ControlPlane, number| {
        let options = JobOptions { run: Some(run), ..JobOptions::default() };
        let jobs = vec![submission(number, options)];
        let request = SubmitRequest { jobs, run: Some(RunSpec { run, timeout: None }) };
        let reply = user(control).call(Request::Submit(request)).await.unwrap();
        assert!(matches!(reply, Reply::Submitted(_)));
    };
    submit(&before, 1).await;
    clock.sleep_until(clock.boot() + Duration::from_secs(1)).await;
    let feeds = [EventsOf::Tenant, EventsOf::Run(run)];
    let mut read = Vec::new();
    for of in feeds {
        read.push(all(&viewer(&before), of).await);
    }
    before.stop().await.unwrap();

    clock.step_wall(-600_000);
    let after = start().await.unwrap();
    submit(&after, 2).await;
    clock.sleep_until(clock.boot() + Duration::from_secs(1)).await;
    for (of, read) in feeds.into_iter().zip(read) {
        let place = read.last().unwrap().0;
        let page = viewer(&after).events(of, place, Duration::ZERO).await.unwrap();
        assert_eq!(page.events.len(), 1, "{of:?} was read up to {place}");
        assert_eq!(page.events[0].1.job, Some(JobId::from_bytes([2; 16])));
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_is_read_on_behind_a_chunk_of_any_size() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let start = || ControlPlane::builder(store.clone()).clock(clock.clone()).start();
    let control = start().await.unwrap();
    submit(&user(&control), 1).await;
    let stream = Key::new(TenantId::DEFAULT, Kind::Events, b"feed".to_vec());
    let query = Query::Stream { stream: stream.clone(), from: 0, bytes_max: u32::MAX };
    let Page::Chunks { chunks, .. } = store.scan(query).await.unwrap() else { panic!("no chunks") };
    let (first, line) = chunks[0].clone();
    // As much as a batch may hold, and far more than a page of events.
    let lines = (3 << 20) / (line.len() + 1);
    let bytes = vec![line; lines].join(&b'\n');
    let at = first + 1;
    store.commit(vec![Write::Append { stream, at, bytes: bytes.into() }]).await.unwrap();
    sleep(&clock, Duration::from_secs(1)).await;
    submit(&user(&control), 2).await;
    sleep(&clock, Duration::from_secs(1)).await;
    let feed = all(&viewer(&control), EventsOf::Tenant).await;
    assert_eq!(feed.len(), 1 + lines + 1);
    let half = feed[lines / 2].0;
    let page = viewer(&control).events(EventsOf::Tenant, half, Duration::ZERO).await.unwrap();
    assert_eq!(page.events[0], feed[lines / 2 + 1], "it can be read on from inside");

    // One that starts with its wall before all of it tells after it.
    control.stop().await.unwrap();
    clock.step_wall(-600_000);
    let after = start().await.unwrap();
    submit(&user(&after), 3).await;
    sleep(&clock, Duration::from_secs(1)).await;
    let told = all(&viewer(&after), EventsOf::Tenant).await;
    assert_eq!(told.last().unwrap().1.job, Some(JobId::from_bytes([3; 16])));
}

#[tokio::test]
async fn nobody_sees_anothers_events() {
    let control = control().await;
    let user = user(&control);
    let job = submit(&user, 7).await;
    let other = TenantId::from_bytes([9; 16]);
    let other = control.management(Principal::Api { tenant: other, scopes: Scope::ALL.into() });
    assert!(all(&other, EventsOf::Tenant).await.is_empty());
    let refused = other.events(EventsOf::Job(job), EventCursor::START, Duration::ZERO).await;
    assert!(matches!(refused, Err(Error::Refused(refused)) if refused.code == RefusalCode::NotFound));
}
