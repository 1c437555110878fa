//! What is asked well, and what is answered.

use crate::stage::{Stage, read};
use serde_json::{Value, json};

#[tokio::test]
async fn a_check_is_named_by_a_text_or_with_an_input() {
    let stage = Stage::plain().await;
    let asked =
        json!({ "runners": ["echoes", { "name": "echoes", "input": { "most": 3 } }, { "name": "fails" }] });
    let (code, answer) = stage.execute(asked).await;
    assert_eq!(code, 200, "{answer}");
    let results = answer["results"].as_array().unwrap();
    let of = |name: &str| results.iter().map(|result| result[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("name"), ["echoes", "echoes", "fails"]);
    assert_eq!(of("status"), ["pass", "pass", "fail"]);
    // Members that are left out have the defaults of the input.
    assert_eq!([&results[0]["details"]["most"], &results[1]["details"]["most"]], [7, 3]);
    assert_eq!(results[2]["errorMessage"], "not as it should be");
    assert!(of("durationMs").iter().all(Value::is_number), "{answer}");
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["results"]);
}

#[tokio::test]
async fn the_page_of_the_request_goes_before_that_of_a_check_and_both_before_what_is_for_all() {
    let stage = Stage::plain().await;
    let (all, own, page) = ("https://all.example/", "https://own.example/", "https://page.example/");
    let own = json!({ "name": "echoes", "input": { "url": own } });
    let for_all = json!({ "url": all, "most": 1 });
    for (asked, url, most) in [
        (json!({ "runners": ["echoes"] }), "none", 7),
        (json!({ "runners": ["echoes"], "input": for_all }), all, 1),
        (json!({ "runners": [own], "input": for_all }), "https://own.example/", 1),
        (json!({ "runners": [own], "input": for_all, "url": page }), page, 1),
    ] {
        let (code, answer) = stage.execute(asked.clone()).await;
        assert_eq!(code, 200, "{asked}: {answer}");
        let details = &answer["results"][0]["details"];
        assert_eq!((&details["url"], &details["most"]), (&json!(url), &json!(most)), "{asked}");
    }
}

#[tokio::test]
async fn an_answer_is_wrapped_if_the_request_was_and_so_is_an_error() {
    let stage = Stage::plain().await;
    let asked = json!({ "runners": ["fails"], "runId": "run_1", "region": "eu" });
    let (code, plain) = stage.execute(asked.clone()).await;
    assert_eq!((code, &plain["runId"], &plain["region"]), (200, &json!("run_1"), &json!("eu")));
    for wrapped in [json!({ "json": asked }), json!({ "json": asked, "meta": [] })] {
        let (code, answer) = stage.execute(wrapped).await;
        assert_eq!((code, &answer["json"]["results"][0]["name"]), (200, &json!("fails")), "{answer}");
    }
    let (code, answer) = stage.execute(json!({ "json": { "runners": ["nobody"] } })).await;
    assert_eq!((code, &answer["json"]["code"]), (404, &json!("RUNNER_NOT_FOUND")), "{answer}");
    // What stands beside it says that it is no envelope.
    let (code, answer) = stage.execute(json!({ "json": asked, "meta": [[1, "x"]] })).await;
    assert_eq!((code, &answer["code"]), (400, &json!("BAD_REQUEST")), "{answer}");
}

#[tokio::test]
async fn the_name_of_the_region_goes_before_that_of_the_request() {
    let stage = Stage::open(|builder| builder.name("us")).await;
    let (_, answer) = stage.execute(json!({ "runners": ["fails"], "region": "eu" })).await;
    assert_eq!(answer["region"], "us");
    let (code, about) = read(stage.get("/info")).await;
    let example = json!({ "url": "https://example.com", "runners": ["echoes", "fails"] });
    let usage = json!({ "method": "POST", "endpoint": "/api/runner/execute", "example": example });
    let names = ["echoes", "fails", "hangs", "panics"];
    assert_eq!((code, about), (200, json!({ "runners": names, "count": 4, "region": "us", "usage": usage })));
}

#[tokio::test]
async fn a_form_says_the_same_as_json() {
    let stage = Stage::plain().await;
    let request = reqwest::Client::new().post(format!("{}/execute", stage.url));
    let request = request.header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let form = "runners[0]=hangs&runners[1][name]=echoes&checkTimeout=1&url=https%3A%2F%2Fpage.example%2F";
    let (code, answer) = read(request.body(form)).await;
    assert_eq!(
        (code, &answer["results"][1]["details"]["url"]),
        (200, &json!("https://page.example/")),
        "{answer}"
    );
}

#[tokio::test]
async fn it_describes_itself_with_nothing_from_elsewhere() {
    let stage = Stage::plain().await;
    let (code, document) = read(stage.get("/spec.json")).await;
    assert_eq!((code, &document["openapi"]), (200, &json!("3.1.1")));
    let text = document.to_string();
    for part in ["/execute", "/info", "echoes", "urn:runners:check:echoes", "\"most\""] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let (code, page) = read(stage.get("/docs")).await;
    let page = page.as_str().unwrap();
    assert!(code == 200 && page.contains("Carries checks out."), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    for path in ["", "/", "/execute", "/nothing"] {
        let (code, answer) = read(stage.get(path)).await;
        assert_eq!(code, 404, "{path}: {answer}");
    }
}
