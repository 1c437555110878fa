//! Every member of every message stands in a golden file, so that none changes unseen.

use crate::openapi::{document, golden};
use runners_core::testing::samples;
use serde_json::Value;
use std::collections::BTreeSet;

/// A schema, and the place that its members are named by: its name, or else the way to it.
#[derive(Clone)]
struct Place<'d> {
    document: &'d Value,
    schema: &'d Value,
    name: String,
}

impl<'d> Place<'d> {
    fn of(document: &'d Value, schema: &'d Value, name: String) -> Self {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("a place in this document");
                let schema = document.pointer(pointer).expect("something is there");
                Self::of(document, schema, pointer.rsplit('/').next().unwrap_or_default().to_owned())
            }
            None => Self { document, schema, name },
        }
    }

    fn below(&self, schema: &'d Value, step: &str) -> Self {
        Self::of(self.document, schema, format!("{}/{step}", self.name))
    }

    /// The schemas that are put together to this one.
    fn parts(&self) -> Vec<Self> {
        let lists = ["allOf", "anyOf", "oneOf"].map(|list| self.schema[list].as_array());
        let parts = lists.into_iter().flatten().flatten();
        parts.enumerate().map(|(at, part)| self.below(part, &at.to_string())).collect()
    }

    fn members(&self) -> impl Iterator<Item = (&'d String, Self)> + '_ {
        let members = self.schema["properties"].as_object().into_iter().flatten();
        members.map(|(member, schema)| (member, self.below(schema, member)))
    }

    /// Every member that is described. `places` are those that were looked at.
    fn all(&self, into: &mut BTreeSet<(String, String)>, places: &mut BTreeSet<String>) {
        if !self.schema.is_object() || !places.insert(self.name.clone()) {
            return;
        }
        self.parts().iter().for_each(|part| part.all(into, places));
        for (member, place) in self.members() {
            into.insert((self.name.clone(), member.clone()));
            place.all(into, places);
        }
        for list in ["items", "additionalProperties"].map(|list| &self.schema[list]) {
            self.below(list, "each").all(into, places);
        }
    }

    /// Every member that `sample` has. Of several forms it is only those that it may have.
    fn seen(&self, sample: &Value, into: &mut BTreeSet<(String, String)>) {
        let required = self.schema["required"].as_array().into_iter().flatten().flat_map(Value::as_str);
        let mut required = required.filter(|_| !sample.is_null());
        if !required.all(|member| sample.get(member).is_some()) {
            return;
        }
        self.parts().iter().for_each(|part| part.seen(sample, into));
        for (member, place) in self.members() {
            if let Some(value) = sample.get(member) {
                into.insert((self.name.clone(), member.clone()));
                place.seen(value, into);
            }
        }
        let each = sample.as_array().into_iter().flatten();
        each.for_each(|one| self.below(&self.schema["items"], "each").seen(one, into));
    }
}

#[test]
fn every_member_of_every_message_stands_in_a_golden_file() {
    let document = document();
    let (mut described, mut seen, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let requests: Vec<_> =
        samples::requests().into_iter().map(|(name, request)| (name, request.name())).collect();
    let calls: BTreeSet<&str> = requests.iter().map(|(_, call)| *call).collect();
    for call in calls {
        let place = |pointer: &str| {
            let pointer = format!("/paths/~1v1~1{call}/post/{pointer}/content/application~1json/schema");
            let schema = document.pointer(&pointer).expect("it is described");
            Place::of(&document, schema, pointer)
        };
        let (request, reply) = (place("requestBody"), place("responses/200"));
        request.all(&mut described, &mut places);
        reply.all(&mut described, &mut places);
        for (name, _) in requests.iter().filter(|(_, of)| *of == call) {
            request.seen(&golden("requests", name), &mut seen);
        }
        samples::replies().iter().for_each(|(name, _)| reply.seen(&golden("replies", name), &mut seen));
    }
    assert!(described.len() > 100, "only {} members are described", described.len());
    let missing: Vec<_> = described.difference(&seen).collect();
    assert!(missing.is_empty(), "no golden file has {missing:#?}");
}
