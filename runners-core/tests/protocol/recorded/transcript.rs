//! What a control plane commits, as text: one line for each batch.

use async_trait::async_trait;
use bytes::Bytes;
use runners_core::{
    Index, Key, Kind, MemoryStore,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// A store in memory that keeps every batch it has committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    inner: MemoryStore,
    lines: Arc<Mutex<String>>,
}

impl Recording {
    /// What was committed so far.
    pub(crate) fn lines(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Store for Recording {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let line = Value::from_iter(writes.iter().map(told));
        let committed = self.inner.commit(writes).await?;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_str(&format!("{line}\n"));
        Ok(committed)
    }
}

/// The batches of a transcript.
pub(crate) fn batches(lines: &str) -> impl Iterator<Item = Vec<Write>> {
    lines.lines().map(|line| {
        let line: Vec<Value> = serde_json::from_str(line).unwrap();
        line.iter().map(written).collect()
    })
}

fn told(write: &Write) -> Value {
    match write {
        Write::Put { key, expected, format, body, indexes } => {
            let indexes: Vec<_> = indexes
                .iter()
                .map(|(index, entry)| json!([format!("{index:?}"), hex::encode(entry)]))
                .collect();
            json!({ "put": of_key(key), "expected": expected, "format": format, "body": text(body), "indexes": indexes })
        }
        Write::Delete { key, expected } => json!({ "delete": of_key(key), "expected": expected }),
        Write::Expect { key, expected } => json!({ "expect": of_key(key), "expected": expected }),
        Write::Add { counter, delta, max } => json!({ "add": of_key(counter), "delta": delta, "max": max }),
        Write::Append { stream, at, bytes } => {
            json!({ "append": of_key(stream), "at": at, "bytes": text(bytes) })
        }
        Write::AppendLines { stream, first, count, bytes } => {
            json!({ "lines": of_key(stream), "first": first, "count": count, "bytes": text(bytes) })
        }
        Write::Drop { stream, before } => json!({ "drop": of_key(stream), "before": before }),
        Write::Above { watermark, number } => json!({ "above": of_key(watermark), "number": number }),
        Write::Raise { watermark, to } => json!({ "raise": of_key(watermark), "to": to }),
    }
}

fn written(told: &Value) -> Write {
    let number = |name: &str| told[name].as_u64().unwrap();
    let is = |name: &str| told.get(name).map(to_key);
    if let Some(key) = is("put") {
        let indexes = told["indexes"].as_array().unwrap().iter().map(|entry| {
            let named = |index: &Index| format!("{index:?}") == entry[0].as_str().unwrap();
            (
                Index::ALL.into_iter().find(named).unwrap(),
                hex::decode(entry[1].as_str().unwrap()).unwrap().into(),
            )
        });
        let format = u16::try_from(number("format")).unwrap();
        let body = bytes(&told["body"]);
        Write::Put { key, expected: number("expected"), format, body, indexes: indexes.collect() }
    } else if let Some(key) = is("delete") {
        Write::Delete { key, expected: number("expected") }
    } else if let Some(key) = is("expect") {
        Write::Expect { key, expected: number("expected") }
    } else if let Some(counter) = is("add") {
        Write::Add { counter, delta: told["delta"].as_i64().unwrap(), max: told["max"].as_i64() }
    } else if let Some(stream) = is("append") {
        Write::Append { stream, at: number("at"), bytes: bytes(&told["bytes"]) }
    } else if let Some(stream) = is("lines") {
        let (first, count) = (number("first"), number("count"));
        Write::AppendLines { stream, first, count, bytes: bytes(&told["bytes"]) }
    } else if let Some(watermark) = is("above") {
        Write::Above { watermark, number: number("number") }
    } else if let Some(watermark) = is("raise") {
        Write::Raise { watermark, to: number("to") }
    } else {
        Write::Drop { stream: is("drop").unwrap(), before: number("before") }
    }
}

fn of_key(key: &Key) -> Value {
    json!([key.tenant.to_string(), key.kind.number(), hex::encode(&key.id)])
}

fn to_key(told: &Value) -> Key {
    let kind = u16::try_from(told[1].as_u64().unwrap()).unwrap();
    let id = hex::decode(told[2].as_str().unwrap()).unwrap();
    Key::new(told[0].as_str().unwrap().parse().unwrap(), Kind::from_number(kind).unwrap(), id)
}

/// Text where it is text, for whoever reads a transcript.
fn text(bytes: &Bytes) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": hex::encode(bytes) }),
    }
}

fn bytes(told: &Value) -> Bytes {
    match told.as_str() {
        Some(text) => text.to_owned().into(),
        None => hex::decode(told["hex"].as_str().unwrap()).unwrap().into(),
    }
}
