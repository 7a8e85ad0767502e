//! Limits of users and vhosts: how they are set, and when they are reached.
//!
//! A negative limit means "no limit", as a missing one does; zero allows nothing.

use super::name::{UserName, VhostName};
use super::parameter::{Document, as_term};
use super::user::UserLimits;
use super::vhost::VhostLimits;
use crate::error::Error;

/// Open AMQP connections, of a user or in a vhost.
pub const MAX_CONNECTIONS: &str = "max-connections";
/// Open channels of a user.
pub const MAX_CHANNELS: &str = "max-channels";
/// Queues in a vhost.
pub const MAX_QUEUES: &str = "max-queues";

/// Name of the parameter that shows a vhost's limits, under component `vhost-limits`.
pub const VHOST_LIMITS_NAME: &str = "limits";

/// Whether one more would be too many.
#[must_use]
pub fn is_reached(limit: Option<i64>, present: usize) -> bool {
    limit.is_some_and(|limit| usize::try_from(limit).is_ok_and(|limit| present >= limit))
}

impl UserLimits {
    /// Whether nothing is limited and nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The limits a document sets: an object of numbers by limit name.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] in the reference's words.
    pub fn from_document(document: &Document) -> Result<Self, Error> {
        let mut limits = Self::default();
        let refusals = read(
            document,
            "user-limits",
            &mut [(MAX_CONNECTIONS, &mut limits.max_connections), (MAX_CHANNELS, &mut limits.max_channels)],
        );
        // The reference says the first thing that is wrong, without the frame of a parameter.
        match refusals.into_iter().next() {
            None => Ok(limits),
            Some(refusal) => Err(Error::InvalidValue(refusal)),
        }
    }

    /// The limits that are set, in name order.
    #[must_use]
    pub fn to_document(&self) -> Document {
        document([(MAX_CHANNELS, self.max_channels), (MAX_CONNECTIONS, self.max_connections)])
    }

    /// Refuses a connection too many.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]
    pub fn check_connections(&self, user: &UserName, open: usize) -> Result<(), Error> {
        match self.max_connections {
            limit @ Some(max) if is_reached(limit, open) => Err(Error::NotAllowed(format!(
                "connection refused for user '{user}': user connection limit ({max}) is reached"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a channel too many, over all connections of the user.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]
    pub fn check_channels(&self, user: &UserName, open: usize) -> Result<(), Error> {
        match self.max_channels {
            limit @ Some(max) if is_reached(limit, open) => Err(Error::NotAllowed(format!(
                "number of channels opened for user '{user}' has reached the maximum allowed user limit of {max}"
            ))),
            _ => Ok(()),
        }
    }
}

/// Refuses a connection the node has no room for.
///
/// # Errors
/// [`Error::NotAllowed`]
pub fn check_node_connections(max: Option<u32>, open: usize) -> Result<(), Error> {
    match max {
        Some(max) if is_reached(Some(max.into()), open) => {
            Err(Error::NotAllowed(format!("connection refused: node connection limit ({max}) is reached")))
        }
        _ => Ok(()),
    }
}

impl VhostLimits {
    /// Whether nothing is limited and nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The limits a document sets: an object of numbers by limit name.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] in the reference's words.
    pub fn from_document(document: &Document) -> Result<Self, Error> {
        let mut limits = Self::default();
        let refusals = read(
            document,
            VHOST_LIMITS_NAME,
            &mut [(MAX_CONNECTIONS, &mut limits.max_connections), (MAX_QUEUES, &mut limits.max_queues)],
        );
        if refusals.is_empty() { Ok(limits) } else { Err(super::parameter::validation_failed(&refusals)) }
    }

    /// The limits that are set, in name order.
    #[must_use]
    pub fn to_document(&self) -> Document {
        document([(MAX_CONNECTIONS, self.max_connections), (MAX_QUEUES, self.max_queues)])
    }

    /// Refuses a connection too many.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]
    pub fn check_connections(&self, vhost: &VhostName, user: &UserName, open: usize) -> Result<(), Error> {
        match self.max_connections {
            limit @ Some(max) if is_reached(limit, open) => Err(Error::NotAllowed(format!(
                "access to vhost '{vhost}' refused for user '{user}': connection limit ({max}) is reached"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a queue too many.
    ///
    /// # Errors
    /// [`Error::LimitReached`]
    pub fn check_queues(&self, vhost: &VhostName, queue: &str, present: usize) -> Result<(), Error> {
        match self.max_queues {
            limit @ Some(max) if is_reached(limit, present) => Err(Error::LimitReached {
                vhost: vhost.clone(),
                limit: MAX_QUEUES,
                max,
                text: format!("cannot declare queue '{queue}': queue limit in vhost '{vhost}' ({max}) is reached"),
            }),
            _ => Ok(()),
        }
    }
}

fn document<const N: usize>(limits: [(&str, Option<i64>); N]) -> Document {
    let set = limits.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), Document::from(limit?))));
    Document::Object(set.collect())
}

/// Reads limits into their places and returns everything that is wrong: unknown names
/// first, then ill-typed values, both in name order.
fn read(document: &Document, what: &str, places: &mut [(&str, &mut Option<i64>)]) -> Vec<String> {
    let empty = serde_json::Map::new();
    let object = match document {
        Document::Object(object) => object,
        // An empty array is how some clients write an empty object.
        Document::Array(values) if values.is_empty() => &empty,
        other => return vec![format!("{what} not a list {}", as_term(other))],
    };
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_by_key(|(name, _)| name.as_str());
    let (mut unknown, mut refusals) = (Vec::new(), Vec::new());
    for (name, value) in entries {
        let place = places.iter_mut().find(|(known, _)| known == name);
        match (place, value.as_i64()) {
            (None, _) => unknown.push(format!("{{{},{}}}", as_term(&name.as_str().into()), as_term(value))),
            (Some((_, place)), Some(limit)) => **place = Some(limit),
            (Some(_), None) => refusals.push(format!("{name} should be a number, actually was {}", as_term(value))),
        }
    }
    if !unknown.is_empty() {
        refusals.insert(0, format!("Unrecognised terms [{}] in {what}", unknown.join(",")));
    }
    refusals
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_counts_what_is_there() {
        for (limit, present, reached) in [
            (None, 1000, false),
            (Some(-1), 1000, false),
            (Some(0), 0, true),
            (Some(2), 1, false),
            (Some(2), 2, true),
            (Some(2), 3, true),
            (Some(i64::MAX), 3, false),
        ] {
            assert_eq!(is_reached(limit, present), reached, "{limit:?} {present}");
        }
    }

    #[test]
    fn user_limits_are_read_in_the_reference_words() {
        for (document, expected) in [
            (json!({"max-channels": 5, "max-connections": -5}), Ok((Some(-5), Some(5)))),
            (json!({}), Ok((None, None))),
            (json!([]), Ok((None, None))),
            (json!({"max-channels": "5"}), Err(r#"max-channels should be a number, actually was <<"5">>"#)),
            (json!({"max-channels": null}), Err("max-channels should be a number, actually was null")),
            (json!({"max-queues": 5}), Err(r#"Unrecognised terms [{<<"max-queues">>,5}] in user-limits"#)),
            (json!("x"), Err(r#"user-limits not a list <<"x">>"#)),
        ] {
            let limits = UserLimits::from_document(&document).map(|l| (l.max_connections, l.max_channels));
            assert_eq!(limits.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{document}");
        }
    }

    #[test]
    fn vhost_limits_are_read_in_the_reference_words() {
        for (document, expected) in [
            (json!({"max-queues": 2}), Ok(json!({"max-queues": 2}))),
            (json!({"max-queues": 2, "max-connections": -1}), Ok(json!({"max-connections": -1, "max-queues": 2}))),
            (
                json!({"max-queues": "x", "zz": 1}),
                Err(
                    "Validation failed\n\nUnrecognised terms [{<<\"zz\">>,1}] in limits\nmax-queues should be a number, actually was <<\"x\">>\n",
                ),
            ),
            (
                json!({"zz": 1, "yy": "a"}),
                Err("Validation failed\n\nUnrecognised terms [{<<\"yy\">>,<<\"a\">>},{<<\"zz\">>,1}] in limits\n"),
            ),
            (json!({"max-queues": 1.5}), Err("Validation failed\n\nmax-queues should be a number, actually was 1.5\n")),
            (json!(5), Err("Validation failed\n\nlimits not a list 5\n")),
        ] {
            let limits = VhostLimits::from_document(&document).map(|limits| limits.to_document());
            assert_eq!(limits.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{document}");
        }
    }

    #[test]
    fn one_too_many_is_refused_in_the_reference_words() {
        let limits = VhostLimits { max_queues: Some(2), max_connections: Some(1) };
        let vhost = VhostName::new("lv").unwrap();
        assert!(limits.check_queues(&vhost, "c", 1).is_ok());
        assert_eq!(
            limits.check_queues(&vhost, "c", 2).unwrap_err().to_string(),
            "cannot declare queue 'c': queue limit in vhost 'lv' (2) is reached"
        );
        let user = UserName::new("u").unwrap();
        assert!(limits.check_connections(&vhost, &user, 0).is_ok());
        assert_eq!(
            limits.check_connections(&vhost, &user, 1).unwrap_err().to_string(),
            "access to vhost 'lv' refused for user 'u': connection limit (1) is reached"
        );
        let limits = UserLimits { max_connections: Some(0), max_channels: Some(3) };
        assert_eq!(
            limits.check_connections(&user, 0).unwrap_err().to_string(),
            "connection refused for user 'u': user connection limit (0) is reached"
        );
        assert!(limits.check_channels(&user, 2).is_ok());
        assert_eq!(
            limits.check_channels(&user, 3).unwrap_err().to_string(),
            "number of channels opened for user 'u' has reached the maximum allowed user limit of 3"
        );
    }
}
