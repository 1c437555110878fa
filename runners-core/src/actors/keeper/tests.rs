//! The keeper's rules, with a lease that does as it is told.

use super::*;
use crate::{
    seams::clock::sleep,
    testing::{
        clock::SimClock,
        lease_suite::{LeaseBench, run},
    },
    values::{id::JobId, lease::FencingToken},
};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};

const TERM: Duration = Duration::from_secs(180);
const TRUSTED: Duration = Duration::from_secs(162);

#[derive(Debug)]
struct Told {
    clock: SimClock,
    trust: Mutex<BootTime>,
    how: Mutex<How>,
    renewals: Mutex<Vec<BootTime>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Granted,
    /// Granted, after a round trip of so long.
    Slow(Duration),
    Unreachable,
    Silent,
    Lost,
}

impl Told {
    fn new(clock: &SimClock) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            trust: Mutex::new(Trust::renewed(clock.boot(), TERM).until),
            how: Mutex::new(How::Granted),
            renewals: Mutex::default(),
        })
    }

    fn be(&self, how: How) {
        *self.how.lock().unwrap() = how;
    }
}

#[async_trait]
impl Lease for Told {
    fn token(&self) -> FencingToken {
        FencingToken { job: JobId::from_bytes([1; 16]), grant: 1 }
    }
    fn trusted_until(&self) -> BootTime {
        *self.trust.lock().unwrap()
    }
    async fn renew(&self) -> Result<BootTime, LeaseError> {
        let asked = self.clock.boot();
        self.renewals.lock().unwrap().push(asked);
        let how = *self.how.lock().unwrap();
        match how {
            How::Slow(round_trip) => sleep(&self.clock, round_trip).await,
            How::Granted => {}
            How::Unreachable => return Err(LeaseError::Unreachable),
            How::Silent => {
                self.clock.sleep_until(self.trusted_until()).await;
                return Err(LeaseError::Unreachable);
            }
            How::Lost => return Err(LeaseError::Lost),
        }
        let until = Trust::renewed(asked, TERM).until;
        *self.trust.lock().unwrap() = until;
        Ok(until)
    }
    async fn release(&self) -> Result<(), LeaseError> {
        if *self.how.lock().unwrap() == How::Lost {
            return Err(LeaseError::Lost);
        }
        self.be(How::Lost);
        *self.trust.lock().unwrap() = BootTime::default();
        Ok(())
    }
}

mod suite {
    use super::*;

    async fn told() -> LeaseBench {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        let (reached, revoked) = (lease.clone(), lease.clone());
        LeaseBench {
            lease,
            clock,
            term: TERM,
            reach: Box::new(move |reach| reached.be(if reach { How::Granted } else { How::Silent })),
            revoke: Box::new(move || revoked.be(How::Lost)),
            alive: Box::new(()),
        }
    }

    crate::lease_suite!(told);
}

async fn keep(lease: &Told, clock: &SimClock) -> (LeaseEnd, Duration) {
    let start = clock.boot();
    let end = LeaseKeeper::new(lease, clock).keep().await;
    (end, clock.boot().since(start))
}

#[test]
fn trust_counts_from_the_ask_and_keeps_a_margin() {
    let asked = BootTime::from_duration(Duration::from_secs(1000));
    let trust = Trust::renewed(asked, TERM);
    assert_eq!((trust.until, trust.margin), (asked + TRUSTED, Duration::from_secs(18)));
    let trust = Trust::offered(asked, Duration::from_secs(15));
    assert_eq!((trust.until, trust.margin), (asked + Duration::from_secs(13), Duration::from_secs(2)));
    let brief = Trust::offered(asked, Duration::from_millis(900));
    let (trusted, margin) = (Duration::from_millis(600), Duration::from_millis(300));
    assert_eq!((brief.until, brief.margin), (asked + trusted, margin), "there is time to begin in");
}

#[test]
fn a_lease_that_is_over_when_it_arrives_is_not_kept() {
    run(async {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        clock.suspend(TRUSTED);
        assert_eq!(keep(&lease, &clock).await, (LeaseEnd::Lapsed, Duration::ZERO));
        assert!(lease.renewals.lock().unwrap().is_empty());
    });
}

#[test]
fn renewals_keep_a_lease_for_as_long_as_they_come() {
    run(async {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        lease.be(How::Slow(Duration::from_secs(20)));
        tokio::select! {
            biased;
            end = keep(&lease, &clock) => panic!("{end:?}"),
            () = sleep(&clock, TERM * 20) => {}
        }
        let renewals = lease.renewals.lock().unwrap();
        assert!((40..80).contains(&renewals.len()), "a third of the trust apart: {}", renewals.len());
    });
}

#[test]
fn trust_that_the_session_has_renewed_is_not_renewed_again() {
    run(async {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        let session = async {
            for _ in 0..50 {
                sleep(&clock, Duration::from_secs(20)).await;
                *lease.trust.lock().unwrap() = Trust::renewed(clock.boot(), TERM).until;
            }
        };
        tokio::select! {
            biased;
            end = keep(&lease, &clock) => panic!("{end:?}"),
            () = session => {}
        }
        assert!(lease.renewals.lock().unwrap().is_empty());
    });
}

#[test]
fn an_unreachable_control_plane_stops_nothing_before_trust_lapses() {
    for how in [How::Unreachable, How::Silent] {
        run(async move {
            let clock = SimClock::new();
            let lease = Told::new(&clock);
            lease.be(how);
            assert_eq!(keep(&lease, &clock).await, (LeaseEnd::Lapsed, TRUSTED));
            assert!(lease.renewals.lock().unwrap().len() < 20, "and is not asked all the time");
        });
    }
}

#[test]
fn a_lost_lease_is_over_at_once() {
    run(async {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        lease.be(How::Lost);
        assert_eq!(keep(&lease, &clock).await, (LeaseEnd::Lost, TRUSTED / 3));
    });
}

#[test]
fn a_clock_that_jumped_over_the_term_stops_the_work() {
    run(async {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        let suspended = async {
            sleep(&clock, Duration::from_secs(5)).await;
            clock.suspend(TERM * 10);
        };
        let ((end, after), ()) = tokio::join!(keep(&lease, &clock), suspended);
        assert_eq!(end, LeaseEnd::Lapsed);
        assert!(after <= TERM * 10 + Duration::from_secs(10), "it looks again within ten seconds");
        assert!(lease.renewals.lock().unwrap().is_empty(), "what is over is not renewed");
    });
}

#[test]
fn a_renewal_that_takes_longer_than_the_trust_ends_it() {
    run(async {
        let clock = SimClock::new();
        let lease = Told::new(&clock);
        lease.be(How::Slow(TERM));
        assert_eq!(keep(&lease, &clock).await, (LeaseEnd::Lapsed, TRUSTED));
    });
}
