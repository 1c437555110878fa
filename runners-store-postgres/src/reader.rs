//! Those who load. Each takes whatever loads are waiting into one statement and answers their callers
//! after it, so that one way to the server serves many.

use crate::{
    connections::{Connections, Parameter},
    error::{Closed, Trouble},
    key::{Key, bytes_of},
    read::{key_bytes, stored},
    sql::Statements,
};
use runners_core::store::{StoreError, Stored};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::{Row, types::Type};

/// How many statements load at the same time. With fewer, more goes into each.
pub(crate) const READERS: usize = 2;

/// How many keys one statement asks for, but for its last load.
const GROUP_KEYS_MAX: usize = 256;

/// What a caller is told: its records in the order of its keys.
pub(crate) type Loaded = Result<Vec<Option<Stored>>, StoreError>;

/// A load on its way to a reader. It has keys.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) keys: Vec<Key>,
    pub(crate) answer: oneshot::Sender<Loaded>,
}

/// One of those who load.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) connections: Arc<Connections>,
    pub(crate) statements: Arc<Statements>,
}

impl Reader {
    /// Loads until there are no more callers.
    pub(crate) async fn read_all(self, asked: Arc<Mutex<mpsc::Receiver<Load>>>) {
        loop {
            let loads = {
                let mut asked = asked.lock().await;
                let Some(first) = asked.recv().await else { return };
                gather(first, &mut asked)
            };
            match self.read(&loads).await {
                Ok(rows) => {
                    for load in loads {
                        // A caller that has gone away is no trouble.
                        let _ = load.answer.send(found(&load.keys, &rows));
                    }
                }
                Err(trouble) => {
                    for load in loads {
                        let _ = load.answer.send(Err(trouble.clone().into()));
                    }
                }
            }
        }
    }

    /// One statement sees one moment, for each load in it.
    async fn read(&self, loads: &[Load]) -> Result<Found, Trouble> {
        let keys = || loads.iter().flat_map(|load| &load.keys);
        let of_kind = |is_body: bool| -> Vec<Vec<u8>> {
            keys().filter(|key| key.kind.is_body() == is_body).map(bytes_of).collect()
        };
        let (records, bodies) = (of_kind(false), of_kind(true));
        let parameter = |keys| -> Parameter<'_> { (keys, Type::BYTEA_ARRAY) };
        let (sql, parameters) = match (records.is_empty(), bodies.is_empty()) {
            (false, true) => (&self.statements.load_records, vec![parameter(&records)]),
            (true, _) => (&self.statements.load_bodies, vec![parameter(&bodies)]),
            (false, false) => (&self.statements.load_both, vec![parameter(&records), parameter(&bodies)]),
        };
        let rows = self.connections.ask(sql, &parameters).await?;
        let mut found = Found::with_capacity(rows.len());
        for row in rows {
            found.insert(key_bytes(&row, 0)?.to_vec(), row);
        }
        Ok(found)
    }
}

/// Rows by the bytes of their keys.
type Found = HashMap<Vec<u8>, Row>;

/// What a load is told. A row that cannot be read is trouble of those alone who asked for it.
fn found(keys: &[Key], rows: &Found) -> Loaded {
    keys.iter().map(|key| rows.get(&bytes_of(key)).map(|row| stored(row, 0)).transpose()).collect()
}

/// Takes the loads that wait.
fn gather(first: Load, asked: &mut mpsc::Receiver<Load>) -> Vec<Load> {
    let mut keys = first.keys.len();
    let mut loads = vec![first];
    while keys < GROUP_KEYS_MAX {
        let Ok(load) = asked.try_recv() else { break };
        keys += load.keys.len();
        loads.push(load);
    }
    loads
}

/// Has one of the readers load.
pub(crate) async fn load(asks: mpsc::Sender<Load>, keys: Vec<Key>) -> Loaded {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let gone = || StoreError::Unavailable(Box::new(Closed));
    let (answer, answered) = oneshot::channel();
    asks.send(Load { keys, answer }).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Kind, TenantId};

    fn load(id: usize) -> Load {
        let key = Key::new(TenantId::DEFAULT, Kind::Payload, id.to_be_bytes().to_vec());
        Load { keys: vec![key], answer: oneshot::channel().0 }
    }

    #[test]
    fn loads_that_wait_go_together_up_to_a_limit() {
        let (asks, mut asked) = mpsc::channel(2 * GROUP_KEYS_MAX);
        (1..GROUP_KEYS_MAX + 3).for_each(|id| asks.try_send(load(id)).unwrap());
        let mut taken = || {
            let first = asked.try_recv().unwrap();
            gather(first, &mut asked).len()
        };
        assert_eq!([taken(), taken()], [GROUP_KEYS_MAX, 2]);
    }
}
