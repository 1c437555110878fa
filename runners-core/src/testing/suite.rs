//! What the conformance suites have in common: a runtime for one rule, and a bound on its time.

use crate::seams::clock::{SystemClock, sleep};
use std::time::Duration;

/// The longest that one rule may take.
const RULE_WITHIN: Duration = Duration::from_secs(60);

/// Runs one rule to its end, on a runtime of its own.
///
/// # Panics
/// If the rule panics, or takes more than a minute: something it waits for never came.
pub fn run(rule: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system has threads and timers");
    runtime.block_on(async {
        tokio::select! {
            () = rule => {}
            () = sleep(&SystemClock, RULE_WITHIN) => panic!("the rule did not end within {RULE_WITHIN:?}"),
        }
    });
}

/// Expands to one test for each rule of a suite. The suites call it.
#[doc(hidden)]
#[macro_export]
macro_rules! __suite_of {
    ($suite:ident, $make:path, $($rule:ident),* $(,)?) => {$(
        #[test]
        fn $rule() {
            $crate::testing::suite::run(async {
                $crate::testing::$suite::$rule($make).await;
            });
        }
    )*};
}
