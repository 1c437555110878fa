//! Webhooks: what may be asked for, and when a call that failed is tried again.

use crate::values::{
    event::{Event, Happening},
    reply::{RefusalCode, Refused},
    time::Timestamp,
    webhook::WebhookSpec,
};
use std::time::Duration;

/// How often a delivery is tried.
pub(crate) const TRIES_MAX: u32 = 12;
/// How long after its event a delivery is still tried.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after its event a delivery that waits still is given up without a try: longer than the last wait.
pub(crate) const TURN_WITHIN: Duration = Duration::from_secs(26 * 60 * 60);
/// The wait after the first try; it doubles with each one after.
const WAIT_FIRST: Duration = Duration::from_secs(5);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// How long to wait after a number of tries that failed; nothing, if it is given up. `chance` is
/// from 0 to 1.
pub(crate) fn wait(tries: u32, made_at: Timestamp, now: Timestamp, chance: f64) -> Option<Duration> {
    if tries >= TRIES_MAX || now.since(made_at) >= AGE_MAX {
        return None;
    }
    let doubled = WAIT_FIRST.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(WAIT_MAX);
    Some(doubled.mul_f64(0.5 + chance / 2.0))
}

/// How many deliveries of a webhook wait at most, but for those that other control planes make at the same time.
pub(crate) const WAITING_MAX: usize = 1000;
/// How many calls of one webhook are under way at once.
const CALLERS_MAX: usize = 4;
/// How long a webhook is left alone after a call that failed; it doubles with each one after that.
const ALONE_FIRST: Duration = Duration::from_millis(2500);
/// The longest that it is left alone.
const ALONE_MAX: Duration = Duration::from_secs(5 * 60);

/// How many calls of a webhook may be under way, of which so many have failed one after another.
pub(crate) const fn callers_max(failures: u32) -> usize {
    if failures == 0 { CALLERS_MAX } else { 1 }
}

/// How long a webhook is left alone, of which so many calls have failed one after another.
pub(crate) fn alone_for(failures: u32) -> Duration {
    ALONE_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(ALONE_MAX)
}

/// Checks what somebody asks for.
pub(crate) fn check(spec: &WebhookSpec) -> Result<(), Refused> {
    let url = &spec.url;
    if url.len() > WebhookSpec::URL_BYTES_MAX {
        let limit = WebhookSpec::URL_BYTES_MAX;
        return Err(invalid("url", &format!("has {} bytes, and the limit is {limit}", url.len())));
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return Err(invalid("url", "must begin with https:// or http://")) };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(invalid("url", "must name a host, and hold no blanks"));
    }
    if host.contains('@') {
        return Err(invalid("url", "must not hold a user or password: check the signature instead"));
    }
    match spec.events.iter().find(|name| !Happening::NAMES.contains(&name.as_str())) {
        Some(name) => {
            let names = Happening::NAMES.join(", ");
            Err(invalid("events", &format!("{name:?} is none of {names}")))
        }
        None => Ok(()),
    }
}

/// Whether a webhook is to be told of an event.
pub(crate) fn wants(spec: &WebhookSpec, event: &Event) -> bool {
    spec.events.is_empty() || spec.events.contains(event.what.name())
}

fn invalid(field: &str, problem: &str) -> Refused {
    Refused::new(RefusalCode::Invalid, format!("{field}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_end_with_the_tries_or_the_age() {
        let now = Timestamp::from_millis(1_000_000);
        let waits: Vec<u64> =
            (1..20).map_while(|tries| wait(tries, now, now, 1.0)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
        assert_eq!(wait(1, now, now, 0.0), Some(WAIT_FIRST / 2));
        assert_eq!(wait(1, now, now + AGE_MAX, 0.5), None);
    }

    #[test]
    fn an_address_is_checked_before_it_is_kept() {
        let spec = |url: &str| WebhookSpec { url: url.to_owned(), events: Default::default() };
        for good in ["https://example.com/a?b=c", "http://[::1]:8080"] {
            assert_eq!(check(&spec(good)), Ok(()), "{good}");
        }
        let long = format!("https://{}", "a".repeat(WebhookSpec::URL_BYTES_MAX));
        for bad in ["", "ftp://a", "https://", "https:///a", "https://u:p@host", "https://a b", &long] {
            assert!(check(&spec(bad)).is_err(), "{bad}");
        }
        let unknown = WebhookSpec { events: ["done".to_owned()].into(), ..spec("https://a") };
        assert!(check(&unknown).unwrap_err().detail.contains("concluded"));
    }
}
