//! What `runners --help` prints of its commands: in groups, by what they are for.

use clap::Command;
use console::Term;

/// What commands are for, and which they are.
const GROUPS: [(&str, &[&str]); 7] = [
    ("To begin with", &["dev", "flow", "submit"]),
    (
        "The runner of this machine",
        &["run", "start", "stop", "restart", "status", "log", "doctor", "register", "logout", "service"],
    ),
    (
        "Jobs",
        &[
            "jobs",
            "job",
            "explain",
            "logs",
            "artifacts",
            "cancel",
            "runs",
            "flows",
            "container",
            "orchestrate",
            "run-checks",
        ],
    ),
    (
        "Runners of a server",
        &[
            "runners", "list", "ping", "drain", "resume", "slots", "rename", "remove", "signal", "pools",
            "tokens",
        ],
    ),
    (
        "A server",
        &[
            "server",
            "config",
            "environments",
            "credentials",
            "webhooks",
            "retention",
            "audit",
            "tenants",
            "rollout",
            "chaos",
        ],
    ),
    ("How to call servers", &["profile", "key"]),
    ("This program", &["completion", "man", "help"]),
];

/// The command that clap adds by itself, later than this is put together.
const HELP: (&str, &str) = ("help", "Print the help of a command");

/// How wide a line is at most, and where nobody looks at a terminal.
const WIDTH_MAX: usize = 100;

/// Where descriptions begin.
const INDENT: usize = 16;

/// Has `--help` list the commands in their groups.
pub(super) fn in_groups(command: Command) -> Command {
    let width =
        Term::stdout().size_checked().map_or(WIDTH_MAX, |(_, width)| usize::from(width).min(WIDTH_MAX));
    let groups = GROUPS.map(|(name, verbs)| group(&command, name, verbs, width)).concat();
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{}\n{{options}}{{after-help}}",
        heading("Options")
    ))
}

fn group(command: &Command, name: &str, verbs: &[&str], width: usize) -> String {
    let known = verbs.iter().filter_map(|verb| {
        let about = command.find_subcommand(verb).and_then(Command::get_about);
        let about = about.map(ToString::to_string).or((*verb == HELP.0).then(|| HELP.1.to_owned()))?;
        Some(line(verb, &about, width))
    });
    let lines: String = known.collect();
    format!("{}\n{lines}\n", heading(name))
}

/// A heading as clap prints its own; it takes the colours out where there is no terminal.
fn heading(text: &str) -> String {
    format!("\u{1b}[1m\u{1b}[4m{text}:\u{1b}[0m")
}

/// A command and what it does, in as many lines as that takes.
fn line(name: &str, about: &str, width: usize) -> String {
    let room = width.saturating_sub(INDENT).max(INDENT);
    let mut lines = vec![String::new()];
    for word in about.split_whitespace() {
        let last = lines.last_mut().expect("there is one");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    let gap = " ".repeat(INDENT.saturating_sub(2 + name.len()).max(1));
    format!("  \u{1b}[1m{name}\u{1b}[0m{gap}{}\n", lines.join(&format!("\n{}", " ".repeat(INDENT))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::CommandFactory as _;
    use std::collections::BTreeSet;

    #[test]
    fn every_command_is_in_one_group() {
        let mut command = Arguments::command();
        command.build();
        let there: BTreeSet<&str> = command.get_subcommands().map(Command::get_name).collect();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        let names: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(names.len(), listed.len(), "one is listed twice");
        let missing: Vec<_> = there.difference(&names).collect();
        assert!(missing.is_empty(), "in no group: {missing:?}");
        if cfg!(unix) {
            assert_eq!(there, names);
        }
    }

    #[test]
    fn descriptions_are_wrapped_beside_their_commands() {
        assert_eq!(
            line("verb", "some words that do not fit into one line", 40),
            "  \u{1b}[1mverb\u{1b}[0m          some words that do not\n                fit into one line\n"
        );
    }
}
