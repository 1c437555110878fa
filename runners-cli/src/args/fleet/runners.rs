//! What may be asked of runners.

use crate::{args::HomeArgs, span::Span};
use clap::{Args, ValueEnum};

/// Which runners are listed.
#[derive(Debug, Args)]
pub(crate) struct ListRunnersArgs {
    /// Only those of this pool, by its id or name.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// Only those in this state.
    #[arg(long, value_enum)]
    pub(crate) state: Option<RunnerState>,
}

/// How a runner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunnerState {
    /// It is there and takes jobs.
    Online,
    /// It is there and takes nothing new.
    Draining,
    /// It has not spoken for a while.
    Offline,
}

impl RunnerState {
    /// As it stands in the management API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Draining => "Draining",
            Self::Offline => "Offline",
        }
    }
}

/// A runner that is named.
#[derive(Debug, Args)]
pub(crate) struct RunnerArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
}

/// A runner that is named, or the one of this machine.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The runner, by its id or name [default: the one in the background on this machine, without
    /// asking the server].
    pub(crate) runner: Option<String>,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The runner, by its id or name [default: the one in the background on this machine, without
    /// asking the server].
    pub(crate) runner: Option<String>,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Why, for people: who lists the runners sees it, of one that is named; of the one of this machine it
    /// is told here alone.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// After how long jobs that it still runs are stopped and tried again elsewhere [default: never].
    #[arg(long, visible_alias = "deadline", value_name = "TIME")]
    pub(crate) within: Option<Span>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// Remove it at once: its jobs are tried again elsewhere. Otherwise it drains first.
    #[arg(long)]
    pub(crate) force: bool,
    /// How long it may drain before it is removed [default: 1h].
    #[arg(long, value_name = "TIME", conflicts_with = "force")]
    pub(crate) within: Option<Span>,
}

#[derive(Debug, Args)]
pub(crate) struct SlotsArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// How many jobs it executes at once at most, or `own` for as many as it was started with.
    #[arg(value_parser = slots_limit)]
    pub(crate) slots: SlotsLimit,
}

/// A limit on slots, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotsLimit(pub(crate) Option<u32>);

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// What it is called from now on.
    pub(crate) name: String,
}

fn slots_limit(text: &str) -> Result<SlotsLimit, String> {
    match text {
        "own" => Ok(SlotsLimit(None)),
        _ => text
            .parse()
            .map(|slots| SlotsLimit(Some(slots)))
            .map_err(|_| format!("{text:?} is neither a number nor `own`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_slots_is_a_number_or_lifted() {
        assert_eq!(slots_limit("3"), Ok(SlotsLimit(Some(3))));
        assert_eq!(slots_limit("own"), Ok(SlotsLimit(None)));
        assert!(slots_limit("many").is_err());
    }
}
