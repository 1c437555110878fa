//! Where the calls are: on both layouts, and nowhere else.

use crate::stage::{Stage, endless, one, read};
use serde_json::{Value, json};

#[tokio::test]
async fn both_layouts_answer_every_call() {
    let stage = Stage::plain().await;
    for prefix in ["", "/orchestrator"] {
        let (code, answer) = stage.call("POST", prefix, one()).await;
        let run = answer["runId"].as_str().unwrap();
        assert_eq!((code, answer.as_object().unwrap().len()), (200, 1), "{prefix}");
        stage.results(run).await;
        for prefix in ["", "/orchestrator"] {
            assert_eq!(stage.get(&format!("{prefix}/{run}")).await.1["runId"], run);
            assert_eq!(stage.get(&format!("{prefix}/{run}/status")).await.1["state"], "completed");
            assert_eq!(stage.call("POST", &format!("{prefix}/{run}/cancel"), None).await.0, 200);
            assert_eq!(stage.get(prefix).await.1["items"].as_array().unwrap().len(), 1);
        }
        let path = format!("{prefix}/{run}");
        assert_eq!(stage.call("DELETE", &path, None).await, (200, json!({ "runId": run })));
        assert_eq!(stage.get(&path).await.0, 404);
    }
}

#[tokio::test]
async fn what_is_nowhere_is_not_found_and_never_another_method() {
    let stage = Stage::plain().await;
    for (method, path) in [
        ("DELETE", ""),
        ("OPTIONS", ""),
        ("PUT", "/run_1"),
        ("GET", "/run_1/x/y"),
        ("PATCH", "/orchestrator"),
    ] {
        let (code, answer) = stage.call(method, path, None).await;
        assert_eq!((code, &answer["code"]), (404, &json!("NOT_FOUND")), "{method} {path}");
    }
}

#[tokio::test]
async fn the_name_of_a_run_is_percent_decoded() {
    let stage = Stage::plain().await;
    let mut asked = one();
    asked["runId"] = "night run/1 ü".into();
    assert_eq!(stage.submit(asked).await, "night run/1 ü");
    let path = "/night%20run%2F1%20%C3%BC";
    for prefix in ["", "/orchestrator"] {
        assert_eq!(stage.get(&format!("{prefix}{path}/status")).await.1["runId"], "night run/1 ü");
    }
}

#[tokio::test]
async fn it_describes_itself_with_nothing_from_elsewhere() {
    let stage = Stage::plain().await;
    for method in ["GET", "POST"] {
        let (code, document) = read(stage.request(method, "/spec.json")).await;
        assert_eq!((code, &document["openapi"]), (200, &json!("3.1.1")));
        let (code, page) = read(stage.request(method, "/docs")).await;
        let Value::String(page) = page else { panic!("{page}") };
        assert!(code == 200 && page.contains("Submits a run."), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    }
    let response = stage.request("GET", "/docs").send().await.unwrap();
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
}

#[tokio::test]
async fn every_call_is_where_its_description_says() {
    let stage = Stage::plain().await;
    let (_, document) = read(stage.request("GET", "/spec.json")).await;
    // Nothing is done without a credential; what is nowhere is told otherwise.
    for (path, calls) in document["paths"].as_object().unwrap() {
        for method in calls.as_object().unwrap().keys() {
            let path = path.replace("{run}", "run_1").replace("{digest}", &"0".repeat(64));
            let (code, answer) = read(stage.request(&method.to_ascii_uppercase(), &path)).await;
            assert_eq!(code, 401, "{method} {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn regions_are_named_to_those_who_may_see_them_and_never_by_their_address() {
    let stage = Stage::plain().await;
    let regions = async |token: &str| {
        let (_, document) = read(stage.request("GET", "/spec.json").bearer_auth(token)).await;
        document["components"]["schemas"]["Request"]["properties"]["runners"]["items"]["properties"]["region"]
            ["enum"]
            .clone()
    };
    assert_eq!(regions("reader").await, json!(["down", "eu", "slow", "us"]));
    assert_eq!((regions("submitter").await, regions("nobody").await), (Value::Null, Value::Null));
}

#[tokio::test]
async fn what_a_run_tells_is_followed_and_resumed() {
    let stage = Stage::plain().await;
    let run = stage.submit(one()).await;
    stage.results(&run).await;
    let follow = async |query: &str, last: Option<&str>| {
        let mut request = stage.request("GET", &format!("/{run}/events{query}")).bearer_auth("reader");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let (code, text) = read(request).await;
        assert_eq!(code, 200, "{text}");
        text.as_str().unwrap().to_owned()
    };
    let whole = follow("", None).await;
    let names: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["job_started", "job_ended", "run_ended"], "{whole}");
    let ids: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    for rest in [follow(&format!("?after={}", ids[0]), None).await, follow("?after=0", Some(ids[0])).await] {
        assert!(
            whole.ends_with(&rest) && rest.contains("run_ended") && !rest.contains("job_started"),
            "{rest}"
        );
    }
    assert_eq!(stage.get("/nobody/events").await.0, 404);
    assert_eq!(
        stage.get(&format!("/{run}/events?after=x")).await.1["data"]["issues"][0]["path"],
        json!(["after"])
    );
}

#[tokio::test]
async fn a_stream_ends_when_the_run_does() {
    let stage = Stage::plain().await;
    let run = stage.submit(endless()).await;
    let path = format!("/{run}/events");
    let follow = read(stage.request("GET", &path).bearer_auth("reader"));
    let stop = format!("/{run}/cancel");
    let cancel = stage.call("POST", &stop, None);
    let ((_, told), (code, _)) = tokio::join!(follow, cancel);
    assert_eq!(code, 200);
    assert!(told.as_str().unwrap().contains("event: run_ended"), "{told}");
}
