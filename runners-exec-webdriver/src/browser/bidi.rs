//! Sessions over WebDriver BiDi, without a driver between: `session` says the commands of classic
//! WebDriver in those of BiDi, `script` runs scripts, `actions` writes pointer and keys, `heard`
//! keeps what is told beside.

mod actions;
mod heard;
mod script;
mod session;

pub(crate) use session::BidiSession;
