//! Where the typed input and answer of a check become JSON and back; the only file that does.

use crate::values::check::CheckError;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};
use std::sync::Arc;

type Details = Option<Map<String, Value>>;
/// A check whose input was read.
pub(super) type Ready<P> = Box<dyn FnOnce(P) -> BoxFuture<'static, Result<Details, CheckError>> + Send>;
/// A check that reads its input, or says where it does not fit.
pub(super) type Erased<P> = Arc<dyn Fn(Map<String, Value>) -> Result<Ready<P>, Misfit> + Send + Sync>;

/// Where an input does not fit, and why.
pub(super) struct Misfit {
    /// A JSON pointer; `/` for the input as a whole.
    pub(super) place: String,
    pub(super) problem: String,
}

pub(super) fn erase<P, I, R, Fut>(check: impl Fn(P, I) -> Fut + Send + Sync + 'static) -> Erased<P>
where
    P: Send + 'static,
    I: DeserializeOwned + Send + 'static,
    R: Serialize,
    Fut: Future<Output = Result<R, CheckError>> + Send + 'static,
{
    let check = Arc::new(check);
    Arc::new(move |input| {
        let input = read::<I>(input)?;
        let check = Arc::clone(&check);
        Ok(Box::new(move |subject| {
            Box::pin(async move { check(subject, input).await.and_then(|answer| details(&answer)) })
        }))
    })
}

fn read<I: DeserializeOwned>(input: Map<String, Value>) -> Result<I, Misfit> {
    let names_no_more_than_the_page = input.keys().all(|name| name == "url");
    serde_path_to_error::deserialize(Value::Object(input)).or_else(|error| {
        // `()` takes nothing, and that is written as an object without members, but for the page, which
        // every call of an orchestrator has in its input.
        let nothing = || serde_json::from_value(Value::Null).ok();
        names_no_more_than_the_page.then(nothing).flatten().ok_or_else(|| {
            let place = pointer(error.path());
            let place = if place.is_empty() { "/".to_owned() } else { place };
            Misfit { place, problem: error.inner().to_string() }
        })
    })
}

/// A path as a JSON pointer.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            _ => {}
        }
    }
    pointer
}

fn details<R: Serialize>(answer: &R) -> Result<Details, CheckError> {
    let answer = serde_json::to_value(answer)
        .map_err(|error| CheckError::errored(format!("its answer is no JSON: {error}")))?;
    Ok(match answer {
        Value::Null => None,
        Value::Object(members) => Some(members),
        other => Some(Map::from_iter([("value".to_owned(), other)])),
    })
}
