//! Stopping a server: what is under way ends, what does not is cut, and everything is joined.

use crate::support::{HandClock, answer_to, face, idle, of_the_host, raw, scripted};
use runners_core::{Transport as _, TransportError};
use runners_transport_http::{HttpTransport, Server};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};

#[tokio::test]
async fn a_stop_lets_calls_end_and_takes_no_more() {
    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrives, released) = (arrived.clone(), release.clone());
    let far = scripted(move |request| {
        let (arrives, released) = (arrives.clone(), released.clone());
        async move {
            arrives.notify_one();
            released.notified().await;
            Ok(answer_to(&request))
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let transport = HttpTransport::builder(url).token(of_the_host()).build().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(listener).serve(face(far).build(), async { drop(stopped.await) });
    let client = async {
        let call = async { assert_eq!(transport.call(idle(1)).await.unwrap(), answer_to(&idle(1))) };
        let stopping = async {
            arrived.notified().await;
            stop.send(()).unwrap();
            // It takes no more: the listener is closed before the call has ended.
            let told = transport.call(idle(2)).await;
            assert!(matches!(&told, Err(TransportError::Unreachable(_))), "{told:?}");
            release.notify_one();
        };
        futures::join!(call, stopping);
    };
    let (served, ()) = futures::join!(server, client);
    served.unwrap();
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_after_the_bound() {
    let arrived = Arc::new(Notify::new());
    let arrives = arrived.clone();
    let far = scripted(move |_| {
        arrives.notify_one();
        futures::future::pending()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let transport = HttpTransport::builder(url).token(of_the_host()).build().unwrap();
    let clock = HandClock::new();
    let server = Server::new(listener).stop_within(Duration::from_secs(4)).clock(clock.clone());
    let server = server.serve(face(far).build(), arrived.notified());
    let (served, told, ()) =
        futures::join!(server, transport.call(idle(1)), clock.pass(Duration::from_secs(4)));
    served.unwrap();
    assert!(matches!(&told, Err(TransportError::Unreachable(_))), "{told:?}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = HandClock::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let far = scripted(|request| async move { Ok(answer_to(&request)) });
    let server = Server::new(listener).clock(clock.clone());
    let server = server.serve(face(far).build(), async { drop(stopped.await) });
    let silent = async {
        // The first byte of POST, and of the preface of HTTP/2: it cannot be told which is meant.
        let (told, ()) = futures::join!(raw(address, b"P", "\n"), clock.pass(Duration::from_secs(60)));
        assert_eq!(told, "");
        stop.send(()).unwrap();
    };
    let (served, ()) = futures::join!(server, silent);
    served.unwrap();
}
