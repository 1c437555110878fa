//! Rules of streams: appends, reads by offset, and what is dropped.

use super::sample::*;
use crate::store::{Store, Write};
use bytes::Bytes;
use futures::future::join_all;
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

/// Lines of many batches stand in order, each at its number counted from the start of its chunk, and those of a
/// batch that is refused leave a gap. Who begins at any of them is given the chunk that it stands in.
pub async fn lines_stand_at_their_numbers_however_they_are_joined(store: Arc<dyn Store>) {
    const CALLERS: u64 = 60;
    let is_refused = |caller: u64| caller % 7 == 3;
    // Each tells two lines, the last of them as long as may be.
    let long = "x".repeat(Write::JOINED_BYTES_MAX);
    let last = 100 + 2 * CALLERS;
    let race = (0..CALLERS).map(|caller| {
        let first = 100 + 2 * caller;
        let lines = append_lines(log("feed"), first, 2, format!("{first}\n{}\n", first + 1));
        let other = append_lines(log("other"), first, 1, "other\n");
        // Nothing that keeps them out of one group.
        let refusal = is_refused(caller).then(|| expect(job("none"), 1));
        store.commit([lines, other].into_iter().chain(refusal).collect())
    });
    for (caller, answer) in (0..).zip(join_all(race).await) {
        assert_eq!(answer.is_err(), is_refused(caller), "{caller}: {answer:?}");
    }
    commit(&store, vec![append_lines(log("feed"), last, 1, format!("{last}{long}\n"))]).await;
    let (found, _) = chunks(&store, log("feed"), 0, u32::MAX).await;
    let numbers = |(at, bytes): &(u64, Bytes)| {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
        (*at..*at + lines).collect::<Vec<_>>()
    };
    let text = |number: u64| if number == last { format!("{number}{long}\n") } else { format!("{number}\n") };
    for chunk in &found {
        let told: String = numbers(chunk).into_iter().map(text).collect();
        assert_eq!(chunk.1, told.as_bytes(), "the chunk at {}", chunk.0);
        assert!(chunk.1.len() <= Write::JOINED_BYTES_MAX || chunk.0 == last);
    }
    let stand: Vec<u64> = found.iter().flat_map(numbers).collect();
    let told = (0..CALLERS).filter(|caller| !is_refused(*caller));
    let told: Vec<u64> = told.flat_map(|caller| [100 + 2 * caller, 101 + 2 * caller]).chain([last]).collect();
    assert_eq!(stand, told);
    for number in told {
        let (found, _) = chunks(&store, log("feed"), number, 0).await;
        assert!(numbers(&found[0]).contains(&number), "{number} is not in the chunk at {}", found[0].0);
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
