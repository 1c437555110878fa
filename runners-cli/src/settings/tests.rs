//! What counts, and what is said to a file that is wrong.

use super::*;
use clap::{Args as _, Command, FromArgMatches as _};

fn resolve(arguments: &[&str], file: &str) -> Result<Settings> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runners.toml");
    std::fs::write(&path, file).unwrap();
    let command = GivenSettings::augment_args(Command::new("server"));
    let all = ["server", "--config", path.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
    let matches = command.get_matches_from(all);
    let given = GivenSettings::from_arg_matches(&matches).unwrap();
    Settings::resolve(&given, &Sources::of(&matches), [])
}

fn origin(settings: &Settings, key: &str) -> String {
    settings.origins[key].to_string()
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_what_is_usual() {
    let file = "term = \"90s\"\nlisten = \"127.0.0.1:1\"\n[Features]\nSelfHostedRelayEnabled = false\n";
    let settings = resolve(&["--listen", "127.0.0.1:2"], file).unwrap();
    assert_eq!(settings.listen().port(), 2);
    assert_eq!(origin(&settings, "listen"), "flag");
    assert_eq!(settings.layer.term, Some("90s".parse().unwrap()));
    assert!(origin(&settings, "term").starts_with("file "));
    assert_eq!(origin(&settings, "data"), "default");
    assert!(!settings.rollout().relay.enabled && settings.rollout().self_hosted.enabled);
}

#[test]
fn the_environment_goes_before_the_file() {
    let one = TenantId::from_bytes([1; 16]);
    let file = "[SelfHosted]\nEnabledTenants = []\n[Features]\nSelfHostedRunnersEnabled = true\n";
    let (layer, _) = document::parse(file, false).unwrap();
    let variables = [("SelfHosted__EnabledTenants".to_owned(), one.to_string())];
    let (features, self_hosted) = rollout::read(variables).unwrap();
    let variables = Layer { features, self_hosted, ..Layer::default() };
    let layers = vec![(Origin::File("a".into()), layer), (Origin::Environment, variables)];
    let settings = Settings::merge(layers).unwrap();
    assert_eq!(settings.rollout().self_hosted.tenants, [one].into());
    assert_eq!(origin(&settings, "SelfHosted.EnabledTenants"), "environment");
    assert_eq!(origin(&settings, "Features.SelfHostedRunnersEnabled"), "file a");
}

#[test]
fn how_many_browsers_there_are_has_a_limit_wherever_it_is_said() {
    assert_eq!(resolve(&[], "").unwrap().browsers(), 4);
    assert_eq!(resolve(&[], "browsers = 9").unwrap().browsers(), 9);
    assert_eq!(resolve(&["--browsers", "2"], "browsers = 9").unwrap().browsers(), 2);
    for count in ["0", "65"] {
        let told = resolve(&[], &format!("browsers = {count}")).unwrap_err().to_string();
        assert!(told.contains("must be from 1 to 64"), "{told}");
    }
}

#[test]
fn a_key_that_is_not_known_is_told_with_the_nearest() {
    let told = |file: &str| format!("{:#}", document::parse(file, false).unwrap_err());
    assert_eq!(told("lisen = \"\""), "lisen: there is no such setting; did you mean listen?");
    assert!(
        told("[Features]\nSelfHostedRunnerEnabled = true").contains("Features.SelfHostedRunnersEnabled?")
    );
    assert!(told("tls_cert = \"a\"").contains("did you mean tls-cert?"));
    assert!(told("zzz = 1").contains("--print-config"));
    assert!(told("[Feature]\nx = 1").contains("Feature: there is no such setting"));
}

#[test]
fn a_value_of_another_type_is_told_with_its_key() {
    let told = |file: &str| format!("{:#}", document::parse(file, false).unwrap_err());
    assert!(told("listen = 7878").starts_with("listen: "), "{}", told("listen = 7878"));
    assert!(told("term = \"90\"").contains("term: \"90\" is not a time"), "{}", told("term = \"90\""));
    assert!(
        told("[Features]\nSelfHostedRelayEnabled = \"yes\"").starts_with("Features.SelfHostedRelayEnabled: ")
    );
    assert!(told("[SelfHosted]\nEnabledTenants = [\"acme\"]").starts_with("SelfHosted.EnabledTenants[0]: "));
    assert!(told("listen =").contains("is not TOML"));
}

#[test]
fn json_says_the_same() {
    let (toml, _) = document::parse("webhook-allow = [\"10.0.0.0/8\"]\nkeep-jobs = \"1d\"", false).unwrap();
    let (json, _) = document::parse(r#"{"webhook-allow": ["10.0.0.0/8"], "keep-jobs": "1d"}"#, true).unwrap();
    assert_eq!(toml, json);
}

#[test]
fn half_of_a_certificate_is_refused() {
    let told = resolve(&[], "tls-cert = \"a.pem\"").unwrap_err().to_string();
    assert!(told.contains("give both, or neither"), "{told}");
}

#[test]
fn regions_of_the_environment_go_before_those_of_the_file_name_by_name() {
    let file =
        "[regions]\neu = \"https://eu.example\"\nus = { url = \"https://us.example\", token = \"hunter2\" }";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runners.toml");
    std::fs::write(&path, file).unwrap();
    let variable = ("PLAYWRIGHT_RUNNERS".to_owned(), r#"{"us": "https://other.example"}"#.to_owned());
    let settings = Settings::read(Some(&path), [variable]).unwrap();
    let origins: Vec<_> = settings.region_names().map(|(name, origin)| (name, origin.to_string())).collect();
    assert_eq!(origins[1], ("us", "environment".to_owned()));
    assert!(origins[0].0 == "eu" && origins[0].1.starts_with("file "), "{origins:?}");
    assert_eq!(settings.regions(Egress::pushing()).unwrap().len(), 2);
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn the_token_of_a_region_may_lie_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("eu-token");
    std::fs::write(&file, "hunter2\n").unwrap();
    let text =
        format!("[regions.eu]\nurl = \"https://eu.example\"\ntoken-file = {:?}", file.display().to_string());
    let (_, regions) = document::parse(&text, false).unwrap();
    let told = format!("{regions:?}");
    assert!(told.contains("token: Some") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_region_that_is_written_wrong_is_told_with_its_name_and_without_its_values() {
    let told = |file: &str| format!("{:#}", document::parse(file, false).unwrap_err());
    let text = told("[regions.eu]\nurl = \"https://eu.example\"\ntoken = 5");
    assert!(text.contains("the region \"eu\""), "{text}");
    let text = told("[regions.eu]\nurl = \"https://eu.example\"\ntokn = \"hunter2\"");
    assert!(text.contains("unknown field `tokn`") && !text.contains("hunter2"), "{text}");
    let text = told("[regions.eu]\nurl = \"https://eu.example\"\ntoken = \"hunter2\"\ntoken-file = \"x\"");
    assert!(text.contains("token-file: there is a token beside it") && !text.contains("hunter2"), "{text}");
    let text = told("[regions.eu]\nurl = \"https://eu.example\"\ntoken-file = \"not/there\"");
    assert!(
        text.contains("the region \"eu\": token-file: could not read the token file not/there"),
        "{text}"
    );
    assert!(told("regions = \"hunter2\"").contains("write a section [regions]"));
    assert!(told("[region]\neu = \"https://eu.example\"").contains("did you mean regions?"));
}
