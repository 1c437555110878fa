//! The conformance suite of [`Store`]: [`store_suite!`](crate::store_suite) expands to one named
//! test for each rule. The rules themselves are plain async functions in the files beside this
//! one; they know the seam and nothing of any backend.

mod concurrency;
mod counters;
mod malformed;
mod model;
mod oracle;
mod ranges;
mod records;
mod sample;
mod streams;
mod watermarks;

use crate::store::Store;
use std::{any::Any, fmt, future::Future, sync::Arc};

/// Every rule, by name.
#[doc(hidden)]
pub mod rules {
    pub use super::{
        concurrency::*, counters::*, malformed::*, oracle::*, ranges::*, records::*, streams::*,
        watermarks::*,
    };
}

/// What the suite can be given: a fresh store, or one with whatever must be kept while it lives.
pub trait StoreFixture {
    /// Takes the store, and what is to be dropped after it.
    fn into_subject(self) -> Subject;
}

impl<S: Store> StoreFixture for S {
    fn into_subject(self) -> Subject {
        Subject { store: Arc::new(self), _kept: Box::new(()) }
    }
}

impl<S: Store, K: Any> StoreFixture for (S, K) {
    fn into_subject(self) -> Subject {
        Subject { store: Arc::new(self.0), _kept: Box::new(self.1) }
    }
}

/// The store that a rule is tried on.
pub struct Subject {
    // Fields are dropped in this order: the store before its directory.
    store: Arc<dyn Store>,
    _kept: Box<dyn Any>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subject").field(&self.store).finish()
    }
}

/// Tries one rule on one fresh store, on a runtime of its own.
///
/// # Panics
/// When the rule does not hold.
#[doc(hidden)]
pub fn try_rule<X: StoreFixture, R: Future<Output = ()>>(
    make: impl Future<Output = X>,
    rule: impl FnOnce(Arc<dyn Store>) -> R,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let subject = make.await.into_subject();
        rule(Arc::clone(&subject.store)).await;
    });
}

/// Expands to one `#[test]` for each rule that a [`Store`](crate::store::Store) keeps.
///
/// The argument is an expression for a fresh store, evaluated in an async block once for each
/// rule; it may `.await`. For a store that needs something kept alive, such as its directory, it
/// is a tuple of the two. Put it in a module of its own.
///
/// ```
/// use runners_core::MemoryStore;
///
/// mod memory {
///     use super::*;
///     runners_core::store_suite!(MemoryStore::default());
/// }
/// ```
#[macro_export]
macro_rules! store_suite {
    ($make:expr) => {
        $crate::store_suite! { @each $make =>
            a_new_record_must_not_exist
            a_stale_version_conflicts
            a_version_from_the_future_conflicts
            an_absent_record_conflicts_with_any_version
            a_deleted_record_conflicts
            every_put_adds_one_to_the_version
            expect_guards_what_is_not_written
            expect_guards_absence
            a_batch_is_all_or_none
            the_conflicting_record_is_named
            load_answers_in_order_of_keys
            kinds_and_ids_are_apart
            tenants_are_apart
            unknown_bytes_round_trip
            a_body_kind_is_a_record_like_any_other
            an_empty_batch_succeeds
            the_largest_batch_is_accepted
            a_key_twice_is_broken
            an_oversized_batch_is_broken
            a_long_id_is_broken
            two_entries_in_one_index_are_broken
            a_body_kind_stands_in_no_index
            a_delete_of_nothing_is_broken
            an_offset_beyond_the_limit_is_broken
            a_watermark_twice_is_broken
            a_watermark_beyond_the_limit_is_broken
            adds_are_summed_in_order
            counters_answer_in_add_order
            a_counter_does_not_rise_above_its_maximum
            a_counter_does_not_sink_below_zero
            a_counter_does_not_overflow
            conflict_wins_over_exhausted
            an_exhausted_batch_writes_nothing
            counters_are_listed_by_prefix
            a_counter_at_zero_is_as_good_as_absent
            a_batch_below_a_watermark_is_refused
            a_watermark_only_rises
            a_refused_batch_raises_nothing
            below_stands_between_conflict_and_exhausted
            a_neighbour_below_a_watermark_fails_nobody_else
            nothing_comes_below_what_was_raised
            first_append_wins
            a_stream_answers_the_chunk_that_contains_the_offset
            a_stream_stops_at_the_chunk_that_reaches_the_limit
            a_gap_in_a_stream_is_left_to_the_reader
            lines_stand_at_their_numbers_however_they_are_joined
            drop_removes_the_chunks_before
            a_stream_survives_its_largest_offset
            streams_are_apart
            a_range_is_bound_by_its_prefix
            a_range_is_in_order_of_its_keys
            a_range_begins_after_and_ends_before_its_bounds
            a_range_newest_first_turns_its_bounds_around
            a_range_says_whether_there_is_more
            a_range_can_be_paged_to_its_end
            a_range_whose_bounds_cross_is_empty
            a_prefix_of_highest_bytes_is_not_the_end
            each_index_is_a_list_of_its_own
            put_replaces_the_whole_set_of_entries
            delete_removes_the_entries
            a_refused_batch_leaves_the_entries
            concurrent_puts_have_one_winner
            concurrent_adds_keep_the_maximum
            a_neighbours_conflict_fails_nobody_else
            what_was_committed_is_read
            questions_among_batches_are_answered
            a_dropped_commit_is_whole_or_absent
            a_watcher_hears_what_concerns_it
            it_agrees_with_the_model
        }
    };
    (@each $make:expr => $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::testing::store_suite::try_rule(
                    async { $make },
                    $crate::testing::store_suite::rules::$rule,
                );
            }
        )*
    };
}
