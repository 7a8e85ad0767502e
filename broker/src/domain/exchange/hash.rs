//! The hash by which hashing exchanges spread messages: 64 bits, the same on every
//! machine and in every version, so that a restart sends a key where it went before.

/// FNV-1a over the bytes, then the finalizer of MurmurHash3, so that keys that differ in
/// their last character only differ in half of all bits.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    mix(bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME)))
}

/// The hash of a list of texts: their borders count.
pub(super) fn hash_all(texts: &[&str]) -> u64 {
    texts.iter().fold(texts.len() as u64, |all, text| mix(all ^ hash(text.as_bytes())))
}

/// Spreads a number over all 64 bits, one to one.
pub(super) fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}

/// A place among `len`, as evenly as `bits` are. `len` is not 0.
pub(super) fn place(bits: u64, len: usize) -> usize {
    ((u128::from(bits) * len as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A restart, or another version, must not send keys elsewhere.
    #[test]
    fn hashes_are_what_they_always_were() {
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash(b"a"), 0x82a2_a958_a9be_ce5b);
        assert_eq!(hash(b"orders.eu"), 0x96a0_b920_bfad_9a82);
        assert_eq!(hash_all(&["a", "b"]), 0x00ba_79df_1cb2_6450);
        assert_eq!(hash_all(&["a", "b"]), hash_all(&["a", "b"]));
        assert_ne!(hash_all(&["ab"]), hash_all(&["a", "b"]));
        assert_ne!(hash_all(&["a", "b"]), hash_all(&["b", "a"]));
    }

    #[test]
    fn places_cover_the_range_and_no_more() {
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|bits| place(bits, 3)), [0, 1, 2]);
        assert_eq!(place(u64::MAX, 1), 0);
    }
}
