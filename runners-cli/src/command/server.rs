//! `runners server`: a control plane in the foreground.

use crate::{args::ServerArgs, exit::Exit, host::Host, interrupts::Interrupts, terminal};
use anyhow::Result;
use runners_core::{Egress, TokenKind};
use runners_otel::Telemetry;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(super) async fn execute(arguments: ServerArgs, telemetry: &Telemetry) -> Result<Exit> {
    let json = arguments.host.json;
    if arguments.print_config {
        arguments.host.settings.print(json);
        return Ok(Exit::Passed);
    }
    let mut interrupts = Interrupts::listen()?;
    let egress = Egress::pushing();
    let host = Host::open(&arguments.host, &arguments.browser, egress, telemetry).await?;
    let next = [
        ("a runner", host.command_line("run", TokenKind::Registration)),
        ("a flow", host.command_line("submit FLOW.json --wait", TokenKind::Api)),
    ];
    host.announce("runners server", &next);
    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(host.serve(stop.clone()));
    tokio::select! {
        served = &mut serving => return served.map(|()| Exit::Passed),
        () = interrupts.next() => {}
    }
    say(json, "stopping: answering what is under way; once more stops now", "stopping");
    stop.cancel();
    tokio::select! {
        served = &mut serving => served?,
        () = interrupts.next() => {}
    }
    say(json, "stopped", "stopped");
    Ok(Exit::Passed)
}

fn say(json: bool, text: &str, event: &str) {
    if json {
        terminal::print_json(&json!({ "event": event }));
    } else {
        terminal::print(text);
    }
}
