//! Servers under names: whose credential is sent where.

use crate::stage::{Ended, Stage, mode};
use std::fs;

fn add(stage: &Stage, name: &str, url: &str, more: &[&str]) -> Ended {
    let line = ["profile", "add", name, "-s", url, "--token-file", "runners-data/api-token"];
    stage.run(&[&line, more].concat())
}

/// Runs the program where no token lies beside it.
fn elsewhere(stage: &Stage, line: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let directory = stage.path("elsewhere");
    fs::create_dir_all(&directory).unwrap();
    let mut command = stage.command(line);
    let output = command.current_dir(directory).envs(variables.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_profile_says_where_verbs_go_and_with_which_credential() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    add(&stage, "lab", &url, &[]).expect(0, "");
    assert_eq!(mode(&stage.path("config/runners/profiles/lab.json")), 0o600);
    add(&stage, "lab", &url, &[]).expect(2, "there is a profile lab already");
    let (code, said) = elsewhere(&stage, &["pools", "list"], &[]);
    assert!(code == Some(2) && said.contains("there is no API credential"), "no profile is used yet: {said}");
    let (code, said) = elsewhere(&stage, &["pools", "list", "--profile", "lab"], &[]);
    assert!(code == Some(0) && said.contains("default"), "{said}");
    let (code, _) = elsewhere(&stage, &["--profile", "lab", "pools", "list"], &[]);
    assert_eq!(code, Some(0));
    let (_, said) = elsewhere(&stage, &["pools", "list", "--profile", "lap"], &[]);
    assert!(said.contains("did you mean lab?"), "{said}");

    stage.run(&["profile", "use", "lab"]).expect(0, "");
    let (code, said) = elsewhere(&stage, &["pools", "list"], &[]);
    assert_eq!(code, Some(0), "{said}");
    let listed = stage.run(&["profile", "list"]).stdout();
    assert!(listed.contains("used") && listed.contains(&url) && !listed.contains("rapi_"), "{listed}");
    let secret = stage.read("runners-data/api-token");
    for line in [["pools", "list", "--help"], ["profile", "list", "--json"]] {
        let (_, said) = elsewhere(&stage, &line, &[]);
        assert!(!said.contains(secret.trim()), "{said}");
    }
    stage.run(&["profile", "use", "--none"]).expect(0, "");
    assert_eq!(elsewhere(&stage, &["pools", "list"], &[]).0, Some(2));
    stage.run(&["profile", "remove", "lab"]).expect(0, "");
    assert!(!stage.path("config/runners/profiles/lab.json").exists());
}

#[test]
fn the_credential_of_a_profile_goes_to_its_server_and_to_no_other() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    add(&stage, "lab", &url, &[]).expect(0, "");
    stage.run(&["profile", "use", "lab"]).expect(0, "");
    let other = "http://127.0.0.1:1";
    let (code, said) = elsewhere(&stage, &["pools", "list", "-s", other], &[]);
    assert!(code == Some(2) && said.contains("there is no API credential"), "{said}");
    let (code, said) = elsewhere(&stage, &["pools", "list"], &[("RUNNERS_SERVER", other)]);
    assert!(code == Some(2) && said.contains("there is no API credential"), "{said}");
    let (code, said) = elsewhere(&stage, &["pools", "list", "-s", other, "--profile", "lab"], &[]);
    assert!(code == Some(2) && said.contains("names another server"), "{said}");
    // What is asked for on the command line goes before the environment.
    let line = ["pools", "list", "--profile", "lab"];
    let wrong = [("RUNNERS_SERVER", other), ("RUNNERS_API_TOKEN", "rapi_wrong")];
    assert_eq!(elsewhere(&stage, &line, &wrong).0, Some(0));
    let (code, _) = elsewhere(&stage, &["pools", "list", "-s", &url], &[]);
    assert_eq!(code, Some(0), "it is the same server");
}

#[test]
fn a_profile_whose_credential_the_server_does_not_know_is_not_kept() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let wrong = format!("rapi_{}", "0".repeat(64));
    stage.write("wrong", &wrong);
    let line = ["profile", "add", "lab", "-s", &url, "--token-file", "wrong"];
    stage.run(&line).expect(2, "does not know this credential");
    assert!(!stage.path("config/runners/profiles/lab.json").exists());
    stage.run(&[&line[..], &["--unchecked"]].concat()).expect(0, "");
    add(&stage, "none", "http://127.0.0.1:1", &[]).expect(2, "--unchecked");
    stage.run(&["profile", "add", "a/b", "-s", &url]).expect(2, "is not the name of a profile");
}
