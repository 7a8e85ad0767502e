//! The methods the broker sends, written into an output buffer. Those with content are in `delivery`.

use super::frame::{self, END, METHOD};
use crate::domain::value::FieldTable;
use crate::domain::wire::{write_long_string, write_short_string, write_table};

fn method(out: &mut Vec<u8>, channel: u16, class: u16, method: u16, fields: impl FnOnce(&mut Vec<u8>)) {
    frame::write(out, METHOD, channel, |out| {
        out.extend_from_slice(&class.to_be_bytes());
        out.extend_from_slice(&method.to_be_bytes());
        fields(out);
    });
}

fn bits(flags: &[bool]) -> u8 {
    flags.iter().enumerate().fold(0, |octet, (at, &flag)| octet | u8::from(flag) << at)
}

/// A method without fields.
pub fn bare(out: &mut Vec<u8>, channel: u16, class: u16, id: u16) {
    method(out, channel, class, id, |_| {});
}

/// `connection.start`
pub fn connection_start(out: &mut Vec<u8>, server_properties: &FieldTable, mechanisms: &str) {
    method(out, 0, 10, 10, |out| {
        out.extend_from_slice(&[0, 9]);
        write_table(out, server_properties);
        write_long_string(out, mechanisms.as_bytes());
        write_long_string(out, b"en_US");
    });
}

/// `connection.tune`
pub fn connection_tune(out: &mut Vec<u8>, channel_max: u16, frame_max: u32, heartbeat_s: u16) {
    method(out, 0, 10, 30, |out| {
        out.extend_from_slice(&channel_max.to_be_bytes());
        out.extend_from_slice(&frame_max.to_be_bytes());
        out.extend_from_slice(&heartbeat_s.to_be_bytes());
    });
}

/// `connection.open-ok`
pub fn connection_open_ok(out: &mut Vec<u8>) {
    method(out, 0, 10, 41, |out| out.push(0));
}

/// `connection.close` (channel 0) or `channel.close`.
pub fn close(out: &mut Vec<u8>, channel: u16, code: u16, text: &str, failing: (u16, u16)) {
    let (class, id) = if channel == 0 { (10, 50) } else { (20, 40) };
    method(out, channel, class, id, |out| {
        out.extend_from_slice(&code.to_be_bytes());
        write_short_string(out, text);
        out.extend_from_slice(&failing.0.to_be_bytes());
        out.extend_from_slice(&failing.1.to_be_bytes());
    });
}

/// `connection.blocked`
pub fn connection_blocked(out: &mut Vec<u8>, reason: &str) {
    method(out, 0, 10, 60, |out| write_short_string(out, reason));
}

/// `connection.unblocked`
pub fn connection_unblocked(out: &mut Vec<u8>) {
    bare(out, 0, 10, 61);
}

/// `channel.open-ok`
pub fn channel_open_ok(out: &mut Vec<u8>, channel: u16) {
    method(out, channel, 20, 11, |out| write_long_string(out, b""));
}

/// `channel.flow-ok`
pub fn channel_flow_ok(out: &mut Vec<u8>, channel: u16, active: bool) {
    method(out, channel, 20, 21, |out| out.push(bits(&[active])));
}

/// `access.request-ok`
pub fn access_request_ok(out: &mut Vec<u8>, channel: u16) {
    method(out, channel, 30, 11, |out| out.extend_from_slice(&1u16.to_be_bytes()));
}

/// `queue.declare-ok`
pub fn queue_declare_ok(out: &mut Vec<u8>, channel: u16, queue: &str, messages: u32, consumers: u32) {
    method(out, channel, 50, 11, |out| {
        write_short_string(out, queue);
        out.extend_from_slice(&messages.to_be_bytes());
        out.extend_from_slice(&consumers.to_be_bytes());
    });
}

/// `queue.purge-ok` (method 31) or `queue.delete-ok` (method 41).
pub fn queue_count_ok(out: &mut Vec<u8>, channel: u16, id: u16, messages: u32) {
    method(out, channel, 50, id, |out| out.extend_from_slice(&messages.to_be_bytes()));
}

/// `basic.consume-ok` (21) or `basic.cancel-ok` (31).
pub fn basic_tag_ok(out: &mut Vec<u8>, channel: u16, id: u16, tag: &str) {
    method(out, channel, 60, id, |out| write_short_string(out, tag));
}

/// `basic.cancel`, from the broker to a client that wants to know.
pub fn basic_cancel(out: &mut Vec<u8>, channel: u16, tag: &str) {
    method(out, channel, 60, 30, |out| {
        write_short_string(out, tag);
        out.push(bits(&[true]));
    });
}

/// `basic.get-empty`
pub fn basic_get_empty(out: &mut Vec<u8>, channel: u16) {
    method(out, channel, 60, 72, |out| write_short_string(out, ""));
}

/// `basic.ack`, confirming publishes.
pub fn basic_ack(out: &mut Vec<u8>, channel: u16, tag: u64, multiple: bool) {
    out.extend_from_slice(&[METHOD]);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 13, 0, 60, 0, 80]);
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&[u8::from(multiple), END]);
}

/// `basic.nack`, refusing publishes.
pub fn basic_nack(out: &mut Vec<u8>, channel: u16, tag: u64, multiple: bool) {
    method(out, channel, 60, 120, |out| {
        out.extend_from_slice(&tag.to_be_bytes());
        out.push(bits(&[multiple, false]));
    });
}
