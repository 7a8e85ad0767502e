//! AMQP 0-9-1 as bytes, as far as a load tool needs it: building what it sends, reading what it receives.
//!
//! Knows no socket and nothing of the broker's own code: the tool must not share the broker's mistakes.

pub mod decode;
pub mod encode;
pub mod text;

pub use decode::{Args, Frame, FrameBuffer, Incoming, Malformed};
pub use encode::Encode;
pub use text::ShortString;

/// What a client sends first.
pub const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// Bytes around a frame's payload: type, channel, size before it, the end marker after it.
pub const FRAME_OVERHEAD_BYTES: usize = 8;

/// Frame types.
pub mod frame_type {
    pub const METHOD: u8 = 1;
    pub const HEADER: u8 = 2;
    pub const BODY: u8 = 3;
    pub const HEARTBEAT: u8 = 8;
}

/// The last octet of every frame.
pub const FRAME_END: u8 = 0xCE;

/// A method's identity: class and number.
pub type MethodId = (u16, u16);

/// The methods the tool sends or understands.
pub mod method {
    use super::MethodId;
    pub const CONNECTION_START: MethodId = (10, 10);
    pub const CONNECTION_START_OK: MethodId = (10, 11);
    pub const CONNECTION_TUNE: MethodId = (10, 30);
    pub const CONNECTION_TUNE_OK: MethodId = (10, 31);
    pub const CONNECTION_OPEN: MethodId = (10, 40);
    pub const CONNECTION_OPEN_OK: MethodId = (10, 41);
    pub const CONNECTION_CLOSE: MethodId = (10, 50);
    pub const CONNECTION_CLOSE_OK: MethodId = (10, 51);
    pub const CONNECTION_BLOCKED: MethodId = (10, 60);
    pub const CONNECTION_UNBLOCKED: MethodId = (10, 61);
    pub const CHANNEL_OPEN: MethodId = (20, 10);
    pub const CHANNEL_OPEN_OK: MethodId = (20, 11);
    pub const CHANNEL_FLOW: MethodId = (20, 20);
    pub const CHANNEL_CLOSE: MethodId = (20, 40);
    pub const CHANNEL_CLOSE_OK: MethodId = (20, 41);
    pub const EXCHANGE_DECLARE: MethodId = (40, 10);
    pub const EXCHANGE_DECLARE_OK: MethodId = (40, 11);
    pub const EXCHANGE_DELETE: MethodId = (40, 20);
    pub const EXCHANGE_DELETE_OK: MethodId = (40, 21);
    pub const QUEUE_DECLARE: MethodId = (50, 10);
    pub const QUEUE_DECLARE_OK: MethodId = (50, 11);
    pub const QUEUE_BIND: MethodId = (50, 20);
    pub const QUEUE_BIND_OK: MethodId = (50, 21);
    pub const QUEUE_PURGE: MethodId = (50, 30);
    pub const QUEUE_PURGE_OK: MethodId = (50, 31);
    pub const QUEUE_DELETE: MethodId = (50, 40);
    pub const QUEUE_DELETE_OK: MethodId = (50, 41);
    pub const BASIC_QOS: MethodId = (60, 10);
    pub const BASIC_QOS_OK: MethodId = (60, 11);
    pub const BASIC_CONSUME: MethodId = (60, 20);
    pub const BASIC_CONSUME_OK: MethodId = (60, 21);
    pub const BASIC_CANCEL: MethodId = (60, 30);
    pub const BASIC_CANCEL_OK: MethodId = (60, 31);
    pub const BASIC_PUBLISH: MethodId = (60, 40);
    pub const BASIC_RETURN: MethodId = (60, 50);
    pub const BASIC_DELIVER: MethodId = (60, 60);
    pub const BASIC_ACK: MethodId = (60, 80);
    pub const BASIC_NACK: MethodId = (60, 120);
    pub const CONFIRM_SELECT: MethodId = (85, 10);
    pub const CONFIRM_SELECT_OK: MethodId = (85, 11);
}
