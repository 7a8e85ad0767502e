//! What an argument's value must be, and the sentence when it is not.

use crate::domain::queue::QueueKind;
use crate::domain::stream::{OffsetSpec, age_ms};
use crate::domain::term::Term;
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::{Error, Resource};

/// Longest duration an argument may ask for: ten years, in milliseconds.
pub const DURATION_MS_MAX: i64 = 315_360_000_000;

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Any value: the reference looks at it late or never.
    Anything,
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// An integer.
    Integer,
    /// An integer from 0.
    NotNegative,
    /// An integer from 1.
    Positive,
    /// An integer from 0 to `max`.
    AtMost {
        /// Highest.
        max: i64,
    },
    /// An integer from `min` to `max`, with a sentence of its own.
    Within {
        /// Lowest.
        min: i64,
        /// Highest.
        max: i64,
        /// What is said otherwise.
        sentence: &'static str,
    },
    /// Milliseconds, at most ten years.
    Duration {
        /// Whether 0 will do.
        zero: bool,
    },
    /// One of these words.
    OneOf {
        /// The words.
        values: &'static [&'static str],
        /// What is said otherwise.
        reason: &'static str,
    },
    /// Text, beside a dead-letter exchange.
    DeadLetterRoutingKey,
    /// A type of queue.
    QueueType,
    /// The version of classic queues there is.
    QueueVersion,
    /// A number and a unit of time.
    Age,
    /// Where in a stream to start.
    StreamOffset,
    /// A deprecated feature that is not offered.
    Denied {
        /// Its name.
        feature: &'static str,
    },
}

impl Check {
    /// Checks one value. `arguments` are all of them, `of` is what they are for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the reference's sentence.
    pub(super) fn check(
        self,
        name: &str,
        value: &FieldValue,
        arguments: &FieldTable,
        of: &Resource,
    ) -> Result<(), Error> {
        let refused = |reason: String| Error::InvalidArgument(format!("invalid arg '{name}' for {of}: {reason}"));
        match self {
            Self::Within { min, max, sentence } => match not_negative(value) {
                Ok(value) if (min..=max).contains(&value) => Ok(()),
                Ok(_) => Err(Error::InvalidArgument(sentence.to_owned())),
                Err(reason) => Err(refused(reason)),
            },
            Self::Denied { feature } => Err(Error::FeatureDenied(denied(feature))),
            _ => self.reason(value, arguments).map_or(Ok(()), |reason| Err(refused(reason))),
        }
    }

    /// Why the value will not do.
    fn reason(self, value: &FieldValue, arguments: &FieldTable) -> Option<String> {
        match self {
            Self::Anything | Self::Within { .. } | Self::Denied { .. } => None,
            Self::Text => text(value).err(),
            Self::Boolean => match value {
                FieldValue::Boolean(_) => None,
                other => Some(unacceptable_type(other)),
            },
            Self::Integer => integer(value).err(),
            Self::NotNegative => not_negative(value).err(),
            Self::Positive => not_negative(value).and_then(not_zero).err(),
            Self::AtMost { max } => not_negative(value)
                .and_then(|value| if value > max { Err(format!("{{max_value_exceeded,{value}}}")) } else { Ok(value) })
                .err(),
            Self::Duration { zero } => duration(value, zero).err(),
            Self::OneOf { values, reason } => match text(value) {
                Ok(word) if values.contains(&word) => None,
                Ok(_) => Some(reason.to_owned()),
                Err(reason) => Some(reason),
            },
            Self::DeadLetterRoutingKey => match text(value) {
                Err(reason) => Some(reason),
                Ok(_) if arguments.get(super::DEAD_LETTER_EXCHANGE).is_some() => None,
                Ok(_) => Some("routing_key_but_no_dlx_defined".to_owned()),
            },
            Self::QueueType => match text(value) {
                Ok(word) if QueueKind::from_wire(word).is_some() => None,
                Ok(word) => Some(format!("\"unsupported queue type '{word}'\"")),
                Err(reason) => Some(reason),
            },
            Self::QueueVersion => match not_negative(value) {
                Ok(2) => None,
                Ok(version) => Some(format!("\"unsupported queue version '{version}'\"")),
                Err(reason) => Some(reason),
            },
            Self::Age => match text(value) {
                Ok(age) if age_ms(age).is_some() => None,
                Ok(_) => Some("invalid_max_age".to_owned()),
                Err(reason) => Some(reason),
            },
            Self::StreamOffset if OffsetSpec::from_value(value).is_some() => None,
            Self::StreamOffset => {
                Some(format!("{{invalid_stream_offset_arg,{{{},{}}}}}", value.type_name(), Term(value)))
            }
        }
    }
}

fn unacceptable_type(value: &FieldValue) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

/// Text, whether or not it is UTF-8: what is not cannot be any of the known words.
fn text(value: &FieldValue) -> Result<&str, String> {
    match value {
        FieldValue::LongString(_) => Ok(value.as_text().unwrap_or("\u{fffd}")),
        other => Err(unacceptable_type(other)),
    }
}

fn integer(value: &FieldValue) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

fn not_negative(value: &FieldValue) -> Result<i64, String> {
    match integer(value)? {
        negative @ ..0 => Err(format!("{{value_negative,{negative}}}")),
        value => Ok(value),
    }
}

fn not_zero(value: i64) -> Result<i64, String> {
    if value == 0 { Err("{value_zero,0}".to_owned()) } else { Ok(value) }
}

fn duration(value: &FieldValue, zero: bool) -> Result<i64, String> {
    let value = integer(value)?;
    if !zero {
        not_zero(value)?;
    }
    match value {
        negative @ ..0 => Err(format!("{{value_negative,{negative}}}")),
        too_long if too_long > DURATION_MS_MAX => Err(format!("{{value_too_large,{too_long}}}")),
        value => Ok(value),
    }
}

/// What is said when a deprecated feature is asked for.
fn denied(feature: &str) -> String {
    format!(
        "Feature `{feature}` is deprecated.\n\
         By default, this feature is not permitted anymore.\n\
         The feature will be removed from a future major RabbitMQ version, regardless of the configuration; \
         actual version to be determined.\n\
         To continue using this feature when it is not permitted by default, set the following parameter in your \
         configuration:\n    \"deprecated_features.permit.{feature} = true\""
    )
}
