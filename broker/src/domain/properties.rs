//! The fourteen basic properties (AMQP 0-9-1, 1.8.3): flags, then the values present.

use super::term::Quoted;
use super::value::FieldTable;
use super::wire::{Malformed, Reader, write_short_string, write_table};

const CONTENT_TYPE: u16 = 1 << 15;
const CONTENT_ENCODING: u16 = 1 << 14;
pub(super) const HEADERS: u16 = 1 << 13;
pub(super) const DELIVERY_MODE: u16 = 1 << 12;
const PRIORITY: u16 = 1 << 11;
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;
const EXPIRATION: u16 = 1 << 8;
const MESSAGE_ID: u16 = 1 << 7;
const TIMESTAMP: u16 = 1 << 6;
const KIND: u16 = 1 << 5;
const USER_ID: u16 = 1 << 4;
const APP_ID: u16 = 1 << 3;
const CLUSTER_ID: u16 = 1 << 2;

/// Delivery mode of a message that survives a restart in a durable queue.
pub const PERSISTENT: u8 = 2;

/// The properties of a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties {
    /// MIME type.
    pub content_type: Option<String>,
    /// MIME encoding.
    pub content_encoding: Option<String>,
    /// Headers.
    pub headers: Option<FieldTable>,
    /// 1: transient, 2: persistent.
    pub delivery_mode: Option<u8>,
    /// 0 to 255.
    pub priority: Option<u8>,
    /// Application correlation.
    pub correlation_id: Option<String>,
    /// Where to reply.
    pub reply_to: Option<String>,
    /// Life in milliseconds, as decimal text.
    pub expiration: Option<String>,
    /// Application message id.
    pub message_id: Option<String>,
    /// Seconds since the epoch.
    pub timestamp: Option<u64>,
    /// Application message type.
    pub kind: Option<String>,
    /// Must be the publishing user.
    pub user_id: Option<String>,
    /// Publishing application.
    pub app_id: Option<String>,
    /// Reserved.
    pub cluster_id: Option<String>,
}

impl Properties {
    /// Reads flags and values.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let flags = reader.u16()?;
        let text = |flag: u16, reader: &mut Reader<'_>| -> Result<Option<String>, Malformed> {
            if flags & flag == 0 { Ok(None) } else { reader.short_string().map(|text| Some(text.to_owned())) }
        };
        let content_type = text(CONTENT_TYPE, &mut reader)?;
        let content_encoding = text(CONTENT_ENCODING, &mut reader)?;
        let headers = if flags & HEADERS == 0 { None } else { Some(reader.table()?) };
        let delivery_mode = if flags & DELIVERY_MODE == 0 { None } else { Some(reader.u8()?) };
        let priority = if flags & PRIORITY == 0 { None } else { Some(reader.u8()?) };
        let correlation_id = text(CORRELATION_ID, &mut reader)?;
        let reply_to = text(REPLY_TO, &mut reader)?;
        let expiration = text(EXPIRATION, &mut reader)?;
        let message_id = text(MESSAGE_ID, &mut reader)?;
        let timestamp = if flags & TIMESTAMP == 0 { None } else { Some(reader.u64()?) };
        let kind = text(KIND, &mut reader)?;
        let user_id = text(USER_ID, &mut reader)?;
        let app_id = text(APP_ID, &mut reader)?;
        let cluster_id = text(CLUSTER_ID, &mut reader)?;
        Ok(Self {
            content_type,
            content_encoding,
            headers,
            delivery_mode,
            priority,
            correlation_id,
            reply_to,
            expiration,
            message_id,
            timestamp,
            kind,
            user_id,
            app_id,
            cluster_id,
        })
    }

    /// Writes flags and values.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = 0u16;
        let mut out = vec![0, 0];
        let text = |out: &mut Vec<u8>, flags: &mut u16, flag: u16, value: &Option<String>| {
            if let Some(value) = value {
                *flags |= flag;
                write_short_string(out, value);
            }
        };
        text(&mut out, &mut flags, CONTENT_TYPE, &self.content_type);
        text(&mut out, &mut flags, CONTENT_ENCODING, &self.content_encoding);
        if let Some(headers) = &self.headers {
            flags |= HEADERS;
            write_table(&mut out, headers);
        }
        if let Some(mode) = self.delivery_mode {
            flags |= DELIVERY_MODE;
            out.push(mode);
        }
        if let Some(priority) = self.priority {
            flags |= PRIORITY;
            out.push(priority);
        }
        text(&mut out, &mut flags, CORRELATION_ID, &self.correlation_id);
        text(&mut out, &mut flags, REPLY_TO, &self.reply_to);
        text(&mut out, &mut flags, EXPIRATION, &self.expiration);
        text(&mut out, &mut flags, MESSAGE_ID, &self.message_id);
        if let Some(timestamp) = self.timestamp {
            flags |= TIMESTAMP;
            out.extend_from_slice(&timestamp.to_be_bytes());
        }
        text(&mut out, &mut flags, KIND, &self.kind);
        text(&mut out, &mut flags, USER_ID, &self.user_id);
        text(&mut out, &mut flags, APP_ID, &self.app_id);
        text(&mut out, &mut flags, CLUSTER_ID, &self.cluster_id);
        out[..2].copy_from_slice(&flags.to_be_bytes());
        out
    }
}

/// What routing and queues need of the properties, found without building the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance<'a> {
    /// Delivery mode 2.
    pub persistent: bool,
    /// The priority.
    pub priority: Option<u8>,
    /// The expiration text.
    pub expiration: Option<&'a str>,
    /// The user id.
    pub user_id: Option<&'a str>,
    /// The encoded headers table, length prefix included.
    pub headers: Option<&'a [u8]>,
    /// The reply address.
    pub reply_to: Option<&'a str>,
}

/// Walks the property list once.
///
/// # Errors
/// [`Malformed`]
pub fn glance(bytes: &[u8]) -> Result<Glance<'_>, Malformed> {
    walk(bytes).map(|(glance, _)| glance)
}

/// [`glance`] for properties from outside: whatever consumers would stumble over is refused.
///
/// # Errors
/// [`Malformed`], also for unknown flags, a header table that is none, and octets behind
/// the last property.
pub fn check(bytes: &[u8]) -> Result<Glance<'_>, Malformed> {
    const UNKNOWN_FLAGS: u16 = 0b11;
    let (glance, rest) = walk(bytes)?;
    if Reader::new(bytes).u16()? & UNKNOWN_FLAGS != 0 {
        return Err(Malformed::Flags);
    }
    if let Some(headers) = glance.headers {
        Reader::new(headers).skip_table()?;
    }
    if rest.is_empty() { Ok(glance) } else { Err(Malformed::Trailing) }
}

fn walk(bytes: &[u8]) -> Result<(Glance<'_>, &[u8]), Malformed> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u16()?;
    let mut glance = Glance::default();
    if flags & CONTENT_TYPE != 0 {
        reader.skip_short_string()?;
    }
    if flags & CONTENT_ENCODING != 0 {
        reader.skip_short_string()?;
    }
    if flags & HEADERS != 0 {
        let start = reader.rest();
        let body = reader.long_string()?;
        glance.headers = Some(&start[..4 + body.len()]);
    }
    if flags & DELIVERY_MODE != 0 {
        glance.persistent = reader.u8()? == PERSISTENT;
    }
    if flags & PRIORITY != 0 {
        glance.priority = Some(reader.u8()?);
    }
    if flags & CORRELATION_ID != 0 {
        reader.skip_short_string()?;
    }
    if flags & REPLY_TO != 0 {
        glance.reply_to = Some(reader.short_string()?);
    }
    if flags & EXPIRATION != 0 {
        glance.expiration = Some(reader.short_string()?);
    }
    if flags & MESSAGE_ID != 0 {
        reader.skip_short_string()?;
    }
    if flags & TIMESTAMP != 0 {
        reader.u64()?;
    }
    if flags & KIND != 0 {
        reader.skip_short_string()?;
    }
    if flags & USER_ID != 0 {
        glance.user_id = Some(reader.short_string()?);
    }
    if flags & APP_ID != 0 {
        reader.skip_short_string()?;
    }
    if flags & CLUSTER_ID != 0 {
        reader.skip_short_string()?;
    }
    Ok((glance, reader.rest()))
}

/// Longest accepted expiration: ten years, in milliseconds.
pub const EXPIRATION_MS_MAX: u64 = 315_360_000_000;

/// Why an expiration is refused, in the reference's words.
///
/// # Errors
/// The reason that follows `invalid expiration 'V': `.
pub fn check_expiration(text: &str) -> Result<u64, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(text.len() - unsigned.len() + digits);
    if digits == 0 {
        return Err("no_integer".to_owned());
    }
    if !rest.is_empty() {
        return Err(format!("{{leftover_string,{}}}", Quoted(rest)));
    }
    match number.parse::<i128>() {
        Ok(value) if value < 0 => Err(format!("{{value_negative,{value}}}")),
        Ok(value) if value > i128::from(EXPIRATION_MS_MAX) => Err(format!("{{value_too_large,{value}}}")),
        Ok(value) => Ok(value as u64),
        Err(_) => Err(format!("{{value_too_large,{text}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Properties {
        Properties {
            content_type: Some("text/plain".into()),
            headers: Some([("k".to_owned(), super::super::value::FieldValue::I32(7))].into_iter().collect()),
            delivery_mode: Some(2),
            priority: Some(5),
            expiration: Some("60000".into()),
            user_id: Some("guest".into()),
            timestamp: Some(12),
            ..Properties::default()
        }
    }

    #[test]
    fn properties_are_what_they_were_after_the_wire() {
        assert_eq!(Properties::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn a_glance_sees_what_queues_need() {
        let bytes = sample().encode();
        let seen = glance(&bytes).unwrap();
        assert!(seen.persistent);
        assert_eq!((seen.priority, seen.expiration, seen.user_id), (Some(5), Some("60000"), Some("guest")));
        assert_eq!(Reader::new(seen.headers.unwrap()).table().unwrap().len(), 1);
    }

    #[test]
    fn what_consumers_would_stumble_over_is_refused() {
        let bytes = sample().encode();
        assert!(check(&bytes).is_ok());
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert_eq!(check(&trailing), Err(Malformed::Trailing));
        assert!(glance(&trailing).is_ok());
        let mut continued = bytes;
        continued[1] |= 1;
        assert_eq!(check(&continued), Err(Malformed::Flags));
        let headers_without_value = [0x20, 0, 0, 0, 0, 3, 1, b'k', b'?'];
        assert_eq!(check(&headers_without_value), Err(Malformed::Type));
    }

    #[test]
    fn every_truncation_is_refused_or_read() {
        let bytes = sample().encode();
        for len in 0..bytes.len() {
            assert!(glance(&bytes[..len]).is_err());
            assert!(Properties::decode(&bytes[..len]).is_err());
        }
    }
}
