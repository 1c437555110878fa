//! Several control planes on one store seldom meet, and none waits for another for long.

use super::hand::{Hand, submission, user};
use async_trait::async_trait;
use futures::{
    StreamExt as _,
    future::join_all,
    stream::{self, BoxStream},
};
use runners_core::{
    Clock as _, ControlPlane, Index, JobOptions, Key, Kind, MemoryStore, Outcome, Retention, Transport as _,
    protocol::{Reply, Request, SubmitRequest},
    sleep,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long the way to the store takes, each way, and how much later others hear what was written.
const WAY: Duration = Duration::from_millis(3);
const HEARD_AFTER: Duration = Duration::from_millis(10);

/// How long a job takes.
const WORK: Duration = Duration::from_millis(7);

/// How many bursts there are, each with other lots.
const BURSTS: u64 = 8;

/// How many hints are on their way at once.
const HINTS_MAX: usize = 4096;

#[derive(Debug, Default)]
struct Counted {
    /// Batches that offer a job, and those of them that met another's.
    claims: AtomicU64,
    conflicts: AtomicU64,
    /// How often it was looked for ended jobs that need not be kept.
    looked: AtomicU64,
}

/// A store as it is from another machine: it takes a while to hear from it.
#[derive(Debug)]
struct Far {
    store: MemoryStore,
    clock: SimClock,
    counted: Arc<Counted>,
}

#[async_trait]
impl Store for Far {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        sleep(&self.clock, WAY).await;
        let loaded = self.store.load(keys).await;
        sleep(&self.clock, WAY).await;
        loaded
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        if let Query::Range { index: Index::Listed, prefix, .. } = &query
            && prefix.get(16..18) == Some(&Kind::Job.number().to_be_bytes()[..])
        {
            self.counted.looked.fetch_add(1, Ordering::Relaxed);
        }
        sleep(&self.clock, WAY).await;
        let page = self.store.scan(query).await;
        sleep(&self.clock, WAY).await;
        page
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let offers = |write: &Write| {
            matches!(write, Write::Put { key, body, .. }
                if key.kind == Kind::Job && body.windows(9).any(|part| part == b"\"offered\""))
        };
        let claims = writes.iter().any(offers);
        sleep(&self.clock, WAY).await;
        let committed = self.store.commit(writes).await;
        sleep(&self.clock, WAY).await;
        if claims {
            self.counted.claims.fetch_add(1, Ordering::Relaxed);
            let met = u64::from(matches!(committed, Err(StoreError::Conflict(_))));
            self.counted.conflicts.fetch_add(met, Ordering::Relaxed);
        }
        committed
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        let clock = self.clock.clone();
        let late = move |hint| {
            let (clock, at) = (clock.clone(), clock.boot() + HEARD_AFTER);
            async move {
                clock.sleep_until(at).await;
                hint
            }
        };
        self.store.watch().map(late).buffered(HINTS_MAX).chain(stream::pending()).boxed()
    }
}

struct World {
    clock: SimClock,
    planes: Vec<(ControlPlane, Arc<Counted>)>,
}

impl World {
    async fn start(count: usize, seed: u64) -> Self {
        let (clock, store) = (SimClock::new(), MemoryStore::default());
        let start = |number: usize| {
            let counted = Arc::<Counted>::default();
            let far = Far { store: store.clone(), clock: clock.clone(), counted: Arc::clone(&counted) };
            let control = ControlPlane::builder(far).clock(clock.clone()).retention(Retention::default());
            let control = control.random(SeededRandom::new(seed * 100 + number as u64));
            async move { (control.start().await.unwrap(), counted) }
        };
        let planes = join_all((0..count).map(start)).await;
        Self { clock, planes }
    }

    /// Submits jobs, each at another control plane than the one before.
    async fn submit(&self, numbers: RangeInclusive<u8>) {
        let count = self.planes.len();
        let submits = (0..count).map(|plane| {
            let mine = numbers.clone().filter(move |number| usize::from(*number) % count == plane);
            let jobs = mine.map(|number| submission(number, JobOptions::default())).collect();
            let user = user(&self.planes[plane].0);
            async move {
                let reply = user.call(Request::Submit(SubmitRequest { jobs, run: None })).await.unwrap();
                assert!(matches!(reply, Reply::Submitted(_)), "{reply:?}");
            }
        });
        join_all(submits).await;
    }

    /// Has runners, each at home at a control plane, do jobs until so many are done.
    async fn work(&self, homes: &[usize], jobs: u64) -> Duration {
        let (began, done) = (self.clock.boot(), AtomicU64::new(0));
        let runners = homes.iter().zip(1..).map(|(home, number)| {
            let mut hand = Hand::new(&self.planes[*home].0, number);
            hand.next.incarnation.boots = began.as_duration().as_millis().try_into().unwrap();
            (hand.next.free, hand.next.park_for) = (1, Duration::from_millis(500));
            let (done, clock) = (&done, &self.clock);
            async move {
                while done.load(Ordering::Relaxed) < jobs {
                    let answer = hand.sync().await;
                    done.fetch_add(answer.recorded.len() as u64, Ordering::Relaxed);
                    hand.next.finishes.clear();
                    for token in hand.hold(&answer) {
                        sleep(clock, WORK).await;
                        hand.finish(token, Outcome::Passed, None);
                    }
                }
            }
        });
        join_all(runners).await;
        self.clock.boot().since(began)
    }

    /// What was counted since it was asked last, at all of them.
    fn take(&self, count: impl Fn(&Counted) -> &AtomicU64) -> Vec<u64> {
        self.planes.iter().map(|(_, counted)| count(counted).swap(0, Ordering::Relaxed)).collect()
    }

    /// Lets them hear of each other.
    async fn meet(&self) {
        self.submit(1..=16).await;
        self.work(&[0, 1, 2, 3].map(|home| home % self.planes.len()), 16).await;
        sleep(&self.clock, Duration::from_secs(2)).await;
        self.take(|counted| &counted.claims);
        self.take(|counted| &counted.conflicts);
    }

    /// Who looked for what need not be kept, in a while.
    async fn looked_within(&self, seconds: u64) -> Vec<u64> {
        self.take(|counted| &counted.looked);
        sleep(&self.clock, Duration::from_secs(seconds)).await;
        self.take(|counted| &counted.looked)
    }
}

#[tokio::test(start_paused = true)]
async fn of_bursts_at_four_control_planes_no_more_than_a_twentieth_of_the_claims_meet_another() {
    let (mut claims, mut conflicts) = (0, 0);
    for seed in 1..=BURSTS {
        let world = World::start(4, seed).await;
        world.meet().await;
        world.submit(17..=216).await;
        let homes: Vec<usize> = (0..16).map(|runner| runner % 4).collect();
        world.work(&homes, 200).await;
        let claimed: u64 = world.take(|counted| &counted.claims).iter().sum();
        let met: u64 = world.take(|counted| &counted.conflicts).iter().sum();
        println!("seed {seed}: {met} of {claimed} claims met another");
        assert!(claimed >= 100, "seed {seed}: {claimed}");
        claims += claimed;
        conflicts += met;
    }
    assert!(conflicts * 20 <= claims, "{conflicts} of {claims}");
}

#[tokio::test(start_paused = true)]
async fn jobs_that_others_go_first_for_do_not_wait_where_only_one_has_runners() {
    let world = World::start(4, 1).await;
    world.meet().await;
    world.submit(17..=116).await;
    let took = world.work(&[0], 100).await;
    // A job takes its work and four ways; that others go first costs less than all of that again.
    assert!(took < (WORK + WAY * 4) * 2 * 100, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_need_not_be_kept_is_looked_for_by_one_and_by_another_when_that_is_gone() {
    let world = World::start(2, 1).await;
    world.meet().await;
    world.looked_within(400).await;
    let looked = world.looked_within(600).await;
    let holder = looked.iter().position(|looked| *looked > 0).unwrap();
    assert_eq!(looked[1 - holder], 0, "{looked:?}");
    world.planes[holder].0.stop().await.unwrap();
    let looked = world.looked_within(600).await;
    assert!(looked[1 - holder] > 0, "{looked:?}");
}
