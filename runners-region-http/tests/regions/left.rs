//! What checks of a region left: fetched from where that is allowed, and told as missing where it is not.

use crate::stage::{Arrived, HandClock, Script, Scripted, Seen, call, loopback, reply};
use futures::TryStreamExt as _;
use runners_core::{
    ArtifactKey, ArtifactStore as _, Digest, Egress, MemoryArtifacts, Secret, TenantId,
    orchestration::{Region as _, RegionCall},
};
use runners_region_http::HttpRegion;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const TENANT: TenantId = TenantId::DEFAULT;

/// A call of somebody who keeps what checks left.
fn keeping(store: &MemoryArtifacts) -> RegionCall {
    let mut call = call().kept_in(Arc::new(store.clone()));
    call.tenant = Some(TENANT);
    call
}

/// An answer whose first result names one artifact.
fn naming(artifact: &Value) -> Script {
    let first = json!({ "name": "a", "status": "pass", "artifacts": [artifact] });
    reply("200 OK", "", &json!({ "results": [first, { "name": "b", "status": "fail" }] }).to_string())
}

fn shot(url: &str) -> Value {
    json!({ "name": "shots/end.png", "url": url })
}

/// The first result of a region that answers this, and then whatever is asked of it.
async fn first_of(scripts: Vec<Script>) -> Value {
    let server = Scripted::start(scripts).await;
    let region = server.region().build().unwrap();
    region.execute(keeping(&MemoryArtifacts::default())).await.unwrap().results.remove(0)
}

fn missing(result: &Value) -> &str {
    assert_eq!(result["status"], "pass", "it is what it was: {result}");
    assert!(result.get("artifacts").is_none(), "{result}");
    result["missing"][0].as_str().unwrap()
}

async fn requests(server: &mut Scripted, count: usize) -> Vec<Arrived> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(server.request().await);
    }
    all
}

#[tokio::test]
async fn what_checks_left_is_fetched_and_kept_with_its_digest_name_and_kind() {
    let picture = reply("200 OK", "content-type: image/png\r\n", "a picture");
    let mut server = Scripted::start([naming(&shot("artifacts/1")), picture]).await;
    let region = server.region().token(Secret::from_text("hunter2")).build().unwrap();
    let store = MemoryArtifacts::default();
    let results = region.execute(keeping(&store)).await.unwrap().results;
    let digest = Digest::of(b"a picture");
    let kept = json!({ "name": "shots/end.png", "digest": digest, "length": 9, "mediaType": "image/png" });
    assert_eq!(results[0], json!({ "name": "a", "status": "pass", "artifacts": [kept] }));
    assert_eq!(results[1], json!({ "name": "b", "status": "fail" }));
    let bytes = store.get(ArtifactKey { tenant: TENANT, digest }, None).await.unwrap();
    assert_eq!(bytes.try_collect::<Vec<_>>().await.unwrap().concat(), b"a picture");
    let asked = requests(&mut server, 2).await;
    assert_eq!(asked[1].line, "GET /api/runner/artifacts/1 HTTP/1.1");
    assert_eq!(asked[1].headers["authorization"], "Bearer hunter2");
}

#[tokio::test]
async fn who_keeps_nothing_is_told_that_it_stays_where_it_is() {
    let server = Scripted::start([naming(&shot("artifacts/1"))]).await;
    let answered = server.region().build().unwrap().execute(call()).await.unwrap();
    assert!(missing(&answered.results[0]).contains("nothing is kept here"), "{answered:?}");
}

#[tokio::test]
async fn what_a_region_is_called_with_goes_to_its_own_origin_alone() {
    let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = |url: String| reply("302 Found", &format!("location: {url}\r\n"), "");
    let back = format!("http://{}/back", here.local_addr().unwrap());
    // Its own, then a redirect to another origin, and one back again.
    let mut other = Scripted::start_on(there, [to(back)]);
    let away = format!("http://{}/away", other.address);
    let scripts = [naming(&shot("/own")), to(away), reply("200 OK", "", "a picture")];
    let mut server = Scripted::start_on(here, scripts);
    let url = format!("http://ada:lovelace@{}/api/runner?key=hunter2", server.address);
    let region =
        HttpRegion::builder("eu", url).egress(loopback()).header("X-Team", Secret::from_text("shop"));
    let region = region.build().unwrap();
    let results = region.execute(keeping(&MemoryArtifacts::default())).await.unwrap().results;
    assert_eq!(results[0]["artifacts"][0]["length"], 9, "{results:?}");
    let own = requests(&mut server, 3).await;
    let has = |asked: &Arrived| ["authorization", "x-team"].map(|name| asked.headers.contains_key(name));
    assert_eq!((own[1].line.as_str(), has(&own[1])), ("GET /own?key=hunter2 HTTP/1.1", [true, true]));
    let foreign = other.request().await;
    assert_eq!((foreign.line.as_str(), has(&foreign)), ("GET /away HTTP/1.1", [false, false]));
    assert_eq!((own[2].line.as_str(), has(&own[2])), ("GET /back HTTP/1.1", [false, false]));
}

#[tokio::test]
async fn nothing_is_fetched_from_where_the_operator_allows_no_call() {
    // It listens, so that whoever came would be seen.
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    // `localhost` passes, since it may lead to an address that is allowed; the one that listens is another.
    let egress = Egress::pushing().allow_network("127.0.0.2".parse().unwrap());
    let egress = egress.allow_network("::1".parse().unwrap());
    let hosts = ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost", "169.254.169.254"];
    let urls = hosts.map(|host| format!("http://{host}:{port}/secret"));
    for url in urls.into_iter().chain(["file:///etc/passwd".to_owned()]) {
        for is_redirected in [false, true] {
            let there = format!("location: {url}\r\n");
            let scripts = match is_redirected {
                false => vec![naming(&shot(&url))],
                true => vec![naming(&shot("artifacts/1")), reply("307 Temporary Redirect", &there, "")],
            };
            let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
            let server = Scripted::start_on(listener, scripts);
            let region = HttpRegion::builder("eu", server.url()).egress(egress.clone()).build().unwrap();
            let store = MemoryArtifacts::default();
            tokio::select! {
                answered = region.execute(keeping(&store)) => {
                    let results = answered.unwrap().results;
                    let told = missing(&results[0]);
                    // The name may also lead to the address that is allowed, where nothing listens.
                    let is_refused = told.contains("it may not be fetched") || url.contains("localhost");
                    assert!(is_refused, "{url}: {told}");
                }
                _ = inside.accept() => panic!("{url} was connected to"),
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_with_its_reason_and_spoils_nothing() {
    let around = || reply("302 Found", "location: again\r\n", "");
    let cut = Script::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na pic".to_vec());
    let large = Script::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 67108865\r\n\r\n".to_vec());
    let other = json!({ "name": "a", "url": "1", "digest": Digest::of(b"another").to_string() });
    for (artifact, then, told) in [
        (shot("1"), vec![reply("404 Not Found", "", "")], "the answer is 404 Not Found"),
        (shot("1"), vec![reply("302 Found", "", "")], "302 Found leads nowhere"),
        (shot("1"), (0..6).map(|_| around()).collect(), "redirected more than 5 times"),
        (shot("1"), vec![cut], "cut off after 5 bytes"),
        (shot("1"), vec![large], "over the limit of 67108864 bytes"),
        (shot("1"), vec![Script::Close], "it cannot be fetched: "),
        (other, vec![reply("200 OK", "", "a picture")], "not those that the region names"),
        (shot("http://"), vec![], "its url is none"),
        (json!({ "name": "film.webm", "digest": "0".repeat(64) }), vec![], "names no url"),
    ] {
        let result = first_of([vec![naming(&artifact)], then].concat()).await;
        assert!(missing(&result).contains(told), "{told}: {result}");
    }
}

#[tokio::test]
async fn fetching_ends_with_its_time_and_with_its_call() {
    for is_cancelled in [false, true] {
        let mut server = Scripted::start([naming(&shot("1")), Script::Hang(Vec::new())]).await;
        let (clock, cancelled) = (HandClock::new(), CancellationToken::new());
        let region = server.region().clock(clock.clone()).build().unwrap();
        let call = keeping(&MemoryArtifacts::default()).cancelled_by(cancelled.clone());
        let (answered, ()) = tokio::join!(region.execute(call), async {
            requests(&mut server, 2).await;
            if is_cancelled { cancelled.cancel() } else { clock.advance(Duration::from_secs(120)) }
        });
        let told = if is_cancelled { "the call was cancelled" } else { "not fetched within 120 s" };
        assert!(missing(&answered.unwrap().results[0]).contains(told));
        assert!(matches!(server.seen.recv().await, Some(Seen::HungUp)));
    }
}
