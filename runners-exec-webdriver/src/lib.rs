//! Replays recorded browser flows over WebDriver.

mod flow;
mod result;

pub use flow::*;
pub use result::{FlowResult, StepResult, StepState};
