//! Whether what is in an image fits this runner, as the labels of the image say. Images that say nothing
//! are anybody's, and fit.

use runners_core::Facts;
use std::collections::HashMap;

/// The label with the versions of the protocol that the program in an image speaks: `1`, or `1-2`.
const PROTOCOL_LABEL: &str = "dev.runners.protocol";
/// The label with the release of the program in an image, such as `0.1.4`.
const RELEASE_LABEL: &str = "dev.runners.release";

/// The oldest version of the protocol that is understood.
const PROTOCOL_MIN: u32 = if Facts::PROTOCOL > 1 { Facts::PROTOCOL - 1 } else { 1 };

/// What the labels of an image say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It fits, or says nothing.
    Good,
    /// It fits, and is of another release line.
    OtherLine(String),
    /// It does not fit.
    Bad(String),
}

/// Reads the labels of an image.
pub(crate) fn fit(labels: &HashMap<String, String>) -> Fit {
    if let Some(told) = labels.get(PROTOCOL_LABEL) {
        let ours = format!("this runner understands {PROTOCOL_MIN} to {}", Facts::PROTOCOL);
        match range(told) {
            Some((least, most)) if least <= Facts::PROTOCOL && most >= PROTOCOL_MIN => {}
            Some(_) => return Fit::Bad(format!("its label {PROTOCOL_LABEL} is {told:?}, and {ours}")),
            None => return Fit::Bad(format!("its label {PROTOCOL_LABEL} is {told:?}: write 1, or 1-2")),
        }
    }
    let ours = env!("CARGO_PKG_VERSION");
    match labels.get(RELEASE_LABEL) {
        Some(theirs) if line(theirs) != line(ours) => {
            Fit::OtherLine(format!("is of the release {theirs}, and this runner of {ours}"))
        }
        _ => Fit::Good,
    }
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most) = (least.parse().ok()?, most.parse().ok()?);
    (least <= most).then_some((least, most))
}

/// Major and minor number.
fn line(version: &str) -> (&str, &str) {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(label: &str, value: &str) -> Fit {
        fit(&HashMap::from([(label.to_owned(), value.to_owned())]))
    }

    #[test]
    fn an_image_outside_the_range_is_refused_and_others_are_not() {
        assert_eq!(fit(&HashMap::new()), Fit::Good);
        assert_eq!(of(PROTOCOL_LABEL, "1"), Fit::Good);
        assert_eq!(of(PROTOCOL_LABEL, "1-7"), Fit::Good);
        for bad in ["7", "2-1", "", "one"] {
            assert!(matches!(of(PROTOCOL_LABEL, bad), Fit::Bad(_)), "{bad:?}");
        }
    }

    #[test]
    fn another_release_line_is_told() {
        assert_eq!(of(RELEASE_LABEL, env!("CARGO_PKG_VERSION")), Fit::Good);
        assert!(matches!(of(RELEASE_LABEL, "99.0.0"), Fit::OtherLine(_)));
    }
}
