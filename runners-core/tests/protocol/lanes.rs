//! Lanes come and go: what nobody uses is deleted, and no job waits where nobody looks.

use crate::hand::{Hand, inspect, submission, submit_with, user};
use runners_core::{
    Caller, Clock as _, Concurrency, ControlPlane, JobId, JobOptions, MemoryStore, Outcome, Random as _,
    RunId, Transport as _,
    protocol::{
        Acceptance, CancelRequest, CancelTarget, RefusalCode, Reply, Request, RunSpec, StateView,
        SubmitRequest,
    },
    sleep,
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{collections::BTreeMap, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);
/// Two looks at a lane, each within a day and a quarter.
const TWO_LOOKS: Duration = Duration::from_secs(61 * 3600);
/// How many lanes a pool has at most.
const LANES_MAX: u32 = 10_000;
const JOBS_PER_REQUEST: u32 = 1_000;

fn mixture(key: &str) -> JobOptions {
    JobOptions { concurrency: vec![Concurrency::new(key, 1)], ..JobOptions::default() }
}

async fn control(store: &MemoryStore, clock: &SimClock) -> ControlPlane {
    let builder = ControlPlane::builder(store.clone()).clock(clock.clone());
    builder.random(SeededRandom::new(3)).start().await.unwrap()
}

/// Submits a job for each of these mixtures, and cancels them all.
async fn used_once(user: &Caller, mixtures: std::ops::Range<u32>) {
    let run = RunId::from_bytes([u8::try_from(mixtures.start / JOBS_PER_REQUEST).unwrap() + 1; 16]);
    let jobs = mixtures.map(|number| {
        let mut one = submission(0, JobOptions { run: Some(run), ..mixture(&number.to_string()) });
        let spec = String::from_utf8(one.spec.as_bytes().to_vec()).unwrap();
        one.spec = spec.replace(&"0".repeat(32), &format!("{:032x}", number + 1)).into_bytes().into();
        one
    });
    let request = SubmitRequest { jobs: jobs.collect(), run: Some(RunSpec { run, timeout: None }) };
    let Reply::Submitted(submitted) = user.call(Request::Submit(request)).await.unwrap() else {
        panic!("expected acceptances")
    };
    assert!(submitted.jobs.iter().all(|one| matches!(one, Acceptance::Accepted(_))), "{submitted:?}");
    user.call(Request::Cancel(CancelRequest { target: CancelTarget::Run(run) })).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_mixtures_that_nobody_uses_any_more_make_room_for_others() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let control = control(&store, &clock).await;
    let user = user(&control);
    for from in (0..LANES_MAX).step_by(JOBS_PER_REQUEST as usize) {
        used_once(&user, from..from + JOBS_PER_REQUEST).await;
    }
    match submit_with(&user, 1, mixture("one more")).await {
        Acceptance::Refused(refused) => assert_eq!(refused.code, RefusalCode::Exhausted),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let again = submit_with(&user, 2, mixture("7")).await;
    assert!(matches!(again, Acceptance::Accepted(_)), "a mixture that is there already");
    sleep(&clock, TWO_LOOKS).await;
    used_once(&user, 2 * LANES_MAX..2 * LANES_MAX + JOBS_PER_REQUEST).await;
    assert!(matches!(inspect(&user, JobId::from_bytes([2; 16])).await.state, StateView::Ready { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_becomes_ready_after_its_lane_was_deleted_is_granted() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let first = control(&store, &clock).await;
    let start_at = Some(clock.wall() + 2 * TWO_LOOKS);
    let later = JobOptions { start_at, ..mixture("later") };
    assert!(matches!(submit_with(&user(&first), 1, later).await, Acceptance::Accepted(_)));
    sleep(&clock, TWO_LOOKS).await;
    first.stop().await.unwrap();
    let second = control(&store, &clock).await;
    let mut hand = Hand::new(&second, 1);
    hand.sync().await;
    sleep(&clock, TWO_LOOKS + HOUR).await;
    let third = control(&store, &clock).await;
    let mut other = Hand::new(&third, 2);
    assert_eq!(other.sync().await.offers.len() + hand.sync().await.offers.len(), 1);
}

/// Two control planes, a few mixtures that are used now and then, and jobs that wait for days.
struct Play {
    random: SeededRandom,
    clock: SimClock,
    users: [Caller; 2],
    hands: [Hand; 2],
    jobs: Vec<JobId>,
    running: [BTreeMap<JobId, runners_core::FencingToken>; 2],
}

impl Play {
    fn draw(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_be_bytes(bytes) % below
    }

    fn side(&self) -> usize {
        usize::try_from(self.draw(2)).unwrap()
    }

    async fn submit(&mut self) {
        let number = u8::try_from(self.jobs.len()).unwrap() + 1;
        let key = self.draw(4).to_string();
        let wait = self.draw(4) * self.draw(16);
        let start_at = Some(self.clock.wall() + HOUR * u32::try_from(wait).unwrap());
        let accepted =
            submit_with(&self.users[self.side()], number, JobOptions { start_at, ..mixture(&key) }).await;
        assert!(matches!(accepted, Acceptance::Accepted(_)), "{accepted:?}");
        self.jobs.push(JobId::from_bytes([number; 16]));
    }

    /// A runner takes what it is offered, and ends what it has taken before.
    async fn sync(&mut self, side: usize) {
        let hand = &mut self.hands[side];
        for (_, token) in std::mem::take(&mut self.running[side]) {
            hand.finish(token, Outcome::Passed, None);
        }
        let answer = hand.sync().await;
        hand.next.finishes.clear();
        for token in answer.lost {
            hand.next.held.retain(|held| held.token != token);
            hand.next.free += 1;
        }
        let offers = answer.offers.iter().map(|offer| offer.token).collect::<Vec<_>>();
        if !offers.is_empty() {
            hand.next.held.extend(offers.iter().map(|token| runners_core::protocol::Held {
                token: *token,
                phase: runners_core::protocol::Phase::Running,
            }));
            hand.next.free -= u32::try_from(offers.len()).unwrap();
            hand.sync().await;
            self.running[side].extend(offers.into_iter().map(|token| (token.job, token)));
        }
    }

    async fn open(&self) -> usize {
        let mut open = 0;
        for job in &self.jobs {
            open += usize::from(inspect(&self.users[0], *job).await.conclusion().is_none());
        }
        open
    }
}

#[tokio::test(start_paused = true)]
async fn no_job_waits_in_a_lane_that_is_not_there_whoever_submits_and_whoever_looks() {
    for seed in 0..2 {
        let (store, clock) = (MemoryStore::default(), SimClock::new());
        let planes = [control(&store, &clock).await, control(&store, &clock).await];
        let mut play = Play {
            random: SeededRandom::new(seed),
            users: [user(&planes[0]), user(&planes[1])],
            hands: [Hand::new(&planes[0], 1), Hand::new(&planes[1], 2)],
            jobs: Vec::new(),
            running: [BTreeMap::new(), BTreeMap::new()],
            clock,
        };
        for _ in 0..40 {
            match play.draw(6) {
                0..=2 => play.submit().await,
                3 | 4 => play.sync(play.side()).await,
                _ => sleep(&play.clock, HOUR * u32::try_from(play.draw(20)).unwrap()).await,
            }
        }
        sleep(&play.clock, HOUR * 50).await;
        let mut rounds = 0;
        while play.open().await > 0 {
            rounds += 1;
            assert!(rounds < 400, "seed {seed}: {} jobs are never granted", play.open().await);
            play.sync(rounds % 2).await;
            sleep(&play.clock, Duration::from_secs(1)).await;
        }
    }
}
