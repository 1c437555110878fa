//! Tables 1.3 to 1.5: names and times, how far a run is, and what became of it.

use crate::{Row, SHOP, check, endless, job, one, remote};
use futures::FutureExt as _;
use serde_json::{Value, json};

/// UTC to the millisecond, as of ISO 8601.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T' && text.as_bytes()[19] == b'.'
}

pub(crate) const ROWS: &[Row] = &[
    ("1.3.1", "a run is called as its caller says", |wire| {
        async move {
            let mut asked = one();
            asked["runId"] = "nightly".into();
            assert_eq!(wire.submit(asked).await, "nightly");
        }
        .boxed()
    }),
    ("1.3.2", "a job is called job_ and something that no other is called", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "plain", SHOP), check("a", "wrapped", SHOP)])).await;
            let [first, second] = [0, 1].map(|at| ended["jobs"][at]["jobId"].as_str().unwrap());
            assert!(first.starts_with("job_") && second.starts_with("job_") && first != second);
        }
        .boxed()
    }),
    ("1.3.3", "times are ISO 8601 in UTC with milliseconds, spans whole milliseconds", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            for value in ["createdAt", "completedAt"].map(|name| &ended[name]) {
                assert!(is_time(value), "{ended}");
            }
            assert!(is_time(&job(&ended)["startedAt"]) && ended["durationMs"].is_u64(), "{ended}");
        }
        .boxed()
    }),
    ("1.3.4", "what there is not is left out, and never null", |wire| {
        async move {
            let ended = wire.ended(one()).await.to_string();
            assert!(!ended.contains("null"), "{ended}");
        }
        .boxed()
    }),
    ("1.4.1", "how far a run is has all seven members", |wire| {
        async move {
            let run = wire.submit(endless()).await;
            let (_, told) = wire.get(&format!("/{run}/status")).await;
            let names =
                ["runId", "state", "totalJobs", "completedJobs", "failedJobs", "createdAt", "updatedAt"];
            assert!(names.iter().all(|name| told.get(name).is_some()), "{told}");
            wire.call("POST", &format!("/{run}/cancel"), None).await;
        }
        .boxed()
    }),
    ("1.4.2", "a run that has ended counts its jobs, and updatedAt is its end", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "plain", SHOP), check("a", "html", SHOP)])).await;
            let (_, told) = wire.get(&format!("/{}/status", ended["runId"].as_str().unwrap())).await;
            let counts = ["totalJobs", "completedJobs", "failedJobs"].map(|name| told[name].clone());
            assert_eq!(counts, [json!(2), json!(1), json!(1)]);
            assert_eq!(told["updatedAt"], ended["completedAt"]);
        }
        .boxed()
    }),
    ("1.4.3", "a state is queued, running, completed, failed or timed_out", |wire| {
        async move {
            let mut late = endless();
            late["timeout"] = 50.into();
            assert_eq!(wire.ended(late).await["state"], "timed_out");
            assert_eq!(wire.ended(remote(&[check("a", "html", SHOP)])).await["state"], "failed");
            assert_eq!(wire.get("?state=queued").await.0, 200);
            assert_eq!(wire.get("?state=pending").await.0, 400);
        }
        .boxed()
    }),
    ("1.5.1", "what became of a run has its name, state, jobs, summary and times", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            for name in ["runId", "state", "jobs", "summary", "createdAt", "completedAt", "durationMs"] {
                assert!(ended.get(name).is_some(), "{name} is missing in {ended}");
            }
            assert_eq!(ended["summary"], json!({ "total": 1, "passed": 1, "failed": 0, "errored": 0 }));
        }
        .boxed()
    }),
    ("1.5.2", "a job has its name, region, state, results and times, and an error if there is one", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "plain", SHOP), check("a", "html", SHOP)])).await;
            for name in ["jobId", "region", "state", "results", "startedAt", "completedAt", "durationMs"] {
                assert!(job(&ended).get(name).is_some(), "{name} is missing in {ended}");
            }
            assert!(job(&ended).get("error").is_none() && ended["jobs"][1]["error"].is_string(), "{ended}");
        }
        .boxed()
    }),
    (
        "1.5.3",
        "a result has a name, a status, and details, errorMessage and durationMs if there are any",
        |wire| {
            async move {
                let ended =
                    wire.ended(remote(&[check("fails", "own", SHOP), check("echoes", "own", SHOP)])).await;
                let results = &job(&ended)["results"];
                assert_eq!((&results[0]["name"], &results[0]["status"]), (&json!("fails"), &json!("fail")));
                assert_eq!(results[0]["errorMessage"], "not as it should be");
                assert_eq!(results[1]["details"]["url"], SHOP);
                assert!(results[1]["durationMs"].is_number());
            }
            .boxed()
        },
    ),
];
