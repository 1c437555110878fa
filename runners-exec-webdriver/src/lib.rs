//! Replays recorded browser flows over WebDriver.

mod browser;
mod driver;
mod flow;
mod result;
mod within;

pub use browser::{Browser, BrowserError, Call, Method, OpenError, Session};
pub use driver::{Driver, DriverOptions};
pub use flow::*;
pub use result::{FlowResult, StepResult, StepState};
