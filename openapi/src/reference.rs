//! The API reference, as a page and as a document: folds over the endpoint table.

use std::fmt::Write as _;

use crate::endpoint::{Endpoint, Operation};
use crate::{RESOURCES, Resource};

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Warren HTTP API</title></head><body>
<h1>Warren HTTP API</h1>
<p>Compatible with RabbitMQ's management API. The same as an OpenAPI 3.1 document:
<a href=\"openapi.json\">openapi.json</a>, and <a href=\"docs\">to look around in</a>.</p>
";

const MARKDOWN_HEAD: &str = "# HTTP API

Compatible with RabbitMQ's management API. Made from the endpoint table; a running broker serves it at
`/api/index.html`, as an OpenAPI 3.1 document at `/api/openapi.json`, and that to look around in at `/api/docs`. Every path also answers `OPTIONS`, and `HEAD`
where it answers `GET`. Names in a path are percent-encoded: the virtual host `/` is `%2F`.
";

/// The document, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = MARKDOWN_HEAD.to_owned();
    for resource in RESOURCES {
        let title = resource.name.replace('_', " ");
        let _ = write!(text, "\n## {title}\n\n| Method | Path | What it does | Who may |\n|---|---|---|---|\n");
        for endpoint in resource.endpoints {
            for operation in endpoint.operations {
                let (method, path) = (operation.method.as_str(), endpoint.full_path());
                let (summary, access) = (operation.summary, operation.access.describe());
                let _ = writeln!(text, "| {method} | `{path}` | {summary} | {access} |");
            }
        }
    }
    text
}

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
    let query: Vec<_> = operation.queries().map(|query| query.name).collect();
    let _ = writeln!(
        page,
        "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
        operation.method.as_str(),
        endpoint.full_path(),
        operation.summary,
        operation.access.describe(),
        query.join(", "),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_is_the_golden_copy() {
        let document = markdown();
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http-api.md");
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(golden, &document).unwrap();
        }
        let kept = std::fs::read_to_string(golden).unwrap_or_default();
        assert!(document == kept, "docs/http-api.md is stale: run `UPDATE_OPENAPI=1 cargo test -p openapi`");
    }

    #[test]
    fn every_operation_is_on_the_page() {
        let page = page();
        let operations: usize = crate::endpoints().map(|endpoint| endpoint.operations.len()).sum();
        assert_eq!(page.matches("<td><code>").count(), operations);
    }
}
