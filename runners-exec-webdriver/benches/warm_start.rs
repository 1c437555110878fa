//! How long a session takes to open and to close: in a browser that is started for it, and in one that
//! is kept started. Prints the median, the least and the most of each.

use runners_core::{Clock, SystemClock};
use runners_exec_webdriver::{Browser, Driver, DriverOptions, Engine, WarmBrowsers, WarmOptions};
use std::{error::Error, time::Duration};

const ROUNDS: usize = 11;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        for engine in Engine::ALL {
            if let Err(error) = DriverOptions::of(*engine).check() {
                println!("{engine}: skipped: {error}");
                continue;
            }
            let driver = Driver::new(DriverOptions::of(*engine));
            let warm = WarmBrowsers::new(driver.clone(), WarmOptions::default());
            measure(&format!("{engine}, started for it"), &driver).await?;
            if *engine == Engine::Webkit {
                driver.stop().await;
                continue;
            }
            warm.warm_up().await;
            measure(&format!("{engine}, kept"), &warm).await?;
            warm.stop().await;
        }
        Ok(())
    })
}

async fn measure(what: &str, browser: &dyn Browser) -> Result<(), Box<dyn Error>> {
    let clock = SystemClock::default();
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = clock.boot();
        let session = browser.open().await?;
        opened.push(clock.boot().since(before));
        let before = clock.boot();
        session.close().await;
        closed.push(clock.boot().since(before));
    }
    println!("{what}: open {}, close {}", spread(opened), spread(closed));
    Ok(())
}

fn spread(mut spans: Vec<Duration>) -> String {
    spans.sort();
    let [half, least, most] = [spans[spans.len() / 2], spans[0], spans[spans.len() - 1]];
    format!("{} ms ({} to {})", half.as_millis(), least.as_millis(), most.as_millis())
}
