//! What is removed while somebody puts it again, and what was left behind.

use crate::{
    faults::answer,
    support::{key, opened, put, read},
};
use futures::FutureExt as _;
use http::Method;
use runners_artifacts_s3::testing::TestStorage;
use runners_core::{ArtifactError, ArtifactStore as _, TenantId};
use std::{
    fs::{self, File},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

fn age(path: &Path, span: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap() - span;
    file.set_modified(before).unwrap();
}

#[tokio::test]
async fn whoever_puts_what_is_just_being_removed_is_told_to_put_it_again() {
    let storage = TestStorage::start().await.unwrap();
    let (here, there) = (opened(&storage).await, opened(&storage).await);
    put(&here, b"abc").await.unwrap();
    let listed = here.list(TenantId::DEFAULT, None, 10).await.unwrap();
    // It is put at another server after this one has looked, and before it is gone.
    let meanwhile = Arc::new(Mutex::new(None));
    let noted = meanwhile.clone();
    storage.intercept(move |request| {
        let is_it = request.method == Method::DELETE && !request.uri.path().contains(".removing");
        let (there, noted) = (there.clone(), noted.clone());
        async move {
            if is_it {
                let put = put(&there, b"abc").await;
                *noted.lock().unwrap() = Some(put);
            }
            None
        }
        .boxed()
    });
    assert!(here.delete_unless_put(key(b"abc"), listed[0].stamp).await.unwrap());
    storage.let_through();
    let told = meanwhile.lock().unwrap().take().expect("it was put meanwhile");
    assert!(matches!(told, Err(ArtifactError::Unavailable(_))), "{told:?}");
    assert_eq!(here.head(key(b"abc")).await.unwrap(), None);
    put(&here, b"abc").await.unwrap();
    assert_eq!(read(&here, key(b"abc")).await, b"abc");
    assert_eq!(storage.names().len(), 1, "no mark stays: {:?}", storage.names());
}

#[tokio::test]
async fn what_one_has_removed_another_does_not_remove_again_once_it_was_put() {
    let storage = TestStorage::start().await.unwrap();
    let (here, there) = (opened(&storage).await, opened(&storage).await);
    put(&here, b"abc").await.unwrap();
    let stamp = here.list(TenantId::DEFAULT, None, 10).await.unwrap()[0].stamp;
    // Two have looked. One removes it, and it is put again, before the other removes it.
    let (looked, told) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
    let noted = told.clone();
    storage.intercept(move |request| {
        let is_it = request.method == Method::DELETE && !request.uri.path().contains(".removing");
        let is_first = is_it && !looked.swap(true, Ordering::SeqCst);
        let (there, noted) = (there.clone(), noted.clone());
        async move {
            if is_first {
                assert!(there.delete_unless_put(key(b"abc"), stamp).await.unwrap());
                let put = put(&there, b"abc").await;
                *noted.lock().unwrap() = Some(put);
            }
            None
        }
        .boxed()
    });
    assert!(here.delete_unless_put(key(b"abc"), stamp).await.unwrap());
    storage.let_through();
    let told = told.lock().unwrap().take().expect("it was put meanwhile");
    assert!(matches!(told, Err(ArtifactError::Unavailable(_))), "it is gone now: {told:?}");
    put(&here, b"abc").await.unwrap();
    assert_eq!(storage.names().len(), 1, "no mark stays: {:?}", storage.names());
}

#[tokio::test]
async fn a_removal_that_was_not_sent_or_was_refused_leaves_no_mark() {
    let storage = TestStorage::start().await.unwrap();
    let here = opened(&storage).await;
    put(&here, b"abc").await.unwrap();
    for refused in [Method::GET, Method::DELETE] {
        let stamp = here.list(TenantId::DEFAULT, None, 10).await.unwrap()[0].stamp;
        storage.intercept(move |request| {
            let is_it = request.method == refused && !request.uri.path().contains(".removing");
            async move { is_it.then(|| answer(403, "AccessDenied", None)) }.boxed()
        });
        here.delete_unless_put(key(b"abc"), stamp).await.unwrap_err();
        storage.let_through();
        put(&here, b"abc").await.unwrap();
        assert_eq!(storage.names().len(), 1, "{:?}", storage.names());
    }
}

#[tokio::test]
async fn what_was_removed_before_its_put_was_answered_has_to_be_put_again() {
    let storage = TestStorage::start().await.unwrap();
    let here = opened(&storage).await;
    let files = storage.files();
    // The listing after the put finds nothing: somebody has removed it, and the mark.
    storage.intercept(move |request| {
        if request.uri.query().is_some_and(|query| query.contains("list-type")) {
            fs::remove_dir_all(files.join("runners")).unwrap();
        }
        async { None }.boxed()
    });
    let told = put(&here, b"abc").await;
    assert!(matches!(told, Err(ArtifactError::Unavailable(_))), "{told:?}");
}

#[tokio::test]
async fn a_mark_that_was_left_behind_does_not_count_for_long() {
    let storage = TestStorage::start().await.unwrap();
    let here = opened(&storage).await;
    put(&here, b"abc").await.unwrap();
    let mark = storage.files().join(format!("{}.removing", storage.names()[0]));
    fs::write(&mark, b"").unwrap();
    assert!(matches!(put(&here, b"abc").await, Err(ArtifactError::Unavailable(_))));
    age(&mark, Duration::from_secs(3600));
    put(&here, b"abc").await.unwrap();
    let listed = here.list(TenantId::DEFAULT, None, 10).await.unwrap();
    assert_eq!(listed.len(), 1, "a mark is no artifact: {listed:?}");
}

#[tokio::test]
async fn what_is_not_an_artifact_of_ours_is_neither_listed_nor_removed() {
    let storage = TestStorage::start().await.unwrap();
    let here = opened(&storage).await;
    put(&here, b"abc").await.unwrap();
    let tenant = storage.files().join("runners").join(TenantId::DEFAULT.to_string());
    let digest = key(b"abc").digest.to_string();
    for other in [tenant.join("notes.txt"), tenant.join("ff").join(&digest)] {
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(other, b"xyz").unwrap();
    }
    let listed = here.list(TenantId::DEFAULT, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|artifact| artifact.key).collect::<Vec<_>>(), [key(b"abc")]);
    assert!(here.delete_unless_put(key(b"abc"), listed[0].stamp).await.unwrap());
    assert_eq!(storage.names().len(), 2, "the others stay: {:?}", storage.names());
}

#[tokio::test]
async fn uploads_that_nobody_took_over_are_swept_up_after_an_hour() {
    let storage = TestStorage::start().await.unwrap();
    let here = opened(&storage).await;
    let incoming = storage.files().join("runners/incoming").join(TenantId::DEFAULT.to_string());
    fs::create_dir_all(&incoming).unwrap();
    for (name, hours) in [("old", 2), ("new", 0)] {
        fs::write(incoming.join(name), b"abc").unwrap();
        age(&incoming.join(name), Duration::from_secs(hours * 3600));
    }
    assert!(here.list(TenantId::DEFAULT, None, 10).await.unwrap().is_empty());
    let left = storage.names();
    assert!(left.len() == 1 && left[0].ends_with("/new"), "{left:?}");
}
