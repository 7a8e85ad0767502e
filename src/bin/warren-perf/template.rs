//! The bytes of a publisher's messages, made once: a message is a copy of its template and a mark.

use crate::options::Options;
use crate::payload::{Mark, STAMP_BYTES};
use crate::plan::PublisherPlan;
use crate::wire::encode::{Encode, Properties};
use crate::wire::{FRAME_OVERHEAD_BYTES, ShortString, method};

/// The bytes of a message before they are marked.
pub struct Template {
    /// Publish method and content header, per route.
    heads: Vec<Vec<u8>>,
    /// All body frames.
    body: Vec<u8>,
    /// Octets of the first body frame that may carry the mark.
    mark_bytes: usize,
}

impl Template {
    /// Prepares all routes of a publisher on its channel.
    pub fn new(
        plan: &PublisherPlan,
        channel: u16,
        exchange: &ShortString,
        options: &Options,
        frame_max: usize,
    ) -> Self {
        let head = |route: &crate::plan::Route| {
            let mut bytes = Vec::new();
            bytes.put_method(channel, method::BASIC_PUBLISH, |args| {
                args.extend_from_slice(&[0, 0]);
                args.put_short(exchange);
                args.put_short(&route.key);
                args.push(u8::from(options.mandatory));
            });
            let properties = Properties { persistent: options.persistent, headers: route.headers.clone() };
            bytes.put_header(channel, options.size as u64, &properties);
            bytes
        };
        let mut body = Vec::new();
        body.put_body(channel, &vec![0; options.size], frame_max);
        Self { heads: plan.routes.iter().map(head).collect(), body, mark_bytes: options.size.min(STAMP_BYTES) }
    }

    /// Appends a marked message.
    #[inline]
    pub fn append(&self, out: &mut Vec<u8>, route: usize, sender: u32, sequence: u64, sent_ns: u64) {
        out.extend_from_slice(&self.heads[route]);
        // The payload of the first body frame follows its seven octets of type, channel and size.
        let mark_at = out.len() + FRAME_OVERHEAD_BYTES - 1;
        out.extend_from_slice(&self.body);
        if self.mark_bytes > 0 {
            Mark::write(sender, sequence, sent_ns, &mut out[mark_at..mark_at + self.mark_bytes]);
        }
    }

    /// The most octets one message takes on the wire.
    pub fn message_bytes(&self) -> usize {
        self.body.len() + self.heads.iter().map(Vec::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::plan::Plan;
    use crate::wire::{FrameBuffer, Incoming};

    /// The messages a template makes, read back: method, header size, mark, body octets in all.
    fn read_back(arguments: &str, frame_max: usize) -> (u64, Option<Mark>, usize) {
        let words = std::iter::once("warren-perf").chain(arguments.split_whitespace());
        let options = Options::try_parse_from(words).unwrap();
        let plan = Plan::make(&options).unwrap();
        let template = Template::new(&plan.publishers[0], 1, &plan.exchange, &options, frame_max);
        let mut out = Vec::new();
        template.append(&mut out, 0, 5, 6, 7);
        assert!(out.len() <= template.message_bytes());
        let mut buffer = FrameBuffer::new(out.len() + 1, frame_max);
        buffer.room()[..out.len()].copy_from_slice(&out);
        buffer.filled(out.len());
        let (mut size, mut mark, mut body) = (0, None, 0);
        while let Some(frame) = buffer.next_frame().unwrap() {
            match frame.incoming {
                Incoming::Method(id, _) => assert_eq!(id, method::BASIC_PUBLISH),
                Incoming::Header { body_bytes } => size = body_bytes,
                Incoming::Body(bytes) => {
                    mark = mark.or_else(|| Mark::read(bytes));
                    body += bytes.len();
                }
                Incoming::Heartbeat => unreachable!(),
            }
        }
        (size, mark, body)
    }

    #[test]
    fn a_template_becomes_a_whole_marked_message_of_any_size() {
        let mark = Mark { sender: 5, sequence: 6, sent_ns: Some(7) };
        assert_eq!(read_back("-s 0", 4096), (0, None, 0));
        assert_eq!(read_back("-s 7", 4096), (7, None, 7));
        assert_eq!(read_back("-s 8", 4096), (8, Some(Mark { sent_ns: None, ..mark }), 8));
        assert_eq!(read_back("-s 16 --persistent", 4096), (16, Some(mark), 16));
        assert_eq!(read_back("-s 10000 -t headers --mandatory", 4096), (10_000, Some(mark), 10_000));
    }
}
