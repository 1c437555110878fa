//! Grant and finish of one job when many wait, by how many. Filling the queue takes about a
//! minute for the deepest.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use runners_benches::{
    bed::{Kept, runtime},
    grants::Deep,
};
use std::time::Duration;

fn grant(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("grant");
    group.throughput(Throughput::Elements(1));
    for depth in [1_000, 100_000, 1_000_000] {
        let runtime = runtime().expect("a runtime can be had");
        let queue = runtime.block_on(Deep::queue(Kept::Sqlite, depth));
        let mut queue = queue.expect("the store opens and takes the jobs");
        group.bench_function(BenchmarkId::new("sqlite", depth), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(take(&mut queue, count)));
        });
    }
    group.finish();
}

/// How long `count` grants take, by a sample of them if that is more than the queue bears.
async fn take(queue: &mut Deep, count: u64) -> Duration {
    let sample = queue.take(count.clamp(1, GRANTS_MAX)).await.expect("nothing is refused, fenced or lost");
    queue.refill(&sample).await.expect("the store takes the jobs");
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    let share = count as f64 / sample.lifecycles as f64;
    sample.elapsed.mul_f64(share)
}

/// How many jobs are granted for one sample at most: fewer than the shortest queue has.
const GRANTS_MAX: u64 = 640;

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(4));
    targets = grant
}
criterion_main!(benches);
