//! Numbers that follow from a seed, and damage done to bytes with them.

/// A generator (SplitMix64): every seed gives a different, repeatable sequence.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next_u64() % end as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Up to `end` bytes.
    pub fn bytes(&mut self, end: usize) -> Vec<u8> {
        let len = self.below(end + 1);
        (0..len).map(|_| self.next_u64() as u8).collect()
    }

    /// Numbers that sit on edges more often than not.
    pub fn edge_u64(&mut self) -> u64 {
        const EDGES: [u64; 12] =
            [0, 1, 2, 127, 255, 256, 4096, 65_535, 65_536, u32::MAX as u64, i64::MAX as u64, u64::MAX];
        if self.once_in(4) { self.next_u64() } else { *self.pick(&EDGES) }
    }

    /// Flips, removes, repeats, cuts or inserts a few bytes.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            if bytes.is_empty() {
                bytes.extend(self.bytes(8));
                continue;
            }
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = *self.pick(&[0, 1, 0x7f, 0x80, 0xce, 0xff]),
                2 => bytes.truncate(at),
                3 => drop(bytes.remove(at)),
                4 => {
                    let end = (at + 1 + self.below(16)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let piece = self.bytes(8);
                    bytes.splice(at..at, piece);
                }
            }
        }
    }
}
