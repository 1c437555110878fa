//! Whether what is asked of a container makes sense, whoever runs it. What an operator allows is left to
//! `policy`.

use crate::{
    command::{ContainerJob, SecretAs},
    image::ImageReference,
    paths,
};
use runners_core::Secret;
use std::{collections::BTreeSet, fmt};

/// The most words of a command line.
const WORDS_MAX: usize = 256;
/// The most bytes of a word of a command line, or of the value of a variable.
const WORD_BYTES_MAX: usize = 32 << 10;
/// The most bytes of all variables, and of all parameters.
const VARIABLES_BYTES_MAX: usize = 64 << 10;
/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 100;
/// The most files of the input.
const INPUT_FILES_MAX: usize = 100;
/// The most bytes of all files of the input.
const INPUT_BYTES_MAX: usize = 4 << 20;
/// The most mounts, and the most writable folders.
const FOLDERS_MAX: usize = 16;
/// What variables of the runner begin with.
const OWN_VARIABLES: &str = "RUNNERS_";

/// Something that is wrong with what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What, with the limit and what to do instead.
    pub message: String,
}

/// Everything that is wrong with what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Each problem.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { pointer: pointer.into(), message: message.into() });
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl ContainerJob {
    /// Finds what is wrong with it, whatever an operator allows.
    #[must_use]
    pub fn check(&self) -> Problems {
        let mut found = Problems::default();
        if let Some(Err(error)) = self.image.as_ref().map(|image| image.parse::<ImageReference>()) {
            found.add("/image", error.to_string());
        }
        words(&mut found, "/command", &self.command);
        words(&mut found, "/args", &self.args);
        self.check_variables(&mut found);
        self.check_secrets(&mut found);
        self.check_input(&mut found);
        self.check_folders(&mut found);
        self.check_user(&mut found);
        found
    }

    fn check_variables(&self, found: &mut Problems) {
        let mut total = 0;
        for (name, value) in &self.environment {
            let at = pointer("/environment", name);
            variable(found, &at, name);
            if value.contains('\0') || value.len() > WORD_BYTES_MAX {
                found.add(&at, format!("has to be a text of at most {WORD_BYTES_MAX} bytes without NUL"));
            }
            total += name.len() + value.len();
        }
        let parameters: usize = self.parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        for (at, bytes) in [("/environment", total), ("/parameters", parameters)] {
            if bytes > VARIABLES_BYTES_MAX {
                let limit = format!("has {bytes} bytes, and the limit is {VARIABLES_BYTES_MAX}");
                found.add(at, format!("{limit}: put what is large into /input"));
            }
        }
    }

    fn check_secrets(&self, found: &mut Problems) {
        let mut taken = BTreeSet::new();
        for (name, given) in &self.secrets {
            let at = pointer("/secrets", name);
            if !Secret::is_name(name) {
                found.add(&at, "is no name of a secret: use letters, digits, -, _ and .");
            }
            let place = match given {
                SecretAs::Environment(variable_name) => {
                    variable(found, &format!("{at}/environment"), variable_name);
                    if self.environment.contains_key(variable_name) {
                        let message = format!("{variable_name} is in /environment too: give it once");
                        found.add(format!("{at}/environment"), message);
                    }
                    (0, variable_name)
                }
                SecretAs::File(file) => {
                    if !Secret::is_name(file) {
                        let message = "is no name of a file: use letters, digits, -, _ and .";
                        found.add(format!("{at}/file"), message);
                    }
                    (1, file)
                }
            };
            if !taken.insert(place) {
                found.add(&at, "is given where another secret is: name another variable or file");
            }
        }
    }

    fn check_input(&self, found: &mut Problems) {
        let bytes: usize = self.input.values().map(String::len).sum();
        if self.input.len() > INPUT_FILES_MAX || bytes > INPUT_BYTES_MAX {
            let has = format!("has {} files of {bytes} bytes", self.input.len());
            let limit = format!("and the limit is {INPUT_FILES_MAX} files of {INPUT_BYTES_MAX} bytes");
            found.add("/input", format!("{has}, {limit}: put more into the image"));
        }
        for path in self.input.keys().filter(|path| !paths::is_relative(path)) {
            found.add(pointer("/input", path), "is no relative path without . and ..");
        }
        if let Some(path) = self.junit.as_ref().filter(|path| !paths::is_relative(path)) {
            found.add("/junit", format!("{path:?} is no path in the output folder without . and .."));
        }
    }

    fn check_folders(&self, found: &mut Problems) {
        for (at, count) in [("/mounts", self.mounts.len()), ("/writable", self.writable.len())] {
            if count > FOLDERS_MAX {
                found.add(at, format!("has {count} folders, and the limit is {FOLDERS_MAX}"));
            }
        }
        if let Some(folder) = self.working_directory.as_ref().filter(|folder| !paths::is_absolute(folder)) {
            found.add("/working_directory", format!("{folder:?} is no absolute path without . and .."));
        }
        let mounts = self.mounts.iter().enumerate();
        let mut folders: Vec<_> =
            mounts.map(|(index, mount)| (format!("/mounts/{index}/target"), &mount.target)).collect();
        folders.extend(self.writable.iter().map(|path| (pointer("/writable", path), path)));
        folders.extend(self.output.iter().map(|path| ("/output".to_owned(), path)));
        for (index, (at, path)) in folders.iter().enumerate() {
            if !paths::is_absolute(path) {
                found.add(at, format!("{path:?} is no absolute path without . and .."));
            } else if let Some(own) = paths::OWN.iter().find(|own| paths::overlap(own, path)) {
                let message =
                    format!("{path:?} is in the way of {own}, which is the runner's: choose another");
                found.add(at, message);
            } else if folders[..index].iter().any(|(_, other)| paths::overlap(other, path)) {
                found.add(at, format!("{path:?} overlaps with another folder: choose another"));
            }
        }
        for (index, mount) in self.mounts.iter().enumerate() {
            if !paths::is_absolute(&mount.source) {
                let message = format!("{:?} is no absolute path without . and ..", mount.source);
                found.add(format!("/mounts/{index}/source"), message);
            }
        }
    }

    fn check_user(&self, found: &mut Problems) {
        let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| number.to_string() == text);
        if let Some(user) = &self.user {
            let (number, group) = user.split_once(':').unwrap_or((user, "1"));
            if !is_number(number) || !is_number(group) {
                let message =
                    format!("{user:?} is not numbers of a user and a group: write 1000 or 1000:1000");
                found.add("/user", message);
            }
        }
    }
}

/// A JSON pointer to a member.
pub(crate) fn pointer(above: &str, member: &str) -> String {
    format!("{above}/{}", member.replace('~', "~0").replace('/', "~1"))
}

fn words(found: &mut Problems, at: &str, words: &[String]) {
    if words.len() > WORDS_MAX {
        found.add(at, format!("has {} words, and the limit is {WORDS_MAX}", words.len()));
    }
    for (index, word) in words.iter().enumerate() {
        if word.contains('\0') || word.len() > WORD_BYTES_MAX {
            let message = format!("has to be a text of at most {WORD_BYTES_MAX} bytes without NUL");
            found.add(format!("{at}/{index}"), message);
        }
    }
}

fn variable(found: &mut Problems, at: &str, name: &str) {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['=', '\0']) {
        found.add(at, format!("{name:?} is no name of a variable: 1 to {NAME_BYTES_MAX} bytes without ="));
    } else if name.starts_with(OWN_VARIABLES) {
        found.add(at, format!("{name} is the runner's own: choose one that does not begin with RUNNERS_"));
    }
}

#[cfg(test)]
mod tests;
