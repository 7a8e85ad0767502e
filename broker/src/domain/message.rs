//! A message: names, properties and body in one shared slice of bytes.
//!
//! The slice is usually a part of the buffer the publish was read into, so taking a
//! message copies nothing, and routing it to many queues shares it. Layout:
//!
//! ```text
//! buffer: | exchange: short string | routing key: short string | … | flags, properties | … | body |
//!         0                                                names_end  properties_start      body_start
//! ```
//!
//! The two names lie as `basic.deliver` wants them, and flags and properties as the
//! content header wants them, so delivering is three copies. What stands between names and
//! properties came off the wire and means nothing, unless [`Provenance::hidden_keys`] says
//! that it is routing keys, as short strings.

use bytes::Bytes;

use super::properties::{Glance, Properties, glance};

/// What the broker knows of a message beside its bytes: none of it can come from a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Provenance {
    /// It is a dead letter: its `x-death` header is the broker's own history.
    pub dead_lettered: bool,
    /// A queue replaced its routing keys: `CC` headers no longer count as keys.
    pub keys_replaced: bool,
    /// Failed deliveries in the queues it was in before.
    pub failures: u8,
    /// Routing keys that consumers do not see stand between its names and its properties.
    pub hidden_keys: bool,
}

/// Bytes of hidden routing keys that one message keeps.
pub const HIDDEN_BYTES_MAX: usize = 32 << 10;

/// A published message; cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Message {
    buffer: Bytes,
    body_start: u32,
    body_len: u32,
    properties_len: u32,
    properties_start: u16,
    names_end: u16,
    exchange_len: u8,
    persistent: bool,
    provenance: Provenance,
}

/// Where the parts of a message lie in its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLayout {
    /// End of the two short strings that start the buffer.
    pub names_end: u16,
    /// Start of property flags and property list.
    pub properties_start: u16,
    /// Their length in bytes.
    pub properties_len: u32,
    /// Start of the body.
    pub body_start: u32,
    /// Its length in bytes.
    pub body_len: u32,
}

impl Message {
    /// Takes a buffer laid out as drawn above. `persistent`: delivery mode is 2.
    ///
    /// # Panics
    /// When the layout does not fit the buffer: the caller parsed it.
    #[must_use]
    pub fn from_parts(buffer: Bytes, layout: MessageLayout, persistent: bool) -> Self {
        Self::try_from_parts(buffer, layout, persistent).expect("the layout was parsed from this buffer")
    }

    /// [`Self::from_parts`] for bytes from outside: `None` when the layout does not fit the buffer.
    #[must_use]
    pub fn try_from_parts(buffer: Bytes, layout: MessageLayout, persistent: bool) -> Option<Self> {
        let exchange_len = *buffer.first()?;
        let fits = layout.properties_start >= layout.names_end
            && layout.properties_start as usize + layout.properties_len as usize <= buffer.len()
            && layout.body_start as usize + layout.body_len as usize <= buffer.len()
            && usize::from(layout.names_end) <= buffer.len()
            && usize::from(exchange_len) + 2 <= usize::from(layout.names_end);
        fits.then_some(Self {
            buffer,
            body_start: layout.body_start,
            body_len: layout.body_len,
            properties_len: layout.properties_len,
            properties_start: layout.properties_start,
            names_end: layout.names_end,
            exchange_len,
            persistent,
            provenance: Provenance::default(),
        })
    }

    /// Builds a message from separate parts (HTTP publish, dead-lettering).
    /// `properties` are the flags and property list as they stand in a content header.
    ///
    /// # Panics
    /// When a name is longer than 255 bytes or the body longer than 4 GiB.
    #[must_use]
    pub fn build(exchange: &str, routing_key: &str, properties: &[u8], body: &[u8], persistent: bool) -> Self {
        Self::build_hiding(exchange, routing_key, &[], properties, body, persistent)
    }

    /// [`Self::build`] with further routing keys that consumers do not see. Keys longer than
    /// any key can be are left out, and those behind the first [`HIDDEN_BYTES_MAX`] bytes.
    ///
    /// # Panics
    /// As [`Self::build`].
    #[must_use]
    pub fn build_hiding(
        exchange: &str,
        routing_key: &str,
        hidden: &[&str],
        properties: &[u8],
        body: &[u8],
        persistent: bool,
    ) -> Self {
        assert!(exchange.len() <= 255 && routing_key.len() <= 255, "names are short strings");
        let mut keys = Vec::new();
        for key in hidden.iter().filter(|key| key.len() <= 255) {
            if keys.len() + 1 + key.len() > HIDDEN_BYTES_MAX {
                break;
            }
            keys.push(key.len() as u8);
            keys.extend_from_slice(key.as_bytes());
        }
        let names = 2 + exchange.len() + routing_key.len();
        let mut buffer = Vec::with_capacity(names + keys.len() + properties.len() + body.len());
        buffer.push(exchange.len() as u8);
        buffer.extend_from_slice(exchange.as_bytes());
        buffer.push(routing_key.len() as u8);
        buffer.extend_from_slice(routing_key.as_bytes());
        let names_end = buffer.len();
        buffer.extend_from_slice(&keys);
        let properties_start = buffer.len();
        buffer.extend_from_slice(properties);
        let body_start = buffer.len();
        buffer.extend_from_slice(body);
        let layout = MessageLayout {
            names_end: names_end as u16,
            properties_start: properties_start as u16,
            properties_len: properties.len() as u32,
            body_start: u32::try_from(body_start).expect("properties are bounded by a frame"),
            body_len: u32::try_from(body.len()).expect("bodies are bounded by max_message_size"),
        };
        let provenance = Provenance { hidden_keys: !keys.is_empty(), ..Provenance::default() };
        Self::from_parts(Bytes::from(buffer), layout, persistent).with_provenance(provenance)
    }

    /// Further routing keys that consumers do not see.
    #[must_use]
    pub fn hidden_keys(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        if !self.provenance.hidden_keys {
            return keys;
        }
        let mut rest = &self.buffer[usize::from(self.names_end)..usize::from(self.properties_start)];
        while let Some((&len, behind)) = rest.split_first() {
            let Some((key, behind)) = behind.split_at_checked(len.into()) else { break };
            keys.extend(std::str::from_utf8(key));
            rest = behind;
        }
        keys
    }

    /// The message with that provenance.
    #[must_use]
    pub fn with_provenance(self, provenance: Provenance) -> Self {
        Self { provenance, ..self }
    }

    /// What the broker knows of it.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The exchange it was published to.
    #[must_use]
    pub fn exchange(&self) -> &str {
        std::str::from_utf8(&self.buffer[1..1 + usize::from(self.exchange_len)]).unwrap_or_default()
    }

    /// The routing key it was published with.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        std::str::from_utf8(&self.buffer[2 + usize::from(self.exchange_len)..usize::from(self.names_end)])
            .unwrap_or_default()
    }

    /// Exchange and routing key as two short strings.
    #[must_use]
    pub fn names(&self) -> &[u8] {
        &self.buffer[..usize::from(self.names_end)]
    }

    /// Property flags and list as they stand in a content header.
    #[must_use]
    pub fn properties(&self) -> &[u8] {
        let start = usize::from(self.properties_start);
        &self.buffer[start..start + self.properties_len as usize]
    }

    /// Whether the properties hold an expiration: a look at one flag.
    #[must_use]
    pub fn has_expiration(&self) -> bool {
        self.properties().first().is_some_and(|flags| flags & 1 != 0)
    }

    /// Whether the properties hold a priority: a look at one flag.
    #[must_use]
    pub fn has_priority(&self) -> bool {
        self.properties().first().is_some_and(|flags| flags & 1 << 3 != 0)
    }

    /// The timestamp property, in seconds.
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        let flagged = self.properties().get(1).is_some_and(|flags| flags & 1 << 6 != 0);
        if flagged { Properties::decode(self.properties()).ok()?.timestamp } else { None }
    }

    /// What queues need of the properties.
    #[must_use]
    pub fn glance(&self) -> Glance<'_> {
        glance(self.properties()).unwrap_or_default()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let start = self.body_start as usize;
        &self.buffer[start..start + self.body_len as usize]
    }

    /// The body, shared.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        let start = self.body_start as usize;
        self.buffer.slice(start..start + self.body_len as usize)
    }

    /// `len` bytes of the body from `start` on, shared.
    ///
    /// # Panics
    /// When the body ends before.
    #[must_use]
    pub fn body_part(&self, start: usize, len: usize) -> Bytes {
        assert!(start + len <= self.body_len as usize, "a part of the body");
        let start = self.body_start as usize + start;
        self.buffer.slice(start..start + len)
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> u32 {
        self.body_len
    }

    /// Whether it is to survive a restart in a durable queue (delivery mode 2).
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// The message as a queue has it that keeps everything.
    #[must_use]
    pub fn made_persistent(self) -> Self {
        Self { persistent: true, ..self }
    }

    /// Puts the message into another buffer with the same bytes.
    ///
    /// # Panics
    /// When the buffer has another length.
    pub fn move_to(&mut self, buffer: Bytes) {
        assert_eq!(buffer.len(), self.buffer.len(), "the same bytes in another place");
        self.buffer = buffer;
    }

    /// The whole buffer, for the log.
    #[must_use]
    pub fn buffer(&self) -> &Bytes {
        &self.buffer
    }

    /// Where the parts lie in [`Self::buffer`], for the log.
    #[must_use]
    pub fn layout(&self) -> MessageLayout {
        MessageLayout {
            names_end: self.names_end,
            properties_start: self.properties_start,
            properties_len: self.properties_len,
            body_start: self.body_start,
            body_len: self.body_len,
        }
    }
}
