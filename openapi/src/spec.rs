//! The OpenAPI document: a fold over the endpoint table.

use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ComponentsBuilder, Content, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder,
    Ref, RefOr, Required, ResponseBuilder, Schema,
};

use crate::RESOURCES;
use crate::endpoint::{Access, Endpoint, Method, Operation, Wire, wire};
use crate::error::ErrorBody;
use crate::sessions::COOKIE;

/// Ways to say who calls; one of them will do.
const SCHEMES: [&str; 3] = ["basic", "bearer", "cookie"];

/// The document for `/api/openapi.json`.
#[must_use]
pub fn document() -> OpenApi {
    let mut schemas = Vec::new();
    let mut paths = PathsBuilder::new();
    reference(wire::<ErrorBody>(), &mut schemas);
    for resource in RESOURCES {
        for endpoint in resource.endpoints {
            for operation in endpoint.operations {
                let described = describe(resource.name, endpoint, operation, &mut schemas);
                let item = PathItem::new(http_method(operation.method), described);
                paths = paths.path(endpoint.full_path(), item);
            }
        }
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Warren HTTP API")
                .description(Some("Manages and monitors a Warren broker; compatible with RabbitMQ's management API."))
                .version(env!("CARGO_PKG_VERSION"))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components(schemas)))
        .build()
}

fn components(mut schemas: Vec<(String, RefOr<Schema>)>) -> Components {
    schemas.sort_by(|(left, _), (right, _)| left.cmp(right));
    schemas.dedup_by(|(left, _), (right, _)| left == right);
    let mut components = ComponentsBuilder::new();
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a session.")).build();
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(COOKIE, "As `POST /api/login` sets it."));
    let [basic, bearer] = [basic, bearer].map(SecurityScheme::Http);
    let schemes = SCHEMES.into_iter().zip([basic, bearer, SecurityScheme::ApiKey(cookie)]);
    schemes.fold(components, |components, (name, scheme)| components.security_scheme(name, scheme)).build()
}

fn describe(
    resource: &str,
    endpoint: &Endpoint,
    operation: &Operation,
    schemas: &mut Vec<(String, RefOr<Schema>)>,
) -> utoipa::openapi::path::Operation {
    let mut described = OperationBuilder::new()
        .tag(resource)
        .operation_id(Some(operation_id(endpoint, operation)))
        .summary(Some(operation.summary))
        .description(Some(operation.access.describe()));
    for name in endpoint.parameters() {
        described = described.parameter(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(text()))
                .build(),
        );
    }
    for query in operation.query {
        described = described.parameter(
            ParameterBuilder::new()
                .name(query.name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(query.summary))
                .schema(Some(text()))
                .build(),
        );
    }
    if let Some(request) = operation.request {
        let content = Content::new(Some(reference(request, schemas)));
        described =
            described.request_body(Some(RequestBodyBuilder::new().content("application/json", content).build()));
    }
    let success = ResponseBuilder::new().description("Success");
    described = match operation.response {
        Some(response) => {
            let content = Content::new(Some(reference(response, schemas)));
            described.response(
                if operation.creates { "201" } else { "200" },
                success.content(operation.format.content_type(), content).build(),
            )
        }
        None => described.response("2XX", success.build()),
    };
    let refusal = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name("ErrorBody"))));
    described = described.response(
        "default",
        ResponseBuilder::new().description("Refusal").content("application/json", refusal).build(),
    );
    if !matches!(operation.access, Access::Public | Access::ControlSocket) {
        for scheme in SCHEMES {
            described = described.security(SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []));
        }
    }
    described.build()
}

/// `get_users_user`: unique because method and path are.
fn operation_id(endpoint: &Endpoint, operation: &Operation) -> String {
    let path = endpoint.path.replace(['{', '}'], "").replace(['/', '-', '.'], "_");
    format!("{}{path}", operation.method.as_str().to_lowercase())
}

fn text() -> Schema {
    Schema::Object(ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).build())
}

fn http_method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Put => HttpMethod::Put,
        Method::Post => HttpMethod::Post,
        Method::Delete => HttpMethod::Delete,
    }
}

/// A reference to a wire type, whose schema and those it uses are put among `schemas`.
fn reference(wire: Wire, schemas: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    let name = (wire.name)().into_owned();
    (wire.references)(schemas);
    let refers = Ref::from_schema_name(name.clone());
    schemas.push((name, (wire.schema)()));
    if wire.list {
        RefOr::T(Schema::Array(ArrayBuilder::new().items(RefOr::<Schema>::Ref(refers)).build()))
    } else {
        RefOr::Ref(refers)
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
