//! How a container ended, and what that means: an exit code is a verdict, and what kept it from one is a
//! fault that says what ran out.

use crate::{
    policy::{Admitted, Policy},
    room,
};
use bollard::models::ContainerState;
use runners_core::Fault;

/// The exit code of a program that was killed: 128 and the number of the signal.
const KILLED: i64 = 128 + 9;

/// Why a container was stopped before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its attempt is to end.
    Cancelled,
    /// It ran longer than it may.
    Time,
    /// It had as many processes as it may, and went on so.
    Processes,
    /// Its output is larger than it may be.
    Output,
}

/// What it ended with, if that is a verdict.
pub(crate) fn exit_code(
    stop: Option<Stop>,
    state: &ContainerState,
    admitted: &Admitted,
    policy: &Policy,
) -> Result<i64, Fault> {
    if let Some(stop) = stop {
        return Err(stopped(stop, admitted, policy));
    }
    let code = state.exit_code.unwrap_or_default();
    if code != 0 && state.oom_killed.unwrap_or_default() {
        let message = format!(
            "it needed more than {} bytes of memory, its limit, and was killed: raise /limits/memory_bytes",
            admitted.resources.memory_bytes
        );
        return Err(Fault::permanent("out_of_memory", message));
    }
    if code == KILLED {
        return Err(Fault::retryable("killed", "the container was killed from outside, by signal 9"));
    }
    Ok(code)
}

/// The same, where the browser beside it had ended before: that it failed then says nothing of what it tests.
pub(crate) fn without_browser(
    code: Result<i64, Fault>,
    stop: Option<Stop>,
    note: &str,
) -> Result<i64, Fault> {
    let lost = |how: &str| Err(Fault::retryable("browser_lost", format!("{note}; the program {how}")));
    match (code, stop) {
        (Ok(code), _) if code != 0 => lost(&format!("failed with exit code {code}")),
        // It may have waited for it.
        (Err(_), Some(Stop::Time)) => lost("went on until its time was over"),
        (code, _) => code,
    }
}

fn stopped(stop: Stop, admitted: &Admitted, policy: &Policy) -> Fault {
    let resources = admitted.resources;
    let (code, message) = match stop {
        Stop::Cancelled => ("cancelled", "the container was stopped".to_owned()),
        Stop::Time => {
            let limit = resources.time.as_millis();
            let message = format!("it ran for {limit} ms, its limit, and was stopped: raise /limits/time_ms");
            ("time_limit", message)
        }
        Stop::Processes => {
            let limit = resources.processes;
            let message = format!(
                "it had {limit} processes, its limit, and was stopped: raise /limits/processes if it needs more"
            );
            ("out_of_processes", message)
        }
        Stop::Output => {
            let limit = policy.output_bytes_max;
            let message = format!(
                "its output has more than {limit} bytes, the limit of this runner, and it was stopped"
            );
            ("output_full", message)
        }
    };
    Fault::permanent(code, message)
}

/// What the output of a program tells of what it ran out of.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    is_full: bool,
    cannot_fork: bool,
}

impl Hints {
    /// Looks at a piece of what it says.
    pub(crate) fn look(&mut self, text: &str) {
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        self.is_full |= says(&["No space left on device", "ENOSPC"]);
        self.cannot_fork |=
            says(&["Resource temporarily unavailable", "Cannot fork", "can't fork", "unable to fork"]);
    }

    /// What is worth a note once it has failed.
    pub(crate) fn notes(&self, admitted: &Admitted, policy: &Policy) -> Vec<String> {
        let mut notes = Vec::new();
        if self.is_full {
            let output = match policy.output_in_memory {
                Some(_) => format!(", and its output folder {}", room::most(policy)),
                None => String::new(),
            };
            notes.push(format!(
                "it says that it had no space left: its writable folders have {} bytes each, raise \
                 /limits/writable_bytes{output}",
                admitted.resources.writable_bytes
            ));
        }
        if self.cannot_fork {
            notes.push(format!(
                "it says that it could start no process: it may have {}, raise /limits/processes",
                admitted.resources.processes
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContainerJob;

    fn ended(stop: Option<Stop>, code: i64, oom_killed: bool) -> Result<i64, (String, bool)> {
        let policy = Policy::default();
        let admitted = policy.admit(&ContainerJob::of("a"), None, &[]).unwrap();
        let state = ContainerState {
            exit_code: Some(code),
            oom_killed: Some(oom_killed),
            ..ContainerState::default()
        };
        exit_code(stop, &state, &admitted, &policy).map_err(|fault| (fault.code, fault.retryable))
    }

    #[test]
    fn an_exit_code_is_a_verdict_and_what_ran_out_is_a_fault() {
        assert_eq!([ended(None, 0, false), ended(None, 3, false)], [Ok(0), Ok(3)]);
        // What was killed for its memory was a part that the rest could do without.
        assert_eq!(ended(None, 0, true), Ok(0));
        let told = |code: &str, retryable| Err((code.to_owned(), retryable));
        assert_eq!(ended(None, 137, true), told("out_of_memory", false));
        assert_eq!(ended(None, 137, false), told("killed", true));
        assert_eq!(ended(Some(Stop::Time), 137, false), told("time_limit", false));
        assert_eq!(ended(Some(Stop::Processes), 137, true), told("out_of_processes", false));
        assert_eq!(ended(Some(Stop::Output), 0, false), told("output_full", false));
        assert_eq!(ended(Some(Stop::Cancelled), 0, false), told("cancelled", false));
    }

    #[test]
    fn what_fails_without_its_browser_is_tried_again_and_what_passes_has_passed() {
        let ended = |code: Result<i64, &str>, stop| {
            let code = code.map_err(|code| Fault::permanent(code, ""));
            without_browser(code, stop, "it ended").map_err(|fault| (fault.code, fault.retryable))
        };
        let lost = Err(("browser_lost".to_owned(), true));
        assert_eq!((ended(Ok(0), None), ended(Ok(4), None)), (Ok(0), lost.clone()));
        assert_eq!(ended(Err("time_limit"), Some(Stop::Time)), lost);
        for (code, stop) in [("cancelled", Some(Stop::Cancelled)), ("out_of_memory", None)] {
            assert_eq!(ended(Err(code), stop), Err((code.to_owned(), false)));
        }
    }

    #[test]
    fn what_it_says_of_a_lack_is_noted_with_what_to_do() {
        let mut policy = Policy::default();
        let admitted = policy.admit(&ContainerJob::of("a"), None, &[]).unwrap();
        let mut hints = Hints::default();
        assert!(hints.notes(&admitted, &policy).is_empty());
        hints.look("cat: write error: No space left on device\n");
        hints.look("sh: 1: Cannot fork\n");
        let notes = hints.notes(&admitted, &policy);
        assert!(notes[0].contains("/limits/writable_bytes") && notes[1].contains("/limits/processes"));
        assert!(!notes[0].contains("output"), "it has no size of its own on a disk");
        policy.output_in_memory = Some("pause".parse().unwrap());
        assert!(hints.notes(&admitted, &policy)[0].contains("its output folder 270532608"));
    }
}
