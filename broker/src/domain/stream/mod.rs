//! Streams as values: where a consumer starts, what is dropped, which messages pass a filter.
//!
//! A stream numbers its messages from 0 without gaps; the number is the message's offset. Who
//! reads them takes nothing away. Knows no task, no storage and no clock: what time it is comes in.

pub mod age;
pub mod annotation;
pub mod filter;
pub mod offset;
pub mod search;
pub mod segments;

pub use age::age_ms;
pub use filter::Filter;
pub use offset::{Bounds, Decision, OffsetSpec, Start, Why};
pub use search::Search;
pub use segments::{Dropped, Left, Retention, Segment, Segments};
