//! `runners.assertScreenshot`: what a page is to look like.

use super::{
    extension::{Extension, list, picture_name},
    parse::selectors,
    problem::Problem,
    reader::Reader,
    selector::Selectors,
};

/// A picture of the page that is compared with the one of before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// What the picture is called; one of a flow each.
    pub name: String,
    /// The elements that are not looked at, such as clocks.
    pub masks: Vec<Selectors>,
    /// Which share of the pixels may differ, from 0 to 1; none unless the step says so.
    pub tolerance: f64,
    /// How far a colour may be from what it was without being another, from 0 to 255; 16 unless
    /// the step says otherwise.
    pub threshold: u8,
}

impl Comparison {
    /// The most masks of one picture.
    pub const MASKS_MAX: usize = 50;
    /// How far a colour may be away unless the step says otherwise.
    pub const THRESHOLD: u8 = 16;
}

/// Reads the parameters of the step.
pub(super) fn comparison(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Extension> {
    let name = picture_name(given, problems);
    let masks = match given.get("masks") {
        Some(_) => list(given, "masks", Comparison::MASKS_MAX, problems, selectors)?,
        None => Vec::new(),
    };
    let tolerance = given.number("tolerance", problems).unwrap_or(0.0);
    if !(0.0..=1.0).contains(&tolerance) {
        let message = format!("a `tolerance` of {tolerance} is no share from 0 to 1");
        problems.push(Problem::new(
            given.at("tolerance"),
            message,
            "such as 0.001 for one pixel of a thousand",
        ));
    }
    let threshold = given.number("threshold", problems).unwrap_or_else(|| f64::from(Comparison::THRESHOLD));
    let whole = (0..=u8::MAX).find(|whole| f64::from(*whole) == threshold);
    if whole.is_none() {
        let message = format!("a `threshold` of {threshold} is no whole number from 0 to 255");
        problems.push(Problem::new(given.at("threshold"), message, "leave it out for 16"));
    }
    Some(Extension::AssertScreenshot(Comparison { name: name?, masks, tolerance, threshold: whole? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BrowserFlow, flow::Action};
    use serde_json::{Value, json};

    #[expect(clippy::needless_pass_by_value, reason = "parameters are written where they are passed")]
    fn read(parameters: Value) -> Result<Comparison, String> {
        let step =
            json!({ "type": "customStep", "name": "runners.assertScreenshot", "parameters": parameters });
        let flow = BrowserFlow::parse(&json!({ "title": "t", "steps": [step] }).to_string());
        match &flow.map_err(|problems| problems.to_string())?.flow().steps[0].action {
            Action::Extension(Extension::AssertScreenshot(comparison)) => Ok(comparison.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_comparison_has_its_defaults_and_its_bounds() {
        let plain = read(json!({ "name": "cart" })).unwrap();
        assert_eq!((plain.tolerance, plain.threshold, plain.masks.len()), (0.0, 16, 0));
        let masks = json!([{ "selectors": ["#clock", ".ad"] }]);
        let given = json!({ "name": "cart", "masks": masks, "tolerance": 0.5, "threshold": 0 });
        assert_eq!(read(given).unwrap().masks[0].alternatives().len(), 2);
        for (wrong, pointer) in [
            (json!({}), "parameters/name"),
            (json!({ "name": "cart", "tolerance": 1.5 }), "parameters/tolerance"),
            (json!({ "name": "cart", "threshold": 0.5 }), "parameters/threshold"),
            (json!({ "name": "cart", "masks": [{}] }), "parameters/masks/0/selectors"),
        ] {
            let told = read(wrong).unwrap_err();
            assert!(told.contains(pointer), "{told}");
        }
    }
}
