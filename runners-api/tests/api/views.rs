//! Live views: who is granted a look, and what the WebSocket shows by a grant.

use crate::stage::{Stage, read, token};
use reqwest::{Method, Response};
use runners_core::{
    Attempt, Command, Fault, JobId, SystemClock,
    live::{Piece, Socket},
    sleep,
    testing::frames::ScriptedFrames,
    websocket,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// The longest that anything here may take: a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);
const DRAWN: [u8; websocket::KEY_BYTES] = [7; websocket::KEY_BYTES];

#[derive(serde::Serialize, serde::Deserialize)]
struct Show;

impl Command for Show {
    const KIND: &'static str = "show";
    type Result = ();
}

/// A job that runs, and shows a source.
async fn showing(stage: &Stage) -> (JobId, ScriptedFrames, runners_core::Runner) {
    let source = ScriptedFrames::default();
    let shown = source.clone();
    let show = move |_: Show, attempt: Attempt| {
        let shown = shown.clone();
        async move {
            attempt.show(Arc::new(shown));
            attempt.cancelled().await;
            Ok::<_, Fault>(())
        }
    };
    let runner = stage.control.local_runner("default").executor(show).start();
    let job = stage.control.local_client().submit(&Show).await.unwrap().id();
    within(async {
        while stage.get(&format!("/jobs/{job}")).await["state"] != "running" {
            sleep(&SystemClock::default(), Duration::from_millis(5)).await;
        }
    })
    .await;
    (job, source, runner)
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    let clock = SystemClock::default();
    tokio::select! {
        done = work => done,
        () = sleep(&clock, PATIENCE) => panic!("it takes too long"),
    }
}

async fn asked(stage: &Stage, origin: Option<&str>) -> Response {
    let mut request = stage.anonymous(Method::GET, "/live").headers(websocket::asking(DRAWN));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    within(request.send()).await.unwrap()
}

async fn connected(stage: &Stage) -> Socket {
    let answer = asked(stage, None).await;
    assert_eq!(answer.status(), 101);
    assert!(websocket::is_accepted(DRAWN, answer.headers()));
    websocket::connected(answer.upgrade().await.unwrap()).await
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Piece::Text(message.to_string())).await.unwrap();
}

/// The next message of a type; pictures are of the type `picture`.
async fn told(socket: &mut Socket, wanted: &str) -> Value {
    within(async {
        loop {
            let message = match socket.receive().await.unwrap().expect("it goes on") {
                Piece::Text(text) => serde_json::from_str(&text).unwrap(),
                Piece::Bytes(bytes) => {
                    let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
                    let mut head: Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
                    head["type"] = "picture".into();
                    head["text"] = String::from_utf8(bytes[4 + length..].to_vec()).unwrap().into();
                    head
                }
                Piece::Ping => continue,
            };
            if message["type"] == wanted {
                return message;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_grant_shows_the_attempt_and_lets_its_holder_act() {
    let stage = Stage::open().await;
    let (job, source, runner) = showing(&stage).await;
    source.put("a");
    let view = stage.post(&format!("/jobs/{job}/views"), json!({ "access": "control" })).await;
    assert_eq!((&view["access"], &view["attempt"]), (&json!("control"), &json!(1)));
    let mut socket = connected(&stage).await;
    say(&mut socket, json!({ "type": "grant", "grant": view["grant"] })).await;
    let state = told(&mut socket, "state").await;
    let picture = told(&mut socket, "picture").await;
    assert_eq!((&picture["text"], &picture["format"]), (&json!("a"), &json!("jpeg")));
    assert_eq!(picture["viewport"], json!([800, 600]));
    say(&mut socket, json!({ "type": "shown", "number": picture["number"] })).await;
    source.put("b");
    assert_eq!(told(&mut socket, "picture").await["text"], "b");

    say(&mut socket, json!({ "type": "take_control" })).await;
    let input = json!({ "type": "pointer_down", "x": 1.5, "y": 2.0, "button": 0 });
    say(&mut socket, json!({ "type": "input", "number": 4, "input": input })).await;
    let done = told(&mut socket, "done").await;
    assert_eq!((&done["input"], &done["problem"]), (&json!(4), &Value::Null));
    assert_eq!(within(source.inputs(1)).await.len(), 1);

    let stream = stage.get(&format!("/jobs/{job}")).await["stream"].clone();
    assert_eq!(stream["id"], state["stream"]);
    assert_eq!(
        (&stream["transport"], &stream["state"], &stream["viewers"], &stream["lastError"]),
        (&json!("relay"), &json!("live"), &json!(1), &Value::Null)
    );
    drop(socket);
    within(source.until_open(0)).await;
    runner.kill();
    within(stage.control.stop()).await.unwrap();
}

#[tokio::test]
async fn a_grant_is_given_to_whom_it_may_be_and_no_other_is_taken() {
    let stage = Stage::open().await;
    let (job, _source, runner) = showing(&stage).await;
    let path = format!("/jobs/{job}/views");
    let code =
        async |who, access: &str| stage.call(Method::POST, &path, who, json!({ "access": access })).await.0;
    for (who, access, expected) in [
        (b'r', "view", 201),
        (b'r', "control", 403),
        (b's', "view", 403),
        (b'o', "view", 404),
        (b'a', "look", 400),
    ] {
        assert_eq!(code(who, access).await, expected, "{} {access}", char::from(who));
    }
    let none =
        stage.call(Method::POST, &format!("/jobs/{}/views", JobId::from_bytes([3; 16])), b'a', None).await;
    assert_eq!(none.0, 404);
    for first in [json!({ "type": "grant", "grant": "view_e30.AAAA" }), json!({ "type": "resume" }), json!(7)]
    {
        let mut socket = connected(&stage).await;
        say(&mut socket, first.clone()).await;
        let refused = told(&mut socket, "refused").await;
        assert!(!refused["detail"].as_str().unwrap().is_empty(), "{first}");
        assert!(within(socket.receive()).await.is_ok_and(|piece| piece.is_none()), "and it ends");
    }
    let credential = token(b'a');
    let mut socket = connected(&stage).await;
    say(&mut socket, json!({ "type": "grant", "grant": credential.expose() })).await;
    assert_eq!(told(&mut socket, "refused").await["code"], "forbidden", "a credential is no grant");
    runner.kill();
}

#[tokio::test]
async fn only_pages_of_this_origin_may_look() {
    let stage = Stage::open().await;
    let own = stage.url.trim_end_matches("/api").to_owned();
    assert_eq!(asked(&stage, Some(&own)).await.status(), 101);
    for origin in ["https://evil.example", "null"] {
        let (code, problem) = read(asked(&stage, Some(origin)).await).await;
        assert_eq!((code, &problem["code"]), (403, &json!("forbidden")), "{origin}");
    }
    let (code, problem) = read(stage.anonymous(Method::GET, "/live").send().await.unwrap()).await;
    assert_eq!(code, 400);
    assert!(problem["detail"].as_str().unwrap().contains("proxy"), "{problem}");
}
