//! The OpenAPI document: a fold over the endpoint table.

mod answers;
mod examples;
mod schemas;
mod verbs;

use serde_json::Value;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, RefOr,
    Required, Schema,
};

use crate::RESOURCES;
use crate::endpoint::{Access, Endpoint, Method, Operation, Request, Upload};
use crate::parameter::path_parameter;
use crate::sessions::COOKIE;
use schemas::{Schemas, of_kind};

/// Ways to say who calls; one of them will do.
const SCHEMES: [&str; 3] = ["basic", "bearer", "cookie"];

/// What holds for every path.
const DESCRIPTION: &str = "\
Manages and monitors a Warren broker; compatible with RabbitMQ's management API.

Names in a path are percent-encoded: the virtual host `/` is `%2F`. A path answers the methods it lists, which also stand \
in `x-allow` as they do in the header `Allow` of every answer; all others of HTTP are answered as the document's \
`x-otherwise` says, and methods that are none 501. What is no request at all is answered 400, 414 or 431 without a body. JSON answers are also written as Erlang \
terms when `Accept` asks for `application/bert` alone. A request body is read as JSON whatever its content type says, \
unless several types are listed; an empty one is an empty object. Unknown fields are ignored.

A refusal may come without a body: 401 when no credentials were sent, 400 when they could not be read, and 405, 406, \
408 and 415.

`x-access` names who may call: `public` anybody, `management` any user with a management tag, `monitoring`, \
`policymaker` and `administrator` users with that tag (administrators include all others), `vhost` who has a permission \
in the virtual host, `vhost-visible` they and `monitoring`, `policymaker-of-vhost` policymakers among them, `owner` who \
owns the object, `control-socket` local tools alone.";

/// The document for `/api/openapi.json`.
#[must_use]
pub fn document() -> OpenApi {
    let mut schemas = Schemas::default();
    let mut paths = PathsBuilder::new();
    let shared = answers::shared(&mut schemas);
    for resource in RESOURCES {
        for endpoint in resource.endpoints {
            for (method, operation) in operations(resource.name, endpoint, &mut schemas) {
                let mut item = PathItem::new(method, operation);
                item.extensions = Some(ExtensionsBuilder::new().add("x-allow", endpoint.allow()).build());
                paths = paths.path(endpoint.full_path(), item);
            }
        }
    }
    let mut components = schemas.components();
    for (name, response) in shared {
        components.responses.insert(name.to_owned(), response.into());
    }
    secure(&mut components);
    let tags = RESOURCES
        .iter()
        .map(|resource| TagBuilder::new().name(resource.name).description(Some(resource.summary)).build());
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Warren HTTP API")
                .description(Some(DESCRIPTION))
                .version(env!("CARGO_PKG_VERSION"))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components))
        .tags(Some(tags))
        .build();
    document.extensions = Some(ExtensionsBuilder::new().add("x-otherwise", verbs::otherwise()).build());
    document
}

/// All methods of a path that are offered.
fn operations(
    resource: &str,
    endpoint: &Endpoint,
    schemas: &mut Schemas,
) -> Vec<(HttpMethod, utoipa::openapi::path::Operation)> {
    let described = endpoint
        .operations
        .iter()
        .map(|operation| (http_method(operation.method), describe(resource, endpoint, operation, schemas)));
    let mut described: Vec<_> = described.collect();
    let options = described.first().map(|(_, other)| verbs::options(other, &path_id(endpoint)));
    let get = described.iter().find(|(method, _)| *method == HttpMethod::Get);
    let head = get.filter(|_| endpoint.head).map(|(_, get)| verbs::head(get));
    described.extend(head.map(|head| (HttpMethod::Head, head)));
    described.extend(options.map(|options| (HttpMethod::Options, options)));
    described
}

fn secure(components: &mut Components) {
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a session.")).build();
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(COOKIE, "As `POST /api/login` sets it."));
    let [basic, bearer] = [basic, bearer].map(SecurityScheme::Http);
    for (name, scheme) in SCHEMES.into_iter().zip([basic, bearer, SecurityScheme::ApiKey(cookie)]) {
        components.add_security_scheme(name, scheme);
    }
}

fn describe(
    resource: &str,
    endpoint: &Endpoint,
    operation: &Operation,
    schemas: &mut Schemas,
) -> utoipa::openapi::path::Operation {
    let id = operation_id(endpoint, operation);
    let mut described = OperationBuilder::new()
        .tag(resource)
        .operation_id(Some(&id))
        .summary(Some(operation.summary))
        .description(Some(operation.access.describe()))
        .extensions(Some(ExtensionsBuilder::new().add("x-access", operation.access.name()).build()));
    for name in endpoint.parameters() {
        let known = path_parameter(name).expect("a test looks for each");
        let parameter = parameter(name, ParameterIn::Path, known.summary, of_kind(known.kind));
        described = described.parameter(parameter.required(Required::True).build());
    }
    for query in operation.queries() {
        described =
            described.parameter(parameter(query.name, ParameterIn::Query, query.summary, of_kind(query.kind)).build());
    }
    for header in operation.request_headers() {
        let text = of_kind(crate::parameter::Kind::Text);
        described = described.parameter(parameter(header.name, ParameterIn::Header, header.summary, text).build());
    }
    if let Some(request) = operation.request {
        described = described.request_body(Some(body(&id, request, schemas)));
    }
    described = answers::describe(described, &id, endpoint, operation, schemas);
    if !matches!(operation.access, Access::Public | Access::ControlSocket) {
        for scheme in SCHEMES {
            described = described.security(SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []));
        }
    }
    described.build()
}

fn parameter(name: &str, place: ParameterIn, summary: &str, schema: Schema) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(summary))
        .schema(Some(schema))
}

fn body(id: &str, request: Request, schemas: &mut Schemas) -> RequestBody {
    let schema = schemas.body(request.wire);
    let example = examples::request(id);
    let content = |schema: RefOr<Schema>, example: Option<Value>| {
        ContentBuilder::new().schema(Some(schema)).example(example).build()
    };
    let described = RequestBodyBuilder::new().required(Some(required(!request.optional)));
    let described = match request.upload {
        Upload::Form => described.content("application/x-www-form-urlencoded", content(schema, example)),
        Upload::Json => described.content("application/json", content(schema, example)),
        Upload::JsonOrParts => {
            let form = ObjectBuilder::new()
                .property("file", part("The document, as JSON."))
                .property("redirect", part("Where the browser goes afterwards."))
                .required("file");
            described
                .content("application/json", content(schema, example))
                .content("multipart/form-data", content(Schema::Object(form.build()).into(), None))
        }
    };
    described.build()
}

fn part(summary: &str) -> Schema {
    let Schema::Object(mut text) = of_kind(crate::parameter::Kind::Text) else { unreachable!("text is no list") };
    text.description = Some(summary.to_owned());
    Schema::Object(text)
}

fn required(required: bool) -> Required {
    if required { Required::True } else { Required::False }
}

/// `get_users_user`: unique because method and path are.
fn operation_id(endpoint: &Endpoint, operation: &Operation) -> String {
    format!("{}{}", operation.method.as_str().to_lowercase(), path_id(endpoint))
}

/// `_users_user`.
fn path_id(endpoint: &Endpoint) -> String {
    endpoint.path.replace(['{', '}'], "").replace(['/', '-', '.'], "_")
}

fn http_method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Put => HttpMethod::Put,
        Method::Post => HttpMethod::Post,
        Method::Delete => HttpMethod::Delete,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Set to write the golden copy anew.
    const UPDATE: &str = "UPDATE_OPENAPI";

    #[test]
    fn document_is_the_golden_copy() {
        let document = document().to_pretty_json().unwrap() + "\n";
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(golden, &document).unwrap();
        }
        let kept = std::fs::read_to_string(golden).unwrap_or_default();
        assert!(document == kept, "openapi/openapi.json is stale: run `{UPDATE}=1 cargo test -p openapi`");
    }

    #[test]
    fn paths_are_unique_and_well_formed() {
        let mut seen = BTreeSet::new();
        for endpoint in crate::endpoints() {
            assert!(seen.insert(endpoint.path), "{} twice", endpoint.path);
            assert!(endpoint.path.starts_with('/') && !endpoint.path.ends_with('/'), "{}", endpoint.path);
            assert!(!endpoint.operations.is_empty(), "{} does nothing", endpoint.path);
            let names: Vec<_> = endpoint.parameters().collect();
            let unique: BTreeSet<_> = names.iter().collect();
            assert_eq!(names.len(), unique.len(), "{}: a parameter twice", endpoint.path);
        }
    }

    #[test]
    fn summaries_are_one_line_and_methods_unique() {
        for endpoint in crate::endpoints() {
            let mut methods = BTreeSet::new();
            for operation in endpoint.operations {
                assert!(methods.insert(operation.method), "{}: a method twice", endpoint.path);
                let summary = operation.summary;
                assert!(!summary.is_empty() && !summary.contains('\n') && !summary.ends_with('.'), "{summary}");
                assert!(summary.starts_with(char::is_uppercase), "{summary}");
            }
        }
    }
}
