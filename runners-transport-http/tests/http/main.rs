//! Client and server together, over loopback sockets.

mod artifacts;
mod faults;
mod golden;
mod limits;
mod parks;
mod proxy;
mod stop;
mod suite;
mod support;
mod tokens;
