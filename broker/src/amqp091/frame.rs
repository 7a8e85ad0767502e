//! Frames: type, channel, size, payload, end marker (AMQP 0-9-1, 4.2.3).
//!
//! ```text
//! | type u8 | channel u16 | size u32 | payload … | 0xCE |
//! ```

use super::reply::{ReplyCode, Violation};

/// Method frame.
pub const METHOD: u8 = 1;
/// Content header frame.
pub const HEADER: u8 = 2;
/// Content body frame.
pub const BODY: u8 = 3;
/// Heartbeat frame.
pub const HEARTBEAT: u8 = 8;
/// Last octet of every frame.
pub const END: u8 = 0xCE;
/// Octets before the payload.
pub const HEAD_BYTES: usize = 7;
/// Octets around the payload.
pub const OVERHEAD_BYTES: usize = 8;
/// Smallest frame limit a client may ask for. The protocol says 4096; the reference says
/// 8192 since 4.1 and breaks clients that follow the protocol.
pub const FRAME_MAX_MIN: u32 = 4096;
/// Largest frame accepted before tuning.
pub const FRAME_MAX_INITIAL: u32 = 8192;

/// One frame and where its payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its type.
    pub kind: u8,
    /// Its channel.
    pub channel: u16,
    /// Its payload.
    pub payload: &'a [u8],
}

/// Reads the frame at the start of `bytes`; `None`: more bytes are needed.
///
/// # Errors
/// 501 for a frame beyond `frame_max` or without its end marker.
pub fn read(bytes: &[u8], frame_max: u32) -> Result<Option<Frame<'_>>, Violation> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let channel = u16::from_be_bytes([head[1], head[2]]);
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let max = frame_max as usize;
    if size + OVERHEAD_BYTES > max + OVERHEAD_BYTES {
        return Err(Violation::connection(
            ReplyCode::FrameError,
            format!("type {}, all octets = <<>>: {{frame_too_large,{size},{}}}", head[0], max - OVERHEAD_BYTES),
        ));
    }
    if rest.len() <= size {
        return Ok(None);
    }
    if rest[size] != END {
        return Err(Violation::connection(
            ReplyCode::FrameError,
            format!("{}: {{invalid_frame_end_marker,{}}}", octets(head[0], &rest[..size]), rest[size]),
        ));
    }
    Ok(Some(Frame { kind: head[0], channel, payload: &rest[..size] }))
}

/// Octets of a bad frame that are shown: more than a reply text has room for.
const SHOWN_BYTES_MAX: usize = 255;

/// A frame's type and payload, in the words of the reference.
fn octets(kind: u8, payload: &[u8]) -> String {
    let shown = &payload[..payload.len().min(SHOWN_BYTES_MAX)];
    let inner = match std::str::from_utf8(shown) {
        Ok(text) if !text.is_empty() && text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => shown.iter().map(u8::to_string).collect::<Vec<_>>().join(","),
    };
    format!("type {kind}, all octets = <<{inner}>>")
}

/// 501: a frame of no known type, or too short for its type.
#[must_use]
pub fn unknown(frame: &Frame<'_>) -> Violation {
    Violation::connection(ReplyCode::FrameError, format!("{}: unknown_frame", octets(frame.kind, frame.payload)))
}

/// 505: a frame that has no business on its channel.
#[must_use]
pub fn misplaced(frame: &Frame<'_>) -> Violation {
    Violation::connection(ReplyCode::UnexpectedFrame, octets(frame.kind, frame.payload))
}

/// Whether a frame's payload can be what its type says.
#[must_use]
pub fn is_known(frame: &Frame<'_>) -> bool {
    match frame.kind {
        METHOD => frame.payload.len() >= 4,
        HEADER => frame.payload.len() >= 12,
        BODY => true,
        HEARTBEAT => frame.payload.is_empty(),
        _ => false,
    }
}

/// Length of the complete frames at the start of `bytes`.
///
/// # Errors
/// As [`read`].
pub fn complete_len(bytes: &[u8], frame_max: u32) -> Result<usize, Violation> {
    let mut at = 0;
    // Whatever is not plainly a whole frame is left to `read`, which says what it is.
    while let Some(head) = bytes[at..].first_chunk::<HEAD_BYTES>() {
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let end = at + HEAD_BYTES + size as usize;
        if size > frame_max || bytes.get(end) != Some(&END) {
            break;
        }
        at = end + 1;
    }
    match read(&bytes[at..], frame_max) {
        // What came before the bad frame is served first.
        Err(violation) if at == 0 => Err(violation),
        _ => Ok(at),
    }
}

/// Writes a frame whose payload `write` appends.
pub fn write(out: &mut Vec<u8>, kind: u8, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    write(out);
    let size = (out.len() - start - HEAD_BYTES) as u32;
    out[start + 3..start + HEAD_BYTES].copy_from_slice(&size.to_be_bytes());
    out.push(END);
}

/// Writes a heartbeat.
pub fn write_heartbeat(out: &mut Vec<u8>) {
    out.extend_from_slice(&[HEARTBEAT, 0, 0, 0, 0, 0, 0, END]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_they_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, METHOD, 3, |out| out.extend_from_slice(b"abc"));
        let whole = bytes.len();
        write_heartbeat(&mut bytes);
        assert_eq!(read(&bytes, 4096).unwrap(), Some(Frame { kind: METHOD, channel: 3, payload: b"abc" }));
        assert_eq!(complete_len(&bytes, 4096), Ok(bytes.len()));
        assert_eq!(complete_len(&bytes[..bytes.len() - 1], 4096), Ok(whole));
        for len in 0..whole {
            assert_eq!(read(&bytes[..len], 4096), Ok(None));
        }
    }

    #[test]
    fn a_wrong_end_marker_and_a_large_frame_are_501() {
        let mut bytes = Vec::new();
        write(&mut bytes, METHOD, 0, |out| out.extend_from_slice(b"abc"));
        *bytes.last_mut().unwrap() = 0;
        assert_eq!(read(&bytes, 4096).unwrap_err().code, ReplyCode::FrameError);
        let large = [METHOD, 0, 0, 0xff, 0, 0, 0];
        assert_eq!(read(&large, 4096).unwrap_err().code, ReplyCode::FrameError);
    }
}
