//! What is known of checks without carrying one out, whatever they look at: for faces, which know
//! nothing of pages.

use super::{CheckListing, Checks, erased::Misfit};
use crate::values::check::RunCheck;
use std::{fmt::Debug, sync::Arc};

/// Knows checks by their names.
pub trait CheckCatalogue: Debug + Send + Sync + 'static {
    /// The checks, by name.
    fn list(&self) -> Vec<CheckListing>;

    /// Says whether a check could be carried out: there is one, and its input fits.
    ///
    /// # Errors
    /// [`CheckRefusal`], which says what to mend.
    fn examine(&self, command: &RunCheck) -> Result<(), CheckRefusal>;
}

/// Why a check is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckRefusal {
    /// Ask for another one: there is none with this name.
    #[error("there is no check {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Mend the input.
    #[error("the input of the check {name:?}: {place}: {problem}")]
    Input {
        /// The check.
        name: String,
        /// Where, as a JSON pointer into the input; `/` for the input as a whole.
        place: String,
        /// What is wrong there.
        problem: String,
    },
}

impl<P: Send + 'static> CheckCatalogue for Checks<P> {
    fn list(&self) -> Vec<CheckListing> {
        Self::list(self)
    }

    fn examine(&self, command: &RunCheck) -> Result<(), CheckRefusal> {
        let name = || command.check.clone();
        let registered =
            self.by_name.get(&command.check).ok_or_else(|| CheckRefusal::Unknown { name: name() })?;
        let misfit = |Misfit { place, problem }| CheckRefusal::Input { name: name(), place, problem };
        (registered.check)(command.input.clone()).map(drop).map_err(misfit)
    }
}

impl<C: CheckCatalogue + ?Sized> CheckCatalogue for Arc<C> {
    fn list(&self) -> Vec<CheckListing> {
        (**self).list()
    }
    fn examine(&self, command: &RunCheck) -> Result<(), CheckRefusal> {
        (**self).examine(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::check::CheckError;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize, schemars::JsonSchema)]
    struct Limits {
        words: Words,
    }

    #[derive(Deserialize, schemars::JsonSchema)]
    struct Words {
        most: usize,
    }

    async fn is_short(text: &'static str, limits: Limits) -> Result<(), CheckError> {
        let count = text.split(' ').count();
        if count > limits.words.most { Err(CheckError::failed("too long")) } else { Ok(()) }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let checks = Checks::new().with("is_short", is_short);
        let asked = |name: &str, most: i64| {
            checks.examine(&RunCheck::new(name, &json!({ "words": { "most": most } })).unwrap())
        };
        let Err(CheckRefusal::Input { name, place, problem }) = asked("is_short", -1) else {
            panic!("it fits")
        };
        assert_eq!((name.as_str(), place.as_str()), ("is_short", "/words/most"));
        assert!(problem.contains("-1"), "{problem}");
        assert_eq!(asked("is_long", 1), Err(CheckRefusal::Unknown { name: "is_long".to_owned() }));
        assert_eq!(asked("is_short", 1), Ok(()));
        let whole = checks.examine(&RunCheck::new("is_short", &()).unwrap());
        assert!(matches!(whole, Err(CheckRefusal::Input { place, .. }) if place == "/"));
    }
}
