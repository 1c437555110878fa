//! One durable commit of a small record, by store and number of callers.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use runners_benches::{
    bed::{Kept, runtime},
    stopwatch::Stopwatch,
};
use runners_core::{
    Index, Key, Kind, TenantId,
    store::{Store, Write},
};
use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// About as many bytes as the state of a job has.
const BODY_BYTES: usize = 600;

fn commits(criterion: &mut Criterion) {
    let runtime = runtime().expect("a runtime can be had");
    let mut group = criterion.benchmark_group("commit");
    group.throughput(Throughput::Elements(1));
    for kept in Kept::ALL {
        let (store, _directory) = runtime.block_on(kept.open()).expect("the store opens");
        let next = Arc::new(AtomicU64::new(0));
        for callers in [1, 16, 256] {
            group.bench_function(BenchmarkId::new(kept.name(), callers), |bencher| {
                bencher.iter_custom(|count| runtime.block_on(commit_all(&store, &next, callers, count)));
            });
        }
    }
    group.finish();
}

/// Commits `count` batches, spread over `callers`.
async fn commit_all(store: &Arc<dyn Store>, next: &Arc<AtomicU64>, callers: u64, count: u64) -> Duration {
    let mut committing = tokio::task::JoinSet::new();
    let watch = Stopwatch::start();
    for caller in 0..callers {
        let mine = count / callers + u64::from(caller < count % callers);
        let (store, next) = (Arc::clone(store), Arc::clone(next));
        committing.spawn(async move {
            for _ in 0..mine {
                let batch = vec![put(next.fetch_add(1, Ordering::Relaxed))];
                black_box(store.commit(batch).await.expect("nothing is in the way"));
            }
        });
    }
    while let Some(ended) = committing.join_next().await {
        ended.expect("no caller panics");
    }
    watch.elapsed()
}

fn put(number: u64) -> Write {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let entry = |index| (index, [[index as u8; 16], id].concat().into());
    Write::Put {
        key: Key::new(TenantId::DEFAULT, Kind::Job, id.to_vec()),
        expected: 0,
        format: 1,
        body: vec![b'x'; BODY_BYTES].into(),
        indexes: vec![entry(Index::Ready), entry(Index::Due)],
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(4));
    targets = commits
}
criterion_main!(benches);
