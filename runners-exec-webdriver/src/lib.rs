//! Replays recorded browser flows over WebDriver: flows in `flow`, browsers in `browser` and
//! `driver`, what happens in between in `replay`.
//!
#![doc = include_str!("../README.md")]

mod browser;
#[cfg(feature = "checks")]
mod check;
mod driver;
mod engine;
mod evidence;
mod executor;
mod flow;
mod kept;
mod lent;
mod live;
mod page;
mod probe;
mod record;
mod replay;
mod result;
mod selenium;
mod visual;
mod warm;
mod within;

pub use browser::{Browser, BrowserError, Call, Endpoint, Method, OpenError, Session, SideChannel};
#[cfg(feature = "checks")]
pub use check::{CheckExecutor, CheckFleet, CheckFleetBuilder, FleetError, FlowCheckExecutor, FlowChecks};
pub use driver::{Driver, DriverOptions};
pub use engine::{Engine, EngineError};
pub use evidence::{Capture, StartCapture, StopCapture};
pub use executor::FlowExecutor;
pub use flow::{
    Action, AssertedNavigation, BrowserFlow, Chain, Click, Comparison, Cookie, Device, ExportedFlow,
    Extension, Flow, Mode, Operator, Parameter, ParameterKind, Problem, Problems, RecordedFlows, Selector,
    Selectors, Step, StoredOrigin, UploadedFile, Viewport, WaitForElement,
};
pub use lent::LentSession;
pub use live::LiveView;
pub use page::{Expect, Locator, Page, PageError, Subject, expect};
pub use probe::{Probe, ProbeError, WebGl};
pub use record::{
    Aim, Asserted, Ended, FlowRecorder, RecordFlow, RecordObserver, RecordedFlow, RecordedStep,
    RecordedSteps, SteerRecording, Steered,
};
pub use replay::{Evidence, FlowObserver, Replay, ReplayOptions, Screenshots};
pub use result::{CutShort, FlowResult, StepResult, StepState};
pub use selenium::{ImportError, ImportedFlow, LeftOut, SeleniumImport};
pub use visual::{BaselineError, BaselineKey, BaselineMode, Baselines, DirectoryBaselines};
pub use warm::{WarmBrowsers, WarmOptions};
