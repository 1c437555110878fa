//! What a browser told by itself and somebody wants later: kept up to a limit, in order.

use crate::browser::connection::Event;
use serde_json::{Value, json};
use std::mem;

/// The most events that are kept for whoever asks.
const EVENTS_MAX: usize = 10_000;

/// Events of the console and the network.
#[derive(Debug, Default)]
pub(super) struct Heard(Vec<Value>);

impl Heard {
    /// Keeps an event.
    pub(super) fn take(&mut self, Event { method, params }: Event) {
        if self.0.len() < EVENTS_MAX {
            self.0.push(json!({ "method": method, "params": params }));
        }
    }

    /// Gives away all of them.
    pub(super) fn give(&mut self) -> Value {
        Value::Array(mem::take(&mut self.0))
    }
}
