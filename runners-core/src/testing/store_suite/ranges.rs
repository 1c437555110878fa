//! Rules of index entries and of the ranges that read them.

use super::sample::*;
use crate::{
    store::{Page, Query, Store},
    values::key::{Index, Key},
};
use bytes::Bytes;
use std::sync::Arc;

/// A range of [`Index::Due`].
struct Due {
    prefix: &'static str,
    after: Option<&'static str>,
    until: Option<&'static str>,
    newest_first: bool,
    limit: u32,
}

const ALL: Due = Due { prefix: "", after: None, until: None, newest_first: false, limit: 99 };

impl From<Due> for Query {
    fn from(due: Due) -> Self {
        Self::Range {
            index: Index::Due,
            prefix: due.prefix.into(),
            after: due.after.map(Bytes::from),
            until: due.until.map(Bytes::from),
            newest_first: due.newest_first,
            limit: due.limit,
        }
    }
}

/// Puts new records, each with its id as its entry in [`Index::Due`].
async fn put_due(store: &dyn Store, ids: &[&'static str]) {
    for id in ids {
        commit(store, vec![put_in(job(*id), 0, &[(Index::Due, id.as_bytes())])]).await;
    }
}

async fn due(store: &dyn Store, query: Due) -> Vec<Bytes> {
    entries(store, query.into()).await.0
}

/// Only entries that begin with the prefix are answered, the prefix itself included.
pub async fn a_range_is_bound_by_its_prefix(store: Arc<dyn Store>) {
    put_due(&store, &["a", "ab", "abc", "ac", "b", ""]).await;
    assert_eq!(due(&store, Due { prefix: "ab", ..ALL }).await, ["ab", "abc"]);
    assert_eq!(due(&store, Due { prefix: "a", ..ALL }).await, ["a", "ab", "abc", "ac"]);
    assert_eq!(due(&store, Due { prefix: "x", ..ALL }).await, Vec::<Bytes>::new());
    assert_eq!(due(&store, ALL).await.len(), 6);
}

/// Entries come in order of their bytes, not of their records, with the record as it is.
pub async fn a_range_is_in_order_of_its_keys(store: Arc<dyn Store>) {
    for (id, entry) in [("1", &b"c"[..]), ("2", b"a\xff"), ("3", b"a"), ("4", b"a\0"), ("5", b"b")] {
        commit(&store, vec![put_in(job(id), 0, &[(Index::Due, entry)])]).await;
    }
    let Page::Rows { rows, more } = scan(&store, ALL.into()).await else { panic!("rows") };
    let found: Vec<_> = rows.iter().map(|(entry, stored)| (&entry[..], stored.key.clone())).collect();
    let expected: [(&[u8], Key); 5] =
        [(b"a", job("3")), (b"a\0", job("4")), (b"a\xff", job("2")), (b"b", job("5")), (b"c", job("1"))];
    assert_eq!(found, expected);
    assert!(!more);
    let newest = due(&store, Due { newest_first: true, ..ALL }).await;
    assert_eq!(newest, rows.into_iter().rev().map(|(entry, _)| entry).collect::<Vec<_>>());
}

/// Both bounds are exclusive, and need not be entries.
pub async fn a_range_begins_after_and_ends_before_its_bounds(store: Arc<dyn Store>) {
    put_due(&store, &["a", "a\0", "b", "c", "d"]).await;
    assert_eq!(due(&store, Due { after: Some("a"), ..ALL }).await, ["a\0", "b", "c", "d"]);
    assert_eq!(due(&store, Due { until: Some("c"), ..ALL }).await, ["a", "a\0", "b"]);
    assert_eq!(due(&store, Due { after: Some("a"), until: Some("c"), ..ALL }).await, ["a\0", "b"]);
    assert_eq!(due(&store, Due { after: Some("bb"), until: Some("cc"), ..ALL }).await, ["c"]);
    let outside = Due { prefix: "b", after: Some("a"), until: Some("z"), ..ALL };
    assert_eq!(due(&store, outside).await, ["b"]);
}

/// Newest first, `after` is the upper bound and `until` the lower.
pub async fn a_range_newest_first_turns_its_bounds_around(store: Arc<dyn Store>) {
    put_due(&store, &["a", "b", "c", "d"]).await;
    let newest = Due { newest_first: true, ..ALL };
    assert_eq!(due(&store, Due { after: Some("c"), ..newest }).await, ["b", "a"]);
    assert_eq!(due(&store, Due { until: Some("b"), ..newest }).await, ["d", "c"]);
    assert_eq!(due(&store, Due { after: Some("d"), until: Some("a"), ..newest }).await, ["c", "b"]);
    assert_eq!(due(&store, Due { limit: 2, ..newest }).await, ["d", "c"]);
}

/// `more` is said exactly when the limit left something out.
pub async fn a_range_says_whether_there_is_more(store: Arc<dyn Store>) {
    put_due(&store, &["a", "b", "c"]).await;
    for (limit, some_left) in [(0, true), (1, true), (2, true), (3, false), (4, false), (u32::MAX, false)] {
        let (found, more) = entries(&store, Due { limit, ..ALL }.into()).await;
        assert_eq!((found.len(), more), (3.min(limit as usize), some_left), "limit {limit}");
    }
    let bound = Due { until: Some("c"), limit: 2, ..ALL };
    assert!(!entries(&store, bound.into()).await.1);
}

/// Following the last entry of each page meets every entry once, in both directions.
pub async fn a_range_can_be_paged_to_its_end(store: Arc<dyn Store>) {
    put_due(&store, &["a", "b", "c", "d", "e", "f", "g"]).await;
    for newest_first in [false, true] {
        let mut met = Vec::new();
        loop {
            let after: Option<Bytes> = met.last().cloned();
            let query = Query::Range {
                index: Index::Due,
                prefix: Bytes::new(),
                after,
                until: None,
                newest_first,
                limit: 3,
            };
            let (found, more) = entries(&store, query).await;
            met.extend(found);
            if !more {
                break;
            }
        }
        if newest_first {
            met.reverse();
        }
        assert_eq!(met, ["a", "b", "c", "d", "e", "f", "g"]);
    }
}

/// Bounds that leave no room are answered with nothing.
pub async fn a_range_whose_bounds_cross_is_empty(store: Arc<dyn Store>) {
    put_due(&store, &["a", "b", "c"]).await;
    for newest_first in [false, true] {
        for (after, until) in [("b", "b"), ("a", "b"), ("c", "a"), ("a", "c")] {
            let query = Due { after: Some(after), until: Some(until), newest_first, ..ALL };
            let between = (after, until, newest_first);
            let expected: &[&str] = match between {
                ("a", "c", false) | ("c", "a", true) => &["b"],
                _ => &[],
            };
            assert_eq!(due(&store, query).await, expected, "{between:?}");
        }
        let beyond = Due { prefix: "a", after: Some("c"), newest_first, ..ALL };
        let expected: &[&str] = if newest_first { &["a"] } else { &[] };
        assert_eq!(due(&store, beyond).await, expected);
    }
}

/// A prefix that has no successor still finds what begins with it.
pub async fn a_prefix_of_highest_bytes_is_not_the_end(store: Arc<dyn Store>) {
    let entries_at: [&'static [u8]; 4] = [b"\xfe", b"\xff", b"\xff\xff", b"\xff\xff\x01"];
    for entry in entries_at {
        commit(&store, vec![put_in(job(entry), 0, &[(Index::Due, entry)])]).await;
    }
    for newest_first in [false, true] {
        let query = Query::Range {
            index: Index::Due,
            prefix: Bytes::from_static(b"\xff\xff"),
            after: None,
            until: None,
            newest_first,
            limit: 9,
        };
        assert_eq!(entries(&store, query).await.0.len(), 2);
    }
}

/// The same entry in two indexes is two entries.
pub async fn each_index_is_a_list_of_its_own(store: Arc<dyn Store>) {
    let all: Vec<_> = Index::ALL.iter().map(|index| (*index, &b"entry"[..])).collect();
    commit(&store, vec![put_in(job("all"), 0, &all)]).await;
    for (number, index) in Index::ALL.into_iter().enumerate() {
        let only: &'static [u8] = [&b"0"[..], b"1", b"2", b"3", b"4", b"5"][number];
        commit(&store, vec![put_in(job(only), 0, &[(index, only)])]).await;
    }
    for (number, index) in Index::ALL.into_iter().enumerate() {
        let (found, _) = entries(&store, Query::range(index, "", 9)).await;
        assert_eq!(found, [Bytes::from(number.to_string()), Bytes::from("entry")], "{index:?}");
    }
}

/// After a put, a record stands where that put says and nowhere else.
pub async fn put_replaces_the_whole_set_of_entries(store: Arc<dyn Store>) {
    commit(&store, vec![put_in(job("a"), 0, &[(Index::Ready, b"r1"), (Index::Due, b"d1")])]).await;
    commit(&store, vec![put_in(job("a"), 1, &[(Index::Owner, b"o1"), (Index::Due, b"d2")])]).await;
    for (index, expected) in [(Index::Ready, &[][..]), (Index::Owner, &["o1"][..]), (Index::Due, &["d2"][..])]
    {
        assert_eq!(entries(&store, Query::range(index, "", 9)).await.0, expected, "{index:?}");
    }
    commit(&store, vec![put(job("a"), 2, "no entries")]).await;
    for index in Index::ALL {
        assert!(entries(&store, Query::range(index, "", 9)).await.0.is_empty(), "{index:?}");
    }
}

/// A deleted record stands in no list, and its place can be taken.
pub async fn delete_removes_the_entries(store: Arc<dyn Store>) {
    let all: Vec<_> = Index::ALL.iter().map(|index| (*index, &b"entry"[..])).collect();
    commit(&store, vec![put_in(job("a"), 0, &all), put_in(job("b"), 0, &[(Index::Due, b"other")])]).await;
    commit(&store, vec![delete(job("a"), 1), put_in(job("c"), 0, &[(Index::Mark, b"entry")])]).await;
    for index in Index::ALL {
        let expected: &[&str] = match index {
            Index::Due => &["other"],
            Index::Mark => &["entry"],
            _ => &[],
        };
        assert_eq!(entries(&store, Query::range(index, "", 9)).await.0, expected, "{index:?}");
    }
}

/// Entries of a batch that was refused are as before.
pub async fn a_refused_batch_leaves_the_entries(store: Arc<dyn Store>) {
    put_due(&store, &["a"]).await;
    let moved = put_in(job("a"), 1, &[(Index::Due, b"moved")]);
    let new = put_in(job("b"), 0, &[(Index::Due, b"b")]);
    let refused = store.commit(vec![moved, new, add(counter("n"), -1, None)]).await;
    assert_exhausted(&refused, &counter("n"));
    assert_eq!(due(&store, ALL).await, ["a"]);
}
