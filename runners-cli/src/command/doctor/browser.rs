//! Whether this machine can replay flows: the driver, the browser that it starts, and the space that
//! they need.

use super::Finding;
use crate::{args::DoctorArgs, local::LocalBrowser, terminal};
use runners_exec_webdriver::Engine;

pub(super) async fn look(arguments: &DoctorArgs) -> Vec<Finding> {
    let engine = arguments.browser.engine;
    if arguments.browser.webdriver.is_some() {
        return vec![remote(arguments).await];
    }
    let browser = match LocalBrowser::new(&arguments.browser) {
        Ok(browser) => browser,
        Err(error) => return vec![Finding::bad("driver", terminal::chain(&error), install(engine))],
    };
    let driver = match engine {
        Engine::Firefox => "none is needed: firefox is spoken to itself",
        _ => "it is there",
    };
    let found = match browser.version().await {
        Some((name, version)) => Finding::good("browser", format!("{name} {version}")),
        None => Finding::bad("browser", "it does not tell its version", "start it by hand once"),
    };
    vec![Finding::good("driver", driver), found]
}

/// Asks a driver elsewhere for a session.
async fn remote(arguments: &DoctorArgs) -> Finding {
    let browser = match LocalBrowser::new(&arguments.browser) {
        Ok(browser) => browser,
        Err(error) => {
            return Finding::bad("driver", terminal::chain(&error), "mend --webdriver-capabilities");
        }
    };
    let probed = browser.probe().await;
    browser.stop().await;
    match probed {
        Ok(probe) => {
            Finding::good("driver", format!("elsewhere, with version {} of its browser", probe.version))
        }
        Err(error) => {
            let fix = "is the URL of --webdriver right, and does what answers there start a browser?";
            Finding::bad("driver", terminal::chain(&error.into()), fix)
        }
    }
}

const fn install(engine: Engine) -> &'static str {
    match engine {
        Engine::Firefox => "on Debian and Ubuntu: apt-get install firefox-esr",
        Engine::Webkit => "on Debian and Ubuntu: apt-get install cog wpewebkit-driver dbus",
        _ => "on Debian and Ubuntu: apt-get install chromium chromium-driver",
    }
}
