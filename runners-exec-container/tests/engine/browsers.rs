//! A browser that is started for an attempt, beside its container and in a network of their own.

use crate::{
    bench::{Bench, Ended, shell},
    daemon::BROWSER_IMAGE,
};
use runners_core::{Conclusion, JobOptions, RetryPolicy};
use runners_exec_container::{
    BrowserImage, BrowserSource, ContainerJob, OfferedBrowser, OfferedNetwork, Policy, WantedBrowser,
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
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

pub(crate) fn offering(image: BrowserImage) -> impl FnOnce(&mut Policy) {
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
pub(crate) async fn nothing_is_left(bench: &Bench, ended: &Ended) {
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
async fn a_browser_that_died_is_a_fault_and_the_next_attempt_has_another() {
    let Some(bench) = Bench::with_policy("dying", offering(BrowserImage::of(BROWSER_IMAGE))).await else {
        return;
    };
    if !bench.daemon.has_browser() {
        return;
    }
    let script = r#"
        ask POST "$session/url" '{"url":"data:text/html,<title>another</title>"}' > /dev/null
        [ "$RUNNERS_ATTEMPT" = 2 ] && ask GET "$session/title" && exit
        echo "it is here"
        while (exec 3<>"/dev/tcp/${place%:*}/${place#*:}") 2>/dev/null; do sleep 0.1; done
        exit 4
    "#;
    let retry = RetryPolicy { attempts_max: 2, ..RetryPolicy::default() };
    let options = JobOptions { retry, ..JobOptions::default() };
    let handle = bench.submit_again(with_browser(script), options).await;
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
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("the browser beside it ended with exit code 137\n"), "{}", ended.log);
    assert!(ended.log.contains(r#""value":"another""#), "{}", ended.log);
    nothing_is_left(&bench, &ended).await;
    bench.close().await;
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_a_fault_with_what_it_said() {
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
    let options = JobOptions { grace: Duration::from_millis(1), ..JobOptions::default() };
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

/// What a WebDriver answers to a request for a session, if it takes calls.
fn session(url: &str) -> std::io::Result<String> {
    let place = url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(place)?;
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    let body = r#"{"capabilities":{"alwaysMatch":{}}}"#;
    let length = body.len();
    let request =
        format!("POST /session HTTP/1.1\r\nHost: {place}\r\nContent-Length: {length}\r\n\r\n{body}");
    connection.write_all(request.as_bytes())?;
    let mut answer = vec![0; 500];
    connection.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn the_browser_of_flows_that_died_is_started_again_where_it_was() {
    let Some(bench) = Bench::start("flows").await else { return };
    if !bench.daemon.has_browser() {
        return;
    }
    let image = BrowserImage::of(BROWSER_IMAGE);
    let browser = bench.executor.start_browser(&image, &|_| {}).await.unwrap();
    assert!(session(browser.url()).unwrap().contains("\"capabilities\""));
    let container = bench.daemon.docker(&["ps", "-q", "--filter", "label=dev.runners.owner=flows"]);
    let process = || bench.daemon.docker(&["inspect", "-f", "{{.State.Pid}}", &container]);
    let before = process();
    // Not by its engine, which would take that as somebody's wish.
    assert!(Command::new("kill").args(["-KILL", &before]).status().unwrap().success());
    // Each look takes a process.
    let again = (0..1000).find_map(|_| {
        let is_another = process() != before;
        session(browser.url()).ok().filter(|_| is_another)
    });
    assert!(again.unwrap().contains("\"capabilities\""), "{}", browser.url());
    browser.stop().await.unwrap();
    bench.close().await;
}
