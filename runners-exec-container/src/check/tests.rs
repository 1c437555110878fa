//! What is refused, by its place.

use crate::{ContainerJob, Mount, SecretAs};

fn pointers(job: &ContainerJob) -> Vec<String> {
    job.check().iter().map(|problem| problem.pointer.clone()).collect()
}

#[test]
fn a_plain_job_is_good() {
    let job = ContainerJob {
        args: vec!["pytest".into(), "-q".into()],
        environment: [("LANG".to_owned(), "C".to_owned())].into(),
        secrets: [("shop".to_owned(), SecretAs::File("password".into()))].into(),
        input: [("tests/test_shop.py".to_owned(), "x".to_owned())].into(),
        writable: ["/var/cache".to_owned()].into(),
        user: Some("1000:1000".into()),
        junit: Some("junit.xml".into()),
        output: Some("/results".into()),
        ..ContainerJob::of("registry.example:5000/shop/tests@sha256:".to_owned() + &"a".repeat(64))
    };
    assert_eq!(job.check().to_string(), "");
    let read: ContainerJob = serde_json::from_slice(&serde_json::to_vec(&job).unwrap()).unwrap();
    assert_eq!(read, job);
}

#[test]
fn each_problem_is_named_by_its_place() {
    let job = ContainerJob {
        command: vec!["a\0b".into()],
        environment: [("A=B".to_owned(), String::new()), ("RUNNERS_JOB".to_owned(), String::new())].into(),
        secrets: [("shop".to_owned(), SecretAs::File("../x".into()))].into(),
        input: [("../x".to_owned(), String::new())].into(),
        mounts: vec![Mount { source: "data".into(), target: "/proc/x".into(), writable: false }],
        writable: ["/a/b".to_owned(), "/a".to_owned()].into(),
        user: Some("root".into()),
        working_directory: Some("/a/../b".into()),
        junit: Some("/etc/passwd".into()),
        output: Some("/".into()),
        ..ContainerJob::of("Bad Image")
    };
    let expected = [
        "/image",
        "/command/0",
        "/environment/A=B",
        "/environment/RUNNERS_JOB",
        "/secrets/shop/file",
        "/input/..~1x",
        "/junit",
        "/working_directory",
        "/mounts/0/target",
        "/writable/~1a~1b",
        "/output",
        "/mounts/0/source",
        "/user",
    ];
    assert_eq!(pointers(&job), expected);
}

#[test]
fn what_nobody_knows_is_refused() {
    let error = serde_json::from_str::<ContainerJob>(r#"{"image":"a","privileged":true}"#).unwrap_err();
    assert!(error.to_string().contains("privileged"), "{error}");
}

#[test]
fn a_secret_stands_in_a_place_of_its_own() {
    let both = |given: SecretAs| [("one".to_owned(), given.clone()), ("two".to_owned(), given)].into();
    let job = ContainerJob { secrets: both(SecretAs::File("x".into())), ..ContainerJob::of("a") };
    assert_eq!(pointers(&job), ["/secrets/two"]);
    let job = ContainerJob {
        secrets: [("one".to_owned(), SecretAs::Environment("A".into()))].into(),
        environment: [("A".to_owned(), "b".to_owned())].into(),
        ..ContainerJob::of("a")
    };
    assert_eq!(pointers(&job), ["/secrets/one/environment"]);
}
