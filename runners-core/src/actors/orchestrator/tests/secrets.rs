//! Secrets of checks that this process carries out.

use super::*;
use crate::{
    seams::{
        checks::{CheckCommand, CheckCommands},
        executor::Attempt,
        secrets::{SecretError, SecretSource},
    },
    values::{
        check::{CheckResult, RunCheck},
        job::JobSpec,
        result::Fault,
        secret::Secret,
    },
};
use serde_json::json;

const PIN: &str = "1234-5678";

#[derive(Debug)]
struct Pins;

#[async_trait]
impl SecretSource for Pins {
    async fn secret(&self, name: &str, _: &JobSpec) -> Result<Secret, SecretError> {
        if name == "pin" { Ok(Secret::from_text(PIN.to_owned())) } else { Err(SecretError::Unknown) }
    }
}

/// Checks that each need the secret of their own name.
#[derive(Debug)]
struct Needing;

impl CheckCommands for Needing {
    fn command(&self, check: &RunCheck) -> Result<Option<CheckCommand>, String> {
        let mut command = CheckCommand::new("flow", "null".into());
        command.secrets = [check.check.clone()].into();
        Ok(Some(command))
    }
    fn result(&self, _: &str, _: &[u8]) -> Result<CheckResult, String> {
        Err("nobody asks".to_owned())
    }
}

async fn opens(command: RunCheck, attempt: Attempt) -> Result<CheckResult, Fault> {
    let pin = attempt.secret("pin").map_or("none", Secret::expose);
    if command.input.contains_key("tells") {
        return Err(Fault::permanent("told", format!("the pin is {pin}")));
    }
    let state = if pin == PIN { "passed" } else { "failed" };
    let found = json!({ "name": command.check, "state": state, "duration_ms": 1 });
    Ok(serde_json::from_value(found).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_check_of_this_process_has_the_secrets_of_its_operator_and_those_of_no_other_tenant() {
    let clock = SimClock::new();
    let sources = [Arc::new(Pins) as Arc<dyn SecretSource>];
    let region = ProcessRegion::new(opens).secrets(TenantId::DEFAULT, Needing, sources).clock(clock.clone());
    let orchestrator = builder(MemoryStore::default(), &clock).local(region).start().await.unwrap();
    let asked = |name: &str| AskedCheck::new(name, "https://a.example");
    let request = OrchestrationRequest::local([
        asked("pin"),
        asked("pin").with_input("tells", true),
        asked("other").with_input("other", "brought along"),
    ]);
    let told = |summary: RunSummary| -> Vec<String> {
        let results = summary.jobs.into_iter().flat_map(|job| job.results);
        results.map(|result| result.error_message.unwrap_or_else(|| format!("{:?}", result.state))).collect()
    };
    let ours = told(ended(&orchestrator.local_client(), &request).await);
    assert_eq!(ours[0], "Pass");
    assert!(ours[1].starts_with("told: the pin is ") && !ours[1].contains(PIN), "{}", ours[1]);
    assert_eq!(ours[2], "secret: this process knows no secret \"other\"");
    let theirs = told(ended(&orchestrator.client(TenantId::from_bytes([7; 16])), &request).await);
    assert_eq!(theirs[0], "secret: this process knows no secret \"pin\"");
    orchestrator.stop().await;
}
