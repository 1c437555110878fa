//! That each fault is what it is said to be.

use super::*;
use crate::{
    testing::clock::SimClock,
    values::{
        id::JobId,
        reply::Cancelled,
        request::{CancelRequest, CancelTarget},
    },
};

/// Counts the requests that arrive.
#[derive(Debug, Default)]
struct Counting(Mutex<u32>);

#[async_trait]
impl Transport for Counting {
    async fn call(&self, _request: Request) -> Result<Reply, TransportError> {
        let mut arrived = self.0.lock().unwrap();
        *arrived += 1;
        Ok(Reply::Cancelled(Cancelled { jobs: *arrived }))
    }
}

fn request() -> Request {
    Request::Cancel(CancelRequest { target: CancelTarget::Job(JobId::from_bytes([1; 16])) })
}

async fn outcomes(seed: u64) -> (Vec<bool>, FaultCounts, BootTime) {
    let clock = SimClock::new();
    let faults = Faults {
        lose_request: 0.2,
        lose_reply: 0.2,
        duplicate: 0.2,
        ..Faults::bad(Duration::from_secs(300))
    };
    let faulty = FaultyTransport::new(Counting::default(), clock.clone(), SeededRandom::new(seed), faults);
    let mut outcomes = Vec::new();
    for _ in 0..100 {
        outcomes.push(faulty.call(request()).await.is_ok());
    }
    faulty.settled().await;
    (outcomes, faulty.counts(), clock.boot())
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_to_the_millisecond() {
    let first = outcomes(1).await;
    assert_eq!(first, outcomes(1).await);
    assert_ne!(first.0, outcomes(2).await.0);
    let counts = first.1;
    assert!(counts.lost_requests > 5 && counts.lost_replies > 5 && counts.duplicates > 5 && counts.slow > 5);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_was_applied_and_a_lost_request_was_not() {
    for (faults, arrived) in [
        (Faults { lose_reply: 1.0, ..Faults::none() }, 1),
        (Faults { lose_request: 1.0, ..Faults::none() }, 0),
        (Faults { duplicate: 1.0, ..Faults::none() }, 2),
    ] {
        let counting = Arc::new(Counting::default());
        let faulty =
            FaultyTransport::new(counting.clone(), SimClock::new(), SeededRandom::new(3), faults.clone());
        assert_eq!(faulty.call(request()).await.is_ok(), faults.duplicate > 0.0);
        faulty.settled().await;
        assert_eq!(*counting.0.lock().unwrap(), arrived, "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_arrives_though_its_caller_is_gone() {
    let (clock, counting) = (SimClock::new(), Arc::new(Counting::default()));
    let faults = Faults { slow: 1.0, delay_max: Duration::from_secs(300), ..Faults::none() };
    let faulty = FaultyTransport::new(counting.clone(), clock.clone(), SeededRandom::new(4), faults);
    tokio::select! {
        biased;
        _ = faulty.call(request()) => panic!("it takes longer"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(*counting.0.lock().unwrap(), 0);
    faulty.settled().await;
    assert_eq!(*counting.0.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_partition_loses_everything_until_it_ends() {
    let (clock, counting) = (SimClock::new(), Arc::new(Counting::default()));
    let faulty = FaultyTransport::new(counting.clone(), clock.clone(), SeededRandom::new(5), Faults::none());
    faulty.partition(Duration::from_secs(60));
    assert!(faulty.call(request()).await.is_err());
    sleep(&clock, Duration::from_secs(60)).await;
    assert!(faulty.call(request()).await.is_ok());
    assert_eq!(*counting.0.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_arrives_twice_and_is_answered_once() {
    let counting = Arc::new(Counting::default());
    let faults = Faults { duplicate: 1.0, ..Faults::none() };
    let faulty = FaultyTransport::new(counting.clone(), SimClock::new(), SeededRandom::new(6), faults);
    for call in 1..=3 {
        let reply = faulty.call(request()).await.unwrap();
        faulty.settled().await;
        // The replies count what has arrived: the second one to each call goes nowhere.
        assert_eq!(reply, Reply::Cancelled(Cancelled { jobs: 2 * call - 1 }));
        assert_eq!(*counting.0.lock().unwrap(), 2 * call);
    }
    let counts = FaultCounts { calls: 3, duplicates: 3, ..FaultCounts::default() };
    assert_eq!(faulty.counts(), counts);
}

/// Tells when each request arrives.
#[derive(Debug)]
struct Arrivals(SimClock, Mutex<Vec<BootTime>>);

#[async_trait]
impl Transport for Arrivals {
    async fn call(&self, _request: Request) -> Result<Reply, TransportError> {
        self.1.lock().unwrap().push(self.0.boot());
        Ok(Reply::Cancelled(Cancelled { jobs: 1 }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_and_its_reply_take_as_long_as_each_may_and_no_longer() {
    const TERM: Duration = Duration::from_secs(60);
    let (delay, delay_max) = (Duration::from_millis(20), Duration::from_secs(75));
    for slow in [0_u32, 1] {
        let clock = SimClock::new();
        let arrivals = Arc::new(Arrivals(clock.clone(), Mutex::default()));
        let faults = Faults { delay, slow: f64::from(slow), delay_max, ..Faults::none() };
        let faulty = FaultyTransport::new(arrivals.clone(), clock.clone(), SeededRandom::new(7), faults)
            .with_term(TERM);
        let mut took = Vec::new();
        for _ in 0..50 {
            let sent = clock.boot();
            faulty.call(request()).await.unwrap();
            let arrived = arrivals.1.lock().unwrap().pop().unwrap();
            took.extend([arrived.since(sent), clock.boot().since(arrived)]);
        }
        let (longest, most) = (*took.iter().max().unwrap(), if slow == 1 { delay_max } else { delay });
        assert!(longest <= most && longest > most.mul_f64(0.9), "{longest:?} of {most:?}");
        let outlasted_term = took.iter().filter(|span| **span > TERM).count() as u64;
        assert_eq!(outlasted_term > 0, slow == 1, "{took:?}");
        let counts =
            FaultCounts { calls: 50, slow: u64::from(slow) * 100, outlasted_term, ..FaultCounts::default() };
        assert_eq!(faulty.counts(), counts);
    }
}
