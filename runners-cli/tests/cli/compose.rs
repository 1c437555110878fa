//! What the compose file says to the program: it knows each variable and each flag. That they do what they are
//! for, `cargo xtask images --all` shows.

use crate::stage::Stage;

const COMPOSE: &str = include_str!("../../../ops/images/compose.yml");

/// What is said of a service, without comments.
fn service(name: &str) -> String {
    let is_name = |line: &str| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
    let lines = COMPOSE.lines().filter(|line| !line.trim_start().starts_with('#'));
    let lines = lines.skip_while(|line| *line != format!("  {name}:")).skip(1);
    lines.take_while(|line| !is_name(line) && line.starts_with(' ')).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_program_knows_each_variable_and_flag_of_the_compose_file() {
    let stage = Stage::new();
    let services: [(&str, &[&[&str]], usize); 3] = [
        ("server", &[&["server", "--help"], &["list", "--help"]], 2),
        ("admission", &[&["tokens", "create", "--help"]], 5),
        ("agent", &[&["run", "--help"]], 5),
    ];
    for (name, verbs, expected) in services {
        let help: String = verbs.iter().map(|verb| stage.run(verb).stdout()).collect();
        let service = service(name);
        let words = service.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_".contains(letter)));
        let is_ours =
            |word: &&str| ["--", "RUNNERS_", "RUNNER_", "MAX_"].iter().any(|start| word.starts_with(start));
        let words: Vec<&str> = words.filter(is_ours).filter(|word| *word != "RUNNERS_PORT").collect();
        assert_eq!(words.len(), expected, "{name}: {words:?}");
        for word in words {
            assert!(help.contains(word), "{name} is told {word}, which is not in: {help}");
        }
    }
    // Longer than a runner has to finish what it holds.
    let help = stage.run(&["run", "--help"]).stdout();
    assert!(help.contains("[default: 10m]") && service("agent").contains("stop_grace_period: 11m"));
}
