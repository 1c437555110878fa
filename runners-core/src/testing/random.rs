//! Chance that repeats: the same seed draws the same, on every machine and in every version.

use crate::seams::random::Random;
use std::sync::{Arc, Mutex, PoisonError};

/// Draws by `SplitMix64` (Steele, Lea and Flood, 2014) from a seed. A failing seed must fail for
/// ever, which the generators of well-kept crates do not promise over their versions.
///
/// Clones draw from the same sequence. Never for secrets.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    state: Arc<Mutex<u64>>,
}

impl SeededRandom {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(seed)) }
    }

    /// Starts another sequence, which depends on this one and on nothing drawn after.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::new(self.number())
    }

    /// Draws a number.
    #[must_use]
    pub fn number(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = *state;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }

    /// Draws from 0 up to, but not including, 1.
    #[must_use]
    pub fn unit(&self) -> f64 {
        crate::seams::random::unit(self)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.number().to_le_bytes()[..piece.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_what_its_authors_published() {
        let random = SeededRandom::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.number()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn forks_differ_and_repeat() {
        let forks = || {
            let random = SeededRandom::new(7);
            [random.fork().number(), random.fork().number()]
        };
        assert_eq!(forks(), forks());
        assert_ne!(forks()[0], forks()[1]);
    }
}
