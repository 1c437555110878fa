//! Tokens: who is let in, what the others are told, and that no secret leaks.

use crate::support::{Logged, Running, answering, face, good, idle, of_the_host};
use runners_core::{
    Random, Token, TokenKind, Transport as _, TransportError, protocol::Request, testing::samples,
};
use runners_transport_http::{EnrolError, HttpTransport, enrol};
use std::time::Duration;

async fn error(token: Token, request: Request) -> TransportError {
    let running = Running::start(face(answering())).await;
    running.transport(token).call(request).await.unwrap_err()
}

fn sample(name: &str) -> Request {
    samples::requests().into_iter().find(|(sample, _)| *sample == name).unwrap().1
}

#[tokio::test]
async fn each_kind_of_token_opens_its_own_calls_and_no_others() {
    let running = Running::start(face(answering())).await;
    for kind in TokenKind::ALL {
        let transport = running.transport(good(kind));
        for (name, request) in samples::requests() {
            let wanted = match request.name() {
                "enrol" => &[TokenKind::Registration, TokenKind::Runner][..],
                "sync" | "rotate" | "deregister" => &[TokenKind::Runner],
                _ => &[TokenKind::Api],
            };
            match transport.call(request).await {
                Ok(_) => assert!(wanted.contains(&kind), "{name}"),
                Err(TransportError::Unauthorized(detail)) => {
                    assert!(!wanted.contains(&kind), "{name}");
                    assert!(detail.contains(&kind.to_string()), "the given kind is not named: {detail}");
                    assert!(
                        detail.contains(&wanted[0].to_string()),
                        "the needed kind is not named: {detail}"
                    );
                }
                Err(other) => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_known_is_unauthorized() {
    let told = error(Token::new(TokenKind::Runner, [8; 32]), idle(1)).await;
    assert!(matches!(told, TransportError::Unauthorized(_)), "{told:?}");
}

#[tokio::test]
async fn too_many_failures_are_told_to_wait_in_whole_seconds_rounded_up() {
    let told = error(Token::from_text("limited"), idle(1)).await;
    assert!(matches!(told, TransportError::Busy { retry_after } if retry_after == Duration::from_secs(7)));
}

#[tokio::test]
async fn tokens_that_cannot_be_looked_up_are_an_outage_and_not_bad() {
    let told = error(Token::from_text("away"), idle(1)).await;
    assert!(told.is_transient(), "{told:?}");
}

#[tokio::test]
async fn a_source_with_too_many_bad_tokens_waits_and_good_tokens_of_it_do_not() {
    let running = Running::start(face(answering()).failed_attempts_max(2)).await;
    let good = running.transport(good(TokenKind::Runner));
    good.call(idle(1)).await.unwrap();
    let bad = running.transport(Token::from_text("guess"));
    for _ in 0..2 {
        let told = bad.call(idle(1)).await.unwrap_err();
        assert!(matches!(told, TransportError::Unauthorized(_)), "{told:?}");
    }
    match bad.call(idle(1)).await.unwrap_err() {
        TransportError::Busy { retry_after } => {
            assert!(retry_after > Duration::from_secs(50) && retry_after <= Duration::from_secs(60));
        }
        told => panic!("{told:?}"),
    }
    good.call(idle(2)).await.unwrap();
}

#[tokio::test]
async fn only_a_runner_credential_is_enrolled() {
    let running = Running::start(face(answering())).await;
    let registrant = running.transport(good(TokenKind::Registration));
    let told = enrol(&registrant, "east-7", None, &good(TokenKind::Api)).await.unwrap_err();
    assert!(matches!(told, EnrolError::WrongKind { given: TokenKind::Api }), "{told:?}");
    assert!(!told.to_string().contains("0707"), "{told}");
}

#[tokio::test]
async fn enrolment_sends_the_digest_of_the_credential_and_nothing_else_of_it() {
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let enrolled = samples::replies().remove(0).1;
    let reply = enrolled.clone();
    let far = crate::support::scripted(move |request| {
        keep.send(request).unwrap();
        let reply = reply.clone();
        async move { Ok(reply) }
    });
    let running = Running::start(face(far)).await;
    let credential = Token::new(TokenKind::Runner, [9; 32]);
    let registrant = running.transport(good(TokenKind::Registration));
    let answered = enrol(&registrant, "east-7", None, &credential).await.unwrap();
    assert_eq!(enrolled, runners_core::protocol::Reply::Enrolled(answered));
    match kept.recv().await.unwrap() {
        Request::Enrol(request) => {
            assert_eq!((request.credential, &*request.name), (credential.digest(), "east-7"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_token_speaks_over_the_same_connections() {
    let running = Running::start(face(answering())).await;
    let registrant = running.transport(good(TokenKind::Registration));
    assert!(registrant.call(idle(1)).await.is_err());
    let runner = registrant.with_token(&good(TokenKind::Runner)).unwrap();
    runner.call(idle(1)).await.unwrap();
}

#[tokio::test]
async fn no_token_is_logged_or_printed() {
    #[derive(Debug)]
    struct Sevens;
    impl Random for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x77);
        }
    }
    let logged = Logged::default();
    let _guard = logged.listen();
    let running = Running::start(face(answering()).random(Sevens)).await;
    let mut printed = String::new();
    for token in [good(TokenKind::Runner), Token::new(TokenKind::Runner, [8; 32]), good(TokenKind::Api)] {
        let builder = HttpTransport::builder(running.url()).token(token);
        printed += &format!("{builder:?}");
        let transport = builder.build().unwrap();
        printed += &format!("{transport:?} {:?}", transport.call(idle(1)).await);
        printed += &format!("{:?}", runners_transport_http::HttpArtifacts::new(&transport));
    }
    let logged = logged.text();
    assert!(logged.contains("exchange"), "nothing was logged, so nothing was tried:\n{logged}");
    for secret in ["0707070707", "0808080808"] {
        assert!(!logged.contains(secret), "{logged}");
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test]
async fn a_call_that_fails_over_and_over_names_no_token() {
    let told = error(Token::new(TokenKind::Api, [8; 32]), sample("submit")).await;
    let text = format!("{told} {told:?}");
    assert!(!text.contains("0808"), "{text}");
    drop(of_the_host());
}
