//! The steps of a recording, and the forms that change them.

use super::member;
use crate::{
    failure::Failure,
    form::Form,
    layout::form_token,
    parts::{empty, table},
    visitor::Visitor,
};
use maud::{Markup, html};
use runners_core::JobId;
use serde_json::{Map, Value, json};

/// What is known of the steps.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) title: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    description: String,
    step: Value,
}

impl Steps {
    /// Those of a recording that has ended.
    pub(super) fn ended<'d>(flow: &Value, descriptions: impl Iterator<Item = &'d str>) -> Self {
        let steps = flow["steps"].as_array().into_iter().flatten();
        let row = |(step, description): (&Value, &str)| Row {
            id: String::new(),
            description: description.to_owned(),
            step: step.clone(),
        };
        let title = value(flow, "title");
        Self { title, rows: steps.zip(descriptions).map(row).collect() }
    }

    /// Those that were made until now, as they are kept while it goes on.
    pub(super) fn so_far(flow: Option<&Value>) -> Self {
        let Some(flow) = flow else { return Self::default() };
        let row = |step: &Value| {
            let description = Some(value(step, "description")).filter(|text| !text.is_empty());
            let mut plain = step.clone();
            bare(&mut plain);
            Row {
                id: value(step, "id"),
                description: description.unwrap_or_else(|| value(step, "type")),
                step: plain,
            }
        };
        let rows = flow["steps"].as_array().into_iter().flatten().map(row).collect();
        Self { title: value(flow, "title"), rows }
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A table of them, with what changes each.
    pub(super) fn show(&self, visitor: &Visitor, job: JobId, may_steer: bool) -> Markup {
        if self.rows.is_empty() {
            return empty("None yet. They appear here as they are made.");
        }
        let last = self.rows.len() - 1;
        let heads: &[&str] = if may_steer { &["No.", "Step", ""] } else { &["No.", "Step"] };
        table(
            "Steps of the flow",
            heads,
            &html! {
                @for (index, row) in self.rows.iter().enumerate() {
                    tr {
                        td.told data-label="No." { (index + 1) }
                        td.wide data-label="Step" {
                            (row.description)
                            @if let Some(first) = first_selector(&row.step) { p.faint { code.break { (first) } } }
                        }
                        @if may_steer { td data-label="" { (controls(visitor, job, row, index, last)) } }
                    }
                }
            },
        )
    }
}

fn controls(visitor: &Visitor, job: JobId, row: &Row, index: usize, last: usize) -> Markup {
    let button = |verb: &str, words: &str, to: usize| {
        html! {
            form.inline method="post" data-in-place action=(visitor.place.to(format_args!("record/{job}/{verb}"))) {
                (form_token(visitor))
                (which(row, to))
                button.quiet type="submit" { (words) span.unseen { " step " (index + 1) } }
            }
        }
    };
    html! {
        @if index > 0 { (button("move", "Up", index - 1)) " " }
        @if index < last { (button("move", "Down", index + 1)) " " }
        details.confirm {
            summary.button.quiet { "Edit…" span.unseen { " step " (index + 1) } }
            form.card method="post" data-in-place action=(visitor.place.to(format_args!("record/{job}/edit"))) {
                (form_token(visitor))
                (which(row, index))
                label { "The step as the format writes it"
                    textarea name="with" rows="10" spellcheck="false" { (format!("{:#}", row.step)) }
                }
                p.buttons { button.primary type="submit" { "Save" } }
            }
        }
        " "
        (button("delete", "Delete", index))
    }
}

/// Says in a form which step is meant, and where it is to be.
fn which(row: &Row, to: usize) -> Markup {
    html! {
        input type="hidden" name="step" value=(row.id);
        input type="hidden" name="to" value=(to);
    }
}

/// The forms that add a step.
pub(super) fn adding(visitor: &Visitor, job: JobId) -> Markup {
    let to = |verb: &str| visitor.place.to(format_args!("record/{job}/{verb}"));
    html! {
        p.notice.bad #in-place role="alert" hidden {}
        div.forms {
            form.card method="post" data-in-place action=(to("assert")) {
                (form_token(visitor))
                h3 { "An assertion" }
                label { "That" select name="what" {
                    option value="visible" { "an element is to be seen" }
                    option value="text" { "an element says what it says now" }
                    option value="url" { "the page is where it is now" }
                } }
                p.buttons { button.primary type="button" data-pick="point" hidden { "Pick it in the picture" } }
                label { "Element, by a selector" input name="selector" autocomplete="off" placeholder="text/Thank you, or #total"; }
                label { "or by a point of the page" input name="point" autocomplete="off" placeholder="640, 360"; }
                p.buttons { button type="submit" { "Add assertion" } }
            }
            form.card method="post" data-in-place action=(to("screenshot")) {
                (form_token(visitor))
                h3 { "A picture" }
                label { "Name" input name="name" required maxlength="80" pattern="[A-Za-z0-9_\\-]+" autocomplete="off" placeholder="cart-filled"; }
                p.buttons { button type="submit" { "Add picture" } }
            }
            form.card method="post" data-in-place action=(to("dialog")) {
                (form_token(visitor))
                h3 { "A dialog that is open" }
                label { "Answer to a prompt" input name="value" autocomplete="off"; }
                p.buttons {
                    button type="submit" name="accept" value="yes" { "Accept" }
                    button type="submit" { "Dismiss" }
                }
            }
        }
    }
}

/// What a form asks of the recording.
pub(super) fn command(verb: &str, form: &Form) -> Result<Value, Failure> {
    let mut members = Map::from_iter([("do".to_owned(), json!(verb))]);
    match verb {
        "stop" | "undo" => {}
        "delete" => member(&mut members, "step", form.filled("step")),
        "move" => {
            member(&mut members, "step", form.filled("step"));
            members.insert("to".to_owned(), json!(form.parsed::<usize>("to", "place")?.unwrap_or_default()));
        }
        "edit" => {
            member(&mut members, "step", form.filled("step"));
            let with: Value = serde_json::from_str(form.text("with"))
                .map_err(|error| Failure::invalid(format!("The step is not JSON: {error}.")))?;
            members.insert("with".to_owned(), with);
        }
        "screenshot" => member(&mut members, "name", form.filled("name")),
        "dialog" => {
            members.insert("accept".to_owned(), json!(form.is_checked("accept")));
            member(&mut members, "value", form.filled("value"));
        }
        "assert" => {
            let what = match form.text("what") {
                "text" => json!({ "text": null }),
                "url" => json!("url"),
                _ => json!("visible"),
            };
            members.insert("what".to_owned(), what);
            members.extend(aim(form)?.map(|aim| ("aim".to_owned(), aim)));
        }
        _ => return Err(Failure::not_found("There is no such page.")),
    }
    Ok(Value::Object(members))
}

fn aim(form: &Form) -> Result<Option<Value>, Failure> {
    if let Some(selector) = form.filled("selector") {
        return Ok(Some(json!({ "selector": selector })));
    }
    let Some(point) = form.filled("point") else { return Ok(None) };
    let sides = point.split_once(',').map(|(x, y)| (x.trim().parse::<f64>(), y.trim().parse::<f64>()));
    match sides {
        Some((Ok(x), Ok(y))) => Ok(Some(json!({ "point": { "x": x, "y": y } }))),
        _ => Err(Failure::invalid(format!(
            "point: {point:?} is no point: write two numbers, such as 640, 360"
        ))),
    }
}

/// A document without what only the recording knows.
pub(super) fn plain(mut document: Value) -> Value {
    document["steps"].as_array_mut().into_iter().flatten().for_each(bare);
    document
}

fn bare(step: &mut Value) {
    if let Some(members) = step.as_object_mut() {
        members.remove("id");
        members.remove("description");
    }
}

pub(super) fn value(of: &Value, member: &str) -> String {
    of[member].as_str().unwrap_or_default().to_owned()
}

/// The selector that finds an element first.
fn first_selector(step: &Value) -> Option<String> {
    let found = |of: &Value| {
        let parts = of["selectors"][0].as_array()?;
        Some(parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" >> "))
    };
    found(step).or_else(|| found(&step["parameters"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_command_of_the_recording() {
        let read = |verb, query: &str| command(verb, &Form::query(Some(query)));
        assert_eq!(read("stop", "").unwrap(), json!({ "do": "stop" }));
        assert_eq!(read("move", "step=4&to=2").unwrap(), json!({ "do": "move", "step": "4", "to": 2 }));
        assert_eq!(
            read("assert", "what=text&point=10,%2020.5").unwrap(),
            json!({ "do": "assert", "what": { "text": null }, "aim": { "point": { "x": 10.0, "y": 20.5 } } })
        );
        assert_eq!(
            read("assert", "what=visible&selector=%23a").unwrap(),
            json!({ "do": "assert", "what": "visible", "aim": { "selector": "#a" } })
        );
        assert!(read("assert", "what=visible&point=ten").is_err());
        assert!(read("edit", "step=1&with=no").is_err());
        assert!(read("format-the-disk", "").is_err());
    }

    #[test]
    fn what_only_the_recording_knows_is_not_in_the_flow() {
        let document = json!({ "title": "t", "steps": [{ "type": "close", "id": "1", "description": "close the page" }] });
        let steps = Steps::so_far(Some(&document));
        assert_eq!((steps.len(), &*steps.rows[0].description), (1, "close the page"));
        assert_eq!(plain(document), json!({ "title": "t", "steps": [{ "type": "close" }] }));
    }
}
