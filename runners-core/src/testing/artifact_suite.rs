//! What every [`ArtifactStore`] must keep.

mod in_pieces;

pub use in_pieces::{
    a_piece_that_does_not_follow_is_refused_and_told_where_they_end,
    an_upload_in_pieces_is_an_artifact_with_its_last_one, pieces_that_are_another_artifact_leave_nothing,
    what_came_of_a_cut_upload_stays_and_it_goes_on_from_there,
};

use crate::{
    seams::artifact::{
        ArtifactError, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream, StoredArtifact,
    },
    values::{digest::Digest, id::TenantId},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Expands to one test for each rule that an [`ArtifactStore`] must keep.
///
/// `$make` is the path of an `async fn() -> impl ArtifactStore`, which gives an empty store for
/// [`TENANT`] each time. Use it inside a module of its own.
///
/// ```
/// # use runners_core::MemoryArtifacts;
/// #[cfg(test)]
/// mod suite {
///     async fn make() -> runners_core::MemoryArtifacts {
///         Default::default()
///     }
///     runners_core::artifact_suite!(make);
/// }
/// ```
#[macro_export]
macro_rules! artifact_suite {
    ($make:path) => {
        $crate::__suite_of!(
            artifact_suite,
            $make,
            what_was_put_is_read_back,
            an_empty_artifact_is_kept,
            a_large_artifact_arrives_whole,
            a_repeated_put_succeeds,
            puts_of_the_same_bytes_at_once_succeed,
            bytes_of_another_digest_leave_nothing,
            too_few_bytes_leave_nothing,
            too_many_bytes_leave_nothing,
            a_failed_put_leaves_an_earlier_one_alone,
            a_length_over_the_limit_is_refused_before_the_first_byte,
            a_stream_that_fails_leaves_nothing,
            a_put_that_is_dropped_leaves_nothing,
            a_range_is_clipped_to_the_length,
            what_was_not_put_is_missing,
            what_was_deleted_is_missing,
            a_delete_of_nothing_succeeds,
            another_tenant_sees_nothing,
            what_is_listed_is_there_page_by_page,
            what_was_put_again_since_it_was_listed_stays,
            an_upload_in_pieces_is_an_artifact_with_its_last_one,
            what_came_of_a_cut_upload_stays_and_it_goes_on_from_there,
            a_piece_that_does_not_follow_is_refused_and_told_where_they_end,
            pieces_that_are_another_artifact_leave_nothing,
        );
    };
}

/// Whose artifacts the suite puts.
pub const TENANT: TenantId = TenantId::DEFAULT;

/// Who must see nothing of them.
pub const OTHER_TENANT: TenantId = TenantId::from_bytes([0xee; 16]);

pub(super) fn key(bytes: &[u8]) -> ArtifactKey {
    ArtifactKey { tenant: TENANT, digest: Digest::of(bytes) }
}

pub(super) fn pieces(bytes: &[u8], size: usize) -> ByteStream {
    let pieces: Vec<Result<Bytes, ArtifactSource>> =
        bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn put(store: &impl ArtifactStore, bytes: &[u8]) -> Result<(), ArtifactError> {
    store.put(key(bytes), bytes.len() as u64, pieces(bytes, 1000)).await
}

pub(super) async fn read(store: &impl ArtifactStore, key: ArtifactKey, range: Option<Range<u64>>) -> Vec<u8> {
    let stream = store.get(key, range).await.expect("the artifact is there");
    stream.try_collect::<Vec<Bytes>>().await.expect("the artifact is read to its end").concat()
}

pub(super) async fn assert_nothing(store: &impl ArtifactStore, key: ArtifactKey) {
    assert_eq!(store.head(key).await.expect("head answers"), None);
    let got = store.get(key, None).await.map(|_| ());
    assert!(matches!(got, Err(ArtifactError::Missing(digest)) if digest == key.digest), "{got:?}");
}

/// Bytes come back in order, and their number is told.
pub async fn what_was_put_is_read_back<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    put(&store, &bytes).await.expect("put");
    assert_eq!(store.head(key(&bytes)).await.expect("head"), Some(10_000));
    assert_eq!(read(&store, key(&bytes), None).await, bytes);
}

/// Nothing at all is an artifact too.
pub async fn an_empty_artifact_is_kept<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"").await.expect("put");
    assert_eq!(store.head(key(b"")).await.expect("head"), Some(0));
    assert_eq!(read(&store, key(b""), None).await, b"");
}

/// Several mebibytes in uneven pieces.
pub async fn a_large_artifact_arrives_whole<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let bytes: Vec<u8> = (0..5_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let length = bytes.len() as u64;
    store.put(key(&bytes), length, pieces(&bytes, 65_537)).await.expect("put");
    assert!(read(&store, key(&bytes), None).await == bytes, "other bytes came back");
}

/// A repeat changes nothing.
pub async fn a_repeated_put_succeeds<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"abc").await.expect("put");
    put(&store, b"abc").await.expect("put again");
    assert_eq!(read(&store, key(b"abc"), None).await, b"abc");
}

/// Two attempts may leave the same screenshot at the same time.
pub async fn puts_of_the_same_bytes_at_once_succeed<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let bytes = vec![7; 100_000];
    let puts = (0..8).map(|_| put(&store, &bytes));
    futures::future::try_join_all(puts).await.expect("every put succeeds");
    assert_eq!(read(&store, key(&bytes), None).await, bytes);
}

/// The digest is checked, and what fails the check cannot be read.
pub async fn bytes_of_another_digest_leave_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let put = store.put(key(b"abc"), 3, pieces(b"xyz", 1)).await;
    assert!(matches!(put, Err(ArtifactError::Mismatch(_))), "{put:?}");
    assert_nothing(&store, key(b"abc")).await;
    assert_nothing(&store, key(b"xyz")).await;
}

/// The length is checked.
pub async fn too_few_bytes_leave_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let put = store.put(key(b"abc"), 4, pieces(b"abc", 1)).await;
    assert!(matches!(put, Err(ArtifactError::Mismatch(_))), "{put:?}");
    assert_nothing(&store, key(b"abc")).await;
}

/// The length is checked, also where its first bytes would be the right ones.
pub async fn too_many_bytes_leave_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let put = store.put(key(b"abc"), 3, pieces(b"abcd", 2)).await;
    assert!(matches!(put, Err(ArtifactError::Mismatch(_))), "{put:?}");
    assert_nothing(&store, key(b"abc")).await;
}

/// Nobody can spoil what is stored.
pub async fn a_failed_put_leaves_an_earlier_one_alone<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"abc").await.expect("put");
    // A store may see by the address that nothing is to be done, or look at the bytes first.
    drop(store.put(key(b"abc"), 3, pieces(b"xyz", 1)).await);
    assert_eq!(read(&store, key(b"abc"), None).await, b"abc");
}

/// Whoever sends too much learns it before sending.
pub async fn a_length_over_the_limit_is_refused_before_the_first_byte<S: ArtifactStore>(
    make: impl AsyncFnOnce() -> S,
) {
    let store = make().await;
    let polled = Arc::new(AtomicBool::new(false));
    let noted = polled.clone();
    let bytes = stream::poll_fn(move |_| {
        noted.store(true, Ordering::SeqCst);
        std::task::Poll::Ready(None)
    });
    let offered = u64::MAX >> 1;
    let put = store.put(key(b"abc"), offered, bytes.boxed()).await;
    match put {
        Err(ArtifactError::TooLarge { length, limit }) => assert!(length == offered && limit < offered),
        other => panic!("{other:?}"),
    }
    assert!(!polled.load(Ordering::SeqCst), "bytes were read although there are too many");
    assert_nothing(&store, key(b"abc")).await;
}

/// Half an artifact is none.
pub async fn a_stream_that_fails_leaves_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let bytes = stream::iter([Ok(Bytes::from_static(b"ab")), Err(ArtifactSource::from("cut"))]);
    let put = store.put(key(b"abc"), 3, bytes.boxed()).await;
    assert!(matches!(put, Err(ArtifactError::Unavailable(_))), "{put:?}");
    assert_nothing(&store, key(b"abc")).await;
}

/// Half an artifact is none, whoever gave up.
pub async fn a_put_that_is_dropped_leaves_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    let (reached, at_the_end) = tokio::sync::oneshot::channel::<()>();
    let mut reached = Some(reached);
    let first = stream::iter([Ok(Bytes::from_static(b"ab"))]);
    let never = stream::poll_fn(move |_| {
        reached.take().map(|reached| reached.send(()));
        std::task::Poll::<Option<Result<Bytes, ArtifactSource>>>::Pending
    });
    let put = store.put(key(b"abc"), 3, first.chain(never).boxed());
    tokio::select! {
        ended = put => panic!("the put ended without its bytes: {ended:?}"),
        reached = at_the_end => reached.expect("the stream is read up to where it stops"),
    }
    assert_nothing(&store, key(b"abc")).await;
}

/// A part, a part that reaches beyond the end, and one that begins there.
pub async fn a_range_is_clipped_to_the_length<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"0123456789").await.expect("put");
    let key = key(b"0123456789");
    assert_eq!(read(&store, key, Some(2..5)).await, b"234");
    assert_eq!(read(&store, key, Some(0..1)).await, b"0");
    assert_eq!(read(&store, key, Some(8..99)).await, b"89");
    assert_eq!(read(&store, key, Some(10..12)).await, b"");
    assert_eq!(read(&store, key, Some(3..3)).await, b"");
}

/// There is a word for it.
pub async fn what_was_not_put_is_missing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    assert_nothing(&make().await, key(b"abc")).await;
}

/// Gone is gone.
pub async fn what_was_deleted_is_missing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"abc").await.expect("put");
    put(&store, b"abcd").await.expect("put");
    store.delete(key(b"abc")).await.expect("delete");
    assert_nothing(&store, key(b"abc")).await;
    assert_eq!(read(&store, key(b"abcd"), None).await, b"abcd");
}

/// One that is not there is removed already.
pub async fn a_delete_of_nothing_succeeds<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    make().await.delete(key(b"abc")).await.expect("delete");
}

/// A digest means nothing outside its tenant.
pub async fn another_tenant_sees_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"abc").await.expect("put");
    assert_nothing(&store, ArtifactKey { tenant: OTHER_TENANT, ..key(b"abc") }).await;
}

/// Pages follow each other without a gap. A store that lists nothing keeps to that too.
pub async fn what_is_listed_is_there_page_by_page<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    for number in 0..20_u8 {
        put(&store, &[number]).await.expect("put");
    }
    let whole = store.list(TENANT, None, 1000).await.expect("list");
    if whole.is_empty() {
        return;
    }
    assert_eq!(whole.len(), 20);
    assert!(whole.is_sorted_by_key(|artifact| artifact.key.digest));
    assert!(whole.iter().all(|artifact| artifact.key.tenant == TENANT && artifact.length == 1));
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(TENANT, after, 3).await.expect("list");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.key.digest);
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    assert!(store.list(OTHER_TENANT, None, 1000).await.expect("list").is_empty());
}

/// Whoever puts bytes finds them, whoever means to remove what was there before.
pub async fn what_was_put_again_since_it_was_listed_stays<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    put(&store, b"abc").await.expect("put");
    put(&store, b"xyz").await.expect("put");
    let listed = store.list(TENANT, None, 10).await.expect("list");
    let stamp = |bytes| listed.iter().find(|artifact| artifact.key == key(bytes)).map(|found| found.stamp);
    let (Some(again), Some(once)) = (stamp(b"abc"), stamp(b"xyz")) else { return };
    // A stamp may be a time of the file system, which moves in steps.
    while store.list(TENANT, None, 10).await.expect("list").contains(&StoredArtifact {
        key: key(b"abc"),
        length: 3,
        stamp: again,
    }) {
        put(&store, b"abc").await.expect("put");
    }
    assert!(!store.delete_unless_put(key(b"abc"), again).await.expect("delete"));
    assert_eq!(read(&store, key(b"abc"), None).await, b"abc");
    assert!(store.delete_unless_put(key(b"xyz"), once).await.expect("delete"));
    assert_nothing(&store, key(b"xyz")).await;
    assert!(!store.delete_unless_put(key(b"xyz"), once).await.expect("delete"), "it is gone already");
}
