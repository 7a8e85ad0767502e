//! Objects described by a table of fields: arguments, settings of policies, properties of messages.
//!
//! For what is a map in the code, because anything may stand there, and has well-known keys all the same. Owns the
//! forms a value may have and the schema made from a table. Knows no table; what is accepted is the broker's to
//! decide, and a test of `api` holds its tables against these.

use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::parameter::NAME_BYTES_MAX;

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Anything.
    Any,
    /// Any text.
    Text,
    /// Text of at most 255 bytes: a short string of AMQP.
    Short,
    /// Text that matches a regular expression.
    Matching(&'static str),
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// True or false.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// An object with any fields.
    Object,
}

impl Form {
    /// A whole number from 0.
    pub const COUNT: Self = Self::Integer { min: 0, max: i64::MAX };
    /// A whole number from 1.
    pub const POSITIVE: Self = Self::Integer { min: 1, max: i64::MAX };
    /// Any whole number.
    pub const INTEGER: Self = Self::Integer { min: i64::MIN, max: i64::MAX };

    /// The schema, before anything is said about the value.
    #[must_use]
    pub fn object(self) -> ObjectBuilder {
        let of = |kind: Type| ObjectBuilder::new().schema_type(SchemaType::new(kind));
        match self {
            Self::Any => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
            Self::Text => of(Type::String),
            Self::Short => of(Type::String).max_length(Some(NAME_BYTES_MAX)),
            Self::Matching(pattern) => of(Type::String).pattern(Some(pattern)),
            Self::OneOf(words) => of(Type::String).enum_values(Some(words.iter().copied())),
            Self::Boolean => of(Type::Boolean),
            Self::Integer { min, max } => {
                let number = of(Type::Integer);
                let number = if min == i64::MIN { number } else { number.minimum(Some(min)) };
                if max == i64::MAX { number } else { number.maximum(Some(max)) }
            }
            Self::Object => of(Type::Object).additional_properties(Some(AdditionalProperties::FreeForm(true))),
        }
    }
}

/// A well-known key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value may be.
    pub form: Form,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// One row of a table.
#[must_use]
pub const fn field(name: &'static str, form: Form, summary: &'static str) -> Field {
    Field { name, form, summary }
}

/// An object with these fields, none of them required; whether others may stand beside them.
#[must_use]
pub fn object(summary: &str, fields: &[Field], others: bool) -> ObjectBuilder {
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .description(Some(summary))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(others)));
    fields.iter().fold(object, |object, field| {
        let value = field.form.object().description(Some(field.summary)).build();
        object.property(field.name, value)
    })
}

/// Texts, or one text with commas between them.
#[must_use]
pub fn words(summary: &str) -> RefOr<Schema> {
    let list = ArrayBuilder::new().items(Form::Text.object()).build();
    let either = AnyOfBuilder::new().item(Form::Text.object()).item(list).description(Some(summary));
    RefOr::T(Schema::AnyOf(either.build()))
}

/// Declares a schema that no type stands behind: its name, its doc comment, and the schema.
macro_rules! schema {
    ($(#[doc = $doc:literal])* $name:ident => $schema:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let summary = concat!($($doc, "\n"),*).trim();
                ($schema)(summary)
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}
pub(crate) use schema;

/// An object with fields, as a schema.
#[must_use]
pub fn of(object: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::Object(object.build()))
}

/// One of some words, as a schema.
#[must_use]
pub fn one_of(summary: &str, words: &'static [&'static str]) -> RefOr<Schema> {
    of(Form::OneOf(words).object().description(Some(summary)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_say_what_a_value_may_be() {
        for (form, expected) in [
            (Form::Any, json!({})),
            (Form::Text, json!({"type": "string"})),
            (Form::Short, json!({"type": "string", "maxLength": 255})),
            (Form::Matching("^a$"), json!({"type": "string", "pattern": "^a$"})),
            (Form::OneOf(&["a", "b"]), json!({"type": "string", "enum": ["a", "b"]})),
            (Form::Boolean, json!({"type": "boolean"})),
            (Form::INTEGER, json!({"type": "integer"})),
            (Form::POSITIVE, json!({"type": "integer", "minimum": 1})),
            (Form::Integer { min: 0, max: 255 }, json!({"type": "integer", "minimum": 0, "maximum": 255})),
            (Form::Object, json!({"type": "object", "additionalProperties": true})),
        ] {
            assert_eq!(serde_json::to_value(form.object().build()).unwrap(), expected, "{form:?}");
        }
    }

    #[test]
    fn other_fields_are_welcome_or_not() {
        const FIELDS: &[Field] = &[field("a", Form::Boolean, "A.")];
        let of = |others| serde_json::to_value(object("Some.", FIELDS, others).build()).unwrap();
        let expected = json!({"type": "object", "description": "Some.", "additionalProperties": true,
                              "properties": {"a": {"type": "boolean", "description": "A."}}});
        assert_eq!(of(true), expected);
        assert_eq!(of(false)["additionalProperties"], json!(false));
    }
}
