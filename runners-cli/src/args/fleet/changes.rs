//! What may be changed of what is there: pools and tenants.

use crate::size::Size;
use clap::{Args, ValueEnum};

/// What is to change of a pool. What is not said stays.
#[derive(Debug, Args)]
pub(crate) struct SetPoolArgs {
    /// The pool, by its id or name.
    pub(crate) pool: String,
    /// What jobs call it from now on.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What it is for, for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Where its machines are.
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Whether its runners are granted jobs.
    #[arg(long, value_enum, value_name = "YES|NO")]
    pub(crate) active: Option<YesNo>,
    /// How many runners an autoscaler keeps there at least.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) min_runners: Option<u32>,
    /// How many runners it takes at most, or `any`.
    #[arg(long, value_name = "NUMBER", value_parser = number_or_any)]
    pub(crate) max_runners: Option<Most>,
    /// How many jobs each of its runners executes at once at most, or `any`.
    #[arg(long, value_name = "NUMBER", value_parser = number_or_any)]
    pub(crate) slots_per_runner: Option<Most>,
    /// The image of container jobs that name none.
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// Whether runners are filled one after the other, or jobs spread over them.
    #[arg(long, value_enum)]
    pub(crate) placement: Option<Placement>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    /// It is so.
    Yes,
    /// It is not so.
    No,
}

/// Which of several runners with a free slot is granted a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placement {
    /// The one with the least work.
    Spread,
    /// The one with the most work that still has room.
    Pack,
}

/// A limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Most(pub(crate) Option<u32>);

#[derive(Debug, Args)]
pub(crate) struct RenameTenantArgs {
    /// The tenant, by its id or name.
    #[arg(id = "renamed", value_name = "TENANT")]
    pub(crate) tenant: String,
    /// What it is called from now on.
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct QuotaArgs {
    /// The tenant, by its id or name.
    #[arg(id = "limited", value_name = "TENANT")]
    pub(crate) tenant: String,
    /// How many bytes its artifacts may have, such as 50g; or `default`, for what holds for all.
    #[arg(value_name = "SIZE", value_parser = size_or_default)]
    pub(crate) quota: Quota,
}

/// A quota of a tenant's own, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota(pub(crate) Option<Size>);

fn size_or_default(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota(None)),
        _ => text
            .parse()
            .map(|size| Quota(Some(size)))
            .map_err(|wrong: String| format!("{wrong}, or `default`")),
    }
}

fn number_or_any(text: &str) -> Result<Most, String> {
    match text {
        "any" => Ok(Most(None)),
        _ => text
            .parse()
            .map(|most| Most(Some(most)))
            .map_err(|_| format!("{text:?} is neither a number nor `any`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_a_pool_is_a_number_or_lifted() {
        assert_eq!(number_or_any("3"), Ok(Most(Some(3))));
        assert_eq!(number_or_any("any"), Ok(Most(None)));
        assert!(number_or_any("many").is_err());
    }
}
