//! The objects of a definitions document, field by field.

use broker::domain::name::{ExchangeName, QueueName, UserName, VhostName};
use broker::domain::value::FieldTable;
use broker::{DefinitionPlace, Error};
use serde_json::{Map, Value};

use crate::call::{user_name, vhost_name};
use crate::table;

/// A refusal with this text.
pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidValue(reason.into())
}

/// The document and where its objects go.
pub(super) struct Sections<'a> {
    pub(super) document: &'a Map<String, Value>,
    pub(super) vhost: Option<&'a VhostName>,
}

impl<'a> Sections<'a> {
    /// The objects of a section, each read.
    pub(super) fn read<T>(
        &self,
        section: &'static str,
        read: impl Fn(&Item<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.items(section)?.iter().map(read).collect()
    }

    /// The objects of a section: those that are something, and the others.
    pub(super) fn split(
        &self,
        section: &'static str,
        is: impl Fn(&Item<'a>) -> Result<bool, Error>,
    ) -> Result<(Vec<Item<'a>>, Vec<Item<'a>>), Error> {
        let (mut those, mut others) = (Vec::new(), Vec::new());
        for item in self.items(section)? {
            if is(&item)? { those.push(item) } else { others.push(item) }
        }
        Ok((those, others))
    }

    fn items(&self, section: &'static str) -> Result<Vec<Item<'a>>, Error> {
        let refuse = |index: Option<usize>| {
            let place = DefinitionPlace { section, index, field: None };
            let error = Box::new(invalid(format!("{section} must be a list of objects")));
            Error::InDefinitions { object: String::new(), place, error }
        };
        let items = match self.document.get(section) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(refuse(None)),
        };
        let item = |(index, item): (usize, &'a Value)| match item {
            Value::Object(fields) => Ok(Item { section, index, fields, into: self.vhost }),
            _ => Err(refuse(Some(index))),
        };
        items.iter().enumerate().map(item).collect()
    }
}

/// One object of a section.
pub(super) struct Item<'a> {
    section: &'static str,
    /// Where it stands in its section.
    pub(super) index: usize,
    pub(super) fields: &'a Map<String, Value>,
    into: Option<&'a VhostName>,
}

impl<'a> Item<'a> {
    /// What the object is called in a refusal.
    fn describe(&self) -> String {
        let name = self.fields.get("name").or_else(|| self.fields.get("user")).or_else(|| self.fields.get("source"));
        match (name, self.fields.get("vhost")) {
            (Some(name), Some(vhost)) => format!("{} {name} in vhost {vhost}", self.section),
            (Some(name), None) => format!("{} {name}", self.section),
            _ => self.section.to_owned(),
        }
    }

    /// An error about a field of this object.
    pub(super) fn refuse(&self, field: &str, error: Error) -> Error {
        self.refuse_as(self.describe(), Some(field), error)
    }

    /// An error about a field of this object that the reference tells without naming the object.
    pub(super) fn refuse_bare(&self, field: &str, error: Error) -> Error {
        self.refuse_as(String::new(), Some(field), error)
    }

    /// An error about this object under a name of the reference's.
    pub(super) fn refuse_as(&self, object: String, field: Option<&str>, error: Error) -> Error {
        let place =
            DefinitionPlace { field: field.map(str::to_owned), ..DefinitionPlace::object(self.section, self.index) };
        Error::InDefinitions { object, place, error: Box::new(error) }
    }

    fn missing(&self, field: &str) -> Error {
        self.refuse(field, invalid(format!("{field} is missing")))
    }

    /// A field has a value it cannot have.
    pub(super) fn wrong(&self, field: &str, value: &Value) -> Error {
        self.refuse(field, invalid(format!("{value} is not a valid {field}")))
    }

    /// A field that is text when it is there.
    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, Error> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(field, other)),
        }
    }

    /// A field that is there and text.
    pub(super) fn required(&self, field: &str) -> Result<&'a str, Error> {
        self.text(field)?.ok_or_else(|| self.missing(field))
    }

    /// The field `value`, whatever it is.
    pub(super) fn value(&self) -> Value {
        self.fields.get("value").cloned().unwrap_or_default()
    }

    /// A field that is true or false.
    pub(super) fn boolean(&self, field: &str, default: bool) -> Result<bool, Error> {
        match self.fields.get(field) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.wrong(field, other)),
        }
    }

    /// The field `arguments`.
    pub(super) fn arguments(&self) -> Result<FieldTable, Error> {
        match self.fields.get("arguments") {
            None => Ok(FieldTable::new()),
            Some(arguments) => {
                table::from_json(arguments).map_err(|error| self.refuse("arguments", invalid(error.to_string())))
            }
        }
    }

    /// Where the object goes.
    pub(super) fn vhost(&self) -> Result<VhostName, Error> {
        match self.into {
            Some(vhost) => Ok(vhost.clone()),
            None => Ok(vhost_name(self.required("vhost")?)),
        }
    }

    /// The field `user`.
    pub(super) fn user(&self) -> Result<UserName, Error> {
        Ok(user_name(self.required("user")?))
    }

    /// A field that names an exchange.
    pub(super) fn exchange_name(&self, field: &str) -> Result<ExchangeName, Error> {
        ExchangeName::new(self.required(field)?).map_err(|error| self.refuse(field, invalid(error.to_string())))
    }

    /// A field that names a queue.
    pub(super) fn queue_name(&self, field: &str) -> Result<QueueName, Error> {
        QueueName::new(self.required(field)?).map_err(|error| self.refuse(field, invalid(error.to_string())))
    }
}
