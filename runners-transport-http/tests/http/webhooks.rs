//! Webhooks over real connections: what arrives, and where nothing is sent.

use runners_core::{
    AddressPolicy, Command, ControlPlane, DELIVERY_HEADER, Event, MemoryStore, Paging, Principal,
    SIGNATURE_HEADER, Scope, SystemClock, TenantId, WebhookCall, WebhookError, WebhookSender as _,
    WebhookSpec, verify_webhook,
};
use runners_transport_http::HttpWebhooks;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

#[derive(serde::Serialize, serde::Deserialize)]
struct Visit;

impl Command for Visit {
    const KIND: &'static str = "visit";
    type Result = ();
}

fn loopback() -> AddressPolicy {
    AddressPolicy::default().allow("127.0.0.0/8".parse().unwrap()).allow("::1".parse().unwrap())
}

/// Takes one call and answers it. Its headers, and its body.
async fn take(listener: &TcpListener, answer: &str) -> (BTreeMap<String, String>, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let headers: BTreeMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        if bytes.len() >= end + 4 + length {
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            return (headers, bytes[end + 4..end + 4 + length].to_vec());
        }
    }
}

#[tokio::test]
async fn a_webhook_that_fails_twice_is_told_in_the_end_and_can_check_who_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sender = HttpWebhooks::new(loopback()).unwrap();
    let control = ControlPlane::builder(MemoryStore::default()).webhooks(sender).start().await.unwrap();
    let scopes = Scope::ALL.into();
    let admin = control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes });
    let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
    let made = admin.create_webhook(WebhookSpec { url, events: ["ready".to_owned()].into() }, None);
    let secret = made.await.unwrap().secret.unwrap();
    control.local_client().submit(&Visit).await.unwrap();
    let mut seen = Vec::new();
    for answer in ["500 Internal Server Error", "503 Service Unavailable", "204 No Content"] {
        // Nobody waits for the next try here: it is asked for, as soon as the last one is recorded.
        let again = async {
            loop {
                for delivery in admin.deliveries(false, &Paging::default()).await.unwrap().items {
                    if delivery.problem.is_some() && delivery.tries > 0 {
                        admin.redeliver(delivery.id).await.unwrap();
                    }
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            taken = take(&listener, answer) => seen.push(taken),
            () = again => {}
        }
    }
    for (headers, body) in &seen {
        let now = runners_core::Clock::wall(&SystemClock::default());
        let signature = &headers[SIGNATURE_HEADER];
        assert!(verify_webhook(&secret, signature, body, now, Duration::from_secs(300)));
        assert_eq!(headers[DELIVERY_HEADER], seen[0].0[DELIVERY_HEADER]);
        assert_eq!(serde_json::from_slice::<Event>(body).unwrap().what.name(), "ready");
    }
    control.stop().await.unwrap();
}

fn call(url: String) -> WebhookCall {
    WebhookCall { url, headers: Vec::new(), body: "{}".into() }
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_permitted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sender = HttpWebhooks::new(AddressPolicy::default()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let sent = sender.send(call(format!("http://{host}:{port}/"))).await;
        assert!(matches!(sent, Err(WebhookError::Forbidden(_))), "{host}: {sent:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sender = HttpWebhooks::new(loopback()).unwrap();
    let answer = format!("307 Temporary Redirect\r\nlocation: {url}again");
    let (sent, _) = tokio::join!(sender.send(call(url.clone())), take(&listener, &answer));
    assert!(matches!(sent, Ok(307)), "{sent:?}");
}
