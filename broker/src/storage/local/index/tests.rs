//! An index behaves like a plain sorted list, however it packs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn slot(position: u64) -> Slot {
    Slot::new(
        position,
        (position / 300) as u32 + 1,
        position * 64 + 8192,
        64 + (position % 5 * 8) as usize,
        (position % 7) as u32,
    )
}

fn moved(slot: Slot, serial: u64) -> Slot {
    Slot::new(slot.position(), 1000 + (serial / 40) as u32, serial * 128 + 8192, slot.bytes(), slot.weight())
}

#[derive(Debug, Clone)]
enum Step {
    Append(u64),
    Skip(u64),
    Remove(u64, u64),
    /// Moves every live record of a stretch, as a rewrite does, packed after it or not.
    Move(u64, u64, bool),
    /// Records come back behind the others, as recovery meets moved ones.
    Reinsert(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..300).prop_map(Step::Append),
        1 => (1u64..5).prop_map(Step::Skip),
        3 => (0u64..900, prop_oneof![0u64..3, 0u64..400]).prop_map(|(first, span)| Step::Remove(first, first + span)),
        1 => (0u64..900, 0u64..300, any::<bool>()).prop_map(|(first, span, pack)| Step::Move(first, first + span, pack)),
        1 => (0u64..900, 0u64..60).prop_map(|(first, span)| Step::Reinsert(first, first + span)),
    ]
}

proptest! {
    #[test]
    fn an_index_agrees_with_a_sorted_list(steps in proptest::collection::vec(step(), 1..40)) {
        let mut index = LogIndex::new(0);
        let mut model: BTreeMap<u64, Slot> = BTreeMap::new();
        let (mut next, mut serial) = (1, 0);
        for step in steps {
            match step {
                Step::Append(count) => {
                    for position in next..next + count {
                        index.insert(slot(position));
                        model.insert(position, slot(position));
                    }
                    next += count;
                }
                Step::Skip(count) => next += count,
                Step::Remove(first, last) => {
                    let (mut told, mut expected) = (BTreeMap::<u32, (u64, u64)>::new(), BTreeMap::<u32, (u64, u64)>::new());
                    let mut add = |segment, records, bytes| {
                        let sums = told.entry(segment).or_default();
                        *sums = (sums.0 + records, sums.1 + bytes);
                    };
                    index.remove(first, last, &mut add);
                    model.retain(|position, slot| {
                        let goes = (first..=last).contains(position);
                        if goes {
                            let sums = expected.entry(slot.segment()).or_default();
                            *sums = (sums.0 + 1, sums.1 + slot.bytes() as u64);
                        }
                        !goes
                    });
                    prop_assert_eq!(told, expected);
                }
                Step::Move(first, last, pack) => {
                    for (position, slot) in model.range_mut(first..=last) {
                        serial += 1;
                        *slot = moved(*slot, serial);
                        prop_assert_eq!(index.get(*position).map(|slot| slot.position()), Some(*position));
                        index.relocate(*slot);
                    }
                    if pack {
                        index.repack();
                    }
                }
                Step::Reinsert(first, last) => {
                    for position in first..=last.min(next - 1) {
                        serial += 1;
                        let slot = moved(slot(position), serial);
                        index.insert(slot);
                        model.insert(position, slot);
                    }
                    index.repack();
                }
            }
            prop_assert_eq!(index.live().collect::<Vec<_>>(), model.values().copied().collect::<Vec<_>>());
            prop_assert_eq!(index.len(), model.len());
            prop_assert!((0..next + 2).all(|position| index.get(position) == model.get(&position).copied()));
            let (first, last) = (next / 3, next / 2);
            prop_assert!(index.live_in(first, last).eq(model.range(first..=last).map(|(_, slot)| *slot)));
            let summary = index.summary();
            prop_assert_eq!(summary.records, model.len() as u64);
            prop_assert_eq!(summary.weight, model.values().map(|slot| u64::from(slot.weight())).sum::<u64>());
            let positions = summary.ranges.iter().flat_map(|range| range.start().0..=range.end().0);
            prop_assert!(positions.eq(model.keys().copied()));
            let joined = summary.ranges.windows(2).all(|pair| pair[0].end().0 + 1 < pair[1].start().0);
            prop_assert!(joined);
        }
    }
}

#[test]
fn a_long_log_costs_few_bytes_a_record() {
    let mut index = LogIndex::new(0);
    for position in 0..100_000 {
        index.insert(Slot::new(position, 1, position * 160 + 8192, 160, 80));
    }
    let code: usize = index
        .chunks
        .iter()
        .map(|chunk| match chunk {
            Chunk::Packed(packed) => size_of::<Chunk>() + packed.code_bytes(),
            Chunk::Plain(slots) => slots.capacity() * size_of::<Slot>(),
        })
        .sum();
    assert!(code < 4 * 100_000, "{code}");
}
