//! Versioned stored records: the only place where a domain value meets stored bytes.
//!
//! A record is one key and one value. The key names the object (`key`), the value is
//! `{"v":1,"d":{…}}`: a layout version and the object. One file per kind of object, each
//! offering `put`, `delete` and `decode`. Nothing here knows which engine keeps the bytes.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::storage::{Entry, Expect, StorageError, Write};

pub(crate) mod binding;
pub(crate) mod exchange;
mod field;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod parameter;
pub(crate) mod permission;
pub(crate) mod policy;
pub(crate) mod queue;
pub(crate) mod user;
pub(crate) mod vhost;

/// The layout written today. A record of a newer layout is refused, never guessed at.
const LAYOUT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    d: T,
}

#[derive(Deserialize)]
struct Layout {
    v: u32,
}

/// A write that stores `body` under `key`, whatever was there.
fn write<T: Serialize>(key: String, body: &T) -> Result<Write, Error> {
    let value = serde_json::to_vec(&Envelope { v: LAYOUT, d: body })
        .map_err(|error| Error::Internal(format!("cannot encode the record '{key}': {error}")))?;
    Ok(Write { key, value: Some(Bytes::from(value)), expect: Expect::Any })
}

/// A write that deletes `key`, if it is there.
fn erase(key: String) -> Write {
    Write { key, value: None, expect: Expect::Any }
}

/// The body of a stored record.
fn read<T: DeserializeOwned>(entry: &Entry) -> Result<T, StorageError> {
    match serde_json::from_slice::<Envelope<T>>(&entry.value) {
        Ok(envelope) if envelope.v == LAYOUT => Ok(envelope.d),
        Ok(Envelope { v, .. }) => Err(newer(entry, v)),
        Err(error) => Err(match serde_json::from_slice::<Layout>(&entry.value) {
            Ok(Layout { v }) if v != LAYOUT => newer(entry, v),
            _ => damaged(entry, error),
        }),
    }
}

fn newer(entry: &Entry, layout: u32) -> StorageError {
    damaged(entry, format_args!("layout {layout} is unknown, this version reads layout {LAYOUT}"))
}

/// The record cannot be understood; the text names its key.
fn damaged(entry: &Entry, why: impl std::fmt::Display) -> StorageError {
    StorageError::Damaged(format!("record '{}': {why}", entry.key))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::storage::Revision;

    /// What a store would hand back after this write.
    pub(crate) fn stored(write: Write) -> Entry {
        Entry { key: write.key, value: write.value.unwrap(), revision: Revision(1) }
    }

    fn entry(value: &str) -> Entry {
        Entry { key: "user/a".into(), value: Bytes::copy_from_slice(value.as_bytes()), revision: Revision(1) }
    }

    #[test]
    fn a_damaged_or_newer_record_is_refused_and_named() {
        for (value, text) in [
            ("", "record 'user/a': EOF"),
            ("{}", "record 'user/a': missing field"),
            (r#"{"v":1}"#, "record 'user/a': missing field `d`"),
            (r#"{"v":2,"d":5}"#, "record 'user/a': layout 2 is unknown"),
            (r#"{"v":2,"d":{"other":[]}}"#, "record 'user/a': layout 2 is unknown"),
            ("\u{0}\u{1}", "record 'user/a': expected value"),
        ] {
            let refusal = read::<u8>(&entry(value)).unwrap_err().to_string();
            assert!(refusal.contains(text), "{value}: {refusal}");
        }
        assert_eq!(read::<u8>(&entry(r#"{"v":1,"d":5}"#)), Ok(5));
    }
}
