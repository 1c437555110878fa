//! Following events at one of several control planes that share a store and its clock: whatever any of
//! them tells is read everywhere within half a second, and nothing is missed.

use super::{
    hand::{Hand, submission, submit, user},
    management::admin,
    webhooks::{Scripted, spec},
};
use async_trait::async_trait;
use futures::{
    future::join_all,
    poll,
    stream::{BoxStream, StreamExt as _},
};
use runners_core::{
    Clock, ControlPlane, EventCursor, EventPage, EventsOf, Happening, JobId, JobOptions, Key, MemoryStore,
    Transport as _, TransportError,
    protocol::{Request, SubmitRequest},
    sleep,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Within which time an event is read everywhere.
const SOON: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(30);

/// One control plane's way to a store that others write to, too.
#[derive(Clone, Debug)]
struct Shared {
    inner: MemoryStore,
    /// The clock of the store; none if it has one owner.
    clock: Option<SimClock>,
    /// How often the watermark was raised from here.
    raises: Arc<AtomicUsize>,
    /// How often a commit was to be above it.
    tellings: Arc<AtomicUsize>,
    /// The next commit that tells something is held back until this is told.
    held: Arc<Mutex<Option<Arc<Notify>>>>,
    /// How many of the next commits that tell something are refused.
    refusals: Arc<AtomicUsize>,
    /// The watermark cannot be raised.
    is_stuck: Arc<AtomicUsize>,
}

impl Shared {
    fn new(inner: &MemoryStore, clock: Option<&SimClock>) -> Self {
        Self {
            inner: inner.clone(),
            clock: clock.cloned(),
            raises: Arc::default(),
            tellings: Arc::default(),
            held: Arc::default(),
            refusals: Arc::default(),
            is_stuck: Arc::default(),
        }
    }

    fn hold(&self) -> Arc<Notify> {
        let until = Arc::new(Notify::new());
        *self.held.lock().unwrap() = Some(until.clone());
        until
    }

    fn raises(&self) -> usize {
        self.raises.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Shared {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let telling = writes.iter().find_map(|write| match write {
            Write::Above { watermark, number } => Some((watermark.clone(), *number)),
            _ => None,
        });
        if let Some((watermark, number)) = telling {
            self.tellings.fetch_add(1, Ordering::SeqCst);
            let held = self.held.lock().unwrap().take();
            if let Some(until) = held {
                until.notified().await;
            }
            let left = self.refusals.load(Ordering::SeqCst);
            if left > 0 {
                self.refusals.store(left - 1, Ordering::SeqCst);
                return Err(StoreError::Below { watermark, at: number });
            }
        }
        if writes.iter().any(|write| matches!(write, Write::Raise { .. })) {
            self.raises.fetch_add(1, Ordering::SeqCst);
            if self.is_stuck.load(Ordering::SeqCst) > 0 {
                return Err(StoreError::Unavailable("stuck".into()));
            }
        }
        self.inner.commit(writes).await
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        match self.clock {
            Some(_) => self.inner.watch(),
            None => futures::stream::pending().boxed(),
        }
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.clock.clone().map(|clock| Arc::new(clock) as _)
    }
}

/// Two control planes on one store.
struct Pair {
    clock: SimClock,
    stores: [Shared; 2],
    planes: [ControlPlane; 2],
}

impl Pair {
    async fn start() -> Self {
        let (inner, clock) = (MemoryStore::default(), SimClock::new());
        let stores = [(); 2].map(|()| Shared::new(&inner, Some(&clock)));
        let start = |at: usize| {
            let builder = ControlPlane::builder(stores[at].clone()).clock(clock.clone());
            builder.random(SeededRandom::new(at as u64)).start()
        };
        let planes = [start(0).await.unwrap(), start(1).await.unwrap()];
        Self { clock, stores, planes }
    }

    /// What is told after a place, as it is read at a control plane.
    async fn read(&self, at: usize, after: EventCursor, park_for: Duration) -> EventPage {
        admin(&self.planes[at]).events(EventsOf::Tenant, after, park_for).await.unwrap()
    }

    async fn submit(&self, at: usize, number: u8) -> JobId {
        submit(&user(&self.planes[at]), number).await
    }

    /// Everything that can be read within half a second.
    async fn all(&self, at: usize) -> Vec<JobId> {
        let (mut after, mut found) = (EventCursor::START, Vec::new());
        for _ in 0..4 {
            let page = self.read(at, after, SOON).await;
            after = page.next;
            found.extend(jobs(&page));
        }
        found
    }
}

fn jobs(page: &EventPage) -> Vec<JobId> {
    page.events.iter().filter_map(|(_, event)| event.job).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_of_any_control_plane_is_read_at_each_within_half_a_second() {
    let pair = Pair::start().await;
    let mut after = [EventCursor::START; 2];
    for (number, told_at) in [(1, 0), (2, 1), (3, 0), (4, 0)] {
        let began = pair.clock.boot();
        let reading = join_all((0..2).map(|at| pair.read(at, after[at], LONG)));
        let (pages, job) = tokio::join!(reading, pair.submit(told_at, number));
        for (page, after) in pages.iter().zip(&mut after) {
            assert_eq!(jobs(page), [job]);
            *after = page.next;
        }
        let took = pair.clock.boot().since(began);
        assert!(took <= SOON, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_job_is_followed_where_nobody_changes_it() {
    let pair = Pair::start().await;
    let job = pair.submit(0, 1).await;
    let viewer = admin(&pair.planes[1]);
    let read = |after| viewer.events(EventsOf::Job(job), after, LONG);
    let ready = read(EventCursor::START).await.unwrap();
    let (mut hand, began) = (Hand::new(&pair.planes[0], 1), pair.clock.boot());
    let (page, _) = tokio::join!(read(ready.next), hand.sync());
    let events = page.unwrap().events;
    assert!(matches!(events[0].1.what, Happening::Offered { .. }), "{events:?}");
    assert!(pair.clock.boot().since(began) <= SOON, "{:?}", pair.clock.boot().since(began));
}

#[tokio::test(start_paused = true)]
async fn while_much_is_told_all_of_it_is_read_soon_and_the_watermark_raised_seldom() {
    const JOBS: u8 = 100;
    let pair = Pair::start().await;
    let told = Mutex::new(Vec::new());
    let telling = async {
        for number in 0..JOBS {
            let job = submit(&user(&pair.planes[usize::from(number) % 2]), number).await;
            told.lock().unwrap().push((job, pair.clock.boot()));
            sleep(&pair.clock, Duration::from_millis(23)).await;
        }
    };
    let read = async || {
        let (mut after, mut found) = (EventCursor::START, Vec::new());
        while found.len() < usize::from(JOBS) {
            let page = pair.read(1, after, LONG).await;
            after = page.next;
            found.extend(jobs(&page).into_iter().map(|job| (job, pair.clock.boot())));
        }
        found
    };
    let began = pair.clock.boot();
    let (found, again, ()) = tokio::join!(read(), read(), telling);
    let told = told.into_inner().unwrap();
    for found in [found, again] {
        for ((job, at), (read, when)) in told.iter().zip(found) {
            assert_eq!(*job, read);
            assert!(when.since(*at) <= SOON, "{:?}", when.since(*at));
        }
    }
    let most = pair.clock.boot().since(began).as_millis() / 200 + 1;
    assert!(pair.stores[1].raises() as u128 <= most, "{} of {most}", pair.stores[1].raises());
    assert_eq!(pair.stores[0].raises(), 0, "nobody follows there");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_lands_after_a_reader_has_passed_is_read_however_late_that_is() {
    for late in [Duration::from_millis(300), LONG] {
        let pair = Pair::start().await;
        let until = pair.stores[0].hold();
        let users = [0, 1].map(|at| user(&pair.planes[at]));
        let mut submitting = pin!(submit(&users[0], 1));
        assert!(poll!(&mut submitting).is_pending());
        let second = submit(&users[1], 2).await;
        sleep(&pair.clock, late).await;
        let page = pair.read(1, EventCursor::START, LONG).await;
        assert_eq!(jobs(&page), [second], "nobody waits for what may never come");
        until.notify_one();
        let first = submitting.await;
        assert_eq!(pair.stores[0].tellings.load(Ordering::SeqCst), 2, "it took another number");
        for at in 0..2 {
            let page = pair.read(at, page.next, LONG).await;
            assert_eq!(jobs(&page), [first], "at {at}");
        }
        let viewer = admin(&pair.planes[1]);
        let history = viewer.events(EventsOf::Job(first), EventCursor::START, Duration::ZERO);
        assert_eq!(history.await.unwrap().events.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_that_is_set_back_holds_nothing_back() {
    let pair = Pair::start().await;
    let first = submit(&user(&pair.planes[0]), 1).await;
    let mut after = pair.read(1, EventCursor::START, LONG).await.next;
    let mut told = vec![first];
    for back in [1_000, 3_600_000] {
        pair.clock.step_wall(-back);
        for (number, at) in [(2, 0), (3, 1), (4, 0)] {
            let began = pair.clock.boot();
            let number = number + u8::from(back > 1_000) * 10;
            let (page, job) = tokio::join!(pair.read(1, after, LONG), pair.submit(at, number));
            assert_eq!(jobs(&page), [job]);
            let took = pair.clock.boot().since(began);
            assert!(took <= SOON, "{took:?}");
            after = page.next;
            told.push(job);
        }
    }
    assert_eq!(pair.all(0).await, told);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_numbers_are_passed_again_and_again_is_given_up_and_was_not_applied() {
    let pair = Pair::start().await;
    pair.stores[0].refusals.store(3, Ordering::SeqCst);
    let first = submit(&user(&pair.planes[0]), 1).await;
    assert_eq!(pair.stores[0].tellings.load(Ordering::SeqCst), 4);
    pair.stores[0].refusals.store(usize::MAX, Ordering::SeqCst);
    let request = SubmitRequest { jobs: vec![submission(2, JobOptions::default())], run: None };
    let refused = user(&pair.planes[0]).call(Request::Submit(request)).await;
    assert!(matches!(refused, Err(TransportError::Unreachable(_))), "{refused:?}");
    let tried = pair.stores[0].tellings.load(Ordering::SeqCst);
    assert!((8..100).contains(&tried), "{tried}");
    assert_eq!(pair.all(1).await, [first]);
    let second = submit(&user(&pair.planes[1]), 2).await;
    assert_eq!(pair.all(1).await, [first, second]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_out_while_the_watermark_cannot_be_raised() {
    let pair = Pair::start().await;
    pair.stores[1].is_stuck.store(1, Ordering::SeqCst);
    let mut reading = pin!(pair.read(1, EventCursor::START, LONG));
    assert!(poll!(&mut reading).is_pending());
    let job = submit(&user(&pair.planes[0]), 1).await;
    let page = tokio::select! {
        biased;
        page = &mut reading => page,
        () = sleep(&pair.clock, LONG / 2) => EventPage { events: Vec::new(), next: EventCursor::START },
    };
    assert_eq!(jobs(&page), []);
    let tried = pair.stores[1].raises();
    assert!((2..=LONG.as_millis() as usize / 2 / 200 + 1).contains(&tried), "{tried}");
    pair.stores[1].is_stuck.store(0, Ordering::SeqCst);
    assert_eq!(jobs(&reading.await), [job]);
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_control_plane_raise_the_watermark_once_for_all() {
    let pair = Pair::start().await;
    let reading = join_all((0..40).map(|_| pair.read(1, EventCursor::START, LONG)));
    let (pages, job) = tokio::join!(reading, pair.submit(0, 1));
    assert!(pages.iter().all(|page| jobs(page) == [job]));
    assert_eq!(pair.stores[1].raises(), 1);
    sleep(&pair.clock, LONG).await;
    assert_eq!((pair.stores[0].raises(), pair.stores[1].raises()), (0, 1), "nobody follows");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_hears_within_half_a_second() {
    let (clock, sender) = (SimClock::new(), Scripted::default());
    let store = Shared::new(&MemoryStore::default(), Some(&clock));
    let builder = ControlPlane::builder(store).clock(clock.clone()).webhooks(sender.clone());
    let control = builder.random(SeededRandom::new(7)).start().await.unwrap();
    admin(&control).create_webhook(spec(&["ready"]), None).await.unwrap();
    sleep(&clock, LONG).await;
    submit(&user(&control), 7).await;
    sleep(&clock, SOON).await;
    assert_eq!(sender.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_with_one_owner_has_no_watermark() {
    let clock = SimClock::new();
    let store = Shared::new(&MemoryStore::default(), None);
    let builder = ControlPlane::builder(store.clone()).clock(clock.clone());
    let control = builder.random(SeededRandom::new(7)).start().await.unwrap();
    submit(&user(&control), 1).await;
    let viewer = admin(&control);
    let read = viewer.events(EventsOf::Tenant, EventCursor::START, Duration::ZERO);
    assert_eq!(read.await.unwrap().events.len(), 1, "at once");
    assert_eq!((store.raises(), store.tellings.load(Ordering::SeqCst)), (0, 0));
}
