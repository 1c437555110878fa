//! The exit codes, which scripts rely on.

use runners_core::Conclusion;
use std::process::ExitCode;

/// What the process tells whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything passed, or was done.
    Passed,
    /// 1: something that ran to a verdict failed, or took longer than it may.
    Failed,
    /// 2: something could not run: no verdict was reached.
    CouldNotRun,
    /// 3: what was asked about is not running.
    NotRunning,
}

impl Exit {
    /// What several conclusions come to. A failure is known for sure, so it goes before trouble.
    pub(crate) fn of(conclusions: impl IntoIterator<Item = Conclusion>) -> Self {
        conclusions.into_iter().map(Self::of_one).fold(Self::Passed, |worst, next| match (worst, next) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::CouldNotRun, _) | (_, Self::CouldNotRun) => Self::CouldNotRun,
            _ => Self::Passed,
        })
    }

    const fn of_one(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Passed | Conclusion::Flaky => Self::Passed,
            Conclusion::Failed | Conclusion::TimedOut => Self::Failed,
            _ => Self::CouldNotRun,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Passed => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::CouldNotRun => Self::from(2),
            Exit::NotRunning => Self::from(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_trouble_and_trouble_outweighs_success() {
        use Conclusion::{Cancelled, Errored, Expired, Failed, Flaky, Passed, TimedOut};
        assert_eq!(Exit::of([]), Exit::Passed);
        assert_eq!(Exit::of([Passed, Flaky]), Exit::Passed);
        for trouble in [Errored, Cancelled, Expired] {
            assert_eq!(Exit::of([Passed, trouble]), Exit::CouldNotRun);
            assert_eq!(Exit::of([trouble, Failed]), Exit::Failed);
            assert_eq!(Exit::of([TimedOut, trouble]), Exit::Failed);
        }
    }
}
