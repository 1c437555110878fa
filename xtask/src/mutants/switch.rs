//! Many broken rules in one build: every function that a mutant breaks stands there once as it is and
//! once for each of its mutants, and an environment variable says which is carried out. To build the
//! core takes longer than most of its tests, so it is built once for all mutants instead of once for
//! each.
//!
//! What cannot be switched, such as a constant, is left to be built by itself.

use super::list::Mutant;
use anyhow::{Context, Result};
use std::{collections::BTreeMap, ops::Range};
use syn::{
    Block, Signature,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// Names the mutant that is switched on.
pub(super) const VARIABLE: &str = "RUNNERS_BROKEN_RULE";

/// The root of the crate that a file belongs to, which is given the switch. `None` for what is not Rust.
pub(super) fn root_of(file: &str) -> Option<String> {
    let (of, _) = file.strip_suffix(".rs")?.split_once("/src/")?;
    Some(format!("{of}/src/lib.rs"))
}

/// What the root of a crate is given.
pub(super) const SWITCH: &str = r#"
/// Whether the rule of this name is broken.
#[doc(hidden)]
pub(crate) fn is_broken_rule(name: &str) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    NAME.get_or_init(|| std::env::var("RUNNERS_BROKEN_RULE").ok()).as_deref() == Some(name)
}
"#;

/// A source in which rules can be switched off.
#[derive(Debug)]
pub(super) struct Switched<'a> {
    pub(super) source: String,
    pub(super) mutants: Vec<&'a Mutant>,
}

/// Puts those mutants behind switches that are within a function.
pub(super) fn switched<'a>(source: &str, mutants: &[&'a Mutant]) -> Result<Switched<'a>> {
    let file = syn::parse_file(source).context("the file is not Rust")?;
    let mut functions = Functions::default();
    functions.visit_file(&file);
    let mut by_function: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutant in mutants {
        mutant.applied_to(source)?;
        let Some(at) = source.find(mutant.search) else { continue };
        let place = at..at + mutant.search.len();
        if let Some(body) = functions.around(&place) {
            by_function.entry((body.start, body.end)).or_default().push((mutant, place));
        }
    }
    let mut switched = Switched { source: source.to_owned(), mutants: Vec::new() };
    // From the end, so that the places before it stay what they are.
    for ((start, end), broken) in by_function.into_iter().rev() {
        let mut body = String::from("{ ");
        for (mutant, place) in broken {
            let (before, after) = (&source[start..place.start], &source[place.end..end]);
            let name = mutant.name;
            body +=
                &format!("if crate::is_broken_rule({name:?}) {before}{}{after} else ", mutant.replacement);
            switched.mutants.push(mutant);
        }
        body += &format!("{} }}", &source[start..end]);
        switched.source.replace_range(start..end, &body);
    }
    Ok(switched)
}

/// The bodies of functions in which something can be switched.
#[derive(Debug, Default)]
struct Functions {
    bodies: Vec<Body>,
}

#[derive(Debug)]
struct Body {
    place: Range<usize>,
    /// Both branches of a switch are of one type, and are decided on as it runs.
    can_switch: bool,
}

impl Functions {
    /// The body of the innermost function around a place, if something can be switched in it.
    /// Functions within functions are left alone: the outer one may be switched as well.
    fn around(&self, place: &Range<usize>) -> Option<Range<usize>> {
        let around = |body: &&Body| body.place.start < place.start && place.end < body.place.end;
        let mut bodies = self.bodies.iter().filter(around);
        let only = bodies.next().filter(|body| body.can_switch)?;
        bodies.next().is_none().then(|| only.place.clone())
    }

    fn take(&mut self, signature: &Signature, block: &Block) {
        let is_opaque = matches!(&signature.output, syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)));
        let can_switch = signature.constness.is_none() && !is_opaque;
        self.bodies.push(Body { place: block.span().byte_range(), can_switch });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.take(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.take(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &'static str, search: &'static str, replacement: &'static str) -> Mutant {
        Mutant { name, file: "", search, replacement, test: &[] }
    }

    #[test]
    fn a_function_stands_there_once_for_each_of_its_mutants() {
        let source = "fn sum(one: u8) -> u8 { one + 1 }\nfn other() {}\n";
        let mutants = [mutant("less", "+ 1", "- 1"), mutant("none", "+ 1", "")];
        let switched = switched(source, &mutants.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(
            switched.source,
            "fn sum(one: u8) -> u8 { if crate::is_broken_rule(\"less\") { one - 1 } else \
             if crate::is_broken_rule(\"none\") { one  } else { one + 1 } }\nfn other() {}\n"
        );
        assert_eq!(switched.mutants.len(), 2);
    }

    #[test]
    fn what_cannot_be_switched_is_left_as_it_is() {
        let source = "const ONE: u8 = 1;\nconst fn two() -> u8 { 2 }\nfn some() -> impl Iterator { 3..4 }\n";
        let mutants = [mutant("one", "= 1", "= 9"), mutant("two", "2", "9"), mutant("some", "3..", "4..")];
        let switched = switched(source, &mutants.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((switched.source.as_str(), switched.mutants.len()), (source, 0));
    }

    #[test]
    fn every_crate_has_its_own_switch_and_a_script_has_none() {
        assert_eq!(root_of("runners-core/src/rules/log.rs").as_deref(), Some("runners-core/src/lib.rs"));
        assert_eq!(root_of("runners-report/src/lib.rs").as_deref(), Some("runners-report/src/lib.rs"));
        assert_eq!(root_of("runners-exec-webdriver/src/scripts/act.js"), None);
    }

    #[test]
    fn the_switch_reads_the_variable() {
        assert!(SWITCH.contains(&format!("{VARIABLE:?}")));
    }
}
