//! The rules that every [`Lease`] keeps, whatever it is renewed by.

use super::clock::SimClock;
use crate::seams::{
    clock::{Clock as _, sleep},
    lease::{Lease, LeaseError},
};
use std::{any::Any, fmt, sync::Arc, time::Duration};

/// A lease that was just granted and confirmed, and what stands behind it.
#[expect(clippy::exhaustive_structs, reason = "whoever tests a lease builds it")]
pub struct LeaseBench {
    /// The lease.
    pub lease: Arc<dyn Lease>,
    /// The clock that its trust is told on.
    pub clock: SimClock,
    /// Its term.
    pub term: Duration,
    /// Makes whatever grants it unreachable, or reachable again.
    pub reach: Box<dyn Fn(bool) + Send + Sync>,
    /// Takes the right away on the granting side.
    pub revoke: Box<dyn Fn() + Send + Sync>,
    /// Whatever has to live as long as the lease.
    pub alive: Box<dyn Any + Send>,
}

impl fmt::Debug for LeaseBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseBench").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// Expands to one test for each rule. `$make` is a function without arguments, async, that answers
/// a [`LeaseBench`]; it and the rule run in simulated time.
#[macro_export]
macro_rules! lease_suite {
    ($make:path) => {
        $crate::__lease_suite! { $make,
            a_lease_is_trusted_for_no_longer_than_its_term,
            a_renewal_extends_trust_from_when_it_was_asked_for,
            an_unreachable_lease_keeps_its_trust_and_says_so_in_time,
            a_lease_is_renewed_again_when_it_is_reachable_again,
            a_revoked_lease_is_lost,
            a_renewal_that_is_dropped_leaves_a_lease,
            a_released_lease_is_lost,
            the_token_never_changes,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __lease_suite {
    ($make:path, $($rule:ident),* $(,)?) => {$(
        #[test]
        fn $rule() {
            $crate::testing::lease_suite::run(async {
                $crate::testing::lease_suite::$rule($make().await).await;
            });
        }
    )*};
}

/// The longest that one rule may take, in simulated time.
const RULE_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Runs one rule to its end, in simulated time.
///
/// # Panics
/// If the rule panics, or waits for what never comes.
pub fn run(rule: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("the system has threads and timers");
    runtime.block_on(async {
        let clock = SimClock::new();
        tokio::select! {
            biased;
            () = rule => {}
            () = sleep(&clock, RULE_WITHIN) => panic!("the rule did not end within {RULE_WITHIN:?}"),
        }
    });
}

/// Nothing is promised beyond the term, counted from now at the latest.
pub async fn a_lease_is_trusted_for_no_longer_than_its_term(bench: LeaseBench) {
    let (now, until) = (bench.clock.boot(), bench.lease.trusted_until());
    assert!(until > now, "it was just granted");
    assert!(until < now + bench.term, "there is a margin");
    sleep(&bench.clock, Duration::from_secs(1)).await;
    assert!(bench.lease.trusted_until() >= until, "time alone takes nothing away");
}

/// A renewal gives a term from when it was asked for, and answers what the lease then says.
pub async fn a_renewal_extends_trust_from_when_it_was_asked_for(bench: LeaseBench) {
    sleep(&bench.clock, bench.term / 3).await;
    let (before, asked) = (bench.lease.trusted_until(), bench.clock.boot());
    let until = bench.lease.renew().await.expect("it can be reached");
    assert!(until > before, "trust is extended");
    assert!(until < asked + bench.term, "it counts from the ask");
    assert!(bench.lease.trusted_until() >= until, "the lease says the same");
}

/// Trouble takes nothing away before its time, and is told when trust is over at the latest.
pub async fn an_unreachable_lease_keeps_its_trust_and_says_so_in_time(bench: LeaseBench) {
    (bench.reach)(false);
    let until = bench.lease.trusted_until();
    assert_eq!(bench.lease.renew().await, Err(LeaseError::Unreachable));
    assert_eq!(bench.lease.trusted_until(), until, "neither more nor less");
    let slack = Duration::from_secs(1);
    assert!(bench.clock.boot() <= until + slack, "it was told in time");
}

/// Trouble that ends leaves nothing behind.
pub async fn a_lease_is_renewed_again_when_it_is_reachable_again(bench: LeaseBench) {
    (bench.reach)(false);
    tokio::select! {
        biased;
        renewed = bench.lease.renew() => assert_eq!(renewed, Err(LeaseError::Unreachable)),
        () = sleep(&bench.clock, bench.term / 10) => {}
    }
    (bench.reach)(true);
    let now = bench.clock.boot();
    assert!(bench.lease.renew().await.expect("it can be reached again") > now);
}

/// Who lost the right is told so, and does not trust it any more.
pub async fn a_revoked_lease_is_lost(bench: LeaseBench) {
    (bench.revoke)();
    assert_eq!(bench.lease.renew().await, Err(LeaseError::Lost));
    assert_eq!(bench.lease.renew().await, Err(LeaseError::Lost), "for good");
}

/// A renewal that nobody waits for does no harm.
pub async fn a_renewal_that_is_dropped_leaves_a_lease(bench: LeaseBench) {
    let until = bench.lease.trusted_until();
    tokio::select! {
        biased;
        _ = bench.lease.renew() => {}
        () = std::future::ready(()) => {}
    }
    assert!(bench.lease.trusted_until() >= until);
    bench.lease.renew().await.expect("it can be reached");
}

/// Giving up is for good.
pub async fn a_released_lease_is_lost(bench: LeaseBench) {
    assert_eq!(bench.lease.release().await, Ok(()));
    assert_eq!(bench.lease.renew().await, Err(LeaseError::Lost));
    assert!(bench.lease.trusted_until() <= bench.clock.boot());
    assert_eq!(bench.lease.release().await, Err(LeaseError::Lost));
}

/// A lease is one grant.
pub async fn the_token_never_changes(bench: LeaseBench) {
    let token = bench.lease.token();
    bench.lease.renew().await.expect("it can be reached");
    assert_eq!(bench.lease.token(), token);
    bench.lease.release().await.expect("it can be reached");
    assert_eq!(bench.lease.token(), token);
}
