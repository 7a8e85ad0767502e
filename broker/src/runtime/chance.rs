//! Dice for exchanges that choose by chance: fast, without a lock, and not for secrets.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The golden ratio's share of 2^64: steps of it visit every number once.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64: a counter that starts anywhere, each count mixed.
static COUNTER: LazyLock<AtomicU64> = LazyLock::new(|| {
    let mut start = [0; 8];
    // Without random bytes the sequence starts at 0: it is spread as evenly from there.
    let _ = getrandom::fill(&mut start);
    AtomicU64::new(u64::from_ne_bytes(start))
});

/// The next number.
pub(crate) fn next() -> u64 {
    let mut bits = COUNTER.fetch_add(STEP, Relaxed).wrapping_add(STEP);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_falls_about_half_the_time() {
        const THROWS: u32 = 4096;
        let mut ones = [0u32; 64];
        for _ in 0..THROWS {
            let bits = next();
            ones.iter_mut().enumerate().for_each(|(at, ones)| *ones += (bits >> at & 1) as u32);
        }
        // Twelve standard deviations of 32 to either side.
        assert!(ones.iter().all(|ones| ones.abs_diff(THROWS / 2) < 12 * 32), "{ones:?}");
    }
}
