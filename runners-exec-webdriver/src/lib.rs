//! Replays recorded browser flows over WebDriver: flows in `flow`, browsers in `browser` and
//! `driver`, what happens in between in `replay`.
//!
#![doc = include_str!("../README.md")]

mod browser;
mod driver;
mod executor;
mod flow;
mod replay;
mod result;
mod within;

pub use browser::{Browser, BrowserError, Call, Method, OpenError, Session};
pub use driver::{Driver, DriverOptions};
pub use executor::FlowExecutor;
pub use flow::{
    Action, AssertedNavigation, BrowserFlow, Chain, Click, Cookie, Device, Extension, Flow, Mode, Operator,
    Parameter, ParameterKind, Problem, Problems, Selector, Selectors, Step, StoredOrigin, UploadedFile,
    Viewport, WaitForElement,
};
pub use replay::{Evidence, FlowObserver, Replay, ReplayOptions, Screenshots};
pub use result::{FlowResult, StepResult, StepState};
