//! What can go wrong in a run, and the exit code each kind gives.

use std::io;
use std::process::ExitCode;

use crate::wire::Malformed;

/// Why a run could not be made or finished.
#[derive(Debug, thiserror::Error)]
pub enum PerfError {
    /// The options contradict each other.
    #[error("{0}")]
    Usage(String),
    /// The server could not be reached, or went away.
    #[error("{what}: {source}")]
    Unavailable { what: String, source: io::Error },
    /// The server closed the connection or a channel and said why.
    #[error("the server refused {what}: {code} {text}")]
    Refused { what: String, code: u16, text: String },
    /// The server sent what the protocol does not allow.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] Malformed),
    /// The server sent a method that has no place here.
    #[error("the server sent method {0}.{1} where it has no place")]
    Unexpected(u16, u16),
    /// Nothing moved for as long as `--stall-timeout` allows.
    #[error("nothing moved for {seconds} s while waiting for {what}")]
    Stalled { what: String, seconds: u64 },
    /// Another part of the run failed first.
    #[error("stopped because another part of the run failed")]
    Aborted,
    /// The measured process is not there or hides its figures.
    #[error("cannot read the figures of process {pid}: {source}")]
    Process { pid: u32, source: io::Error },
    /// A thread or a file of the tool itself.
    #[error("{what}: {source}")]
    Local { what: &'static str, source: io::Error },
}

/// All messages arrived once and in order.
pub const EXIT_OK: u8 = 0;
/// The options were wrong.
pub const EXIT_USAGE: u8 = 64;
/// A message was lost, duplicated, reordered or refused.
pub const EXIT_VERIFICATION: u8 = 65;
/// The server could not be reached, went away, refused or stalled.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// The tool itself, or what the server sent, is at fault.
pub const EXIT_SOFTWARE: u8 = 70;

impl PerfError {
    /// The exit code of a run that ends with this error.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) | Self::Process { .. } => EXIT_USAGE,
            Self::Unavailable { .. } | Self::Refused { .. } | Self::Stalled { .. } => EXIT_UNAVAILABLE,
            Self::Protocol(_) | Self::Unexpected(..) | Self::Aborted | Self::Local { .. } => EXIT_SOFTWARE,
        })
    }
}
