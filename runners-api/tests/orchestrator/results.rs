//! What is answered of a run: how far it is, what became of it, and why not.

use crate::stage::{Stage, check, endless, one};
use serde_json::{Value, json};

fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T' && text.as_bytes()[19] == b'.'
}

#[tokio::test]
async fn how_far_a_run_is_has_all_members_and_counts_as_it_goes() {
    let stage = Stage::plain().await;
    let run = stage.submit(endless()).await;
    let progress = async || stage.get(&format!("/{run}/status")).await.1;
    let shown = progress().await;
    let names = ["runId", "state", "totalJobs", "completedJobs", "failedJobs", "createdAt", "updatedAt"];
    for name in names {
        assert!(shown.get(name).is_some(), "{name} is missing in {shown}");
    }
    assert!(is_time(&shown["createdAt"]) && is_time(&shown["updatedAt"]), "{shown}");
    assert_eq!((&shown["totalJobs"], &shown["failedJobs"]), (&json!(2), &json!(0)));
    // The job that can end does, while the other one goes on.
    let counted = async {
        loop {
            let shown = progress().await;
            assert!(shown["state"] == "queued" || shown["state"] == "running", "{shown}");
            if shown["completedJobs"] == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    counted.await;
    let (code, shown) = stage.call("POST", &format!("/{run}/cancel"), None).await;
    assert_eq!((code, &shown["completedJobs"], &shown["failedJobs"]), (200, &json!(1), &json!(1)), "{shown}");
}

#[tokio::test]
async fn what_became_of_a_run_is_told_job_by_job_in_the_order_of_the_request() {
    let stage = Stage::plain().await;
    let (a, b) = ("https://a.example/", "https://b.example/");
    let runners =
        [check("opens", "us", a), check("opens", "eu", b), check("fails", "eu", a), check("odd", "us", a)];
    let run = stage.submit(json!({ "mode": "remote", "runners": runners, "tags": ["x"] })).await;
    let whole = stage.results(&run).await;
    assert_eq!((&whole["runId"], &whole["state"]), (&json!(run), &json!("completed")));
    assert!(is_time(&whole["createdAt"]) && is_time(&whole["completedAt"]) && whole["durationMs"].is_u64());
    assert_eq!(whole["tags"], json!(["x"]));
    assert_eq!(whole["summary"], json!({ "total": 4, "passed": 2, "failed": 1, "errored": 1 }));
    let jobs = whole["jobs"].as_array().unwrap();
    let order: Vec<_> =
        jobs.iter().map(|job| (job["url"].as_str().unwrap(), job["region"].as_str().unwrap())).collect();
    assert_eq!(order, [(a, "us"), (a, "eu"), (b, "eu")]);
    for job in jobs {
        assert!(job["jobId"].as_str().unwrap().starts_with("job_"), "{job}");
        assert_eq!(job["state"], "completed");
        assert!(is_time(&job["startedAt"]) && is_time(&job["completedAt"]) && job["durationMs"].is_u64());
    }
    // One odd result is an error, and its neighbour is kept.
    let told = |at: usize| (&jobs[0]["results"][at]["name"], &jobs[0]["results"][at]["status"]);
    assert_eq!((told(0), told(1)), ((&json!("opens"), &json!("pass")), (&json!("odd"), &json!("error"))));
    assert!(jobs[0]["results"][1]["errorMessage"].is_string());
}

#[tokio::test]
async fn a_region_that_fails_is_counted_and_keeps_its_neighbours() {
    let stage = Stage::plain().await;
    let url = "https://shop.example/";
    let runners = [check("opens", "down", url), check("opens", "eu", url), check("opens", "nowhere", url)];
    let run = stage.submit(json!({ "mode": "remote", "runners": runners })).await;
    let whole = stage.results(&run).await;
    assert_eq!(whole["state"], "failed");
    assert_eq!(whole["summary"], json!({ "total": 3, "passed": 1, "failed": 0, "errored": 2 }));
    let errors: Vec<_> =
        whole["jobs"].as_array().unwrap().iter().map(|job| job["error"].to_string()).collect();
    assert!(errors[0].contains("it is down") && errors[1] == "null", "{errors:?}");
    assert!(
        errors[2].contains("there is no region") && errors[2].contains("down, eu, slow, us"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn a_run_that_has_not_ended_is_told_so_or_as_far_as_it_is() {
    let stage = Stage::plain().await;
    let run = stage.submit(endless()).await;
    let (code, answer) = stage.get(&format!("/{run}")).await;
    assert_eq!((code, &answer["code"], &answer["data"]["runId"]), (409, &json!("CONFLICT"), &json!(run)));
    assert!(answer["message"].as_str().unwrap().contains("?partial=1"), "{answer}");
    let (code, answer) = stage.get(&format!("/{run}?partial=1")).await;
    assert_eq!((code, &answer["summary"]["total"]), (200, &json!(2)), "{answer}");
    assert!(answer.get("completedAt").is_none(), "{answer}");
    assert_eq!(stage.get(&format!("/{run}?partial=yes")).await.0, 400);
    assert_eq!(stage.call("DELETE", &format!("/{run}"), None).await.0, 409);
    let (_, shown) = stage.call("POST", &format!("/{run}/cancel"), None).await;
    assert!(shown["state"] == "failed" || shown["state"] == "timed_out", "{shown}");
    assert_eq!(stage.get(&format!("/{run}")).await.1["jobs"][0]["results"][0]["status"], "pass");
}

#[tokio::test]
async fn a_run_ends_in_time_and_keeps_what_came_back() {
    let stage = Stage::plain().await;
    let mut asked = endless();
    asked["timeout"] = 200.into();
    let run = stage.submit(asked).await;
    let whole = stage.results(&run).await;
    assert_eq!(whole["state"], "timed_out");
    let states: Vec<_> = whole["jobs"].as_array().unwrap().iter().map(|job| &job["state"]).collect();
    assert_eq!(states[1], "timed_out", "{whole}");
    assert_eq!(whole["summary"]["total"], 2);
}

#[tokio::test]
async fn an_unknown_run_is_not_found() {
    let stage = Stage::plain().await;
    for (method, path) in [
        ("GET", "/run_1"),
        ("GET", "/run_1/status"),
        ("GET", "/run_1?partial=1"),
        ("POST", "/run_1/cancel"),
        ("DELETE", "/run_1"),
    ] {
        let (code, answer) = stage.call(method, path, None).await;
        assert_eq!(
            (code, &answer["code"], &answer["status"]),
            (404, &json!("NOT_FOUND"), &json!(404)),
            "{path}"
        );
        assert!(answer["message"].as_str().unwrap().contains("run_1"), "{answer}");
    }
    assert_eq!(stage.submit(one()).await.len(), stage.submit(one()).await.len());
}
