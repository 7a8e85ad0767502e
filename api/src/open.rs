//! What everything that is open — connections, channels — is looked at with by one request.
//!
//! Knows which samples are asked for and whether counters are shown; what is said of each is
//! said beside its endpoints.

use crate::call::Call;
use crate::error::ApiError;
use crate::statistics::{Ranges, Statistics};

/// What open connections and channels look like to one request.
pub(crate) struct View<'a> {
    pub(crate) statistics: &'a Statistics,
    pub(crate) node: &'a str,
    pub(crate) ranges: Ranges,
    /// Whether what is counted is shown, and not only what was agreed on when it was opened.
    pub(crate) counted: bool,
}

impl<'a> View<'a> {
    /// Reads what a request wants to see.
    ///
    /// # Errors
    /// 400 for ranges that make no sense, where counters are shown.
    pub(crate) fn new(call: &'a Call) -> Result<Self, ApiError> {
        let counted = !call.without_stats();
        Ok(Self {
            statistics: call.statistics(),
            node: &call.node().settings().node_name,
            ranges: if counted { call.ranges()? } else { Ranges::default() },
            counted,
        })
    }
}
