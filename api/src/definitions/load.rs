//! Definitions a node imports whenever its application starts.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use broker::domain::user::HashAlgorithm;
use broker::storage::BoxFuture;
use broker::{AppService, Broker, Caller, Definitions, Error, ImportCounts, Listener};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

/// Largest accepted file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Global parameter, named as the reference names it: what the files were that were imported last.
const IMPORTED_HASH: &str = "imported_definition_hash_value";

/// Imports a definitions file, or every `.json` file of a folder in name order. A file
/// that cannot be read or is refused keeps the application from starting, so that a
/// broker never runs with less than it was configured to hold.
pub struct LoadDefinitions {
    /// A file or a folder.
    pub path: PathBuf,
    /// How passwords in the clear are hashed.
    pub hashing: HashAlgorithm,
    /// Whether files that are as they were at the last import are not looked into.
    pub skips_unchanged: bool,
    /// Whom the tools have to ask.
    pub node_name: String,
}

impl LoadDefinitions {
    async fn load(&self, broker: Broker) -> Result<Vec<Listener>, Error> {
        let path = self.path.clone();
        let read = spawn_blocking(move || read(&path)).await.map_err(|error| Error::Internal(error.to_string()))??;
        let hash = Value::from(fingerprint(&read));
        if self.skips_unchanged && broker.directory().global_parameters.get(IMPORTED_HASH) == Some(&hash) {
            tracing::info!("definitions {}: unchanged since they were imported", self.path.display());
        } else {
            self.import(&broker, read).await?;
            if self.skips_unchanged {
                broker.put_global_parameter(IMPORTED_HASH, hash).await?;
            }
        }
        warn_without_administrator(&broker, &self.node_name);
        Ok(Vec::new())
    }

    async fn import(&self, broker: &Broker, read: Vec<(PathBuf, Vec<u8>)>) -> Result<(), Error> {
        let hashing = self.hashing;
        let parsed = spawn_blocking(move || parse(read, hashing)).await;
        for (file, definitions) in parsed.map_err(|error| Error::Internal(error.to_string()))?? {
            let report = broker.import_definitions(&Caller::internal(), definitions).await;
            let report = report.map_err(|error| in_file(&file, error))?;
            let ImportCounts { created, updated, unchanged, skipped } = report.totals();
            tracing::info!(
                "definitions {}: {created} created, {updated} updated, {unchanged} unchanged, {skipped} skipped",
                file.display()
            );
        }
        Ok(())
    }
}

/// Definitions replace the default user, so that nobody gets in with a known password; when
/// they bring nobody who may administer the node, the log says how to become that.
fn warn_without_administrator(broker: &Broker, node: &str) {
    let directory = broker.directory();
    if directory.users.values().any(|user| user.is_administrator() && user.password.is_some()) {
        return;
    }
    tracing::warn!(
        "NOBODY CAN ADMINISTER THIS NODE: of the {} users none has both the tag administrator and a password. On this host, as the user who runs the broker, these commands make one:",
        directory.users.len()
    );
    tracing::warn!("  rabbitmqctl -n {node} add_user admin PASSWORD");
    tracing::warn!("  rabbitmqctl -n {node} set_user_tags admin administrator");
    for vhost in directory.vhosts.keys().take(1) {
        tracing::warn!("  rabbitmqctl -n {node} set_permissions -p {vhost} admin .* .* .*");
    }
}

impl AppService for LoadDefinitions {
    fn start(&self, broker: Broker) -> BoxFuture<'_, Result<Vec<Listener>, Error>> {
        Box::pin(self.load(broker))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn in_file(file: &Path, error: impl std::fmt::Display) -> Error {
    Error::Unavailable(format!("definitions {}: {error}", file.display()))
}

/// Reads everything before the first import.
fn read(path: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
    let mut read = Vec::new();
    for file in files(path).map_err(|error| in_file(path, error))? {
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(&file).map_err(|error| in_file(&file, error))?;
        opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| in_file(&file, error))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(in_file(&file, format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        read.push((file, bytes));
    }
    Ok(read)
}

/// Parses everything before the first import.
fn parse(read: Vec<(PathBuf, Vec<u8>)>, hashing: HashAlgorithm) -> Result<Vec<(PathBuf, Definitions)>, Error> {
    let parse = |(file, bytes): (PathBuf, Vec<u8>)| match super::parse(&bytes, hashing) {
        Ok(definitions) => Ok((file, definitions)),
        Err(error) => Err(in_file(&file, error)),
    };
    read.into_iter().map(parse).collect()
}

/// Changes when a file does, or its name.
fn fingerprint(read: &[(PathBuf, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    for (file, bytes) in read {
        let name = file.as_os_str().as_encoded_bytes();
        for part in [name, bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Result<Vec<String>, String> {
        let parsed = read(path).and_then(|read| parse(read, HashAlgorithm::Sha256));
        let parsed = parsed.map_err(|error| error.to_string())?;
        Ok(parsed.into_iter().flat_map(|(_, read)| read.vhosts).map(|vhost| vhost.name.to_string()).collect())
    }

    #[test]
    fn a_file_or_a_folder_of_files_is_read_in_name_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(names(folder.path()), Ok(vec![]));
        write("b.json", r#"{"vhosts": [{"name": "second"}]}"#);
        write("a.JSON", r#"{"vhosts": [{"name": "first"}]}"#);
        write("notes.txt", "no definitions");
        assert_eq!(names(folder.path()), Ok(vec!["first".into(), "second".into()]));
        assert_eq!(names(&folder.path().join("b.json")), Ok(vec!["second".into()]));
    }

    #[test]
    fn a_fingerprint_changes_with_names_and_contents() {
        let of = |files: &[(&str, &str)]| {
            let files: Vec<_> =
                files.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec())).collect();
            fingerprint(&files)
        };
        let one = of(&[("a", "bc")]);
        assert_eq!(one, of(&[("a", "bc")]));
        for other in [of(&[("ab", "c")]), of(&[("a", "b")]), of(&[("a", "bc"), ("b", "")]), of(&[])] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_refusal_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let refusal = |path: &Path| names(path).unwrap_err();
        assert!(refusal(&path).starts_with(&format!("definitions {}: ", path.display())));
        std::fs::write(&path, "{").unwrap();
        assert_eq!(refusal(&path), format!("definitions {}: failed_to_parse_json", path.display()));
    }
}
