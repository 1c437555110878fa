//! Golden files: what stands on the wire, byte by byte, for version 1 of the protocol.
//!
//! `RUNNERS_GOLDEN=write` writes them anew; a change of a file that is there already is a change
//! of the protocol.

use crate::support::{Running, face, idle, of_the_host, scripted};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use runners_core::{
    Conclusion, Mode, Outcome, Transport as _,
    protocol::{
        Acceptance, Answered, CancelTarget, Phase, RefusalCode, Reply, Request, SignalOutcome, StateView,
    },
    testing::samples,
};
use runners_transport_http::{HttpTransport, serve};
use serde::{
    de::{DeserializeOwned, Deserializer, Error as _, Visitor, value::Error},
    forward_to_deserialize_any,
};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tower::service_fn;

fn directory(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(of)
}

/// Compares with the golden file, or writes it.
fn check(of: &str, name: &str, wire: &[u8]) {
    let value: serde_json::Value = serde_json::from_slice(wire).unwrap();
    let text = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    let path = directory(of).join(name).with_extension("json");
    if std::env::var_os("RUNNERS_GOLDEN").is_some_and(|said| said == "write") {
        fs::create_dir_all(directory(of)).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(golden, text, "{} has drifted", path.display());
}

fn golden(of: &str, name: &str) -> Vec<u8> {
    fs::read(directory(of).join(name).with_extension("json")).unwrap()
}

/// Answers everything with the same bytes, and tells what it was asked.
async fn capture(reply: Vec<u8>) -> (String, mpsc::UnboundedReceiver<(String, Bytes)>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::unbounded_channel();
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (tell, reply) = (tell.clone(), reply.clone());
        async move {
            let path = request.uri().path().to_owned();
            tell.send((path, request.into_body().collect().await.unwrap().to_bytes())).unwrap();
            let response = http::Response::builder()
                .header("content-type", "application/json")
                .header("runners-protocol", "1")
                .body(Full::new(Bytes::from(reply)));
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    let mut server = JoinSet::new();
    server.spawn(async move { serve(listener, service, futures::future::pending()).await.unwrap() });
    (url, told, server)
}

#[tokio::test]
async fn every_request_is_sent_as_its_golden_file() {
    let (url, mut told, _server) = capture(b"\"displaced\"".to_vec()).await;
    let transport = HttpTransport::builder(url).token(of_the_host()).build().unwrap();
    for (name, request) in samples::requests() {
        let path = format!("/v1/{}", request.name());
        assert_eq!(transport.call(request).await.unwrap(), Reply::Displaced);
        let (asked, body) = told.recv().await.unwrap();
        assert_eq!(asked, path);
        check("requests", name, &body);
    }
}

#[tokio::test]
async fn every_golden_request_is_understood() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let far = scripted(move |request| {
        keep.send(request).unwrap();
        async { Ok(Reply::Displaced) }
    });
    let running = Running::start(face(far)).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, request) in samples::requests() {
        let url = format!("{}/v1/{}", running.url(), request.name());
        let sent = client
            .post(url)
            .bearer_auth(of_the_host().expose())
            .header("runners-protocol", "1")
            .header("content-type", "application/json; charset=utf-8")
            .body(golden("requests", name));
        assert_eq!(sent.send().await.unwrap().status(), 200, "{name}");
        assert_eq!(kept.recv().await.unwrap(), request, "{name}");
    }
}

#[tokio::test]
async fn every_reply_is_sent_as_its_golden_file() {
    let replies = Arc::new(Mutex::new(samples::replies().into_iter()));
    let far = scripted(move |_| {
        let next = replies.lock().unwrap().next().unwrap().1;
        async move { Ok(next) }
    });
    let running = Running::start(face(far)).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, _) in samples::replies() {
        let sent = client
            .post(format!("{}/v1/inspect", running.url()))
            .bearer_auth(of_the_host().expose())
            .header("runners-protocol", "1")
            .header("content-type", "application/json")
            .body(golden("requests", "inspect"));
        let reply = sent.send().await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["runners-protocol"]),
            (200, &"1".parse().unwrap())
        );
        assert_eq!(reply.headers()["content-type"], "application/json");
        check("replies", name, &reply.bytes().await.unwrap());
    }
}

#[tokio::test]
async fn every_golden_reply_is_understood() {
    for (name, reply) in samples::replies() {
        let (url, _told, _server) = capture(golden("replies", name)).await;
        let transport = HttpTransport::builder(url).token(of_the_host()).build().unwrap();
        assert_eq!(transport.call(idle(1)).await.unwrap(), reply, "{name}");
    }
}

#[test]
fn no_golden_file_is_left_over() {
    let listed = |of: &str| -> BTreeSet<String> {
        let files = fs::read_dir(directory(of)).unwrap();
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let requests: BTreeSet<String> = samples::requests().iter().map(|(name, _)| (*name).into()).collect();
    let replies: BTreeSet<String> = samples::replies().iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(listed("requests"), requests);
    assert_eq!(listed("replies"), replies);
}

#[test]
fn every_variant_of_every_message_has_a_golden_file() {
    let (requests, replies) = (samples::requests(), samples::replies());
    let texts: Vec<String> = requests
        .iter()
        .map(|(_, request)| serde_json::to_string(request).unwrap())
        .chain(replies.iter().map(|(_, reply)| serde_json::to_string(reply).unwrap()))
        .collect();
    let expected = [
        variants::<Request>(),
        variants::<Reply>(),
        variants::<Outcome>(),
        variants::<StateView>(),
        variants::<Conclusion>(),
        variants::<Acceptance>(),
        variants::<Answered>(),
        variants::<SignalOutcome>(),
        variants::<CancelTarget>(),
        variants::<Phase>(),
        variants::<Mode>(),
    ];
    // `serve` is what is meant when nothing is said, and refusals differ in nothing but a word.
    for variant in expected.concat().into_iter().filter(|variant| *variant != "serve") {
        let quoted = format!("\"{variant}\"");
        assert!(texts.iter().any(|text| text.contains(&quoted)), "no sample has the variant {variant}");
    }
    assert_eq!(variants::<RefusalCode>().len(), 9, "a new refusal belongs into the transport suite");
}

/// The names of an enum's variants, as its deserialiser tells them.
fn variants<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut told = &[][..];
    drop(T::deserialize(Asked(&mut told)));
    assert!(!told.is_empty());
    told
}

struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(Error::custom("that is all"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("this is no enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
