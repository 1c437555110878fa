//! The rule that stands for all combinations nobody thought of: random batches and questions,
//! from fixed seeds, must be answered by a store as the model answers them.

use super::model::{Answer, Model};
use crate::{
    store::{Query, Store, StoreError, Write},
    values::{
        id::TenantId,
        key::{Index, Key, Kind},
    },
};
use bytes::Bytes;
use std::sync::Arc;

const SEEDS: u64 = 12;
const ROUNDS: usize = 60;

/// Each seed is a tenant-less world of few keys, so that batches meet one another often.
pub async fn it_agrees_with_the_model(store: Arc<dyn Store>) {
    for seed in 0..SEEDS {
        let mut world = World { chance: Chance(seed), tag: seed.to_be_bytes()[7] };
        let mut model = Model::default();
        for round in 0..ROUNDS {
            let batch = world.batch(&model);
            let expected = model.commit(&batch);
            let answer = match store.commit(batch.clone()).await {
                Ok(committed) => Answer::Committed(committed),
                Err(StoreError::Conflict(key)) => Answer::Conflict(key),
                Err(StoreError::Exhausted(key)) => Answer::Exhausted(key),
                Err(StoreError::Below { watermark, at }) => Answer::Below(watermark, at),
                Err(trouble) => panic!("seed {seed}, round {round}: {trouble:?} at {batch:?}"),
            };
            assert_eq!(answer, expected, "seed {seed}, round {round}: {batch:?}");
            let query = world.query();
            let found = store.scan(query.clone()).await.expect("the question is answered");
            assert_eq!(found, model.scan(&query), "seed {seed}, round {round}: {query:?}");
        }
        let keys: Vec<_> = (0..KEYS).map(|number| world.record(number)).collect();
        let expected: Vec<_> = keys.iter().map(|key| model.load(key)).collect();
        assert_eq!(store.load(keys).await.expect("records can be read"), expected, "seed {seed}");
    }
}

const KEYS: u64 = 10;

/// Makes batches and questions over a few keys that all begin with one tag, so that every seed
/// has the store to itself.
struct World {
    chance: Chance,
    tag: u8,
}

impl World {
    fn batch(&mut self, model: &Model) -> Vec<Write> {
        let mut batch = Vec::new();
        let first = self.chance.below(KEYS);
        for step in 0..self.chance.below(5) {
            // Distinct records, as a batch demands.
            let key = self.record((first + step) % KEYS);
            let read = model.load(&key).map_or(0, |stored| stored.version);
            let expected = if self.chance.one_in(12) { read + 1 } else { read };
            batch.push(match self.chance.below(8) {
                0 if expected > 0 => Write::Delete { key, expected },
                0 | 1 => Write::Expect { key, expected },
                _ => self.put(key, expected),
            });
        }
        for _ in 0..self.chance.below(3) {
            let counter = self.id(Kind::Limit, 3);
            let delta = i64::try_from(self.chance.below(5)).expect("small") - 2;
            let max = self.chance.one_in(2).then_some(4);
            batch.push(Write::Add { counter, delta, max });
        }
        if self.chance.one_in(2) {
            let watermark = self.id(Kind::Log, 2);
            batch.push(if self.chance.one_in(4) {
                Write::Raise { watermark, to: self.chance.below(40) }
            } else {
                Write::Above { watermark, number: self.chance.below(200) }
            });
        }
        for _ in 0..self.chance.below(3) {
            let stream = self.id(Kind::Log, 2);
            let at = self.chance.below(20);
            batch.push(if self.chance.one_in(8) {
                Write::Drop { stream, before: at }
            } else {
                let bytes = Bytes::from(vec![b'x'; usize::try_from(self.chance.below(6)).expect("small")]);
                Write::Append { stream, at, bytes }
            });
        }
        batch
    }

    fn put(&mut self, key: Key, expected: u64) -> Write {
        let mut indexes = Vec::new();
        for index in Index::ALL {
            if !key.kind.is_body() && self.chance.one_in(3) {
                // Ends in the record's id, as every index key does, so that it is unique.
                let head = u8::try_from(self.chance.below(4)).expect("small") * 85;
                indexes.push((index, [&[self.tag, head], &key.id[..]].concat().into()));
            }
        }
        let body = self.chance.below(u64::MAX).to_string().into();
        let format = u16::try_from(self.chance.below(3)).expect("small");
        Write::Put { key, expected, format, body, indexes }
    }

    fn query(&mut self) -> Query {
        let limit = u32::try_from(self.chance.below(8)).expect("small");
        match self.chance.below(6) {
            0 => {
                let kind = if self.chance.one_in(2) { Kind::Limit } else { Kind::Log };
                Query::Counters { prefix: Key::new(TenantId::DEFAULT, kind, vec![self.tag]), limit }
            }
            1 => {
                let stream = self.id(Kind::Log, 2);
                Query::Stream { stream, from: self.chance.below(24), bytes_max: limit * 2 }
            }
            _ => {
                let bounds = [self.bound(), self.bound()];
                let [after, until] = bounds;
                let index = Index::ALL[usize::try_from(self.chance.below(6)).expect("small")];
                let head = u8::try_from(self.chance.below(4)).expect("small") * 85;
                let prefix = if self.chance.one_in(2) { vec![self.tag] } else { vec![self.tag, head] };
                let newest_first = self.chance.one_in(2);
                Query::Range { index, prefix: prefix.into(), after, until, newest_first, limit }
            }
        }
    }

    fn bound(&mut self) -> Option<Bytes> {
        let head = u8::try_from(self.chance.below(4)).expect("small") * 85;
        let id = u8::try_from(self.chance.below(KEYS)).expect("small");
        self.chance.one_in(2).then(|| vec![self.tag, head, self.tag, id].into())
    }

    fn record(&self, number: u64) -> Key {
        let kind = if number % 5 == 4 { Kind::Payload } else { Kind::Job };
        Key::new(TenantId::DEFAULT, kind, vec![self.tag, u8::try_from(number).expect("small")])
    }

    fn id(&mut self, kind: Kind, count: u64) -> Key {
        let number = u8::try_from(self.chance.below(count)).expect("small");
        Key::new(TenantId::DEFAULT, kind, vec![self.tag, number])
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}
