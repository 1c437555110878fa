//! The floors of the core: values, rules, seams, actors. No path points up, and none goes round by
//! the names that the root exports.

use crate::{
    Violation,
    source::{Source, closing, names},
};

const CORE: &str = "runners-core/src/";
const FLOORS: &[&str] = &["values", "rules", "seams", "actors"];

/// No `crate::` or `super::` path of a floor points up. Tests of a floor may also use what the root
/// exports, as users do, and what is for testing.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let Some(mine) = floor_of(&source.path) else { return Vec::new() };
    let mut found = Vec::new();
    for (at, name) in roots(&source.code) {
        let line = source.line_at(at);
        match FLOORS.iter().position(|floor| *floor == name) {
            Some(theirs) if theirs <= mine => {}
            Some(_) => found.push(source.violation(line, format!("{} point up to {name}", FLOORS[mine]))),
            None if source.is_test(line) => {}
            None => {
                let message = format!("`crate::{name}`: name the floor it is on, as `crate::values::…`");
                found.push(source.violation(line, message));
            }
        }
    }
    found
}

fn floor_of(path: &str) -> Option<usize> {
    let inside = path.strip_prefix(CORE)?;
    let top = inside.split('/').next()?.trim_end_matches(".rs");
    FLOORS.iter().position(|floor| *floor == top)
}

/// The names that stand directly below the root of the crate in the paths of `code`, with their
/// place. Of `super::` paths, only those that lead to a floor.
fn roots(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, name) in names(code) {
        let behind = at + name.len();
        let is_path = code[behind..].starts_with("::");
        let is_root = name == "crate" && is_path;
        let is_super = name == "super" && is_path;
        // `$crate::` is of a macro, and leads wherever its user is.
        if !(is_root || is_super) || code[..at].ends_with('$') {
            continue;
        }
        let below = first_names(code, behind + 2);
        found.extend(below.into_iter().filter(|(at, name)| {
            let is_macro = code[at + name.len()..].starts_with('!');
            if is_root { !is_macro } else { FLOORS.contains(name) }
        }));
    }
    found
}

/// The first name of the path that goes on at `start`, or those of each path of its group.
fn first_names(code: &str, start: usize) -> Vec<(usize, &str)> {
    let start = start + (code[start..].len() - code[start..].trim_start().len());
    if !code[start..].starts_with('{') {
        return names(&code[start..]).next().map(|(at, name)| (start + at, name)).into_iter().collect();
    }
    let Some(end) = closing(code, start) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = start + 1;
    while let Some((offset, name)) = names(&code[at..end]).next() {
        found.push((at + offset, name));
        at = next_part(code, at + offset + name.len(), end);
    }
    found
}

/// Where the next path of a group starts.
fn next_part(code: &str, mut at: usize, end: usize) -> usize {
    while at < end {
        match code.as_bytes()[at] {
            b'{' => at = closing(code, at).unwrap_or(end),
            b',' => return at + 1,
            _ => at += 1,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_do_not_know_the_floors_above() {
        let text = "use crate::{rules::job::{JobRecord, State}, values::id::JobId, seams};\n";
        let path = "runners-core/src/values/a.rs";
        assert_eq!(
            found(path, text),
            [format!("{path}:1: values point up to rules"), format!("{path}:1: values point up to seams"),]
        );
    }

    #[test]
    fn seams_may_use_rules_but_not_actors() {
        let path = "runners-core/src/seams.rs";
        assert!(found(path, "use crate::rules::job::State;").is_empty());
        assert_eq!(found(path, "fn a(b: crate::actors::B) {}").len(), 1);
        assert_eq!(found(path, "use super::super::actors::B;").len(), 1);
    }

    #[test]
    fn the_names_that_the_root_exports_are_no_way_round() {
        assert_eq!(found("runners-core/src/rules/a.rs", "use crate::ControlPlane;").len(), 1);
        assert_eq!(found("runners-core/src/rules/a.rs", "use crate::testing::Clock;").len(), 1);
    }

    #[test]
    fn tests_may_use_what_users_and_tests_have_but_no_higher_floor() {
        let text =
            "#[cfg(test)]\nmod tests { use crate::{TenantId, testing::Clock}; crate::store_suite!(x); }";
        assert!(found("runners-core/src/seams/a.rs", text).is_empty());
        let text = "#[cfg(test)]\nmod tests { use crate::actors::A; }";
        assert_eq!(found("runners-core/src/seams/a.rs", text).len(), 1);
    }

    #[test]
    fn what_is_beside_the_floors_may_use_all() {
        assert!(found("runners-core/src/testing/a.rs", "use crate::{actors::A, Clock};").is_empty());
        assert!(found("runners-cli/src/main.rs", "use crate::actors::A;").is_empty());
    }
}
