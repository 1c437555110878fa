//! What a page is made to believe: the numbers of a screen and of a network, and their bounds.

use super::{
    problem::Problem,
    reader::Reader,
    step::{Action, Viewport},
};

/// Reads the speeds and the delay of a network.
pub(super) fn network(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Action> {
    let mut number = |name| step.required_number(name, problems);
    let (download, upload, latency) = (number("download"), number("upload"), number("latency"));
    let bounded = [("download", download, true), ("upload", upload, true), ("latency", latency, false)];
    for (name, given, is_speed) in bounded {
        problems.extend(given.and_then(|given| below_zero(step, name, given, is_speed)));
    }
    Some(Action::EmulateNetworkConditions { download: download?, upload: upload?, latency: latency? })
}

/// What is wrong with a number of a network; -1 is a speed without a limit.
fn below_zero(step: &Reader<'_>, name: &str, given: f64, is_speed: bool) -> Option<Problem> {
    let is_unlimited = is_speed && given.to_bits() == (-1_f64).to_bits();
    if given >= 0.0 || is_unlimited {
        return None;
    }
    let hint = if is_speed { "write bytes a second, or -1 for no limit" } else { "write milliseconds" };
    Some(Problem::new(step.at(name), format!("a `{name}` of {given} is below 0"), hint))
}

/// Reads a screen.
pub(super) fn viewport(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Viewport> {
    let mut number = |name| step.required_number(name, problems);
    let (width, height, factor) = (number("width"), number("height"), number("deviceScaleFactor"));
    let mut flag = |name| step.required_bool(name, problems);
    let (is_mobile, has_touch, is_landscape) = (flag("isMobile"), flag("hasTouch"), flag("isLandscape"));
    let most = Viewport::PIXELS_MAX;
    for (name, pixels) in [("width", width), ("height", height)] {
        if let Some(pixels) = pixels.filter(|pixels| !(1.0..=most).contains(pixels)) {
            let message = format!("a {name} of {pixels} is not between 1 and {most}");
            problems.push(Problem::new(step.at(name), message, "write CSS pixels, such as 1280"));
        }
    }
    if let Some(factor) = factor.filter(|factor| *factor < 0.0) {
        let message = format!("a factor of {factor} is below 0");
        problems.push(Problem::new(
            step.at("deviceScaleFactor"),
            message,
            "write 1, or 2 for a finer screen",
        ));
    }
    Some(Viewport {
        width: width?,
        height: height?,
        device_scale_factor: factor?,
        is_mobile: is_mobile?,
        has_touch: has_touch?,
        is_landscape: is_landscape?,
    })
}
