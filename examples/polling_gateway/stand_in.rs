//! A stand-in for a runner of the foreign protocol, which says what the protocol says such a runner says. It has no
//! browser: tests pass, and pictures are one pixel.

use super::{seat::random_id, wire::Message};
use anyhow::{Context as _, ensure};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// A PNG of one pixel, in base64.
pub(crate) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub(crate) struct StandIn {
    http: Client,
    url: String,
    token: String,
    pub(crate) session: String,
    commands: VecDeque<Message>,
}

impl StandIn {
    /// Registers, as a runner does when it starts.
    pub(crate) async fn register(server: &str, token: &str) -> anyhow::Result<Self> {
        let http = Client::builder().no_proxy().build()?;
        let url = format!("{server}/api/ws/runner");
        let answer = http.get(&url).bearer_auth(token).send().await?;
        ensure!(answer.status() == StatusCode::OK, "register: {} {}", answer.status(), answer.text().await?);
        let body: Value = serde_json::from_str(&answer.text().await?)?;
        let session = body["sessionId"].as_str().context("no session")?.to_owned();
        Ok(Self { http, url, token: token.to_owned(), session, commands: VecDeque::new() })
    }

    /// Sends a message. The code of the answer, and its body.
    pub(crate) async fn post(&self, name: &str, payload: Value) -> anyhow::Result<(StatusCode, Value)> {
        let message = json!({ "id": random_id(), "type": name, "timestamp": 0, "payload": payload });
        let request = self.http.post(&self.url).bearer_auth(&self.token);
        let request =
            request.header("content-type", "application/json").header("x-session-id", &self.session);
        let answer = request.body(message.to_string()).send().await?;
        let code = answer.status();
        Ok((code, serde_json::from_str(&answer.text().await?).unwrap_or_default()))
    }

    /// Answers a command.
    pub(crate) async fn respond(&self, name: &str, payload: Value) -> anyhow::Result<()> {
        let (code, body) = self.post(&format!("response:{name}"), payload).await?;
        ensure!(code == StatusCode::OK && body == json!({ "ok": true }), "{name}: {code} {body}");
        Ok(())
    }

    /// The next command, polling until there is one.
    pub(crate) async fn command(&mut self) -> anyhow::Result<Message> {
        loop {
            if let Some(command) = self.commands.pop_front() {
                return Ok(command);
            }
            let about =
                json!({ "platform": "linux 6.1.0", "memory": { "used": 1, "total": 1024 }, "uptime": 5 });
            let poll = json!({ "status": "idle", "systemInfo": about });
            let (code, body) = self.post("status:heartbeat", poll).await?;
            ensure!(code == StatusCode::OK, "poll: {code} {body}");
            self.commands = serde_json::from_value(body["commands"].clone())?;
        }
    }

    /// Executes the next test, with a step and a picture.
    pub(crate) async fn pass_next_test(&mut self) -> anyhow::Result<()> {
        let test = self.command().await?;
        ensure!(test.name == "command:run_test", "not a test: {}", test.name);
        let run = test.payload["testRunId"].clone();
        let step = json!({
            "correlationId": test.id, "testRunId": run, "stepIndex": 0, "totalSteps": 1,
            "status": "passed", "label": "goto /",
        });
        self.respond("step_event", step).await?;
        let picture = json!({
            "correlationId": test.id, "testRunId": run, "filename": "success.png", "data": PIXEL,
            "width": 1, "height": 1, "capturedAt": 0,
        });
        self.respond("screenshot", picture).await?;
        let result = json!({
            "correlationId": test.id, "testId": test.payload["testId"], "testRunId": run, "status": "passed",
            "durationMs": 12, "logs": [{ "timestamp": 0, "level": "info", "message": "it went well" }],
            "screenshotCount": 1,
        });
        self.respond("test_result", result).await
    }

    /// Says farewell.
    pub(crate) async fn leave(&self) -> anyhow::Result<()> {
        let (_, body) =
            self.post("status:heartbeat", json!({ "status": "idle", "disconnect": true })).await?;
        ensure!(body["goodbye"] == true, "no goodbye: {body}");
        Ok(())
    }
}
