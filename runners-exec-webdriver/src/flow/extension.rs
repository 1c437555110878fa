//! The steps that this replayer adds to the format: custom steps whose names begin with `runners.`.
//! Other replayers skip them, and recorders keep them.

use super::{
    belongings::{Cookie, StoredOrigin, UploadedFile},
    comparison::{Comparison, comparison},
    parse::selectors,
    problem::Problem,
    reader::{Reader, how_to_write},
    selector::Selectors,
    step::Action,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// What a custom step named `runners.…` does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Extension {
    /// `runners.assertText`: waits until an element says something.
    AssertText {
        /// The element; one that is to be seen goes before one that is not.
        selectors: Selectors,
        /// What it says, white space folded.
        text: String,
        /// Whether that is all it says.
        exact: bool,
    },
    /// `runners.assertUrl`: waits until the page is at an address.
    AssertUrl {
        /// The address, or a part of it.
        url: String,
        /// Whether it is the whole address; it is unless the step says otherwise.
        exact: bool,
    },
    /// `runners.assertVisible`: waits until something is to be seen of an element.
    AssertVisible {
        /// The element; any that an alternative finds.
        selectors: Selectors,
        /// False waits until nothing is to be seen of any.
        visible: bool,
    },
    /// `runners.screenshot`: keeps a picture.
    Screenshot {
        /// Its name, without a suffix.
        name: String,
    },
    /// `runners.upload`: gives files to a file input.
    Upload {
        /// The input.
        selectors: Selectors,
        /// The files, which travel with the flow.
        files: Vec<UploadedFile>,
    },
    /// `runners.select`: chooses options of a list in which several can be chosen.
    Select {
        /// The list.
        selectors: Selectors,
        /// The values of the options; no others are chosen then.
        values: Vec<String>,
    },
    /// `runners.drag`: drags an element with the mouse, and drops it in the middle of another.
    Drag {
        /// What is dragged.
        selectors: Selectors,
        /// Onto what.
        to: Selectors,
    },
    /// `runners.dialog`: waits for a dialog and answers it.
    Dialog {
        /// Whether it is accepted or dismissed.
        accept: bool,
        /// What it has to say, if that matters.
        message: Option<String>,
        /// What is answered to a prompt.
        value: Option<String>,
    },
    /// `runners.cookies`: clears cookies, then sets some.
    Cookies {
        /// Whether all are cleared first.
        clear: bool,
        /// Those to set.
        set: Vec<Cookie>,
    },
    /// `runners.storageState`: sets cookies, and the local storage of the page's origin.
    StorageState {
        /// The cookies to set.
        cookies: Vec<Cookie>,
        /// What the local storage of each origin is to have.
        origins: Vec<StoredOrigin>,
    },
    /// `runners.assertScreenshot`: waits until the page looks as it did before.
    AssertScreenshot(Comparison),
    /// `runners.saveStorageState`: keeps cookies, and the local storage of the page's origin, for a
    /// `runners.storageState`.
    SaveStorageState {
        /// The name of the artifact, without a suffix.
        name: String,
    },
}

impl Extension {
    /// The most files of one step.
    pub const FILES_MAX: usize = 20;
    /// The most options that one step chooses.
    pub const OPTIONS_MAX: usize = 500;
    /// The most cookies, origins, or values of an origin, in one step.
    pub const STORED_MAX: usize = 500;
    /// The longest name of a picture in bytes.
    pub const NAME_BYTES_MAX: usize = 80;

    /// The name of the custom step.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AssertText { .. } => "runners.assertText",
            Self::AssertUrl { .. } => "runners.assertUrl",
            Self::AssertVisible { .. } => "runners.assertVisible",
            Self::Screenshot { .. } => "runners.screenshot",
            Self::Upload { .. } => "runners.upload",
            Self::Select { .. } => "runners.select",
            Self::Drag { .. } => "runners.drag",
            Self::Dialog { .. } => "runners.dialog",
            Self::Cookies { .. } => "runners.cookies",
            Self::StorageState { .. } => "runners.storageState",
            Self::AssertScreenshot(_) => "runners.assertScreenshot",
            Self::SaveStorageState { .. } => "runners.saveStorageState",
        }
    }

    /// The selectors of the step, if it has any.
    #[must_use]
    pub const fn selectors(&self) -> Option<&Selectors> {
        match self {
            Self::AssertText { selectors, .. }
            | Self::AssertVisible { selectors, .. }
            | Self::Upload { selectors, .. }
            | Self::Select { selectors, .. }
            | Self::Drag { selectors, .. } => Some(selectors),
            _ => None,
        }
    }

    /// What it does, in a few words; no value that may be secret.
    pub(super) fn description(&self) -> String {
        let label = || self.selectors().map(Selectors::label).unwrap_or_default();
        match self {
            Self::AssertText { text, .. } => format!("see that {} says {text:?}", label()),
            Self::AssertUrl { url, .. } => format!("see that the page is at {url}"),
            Self::AssertVisible { visible: true, .. } => format!("see {}", label()),
            Self::AssertVisible { visible: false, .. } => format!("see that {} is not to be seen", label()),
            Self::Screenshot { name } => format!("take the picture {name}"),
            Self::Upload { files, .. } => format!("give {} files to {}", files.len(), label()),
            Self::Select { values, .. } => format!("choose {} options of {}", values.len(), label()),
            Self::Drag { to, .. } => format!("drag {} onto {}", label(), to.label()),
            Self::Dialog { accept: true, .. } => "accept a dialog".to_owned(),
            Self::Dialog { accept: false, .. } => "dismiss a dialog".to_owned(),
            Self::Cookies { clear: true, set } => format!("clear the cookies and set {}", set.len()),
            Self::Cookies { clear: false, set } => format!("set {} cookies", set.len()),
            Self::StorageState { .. } => "restore cookies and storage".to_owned(),
            Self::AssertScreenshot(comparison) => format!("see that the page looks as {}", comparison.name),
            Self::SaveStorageState { name } => format!("save cookies and storage as {name}"),
        }
    }

    /// The values in which secrets may stand.
    pub(super) fn values_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Dialog { value, .. } => value.iter_mut().collect(),
            Self::Cookies { set, .. } => set.iter_mut().map(|cookie| &mut cookie.value).collect(),
            Self::StorageState { cookies, origins } => {
                let stored = origins.iter_mut().flat_map(|origin| &mut origin.local_storage);
                let cookies = cookies.iter_mut().map(|cookie| &mut cookie.value);
                cookies.chain(stored.map(|(_, value)| value)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Reads a custom step. One whose name this version does not know stays as it is.
pub(super) fn custom_step(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Action> {
    let name = step.required_string("name", problems)?;
    let unknown = || Action::CustomStep {
        name: name.clone(),
        parameters: step.get("parameters").cloned().unwrap_or_default(),
    };
    if !NAMES.contains(&&*name) {
        return Some(unknown());
    }
    let Some(members) = step.get("parameters").and_then(Value::as_object) else {
        step.wrong("parameters", "an object", problems);
        return None;
    };
    let given = Reader::new(members, step.at("parameters"));
    extension(&name, &given, problems).map(Action::Extension)
}

/// Every custom step that is read. Steps that use others are replaced by them in `include`.
pub(super) const NAMES: &[&str] = &[
    "runners.assertText",
    "runners.assertUrl",
    "runners.assertVisible",
    "runners.screenshot",
    "runners.upload",
    "runners.select",
    "runners.drag",
    "runners.dialog",
    "runners.cookies",
    "runners.storageState",
    "runners.assertScreenshot",
    "runners.saveStorageState",
    "runners.use",
];

fn extension(name: &str, given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Extension> {
    Some(match name {
        "runners.assertText" => {
            let text = given.required_string("text", problems);
            let exact = given.bool("exact", problems).unwrap_or(false);
            Extension::AssertText { selectors: selectors(given, problems)?, text: text?, exact }
        }
        "runners.assertUrl" => {
            let exact = given.bool("exact", problems).unwrap_or(true);
            Extension::AssertUrl { url: given.required_string("url", problems)?, exact }
        }
        "runners.assertVisible" => {
            let visible = given.bool("visible", problems).unwrap_or(true);
            Extension::AssertVisible { selectors: selectors(given, problems)?, visible }
        }
        "runners.assertScreenshot" => comparison(given, problems)?,
        "runners.screenshot" => Extension::Screenshot { name: picture_name(given, problems)? },
        "runners.upload" => {
            let files = list(given, "files", Extension::FILES_MAX, problems, file);
            Extension::Upload { selectors: selectors(given, problems)?, files: files? }
        }
        "runners.select" => {
            let values = values(given, problems);
            Extension::Select { selectors: selectors(given, problems)?, values: values? }
        }
        "runners.drag" => {
            let from = selectors(given, problems);
            let Some(to) = given.get("to").and_then(Value::as_object) else {
                given.wrong("to", "an object", problems);
                return None;
            };
            let to = selectors(&Reader::new(to, given.at("to")), problems);
            Extension::Drag { selectors: from?, to: to? }
        }
        "runners.dialog" => dialog(given, problems),
        "runners.cookies" => cookies(given, problems)?,
        "runners.saveStorageState" => Extension::SaveStorageState { name: picture_name(given, problems)? },
        _ => Extension::StorageState {
            cookies: optional_list(given, "cookies", problems, cookie)?,
            origins: optional_list(given, "origins", problems, origin)?,
        },
    })
}

fn dialog(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Extension {
    let accept = given.bool("accept", problems).unwrap_or(true);
    let (message, value) = (given.string("message", problems), given.string("value", problems));
    if !accept && value.is_some() {
        let hint = "leave `value` out, or accept the dialog";
        problems.push(Problem::new(
            given.at("value"),
            "nothing is typed into a dialog that is dismissed",
            hint,
        ));
    }
    Extension::Dialog { accept, message, value }
}

fn cookies(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Extension> {
    let clear = given.bool("clear", problems).unwrap_or(false);
    let set = optional_list(given, "set", problems, cookie)?;
    if !clear && set.is_empty() {
        let hint = "write `clear`: true, or cookies to set";
        problems.push(Problem::new(given.at("set"), "the step neither clears nor sets a cookie", hint));
    }
    Some(Extension::Cookies { clear, set })
}

pub(super) fn picture_name(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<String> {
    let name = given.required_string("name", problems)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > Extension::NAME_BYTES_MAX || !name.chars().all(is_plain) {
        let limit = Extension::NAME_BYTES_MAX;
        let message = format!("`name` must be 1 to {limit} letters, digits, hyphens and underscores");
        problems.push(Problem::new(given.at("name"), message, "such as \"cart-filled\""));
        return None;
    }
    Some(name)
}

fn values(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let values = given.get("values").and_then(Value::as_array);
    let is_good =
        |values: &&Vec<Value>| values.len() <= Extension::OPTIONS_MAX && values.iter().all(Value::is_string);
    let Some(values) = values.filter(is_good) else {
        given.wrong("values", &format!("an array of at most {} strings", Extension::OPTIONS_MAX), problems);
        return None;
    };
    Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn file(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<UploadedFile> {
    let name = given.required_string("name", problems);
    let media_type = given.string("mediaType", problems).unwrap_or_default();
    let bytes = match (given.string("text", problems), given.string("base64", problems)) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(encoded)) => STANDARD
            .decode(encoded)
            .map_err(|error| {
                let message = format!("`base64` cannot be decoded: {error}");
                let hint = "write it in base64 with its padding, or use `text`";
                problems.push(Problem::new(given.at("base64"), message, hint));
            })
            .ok()?,
        _ => {
            let message = "a file has either `text` or `base64`";
            problems.push(Problem::new(given.at("text"), message, "write one of them"));
            return None;
        }
    };
    Some(UploadedFile { name: name?, media_type, bytes })
}

fn cookie(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Cookie> {
    let (name, value) = (given.required_string("name", problems), given.required_string("value", problems));
    let same_site = given.choice("sameSite", &["Strict", "Lax", "None"], problems);
    Some(Cookie {
        name: name?,
        value: value?,
        domain: given.string("domain", problems),
        path: given.string("path", problems),
        // A recorded state writes -1 for a cookie that ends with its session.
        expires: given.number("expires", problems).filter(|seconds| *seconds >= 0.0),
        http_only: given.bool("httpOnly", problems).unwrap_or(false),
        secure: given.bool("secure", problems).unwrap_or(false),
        same_site: same_site.map(|at| ["Strict", "Lax", "None"][at].to_owned()),
    })
}

fn origin(given: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<StoredOrigin> {
    let origin = given.required_string("origin", problems);
    let local_storage = optional_list(given, "localStorage", problems, |one, problems| {
        Some((one.required_string("name", problems)?, one.required_string("value", problems)?))
    });
    Some(StoredOrigin { origin: origin?.trim_end_matches('/').to_owned(), local_storage: local_storage? })
}

fn optional_list<T>(
    given: &Reader<'_>,
    name: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Reader<'_>, &mut Vec<Problem>) -> Option<T>,
) -> Option<Vec<T>> {
    if given.get(name).is_none() {
        return Some(Vec::new());
    }
    list(given, name, Extension::STORED_MAX, problems, read)
}

pub(super) fn list<T>(
    given: &Reader<'_>,
    name: &str,
    limit: usize,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Reader<'_>, &mut Vec<Problem>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(values) = given.get(name).and_then(Value::as_array) else {
        given.wrong(name, "an array", problems);
        return None;
    };
    if values.len() > limit {
        let message = format!("{} are more than the limit of {limit}", values.len());
        problems.push(Problem::new(given.at(name), message, "split the step"));
        return None;
    }
    let read_one = |(index, value): (usize, &Value)| {
        let pointer = format!("{}/{index}", given.at(name));
        let Some(members) = value.as_object() else {
            problems.push(Problem::new(pointer, "must be an object", how_to_write("an object")));
            return None;
        };
        read(&Reader::new(members, pointer), problems)
    };
    let read: Vec<_> = values.iter().enumerate().map(read_one).collect();
    read.into_iter().collect()
}
