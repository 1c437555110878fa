//! What work produces: a typed result with a verdict, or a fault.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The typed product of a command.
///
/// There is no implementation for `bool`, whose meaning would have to be guessed.
#[doc(alias = "Result")]
pub trait JobResult: Serialize + DeserializeOwned + Send + 'static {
    /// Whether the work itself passed; trouble that prevented a verdict is a [`Fault`] instead.
    /// Passed unless the implementation says otherwise.
    fn verdict(&self) -> Verdict {
        Verdict::Passed
    }
}

/// Whether the work passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a third verdict would break every policy that folds them")]
pub enum Verdict {
    /// It did.
    Passed,
    /// It did not, and the product under test is why.
    Failed,
}

macro_rules! always_passed {
    ($($name:ty),*) => {$(impl JobResult for $name {})*};
}
always_passed!(
    (),
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    f32,
    f64,
    String,
    serde_json::Value
);
impl<T: Serialize + DeserializeOwned + Send + 'static> JobResult for Vec<T> {}
impl<T: Serialize + DeserializeOwned + Send + 'static> JobResult for Option<T> {}

/// Trouble that prevented a verdict. Faults are retried up to the job's limit, unless they say
/// that another attempt would meet the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{message}")]
#[non_exhaustive]
pub struct Fault {
    /// A stable word for machines, such as `panicked` or `no_executor`.
    pub code: String,
    /// One sentence for people. At most [`Fault::MESSAGE_MAX`] bytes.
    pub message: String,
    /// Whether another attempt may fare better.
    pub retryable: bool,
}

impl Fault {
    /// The largest message in bytes; a longer one is cut at a character.
    pub const MESSAGE_MAX: usize = 4096;
    /// The largest code in bytes; a longer one is cut at a character.
    pub const CODE_MAX: usize = 100;

    /// Trouble that another attempt may not meet.
    #[must_use]
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: true }.bounded()
    }

    /// Trouble that every attempt would meet.
    #[must_use]
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false }.bounded()
    }

    /// Cuts what is too long, whoever wrote it.
    pub(crate) fn bounded(mut self) -> Self {
        cut(&mut self.code, Self::CODE_MAX);
        cut(&mut self.message, Self::MESSAGE_MAX);
        self
    }
}

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary_at(bytes_max));
    }
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, index: usize) -> usize;
}

impl FloorCharBoundary for String {
    /// `str::floor_char_boundary` is newer than the oldest Rust this crate promises.
    fn floor_char_boundary_at(&self, index: usize) -> usize {
        (0..=index).rev().find(|&at| self.is_char_boundary(at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let fault = Fault::retryable("code", "é".repeat(Fault::MESSAGE_MAX));
        assert_eq!(fault.message.len(), Fault::MESSAGE_MAX);
        let fault = Fault::retryable("code", format!("x{}", "é".repeat(Fault::MESSAGE_MAX)));
        assert_eq!(fault.message.len(), Fault::MESSAGE_MAX - 1);
    }
}
