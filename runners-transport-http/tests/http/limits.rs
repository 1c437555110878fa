//! Limits, headers, paths and methods: what is refused, by which code, with which words.

use crate::support::{
    HandClock, Running, answer_to, answering, face, good, idle, of_the_host, raw, scripted,
};
use http_body_util::{BodyExt as _, Full, StreamBody};
use runners_core::{
    TokenKind, Transport as _, TransportError,
    protocol::{Reply, Request, SubmitRequest, SyncRequest},
};
use runners_transport_http::HttpFace;
use serde_json::Value;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tower::ServiceExt as _;

/// A request to sync, as good as any.
fn sync() -> http::request::Builder {
    at("POST", "/v1/sync")
}

fn at(method: &str, path: &str) -> http::request::Builder {
    http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", of_the_host().expose()))
        .header("runners-protocol", "1")
        .header("content-type", "application/json")
}

fn body(request: &Request) -> String {
    let value = serde_json::to_value(request).unwrap();
    value.as_object().unwrap().values().next().unwrap().to_string()
}

async fn answer(
    face: HttpFace,
    request: http::Request<Full<bytes::Bytes>>,
) -> (http::response::Parts, Value) {
    let (head, body) = face.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    assert_eq!(head.headers["runners-protocol"], "1", "every answer tells the version");
    (head, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The problem that a request meets: its code is the given one, and it is whole.
async fn problem(
    request: http::Request<Full<bytes::Bytes>>,
    status: u16,
    code: &str,
) -> (http::HeaderMap, Value) {
    let (head, problem) = answer(face(answering()).build(), request).await;
    assert_eq!((head.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(head.headers["content-type"], "application/problem+json");
    assert_eq!(problem["type"], format!("urn:runners:problem:{code}"));
    assert_eq!(problem["status"], status);
    assert!(
        !problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty()
    );
    (head.headers, problem)
}

#[tokio::test]
async fn a_version_that_is_missing_or_unknown_names_the_range() {
    for version in [None, Some("0"), Some("2"), Some("one"), Some("")] {
        let mut request = sync().body(body(&idle(1)).into()).unwrap();
        request.headers_mut().remove("runners-protocol");
        if let Some(version) = version {
            request.headers_mut().insert("runners-protocol", version.parse().unwrap());
        }
        let (_, problem) = problem(request, 400, "unsupported_protocol").await;
        assert!(problem["detail"].as_str().unwrap().contains("versions 1 to 1"), "{problem}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_not_found() {
    for path in ["/", "/v1", "/v1/", "/v1/Sync", "/v1/sync/", "/v2/sync", "/v1/artifacts/abc", "/healthz/"] {
        problem(at("POST", path).body(Full::default()).unwrap(), 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_told_which_are() {
    let (headers, _) =
        problem(at("GET", "/v1/sync").body(Full::default()).unwrap(), 405, "method_not_allowed").await;
    assert_eq!(headers["allow"], "POST");
    let digest = runners_core::Digest::of(b"");
    let request = at("POST", &format!("/v1/artifacts/{digest}")).body(Full::default()).unwrap();
    let (headers, _) = problem(request, 405, "method_not_allowed").await;
    assert_eq!(headers["allow"], "GET, HEAD, PUT, PATCH, DELETE");
}

#[tokio::test]
async fn a_missing_token_is_unauthorized_and_told_the_scheme() {
    let mut request = sync().body(body(&idle(1)).into()).unwrap();
    request.headers_mut().remove("authorization");
    let (headers, _) = problem(request, 401, "unauthorized").await;
    assert_eq!(headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn another_media_type_is_not_supported() {
    let mut request = sync().body(body(&idle(1)).into()).unwrap();
    request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    problem(request, 415, "unsupported_media_type").await;
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_announced_or_not() {
    let sized = |path: &str, bytes: usize| at("POST", path).body(Full::from(vec![b' '; bytes])).unwrap();
    let limits =
        [("/v1/sync", SyncRequest::BYTES_MAX), ("/v1/submit", SubmitRequest::BYTES_MAX), ("/v1/wait", 8192)];
    for (path, limit) in limits {
        let (_, told) = problem(sized(path, limit + 1), 413, "too_large").await;
        assert_eq!(told["limit"], limit);
        assert!(told["detail"].as_str().unwrap().contains(&limit.to_string()), "{told}");
        problem(sized(path, limit), 400, "invalid").await;
        let mut announced = sized(path, 0);
        announced.headers_mut().insert("content-length", (limit + 1).into());
        problem(announced, 413, "too_large").await;
    }
}

#[tokio::test]
async fn headers_over_their_limit_are_refused() {
    let request = sync().header("x-large", "x".repeat(17 << 10)).body(Full::default()).unwrap();
    let (_, told) = problem(request, 431, "headers_too_large").await;
    assert_eq!(told["limit"], 16 << 10);
}

#[tokio::test]
async fn a_malformed_field_is_named() {
    let malformed = body(&idle(1)).replace("20000", "\"soon\"");
    let (_, told) = problem(sync().body(malformed.into()).unwrap(), 400, "invalid").await;
    assert!(told["detail"].as_str().unwrap().contains("`park_for_ms`"), "{told}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let clock = HandClock::new();
    let face = face(answering()).clock(clock.clone()).build();
    let stream = futures::stream::pending::<Result<http_body::Frame<bytes::Bytes>, Infallible>>();
    let slow = sync().body(StreamBody::new(stream)).unwrap();
    let (response, ()) = futures::join!(face.oneshot(slow), clock.pass(Duration::from_secs(15)));
    assert_eq!(response.unwrap().status(), 408);
}

#[tokio::test]
async fn a_control_plane_that_never_answers_is_given_up_after_the_park() {
    let clock = HandClock::new();
    let far = scripted(|_| futures::future::pending());
    let face = face(far).clock(clock.clone()).build();
    let request = sync().body(Full::from(body(&idle(1)))).unwrap();
    let (response, ()) = futures::join!(face.oneshot(request), clock.pass(Duration::from_secs(50)));
    let response = response.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
}

#[tokio::test]
async fn parks_are_no_longer_than_the_host_allows() {
    for (park_max, parked) in [(Duration::from_secs(5), 5), (Duration::from_secs(30), 20)] {
        let far = scripted(move |request| async move {
            assert_eq!(request.park_for(), Duration::from_secs(parked));
            Ok(answer_to(&request))
        });
        let face = face(far).park_max(park_max).build();
        let (head, _) = answer(face, sync().body(body(&idle(1)).into()).unwrap()).await;
        assert_eq!(head.status, 200);
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_next_request_is_answered() {
    let far = scripted(|request| async move {
        assert_ne!(crate::support::seq_of(&request), 13, "thirteen");
        Ok(answer_to(&request))
    });
    let face = face(far).build();
    let (head, told) = answer(face.clone(), sync().body(body(&idle(13)).into()).unwrap()).await;
    assert_eq!((head.status.as_u16(), told["code"].as_str()), (500, Some("internal")));
    assert!(!told.to_string().contains("thirteen"), "the inside is nobody's business: {told}");
    let (head, _) = answer(face, sync().body(body(&idle(14)).into()).unwrap()).await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn the_id_of_a_request_is_given_back_or_made() {
    let face = face(answering()).build();
    let request = |id: &str| sync().header("x-request-id", id).body(body(&idle(1)).into()).unwrap();
    let (head, _) = answer(face.clone(), request("seven-of-nine")).await;
    assert_eq!(head.headers["x-request-id"], "seven-of-nine");
    for bad in ["", "two words", &"x".repeat(129)] {
        let (head, _) = answer(face.clone(), request(bad)).await;
        let made = head.headers["x-request-id"].to_str().unwrap();
        assert!(made.len() == 16 && made != bad, "{made}");
    }
}

#[tokio::test]
async fn health_needs_neither_token_nor_version() {
    let running = Running::start(face(answering()).prefix("runners")).await;
    let asked = b"GET /runners/healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let told = raw(running.address, asked, "ok\n").await;
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n") && told.ends_with("\r\n\r\nok\n"), "{told}");
}

#[tokio::test]
async fn a_router_mounts_the_face_under_any_prefix() {
    let nested = axum::Router::new().nest_service("/deep/down", face(answering()).build());
    #[cfg(feature = "axum")]
    let nested = nested.nest("/router", face(answering()).build().into_router());
    for prefix in if cfg!(feature = "axum") { &["/deep/down", "/router"][..] } else { &["/deep/down"] } {
        let request =
            at("POST", &format!("{prefix}/v1/sync")).body(axum::body::Body::from(body(&idle(1)))).unwrap();
        let response = nested.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{prefix}");
        let nowhere = at("POST", &format!("{prefix}/v1/nowhere")).body(axum::body::Body::empty()).unwrap();
        let response = nested.clone().oneshot(nowhere).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{prefix}");
    }
}

#[tokio::test]
async fn a_request_over_the_limit_is_rejected_before_it_is_sent() {
    let running = Running::start(face(scripted(|_| async { panic!("it was sent") }))).await;
    let jobs = vec![runners_core::protocol::Submission {
        spec: vec![b'x'; SubmitRequest::BYTES_MAX].into(),
        signature: None,
        payload: None,
        payload_artifact: None,
    }];
    let submit = Request::Submit(SubmitRequest { jobs, run: None });
    match running.transport(good(TokenKind::Api)).call(submit).await {
        Err(TransportError::Rejected { code, detail }) => {
            assert_eq!(code, "too_large");
            assert!(detail.contains(&SubmitRequest::BYTES_MAX.to_string()), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reply_over_the_limit_is_not_read_to_its_end() {
    let far = scripted(|_| async {
        let chunk = runners_core::protocol::LogChunk {
            offset: 0,
            bytes: vec![b'x'; runners_transport_http::REPLY_BYTES_MAX].into(),
        };
        let page = runners_core::protocol::LogPage {
            grant: 1,
            chunks: vec![chunk],
            gaps: Vec::new(),
            next: 1,
            ended: true,
        };
        Ok(Reply::Log(page))
    });
    let running = Running::start(face(far)).await;
    let told = running.transport(of_the_host()).call(idle(1)).await.unwrap_err();
    assert!(matches!(told, TransportError::Unreachable(_)), "{told:?}");
    assert!(format!("{told:?}").contains("TooLong"), "{told:?}");
}

#[test]
fn a_face_is_sent_and_shared() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    check(&face(Arc::new(answering())).build());
}
