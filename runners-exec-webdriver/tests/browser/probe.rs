//! What a runner finds out about its browsers.

use crate::stage::engine_options;
use runners_core::SystemClock;
use runners_exec_webdriver::{Driver, DriverOptions, Engine, Probe, ProbeError, WebGl};

#[tokio::test]
async fn every_engine_says_what_it_can_do() {
    for engine in Engine::ALL {
        let state = tempfile::tempdir().unwrap();
        let Some(options) = engine_options(*engine, &state) else { continue };
        let driver = Driver::new(options);
        let probe = Probe::of(&driver, &SystemClock::default()).await.unwrap();
        driver.stop().await;
        println!("{engine}: {probe:?}");
        assert_eq!(probe.engine, Some(*engine));
        let labels = probe.labels();
        assert!(labels.contains(&format!("engine={engine}")), "{labels:?}");
        assert!(labels.iter().any(|label| label.starts_with(&format!("{engine}="))), "{labels:?}");
        assert!(labels.iter().any(|label| label.starts_with("locale=")), "{labels:?}");
    }
}

#[tokio::test]
async fn webgl_without_a_graphics_card_is_there_and_said_to_be_software() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = engine_options(Engine::Chromium, &state) else { return };
    let driver = Driver::new(options);
    let probe = Probe::of(&driver, &SystemClock::default()).await.unwrap();
    driver.stop().await;
    assert!(matches!(probe.webgl, WebGl::Software { .. }), "{probe:?}");
    assert!(probe.labels().contains("webgl=software") && !probe.labels().contains("webgl=hardware"));
    assert!(probe.codecs.contains("vp9"), "{probe:?}");
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_told_and_no_panic() {
    let mut options = DriverOptions::of(Engine::Firefox);
    options.browser = Some("/nowhere/firefox".into());
    let failed = Probe::of(&Driver::new(options), &SystemClock::default()).await;
    assert!(matches!(failed, Err(ProbeError::NotOpened(_))), "{failed:?}");
}
