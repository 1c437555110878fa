//! What `docs/orchestrating.md` shows of the wire: its command lines are sent as they stand there, and each
//! call of its table is made. Its samples in Rust are compiled and run with the examples.

use crate::read;
use axum::Router;
use runners_api::{EndpointFace, OrchestratorFace};
use runners_core::{
    Attempt, Authenticate, AuthenticateError, CheckError, Checks, Egress, MemoryArtifacts, MemoryStore,
    Principal, RunCheck, Scope, SystemClock, TenantId,
    orchestration::{Orchestrator, ProcessRegion},
};
use runners_region_http::HttpRegion;
use runners_report::{Html, ctrf, junit};
use runners_transport_http::Server;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

const PAGE: &str = include_str!("../../../docs/orchestrating.md");

/// A command line of the page: where it is sent, what, and what comes back.
struct Sample {
    path: String,
    body: Value,
    answer: String,
}

/// Every `curl` of the page.
fn samples() -> Vec<Sample> {
    let blocks = PAGE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let sample = |block: &str| {
        let (head, rest) = block.split_once("-d '").unwrap();
        let (body, answer) = rest.split_once('\'').unwrap();
        let url = head.split_whitespace().find(|word| word.starts_with("https://")).unwrap();
        let path = url.trim_start_matches("https://").split_once('/').unwrap().1;
        let body = serde_json::from_str(body).unwrap();
        Sample { path: format!("/{path}"), body, answer: answer.trim().to_owned() }
    };
    blocks.map(sample).collect()
}

/// The calls of the table, each by its method and what follows the prefix.
fn calls() -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let calls = rows.filter_map(|call| call.split_once(' '));
    calls.filter(|(method, _)| matches!(*method, "GET" | "POST" | "DELETE")).collect()
}

#[derive(Debug)]
struct Anybody;

#[async_trait::async_trait]
impl Authenticate for Anybody {
    async fn authenticate(&self, _token: &str) -> Result<Principal, AuthenticateError> {
        Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() })
    }
}

async fn passes(_: (), _: Value) -> Result<(), CheckError> {
    Ok(())
}

/// The hosts of the page: an orchestrator of the regions `eu` and `us`, and the endpoint that is both.
async fn hosts() -> (String, Orchestrator, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let checks = Arc::new(Checks::new().with("opens", passes).with("orders", passes));
    let registry = Arc::clone(&checks);
    let artifacts = MemoryArtifacts::default();
    let here = ProcessRegion::new(move |command: RunCheck, attempt: Attempt| {
        let checks = Arc::clone(&registry);
        async move {
            drop(attempt.attach("end.png", "image/png", "a picture").await);
            checks.prepare(command)?.run((), &SystemClock::default()).await
        }
    });
    let here = here.artifacts(TenantId::DEFAULT, artifacts.clone());
    let mut builder = Orchestrator::builder(MemoryStore::default()).artifacts(artifacts.clone());
    for name in ["eu", "us"] {
        let egress = Egress::pushing().allow_network("127.0.0.0/8".parse().unwrap());
        let region = HttpRegion::builder(name, format!("{url}/api/runner")).egress(egress);
        builder = builder.region(name, region.build().unwrap());
    }
    let orchestrator = builder.start().await.unwrap();
    let face = OrchestratorFace::builder(&orchestrator, Anybody)
        .report("junit.xml", "application/xml", |run, _| junit(run))
        .report("ctrf.json", "application/json", |run, _| ctrf(run))
        .report("report.html", "text/html; charset=utf-8", |run, read| {
            Html::of(run).with_artifacts(read).render()
        });
    let endpoint = EndpointFace::builder(checks, here).name("eu").artifacts(TenantId::DEFAULT, artifacts);
    let app = Router::new()
        .nest_service("/api/orchestrator", face.build().into_router())
        .nest_service("/api/runner", endpoint.build().into_router());
    let server = async move { Server::new(listener).serve(app, std::future::pending()).await.unwrap() };
    (url, orchestrator, [server].into_iter().collect())
}

#[tokio::test]
async fn the_command_lines_of_the_page_are_answered_as_it_says_and_each_call_of_its_table_is_there() {
    let (url, orchestrator, _server) = hosts().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = |method: &str, path: &str, body: Option<&Value>| {
        let request = client.request(method.parse().unwrap(), format!("{url}{path}")).bearer_auth("anybody");
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    };
    let samples = samples();
    assert_eq!(samples.len(), 2, "the page asks an orchestrator, and an endpoint");
    let mut answers = Vec::new();
    for sample in &samples {
        let (code, answer) = read(request("POST", &sample.path, Some(&sample.body))).await;
        assert_eq!(code, 200, "{}: {answer}", sample.path);
        answers.push(answer);
    }
    assert_eq!(answers[0], serde_json::from_str::<Value>(&samples[0].answer).unwrap());
    // The page leaves the second result out.
    let told: Value = serde_json::from_str(&samples[1].answer.replace(", …", "")).unwrap();
    let (shown, found) = (&told["results"][0], &answers[1]["results"][0]);
    assert_eq!(told["region"], answers[1]["region"]);
    assert_eq!((&shown["name"], &shown["status"]), (&found["name"], &found["status"]));
    assert!(shown.as_object().unwrap().keys().all(|name| found.get(name).is_some()), "{found}");

    let run = answers[0]["runId"].as_str().unwrap();
    let ended = orchestrator.local_client().wait(run, Duration::from_secs(60)).await.unwrap();
    assert_eq!((ended.summary.passed, ended.artifacts().count()), (3, 3), "{ended:?}");
    let mut calls = calls();
    assert!(calls.len() > 10, "{calls:?}");
    // What removes the run comes last.
    calls.sort_by_key(|(method, _)| *method == "DELETE");
    for (method, path) in calls {
        let path = path.replace("{runId}", run);
        let body = Some(&samples[0].body).filter(|_| (method, &*path) == ("POST", "/"));
        let sent = request(method, &format!("/api/orchestrator{}", path.trim_end_matches('/')), body);
        assert_eq!(sent.send().await.unwrap().status().as_u16(), 200, "{method} {path}");
    }
    assert_eq!(read(request("GET", &format!("/api/orchestrator/{run}"), None)).await.0, 404);
    orchestrator.stop().await;
}
