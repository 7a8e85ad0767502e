//! Field tables and properties: what was written is read; what is read from damaged bytes can be written and read again.

use broker::domain::properties::{self, Properties};
use broker::domain::wire::{self, Reader};

use crate::grammar;
use crate::random::Random;

/// One execution.
///
/// # Panics
/// When a rule does not hold.
pub fn run(seed: u64) {
    let random = &mut Random::new(seed);
    let table = grammar::table(random, 0);
    let mut bytes = Vec::new();
    wire::write_table(&mut bytes, &table);
    // Compared as bytes: a NaN is not equal to itself.
    assert_eq!(rewritten(&bytes).as_deref(), Some(&bytes[..]), "a table reads as it was written");

    random.damage(&mut bytes);
    let (mut reader, mut skipper) = (Reader::new(&bytes), Reader::new(&bytes));
    let (read, skipped) = (reader.table(), skipper.skip_table());
    if read.is_ok() {
        assert!(skipped.is_ok(), "what can be read can be skipped");
        assert_eq!(reader.rest(), skipper.rest(), "reading and skipping go equally far");
    }
    if let Some(once) = rewritten(&bytes) {
        assert_eq!(rewritten(&once), Some(once), "a table that was read is written for good");
    }

    let mut bytes = grammar::properties(random);
    if !random.once_in(3) {
        random.damage(&mut bytes);
    }
    let (decoded, checked) = (Properties::decode(&bytes), properties::check(&bytes));
    if checked.is_ok() {
        let _ = properties::glance(&bytes);
    }
    if let Ok(decoded) = decoded {
        let again = Properties::decode(&decoded.encode()).expect("properties that were read are written whole");
        assert_eq!(again.encode(), decoded.encode(), "properties that were read are written for good");
    }
}

/// The bytes of the table that these bytes start with.
fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    let table = Reader::new(bytes).table().ok()?;
    let mut out = Vec::new();
    wire::write_table(&mut out, &table);
    Some(out)
}
