//! Recording of flows: a person drives a browser, and what they do becomes the steps of a flow. A script
//! in every page tells what is done (`ear` hears it), `draft` makes steps of it, `course` sees a recording
//! through. How a person sees the browser is not decided here.

mod command;
mod course;
mod draft;
mod ear;
mod executor;
mod shape;
mod steer;
mod told;

pub use command::{
    Aim, Asserted, Ended, RecordFlow, RecordedFlow, RecordedStep, RecordedSteps, SteerRecording,
};
pub use executor::{FlowRecorder, RecordObserver};
pub use steer::Steered;
