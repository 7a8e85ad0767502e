//! Consistent hashing: one destination by the hash of the routing key, a header or a
//! property, in proportion to the weights that the binding keys are.
//!
//! Each destination draws a number from the hash of the message and of itself, and the
//! highest draw wins ("highest random weight" hashing). Shares are exactly proportional
//! to weights, without rings of points to tune. A destination that comes takes its share
//! from all others, one that goes leaves its keys to all others, and no other key moves.
//! Nothing but the bindings decides, so a restart changes nothing. A draw costs a few
//! nanoseconds per destination.
//!
//! A destination bound more than once counts once, with its oldest binding.

use imbl::OrdMap;

use super::hash::{hash, mix};
use super::{Placed, Sink};
use crate::domain::binding::Destination;
use crate::domain::properties::Properties;
use crate::domain::term::Term;
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::{Error, Resource};

/// Exchange argument: the header to hash.
pub const HASH_HEADER: &str = "hash-header";
/// Exchange argument: the property to hash.
pub const HASH_PROPERTY: &str = "hash-property";
/// Highest weight of a binding.
pub const WEIGHT_MAX: u32 = 10_000;

/// What of a message is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashOn {
    /// Its routing key.
    RoutingKey,
    /// A header.
    Header(String),
    /// Property `correlation_id`.
    CorrelationId,
    /// Property `message_id`.
    MessageId,
    /// Property `timestamp`.
    Timestamp,
}

impl HashOn {
    /// What an exchange with these arguments hashes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the reference's sentence.
    pub fn of(exchange: &Resource, arguments: &FieldTable) -> Result<Self, Error> {
        let text = |name: &str| match arguments.get(name) {
            None => Ok(None),
            Some(FieldValue::LongString(bytes)) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
            Some(other) => Err(Error::InvalidArgument(format!(
                "invalid type '{}' for arg '{name}' in {exchange}",
                other.type_name()
            ))),
        };
        match (text(HASH_HEADER)?, text(HASH_PROPERTY)?) {
            (None, None) => Ok(Self::RoutingKey),
            (Some(header), None) => Ok(Self::Header(header)),
            (None, Some(property)) => match property.as_str() {
                "correlation_id" => Ok(Self::CorrelationId),
                "message_id" => Ok(Self::MessageId),
                "timestamp" => Ok(Self::Timestamp),
                other => Err(Error::InvalidArgument(format!("Unsupported property: {other}"))),
            },
            (Some(_), Some(_)) => {
                Err(Error::InvalidArgument("hash-header and hash-property are mutually exclusive".to_owned()))
            }
        }
    }

    /// The hash of a header: integers by value whatever their width, lists by their first
    /// item. A message without the header has a hash too, as in the reference.
    #[must_use]
    pub fn header_hash(value: Option<&FieldValue>) -> u64 {
        match value {
            None => hash(b"undefined"),
            Some(FieldValue::Array(items)) => items.first().map_or(hash(b"[]"), |first| Self::header_hash(Some(first))),
            Some(value) => hash(Term(value).to_string().as_bytes()),
        }
    }

    /// The hash of a property; one that is absent has a hash too.
    #[must_use]
    pub fn property_hash(&self, properties: &Properties) -> u64 {
        let value = match self {
            Self::CorrelationId => properties.correlation_id.clone(),
            Self::MessageId => properties.message_id.clone(),
            Self::Timestamp => properties.timestamp.map(|seconds| seconds.to_string()),
            Self::RoutingKey | Self::Header(_) => None,
        };
        value.map_or(hash(b"undefined"), |value| hash(value.as_bytes()))
    }

    /// The hash of a routing key.
    #[must_use]
    pub fn key_hash(routing_key: &str) -> u64 {
        hash(routing_key.as_bytes())
    }
}

/// The weight a binding key is.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn weight(binding_key: &str) -> Result<u32, Error> {
    let refused = |sentence: String| Err(Error::InvalidArgument(sentence));
    let digits = binding_key.strip_prefix(['+', '-']).unwrap_or(binding_key);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let key = FieldValue::text(binding_key);
        return refused(format!("The binding key must be an integer: {}", Term(&key)));
    }
    // Too many digits for any integer of ours are too many anyway.
    let value = digits.parse::<u32>().unwrap_or(u32::MAX);
    if value == 0 || binding_key.starts_with('-') {
        return refused("The binding key must be greater than 0".to_owned());
    }
    if value > WEIGHT_MAX {
        return refused(format!("The binding key must not exceed {WEIGHT_MAX}"));
    }
    Ok(value)
}

/// One destination: what its draws start from, and its bindings with their weights.
#[derive(Debug, Clone)]
struct Member<B> {
    seed: u64,
    bindings: OrdMap<u64, (u32, B)>,
}

/// Bindings of a consistent-hash exchange by destination.
#[derive(Debug, Clone)]
pub struct ConsistentHashMatcher<B> {
    members: OrdMap<Destination, Member<B>>,
}

impl<B> Default for ConsistentHashMatcher<B> {
    fn default() -> Self {
        Self { members: OrdMap::new() }
    }
}

impl<B: Placed> ConsistentHashMatcher<B> {
    /// Adds a binding; one whose key is no weight is never chosen.
    pub fn insert(&mut self, key: &str, bound: B) {
        let Ok(weight) = weight(key) else { return };
        let destination = bound.destination();
        match self.members.get_mut(destination) {
            Some(member) => {
                member.bindings.insert(bound.number(), (weight, bound));
            }
            None => {
                let kind = match destination {
                    Destination::Queue(_) => b'q',
                    Destination::Exchange(_) => b'e',
                };
                let seed = hash(&[&[kind], destination.name().as_bytes()].concat());
                let bindings = OrdMap::unit(bound.number(), (weight, bound.clone()));
                self.members.insert(destination.clone(), Member { seed, bindings });
            }
        }
    }

    /// Removes a binding.
    pub fn remove(&mut self, bound: &B) {
        let destination = bound.destination();
        if let Some(member) = self.members.get_mut(destination) {
            member.bindings.remove(&bound.number());
            if member.bindings.is_empty() {
                self.members.remove(destination);
            }
        }
    }

    /// Hands the binding that wins a message with this hash to `sink`.
    pub fn matches(&self, hash: u64, sink: &mut impl Sink<B>) {
        let mut winner: Option<(f64, &B)> = None;
        for member in self.members.values() {
            let Some((_, (weight, bound))) = member.bindings.get_min() else { continue };
            let drawn = draw(mix(hash ^ member.seed), *weight);
            if winner.is_none_or(|(highest, _)| drawn > highest) {
                winner = Some((drawn, bound));
            }
        }
        if let Some((_, bound)) = winner {
            sink.matched(bound);
        }
    }
}

/// A draw that wins against others in proportion to its weight: the weight over an
/// exponentially distributed number made from evenly distributed bits.
fn draw(bits: u64, weight: u32) -> f64 {
    /// Half a step, so that neither 0 nor 1 comes out.
    const HALF: f64 = 0.5;
    const STEPS: f64 = (1u64 << 53) as f64;
    let even = ((bits >> 11) as f64 + HALF) / STEPS;
    f64::from(weight) / -natural_logarithm(even)
}

/// The natural logarithm of a number in (0, 1), from additions, multiplications and
/// divisions alone: those round the same on every machine, which `f64::ln` need not.
fn natural_logarithm(x: f64) -> f64 {
    const EXPONENT_BIAS: i64 = 1023;
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - EXPONENT_BIAS;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | (EXPONENT_BIAS as u64) << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 (s + s³/3 + s⁵/5 + …) with s = (m − 1) / (m + 1), at most 0.172.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for odd in [17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * square + 1.0 / odd;
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests;
