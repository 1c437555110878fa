//! Table 2: what is done instead, where the wire is broken elsewhere.

use crate::{Row, SHOP, check, endless, job, one, remote};
use futures::FutureExt as _;
use serde_json::json;
use std::time::Duration;

pub(crate) const ROWS: &[Row] = &[
    ("2.1", "both layouts answer, and to each what the other began", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            let run = ended["runId"].as_str().unwrap();
            for prefix in ["/api/orchestrator", "/api/orchestrator/orchestrator"] {
                assert_eq!(wire.at("GET", &format!("{prefix}/{run}")).await.1, ended);
            }
        }
        .boxed()
    }),
    ("2.2", "replies are read plain and wrapped, and are wrapped when the request was", |wire| {
        async move {
            let ended =
                wire.ended(remote(&[check("echoes", "own", SHOP), check("a", "wrapped", SHOP)])).await;
            assert_eq!(ended["summary"]["passed"], 2, "{ended}");
            let (_, answer) = wire.execute(json!({ "json": { "url": SHOP, "runners": ["echoes"] } })).await;
            assert_eq!(answer["json"]["results"][0]["status"], "pass", "{answer}");
            let (code, answer) =
                wire.execute(json!({ "json": { "url": SHOP, "runners": ["nobody"] } })).await;
            assert_eq!((code, &answer["json"]["code"]), (404, &json!("RUNNER_NOT_FOUND")));
            let (_, answer) = wire.call("POST", "", Some(json!({ "json": one() }))).await;
            assert!(answer["json"]["runId"].is_string(), "{answer}");
        }
        .boxed()
    }),
    ("2.3", "a run with a timeout ends timed_out on time, and what came back is kept", |wire| {
        async move {
            let mut asked = remote(&[check("a", "hangs", SHOP), check("a", "plain", SHOP)]);
            asked["timeout"] = 3_000.into();
            let ended = wire.ended(asked).await;
            assert_eq!(ended["state"], "timed_out");
            assert_eq!(ended["jobs"][1]["results"][0]["status"], "pass", "{ended}");
        }
        .boxed()
    }),
    ("2.4", "a run that was begun is there, however often it is asked for", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            let path = format!("/{}", ended["runId"].as_str().unwrap());
            assert_eq!((wire.get(&path).await.1, wire.get(&path).await.1), (ended.clone(), ended));
        }
        .boxed()
    }),
    ("2.5", "counts are live, and updatedAt moves", |wire| {
        async move {
            let run = wire.submit(remote(&[check("a", "hangs", SHOP), check("a", "plain", SHOP)])).await;
            let told = loop {
                let (_, told) = wire.get(&format!("/{run}/status")).await;
                if told["completedJobs"] == 1 {
                    break told;
                }
                tokio::task::yield_now().await;
            };
            assert_eq!((&told["state"], &told["totalJobs"]), (&json!("running"), &json!(2)));
            assert!(told["updatedAt"].as_str() >= told["createdAt"].as_str(), "{told}");
            wire.call("POST", &format!("/{run}/cancel"), None).await;
        }
        .boxed()
    }),
    ("2.6", "trouble has its code, its reason, and the members of a problem beside its own", |wire| {
        async move {
            let (_, answer) = wire.get("/run_1").await;
            assert_eq!(
                (&answer["status"], &answer["type"]),
                (&json!(404), &json!("urn:runners:problem:not_found"))
            );
            assert!(answer["title"].is_string() && answer["detail"].is_string(), "{answer}");
            let nothing = json!({ "mode": "remote", "runners": [{ "name": "a" }] });
            assert_eq!(
                wire.call("POST", "", Some(nothing)).await.0,
                400,
                "a region and a url are missed at submit"
            );
            let run = wire.submit(endless()).await;
            assert_eq!(wire.get(&format!("/{run}?partial=1")).await.0, 200);
            wire.call("POST", &format!("/{run}/cancel"), None).await;
        }
        .boxed()
    }),
    ("2.7", "a window of concurrency slides, and waits for no slowest one", |wire| {
        async move {
            let mut asked =
                remote(&[check("a", "hangs", SHOP), check("a", "plain", SHOP), check("a", "wrapped", SHOP)]);
            (asked["concurrency"], asked["timeout"]) = (2.into(), 2_000.into());
            assert_eq!(wire.ended(asked).await["summary"]["passed"], 2);
        }
        .boxed()
    }),
    ("2.8", "calls are repeated, runs cancelled, listed and removed, and regions have credentials", |wire| {
        async move {
            let mut asked = remote(&[check("a", "unavailable", SHOP)]);
            (asked["options"]["retries"], asked["tags"]) = (1.into(), json!(["repeated"]));
            let ended = wire.ended(asked).await;
            let sent = wire.sent(&ended["runId"]);
            assert_eq!(sent.len(), 2);
            assert_eq!(sent[0].headers["idempotency-key"], sent[1].headers["idempotency-key"]);
            assert_eq!(
                (&sent[0].headers["authorization"], &sent[0].headers["x-team"]),
                (&"Bearer hunter2".parse().unwrap(), &"shop".parse().unwrap())
            );
            let (_, page) = wire.get("?tag=repeated&limit=1").await;
            assert_eq!(page["items"][0]["runId"], ended["runId"]);
            let path = format!("/{}", ended["runId"].as_str().unwrap());
            assert_eq!(wire.call("DELETE", &path, None).await.0, 200);
            assert_eq!(wire.get(&path).await.0, 404);
            let run = wire.submit(endless()).await;
            assert_eq!(wire.call("POST", &format!("/{run}/cancel"), None).await.1["conclusion"], "cancelled");
            let request = wire.stage.request("GET", wire.prefix);
            assert_eq!(crate::read(request).await.0, 401, "nobody is let in without a token");
        }
        .boxed()
    }),
];

pub(crate) const MORE: &[Row] = &[
    ("2.9", "names are run_ and job_, some are refused, and the same under a name is the same run", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            assert!(ended["runId"].as_str().unwrap().starts_with("run_"));
            for name in ["docs", "spec.json", "orchestrator"] {
                let mut asked = one();
                asked["runId"] = name.into();
                assert_eq!(wire.call("POST", "", Some(asked)).await.0, 400, "{name}");
            }
            let mut asked = one();
            asked["runId"] = "repeated".into();
            assert_eq!(
                (wire.submit(asked.clone()).await, wire.submit(asked.clone()).await),
                ("repeated".into(), "repeated".into())
            );
            asked["concurrency"] = 3.into();
            assert_eq!(wire.call("POST", "", Some(asked)).await.0, 409);
        }
        .boxed()
    }),
    ("2.10", "a bad result is an error with its reason, and its neighbours are kept", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "odd", SHOP), check("b", "odd", SHOP)])).await;
            let results = &job(&ended)["results"];
            assert!(results[0]["errorMessage"].as_str().unwrap().contains("skipped"), "{ended}");
            assert_eq!(results[1]["status"], "pass");
        }
        .boxed()
    }),
    ("2.11", "every check that was asked for is counted, also those of a region that is down", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "html", SHOP), check("b", "html", SHOP)])).await;
            assert_eq!(ended["summary"], json!({ "total": 2, "passed": 0, "failed": 0, "errored": 2 }));
        }
        .boxed()
    }),
    ("2.12", "a check that fails leaves the state completed, and the conclusion tells", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("fails", "plain", SHOP)])).await;
            assert_eq!((&ended["state"], &ended["conclusion"]), (&json!("completed"), &json!("failed")));
        }
        .boxed()
    }),
    ("2.13", "tags are kept, told, and found by", |wire| {
        async move {
            let mut asked = one();
            asked["tags"] = json!(["thirteen"]);
            let ended = wire.ended(asked).await;
            assert_eq!(ended["tags"], json!(["thirteen"]));
            assert_eq!(wire.get("?tag=thirteen").await.1["items"][0]["runId"], ended["runId"]);
        }
        .boxed()
    }),
    ("2.14", "names are exact, a throw keeps the name, and defaults of an input are given", |wire| {
        async move {
            for name in ["constructor", "__proto__", "Echoes"] {
                assert_eq!(wire.execute(json!({ "url": SHOP, "runners": [name] })).await.0, 404, "{name}");
            }
            let (_, answer) = wire.execute(json!({ "url": SHOP, "runners": ["panics", "echoes"] })).await;
            let [panics, echoes] = [0, 1].map(|at| &answer["results"][at]);
            assert_eq!(
                (&panics["name"], &echoes["details"]["most"]),
                (&json!("panics"), &json!(7)),
                "{answer}"
            );
        }
        .boxed()
    }),
    ("2.15", "where pages may lead is the operator's list", |wire| {
        async move {
            for url in ["file:///etc/passwd", "http://169.254.169.254/", "http://127.0.0.1/"] {
                let asked =
                    json!({ "mode": "local", "runners": [{ "name": "echoes", "input": { "url": url } }] });
                assert_eq!(wire.call("POST", "", Some(asked)).await.0, 400, "{url}");
                assert_eq!(wire.execute(json!({ "url": url, "runners": ["echoes"] })).await.0, 400, "{url}");
            }
        }
        .boxed()
    }),
    ("2.16", "spec.json names regions to who may see them, and never where they are", |wire| {
        async move {
            let (_, told) = wire.at("GET", "/api/orchestrator/spec.json").await;
            let told = told.to_string();
            assert!(told.contains("says-why") && !told.contains("/scripted/"), "{told}");
            let request = wire.stage.request("GET", "/api/orchestrator/spec.json");
            assert!(!crate::read(request).await.1.to_string().contains("says-why"));
        }
        .boxed()
    }),
    ("2.17", "the pages of documentation load nothing from elsewhere", |wire| {
        async move {
            for path in ["/api/orchestrator/docs", "/api/runner/docs"] {
                let response =
                    wire.stage.request("GET", path).timeout(Duration::from_secs(60)).send().await.unwrap();
                let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
                assert!(policy.contains("default-src 'none'"), "{policy}");
                let page = response.text().await.unwrap();
                assert!(!page.contains("http://") && !page.contains("https://"), "{path}");
            }
        }
        .boxed()
    }),
    ("2.18", "what a program is told by its exit code follows from the conclusion", |wire| {
        async move {
            // Which code that is, the program's own tests show.
            for (name, region, conclusion) in
                [("a", "plain", "passed"), ("fails", "plain", "failed"), ("a", "html", "errored")]
            {
                let ended = wire.ended(remote(&[check(name, region, SHOP)])).await;
                assert_eq!(ended["conclusion"], conclusion);
            }
        }
        .boxed()
    }),
];
