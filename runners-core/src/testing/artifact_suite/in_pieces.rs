//! What a store must keep that takes uploads in pieces. One that takes artifacts whole keeps to it too: it
//! says so when it is asked where to begin.

use super::{assert_nothing, key, pieces, read};
use crate::seams::artifact::{ArtifactError, ArtifactSource, ArtifactStore};
use bytes::Bytes;
use futures::{StreamExt as _, stream};

const WHOLE: &[u8] = b"0123456789";

/// Where an upload of ten bytes begins, if the store takes it in pieces.
async fn begins_at(store: &impl ArtifactStore) -> Option<u64> {
    store.upload_offset(key(WHOLE), 10).await.expect("it is told where to begin")
}

async fn append(store: &impl ArtifactStore, offset: u64, piece: &[u8]) -> Result<u64, ArtifactError> {
    store.append(key(WHOLE), 10, offset, pieces(piece, 2)).await
}

/// Nothing is there before the last piece, and all of it after.
pub async fn an_upload_in_pieces_is_an_artifact_with_its_last_one<S: ArtifactStore>(
    make: impl AsyncFnOnce() -> S,
) {
    let store = make().await;
    if begins_at(&store).await.is_none() {
        return;
    }
    assert_eq!(append(&store, 0, b"0123").await.expect("a piece"), 4);
    assert_nothing(&store, key(WHOLE)).await;
    assert_eq!(store.list(super::TENANT, None, 10).await.expect("list"), []);
    assert_eq!(begins_at(&store).await, Some(4));
    assert_eq!(append(&store, 4, b"456").await.expect("the next"), 7);
    assert_eq!(append(&store, 7, b"789").await.expect("the last"), 10);
    assert_eq!(read(&store, key(WHOLE), None).await, WHOLE);
    assert_eq!(begins_at(&store).await, Some(0), "it is over");
}

/// Whoever was cut off sends the rest.
pub async fn what_came_of_a_cut_upload_stays_and_it_goes_on_from_there<S: ArtifactStore>(
    make: impl AsyncFnOnce() -> S,
) {
    let store = make().await;
    if begins_at(&store).await.is_none() {
        return;
    }
    assert_eq!(append(&store, 0, b"012").await.expect("a piece"), 3);
    let cut = stream::iter([Ok(Bytes::from_static(b"34")), Err(ArtifactSource::from("cut"))]);
    let appended = store.append(key(WHOLE), 10, 3, cut.boxed()).await;
    assert!(matches!(appended, Err(ArtifactError::Unavailable(_))), "{appended:?}");
    // What came of the piece that was cut need not have arrived, or arrives late; nothing before it is lost.
    for _ in 0..TRIES_MAX {
        let Some(stands) = begins_at(&store).await else { continue };
        assert!((3..=5).contains(&stands), "{stands}");
        let rest = &WHOLE[usize::try_from(stands).expect("it is small")..];
        match append(&store, stands, rest).await {
            Err(ArtifactError::Offset { .. } | ArtifactError::Unavailable(_)) => {
                tokio::task::yield_now().await;
            }
            appended => {
                assert_eq!(appended.expect("the rest"), 10);
                assert_eq!(read(&store, key(WHOLE), None).await, WHOLE);
                return;
            }
        }
    }
    panic!("nobody can go on with what was cut");
}

/// How often it is tried to go on.
const TRIES_MAX: usize = 1000;

/// There are no gaps, and nothing is written over.
pub async fn a_piece_that_does_not_follow_is_refused_and_told_where_they_end<S: ArtifactStore>(
    make: impl AsyncFnOnce() -> S,
) {
    let store = make().await;
    if begins_at(&store).await.is_none() {
        return;
    }
    assert_eq!(append(&store, 0, b"0123").await.expect("a piece"), 4);
    for wrong in [0, 3, 5] {
        let refused = append(&store, wrong, b"x").await;
        assert!(matches!(refused, Err(ArtifactError::Offset { stands: 4 })), "{wrong}: {refused:?}");
    }
    assert_eq!(append(&store, 4, b"456789").await.expect("the rest"), 10);
    assert_eq!(read(&store, key(WHOLE), None).await, WHOLE);
}

/// The digest is checked over all of them, and so is their number.
pub async fn pieces_that_are_another_artifact_leave_nothing<S: ArtifactStore>(make: impl AsyncFnOnce() -> S) {
    let store = make().await;
    if begins_at(&store).await.is_none() {
        return;
    }
    for (first, last) in [(b"012", &b"345678x"[..]), (b"012", b"3456789x"), (b"xxx", b"3456789")] {
        assert_eq!(append(&store, 0, first).await.expect("a piece"), 3);
        let refused = append(&store, 3, last).await;
        assert!(matches!(refused, Err(ArtifactError::Mismatch(_))), "{refused:?}");
        assert_nothing(&store, key(WHOLE)).await;
        assert_eq!(begins_at(&store).await, Some(0), "it begins again");
    }
}
