//! `runners explain`: why a job is where it is, in words.

use super::pools::shown;
use crate::{
    args::{Asked, OneJobArgs},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    state: String,
    advice: String,
    pools: Vec<ExplainedPool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedPool {
    pool_id: String,
    obstacle: Option<Value>,
    jobs_ahead: Option<u32>,
    runners: Vec<ExplainedRunner>,
}

#[derive(Debug, Deserialize)]
struct ExplainedRunner {
    name: String,
    obstacle: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Pool {
    id: String,
    name: String,
}

pub(super) async fn explain(Asked { what: OneJobArgs { job }, fleet }: Asked<OneJobArgs>) -> Result<Exit> {
    let management = Management::new(&fleet)?;
    let answer = management.get(&format!("/jobs/{job}/explain")).await?;
    let names = if fleet.json { BTreeMap::new() } else { pool_names(&management).await? };
    shown(&fleet, answer, |answer| {
        let explanation: Explanation = read(answer)?;
        terminal::print(format!("{job} is {}: {}", explanation.state, explanation.advice));
        let rows = explanation.pools.into_iter().flat_map(|pool| {
            let name = names.get(&pool.pool_id).unwrap_or(&pool.pool_id).clone();
            let ahead = pool.jobs_ahead.map(|jobs| jobs.to_string()).unwrap_or_default();
            let row = |runner: String, keeps: String| [name.clone(), ahead.clone(), runner, keeps];
            let whole = pool.obstacle.as_ref().map(|obstacle| row("every one".to_owned(), of_pool(obstacle)));
            let each = pool.runners.iter().map(|runner| {
                let keeps = runner.obstacle.as_ref();
                let keeps =
                    keeps.map_or_else(|| "nothing: it is granted when it is its turn".to_owned(), of_runner);
                row(runner.name.clone(), keeps)
            });
            whole.into_iter().chain(each).collect::<Vec<_>>()
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            table::list(["pool", "jobs ahead", "runner", "what keeps the job from it"], rows);
        }
        Ok(())
    })
}

async fn pool_names(management: &Management) -> Result<BTreeMap<String, String>> {
    let pools: Vec<Pool> = read(management.get("/self-hosted/pools").await?)?;
    Ok(pools.into_iter().map(|pool| (pool.id, pool.name)).collect())
}

/// What keeps a job from every runner of a pool.
fn of_pool(obstacle: &Value) -> String {
    match code(obstacle) {
        "inactive" => "the pool is not active".to_owned(),
        "empty" => "the pool has no runners".to_owned(),
        "draining" => "every runner of the pool drains".to_owned(),
        other => other.to_owned(),
    }
}

/// What keeps a job from a runner.
fn of_runner(obstacle: &Value) -> String {
    let member = |name: &str| obstacle[name].as_str().unwrap_or_default();
    match code(obstacle) {
        "pinned" => format!("the job is pinned to {}", member("runnerId")),
        "absent" => "not heard of for a while".to_owned(),
        "elsewhere" => "served by another control plane".to_owned(),
        "kind" => "cannot execute this kind".to_owned(),
        "wanted" => format!("lacks the label {}", member("label")),
        "refused" => format!("has the label {}, which the job refuses", member("label")),
        "suspended" => "the owner of its pool is suspended".to_owned(),
        "inactive" => "its pool is not active".to_owned(),
        "draining" => "drains or leaves".to_owned(),
        "suspect" => "did not confirm an offer in time".to_owned(),
        "crash_loop" => format!("started again and again: held back until {}", member("untilUtc")),
        "full" => "has no free slot".to_owned(),
        // A server of a later release may have more.
        other => other.to_owned(),
    }
}

fn code(obstacle: &Value) -> &str {
    obstacle["code"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn obstacles_are_told_in_words_and_unknown_ones_as_they_are() {
        assert_eq!(of_runner(&json!({ "code": "wanted", "label": "gpu" })), "lacks the label gpu");
        assert_eq!(of_runner(&json!({ "code": "full" })), "has no free slot");
        assert_eq!(of_pool(&json!({ "code": "empty" })), "the pool has no runners");
        assert_eq!(
            [of_runner(&json!({ "code": "new" })), of_pool(&json!({ "code": "new" }))],
            ["new", "new"]
        );
    }
}
