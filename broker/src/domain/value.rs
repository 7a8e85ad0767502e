//! Field tables as values: arguments, headers, client and server properties.
//!
//! How they look as bytes is `amqp091::value`'s business.

use bytes::Bytes;

/// One value of a field table, in the types the field really puts on the wire
/// (the errata to AMQP 0-9-1 section 4.2.5, as every current client encodes them).
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// `t`
    Boolean(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`: scale and unscaled value
    Decimal(u8, u32),
    /// `S`: usually but not always UTF-8
    LongString(Bytes),
    /// `x`
    ByteArray(Bytes),
    /// `A`
    Array(Vec<FieldValue>),
    /// `T`: seconds since the epoch
    Timestamp(u64),
    /// `F`
    Table(FieldTable),
    /// `V`
    Void,
}

impl FieldValue {
    /// A long string from text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::LongString(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The value as an integer, whatever its width.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::I8(v) => Some(v.into()),
            Self::U8(v) => Some(v.into()),
            Self::I16(v) => Some(v.into()),
            Self::U16(v) => Some(v.into()),
            Self::I32(v) => Some(v.into()),
            Self::U32(v) => Some(v.into()),
            Self::I64(v) => Some(v),
            _ => None,
        }
    }

    /// The value as text, when it is a long string of valid UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::LongString(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The reference's name of the type, as its refusals and its JSON print it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "bool",
            Self::I8(_) => "byte",
            Self::U8(_) => "unsignedbyte",
            Self::I16(_) => "short",
            Self::U16(_) => "unsignedshort",
            Self::I32(_) => "signedint",
            Self::U32(_) => "unsignedint",
            Self::I64(_) => "long",
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Decimal(..) => "decimal",
            Self::LongString(_) => "longstr",
            Self::ByteArray(_) => "binary",
            Self::Array(_) => "array",
            Self::Timestamp(_) => "timestamp",
            Self::Table(_) => "table",
            Self::Void => "void",
        }
    }
}

/// A field table: names in the order given, short strings of at most 255 bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldTable(Vec<(String, FieldValue)>);

impl FieldTable {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value under `name`; the first when a client sent the name twice.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Sets `name`, replacing an earlier value in place.
    pub fn insert(&mut self, name: impl Into<String>, value: FieldValue) {
        let name = name.into();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes `name`.
    pub fn remove(&mut self, name: &str) -> Option<FieldValue> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Orders the entries by name, as the reference leaves a table that it added headers to.
    pub fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Entries up to which looking at each beats sorting them.
const FEW_ENTRIES: usize = 16;

impl FromIterator<(String, FieldValue)> for FieldTable {
    /// As [`FieldTable::insert`] one by one, without comparing each name with all others.
    fn from_iter<I: IntoIterator<Item = (String, FieldValue)>>(entries: I) -> Self {
        let mut table = Self::new();
        let mut entries = entries.into_iter();
        for (name, value) in entries.by_ref().take(FEW_ENTRIES) {
            table.insert(name, value);
        }
        let rest: Vec<_> = entries.collect();
        if rest.is_empty() {
            return table;
        }
        table.0.extend(rest);
        table.keep_last_values();
        table
    }
}

impl FieldTable {
    /// Makes names unique: each stays where it came first, with the value it had last.
    fn keep_last_values(&mut self) {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by(|&one, &other| self.0[one].0.cmp(&self.0[other].0));
        let mut repeated = vec![false; self.0.len()];
        let mut last_values = Vec::new();
        // Sorting is stable: of equal names the first comes first.
        for run in order.chunk_by(|&one, &other| self.0[one].0 == self.0[other].0) {
            if let [first, .., last] = *run {
                last_values.push((first, last));
                run[1..].iter().for_each(|&at| repeated[at] = true);
            }
        }
        for (first, last) in last_values {
            self.0[first].1 = std::mem::replace(&mut self.0[last].1, FieldValue::Void);
        }
        let mut at = 0..;
        self.0.retain(|_| !at.next().is_some_and(|at| repeated[at]));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any field table of bounded size.
    pub(crate) fn any_table() -> impl Strategy<Value = FieldTable> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(FieldValue::Boolean),
            any::<i8>().prop_map(FieldValue::I8),
            any::<u8>().prop_map(FieldValue::U8),
            any::<i16>().prop_map(FieldValue::I16),
            any::<u16>().prop_map(FieldValue::U16),
            any::<i32>().prop_map(FieldValue::I32),
            any::<u32>().prop_map(FieldValue::U32),
            any::<i64>().prop_map(FieldValue::I64),
            // NaN compares unequal to itself.
            (-1e9f32..1e9).prop_map(FieldValue::F32),
            (-1e9f64..1e9).prop_map(FieldValue::F64),
            (any::<u8>(), any::<u32>()).prop_map(|(scale, v)| FieldValue::Decimal(scale, v)),
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(|v| FieldValue::LongString(v.into())),
            ".{0,6}".prop_map(|text| FieldValue::text(&text)),
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(|v| FieldValue::ByteArray(v.into())),
            any::<u64>().prop_map(FieldValue::Timestamp),
            Just(FieldValue::Void),
        ];
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(FieldValue::Array),
                proptest::collection::vec((".{0,4}", inner), 0..4)
                    .prop_map(|entries| FieldValue::Table(entries.into_iter().collect())),
            ]
        });
        proptest::collection::vec((".{0,6}", value), 0..5).prop_map(|entries| entries.into_iter().collect())
    }

    proptest! {
        #[test]
        fn collecting_is_inserting_one_by_one(names in proptest::collection::vec("[a-f]{0,2}", 0..60)) {
            let entries = || names.iter().cloned().zip((0..).map(FieldValue::I64));
            let mut inserted = FieldTable::new();
            entries().for_each(|(name, value)| inserted.insert(name, value));
            prop_assert_eq!(entries().collect::<FieldTable>(), inserted);
        }
    }
}
