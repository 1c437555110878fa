//! A suite in another language, as the documentation has it: pytest drives a browser through Selenium.

use crate::{
    bench::Bench,
    browsers::{nothing_is_left, offering},
    daemon::{BROWSER_IMAGE, PYTEST_IMAGE},
};
use runners_core::Conclusion;
use runners_exec_container::{BrowserImage, ContainerJob, TestState, WantedBrowser};
use std::{fs, path::Path};

/// How the documentation has it started.
const COMMAND: &str =
    r#"python3 -m pytest -p no:cacheprovider "$RUNNERS_INPUT" --junitxml="$RUNNERS_OUTPUT/junit.xml""#;

/// The suite of the documentation.
fn suite() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/containers.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(COMMAND), "the documentation starts it by another command");
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_suite_of_pytest_drives_the_browser_and_its_tests_are_the_result() {
    let Some(bench) = Bench::with_policy("pytest", offering(BrowserImage::of(BROWSER_IMAGE))).await else {
        return;
    };
    if !bench.daemon.has_browser() || !bench.daemon.has_pytest() {
        return;
    }
    let job = |cart: &str| ContainerJob {
        image: Some(PYTEST_IMAGE.to_owned()),
        command: ["sh", "-c", COMMAND].map(str::to_owned).to_vec(),
        input: [("test_shop.py".to_owned(), suite())].into(),
        parameters: [(
            "url".to_owned(),
            format!("data:text/html,<title>The Shop</title><b id=cart>{cart}</b>"),
        )]
        .into(),
        junit: Some("junit.xml".to_owned()),
        browser: Some(WantedBrowser::Any),
        ..ContainerJob::default()
    };
    let ended = bench.run(job("0")).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    let tests = ended.result().tests.clone().unwrap();
    assert_eq!((tests.total, tests.failed), (2, 0), "{tests:?}");

    let ended = bench.run(job("3")).await;
    assert_eq!((ended.conclusion(), ended.result().exit_code), (Conclusion::Failed, 1), "{ended:?}");
    let tests = ended.result().tests.clone().unwrap();
    let states: Vec<_> = tests.cases.iter().map(|case| (&*case.name, case.state)).collect();
    let expected =
        [("test_the_shop_is_open", TestState::Passed), ("test_the_cart_is_empty", TestState::Failed)];
    assert_eq!(states, expected);
    let failure = tests.failures().next().unwrap();
    assert!(failure.message.contains("assert '3' == '0'"), "{failure:?}");
    assert!(ended.log.contains("1 failed, 1 passed"), "{}", ended.log);
    let pictures = ended.view.artifacts.iter().filter(|artifact| artifact.name.ends_with(".png"));
    assert_eq!(pictures.count(), 2, "{:?}", ended.view.artifacts);
    nothing_is_left(&bench, &ended).await;
    bench.close().await;
}
