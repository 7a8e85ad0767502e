//! Definitions a node imports whenever its application starts.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use broker::domain::user::HashAlgorithm;
use broker::storage::BoxFuture;
use broker::{AppService, Broker, Caller, Definitions, Error, Listener};
use tokio::task::spawn_blocking;

/// Largest accepted file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Imports a definitions file, or every `.json` file of a folder in name order. A file
/// that cannot be read or is refused keeps the application from starting, so that a
/// broker never runs with less than it was configured to hold.
pub struct LoadDefinitions {
    path: PathBuf,
    hashing: HashAlgorithm,
}

impl LoadDefinitions {
    /// From a file or folder; passwords in the clear are hashed with `hashing`.
    #[must_use]
    pub fn new(path: PathBuf, hashing: HashAlgorithm) -> Self {
        Self { path, hashing }
    }

    async fn load(&self, broker: Broker) -> Result<Vec<Listener>, Error> {
        let (path, hashing) = (self.path.clone(), self.hashing);
        let parsed = spawn_blocking(move || read(&path, hashing)).await;
        for (file, definitions) in parsed.map_err(|error| Error::Internal(error.to_string()))?? {
            let report = broker.import_definitions(&Caller::internal(), definitions).await;
            let report = report.map_err(|error| in_file(&file, error))?;
            tracing::info!(
                "definitions {}: {} created, {} updated, {} unchanged",
                file.display(),
                report.created,
                report.updated,
                report.unchanged
            );
        }
        Ok(Vec::new())
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

/// Reads and parses everything before the first import.
fn read(path: &Path, hashing: HashAlgorithm) -> Result<Vec<(PathBuf, Definitions)>, Error> {
    let mut parsed = Vec::new();
    for file in files(path).map_err(|error| in_file(path, error))? {
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(&file).map_err(|error| in_file(&file, error))?;
        opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| in_file(&file, error))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(in_file(&file, format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        let definitions = super::parse(&bytes, hashing).map_err(|error| in_file(&file, error))?;
        parsed.push((file, definitions));
    }
    Ok(parsed)
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
        let read = read(path, HashAlgorithm::Sha256).map_err(|error| error.to_string())?;
        Ok(read.into_iter().flat_map(|(_, read)| read.vhosts).map(|vhost| vhost.name.to_string()).collect())
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
    fn a_refusal_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let refusal = |path: &Path| names(path).unwrap_err();
        assert!(refusal(&path).starts_with(&format!("definitions {}: ", path.display())));
        std::fs::write(&path, "{").unwrap();
        assert_eq!(refusal(&path), format!("definitions {}: failed_to_parse_json", path.display()));
    }
}
