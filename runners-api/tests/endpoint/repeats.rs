//! Calls that come again under their key, and checks that take nothing.

use crate::stage::{Stage, read};
use serde_json::{Value, json};
use tokio::task::JoinSet;

fn keyed(stage: &Stage, body: &Value, key: &str) -> reqwest::RequestBuilder {
    stage.post(body).header("idempotency-key", key)
}

/// A call that begins once, and ends by itself.
fn late() -> Value {
    json!({ "runners": ["hangs"], "checkTimeout": 100 })
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_was_and_nothing_is_carried_out_again() {
    let mut stage = Stage::plain().await;
    let first = read(keyed(&stage, &late(), "job_1-1")).await;
    assert_eq!(first.0, 200, "{first:?}");
    assert_eq!(read(keyed(&stage, &late(), "job_1-1")).await, first);
    let (code, wrapped) = read(keyed(&stage, &json!({ "json": late() }), "job_1-1")).await;
    assert_eq!((code, &wrapped["json"]), (200, &first.1), "its own envelope, and the same answer");
    assert_eq!((stage.told.recv().await, stage.told.recv().await), (Some("began"), Some("stopped")));
    assert!(stage.told.try_recv().is_err(), "it began once");
    // Another key, and none, are other calls.
    for request in [keyed(&stage, &late(), "job_1-2"), stage.post(&late())] {
        assert_eq!(read(request).await.0, 200);
        assert_eq!((stage.told.recv().await, stage.told.recv().await), (Some("began"), Some("stopped")));
    }
}

#[tokio::test]
async fn a_repeat_joins_the_first_while_that_is_under_way() {
    // It takes no room of its own.
    let mut stage = Stage::open(|builder| builder.calls_max(1)).await;
    let asked = json!({ "runners": ["hangs"], "checkTimeout": 2000 });
    let mut first = JoinSet::from_iter([read(keyed(&stage, &asked, "job"))]);
    assert_eq!(stage.told.recv().await, Some("began"));
    let again = || read(keyed(&stage, &asked, "job"));
    let (second, third) = tokio::join!(again(), again());
    let first = first.join_next().await.unwrap().unwrap();
    assert_eq!((&first, &second), (&third, &third));
    assert_eq!(stage.told.recv().await, Some("stopped"));
    assert!(stage.told.try_recv().is_err(), "it began once");
}

#[tokio::test]
async fn a_call_that_nobody_waited_for_is_carried_out_by_its_repeat() {
    let mut stage = Stage::plain().await;
    let asked = json!({ "runners": ["hangs"], "checkTimeout": 60_000 });
    let calling = keyed(&stage, &asked, "job").send();
    tokio::select! {
        ended = calling => panic!("{ended:?}"),
        told = stage.told.recv() => assert_eq!(told, Some("began")),
    }
    assert_eq!(stage.told.recv().await, Some("stopped"));
    let again = keyed(&stage, &asked, "job").send();
    tokio::select! {
        ended = again => panic!("{ended:?}"),
        told = stage.told.recv() => assert_eq!(told, Some("began")),
    }
}

#[tokio::test]
async fn a_key_stands_for_one_call_of_one_caller() {
    let stage = Stage::plain().await;
    let asked = |most: u64| json!({ "runners": [{ "name": "echoes", "input": { "most": most } }] });
    assert_eq!(read(keyed(&stage, &asked(1), "job")).await.0, 200);
    let (code, answer) = read(keyed(&stage, &asked(2), "job")).await;
    assert_eq!((code, &answer["code"]), (422, &json!("KEY_REUSED")));
    // Whoever shows another credential knows nothing of it.
    assert_eq!(read(keyed(&stage, &asked(2), "job").bearer_auth("another")).await.0, 200);
    for key in ["", "a\tb", &"x".repeat(256)] {
        let (code, answer) = read(keyed(&stage, &asked(1), key)).await;
        assert_eq!((code, &answer["code"]), (400, &json!("BAD_REQUEST")), "{key:?}");
    }
    // What did not fit is not remembered.
    assert_eq!(read(keyed(&stage, &json!({ "runners": ["nobody"] }), "other")).await.0, 404);
    assert_eq!(read(keyed(&stage, &asked(1), "other")).await.0, 200);
}

#[tokio::test]
async fn a_check_that_takes_nothing_is_carried_out_for_a_page() {
    let stage = Stage::plain().await;
    let (code, answer) = stage.execute(json!({ "url": "https://shop.example/", "runners": ["fails"] })).await;
    assert_eq!((code, &answer["results"][0]["status"]), (200, &json!("fail")), "{answer}");
}
