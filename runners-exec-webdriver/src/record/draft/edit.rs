//! What a person changes in the steps that were recorded.

use super::{Draft, Entry};
use crate::record::shape;
use runners_core::Fault;
use serde_json::Value;
use std::sync::Arc;

impl Draft {
    /// Takes back what changed the steps last.
    pub(in crate::record) fn undo(&mut self) -> Result<(), Fault> {
        let Some(entries) = self.before.pop_back() else {
            return Err(wrong("there is nothing to take back"));
        };
        self.entries = entries;
        self.revision += 1;
        Ok(())
    }

    /// Takes a step out.
    pub(in crate::record) fn delete(&mut self, id: &str) -> Result<(), Fault> {
        let at = self.find(id)?;
        self.keep();
        self.entries.remove(at);
        self.revision += 1;
        Ok(())
    }

    /// Puts a step elsewhere.
    pub(in crate::record) fn move_to(&mut self, id: &str, to: usize) -> Result<(), Fault> {
        let at = self.find(id)?;
        let last = self.entries.len() - 1;
        if to > last {
            return Err(wrong(&format!("to: {to} is no place among {} steps: use 0 to {last}", last + 1)));
        }
        self.keep();
        let entry = self.entries.remove(at);
        self.entries.insert(to, entry);
        self.revision += 1;
        Ok(())
    }

    /// Puts another step in the place of one. A secret stays one.
    pub(in crate::record) fn edit(&mut self, id: &str, mut with: Value) -> Result<(), Fault> {
        let at = self.find(id)?;
        if let Some(members) = with.as_object_mut() {
            members.remove("id");
            members.remove("description");
        }
        if self.declared.is_empty() {
            // So far it stands in the place of nothing.
            with = shape::without_parameters(with);
        }
        shape::description(&with, &self.declared).map_err(|problem| wrong(&format!("with: {problem}")))?;
        self.keep();
        let entry = Arc::make_mut(&mut self.entries[at]);
        let keeps = entry.secret.as_ref().is_some_and(|name| with["value"] == shape::place_of_secret(name));
        if !keeps {
            entry.secret = None;
        }
        // What a page tells next is no continuation of it.
        *entry = Entry { step: with, element: None, ..entry.clone() };
        self.revision += 1;
        Ok(())
    }

    fn find(&self, id: &str) -> Result<usize, Fault> {
        let at = self.entries.iter().position(|entry| entry.id.to_string() == id);
        at.ok_or_else(|| wrong(&format!("step: there is no step {id:?}: ask for the list")))
    }
}

pub(in crate::record) fn wrong(message: &str) -> Fault {
    Fault::permanent("invalid", message)
}
