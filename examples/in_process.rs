//! A control plane, a runner and a client in one process, with nothing set up around them.
//!
//! `cargo run -p runners-examples --example in_process`

use runners_core::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Add(i64, i64);

impl Command for Add {
    const KIND: &'static str = "add";
    type Result = i64;
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let runner =
        control.local_runner("default").slots(4).executor(async |Add(a, b), _: Attempt| Ok(a + b)).start();
    let sum = control.local_client().submit(&Add(2, 3)).await?.result().await?;
    assert_eq!(sum, 5);
    println!("2 + 3 = {sum}");
    runner.drain().await?;
    control.stop().await
}
