//! Tables 1.6 and 1.7: which calls a request becomes, and what their answers come to.

use crate::{Row, SHOP, check, job, one, remote};
use futures::FutureExt as _;
use serde_json::json;

const OTHER: &str = "https://shop.example";

pub(crate) const ROWS: &[Row] = &[
    ("1.6.1", "in mode remote the checks of one text of a page in one region are one job", |wire| {
        async move {
            let (slash, none) = (SHOP, OTHER);
            let asked = [check("a", "plain", slash), check("b", "plain", none), check("c", "plain", slash)];
            let ended = wire.ended(remote(&asked)).await;
            let sizes: Vec<_> = ended["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|job| job["results"].as_array().unwrap().len())
                .collect();
            assert_eq!(sizes, [2, 1]);
        }
        .boxed()
    }),
    ("1.6.2", "jobs stand in the order of their pages, and then of their regions", |wire| {
        async move {
            let asked = [check("a", "wrapped", SHOP), check("a", "plain", OTHER), check("b", "plain", SHOP)];
            let ended = wire.ended(remote(&asked)).await;
            let place = |at: usize| (ended["jobs"][at]["url"].clone(), ended["jobs"][at]["region"].clone());
            assert_eq!(place(0), (json!(SHOP), json!("wrapped")));
            assert_eq!(place(1), (json!(SHOP), json!("plain")));
            assert_eq!(place(2), (json!(OTHER), json!("plain")));
        }
        .boxed()
    }),
    (
        "1.6.3",
        "checks keep their order in a job, and one that is asked for twice stands there twice",
        |wire| {
            async move {
                let asked = ["b", "a", "b"].map(|name| check(name, "plain", SHOP));
                let ended = wire.ended(remote(&asked)).await;
                assert_eq!(job(&ended)["runners"], json!(["b", "a", "b"]));
                assert_eq!(job(&ended)["results"].as_array().unwrap().len(), 3);
            }
            .boxed()
        },
    ),
    ("1.6.4", "in mode local the checks of one page are one job, without a region", |wire| {
        async move {
            let asked = [check("echoes", "plain", SHOP), check("fails", "wrapped", SHOP)];
            let ended = wire.ended(json!({ "mode": "local", "runners": asked })).await;
            assert_eq!(ended["jobs"].as_array().unwrap().len(), 1);
            assert!(job(&ended).get("region").is_none(), "{ended}");
        }
        .boxed()
    }),
    ("1.7.1", "a region is sent POST {url}/execute with a plain object, and its query is kept", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            let sent = &wire.sent(&ended["runId"])[0];
            assert_eq!(sent.region, "plain");
            assert_eq!(sent.headers["content-type"], "application/json");
            let input = json!({ "url": SHOP });
            let runners = json!([{ "name": "opens", "input": input }]);
            let body = json!({ "url": SHOP, "runners": runners, "runId": ended["runId"], "region": "plain" });
            assert_eq!(sent.body, body);
        }
        .boxed()
    }),
    ("1.7.2", "no redirect is followed, and one is no answer", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "redirects", SHOP)])).await;
            let error = job(&ended)["error"].as_str().unwrap();
            assert!(error.contains("redirect") && !error.contains("key=7"), "{error}");
        }
        .boxed()
    }),
    ("1.7.3", "an unknown check of local mode is told with those that there are", |wire| {
        async move {
            let ended = wire.ended(json!({ "mode": "local", "runners": [check("nobody", "", SHOP)] })).await;
            let told = job(&ended)["results"][0]["errorMessage"].as_str().unwrap();
            assert!(told.contains("nobody") && told.contains("echoes"), "{told}");
        }
        .boxed()
    }),
    ("1.7.4", "a job is completed if its region answered, whatever the checks came to", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("fails", "plain", SHOP)])).await;
            assert_eq!((&job(&ended)["state"], &ended["state"]), (&json!("completed"), &json!("completed")));
            assert_eq!(ended["summary"]["failed"], 1);
        }
        .boxed()
    }),
    (
        "1.7.5",
        "a job of a region that does not answer in time is timed_out, and of another trouble failed",
        |wire| {
            async move {
                let mut late = remote(&[check("a", "hangs", SHOP), check("a", "plain", SHOP)]);
                late["timeout"] = 200.into();
                let ended = wire.ended(late).await;
                assert_eq!(
                    (&job(&ended)["state"], &ended["state"]),
                    (&json!("timed_out"), &json!("timed_out"))
                );
                let ended = wire.ended(remote(&[check("a", "html", SHOP)])).await;
                assert_eq!(job(&ended)["state"], "failed");
            }
            .boxed()
        },
    ),
    (
        "1.7.6",
        "a result without a name is that of the check at its place, one with an odd status an error",
        |wire| {
            async move {
                let ended = wire.ended(remote(&[check("a", "odd", SHOP), check("b", "odd", SHOP)])).await;
                let results = &job(&ended)["results"];
                assert_eq!((&results[0]["status"], &results[1]["status"]), (&json!("error"), &json!("pass")));
            }
            .boxed()
        },
    ),
    ("1.7.7", "members of a result that are not known are dropped", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            assert!(job(&ended)["results"][0].get("extra").is_none(), "{ended}");
        }
        .boxed()
    }),
];
