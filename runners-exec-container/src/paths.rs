//! Paths as jobs write them: plain, and apart from those that are the runner's.

/// Where the runner puts what it gives to a container, and takes what that leaves.
pub(crate) const HOME: &str = "/runners";
/// The files of the input.
pub(crate) const INPUT: &str = "/runners/input";
/// The files of secrets.
pub(crate) const SECRETS: &str = "/runners/secrets";
/// Where the output is unless the job says otherwise.
pub(crate) const OUTPUT: &str = "/runners/output";
/// What can be written to in every container.
pub(crate) const TEMPORARY: &str = "/tmp";

/// Folders that no job puts anything on.
pub(crate) const OWN: &[&str] = &["/proc", "/sys", "/dev", TEMPORARY, HOME];

/// The longest path.
const BYTES_MAX: usize = 1000;

/// Whether a text is an absolute path below the root, without what leads elsewhere.
pub(crate) fn is_absolute(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(is_relative) && !path.contains([':', ','])
}

/// Whether a text is a relative path without what leads elsewhere.
pub(crate) fn is_relative(path: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= BYTES_MAX && path.split('/').all(is_plain) && !path.chars().any(char::is_control)
}

/// Whether one of two absolute paths is in the other, or both are the same.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        assert!(is_absolute("/a/b.c") && is_relative("a/b.c"));
        for bad in ["", "/", "a", "/a/", "/a//b", "/a/..", "/./a", "/a:ro", "/a\n"] {
            assert!(!is_absolute(bad), "{bad:?}");
        }
        for bad in ["", "/a", "..", "a/../b", "a\0"] {
            assert!(!is_relative(bad), "{bad:?}");
        }
    }

    #[test]
    fn folders_overlap_by_whole_names() {
        assert!(overlap("/a", "/a/b") && overlap("/a/b", "/a") && overlap("/a", "/a"));
        assert!(!overlap("/a", "/ab"));
    }
}
