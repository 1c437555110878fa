//! Images: the pool's, those that are not there, and those that do not fit.

use crate::bench::{Bench, shell};
use runners_core::Conclusion;
use runners_exec_container::{ContainerJob, PullPolicy, Warned};
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

impl Warned for Told {
    fn warned(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_is_a_fault_that_names_it_and_its_registry() {
    let Some(bench) = Bench::start("missing").await else { return };
    // Who listens there hangs up on everybody.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let image = format!("{registry}/shop/none:4");
    let job = ContainerJob { image: Some(image.clone()), ..shell("true") };
    let ended = bench.run(job).await;
    let fault = ended.fault();
    assert_eq!((&*fault.code, fault.retryable), ("pull_failed", true), "{ended:?}");
    assert!(fault.message.contains(&format!("{image} could not be pulled from {registry}: ")), "{ended:?}");
    assert!(ended.log.contains(&format!("pulling {image}")), "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn where_nothing_is_pulled_a_missing_image_is_told_so() {
    let never = |policy: &mut runners_exec_container::Policy| policy.pull = PullPolicy::Never;
    let Some(bench) = Bench::with_policy("never", never).await else { return };
    let ended = bench.run(ContainerJob { image: Some("none:1".into()), ..shell("true") }).await;
    assert_eq!(ended.fault().code, "image_missing", "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn an_image_that_does_not_fit_is_refused_and_another_release_line_is_a_warning() {
    let told = Arc::new(Told::default());
    let warned = told.clone();
    let Some(bench) = Bench::with("fit", |builder| builder.warned(warned)).await else { return };
    bench.daemon.import("local/newer:1", &["LABEL dev.runners.protocol=99"]);
    bench.daemon.import("local/other:1", &["LABEL dev.runners.protocol=1 dev.runners.release=99.1.0"]);
    let ended = bench.run(ContainerJob { image: Some("local/newer:1".into()), ..shell("echo ran") }).await;
    assert_eq!(ended.fault().code, "image_incompatible", "{ended:?}");
    assert!(!ended.log.contains("ran") && told.0.lock().unwrap().is_empty());

    let ended = bench.run(ContainerJob { image: Some("local/other:1".into()), ..shell("true") }).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("is of the release 99.1.0"), "{ended:?}");
    assert_eq!(told.0.lock().unwrap().len(), 1);
    bench.close().await;
}

#[tokio::test]
async fn a_program_that_is_not_in_the_image_is_a_fault() {
    let Some(bench) = Bench::start("program").await else { return };
    let job = ContainerJob { command: vec!["no-such-program".into()], ..ContainerJob::default() };
    let ended = bench.run(ContainerJob { image: None, ..job }).await;
    // The small program that is first finds it missing, or the engine does.
    assert_ne!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(format!("{ended:?}").contains("no-such-program"), "{ended:?}");
    bench.close().await;
}
