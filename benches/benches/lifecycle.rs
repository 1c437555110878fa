//! One job from submit to its recorded end, in process, by store and number of callers: a submit,
//! a grant, and a finish that confirms.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use runners_benches::bed::{Bed, Kept, runtime};
use std::time::Duration;

/// How long callers let jobs travel for one sample.
const SPAN: Duration = Duration::from_millis(300);

fn lifecycles(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lifecycle");
    group.throughput(Throughput::Elements(1));
    for kept in Kept::ALL {
        for callers in [1, 16, 256] {
            let runtime = runtime().expect("a runtime can be had");
            group.bench_function(BenchmarkId::new(kept.name(), callers), |bencher| {
                bencher.iter_custom(|count| {
                    let sample =
                        runtime.block_on(async { Bed::start(kept).await?.travel(callers, SPAN).await });
                    let sample = sample.expect("nothing is refused, fenced or lost");
                    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
                    let share = count as f64 / sample.lifecycles as f64;
                    sample.elapsed.mul_f64(share)
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = lifecycles
}
criterion_main!(benches);
