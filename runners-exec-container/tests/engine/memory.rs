//! Output folders in memory: nobody writes more than they hold, and what they hold is read.

use crate::{
    bench::{Bench, shell},
    daemon::IMAGE,
};
use runners_core::{Conclusion, JobOptions};
use runners_exec_container::{ContainerJob, Policy};

/// An image that does nothing but wait.
const WAITS: &str = "local/waits:1";
/// One that does not.
const ENDS: &str = "local/ends:1";

async fn in_memory(owner: &str, image: &str, does: &str) -> Option<Bench> {
    let change = |policy: &mut Policy| {
        policy.output_bytes_max = 4 << 20;
        policy.output_in_memory = Some(image.parse().unwrap());
    };
    let bench = Bench::with_policy(owner, change).await?;
    bench.daemon.import(image, &[&format!(r#"CMD ["bash", "-c", "{does}"]"#)]);
    Some(bench)
}

#[tokio::test]
async fn what_an_output_in_memory_holds_is_read_and_nothing_is_left_of_it() {
    let Some(bench) = in_memory("memory-kept", WAITS, "sleep infinity").await else { return };
    let script = r#"
        mkdir "$RUNNERS_OUTPUT/sub"
        echo kept > "$RUNNERS_OUTPUT/sub/a.txt"
        echo ready
        until [ -e /tmp/go ]; do sleep 0.1; done
    "#;
    for output in [None, Some("/app/results".to_owned())] {
        let job = ContainerJob { output, ..shell(script) };
        let handle = bench.submit(job, JobOptions::default()).await;
        crate::stopping::says(&handle, "ready").await;
        assert_eq!(bench.daemon.containers_of("memory-kept"), 2, "the job, and what keeps its output");
        let ancestor = format!("ancestor={IMAGE}");
        let of = ["--filter", "label=dev.runners.owner=memory-kept", "--filter", &ancestor];
        let container = bench.daemon.docker(&[&["ps", "-q"], &of[..]].concat());
        let names = bench.daemon.docker(&["inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", &container]);
        assert_eq!(names.split_whitespace().count(), 2, "{names}");
        bench.daemon.docker(&["exec", &container, "touch", "/tmp/go"]);
        let ended = bench.ended(handle).await;
        assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
        assert_eq!(bench.artifact(&ended, "sub/a.txt").await, "kept\n");
        assert!(ended.result().notes.is_empty(), "{ended:?}");
        let volumes = bench.daemon.docker(&["volume", "ls", "-q"]);
        assert!(names.split_whitespace().all(|name| !volumes.contains(name)), "{names} in {volumes}");
    }
    bench.close().await;
}

#[tokio::test]
async fn nobody_writes_more_than_an_output_in_memory_holds() {
    let Some(bench) = in_memory("memory-full", WAITS, "sleep infinity").await else { return };
    // So small that whoever looks at their sizes finds nothing wrong: a page each is what they take.
    let script = r#"for number in {1..4000}; do echo x > "$RUNNERS_OUTPUT/$number" || exit 5; done"#;
    let ended = bench.shell(script).await;
    assert_eq!((ended.conclusion(), ended.result().exit_code), (Conclusion::Failed, 5), "{ended:?}");
    let notes = &ended.result().notes;
    assert!(notes.iter().any(|note| note.contains("its output folder 6291456")), "{notes:?}");

    // What is seen to be too much is told as it is on a disk.
    let ended = bench.shell("head -c 9000000 /dev/zero > $RUNNERS_OUTPUT/a; sleep 600").await;
    assert_eq!(ended.fault().code, "output_full", "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn what_does_not_wait_keeps_no_output_and_that_is_told() {
    let Some(bench) = in_memory("memory-lost", ENDS, "exit 7").await else { return };
    let handle = bench.submit(shell("sleep 3"), JobOptions::default()).await;
    let told = format!("{:?}", bench.ended(handle).await);
    // Before the job has started, or after it.
    let why = "has ended with exit code 7: its program has to wait until it is killed";
    assert!(told.contains(why), "{told}");
    bench.executor.settle().await;
    assert_eq!(bench.daemon.containers_of("memory-lost"), 0);
}
