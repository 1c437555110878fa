//! A crowd at two slots: who has a low share is served within the bound all the same.

use runners_core::{
    Attempt, Clock as _, Command, Fairness, JobOptions,
    testing::simulation::{Chaos, Machine, Report, Simulation},
};
use std::time::Duration;

/// Takes a runner's slot for a while.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Stay {
    millis: u64,
}

impl Command for Stay {
    const KIND: &'static str = "stay";
    type Result = u64;
}

/// Many short jobs of a key with the largest weight.
const CROWD: usize = 450;
const SHORT: Duration = Duration::from_millis(500);
/// A few long ones of a key with the smallest: for as long as one of them runs, the crowd has the
/// smaller share.
const FEW: usize = 4;
const LONG: Duration = Duration::from_secs(100);

fn stays(count: usize, span: Duration, key: &str, weight: u32) -> Vec<(Stay, JobOptions)> {
    let fairness = Some(Fairness { key: key.to_owned(), weight });
    let options = JobOptions { fairness, timeout: LONG * 2, ..JobOptions::default() };
    let stay = Stay { millis: u64::try_from(span.as_millis()).expect("a short span") };
    vec![(stay, options); count]
}

fn play(seed: u64) -> Report {
    let stay = |machine: &Machine| {
        let machine = machine.clone();
        move |stay: Stay, _: Attempt| {
            let machine = machine.clone();
            async move {
                machine.sleep_until(machine.boot() + Duration::from_millis(stay.millis)).await;
                Ok(stay.millis)
            }
        }
    };
    Simulation::new(seed)
        .runners(1)
        .slots(2)
        .chaos(Chaos::none(Duration::from_secs(5)))
        .executor::<Stay, _>(stay)
        .jobs(stays(CROWD, SHORT, "crowd", Fairness::WEIGHT_MAX))
        .jobs(stays(FEW, LONG, "few", 1))
        .run()
        .unwrap_or_else(|violation| panic!("{violation}"))
}

#[test]
fn a_low_share_is_served_within_its_bound() {
    let report = play(1);
    assert_eq!(report.conclusions.len(), CROWD + FEW);
    assert!(report.statistics.passed_over > 0, "nobody was passed over for long: {}", report.statistics);
}
