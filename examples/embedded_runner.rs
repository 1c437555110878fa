//! A web service that carries a runner: on a runtime of its own, so that a busy service cannot
//! starve it, with a health page, and with the service's own shutdown.
//!
//! `cargo run -p runners-examples --example embedded_runner`
//!
//! It asks itself for its health, stops itself and ends; a real service waits for a signal instead.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use runners_core::prelude::*;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

#[derive(serde::Serialize, serde::Deserialize)]
struct Resize {
    width: u32,
}

impl Command for Resize {
    const KIND: &'static str = "example.resize";
    type Result = u32;
}

/// 200 while the runner is connected, 503 while it is not: what a load balancer wants to know.
async fn health(State(runner): State<Runner>) -> (StatusCode, Json<Value>) {
    let now = runner.snapshot();
    let code = if now.connected { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let page = json!({
        "connected": now.connected,
        "slots": now.slots,
        "free": now.free,
        "working_on": now.held.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "last_error": now.last_error,
    });
    (code, Json(page))
}

async fn ask(address: std::net::SocketAddr) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Stands for a control plane somewhere else: give `Runner::builder` an `HttpTransport` then.
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let runner = control
        .local_runner("default")
        .name("web-1")
        .slots(2)
        .executor(async |resize: Resize, _: Attempt| Ok(resize.width / 2))
        .start_on_own_thread()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = Router::new().route("/healthz", get(health)).with_state(runner.clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let service = axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });

    let host = async {
        let width = control.local_client().submit(&Resize { width: 640 }).await?.result().await?;
        assert_eq!(width, 320);
        let health = ask(address).await?;
        println!("{health}");
        assert!(health.starts_with("HTTP/1.1 200"));
        // Shutdown: nothing new, finish what is held, then let the service go.
        runner.drain().await?;
        drop(stop);
        anyhow::Ok(())
    };
    let (served, hosted) = futures::future::join(service.into_future(), host).await;
    served?;
    hosted?;
    control.stop().await?;
    Ok(())
}
