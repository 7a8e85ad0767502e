//! The API reference page: a fold over the endpoint table.

use std::fmt::Write as _;

use crate::endpoint::{Endpoint, Operation, PREFIX};
use crate::{RESOURCES, Resource};

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Warren HTTP API</title></head><body>
<h1>Warren HTTP API</h1>
<p>Compatible with RabbitMQ's management API. The same as an OpenAPI 3.1 document:
<a href=\"openapi.json\">openapi.json</a>.</p>
";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for resource in RESOURCES {
        describe_resource(resource, &mut page);
    }
    page.push_str("</body></html>\n");
    page
}

fn describe_resource(resource: &Resource, page: &mut String) {
    let title = resource.name.replace('_', " ");
    let header = "<tr><th>Method</th><th>Path</th><th>What it does</th><th>Who may</th><th>Query</th></tr>";
    let _ = write!(page, "<h2 id=\"{}\">{title}</h2>\n<table>{header}\n", resource.name);
    for endpoint in resource.endpoints {
        for operation in endpoint.operations {
            describe_operation(endpoint, operation, page);
        }
    }
    page.push_str("</table>\n");
}

/// Everything written here is a constant of ours, so nothing needs escaping.
fn describe_operation(endpoint: &Endpoint, operation: &Operation, page: &mut String) {
    let query: Vec<_> = operation.query.iter().map(|query| query.name).collect();
    let _ = writeln!(
        page,
        "<tr><td>{}</td><td><code>{PREFIX}{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
        operation.method.as_str(),
        endpoint.path,
        operation.summary,
        operation.access.describe(),
        query.join(", "),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_on_the_page() {
        let page = page();
        let operations: usize = crate::endpoints().map(|endpoint| endpoint.operations.len()).sum();
        assert_eq!(page.matches("<td><code>").count(), operations);
    }
}
