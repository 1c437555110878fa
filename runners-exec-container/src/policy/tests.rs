//! What operators allow, and what nobody is given.

use super::*;
use crate::browser::{BrowserImage, WantedBrowser};

fn refused(policy: &Policy, job: &ContainerJob) -> String {
    policy.admit(job, None, &[]).unwrap_err().to_string()
}

#[test]
fn the_image_of_the_job_goes_before_that_of_its_pool() {
    let policy = Policy::default();
    let image = |job: &ContainerJob, pool| policy.admit(job, pool, &[]).unwrap().image.to_string();
    assert_eq!(image(&ContainerJob::of("own:1"), Some("pool:2")), "own:1");
    assert_eq!(image(&ContainerJob::default(), Some("pool:2")), "pool:2");
    assert!(refused(&policy, &ContainerJob::default()).starts_with("/image: is given neither"));
    let bad = policy.admit(&ContainerJob::default(), Some("Bad"), &[]).unwrap_err().to_string();
    assert!(bad.starts_with("/image: that of the pool or the control plane: \"Bad\""), "{bad}");
}

#[test]
fn a_digest_that_is_demanded_is_asked_for() {
    let policy = Policy { demand_digests: true, ..Policy::default() };
    assert!(refused(&policy, &ContainerJob::of("a:1")).contains("a:1 has no digest"));
    let pinned = ContainerJob::of(format!("a@sha256:{}", "0".repeat(64)));
    assert!(policy.admit(&pinned, None, &[]).is_ok());
}

#[test]
fn what_is_over_the_maximum_is_refused_by_its_member() {
    let limits = Limits { processes: Some(1 << 20), memory_bytes: Some(0), ..Limits::default() };
    let job = ContainerJob { limits, ..ContainerJob::of("a") };
    let told = refused(&Policy::default(), &job);
    assert!(told.contains("/limits/processes: 1048576 is not between 1 and 4096"), "{told}");
    assert!(told.contains("/limits/memory_bytes: 0 is not between 1 and"), "{told}");
}

#[test]
fn nobody_is_root_unless_it_is_allowed() {
    let job = |user: &str| ContainerJob { user: Some(user.to_owned()), ..ContainerJob::of("a") };
    for user in ["0", "0:1000", "1000:0"] {
        assert!(refused(&Policy::default(), &job(user)).starts_with("/user: root"), "{user}");
    }
    assert_eq!(Policy::default().admit(&ContainerJob::of("a"), None, &[]).unwrap().user, "65534:65534");
    let open = Policy { allow_root: true, ..Policy::default() };
    assert_eq!(open.admit(&job("0"), None, &[]).unwrap().user, "0:0");
    assert_eq!(
        Policy::default().admit(&job("1000"), None, &[]).unwrap().user,
        "1000:1000",
        "not root's group"
    );
}

#[test]
fn only_what_is_offered_is_a_network() {
    let offered = OfferedNetwork { name: "shop".into(), ..OfferedNetwork::default() };
    let policy = Policy { networks: vec![offered.clone()], ..Policy::default() };
    let job = |name: &str| ContainerJob { network: Some(name.into()), ..ContainerJob::of("a") };
    assert_eq!(policy.admit(&ContainerJob::of("a"), None, &[]).unwrap().network, None);
    assert_eq!(policy.admit(&job("shop"), None, &[]).unwrap().network, Some(offered.clone()));
    let told = refused(&policy, &job("host"));
    assert!(told.contains("\"host\" is not offered by this runner, which offers shop"), "{told}");
}

#[test]
fn a_browser_that_runs_decides_on_the_network_and_one_that_is_started_does_not() {
    let networks =
        ["shop", "other"].map(|name| OfferedNetwork { name: name.into(), ..OfferedNetwork::default() });
    let policy = Policy { networks: networks.to_vec(), ..Policy::default() };
    let job = |network: Option<&str>| ContainerJob {
        browser: Some(WantedBrowser::Any),
        network: network.map(str::to_owned),
        ..ContainerJob::of("a")
    };
    assert!(refused(&policy, &job(None)).starts_with("/browser: this runner offers none"));
    let offering = |source: BrowserSource| Policy {
        browsers: vec![OfferedBrowser { name: "chromium".into(), source }],
        ..policy.clone()
    };
    let network_of = |policy: &Policy, network| {
        let admitted = policy.admit(&job(network), None, &[]).unwrap();
        admitted.network.map(|network| network.name)
    };
    let url = "http://browser:4444".to_owned();
    let running = offering(BrowserSource::Running { url, network: "shop".into() });
    assert_eq!(network_of(&running, None).as_deref(), Some("shop"));
    assert_eq!(network_of(&running, Some("shop")).as_deref(), Some("shop"));
    assert!(refused(&running, &job(Some("other"))).contains("/network: is shop, that of the browser"));
    let started = offering(BrowserSource::Image(BrowserImage::of("browsers/chromium:1")));
    assert_eq!(network_of(&started, None), None);
    assert_eq!(network_of(&started, Some("other")).as_deref(), Some("other"));
}
