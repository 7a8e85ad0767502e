//! How many files and sockets the process may have open: as many as the host allows it, since every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below so many a broker is soon short of them, and its log says so.
const FEW_FILES: u64 = 4096;

/// Raises the limit to what may be had without asking, and says what it is.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = &raised {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
    match if raised.is_ok() { maximum } else { current } {
        Some(files) if files < FEW_FILES => {
            tracing::warn!("only {files} files and connections can be open at once; raise the limit (ulimit -n)");
        }
        Some(files) => tracing::info!("up to {files} files and connections can be open at once"),
        None => {}
    }
}
