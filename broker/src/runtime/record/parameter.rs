//! The stored forms of parameters: `parameter/<vhost>/<component>/<name>` and
//! `global-parameter/<name>`.

use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::name::VhostName;
use crate::domain::parameter::{Document, Parameter};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

/// What the keys of all runtime parameters start with.
pub(crate) fn prefix() -> String {
    key::prefix(kind::PARAMETER, [])
}

/// Stores a runtime parameter.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put(parameter: &Parameter) -> Result<Write, Error> {
    write(parameter_key(&parameter.vhost, &parameter.component, &parameter.name), &parameter.value)
}

/// Forgets a runtime parameter.
pub(crate) fn delete(vhost: &VhostName, component: &str, name: &str) -> Write {
    erase(parameter_key(vhost, component, name))
}

/// The runtime parameter an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<Parameter, StorageError> {
    let [vhost, component, name] =
        key::parts(&entry.key, kind::PARAMETER).ok_or_else(|| damaged(entry, "not the key of a parameter"))?;
    let vhost = VhostName::new(vhost).map_err(|error| damaged(entry, error))?;
    Ok(Parameter { vhost, component, name, value: read(entry)? })
}

/// What the keys of all global parameters start with.
pub(crate) fn global_prefix() -> String {
    key::prefix(kind::GLOBAL_PARAMETER, [])
}

/// Stores a global parameter.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put_global(name: &str, value: &Document) -> Result<Write, Error> {
    write(key::key(kind::GLOBAL_PARAMETER, [name]), value)
}

/// Forgets a global parameter.
pub(crate) fn delete_global(name: &str) -> Write {
    erase(key::key(kind::GLOBAL_PARAMETER, [name]))
}

/// The global parameter an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode_global(entry: &Entry) -> Result<(String, Document), StorageError> {
    let [name] = key::parts(&entry.key, kind::GLOBAL_PARAMETER)
        .ok_or_else(|| damaged(entry, "not the key of a global parameter"))?;
    Ok((name, read(entry)?))
}

fn parameter_key(vhost: &VhostName, component: &str, name: &str) -> String {
    key::key(kind::PARAMETER, [vhost.as_str(), component, name])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::stored;
    use super::*;
    use crate::domain::parameter::DOCUMENT_NESTING_MAX;

    #[test]
    fn documents_come_back_as_they_were() {
        let mut deep = json!(1);
        for _ in 0..DOCUMENT_NESTING_MAX {
            deep = json!([deep]);
        }
        for value in [json!(null), json!(-1), json!(u64::MAX), json!({"z": 1, "a": [true, {"k": null}]}), deep] {
            let parameter = Parameter {
                vhost: VhostName::new("a/b").unwrap(),
                component: "shovel".into(),
                name: "%2F".into(),
                value: value.clone(),
            };
            let entry = stored(put(&parameter).unwrap());
            assert!(entry.key.starts_with(&prefix()));
            assert_eq!(delete(&parameter.vhost, &parameter.component, &parameter.name).key, entry.key);
            assert_eq!(decode(&entry), Ok(parameter));

            let entry = stored(put_global("n", &value).unwrap());
            assert!(entry.key.starts_with(&global_prefix()));
            assert_eq!(delete_global("n").key, entry.key);
            assert_eq!(decode_global(&entry), Ok(("n".into(), value)));
        }
    }
}
