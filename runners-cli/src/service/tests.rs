//! The files are read by those who will read them, where these are there.

use super::*;
use std::process::Command;

fn service(kind: ServiceKind, user: Option<&str>) -> Service {
    Service {
        kind,
        name: "rack-7".to_owned(),
        program: "/opt/the runners/50%/runners".into(),
        home: "/var/lib/run & <ners>".into(),
        user: user.map(str::to_owned),
    }
}

#[test]
fn a_unit_names_the_program_and_its_home_whatever_they_are_called() {
    let unit = service(ServiceKind::Systemd, Some("ci")).text().unwrap();
    let started =
        r#"ExecStart="/opt/the runners/50%%/runners" start --foreground --home "/var/lib/run & <ners>""#;
    assert!(unit.contains(started), "{unit}");
    for line in ["Type=notify", "User=ci", "ProtectSystem=strict", "WatchdogSec=90", "UMask=0077"] {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    let of_user = service(ServiceKind::Systemd, None).text().unwrap();
    assert!(!of_user.contains("User=") && of_user.contains("WantedBy=default.target"), "{of_user}");
}

#[test]
fn systemd_finds_nothing_wrong_with_a_unit() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("a runner");
    std::fs::copy("/bin/true", &program).unwrap();
    for user in [None, Some("root")] {
        let mut service = service(ServiceKind::Systemd, user);
        service.program.clone_from(&program);
        let file = directory.path().join("rack-7.service");
        std::fs::write(&file, service.text().unwrap()).unwrap();
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--recursive-errors=no", "--man=no"]).arg(&file);
        let Ok(found) = verify.output() else {
            eprintln!("skipped: there is no systemd-analyze here, which would read the unit");
            return;
        };
        let told = String::from_utf8_lossy(&found.stderr).into_owned();
        let ours: Vec<_> = told.lines().filter(|line| line.contains("rack-7")).collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
}

#[test]
fn a_property_list_says_what_is_started() {
    for user in [None, Some("ci")] {
        let text = service(ServiceKind::Launchd, user).text().unwrap();
        let list =
            plist::Value::from_reader_xml(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let list = list.as_dictionary().unwrap();
        let words = list["ProgramArguments"].as_array().unwrap();
        let words: Vec<_> = words.iter().filter_map(plist::Value::as_string).collect();
        let expected =
            ["/opt/the runners/50%/runners", "start", "--foreground", "--home", "/var/lib/run & <ners>"];
        assert_eq!(words, expected);
        assert_eq!(list["Label"].as_string(), Some("runners.rack-7"));
        assert_eq!(list.get("UserName").and_then(plist::Value::as_string), user);
    }
}

#[test]
fn what_no_file_can_hold_is_refused() {
    let mut bad = service(ServiceKind::Systemd, None);
    bad.home = "/var/lib/a\nExecStartPre=/bin/sh".into();
    assert!(bad.text().unwrap_err().to_string().contains("control character"));
    let user = service(ServiceKind::Systemd, Some("ci\nExecStart=x")).text();
    assert!(user.unwrap_err().to_string().contains("not the name of a user"));
}
