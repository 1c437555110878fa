//! What goes beyond the contract: listings, comparisons and histories.

use crate::stage::{Stage, check, endless, one};
use serde_json::{Value, json};

#[tokio::test]
async fn runs_are_listed_newest_first_and_filtered() {
    let stage = Stage::plain().await;
    let mut runs = Vec::new();
    for number in 0..5 {
        let mut asked = one();
        asked["tags"] = if number % 2 == 0 { json!(["even", "all"]) } else { json!(["all"]) };
        runs.push(stage.submit(asked).await);
    }
    for run in &runs {
        stage.results(run).await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["runId"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut sorted = names(&stage.get("").await.1);
    sorted.sort();
    runs.sort();
    assert_eq!(sorted, runs);
    assert_eq!(names(&stage.get("?tag=even").await.1).len(), 3);
    assert_eq!(names(&stage.get("?tag=even&tag=all&state=completed").await.1).len(), 3);
    assert_eq!(names(&stage.get("?state=running").await.1).len(), 0);
    assert_eq!(names(&stage.get("?until=2020-01-01T00:00:00Z").await.1).len(), 0);
    assert_eq!(names(&stage.get("?since=2020-01-01T00:00:00Z").await.1).len(), 5);
    let mut paged = Vec::new();
    let mut path = "?limit=2".to_owned();
    loop {
        let (_, page) = stage.get(&path).await;
        assert!(names(&page).len() <= 2, "{page}");
        paged.extend(names(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("?limit=2&after={next}");
    }
    paged.sort();
    assert_eq!(paged, runs);
}

#[tokio::test]
async fn a_listing_is_asked_for_strictly() {
    let stage = Stage::plain().await;
    for query in ["state=pending", "since=yesterday", "limit=0", "limit=501", "after=x", "tags=a"] {
        let (code, answer) = stage.get(&format!("?{query}")).await;
        assert_eq!((code, &answer["code"]), (400, &json!("BAD_REQUEST")), "{query}: {answer}");
    }
    let run = stage.submit(endless()).await;
    assert_eq!(stage.get("?state=completed").await.1["items"], json!([]));
    stage.call("POST", &format!("/{run}/cancel"), None).await;
}

#[tokio::test]
async fn regions_are_compared_and_checks_are_remembered() {
    let stage = Stage::plain().await;
    let url = "https://shop.example/";
    let runners = [check("opens", "eu", url), check("opens", "us", url), check("opens", "down", url)];
    let run = stage.submit(json!({ "mode": "remote", "runners": runners })).await;
    stage.results(&run).await;
    let (code, compared) = stage.get(&format!("/{run}/comparison")).await;
    assert_eq!(
        (code, &compared["runId"], &compared["checks"][0]["agree"]),
        (200, &json!(run), &json!(false))
    );
    let regions = compared["checks"][0]["regions"].as_array().unwrap();
    let found: Vec<_> = regions.iter().map(|one| (&one["region"], &one["status"])).collect();
    let (pass, error) = (json!("pass"), json!("error"));
    assert_eq!(found, [(&json!("eu"), &pass), (&json!("us"), &pass), (&json!("down"), &error)]);
    let (code, history) = stage.get("/history?check=opens&by=region").await;
    assert_eq!(
        (code, &history["runs"], history["lines"].as_array().unwrap().len()),
        (200, &json!(1), 3),
        "{history}"
    );
    assert_eq!(stage.get("/history?by=day").await.0, 400);
    assert_eq!(stage.get("/run_1/comparison").await.0, 404);
}
