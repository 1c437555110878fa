//! What happened in a simulation, in numbers: a fault that never bites tests nothing.

use std::{fmt, ops::AddAssign};

macro_rules! statistics {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened in a simulation, in numbers.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Statistics {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Statistics {
            /// Every number by its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        impl AddAssign for Statistics {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

statistics! {
    /// Syncs that arrived at a control plane.
    syncs,
    /// Grants that were committed.
    grants,
    /// Grants that were committed together with the submit.
    direct_grants,
    /// Offers that were made again under the same grant.
    offered_again,
    /// Offers that went back without costing an attempt.
    offers_lapsed,
    /// Attempts that were recorded as lost.
    losses,
    /// Attempts that a runner gave up because its trust had ended.
    lapses,
    /// Attempts that took longer than they may.
    timeouts,
    /// Finishes and declines that were fenced.
    fenced,
    /// Finishes and declines that were recorded.
    recorded,
    /// Grants that a runner was told it had lost.
    lost_told,
    /// Cancels that a runner was told of.
    cancels_told,
    /// Drains that an operator or a host asked for.
    drains,
    /// Attempts that a drain that was over took from their runner.
    taken_back,
    /// Signals that were sent.
    signals,
    /// Signals that were answered with a result.
    signals_answered,
    /// Signals that were answered with a fault, such as that their attempt had ended.
    signals_faulted,
    /// Signals that expired.
    signals_expired,
    /// Syncs that a later one had overtaken.
    superseded,
    /// Starts that a later one had displaced.
    displaced,
    /// Starts that took the place of an earlier one.
    takeovers,
    /// Sessions that were given up.
    reaped,
    /// Runners that were told that nothing more comes.
    no_more_told,
    /// Runners that took note of it.
    drained,
    /// Times that a runner lost its control plane.
    disconnects,
    /// Runners that were killed.
    kills,
    /// Runners that were away for longer than a term.
    aways,
    /// Control planes that crashed.
    plane_crashes,
    /// Machines that were suspended.
    suspends,
    /// Steps of the wall clock.
    wall_steps,
    /// Partitions between a runner and its control planes.
    partitions,
    /// Outages of the store.
    store_outages,
    /// Batches of which nobody knew whether they were applied.
    store_unknown,
    /// Calls of the store that were carried out and answered a moment later.
    store_late,
    /// Requests and replies that the network lost.
    network_losses,
    /// Requests that arrived twice.
    duplicates,
    /// Requests and replies that the network kept for longer than a term.
    outlasted_terms,
    /// Granted jobs that were seen while their limit was reached.
    limits_reached,
    /// Offers to runners of a further pool.
    fallen_back,
    /// Submits that were refused because another job had their unique key.
    unique_refused,
    /// Submits that were answered with the job that had their unique key.
    unique_repeated,
    /// Times that it was explained why a job was where it was.
    explained,
    /// Times that it was asked what keeps a ready job from a runner.
    explained_ready,
    /// Times that nothing did: the job was free to go to the runner.
    explained_free,
    /// Grants of jobs of guests.
    hosted,
    /// Grants to those who had been passed over as often as they may be.
    passed_over,
    /// Sessions of runners that had left, and were forgotten.
    sessions_let_go,
    /// Events that somebody read who followed a tenant.
    events_read,
    /// Events that somebody read who followed a run.
    events_of_runs_read,
    /// Events that somebody read who followed a job.
    events_of_jobs_read,
    /// Ended jobs that were removed.
    pruned,
    /// Logs of those that were collected.
    collected,
    /// Jobs that ended passed or flaky.
    passed,
    /// Jobs that ended failed.
    failed,
    /// Jobs that ended errored.
    errored,
    /// Jobs that ended timed out.
    timed_out,
    /// Jobs that ended cancelled.
    cancelled,
    /// Jobs that ended expired.
    expired,
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, count)) in self.named().into_iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{} {count}", name.replace('_', " "))?;
        }
        Ok(())
    }
}
