//! Measures other queues: how many jobs a second travel from submit to their end, with every step
//! durable and answered by itself. Each prints one line of JSON.
//!
//! * `runners-peers apalis-sqlite CALLERS SECONDS CONNECTIONS`
//! * `runners-peers apalis-postgres|graphile_worker URL prepare SLOTS 0 CONNECTIONS`, before each of the next
//! * `runners-peers apalis-postgres|graphile_worker URL burn-down SLOTS JOBS CONNECTIONS`
//! * `runners-peers apalis-postgres|graphile_worker URL paced SLOTS MILLISECONDS CONNECTIONS`

mod apalis_postgres;
mod apalis_sqlite;
mod graphile;
mod postgres;

use postgres::Jobs;
use std::{error::Error, str::FromStr, time::Duration};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// As many bytes as the payloads of the other benches.
pub(crate) const PAYLOAD_BYTES: usize = 500;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let told = runtime.block_on(async {
        match arguments[..] {
            ["apalis-sqlite", callers, seconds, connections] => {
                let (lifecycles, elapsed) =
                    apalis_sqlite::measure(number(callers)?, number(seconds)?, number(connections)?).await?;
                Ok(travelled(lifecycles.into(), elapsed))
            }
            [queue, url, manner, slots, amount, connections] => {
                let jobs = match manner {
                    "prepare" => {
                        postgres::make_anew(url).await?;
                        Jobs::Queued(0)
                    }
                    "burn-down" => Jobs::Queued(number(amount)?),
                    "paced" => Jobs::Paced(Duration::from_millis(number(amount)?)),
                    other => return Err(format!("{other:?} is none of prepare, burn-down and paced").into()),
                };
                let (slots, connections) = (number(slots)?, number(connections)?);
                let pool = postgres::open(url, connections).await?;
                match queue {
                    "apalis-postgres" => {
                        postgres::measure(apalis_postgres::Apalis::open(pool, slots).await?, slots, jobs)
                            .await
                    }
                    "graphile_worker" => {
                        postgres::measure(graphile::Graphile::open(pool).await?, slots, jobs).await
                    }
                    other => Err(format!("{other:?} is no queue").into()),
                }
            }
            _ => Err("which queue, and how: see the head of src/main.rs".into()),
        }
    })?;
    println!("{told}");
    Ok(())
}

/// What is told of jobs that travelled.
pub(crate) fn travelled(lifecycles: u64, elapsed: Duration) -> serde_json::Value {
    let per_second = lifecycles as f64 / elapsed.as_secs_f64();
    serde_json::json!({ "lifecycles": lifecycles, "seconds": elapsed.as_secs_f64(), "per_second": per_second })
}

fn number<N: FromStr>(text: &str) -> Outcome<N> {
    text.parse().map_err(|_| format!("{text:?} is not a number").into())
}
