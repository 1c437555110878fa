//! What a container is given, and what it leaves.

use crate::bench::{Bench, shell};
use runners_core::Conclusion;
use runners_exec_container::{ContainerJob, SecretAs};

#[tokio::test]
async fn an_exit_code_is_the_verdict_and_what_it_says_is_the_log() {
    let Some(bench) = Bench::start("results").await else { return };
    let passed = bench.shell("echo to standard output; echo to standard error >&2").await;
    assert_eq!(passed.conclusion(), Conclusion::Passed, "{passed:?}");
    assert!(passed.log.contains("to standard output\n") && passed.log.contains("to standard error\n"));
    assert_eq!((passed.result().exit_code, &*passed.result().image), (0, "local/tools:1"));
    assert!(passed.result().image_id.starts_with("sha256:"));

    let failed = bench.shell("exit 3").await;
    assert_eq!((failed.conclusion(), failed.result().exit_code), (Conclusion::Failed, 3));
    bench.close().await;
}

#[tokio::test]
async fn a_script_is_given_its_input_and_leaves_its_output() {
    let Some(bench) = Bench::start("script").await else { return };
    let script = r#"
        set -e
        cat "$RUNNERS_INPUT/tests/a.txt"
        mkdir "$RUNNERS_OUTPUT/sub"
        echo "$RUNNERS_PARAMETERS" > "$RUNNERS_OUTPUT/sub/parameters.json"
        echo '<testsuite><testcase name="buys"/><testcase name="pays"><failure message="too dear"/></testcase></testsuite>' > "$RUNNERS_OUTPUT/junit.xml"
        exit 1
    "#;
    let job = ContainerJob {
        input: [("tests/a.txt".to_owned(), "the input".to_owned())].into(),
        parameters: [("url".to_owned(), "http://shop".to_owned())].into(),
        junit: Some("junit.xml".into()),
        ..shell(script)
    };
    let ended = bench.run(job).await;
    assert_eq!(ended.conclusion(), Conclusion::Failed, "{ended:?}");
    assert!(ended.log.contains("the input"), "{ended:?}");
    assert_eq!(bench.artifact(&ended, "sub/parameters.json").await, "{\"url\":\"http://shop\"}\n");
    let tests = ended.result().tests.as_ref().unwrap();
    assert_eq!((tests.total, tests.failed, &*tests.failures().next().unwrap().message), (2, 1, "too dear"));
    assert_eq!(ended.result().artifacts, 2);
    bench.close().await;
}

#[tokio::test]
async fn an_output_folder_of_the_jobs_own_can_be_written_to_by_nobody_in_particular() {
    let Some(bench) = Bench::start("output").await else { return };
    let job = ContainerJob { output: Some("/app/results".into()), ..shell("echo x > /app/results/a.txt") };
    let ended = bench.run(job).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert_eq!(bench.artifact(&ended, "a.txt").await, "x\n");
    bench.close().await;
}

#[tokio::test]
async fn a_secret_is_given_as_it_was_asked_for_and_told_nowhere() {
    let Some(bench) = Bench::start("secrets").await else { return };
    // Of the variables that cargo sets for a test, this one is a name that is known.
    let value = env!("CARGO_PKG_NAME");
    let name = "NAME".to_owned();
    for given in [SecretAs::Environment("TOLD".into()), SecretAs::File("told".into())] {
        let script = r#"
            secret="${TOLD:-$(cat "$RUNNERS_SECRETS/told")}"
            [ ${#secret} -gt 10 ] || exit 9
            echo "it is $secret"
            echo "it is $secret" > "$RUNNERS_OUTPUT/a.txt"
            echo "it is named" > "$RUNNERS_OUTPUT/of-$secret.txt"
        "#;
        let job = ContainerJob { secrets: [(name.clone(), given)].into(), ..shell(script) };
        let ended = bench.run(job).await;
        assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
        assert!(ended.log.contains("it is ") && !ended.log.contains(value), "{}", ended.log);
        assert!(!bench.artifact(&ended, "a.txt").await.contains(value));
        assert_eq!(bench.artifact(&ended, "of-***.txt").await, "it is named\n");
    }
    bench.close().await;
}
