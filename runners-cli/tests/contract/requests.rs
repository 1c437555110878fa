//! Table 1.2: what a submit may say.

use crate::{Row, SHOP, Wire, check, job, one, remote};
use futures::FutureExt as _;
use serde_json::{Value, json};

async fn refused(wire: &Wire, asked: Value, path: Value) {
    let (code, answer) = wire.call("POST", "", Some(asked.clone())).await;
    assert_eq!((code, &answer["data"]["issues"][0]["path"]), (400, &path), "{asked}: {answer}");
}

fn with(name: &str, value: Value) -> Value {
    let mut asked = one();
    asked[name] = value;
    asked
}

pub(crate) const ROWS: &[Row] = &[
    ("1.2.1", "runners: an array of at least 1", |wire| {
        async move {
            refused(&wire, with("runners", json!([])), json!(["runners"])).await;
            refused(&wire, json!({ "mode": "remote" }), json!(["runners"])).await;
        }
        .boxed()
    }),
    ("1.2.2", "mode: local or remote, and no default", |wire| {
        async move {
            refused(&wire, with("mode", json!("both")), json!(["mode"])).await;
            refused(&wire, json!({ "runners": one()["runners"] }), json!(["mode"])).await;
        }
        .boxed()
    }),
    ("1.2.3", "concurrency: an integer above 0 that JSON can hold, or nothing", |wire| {
        async move {
            for wrong in [json!(0), json!(1.5), json!("2"), json!(9_007_199_254_740_992_u64), json!(null)] {
                refused(&wire, with("concurrency", wrong), json!(["concurrency"])).await;
            }
            wire.ended(with("concurrency", json!(1))).await;
        }
        .boxed()
    }),
    ("1.2.4", "timeout: an integer above 0, in milliseconds, or nothing", |wire| {
        async move {
            for wrong in [json!(0), json!(-1), json!("5"), json!(null)] {
                refused(&wire, with("timeout", wrong), json!(["timeout"])).await;
            }
            wire.ended(with("timeout", json!(60_000))).await;
        }
        .boxed()
    }),
    ("1.2.5", "tags: an array of texts, or nothing", |wire| {
        async move {
            refused(&wire, with("tags", json!(["a", 5])), json!(["tags", 1])).await;
            wire.ended(with("tags", json!(["a"]))).await;
        }
        .boxed()
    }),
    ("1.2.6", "runId: a text, of which an empty one is none, or nothing", |wire| {
        async move {
            refused(&wire, with("runId", json!(5)), json!(["runId"])).await;
            let ended = wire.ended(with("runId", json!(""))).await;
            assert!(ended["runId"].as_str().unwrap().starts_with("run_"));
        }
        .boxed()
    }),
    ("1.2.7", "a runner has a name of at least one sign", |wire| {
        async move {
            refused(&wire, remote(&[check("", "plain", SHOP)]), json!(["runners", 0, "name"])).await;
            refused(&wire, remote(&[json!("opens")]), json!(["runners", 0])).await;
        }
        .boxed()
    }),
    ("1.2.8", "a runner has a region in mode remote, and none is looked at in mode local", |wire| {
        async move {
            let none = json!({ "name": "opens", "input": { "url": SHOP } });
            refused(&wire, remote(std::slice::from_ref(&none)), json!(["runners", 0, "region"])).await;
            let local = json!({ "mode": "local", "runners": [none, check("echoes", "nowhere", SHOP)] });
            let ended = wire.ended(local).await;
            assert!(job(&ended).get("region").is_none(), "{ended}");
        }
        .boxed()
    }),
    ("1.2.9", "a runner has an input with a url, whose other members may be anything", |wire| {
        async move {
            let url = json!(["runners", 0, "input", "url"]);
            refused(&wire, remote(&[json!({ "name": "a", "region": "plain" })]), url.clone()).await;
            let text = json!({ "name": "a", "region": "plain", "input": { "url": 5 } });
            refused(&wire, remote(&[text]), url).await;
            let any = json!({ "url": SHOP, "deep": { "list": [1, null, "x"] } });
            let ended = wire.ended(remote(&[json!({ "name": "a", "region": "plain", "input": any })])).await;
            assert_eq!(wire.sent(&ended["runId"])[0].body["runners"][0]["input"], any);
        }
        .boxed()
    }),
    ("1.2.10", "members that are not known are ignored", |wire| {
        async move {
            let mut asked = with("more", json!({ "a": 1 }));
            asked["runners"][0]["more"] = true.into();
            wire.ended(asked).await;
        }
        .boxed()
    }),
    ("1.2.11", "a form with bracketed names is an equal of JSON", |wire| {
        async move {
            let form = "mode=remote&concurrency=2&tags[]=a&runners[0][name]=opens&runners[0][region]=plain\
                        &runners[0][input][url]=https%3A%2F%2Fshop.example%2F";
            let (code, answer) = wire.post("application/x-www-form-urlencoded", form).await;
            assert_eq!(code, 200, "{answer}");
        }
        .boxed()
    }),
    ("1.2.12", "a body of another kind is not parsed, and is 400", |wire| {
        async move {
            for kind in ["text/plain", "application/octet-stream"] {
                assert_eq!(wire.post(kind, one().to_string()).await.0, 400, "{kind}");
            }
        }
        .boxed()
    }),
];
