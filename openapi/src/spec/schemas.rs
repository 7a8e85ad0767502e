//! Schemas: of wire types, and of what listing parameters make of them.

use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder};
use utoipa::openapi::{Components, ComponentsBuilder, Ref, RefOr, Schema};

use crate::endpoint::{Operation, Wire, wire};
use crate::fields::Form;
use crate::listing::{Columns, Page};
use crate::parameter::{COLUMNS, Kind, NAME_BYTES_MAX, PAGE};

/// Schemas that were referred to.
#[derive(Default)]
pub(super) struct Schemas(Vec<(String, RefOr<Schema>)>);

impl Schemas {
    /// A reference to a wire type; its schema and those it uses are kept.
    fn item(&mut self, wire: Wire) -> RefOr<Schema> {
        let name = (wire.name)().into_owned();
        let schema = (wire.schema)();
        (wire.references)(&mut self.0);
        if is_plain(&schema) {
            return schema;
        }
        let refers = Ref::from_schema_name(name.clone());
        self.0.push((name, schema));
        RefOr::Ref(refers)
    }

    /// The schema of a body that is a wire type, or a list of it.
    pub(super) fn body(&mut self, wire: Wire) -> RefOr<Schema> {
        let item = self.item(wire);
        if wire.list { array(item) } else { item }
    }

    /// The schema of an answer, with what the operation's parameters may make of it. The first
    /// alternative is what comes when none is given.
    pub(super) fn answer(&mut self, operation: &Operation, body: Wire) -> RefOr<Schema> {
        let item = self.item(body);
        let shape = |item: RefOr<Schema>| if body.list { array(item) } else { item };
        let mut alternatives = vec![shape(item.clone())];
        let cut = operation.has_query(COLUMNS.name).then(|| self.item(wire::<Columns>()));
        if operation.has_query(PAGE.name) {
            alternatives.push(self.page(item));
            alternatives.extend(cut.clone().map(|cut| self.page(cut)));
        }
        alternatives.extend(cut.map(shape));
        match alternatives.len() {
            1 => alternatives.remove(0),
            _ => any_of(alternatives),
        }
    }

    fn page(&mut self, item: RefOr<Schema>) -> RefOr<Schema> {
        let items = ObjectBuilder::new().property("items", array(item)).required("items").build();
        let page = AllOfBuilder::new().item(self.item(wire::<Page>())).item(Schema::Object(items));
        RefOr::T(Schema::AllOf(page.build()))
    }

    /// All of them, each once.
    pub(super) fn components(mut self) -> Components {
        self.0.sort_by(|(left, _), (right, _)| left.cmp(right));
        self.0.dedup_by(|(left, _), (right, _)| left == right);
        self.0
            .into_iter()
            .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
            .build()
    }
}

/// Whether a schema is so small that it needs no name: text, a number, a boolean.
fn is_plain(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object))
        if object.properties.is_empty() && object.additional_properties.is_none() && object.description.is_none()
            && object.enum_values.is_none())
}

/// One of several schemas, or all that apply.
pub(super) fn any_of(alternatives: Vec<RefOr<Schema>>) -> RefOr<Schema> {
    let any = alternatives.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
    RefOr::T(Schema::AnyOf(any.build()))
}

fn array(item: RefOr<Schema>) -> RefOr<Schema> {
    RefOr::T(Schema::Array(ArrayBuilder::new().items(item).build()))
}

/// The schema of a parameter.
pub(super) fn of_kind(kind: Kind) -> Schema {
    let object = match kind {
        Kind::Text => Form::Text.object(),
        Kind::Name => Form::Text.object().max_length(Some(NAME_BYTES_MAX)),
        Kind::Flag => Form::Boolean.object(),
        Kind::Integer { min, max } => Form::Integer { min, max }.object(),
        Kind::OneOf(words) => Form::OneOf(words).object(),
    };
    Schema::Object(object.build())
}
