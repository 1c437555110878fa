//! Secrets that a job names: resolved before its executor, and gone from all that is told.

use super::*;
use crate::{
    seams::{
        executor::{Attempt, ErasedExecutor, Product},
        secrets::{SecretError, SecretSource},
    },
    values::{
        id::SignalId,
        result::Fault,
        secret::Secret,
        sync::{SignalDelivery, SignalOutcome},
    },
};
use bytes::Bytes;
use std::collections::BTreeSet;

/// Knows `shop`, cannot reach `far`, and has one that is too short.
#[derive(Debug)]
struct Known;

#[async_trait]
impl SecretSource for Known {
    async fn secret(&self, name: &str, _spec: &JobSpec) -> Result<Secret, SecretError> {
        match name {
            "shop" => Ok(Secret::from_text("hunter2+")),
            "short" => Ok(Secret::from_text("abc")),
            "far" => Err(SecretError::Unavailable("no route".into())),
            _ => Err(SecretError::Unknown),
        }
    }
}

/// Tells its secret wherever it can.
struct Talks;

#[async_trait]
impl ErasedExecutor for Talks {
    async fn execute(&self, _payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        assert!(attempt.secret("other").is_none());
        let secret = attempt.secret("shop").expect("it is named").expose().to_owned();
        attempt.log(format!("signs in with {}", &secret[..3]));
        attempt.log(format!("{}\nGET /?p=hunter2%2B\nlast h", &secret[3..]));
        attempt.progress(format!("signs in with {secret}"));
        if attempt.number() > 1 {
            panic!("no {secret}");
        }
        Err(Fault::permanent("refused", format!("{secret} was refused")))
    }
}

fn names(names: &[&str]) -> JobOptions {
    let secrets: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    JobOptions { secrets, ..JobOptions::default() }
}

fn talking() -> Bench {
    let with = |builder: RunnerBuilder| builder.named("talks", Talks).secrets(Known);
    Bench::with(Script::passes(), Spool::memory(), with)
}

fn talk(attempt: u32) -> Offer {
    let payload = &b"[1,2]"[..];
    let spec = JobSpec::new(token().job, "talks", payload, names(&["shop"]));
    Offer { attempt, spec: serde_json::to_vec(&spec).unwrap().into(), ..offer(JobOptions::default()) }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told_in_a_log_in_progress_or_in_a_fault() {
    for (attempt, said) in [(1, "*** was refused"), (2, "the executor panicked: no ***")] {
        let mut bench = talking();
        bench.call().await.answer(|answer| answer.offers = vec![talk(attempt)]);
        let (mut log, mut progress) = (Vec::new(), Vec::new());
        let fault = loop {
            let call = bench.call().await;
            let request = call.request.clone();
            assert!(!serde_json::to_string(&request).unwrap().contains("hunter2"));
            request.log_tails.iter().for_each(|tail| log.push(tail.bytes.as_bytes().clone()));
            request.progress.iter().for_each(|told| progress.push(told.text.clone()));
            if let Some(finish) = request.finishes.first() {
                break finish.outcome.clone();
            }
            call.answer(|_| {});
        };
        assert_eq!(log.concat(), b"signs in with ***\nGET /?p=***\nlast h");
        assert_eq!(progress, ["signs in with ***"]);
        assert!(matches!(fault, Outcome::Errored(fault) if fault.message == said));
    }
}

/// Asks an attempt how it is.
#[derive(serde::Serialize, serde::Deserialize)]
struct HowIsIt;

impl crate::Command for HowIsIt {
    const KIND: &'static str = "how_is_it";
    type Result = String;
}

/// Answers the first signal with its secret.
struct Answers;

#[async_trait]
impl ErasedExecutor for Answers {
    async fn execute(&self, _payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        let secret = attempt.secret("shop").expect("it is named").expose().to_owned();
        let mut signals = attempt.signals::<HowIsIt>();
        attempt.progress("listens");
        let asked = signals.next().await.expect("it is asked");
        asked.answer(Err(Fault::permanent(format!("no_{secret}"), format!("{secret} was refused"))));
        attempt.cancelled().await;
        Err(Fault::permanent("stopped", "it was stopped"))
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told_in_the_answer_to_a_signal() {
    let with = |builder: RunnerBuilder| builder.named("talks", Answers).secrets(Known);
    let mut bench = Bench::with(Script::passes(), Spool::memory(), with);
    bench.call().await.answer(|answer| answer.offers = vec![talk(1)]);
    let mut is_asked = false;
    let outcome = loop {
        let call = bench.call().await;
        if let Some(answer) = call.request.answers.first() {
            break answer.answer.clone();
        }
        let listens = !is_asked && !call.request.progress.is_empty();
        is_asked |= listens;
        let signal = SignalDelivery {
            id: SignalId::from_bytes([3; 16]),
            kind: "how_is_it".to_owned(),
            payload: Opaque::new(&b"null"[..]),
            expires_in: Duration::from_secs(60),
            attempt: Some(token()),
        };
        call.answer(|answer| answer.signals.extend(listens.then_some(signal)));
    };
    let SignalOutcome::Fault(fault) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&*fault.code, &*fault.message), ("no_***", "*** was refused"));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_had_is_a_fault_that_names_it_before_the_executor_starts() {
    for (wanted, said, retryable) in [
        (&["shop", "other"][..], "this runner knows no secret \"other\"", false),
        (&["far"], "secret \"far\": secret cannot be had now: no route", true),
        (&["short"], "secret \"short\" does not have 4 to 4096 bytes, so it could not be redacted", false),
        (&["../shop"], "\"../shop\" is no name of a secret", false),
    ] {
        let mut bench = Bench::with(Script::passes(), Spool::memory(), |builder| builder.secrets(Known));
        bench.call().await.answer(|answer| answer.offers = vec![offer(names(wanted))]);
        let (_, finish) = bench.finished().await;
        let Outcome::Errored(fault) = finish.outcome else { panic!("{:?}", finish.outcome) };
        assert_eq!((&*fault.code, &*fault.message, fault.retryable), ("secret", said, retryable));
        assert!(bench.executor.executions().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn sources_are_asked_in_order_until_one_knows() {
    let with = |builder: RunnerBuilder| {
        builder.secrets(crate::EnvironmentSecrets::prefixed("CARGO_PKG_")).secrets(Known)
    };
    let mut bench = Bench::with(Script::passes(), Spool::memory(), with);
    bench.call().await.answer(|answer| answer.offers = vec![offer(names(&["NAME", "shop"]))]);
    assert_eq!(bench.finished().await.1.outcome, Outcome::Passed);
}

/// Has a secret for one tenant, and sees whom it is asked for.
#[derive(Debug)]
struct Apart;

#[async_trait]
impl SecretSource for Apart {
    async fn secret(&self, _name: &str, spec: &JobSpec) -> Result<Secret, SecretError> {
        if spec.tenant == Some(GUEST) {
            Ok(Secret::from_text("of the guest"))
        } else {
            Err(SecretError::Unknown)
        }
    }

    fn tells_tenants_apart(&self) -> bool {
        true
    }
}

const GUEST: crate::values::id::TenantId = crate::values::id::TenantId::from_bytes([7; 16]);

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_the_runners_own_tenant_is_not_given_to_a_hosted_job() {
    let hosted = || Offer { tenant: Some(GUEST), ..offer(names(&["shop"])) };
    let mut bench = Bench::with(Script::passes(), Spool::memory(), |builder| builder.secrets(Known));
    bench.call().await.answer(|answer| answer.offers = vec![hosted()]);
    let (_, finish) = bench.finished().await;
    assert_eq!(finish.tenant, Some(GUEST), "the finish says whose it is");
    let Outcome::Errored(fault) = finish.outcome else { panic!("{:?}", finish.outcome) };
    assert_eq!(fault.message, "this runner knows no secret \"shop\"");

    let with = |builder: RunnerBuilder| builder.secrets(Known).secrets(Apart);
    let mut bench = Bench::with(Script::passes(), Spool::memory(), with);
    bench.call().await.answer(|answer| answer.offers = vec![hosted()]);
    assert_eq!(bench.finished().await.1.outcome, Outcome::Passed);
}

/// Knows the check `greets`, which needs the secret `shop`.
#[cfg(feature = "checks")]
#[derive(Debug)]
struct Greets;

#[cfg(feature = "checks")]
impl crate::CheckCommands for Greets {
    fn command(&self, check: &crate::RunCheck) -> Result<Option<crate::CheckCommand>, String> {
        let mut command = crate::CheckCommand::new("flow", Bytes::new());
        command.secrets = ["shop".to_owned()].into();
        Ok((check.check == "greets").then_some(command))
    }

    fn result(&self, _check: &str, _result: &[u8]) -> Result<crate::CheckResult, String> {
        unreachable!("a runner answers the check itself")
    }
}

/// Says whether it has the secret.
#[cfg(feature = "checks")]
struct Has;

#[cfg(feature = "checks")]
#[async_trait]
impl ErasedExecutor for Has {
    async fn execute(&self, _payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        Err(Fault::permanent(if attempt.secret("shop").is_some() { "has" } else { "has_not" }, ""))
    }
}

#[cfg(feature = "checks")]
#[tokio::test(start_paused = true)]
async fn a_check_that_is_asked_for_by_its_name_has_the_secrets_that_it_needs() {
    use crate::{RunCheck, values::command::Command as _};
    let table = [("greets", None, "has"), ("other", None, "has_not"), ("greets", Some(GUEST), "secret")];
    for (check, tenant, said) in table {
        let with =
            |builder: RunnerBuilder| builder.named(RunCheck::KIND, Has).secrets(Known).check_secrets(Greets);
        let mut bench = Bench::with(Script::passes(), Spool::memory(), with);
        let payload = serde_json::to_vec(&RunCheck::new(check, &serde_json::json!({})).unwrap()).unwrap();
        let spec = JobSpec::new(token().job, RunCheck::KIND, &payload, JobOptions::default());
        let spec = serde_json::to_vec(&spec).unwrap().into();
        let payload = Some(payload.into());
        bench.call().await.answer(|answer| {
            answer.offers = vec![Offer { spec, payload, tenant, ..offer(JobOptions::default()) }];
        });
        let Outcome::Errored(fault) = bench.finished().await.1.outcome else { panic!("{check}") };
        assert_eq!(fault.code, said, "{check}");
    }
}
