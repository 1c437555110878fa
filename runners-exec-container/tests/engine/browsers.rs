//! A browser that is started for an attempt, beside its container and in a network of their own.

use crate::{
    bench::{Bench, Ended, shell},
    daemon::BROWSER_IMAGE,
};
use runners_core::{Conclusion, JobOptions};
use runners_exec_container::{
    BrowserImage, BrowserSource, ContainerJob, OfferedBrowser, OfferedNetwork, Policy, WantedBrowser,
};

/// Speaks WebDriver by the shell's own means: `ask METHOD PATH BODY`.
const ASK: &str = r#"
    place="${RUNNERS_WEBDRIVER_URL#http://}"
    ask() {
        exec 3<>"/dev/tcp/${place%:*}/${place#*:}" || exit 9
        printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
            "$1" "$2" "$place" "${#3}" "$3" >&3
        # It leaves the connection open: what it says has the length that it tells.
        while read -r line <&3; line="${line%$'\r'}"; [ "$line" ]; do
            case "$line" in [Cc]ontent-[Ll]ength:*) length="${line#*:}";; esac
        done
        head -c "${length# }" <&3
        echo
    }
    opened="$(ask POST /session '{"capabilities":{"alwaysMatch":{}}}')"
    session="${opened#*\"sessionId\":\"}"
    session="/session/${session%%\"*}"
"#;

fn offering(image: BrowserImage) -> impl FnOnce(&mut Policy) {
    move |policy| {
        let source = BrowserSource::Image(image);
        policy.browsers = vec![OfferedBrowser { name: "chromium".into(), source }];
    }
}

fn with_browser(script: &str) -> ContainerJob {
    ContainerJob {
        browser: Some(WantedBrowser::Named("chromium".into())),
        ..shell(&format!("{ASK}\n{script}"))
    }
}

/// Sees that nothing of a browser is left, once what goes on behind is done.
async fn nothing_is_left(bench: &Bench, ended: &Ended) {
    bench.executor.settle().await;
    let left = (bench.daemon.containers_of(&bench.owner), bench.daemon.networks_of(&bench.owner));
    assert_eq!(left, (0, 0), "{ended:?}");
}

#[tokio::test]
async fn a_script_has_a_browser_beside_it_that_reaches_nothing_else() {
    let Some(bench) = Bench::with_policy("browser", offering(BrowserImage::of(BROWSER_IMAGE))).await else {
        return;
    };
    if !bench.daemon.has_browser() {
        return;
    }
    let script = r#"
        ask POST "$session/url" '{"url":"data:text/html,<title>beside it</title>"}' > /dev/null
        ask GET "$session/title"
        for host in 169.254.169.254 172.17.0.1 example.com; do
            went="$(ask POST "$session/url" "{\"url\":\"http://$host/\"}")"
            case "$went" in
                *net::ERR_*) echo "$host is not reached";;
                *) echo "$host: $went";;
            esac
        done
    "#;
    let ended = bench.run(with_browser(script)).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("the browser chromium is ready: local/chromium:1, sha256:"), "{}", ended.log);
    for told in
        [r#""value":"beside it""#, "169.254.169.254 is not", "172.17.0.1 is not", "example.com is not"]
    {
        assert!(ended.log.contains(told), "{told} in {}", ended.log);
    }
    nothing_is_left(&bench, &ended).await;
    bench.close().await;
}

#[tokio::test]
async fn a_browser_that_died_is_told_of_and_one_that_does_not_start_is_a_fault() {
    let Some(bench) = Bench::with_policy("dying", offering(BrowserImage::of(BROWSER_IMAGE))).await else {
        return;
    };
    if !bench.daemon.has_browser() {
        return;
    }
    let script = r#"
        echo "it is here"
        while (exec 3<>"/dev/tcp/${place%:*}/${place#*:}") 2>/dev/null; do sleep 0.1; done
        exit 4
    "#;
    let handle = bench.submit(with_browser(script), JobOptions::default()).await;
    crate::stopping::says(&handle, "it is here").await;
    let browser = bench.daemon.docker(&[
        "ps",
        "-q",
        "--filter",
        "label=dev.runners.owner=dying",
        "--filter",
        &format!("ancestor={BROWSER_IMAGE}"),
    ]);
    bench.daemon.docker(&["kill", &browser]);
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Failed, "{ended:?}");
    let notes = &ended.result().notes;
    assert!(notes.iter().any(|note| note.starts_with("the browser beside it ended")), "{ended:?}");
    nothing_is_left(&bench, &ended).await;
    bench.close().await;

    // An image that says something else, and ends.
    let mute = "local/mute:1";
    let Some(bench) = Bench::with_policy("mute", offering(BrowserImage::of(mute))).await else { return };
    bench.daemon.import(mute, &[r#"CMD ["bash", "-c", "echo no screen; exit 7"]"#]);
    let ended = bench.run(with_browser("true")).await;
    let fault = ended.fault();
    assert_eq!((&*fault.code, fault.retryable), ("browser_not_started", true), "{ended:?}");
    assert!(fault.message.contains("exit code 7") && fault.message.contains("no screen"), "{ended:?}");
    nothing_is_left(&bench, &ended).await;
    bench.close().await;
}

#[tokio::test]
async fn a_browser_goes_with_an_attempt_that_is_dropped_and_is_in_the_network_of_its_job() {
    let change = |policy: &mut Policy| {
        offering(BrowserImage::of(BROWSER_IMAGE))(policy);
        policy.networks = vec![OfferedNetwork { name: "suite".into(), ..OfferedNetwork::default() }];
    };
    let Some(bench) = Bench::with_policy("both", change).await else { return };
    if !bench.daemon.has_browser() {
        return;
    }
    bench.daemon.docker(&["network", "create", "--internal", "suite"]);
    let script = "ls /sys/class/net; trap '' TERM; echo it is here; while true; do sleep 1; done";
    let job = ContainerJob { network: Some("suite".into()), ..with_browser(script) };
    let options = JobOptions { grace: std::time::Duration::from_millis(1), ..JobOptions::default() };
    let handle = bench.submit(job, options).await;
    crate::stopping::says(&handle, "it is here").await;
    assert_eq!(bench.daemon.containers_of("both"), 2);
    let inside = bench.daemon.docker(&["network", "inspect", "-f", "{{len .Containers}}", "suite"]);
    assert_eq!(inside, "2", "the job and its browser");
    handle.cancel().await.unwrap();
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Cancelled, "{ended:?}");
    assert!(ended.log.contains("eth1"), "{}", ended.log);
    nothing_is_left(&bench, &ended).await;
    bench.daemon.docker(&["network", "rm", "suite"]);
    bench.close().await;
}
