//! Runs over regions, as a matrix.

use crate::stage::{PREFIX, client, serve};
use async_trait::async_trait;
use axum::Extension;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use runners_core::{
    ArtifactKey, ArtifactStore as _, ControlPlane, Digest, MemoryArtifacts, MemoryStore, Principal, Scope,
    TenantId,
    orchestration::{
        AskedCheck, OrchestrationRequest, Orchestrator, Region, RegionCall, RegionError, RegionReply,
        RegionResult, ResultArtifact, ResultState,
    },
};
use runners_dashboard::{Dashboard, SignedIn};
use std::time::Duration;

/// What each check leaves.
const PICTURE: &[u8] = b"\x89PNG a picture";

/// A region that passes everything, or is not there.
#[derive(Clone, Copy, Debug)]
enum Script {
    Good,
    Down,
}

#[async_trait]
impl Region for Script {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        if let Self::Down = self {
            return Err(RegionError::refused("it is <down>"));
        }
        let left = |name, media_type| {
            ResultArtifact::new(name, Digest::of(PICTURE), PICTURE.len() as u64, media_type)
        };
        let pass = |asked: &AskedCheck| {
            let mut result = RegionResult::new(&asked.name, ResultState::Pass);
            result.artifacts = vec![left("shots/the end.png", "image/png"), left("page.html", "text/html")];
            result.missing = vec!["trace.zip: too large".to_owned()];
            result
        };
        Ok(call.checks.iter().map(pass).collect::<Vec<_>>().into())
    }
}

#[tokio::test]
async fn a_run_is_a_matrix_of_its_checks_by_region() {
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let artifacts = MemoryArtifacts::default();
    let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(PICTURE) };
    let bytes = stream::iter([Ok(Bytes::from_static(PICTURE))]).boxed();
    artifacts.put(key, PICTURE.len() as u64, bytes).await.unwrap();
    let builder = Orchestrator::builder(store).artifacts(artifacts);
    let orchestrator = builder.region("eu", Script::Good).region("us", Script::Down);
    let orchestrator = orchestrator.start().await.unwrap();
    let asked = |region| AskedCheck::new("has_title", "https://shop.example/<b>").in_region(region);
    let runs = orchestrator.client(TenantId::DEFAULT);
    let run = runs.submit(&OrchestrationRequest::remote([asked("eu"), asked("us")])).await.unwrap();
    runs.wait(&run, Duration::from_secs(60)).await.unwrap();

    let dashboard = || Dashboard::behind_sign_in(&control).orchestrator(&orchestrator).build().into_router();
    let who = |tenant, scopes| {
        let principal = Principal::Api { tenant, scopes };
        Extension(SignedIn { name: "Ada".into(), principal, tenant: None })
    };
    let other = TenantId::from_bytes([9; 16]);
    let app = axum::Router::new()
        .nest_service(PREFIX, dashboard().layer(who(TenantId::DEFAULT, [Scope::Read].into())))
        .nest_service("/other", dashboard().layer(who(other, [Scope::Read].into())))
        .nest_service("/blind", dashboard().layer(who(TenantId::DEFAULT, [Scope::Submit].into())));
    let (origin, _server) = serve(app).await;
    let get = async |path: &str| {
        let answer = client().get(format!("{origin}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (code, page) = get(&format!("{PREFIX}/regions")).await;
    assert!(code == 200 && page.contains(&run) && page.contains("2 of 2"), "{page}");
    let (code, page) = get(&format!("{PREFIX}/regions/{run}")).await;
    assert_eq!(code, 200);
    for text in
        [">eu</th>", ">us</th>", "<b>has_title</b>", "passed</span>", "errored</span>", "it is &lt;down&gt;"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("shop.example/<b>") && !page.contains("Cancel"), "{page}");
    let left = format!("regions/{run}/artifacts/{}", Digest::of(PICTURE));
    for (name, media_type, is_file) in
        [("shots/the%20end.png", "image/png", false), ("page.html", "application/octet-stream", true)]
    {
        assert!(page.contains(&format!("{left}/{name}")), "{name}: {page}");
        let answer = client().get(format!("{origin}{PREFIX}/{left}/{name}")).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!((answer.status().as_u16(), headers["content-type"].to_str().unwrap()), (200, media_type));
        assert_eq!(headers.contains_key("content-disposition"), is_file, "{name}");
        assert_eq!(answer.bytes().await.unwrap(), PICTURE);
        assert_eq!(get(&format!("/other/{left}/{name}")).await.0, 404);
        assert_eq!(get(&format!("/blind/{left}/{name}")).await.0, 403);
    }
    assert!(page.contains("missing: trace.zip: too large"), "{page}");
    assert_eq!(get(&format!("{PREFIX}/{left}/another.png")).await.0, 404, "by that name there is none");
    assert_eq!(get(&format!("/other/regions/{run}")).await.0, 404);
    assert_eq!(get(&format!("/blind/regions/{run}")).await.0, 403);
    let cancel = client().post(format!("{origin}{PREFIX}/regions/{run}/cancel")).header("origin", &origin);
    assert_eq!(cancel.send().await.unwrap().status(), 403);
    orchestrator.stop().await;
}
