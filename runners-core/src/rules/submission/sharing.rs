//! What a submission says of how its job shares runners: fairness, limits and further pools.

use super::{invalid, name, over_limit, span};
use crate::values::{
    job::{JobOptions, JobSpec},
    preference::{Concurrency, Fairness, Fallback},
    reply::Refused,
};
use std::time::Duration;

/// Checks with whom the job shares, and by which limits.
pub(super) fn check(spec: &JobSpec) -> Result<(), Refused> {
    if let Some(fairness) = &spec.fairness {
        name("spec.fairness.key", &fairness.key)?;
        let limit = Fairness::WEIGHT_MAX;
        if !(1..=limit).contains(&fairness.weight) {
            return Err(invalid("spec.fairness.weight", &format!("must be from 1 to {limit}")));
        }
    }
    if spec.concurrency.len() > Concurrency::KEYS_MAX {
        return Err(over_limit("spec.concurrency", spec.concurrency.len(), Concurrency::KEYS_MAX, "keys"));
    }
    for (at, one) in spec.concurrency.iter().enumerate() {
        let field = |of: &str| format!("spec.concurrency[{at}].{of}");
        name(&field("key"), &one.key)?;
        if one.max == 0 {
            return Err(invalid(&field("max"), "must be at least 1"));
        }
        if spec.concurrency[..at].iter().any(|other| other.key == one.key) {
            return Err(invalid(&field("key"), &named_twice(&one.key)));
        }
    }
    if spec.fallbacks.len() > Fallback::POOLS_MAX {
        return Err(over_limit("spec.fallbacks", spec.fallbacks.len(), Fallback::POOLS_MAX, "pools"));
    }
    let mut after = Duration::ZERO;
    for (at, fallback) in spec.fallbacks.iter().enumerate() {
        let field = |of: &str| format!("spec.fallbacks[{at}].{of}");
        name(&field("pool"), &fallback.pool)?;
        span(&field("after_ms"), fallback.after, after, JobOptions::TIMEOUT_MAX)?;
        after = fallback.after;
        let mut earlier = spec.fallbacks[..at].iter().map(|other| &other.pool).chain([&spec.pool]);
        if earlier.any(|pool| *pool == fallback.pool) {
            return Err(invalid(&field("pool"), &named_twice(&fallback.pool)));
        }
    }
    Ok(())
}

fn named_twice(name: &str) -> String {
    format!("{name:?} is named twice: leave one of them out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::id::JobId;

    fn problem(change: impl FnOnce(&mut JobSpec)) -> String {
        let mut spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"{}", JobOptions::default());
        change(&mut spec);
        check(&spec).unwrap_err().detail
    }

    #[test]
    fn each_refusal_of_how_a_job_shares_names_the_field_and_the_limit() {
        let heavy = Fairness { key: "one".into(), weight: 101 };
        assert_eq!(
            problem(|spec| spec.fairness = Some(heavy)),
            "spec.fairness.weight: must be from 1 to 100"
        );
        assert_eq!(
            problem(|spec| spec.concurrency = vec![Concurrency::new("other", 1), Concurrency::new("site", 0)]),
            "spec.concurrency[1].max: must be at least 1"
        );
        assert_eq!(
            problem(|spec| spec.concurrency = vec![Concurrency::new("site", 1); 2]),
            "spec.concurrency[1].key: \"site\" is named twice: leave one of them out"
        );
        assert_eq!(
            problem(|spec| spec.concurrency = vec![Concurrency::new("site", 1); 9]),
            "spec.concurrency: has 9 keys, and the limit is 8"
        );
        let back = |seconds: u64| Fallback::new(seconds.to_string(), Duration::from_secs(seconds));
        assert_eq!(
            problem(|spec| spec.fallbacks = vec![back(9), back(8)]),
            "spec.fallbacks[1].after_ms: must be from 9000 to 604800000, and is 8000"
        );
        assert_eq!(
            problem(|spec| spec.fallbacks = vec![Fallback::new("default", Duration::ZERO)]),
            "spec.fallbacks[0].pool: \"default\" is named twice: leave one of them out"
        );
    }
}
