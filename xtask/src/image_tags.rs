//! Under which tags an image is published. What publishes them is a workflow; which they are is
//! decided here, so that it can be tested.
//!
//! An image that is built is always published as `sha-` and the first digits of its commit, which
//! never changes hands; as `latest` only if that is asked for. An image that is there can be given
//! more tags without building it again.

use crate::process::CannotRun;
use anyhow::Result;
use clap::Args;
use std::fmt;

/// How many digits of a commit are in a tag.
const COMMIT_DIGITS: usize = 7;
/// The longest tag there can be, as the OCI distribution specification says.
const TAG_CHARS_MAX: usize = 128;
/// The longest name of a repository that registries take.
const REPOSITORY_CHARS_MAX: usize = 255;
/// What tags of built images start with.
const BUILT: &str = "sha-";
const LATEST: &str = "latest";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the image is published, such as `example/runner`
    #[arg(long)]
    repository: String,
    /// The commit that is built: its hash, whole or from the start
    #[arg(long)]
    commit: String,
    /// One more tag, such as `1.4.0`
    #[arg(long, value_name = "TAG")]
    image_tag: Option<String>,
    /// Build nothing: give the tags to the image that has this one
    #[arg(long, value_name = "TAG")]
    source_tag: Option<String>,
    /// Publish it as `latest` too
    #[arg(long)]
    latest: bool,
}

/// What is to be done, as lines that a workflow reads: `build`, or `reuse=` and an image; then
/// `publish=` and an image, once for each.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    reuse: Option<String>,
    publish: Vec<String>,
}

pub(crate) fn command(options: &Options) -> Result<()> {
    let plan = plan(options).map_err(CannotRun)?;
    print!("{plan}");
    Ok(())
}

/// # Errors
/// What is wrong with an option, and how it should be.
fn plan(options: &Options) -> Result<Plan, String> {
    check_repository(&options.repository)?;
    let named = |tag: &str| format!("{}:{tag}", options.repository);
    let source = given(options.source_tag.as_deref());
    let mut publish = Vec::new();
    if source.is_none() {
        publish.push(named(&format!("{BUILT}{}", short(&options.commit)?)));
    }
    if let Some(tag) = given(options.image_tag.as_deref()) {
        check_tag("--image-tag", tag)?;
        if tag == LATEST {
            return Err("--image-tag: `latest` is published with --latest only".to_owned());
        }
        if tag.starts_with(BUILT) {
            return Err(format!("--image-tag: what starts with `{BUILT}` names the commit an image is of"));
        }
        publish.push(named(tag));
    }
    if options.latest {
        publish.push(named(LATEST));
    }
    if let Some(tag) = source {
        check_tag("--source-tag", tag)?;
        publish.retain(|image| *image != named(tag));
    }
    if publish.is_empty() {
        return Err("--source-tag: give the image another tag with --image-tag or --latest".to_owned());
    }
    Ok(Plan { reuse: source.map(named), publish })
}

/// A form that was left empty gives nothing.
fn given(option: Option<&str>) -> Option<&str> {
    option.filter(|text| !text.is_empty())
}

fn short(commit: &str) -> Result<&str, String> {
    let is_hash = commit.len() >= COMMIT_DIGITS
        && commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_hash {
        Ok(&commit[..COMMIT_DIGITS])
    } else {
        Err(format!("--commit: {commit:?} is no hash of at least {COMMIT_DIGITS} digits in lower case"))
    }
}

fn check_tag(option: &str, tag: &str) -> Result<(), String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_tag = tag.len() <= TAG_CHARS_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
    if is_tag {
        return Ok(());
    }
    Err(format!(
        "{option}: {tag:?} is no tag: letters, digits, `_`, `.` and `-`, none of the last two at the start, \
         {TAG_CHARS_MAX} at most"
    ))
}

fn check_repository(repository: &str) -> Result<(), String> {
    let is_end = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let is_part = |part: &str| {
        part.bytes().next().is_some_and(is_end)
            && part.bytes().last().is_some_and(is_end)
            && part.bytes().all(|byte| is_end(byte) || matches!(byte, b'.' | b'_' | b'-' | b':'))
    };
    // A registry may have a port; what comes after it may not.
    let (first, rest) = repository.split_once('/').unwrap_or(("", repository));
    let is_name = repository.len() <= REPOSITORY_CHARS_MAX
        && (first.is_empty() || is_part(first))
        && rest.split('/').all(|part| is_part(part) && !part.contains(':'))
        && !repository.starts_with('/');
    if is_name {
        return Ok(());
    }
    Err(format!("--repository: {repository:?} names no repository, as `example/runner` would"))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reuse {
            Some(image) => writeln!(f, "reuse={image}")?,
            None => writeln!(f, "build")?,
        }
        self.publish.iter().try_for_each(|image| writeln!(f, "publish={image}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(image_tag: &str, source_tag: Option<&str>, latest: bool) -> Result<String, String> {
        let options = Options {
            repository: "example/runner".to_owned(),
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            image_tag: Some(image_tag.to_owned()),
            source_tag: source_tag.map(str::to_owned),
            latest,
        };
        plan(&options).map(|plan| plan.to_string())
    }

    #[test]
    fn what_is_built_is_always_published_by_its_commit() {
        assert_eq!(asked("", None, false).unwrap(), "build\npublish=example/runner:sha-0123456\n");
    }

    #[test]
    fn latest_is_published_only_if_asked_for() {
        let plan = asked("1.4.0", None, true).unwrap();
        let images = ["sha-0123456", "1.4.0", "latest"].map(|tag| format!("publish=example/runner:{tag}\n"));
        assert_eq!(plan, format!("build\n{}", images.concat()));
        assert!(asked("latest", None, false).unwrap_err().contains("--latest"));
    }

    #[test]
    fn an_image_that_is_there_gets_tags_but_none_of_a_commit_that_it_is_not_of() {
        let plan = asked("1.4.0", Some("sha-fedcba9"), false).unwrap();
        assert_eq!(plan, "reuse=example/runner:sha-fedcba9\npublish=example/runner:1.4.0\n");
        assert!(asked("", Some("sha-fedcba9"), false).unwrap_err().contains("another tag"));
        assert!(asked("1.4.0", Some("1.4.0"), false).is_err(), "it has that tag");
    }

    #[test]
    fn an_empty_source_tag_builds() {
        assert!(
            asked("1.4.0", Some(""), false)
                .unwrap()
                .starts_with("build\npublish=example/runner:sha-0123456\n")
        );
    }

    #[test]
    fn what_is_no_tag_is_refused_by_the_name_of_its_option() {
        for tag in ["-1", ".1", "a b", "ä", "a:b", "sha-0123456", &"x".repeat(129)] {
            assert!(asked(tag, None, false).unwrap_err().starts_with("--image-tag: "), "{tag}");
        }
        assert!(asked("1", Some("a/b"), false).unwrap_err().starts_with("--source-tag: "));
    }

    #[test]
    fn what_names_no_repository_or_commit_is_refused() {
        let asked = |repository: &str, commit: &str| {
            let (repository, commit) = (repository.to_owned(), commit.to_owned());
            plan(&Options { repository, commit, image_tag: None, source_tag: None, latest: false })
        };
        for repository in ["runner", "example/runner", "registry.example:5000/a/b-c_d.e", "localhost:5000/a"]
        {
            assert!(asked(repository, "0123456").is_ok(), "{repository}");
        }
        for repository in ["", "/a", "a/", "A/b", "a//b", "a/b:1", "a/-b", &"a".repeat(256)] {
            assert!(asked(repository, "0123456").unwrap_err().starts_with("--repository: "), "{repository}");
        }
        for commit in ["", "012345", "0123456G", "main"] {
            assert!(asked("a/b", commit).unwrap_err().starts_with("--commit: "), "{commit}");
        }
    }
}
