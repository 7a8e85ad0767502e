//! What an accept loop does when nothing can be accepted: it says why, once, and pauses. Listeners outside of this
//! crate do the same.

use std::io;
use std::time::Duration;

use crate::runtime::system::file_descriptors;

/// Pause after an accept that failed because the process ran out of something.
const PAUSE: Duration = Duration::from_millis(50);

/// How accepting goes.
#[derive(Debug)]
pub struct Accepting {
    /// What comes in: `connections`.
    what: &'static str,
    failing: bool,
}

impl Accepting {
    /// Of a loop that accepts these.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self { what, failing: false }
    }

    /// One was accepted.
    pub fn succeeded(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("{} are accepted again", self.what);
        }
    }

    /// One was not, and the loop must not spin. Said once: what failed is tried again as long as the client waits.
    pub async fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            self.report(error);
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn report(&self, error: &io::Error) {
        let what = self.what;
        if is_out_of_files(error) {
            let (used, limit) = file_descriptors();
            tracing::error!(
                "file descriptors have run out ({used} of {limit} are open): new {what} wait until some are closed, or the limit is raised (ulimit -n)"
            );
        } else {
            tracing::warn!("accepting {what} failed: {error}");
        }
    }
}

/// Whether the process, or the whole system, has as many files open as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    errno.is_some_and(|errno| matches!(errno, rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}
