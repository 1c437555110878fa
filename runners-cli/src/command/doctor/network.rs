//! The way from this machine to the server: its name, its answer, and what stands between.

use super::Finding;
use crate::{args::TrustArgs, connection, health, terminal};
use anyhow::{Error, anyhow};
use reqwest::Url;
use runners_core::{Clock as _, SystemClock, Timestamp, sleep};
use runners_transport_http::{PROTOCOL_MAX, PROTOCOL_MIN};
use std::{env, time::Duration};

/// How long a name may take.
const NAME_MAX: Duration = Duration::from_secs(10);

/// Clocks that differ by more than this make leases and signatures hard to read.
const DRIFT_MAX: Duration = Duration::from_secs(30);

/// The variables that lead past a proxy, or through one.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Looks along the way. What comes after a step that failed is not looked at.
pub(super) async fn look(server: &str, trust: &TrustArgs) -> Vec<Finding> {
    let url = match Url::parse(server) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => {
            let fix = "give -s https://HOST, and what comes before the server's own paths";
            return vec![Finding::bad("server", format!("{server:?} is no URL of a server"), fix)];
        }
    };
    let mut findings = Vec::new();
    let proxy = PROXIES.iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    if let Some(proxy) = proxy.filter(|_| !connection::is_here(server)) {
        findings.push(Finding::good("proxy", format!("{proxy} is set, and is gone through")));
    } else {
        findings.push(name(&url).await);
    }
    if !connection::is_here(server) && url.scheme() == "http" && !trust.insecure_http {
        let text = "the credential would travel over plain http for all to read";
        findings.push(Finding::bad("tls", text, "use https, or allow it with --insecure-http"));
    }
    if findings.iter().all(|finding| finding.good) {
        findings.extend(answer(&url, trust).await);
    }
    findings
}

async fn name(url: &Url) -> Finding {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or_default();
    let clock = SystemClock::default();
    let found = tokio::select! {
        found = tokio::net::lookup_host((host, port)) => found.map_err(Error::from),
        () = sleep(&clock, NAME_MAX) => Err(anyhow!("no answer within {}", terminal::span(NAME_MAX))),
    };
    let fix = "is the host in -s right, and does this machine have a name server (/etc/resolv.conf)?";
    match found.map(|addresses| addresses.map(|address| address.ip().to_string()).collect::<Vec<_>>()) {
        Ok(addresses) if !addresses.is_empty() => {
            Finding::good("name", format!("{host} is {}", addresses.join(", ")))
        }
        Ok(_) => Finding::bad("name", format!("{host} has no address"), fix),
        Err(error) => Finding::bad("name", format!("{host}: {}", terminal::chain(&error)), fix),
    }
}

async fn answer(url: &Url, trust: &TrustArgs) -> Vec<Finding> {
    let asked = SystemClock::default().wall();
    match health::ask(url.as_str(), trust.ca_file.as_deref()).await {
        Ok(answer) if answer.is_control_plane => {
            let now = SystemClock::default().wall();
            let span = terminal::span(now.since(asked));
            let mut findings = Vec::new();
            if url.scheme() == "https" {
                findings.push(Finding::good("tls", "the server's certificate is trusted"));
            }
            findings.push(Finding::good("server", format!("{url} answers, in {span}")));
            findings.push(protocol(answer.protocol));
            findings.extend(answer.clock.map(|there| clock(there, now)));
            findings.extend(websocket(url, trust).await);
            findings
        }
        Ok(_) => {
            let fix = "is it the right URL, with the prefix that a proxy gives it?";
            vec![Finding::bad("server", format!("what answers at {url} is no control plane"), fix)]
        }
        Err(error) => {
            let text = format!("{url}: {}", terminal::chain(&error));
            let usual = "does the server run, and do this machine's firewall and proxy let it out?";
            match connection::tls_advice(&text) {
                Some(fix) => vec![Finding::bad("tls", text, fix)],
                None => vec![Finding::bad("server", text, usual)],
            }
        }
    }
}

/// Whether a live view would reach the server. Jobs do not need it.
async fn websocket(url: &Url, trust: &TrustArgs) -> Option<Finding> {
    let fix = "live views alone need it: have every proxy on the way carry upgrades of HTTP/1.1";
    match health::carries_websockets(url.as_str(), trust.ca_file.as_deref()).await {
        Ok(carried) => Some(match carried? {
            true => Finding::good("websocket", "upgrades arrive, as live views need them"),
            false => Finding::bad("websocket", "what makes a request a WebSocket does not arrive", fix),
        }),
        Err(error) => Some(Finding::bad("websocket", terminal::chain(&error), fix)),
    }
}

/// Whether both sides speak a version in common. Who speaks a newer one speaks the one before too.
fn protocol(there: Option<u32>) -> Finding {
    let here = if PROTOCOL_MIN == PROTOCOL_MAX {
        format!("{PROTOCOL_MAX}")
    } else {
        format!("{PROTOCOL_MIN} to {PROTOCOL_MAX}")
    };
    match there {
        Some(there) if there < PROTOCOL_MIN => {
            let text = format!("the server speaks version {there} at most, and this program {here}");
            Finding::bad("protocol", text, "upgrade the server")
        }
        Some(there) if there > PROTOCOL_MAX + 1 => {
            let text = format!("the server speaks version {there}, and this program {here}");
            Finding::bad("protocol", text, "upgrade this program")
        }
        Some(there) => Finding::good("protocol", format!("version {} is spoken", there.min(PROTOCOL_MAX))),
        None => Finding::bad(
            "protocol",
            "the answer does not say which version the server speaks",
            "does a proxy remove the header Runners-Protocol?",
        ),
    }
}

fn clock(there: Timestamp, here: Timestamp) -> Finding {
    let drift = there.since(here).max(here.since(there));
    if drift > DRIFT_MAX {
        let text = format!("it is {} away from the server's", terminal::span(drift));
        return Finding::bad("clock", text, "set this machine's clock, by NTP for example");
    }
    Finding::good("clock", "it agrees with the server's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_protocol_overlap_by_one() {
        assert!(protocol(Some(PROTOCOL_MAX)).good && protocol(Some(PROTOCOL_MAX + 1)).good);
        assert!(!protocol(Some(PROTOCOL_MAX + 2)).good && !protocol(Some(PROTOCOL_MIN - 1)).good);
        assert!(protocol(None).fix.unwrap().contains("Runners-Protocol"));
    }

    #[test]
    fn a_clock_may_be_off_by_less_than_the_limit_in_either_direction() {
        let at = |seconds: u64| Timestamp::from_millis(1_000_000 + seconds * 1000);
        assert!(clock(at(30), at(0)).good && clock(at(0), at(30)).good);
        assert!(!clock(at(31), at(0)).good && !clock(at(0), at(31)).good);
    }
}
