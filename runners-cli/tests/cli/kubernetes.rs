//! What the manifests for Kubernetes say to the program: it knows each variable and each flag, and the
//! server answers what the autoscaler asks.

use crate::{servers::get, stage::Stage};
use serde_json::Value;

const SERVER: &str = include_str!("../../../ops/kubernetes/base/server.yaml");
const RUNNER: &str = include_str!("../../../ops/kubernetes/base/runner.yaml");
const AUTOSCALER: &str = include_str!("../../../ops/kubernetes/autoscaled/autoscaler.yaml");

/// The value of the first member of that name, as it stands in its line.
fn member<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("there is no {name}"))
}

#[test]
fn the_program_knows_each_variable_and_flag_of_the_manifests() {
    let stage = Stage::new();
    for (manifest, verb, expected) in [(SERVER, "server", 3), (RUNNER, "run", 3)] {
        let help = stage.run(&[verb, "--help"]).stdout();
        let words = manifest.split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_'));
        let ours = |word: &&str| ["RUNNERS_", "RUNNER_", "MAX_"].iter().any(|start| word.starts_with(start));
        let variables: Vec<&str> = words.filter(ours).collect();
        assert_eq!(variables.len(), expected, "{variables:?}");
        for variable in variables {
            assert!(help.contains(&format!("{variable}=")), "{verb} knows no {variable}: {help}");
        }
    }
    let help = stage.run(&["run", "--help"]).stdout();
    let words = member(RUNNER, "args").split(['[', ',', ']']).map(str::trim);
    let flags: Vec<&str> = words.filter(|flag| flag.starts_with("--")).collect();
    assert_eq!(flags, ["--insecure-http", "--token-file"]);
    for flag in flags {
        assert!(help.contains(flag), "{flag} is not in: {help}");
    }
    // Longer than a runner has to finish what it holds.
    assert!(help.contains("[default: 10m]") && member(RUNNER, "terminationGracePeriodSeconds") == "660");
}

#[test]
fn the_autoscaler_is_told_how_many_runners_there_should_be() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let made = stage.run(&["credentials", "create", "autoscaler", "--scope", "read", "-s", &url]);
    made.expect(0, "");
    let asked = member(AUTOSCALER, "url");
    let (_, path) = asked.trim_start_matches("http://").split_once('/').unwrap();
    let answer = get(&url, &format!("/{path}"), made.stdout().trim());
    let summary: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(member(AUTOSCALER, "valueLocation"), "'pools.#(name==\"default\").desiredRunners'");
    let pools = summary["pools"].as_array().unwrap();
    let default = pools.iter().find(|pool| pool["name"] == "default").unwrap();
    assert_eq!(default["desiredRunners"], 0, "nothing is queued: {summary}");
    let admits = ["tokens", "create", "default", "--uses", "100", "--expires-in", "365d", "-s", &url];
    let admits = stage.run(&admits);
    admits.expect(0, "");
    assert_eq!(admits.stdout().lines().count(), 1, "a secret is made of it: {}", admits.stdout());
}
