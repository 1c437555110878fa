//! What is told before anything is sent.

use runners_api::{HttpOrchestrator, HttpOrchestratorError};
use runners_core::Token;

#[test]
fn what_is_wrong_with_a_url_or_a_token_is_told_before_anything_is_sent() {
    let token = || Token::from_text("rapi_secret");
    for url in [
        "",
        "tests.example",
        "ftp://tests.example",
        "https://a:b@tests.example",
        "https://tests.example/?a",
        "https://tests.example/#a",
    ] {
        let error = HttpOrchestrator::builder(url).token(token()).build().unwrap_err();
        assert!(matches!(error, HttpOrchestratorError::Url(_)), "{url}: {error}");
        assert!(!error.to_string().contains("a:b"), "{error}");
    }
    let plain = || HttpOrchestrator::builder("http://tests.example/api");
    let error = plain().token(token()).build().unwrap_err();
    assert!(matches!(error, HttpOrchestratorError::InsecureHttp { .. }), "{error}");
    assert!(plain().build().is_ok() && plain().token(token()).insecure_http(true).build().is_ok());
    for token in ["", "a b", "a\n"] {
        let error = HttpOrchestrator::builder("https://tests.example").token(Token::from_text(token)).build();
        assert!(matches!(error, Err(HttpOrchestratorError::Token)), "{token:?}");
    }
}

#[test]
fn a_token_is_shown_nowhere() {
    let builder = HttpOrchestrator::builder("https://tests.example").token(Token::from_text("rapi_secret"));
    let mut shown = format!("{builder:?}");
    let orchestrator = builder.build().unwrap();
    shown.push_str(&format!("{orchestrator:?} {:?}", orchestrator.clone().into_client()));
    assert!(shown.contains("tests.example") && !shown.contains("secret"), "{shown}");
}
