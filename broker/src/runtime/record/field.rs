//! Field tables inside stored records, without loss: every value keeps its wire type,
//! long strings that are not UTF-8 go through base64, and floats are stored as bits,
//! so that NaN survives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::domain::value::{FieldTable, FieldValue};
use crate::error::Error;

/// Deepest nesting of tables and arrays a stored record may hold. Each level costs three
/// levels of JSON, and the JSON reader stops at 128; so what was written can be read.
pub(crate) const NESTING_MAX: usize = 32;

/// A field table in a record: its entries in order.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StoredTable(Vec<(String, StoredValue)>);

#[derive(Debug, Serialize, Deserialize)]
enum StoredValue {
    #[serde(rename = "t")]
    Boolean(bool),
    #[serde(rename = "b")]
    I8(i8),
    #[serde(rename = "B")]
    U8(u8),
    #[serde(rename = "s")]
    I16(i16),
    #[serde(rename = "u")]
    U16(u16),
    #[serde(rename = "I")]
    I32(i32),
    #[serde(rename = "i")]
    U32(u32),
    #[serde(rename = "l")]
    I64(i64),
    #[serde(rename = "f")]
    F32(u32),
    #[serde(rename = "d")]
    F64(u64),
    #[serde(rename = "D")]
    Decimal(u8, u32),
    #[serde(rename = "S")]
    Text(String),
    #[serde(rename = "S64")]
    LongString(String),
    #[serde(rename = "x")]
    ByteArray(String),
    #[serde(rename = "A")]
    Array(Vec<StoredValue>),
    #[serde(rename = "T")]
    Timestamp(u64),
    #[serde(rename = "F")]
    Table(StoredTable),
    #[serde(rename = "V")]
    Void,
}

impl StoredTable {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Orders the entries by name, as the identity of a binding wants them.
    pub(super) fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    pub(super) fn from_table(table: &FieldTable) -> Result<Self, Error> {
        stored_table(table, NESTING_MAX)
    }

    /// The table, or what is wrong with its base64.
    pub(super) fn into_table(self) -> Result<FieldTable, base64::DecodeError> {
        self.0.into_iter().map(|(name, value)| Ok((name, field_value(value)?))).collect()
    }
}

fn stored_table(table: &FieldTable, levels: usize) -> Result<StoredTable, Error> {
    let levels = descend(levels)?;
    let entries = table.iter().map(|(name, value)| Ok((name.to_owned(), stored_value(value, levels)?)));
    Ok(StoredTable(entries.collect::<Result<_, Error>>()?))
}

fn descend(levels: usize) -> Result<usize, Error> {
    levels
        .checked_sub(1)
        .ok_or_else(|| Error::InvalidArgument(format!("arguments are nested more than {NESTING_MAX} levels deep")))
}

fn stored_value(value: &FieldValue, levels: usize) -> Result<StoredValue, Error> {
    Ok(match value {
        FieldValue::Boolean(v) => StoredValue::Boolean(*v),
        FieldValue::I8(v) => StoredValue::I8(*v),
        FieldValue::U8(v) => StoredValue::U8(*v),
        FieldValue::I16(v) => StoredValue::I16(*v),
        FieldValue::U16(v) => StoredValue::U16(*v),
        FieldValue::I32(v) => StoredValue::I32(*v),
        FieldValue::U32(v) => StoredValue::U32(*v),
        FieldValue::I64(v) => StoredValue::I64(*v),
        FieldValue::F32(v) => StoredValue::F32(v.to_bits()),
        FieldValue::F64(v) => StoredValue::F64(v.to_bits()),
        FieldValue::Decimal(scale, v) => StoredValue::Decimal(*scale, *v),
        FieldValue::LongString(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => StoredValue::Text(text.to_owned()),
            Err(_) => StoredValue::LongString(STANDARD.encode(bytes)),
        },
        FieldValue::ByteArray(bytes) => StoredValue::ByteArray(STANDARD.encode(bytes)),
        FieldValue::Array(values) => {
            let levels = descend(levels)?;
            StoredValue::Array(values.iter().map(|value| stored_value(value, levels)).collect::<Result<_, Error>>()?)
        }
        FieldValue::Timestamp(v) => StoredValue::Timestamp(*v),
        FieldValue::Table(table) => StoredValue::Table(stored_table(table, levels)?),
        FieldValue::Void => StoredValue::Void,
    })
}

fn field_value(value: StoredValue) -> Result<FieldValue, base64::DecodeError> {
    Ok(match value {
        StoredValue::Boolean(v) => FieldValue::Boolean(v),
        StoredValue::I8(v) => FieldValue::I8(v),
        StoredValue::U8(v) => FieldValue::U8(v),
        StoredValue::I16(v) => FieldValue::I16(v),
        StoredValue::U16(v) => FieldValue::U16(v),
        StoredValue::I32(v) => FieldValue::I32(v),
        StoredValue::U32(v) => FieldValue::U32(v),
        StoredValue::I64(v) => FieldValue::I64(v),
        StoredValue::F32(bits) => FieldValue::F32(f32::from_bits(bits)),
        StoredValue::F64(bits) => FieldValue::F64(f64::from_bits(bits)),
        StoredValue::Decimal(scale, v) => FieldValue::Decimal(scale, v),
        StoredValue::Text(text) => FieldValue::LongString(Bytes::from(text)),
        StoredValue::LongString(text) => FieldValue::LongString(Bytes::from(STANDARD.decode(text)?)),
        StoredValue::ByteArray(text) => FieldValue::ByteArray(Bytes::from(STANDARD.decode(text)?)),
        StoredValue::Array(values) => {
            FieldValue::Array(values.into_iter().map(field_value).collect::<Result<_, base64::DecodeError>>()?)
        }
        StoredValue::Timestamp(v) => FieldValue::Timestamp(v),
        StoredValue::Table(table) => FieldValue::Table(table.into_table()?),
        StoredValue::Void => FieldValue::Void,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::value::tests::any_table;

    fn through_json(table: &FieldTable) -> FieldTable {
        let text = serde_json::to_string(&StoredTable::from_table(table).unwrap()).unwrap();
        serde_json::from_str::<StoredTable>(&text).unwrap().into_table().unwrap()
    }

    fn nested(levels: usize) -> FieldTable {
        let mut table = FieldTable::new();
        for _ in 1..levels {
            let mut outer = FieldTable::new();
            outer.insert("k", FieldValue::Table(table));
            table = outer;
        }
        table
    }

    #[test]
    fn not_a_number_keeps_its_bits() {
        let mut table = FieldTable::new();
        table.insert("f", FieldValue::F64(f64::NAN));
        let Some(FieldValue::F64(back)) = through_json(&table).get("f").cloned() else { panic!("type changed") };
        assert_eq!(back.to_bits(), f64::NAN.to_bits());
    }

    #[test]
    fn the_deepest_table_that_is_written_can_be_read() {
        let deepest = nested(NESTING_MAX);
        assert_eq!(through_json(&deepest), deepest);
        assert!(matches!(StoredTable::from_table(&nested(NESTING_MAX + 1)), Err(Error::InvalidArgument(_))));
    }

    proptest! {
        #[test]
        fn a_table_comes_back_as_it_was(table in any_table()) {
            prop_assert_eq!(through_json(&table), table);
        }
    }
}
