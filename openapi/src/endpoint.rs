//! What an endpoint is: one path and who may call which method on it.
//!
//! Owns the vocabulary of the table and filling a path with names. Knows no handler,
//! no HTTP library and no single resource.

use std::fmt::Write as _;

pub use crate::operation::{AnswerHeader, CHANGED, Format, Operation, Request, Status, Upload, Wire, wire, wire_list};
pub use crate::parameter::{Header, Kind, LISTING, OBJECT, PAGED, Query};

/// Every path of the table stands below this prefix, but those made with [`Endpoint::at_root`].
pub const PREFIX: &str = "/api";

/// A method an endpoint may answer. `OPTIONS` is answered by all, `HEAD` as [`Endpoint::head`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or changes the named thing.
    Put,
    /// Acts.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call. Checked before it is looked up whether the object exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anyone; credentials are not even looked at.
    Public,
    /// A user with at least one management tag.
    Any,
    /// `monitoring` or `administrator`.
    Monitor,
    /// `administrator`.
    Administrator,
    /// `administrator`, or whoever has a permission row for the vhost in the path.
    Vhost,
    /// As [`Self::Vhost`], and `monitoring` enters every vhost.
    VhostVisible,
    /// `administrator`, or a `policymaker` with a permission row for the vhost in the path.
    Policy,
    /// `policymaker` or `administrator`.
    GlobalParameter,
    /// Any management user; the handler lets the owner of the object and the privileged tags through.
    Own,
    /// The control socket without credentials, and nobody else.
    ControlSocket,
}

impl Access {
    /// Its name in the document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Any => "management",
            Self::Monitor => "monitoring",
            Self::Administrator => "administrator",
            Self::Vhost => "vhost",
            Self::VhostVisible => "vhost-visible",
            Self::Policy => "policymaker-of-vhost",
            Self::GlobalParameter => "policymaker",
            Self::Own => "owner",
            Self::ControlSocket => "control-socket",
        }
    }

    /// One line for the document.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Public => "No credentials needed.",
            Self::Any => "Any management user.",
            Self::Monitor => "Needs the tag monitoring or administrator.",
            Self::Administrator => "Needs the tag administrator.",
            Self::Vhost => "Needs a permission for the virtual host, or the tag administrator.",
            Self::VhostVisible => "Needs a permission for the virtual host, or the tag monitoring or administrator.",
            Self::Policy => {
                "Needs the tag policymaker and a permission for the virtual host, or the tag administrator."
            }
            Self::GlobalParameter => "Needs the tag policymaker or administrator.",
            Self::Own => "The owner, or the tag monitoring (to read) or administrator.",
            Self::ControlSocket => "Only over the control socket.",
        }
    }
}

/// One path with everything that may be done to it.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Below the prefix; a segment in braces is a parameter: `/users/{user}`.
    pub path: &'static str,
    /// Its methods.
    pub operations: &'static [Operation],
    /// Whether `HEAD` is offered; the reference leaves it out on a few paths.
    pub head: bool,
    /// Whether the answer depends on `Accept`; says what `Vary` names.
    pub negotiated: bool,
    /// What stands before the path: [`PREFIX`] or nothing.
    pub prefix: &'static str,
}

impl Endpoint {
    /// An endpoint; `HEAD` is offered where `GET` is.
    #[must_use]
    pub const fn new(path: &'static str, operations: &'static [Operation]) -> Self {
        let mut head = false;
        let mut at = 0;
        while at < operations.len() {
            if matches!(operations[at].method, Method::Get) {
                head = true;
            }
            at += 1;
        }
        Self { path, operations, head, negotiated: true, prefix: PREFIX }
    }

    /// The same without `HEAD`.
    #[must_use]
    pub const fn without_head(mut self) -> Self {
        self.head = false;
        self
    }

    /// The same, with an answer that does not depend on `Accept`.
    #[must_use]
    pub const fn without_negotiation(mut self) -> Self {
        self.negotiated = false;
        self
    }

    /// The same, outside of [`PREFIX`]: for probes, which know nothing of the API.
    #[must_use]
    pub const fn at_root(mut self) -> Self {
        self.prefix = "";
        self
    }

    /// The whole path, parameters in braces.
    #[must_use]
    pub fn full_path(&self) -> String {
        format!("{}{}", self.prefix, self.path)
    }

    /// The segments of the whole path.
    pub fn segments(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.prefix.split('/').skip(1).chain(self.path.split('/').skip(1))
    }

    /// What a method does here, when it is offered.
    #[must_use]
    pub fn operation(&self, method: Method) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.method == method)
    }

    /// Names of the parameters in the path, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('/').filter_map(parameter_name)
    }

    /// The value of the `Allow` header.
    #[must_use]
    pub fn allow(&self) -> String {
        let mut allow = String::new();
        if self.head {
            allow.push_str("HEAD, ");
        }
        for method in [Method::Get, Method::Put, Method::Post, Method::Delete] {
            if self.operation(method).is_some() {
                allow.push_str(method.as_str());
                allow.push_str(", ");
            }
        }
        allow.push_str("OPTIONS");
        allow
    }

    /// The path of one object, prefix included: parameters are filled in order and
    /// percent-encoded, so a name may hold any character.
    ///
    /// # Panics
    /// When the number of names is not that of the parameters.
    #[must_use]
    pub fn fill(&self, names: &[&str]) -> String {
        let mut names = names.iter();
        let mut path = String::from(self.prefix);
        for segment in self.path.split('/').skip(1) {
            path.push('/');
            match parameter_name(segment) {
                Some(name) => {
                    let value = names.next().unwrap_or_else(|| panic!("{} needs a value for {name}", self.path));
                    percent_encode(value, &mut path);
                }
                None => path.push_str(segment),
            }
        }
        assert!(names.next().is_none(), "more names than {} has parameters", self.path);
        path
    }
}

/// The name of a parameter segment.
#[must_use]
pub fn parameter_name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Percent-encodes everything but the unreserved characters of RFC 3986. A segment of
/// dots only is encoded too, or it would be taken for a step up the path.
pub fn percent_encode(text: &str, into: &mut String) {
    let dots = matches!(text, "." | "..");
    for byte in text.bytes() {
        match byte {
            b'.' if dots => into.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(char::from(byte)),
            _ => write!(into, "%{byte:02X}").expect("a String takes everything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Endpoint = Endpoint::new(
        "/permissions/{vhost}/{user}",
        &[Operation::delete(Access::Any, "d"), Operation::get(Access::Any, "g"), Operation::put(Access::Any, "p")],
    );

    #[test]
    fn allow_lists_methods_in_the_order_of_the_reference() {
        assert_eq!(USER.allow(), "HEAD, GET, PUT, DELETE, OPTIONS");
        assert_eq!(USER.without_head().allow(), "GET, PUT, DELETE, OPTIONS");
        const POST: &[Operation] = &[Operation::post(Access::Any, "p")];
        assert_eq!(Endpoint::new("/x", POST).allow(), "POST, OPTIONS");
    }

    #[test]
    fn names_of_any_characters_fill_a_path() {
        assert_eq!(USER.fill(&["/", "a b"]), "/api/permissions/%2F/a%20b");
        assert_eq!(USER.fill(&["水", ".."]), "/api/permissions/%E6%B0%B4/%2E%2E");
        assert_eq!(USER.fill(&["a.b", ""]), "/api/permissions/a.b/");
    }
}
