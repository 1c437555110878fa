//! placeholder
use runners_benches::{
    bed::{Bed, Kept, runtime},
    floor,
};
use std::time::Duration;
fn main() -> anyhow::Result<()> {
    let callers: usize = std::env::args().nth(1).map_or(Ok(256), |text| text.parse())?;
    let ms: u64 = std::env::args().nth(2).map_or(Ok(2000), |text| text.parse())?;
    let rounds: u64 = std::env::args().nth(3).map_or(Ok(3), |text| text.parse())?;
    let only = std::env::args().nth(4).unwrap_or_default();
    let span = Duration::from_millis(ms);
    for _ in 0..rounds {
        let mut line = Vec::new();
        if only.is_empty() || only == "floor" {
            let mut floor = runtime()?.block_on(floor::travel(callers, span))?;
            line.push(format!(
                "floor {:.0}/s {:.1}us p50 {:.2}",
                floor.rate(),
                floor.micros_used(),
                floor.wait_millis(0.5)
            ));
        }
        for kept in [Kept::Sqlite, Kept::Memory] {
            if only.is_empty() || only == kept.name() {
                let mut ours =
                    runtime()?.block_on(async { Bed::start(kept).await?.travel(callers, span).await })?;
                line.push(format!(
                    "{} {:.0}/s {:.1}us p50 {:.2}",
                    kept.name(),
                    ours.rate(),
                    ours.micros_used(),
                    ours.wait_millis(0.5)
                ));
            }
        }
        println!("{}", line.join(" | "));
    }
    Ok(())
}
