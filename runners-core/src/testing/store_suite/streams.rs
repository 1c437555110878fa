//! Rules of streams: appends, reads by offset, and what is dropped.

use super::sample::*;
use crate::store::{Store, Write};
use bytes::Bytes;
use std::sync::Arc;

fn text(chunks: &[(u64, Bytes)]) -> Vec<(u64, &str)> {
    chunks.iter().map(|(at, bytes)| (*at, std::str::from_utf8(bytes).expect("it is text"))).collect()
}

/// A repeated append changes nothing, in a later batch or in the same.
pub async fn first_append_wins(store: Arc<dyn Store>) {
    commit(&store, vec![append(log("a"), 0, "first")]).await;
    commit(&store, vec![append(log("a"), 0, "other"), append(log("a"), 5, "one")]).await;
    commit(&store, vec![append(log("a"), 8, "two"), append(log("a"), 8, "not")]).await;
    let (chunks, _) = chunks(&store, log("a"), 0, 99).await;
    assert_eq!(text(&chunks), [(0, "first"), (5, "one"), (8, "two")]);
}

/// A reader in the middle of a chunk is given that chunk whole.
pub async fn a_stream_answers_the_chunk_that_contains_the_offset(store: Arc<dyn Store>) {
    commit(&store, vec![append(log("a"), 0, "abc"), append(log("a"), 3, "def")]).await;
    for (from, first) in [(0, Some(0)), (2, Some(0)), (3, Some(3)), (5, Some(3)), (6, None)] {
        let (found, more) = chunks(&store, log("a"), from, 99).await;
        assert_eq!(found.first().map(|(at, _)| *at), first, "from {from}");
        assert!(!more);
    }
}

/// The limit ends an answer behind the chunk that reaches it; one chunk always comes.
pub async fn a_stream_stops_at_the_chunk_that_reaches_the_limit(store: Arc<dyn Store>) {
    let writes = vec![append(log("a"), 0, "abc"), append(log("a"), 3, "def"), append(log("a"), 6, "ghi")];
    commit(&store, writes).await;
    for (bytes_max, count, some_left) in
        [(0, 1, true), (1, 1, true), (3, 1, true), (4, 2, true), (7, 3, false), (u32::MAX, 3, false)]
    {
        let (found, more) = chunks(&store, log("a"), 0, bytes_max).await;
        assert_eq!((found.len(), more), (count, some_left), "at most {bytes_max} bytes");
    }
    assert!(!chunks(&store, log("a"), 7, 0).await.1);
}

/// A reader in a gap is given what comes behind it, at its own offset.
pub async fn a_gap_in_a_stream_is_left_to_the_reader(store: Arc<dyn Store>) {
    commit(&store, vec![append(log("a"), 10, "later"), append(log("a"), 0, "abc")]).await;
    let (found, _) = chunks(&store, log("a"), 0, 99).await;
    assert_eq!(text(&found), [(0, "abc"), (10, "later")]);
    for from in [3, 9, 10, 14] {
        let (found, _) = chunks(&store, log("a"), from, 99).await;
        assert_eq!(text(&found), [(10, "later")], "from {from}");
    }
}

/// A drop removes the chunks that begin before its offset, and no other stream's.
pub async fn drop_removes_the_chunks_before(store: Arc<dyn Store>) {
    let writes = vec![append(log("a"), 0, "abc"), append(log("a"), 3, "def"), append(log("b"), 0, "abc")];
    commit(&store, writes).await;
    commit(&store, vec![Write::Drop { stream: log("a"), before: 3 }]).await;
    assert_eq!(text(&chunks(&store, log("a"), 0, 99).await.0), [(3, "def")]);
    commit(&store, vec![Write::Drop { stream: log("a"), before: 4 }, append(log("a"), 9, "x")]).await;
    assert_eq!(text(&chunks(&store, log("a"), 0, 99).await.0), [(9, "x")]);
    commit(&store, vec![Write::Drop { stream: log("a"), before: u64::MAX }]).await;
    assert_eq!(chunks(&store, log("a"), 0, 99).await.0, []);
    assert_eq!(chunks(&store, log("b"), 0, 99).await.0.len(), 1);
}

/// The largest offset is stored, found, passed over and dropped as any other.
pub async fn a_stream_survives_its_largest_offset(store: Arc<dyn Store>) {
    let last = Write::OFFSET_MAX;
    commit(&store, vec![append(log("a"), last, "end")]).await;
    for from in [0, last, last + 2] {
        assert_eq!(text(&chunks(&store, log("a"), from, 99).await.0), [(last, "end")], "from {from}");
    }
    for from in [last + 3, u64::MAX] {
        assert_eq!(chunks(&store, log("a"), from, 99).await.0, [], "from {from}");
    }
    commit(&store, vec![Write::Drop { stream: log("a"), before: last }]).await;
    assert_eq!(chunks(&store, log("a"), 0, 99).await.0.len(), 1);
    commit(&store, vec![Write::Drop { stream: log("a"), before: last + 1 }]).await;
    assert_eq!(chunks(&store, log("a"), 0, 99).await.0, []);
}

/// Streams whose ids begin alike, and records and counters of the same key, do not mix.
pub async fn streams_are_apart(store: Arc<dyn Store>) {
    let writes = vec![
        append(log("a"), 0, "1"),
        append(log("a\0"), 0, "2"),
        append(log(""), 0, "3"),
        put(log("a"), 0, "record"),
        add(log("a"), 1, None),
    ];
    commit(&store, writes).await;
    assert_eq!(text(&chunks(&store, log("a"), 0, 99).await.0), [(0, "1")]);
    assert_eq!(text(&chunks(&store, log("a\0"), 0, 99).await.0), [(0, "2")]);
    assert_eq!(text(&chunks(&store, log(""), 0, 99).await.0), [(0, "3")]);
    assert_eq!(load_one(&store, log("a")).await.expect("it is there").body, "record");
}
