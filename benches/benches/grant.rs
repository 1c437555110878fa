//! Grant and finish of one job when many wait, by how many. Filling the queue takes about a
//! minute for the deepest.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use runners_benches::{
    bed::{Bed, Kept, runtime},
    grants,
};
use std::time::Duration;

fn grant(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("grant");
    group.throughput(Throughput::Elements(1));
    for depth in [1_000, 100_000, 1_000_000] {
        let runtime = runtime().expect("a runtime can be had");
        let bed = runtime.block_on(async {
            let bed = Bed::start(Kept::Sqlite).await?;
            bed.queue(depth).await?;
            anyhow::Ok(bed)
        });
        let bed = bed.expect("the store opens and takes the jobs");
        group.bench_function(BenchmarkId::new("sqlite", depth), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(grant_many(&bed, count)));
        });
    }
    group.finish();
}

/// Grants `count` jobs, but never so many that the queue runs low. As many wait again afterwards.
async fn grant_many(bed: &Bed, count: u64) -> Duration {
    let measured = count.clamp(1, GRANTS_MAX);
    let sample = grants::drain_from(bed, measured).await.expect("nothing is refused, fenced or lost");
    let taken = usize::try_from(sample.lifecycles).expect("it is at most a thousand");
    bed.queue(taken).await.expect("the jobs are accepted");
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
