//! What an endpoint is: one path, who may call which method on it, and what goes in and out.
//!
//! Owns the vocabulary of the table and filling a path with names. Knows no handler,
//! no HTTP library and no single resource.

use std::borrow::Cow;
use std::fmt::Write as _;

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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

/// A wire type by its schema, so that a constant can name it.
#[derive(Clone, Copy)]
pub struct Wire {
    /// Name of the schema.
    pub name: fn() -> Cow<'static, str>,
    /// The schema itself.
    pub schema: fn() -> RefOr<Schema>,
    /// Schemas it refers to.
    pub references: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// Whether the body is an array of it.
    pub list: bool,
}

/// The wire type `T`.
#[must_use]
pub const fn wire<T: ToSchema>() -> Wire {
    Wire {
        name: <T as ToSchema>::name,
        schema: <T as PartialSchema>::schema,
        references: <T as ToSchema>::schemas,
        list: false,
    }
}

/// An array of the wire type `T`.
#[must_use]
pub const fn wire_list<T: ToSchema>() -> Wire {
    Wire { list: true, ..wire::<T>() }
}

/// What an answer is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// Plain text.
    Text,
    /// A page.
    Html,
}

impl Format {
    /// The content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// A query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
}

const COLUMNS: Query = Query { name: "columns", summary: "Comma-separated fields to return; dots reach inside." };
const SORT: Query = Query { name: "sort", summary: "Field to sort by; dots reach inside." };
const SORT_REVERSE: Query = Query { name: "sort_reverse", summary: "`true` sorts backwards." };

/// Parameters of a listing that is sorted and cut to columns.
pub const LISTING: &[Query] = &[COLUMNS, SORT, SORT_REVERSE];

/// Parameters of a listing that is also cut into pages.
pub const PAGED: &[Query] = &[
    COLUMNS,
    SORT,
    SORT_REVERSE,
    Query { name: "page", summary: "Page to return, from 1; turns the answer into a page envelope." },
    Query { name: "page_size", summary: "Items on a page, up to 500; default 100." },
    Query { name: "name", summary: "Keeps items whose name contains this; only with `page`." },
    Query { name: "use_regex", summary: "`true` makes `name` a regular expression." },
];

/// Parameters of a single object cut to columns.
pub const OBJECT: &[Query] = &[COLUMNS];

/// One method of an endpoint.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// Who may call it.
    pub access: Access,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Its query parameters.
    pub query: &'static [Query],
    /// What the request body holds.
    pub request: Option<Wire>,
    /// What the answer holds; `None`: no body, or none of a fixed shape.
    pub response: Option<Wire>,
    /// Whether an answer that holds something bears 201 instead of 200.
    pub creates: bool,
    /// What the answer is written in.
    pub format: Format,
}

impl Operation {
    const fn new(method: Method, access: Access, summary: &'static str) -> Self {
        Self {
            method,
            access,
            summary,
            query: &[],
            request: None,
            response: None,
            creates: false,
            format: Format::Json,
        }
    }

    /// A `GET`.
    #[must_use]
    pub const fn get(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Get, access, summary)
    }

    /// A `PUT`.
    #[must_use]
    pub const fn put(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Put, access, summary)
    }

    /// A `POST`.
    #[must_use]
    pub const fn post(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Post, access, summary)
    }

    /// A `DELETE`.
    #[must_use]
    pub const fn delete(access: Access, summary: &'static str) -> Self {
        Self::new(Method::Delete, access, summary)
    }

    /// With query parameters.
    #[must_use]
    pub const fn query(mut self, query: &'static [Query]) -> Self {
        self.query = query;
        self
    }

    /// With a request body.
    #[must_use]
    pub const fn takes(mut self, request: Wire) -> Self {
        self.request = Some(request);
        self
    }

    /// With an answer that is not JSON.
    #[must_use]
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// With an answer that holds something new.
    #[must_use]
    pub const fn creates(mut self, response: Wire) -> Self {
        self.creates = true;
        self.gives(response)
    }

    /// With an answer body.
    #[must_use]
    pub const fn gives(mut self, response: Wire) -> Self {
        self.response = Some(response);
        self
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
