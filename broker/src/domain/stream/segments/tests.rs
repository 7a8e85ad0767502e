//! A stream in segments, message by message.

use super::*;

const RETENTION: Retention = Retention { max_bytes: None, max_age_ms: None, segment_bytes: Some(2_000) };
/// Two messages of that size fit into a segment.
const BODY_BYTES: u32 = 900;

/// A stream that took so many messages, one a millisecond from 1001 on.
fn stream(messages: u64) -> Segments {
    let mut segments = Segments::default();
    for at_ms in 1_001..=1_000 + messages {
        segments.push(BODY_BYTES, at_ms, &RETENTION);
    }
    segments
}

#[test]
fn a_segment_begins_when_the_open_one_is_full() {
    let mut segments = Segments::default();
    assert_eq!((segments.first(), segments.next(), segments.len()), (0, 0, 0));
    let mut begun = Vec::new();
    for at_ms in 1..=5 {
        begun.extend(segments.push(BODY_BYTES, at_ms, &RETENTION));
    }
    let segment = |first, first_at_ms, before_at_ms, bodies_before_bytes| Segment {
        first,
        first_at_ms,
        before_at_ms,
        bodies_before_bytes,
    };
    assert_eq!(begun, [segment(0, 1, 0, 0), segment(2, 3, 2, 1_800), segment(4, 5, 4, 3_600)]);
    assert_eq!((segments.first(), segments.next(), segments.len(), segments.body_bytes()), (0, 5, 3, 4_500));
    assert_eq!((segments.time_ms(3), segments.time_ms(9)), (5, 9), "the clock may go back, times do not");
}

#[test]
fn a_message_larger_than_a_segment_has_one_of_its_own() {
    let mut segments = Segments::default();
    assert!(segments.push(50_000, 1, &RETENTION).is_some());
    assert!(segments.push(1, 2, &RETENTION).is_some());
    assert!(segments.push(1, 3, &RETENTION).is_none());
    let smallest = Retention { segment_bytes: Some(0), ..RETENTION };
    assert_eq!(smallest.segment_bytes(), SEGMENT_BYTES_MIN);
    assert_eq!(Retention::default().segment_bytes(), SEGMENT_BYTES_DEFAULT);
}

#[test]
fn whole_segments_are_dropped_and_the_open_one_stays() {
    // Four segments of 1,928 bytes and an open one of 964, closed at 1002, 1004, 1006 and 1008.
    for (max_bytes, max_age_ms, now_ms, expected) in [
        (None, None, 9_999, None),
        (Some(8_676), None, 9_999, None),
        (Some(8_675), None, 9_999, Some((2, 1, 0))),
        (Some(2_892), None, 9_999, Some((6, 3, 0))),
        (Some(0), None, 9_999, Some((8, 4, 0))),
        (None, Some(100), 1_102, None),
        (None, Some(100), 1_103, Some((2, 0, 1))),
        (None, Some(100), 1_105, Some((4, 0, 2))),
        (None, Some(1), 9_999, Some((8, 0, 4))),
        (Some(8_675), Some(100), 1_105, Some((4, 1, 1))),
        (None, Some(u64::MAX), 9_999, None),
    ] {
        let mut segments = stream(9);
        let dropped = segments.retain(&Retention { max_bytes, max_age_ms, ..RETENTION }, now_ms);
        let expected = expected.map(|(first, too_large, too_old)| Dropped { first, too_large, too_old });
        assert_eq!(dropped, expected, "{max_bytes:?} {max_age_ms:?} at {now_ms}");
        assert_eq!(segments.first(), expected.map_or(0, |dropped| dropped.first));
        assert_eq!((segments.next(), segments.body_bytes()), (9, (9 - segments.first()) * u64::from(BODY_BYTES)));
    }
}

#[test]
fn the_next_drop_is_when_it_has_an_effect() {
    let retention = Retention { max_age_ms: Some(100), ..RETENTION };
    let mut segments = stream(9);
    while let Some(at_ms) = segments.next_drop_ms(&retention) {
        assert_eq!(segments.clone().retain(&retention, at_ms - 1), None);
        assert!(segments.retain(&retention, at_ms).is_some());
    }
    assert_eq!(segments.len(), 1);
    assert_eq!(stream(9).next_drop_ms(&RETENTION), None);
}

#[test]
fn a_time_is_around_the_segment_it_falls_into() {
    for (time_ms, expected) in
        [(0, (0, 0)), (1_001, (0, 0)), (1_002, (0, 2)), (1_003, (0, 2)), (1_004, (2, 4)), (1_010, (8, 9))]
    {
        assert_eq!(stream(9).around(time_ms), expected, "{time_ms}");
    }
    assert_eq!(Segments::default().around(5), (0, 0));
}

#[test]
fn a_stream_goes_on_where_it_was() {
    let mut whole = Segments::default();
    let recorded: Vec<Segment> =
        (1_001..=1_009).filter_map(|at_ms| whole.push(BODY_BYTES, at_ms, &RETENTION)).collect();
    let left = |first: u64, next: u64| Left {
        first,
        next,
        last_at_ms: 1_000 + next,
        body_bytes: (next - first) * u64::from(BODY_BYTES),
    };
    assert_eq!(Segments::recovered(&recorded, &left(0, 9)), whole);
    // A begun segment whose messages were not durable is none.
    assert_eq!(Segments::recovered(&recorded, &left(0, 8)), stream(8));
    // The records of segments that were dropped are still there.
    let mut dropped = whole;
    dropped.retain(&Retention { max_bytes: Some(3_000), ..RETENTION }, 2_000);
    assert_eq!(Segments::recovered(&recorded, &left(6, 9)), dropped);
    // A part of a segment is gone, for whatever reason.
    let part = Segments::recovered(&recorded, &left(3, 9));
    assert_eq!((part.first(), part.next(), part.len()), (3, 9, 4));
    // Without any record there is one segment; what is empty stays so.
    let unknown = Segments::recovered(&[], &left(3, 9));
    assert_eq!((unknown.first(), unknown.len(), unknown.body_bytes(), unknown.first_at_ms()), (3, 1, 5_400, 0));
    let empty = Segments::recovered(&[], &left(4, 4));
    assert_eq!((empty.first(), empty.next(), empty.len()), (4, 4, 0));
}
