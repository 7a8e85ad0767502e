//! Reply codes, and THE table from broker errors to them: what a client is told, and
//! whether its channel or its whole connection ends (AMQP 0-9-1, 1.2).

use crate::domain::wire::Malformed;
use crate::error::{Error, ErrorKind};

/// Longest reply text, in bytes.
const SHORT_STRING_BYTES_MAX: usize = 255;

/// What a reply text that was cut ends in.
const CUT: &str = "...";

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $hard:literal;)*) => {
        /// A reply code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ReplyCode {
            $($(#[$doc])* $variant,)*
        }

        impl ReplyCode {
            /// The number on the wire.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The name that starts every reply text.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether it ends the connection.
            #[must_use]
            pub fn is_hard(self) -> bool {
                match self { $(Self::$variant => $hard,)* }
            }
        }
    };
}

codes! {
    /// An operator or the broker closes the connection.
    ConnectionForced = 320, "CONNECTION_FORCED", true;
    /// No permission.
    AccessRefused = 403, "ACCESS_REFUSED", false;
    /// Does not exist.
    NotFound = 404, "NOT_FOUND", false;
    /// Held by another connection.
    ResourceLocked = 405, "RESOURCE_LOCKED", false;
    /// Exists otherwise, in use, wrong arguments.
    PreconditionFailed = 406, "PRECONDITION_FAILED", false;
    /// A frame that is none.
    FrameError = 501, "FRAME_ERROR", true;
    /// Fields that cannot be read.
    SyntaxError = 502, "SYNTAX_ERROR", true;
    /// A method that is not known here.
    CommandInvalid = 503, "COMMAND_INVALID", true;
    /// A channel that is not open, or a method out of order.
    ChannelError = 504, "CHANNEL_ERROR", true;
    /// A frame out of order.
    UnexpectedFrame = 505, "UNEXPECTED_FRAME", true;
    /// Something ran out.
    ResourceError = 506, "RESOURCE_ERROR", true;
    /// Forbidden here.
    NotAllowed = 530, "NOT_ALLOWED", true;
    /// Not offered.
    NotImplemented = 540, "NOT_IMPLEMENTED", true;
    /// Our fault.
    InternalError = 541, "INTERNAL_ERROR", true;
}

/// A refusal on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its code.
    pub code: ReplyCode,
    /// The explanation behind the code's name.
    pub text: String,
    /// Whether the connection ends, not just the channel.
    pub hard: bool,
    /// Whether the close names no method, whichever one was being read.
    pub anonymous: bool,
}

impl Violation {
    /// Ends the connection.
    #[must_use]
    pub fn connection(code: ReplyCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), hard: true, anonymous: false }
    }

    /// Ends what the code says it ends.
    #[must_use]
    pub fn new(code: ReplyCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), hard: code.is_hard(), anonymous: false }
    }

    /// The same, without the name of a method.
    #[must_use]
    pub fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }

    /// Class and method id for the close, of the method being read.
    #[must_use]
    pub fn ids(&self, of_method: (u16, u16)) -> (u16, u16) {
        if self.anonymous { (0, 0) } else { of_method }
    }

    /// `CODE_NAME - explanation`. One that is longer than a short string ends in dots, as
    /// the reference cuts it.
    #[must_use]
    pub fn reply_text(&self) -> String {
        let mut text = format!("{} - {}", self.code.name(), self.text);
        if text.len() > SHORT_STRING_BYTES_MAX {
            text.truncate(text.floor_char_boundary(SHORT_STRING_BYTES_MAX - CUT.len()));
            text.push_str(CUT);
        }
        text
    }
}

impl From<Malformed> for Violation {
    fn from(error: Malformed) -> Self {
        Self::connection(ReplyCode::FrameError, error.to_string())
    }
}

impl From<Error> for Violation {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::NotFound => ReplyCode::NotFound,
            ErrorKind::AccessRefused | ErrorKind::LoginRefused => ReplyCode::AccessRefused,
            ErrorKind::ResourceLocked => ReplyCode::ResourceLocked,
            ErrorKind::PreconditionFailed | ErrorKind::InvalidValue => ReplyCode::PreconditionFailed,
            ErrorKind::NotAllowed => ReplyCode::NotAllowed,
            ErrorKind::NotImplemented => ReplyCode::NotImplemented,
            ErrorKind::FeatureDenied | ErrorKind::Unavailable | ErrorKind::Internal => ReplyCode::InternalError,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{QueueName, VhostName};
    use crate::error::Resource;

    #[test]
    fn a_missing_queue_reads_as_the_reference_says_it() {
        let queue = Resource::Queue(VhostName::new("/").unwrap(), QueueName::new("q").unwrap());
        let violation = Violation::from(Error::NoSuch(queue));
        assert_eq!(violation.reply_text(), "NOT_FOUND - no queue 'q' in vhost '/'");
        assert!(!violation.hard);
    }

    #[test]
    fn a_reply_text_is_cut_to_a_short_string() {
        let text = |text: String| Violation::new(ReplyCode::NotFound, text).reply_text();
        assert_eq!(text("q".repeat(243)), format!("NOT_FOUND - {}", "q".repeat(243)));
        assert_eq!(text("q".repeat(244)), format!("NOT_FOUND - {}...", "q".repeat(240)));
        assert_eq!(text("水".repeat(200)), format!("NOT_FOUND - {}...", "水".repeat(80)));
    }
}
