//! Sessions over WebDriver BiDi, without a driver between: `session` says the commands of classic
//! WebDriver in those of BiDi, `script` runs scripts, `actions` writes pointer, keys and cookies.

mod actions;
mod script;
mod session;

pub(crate) use session::BidiSession;
