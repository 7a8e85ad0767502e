//! Definitions: everything but messages, as one document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::definition_entries::{
    BindingEntry, ExchangeEntry, InVhost, ParameterEntry, PolicyEntry, QueueEntry, UserEntry, VhostEntry,
};
use crate::endpoint::{Access, AnswerHeader, Endpoint, Header, Operation, Query, Status, Upload, wire};
use crate::limits::Limits;
use crate::parameters::GlobalParameter;
use crate::permissions::{Permission, TopicPermission};
use crate::vhosts::VhostMetadata;

/// The whole broker. On import every section may be left out, and unknown ones are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Definitions {
    /// The compatible version.
    pub rabbit_version: String,
    /// The compatible version.
    pub rabbitmq_version: String,
    /// Product name.
    pub product_name: String,
    /// Product version.
    pub product_version: String,
    /// `cluster`.
    pub rabbitmq_definition_format: String,
    /// Name of the cluster that was exported.
    pub original_cluster_name: String,
    /// What this is.
    pub explanation: String,
    /// Users.
    pub users: Vec<UserEntry>,
    /// Virtual hosts.
    pub vhosts: Vec<VhostEntry>,
    /// Permissions.
    pub permissions: Vec<Permission>,
    /// Topic permissions.
    pub topic_permissions: Vec<TopicPermission>,
    /// Runtime parameters, operator policies among them.
    pub parameters: Vec<InVhost<ParameterEntry>>,
    /// Global parameters.
    pub global_parameters: Vec<GlobalParameter>,
    /// Policies.
    pub policies: Vec<InVhost<PolicyEntry>>,
    /// Queues.
    pub queues: Vec<InVhost<QueueEntry>>,
    /// Exchanges.
    pub exchanges: Vec<InVhost<ExchangeEntry>>,
    /// Bindings.
    pub bindings: Vec<InVhost<BindingEntry>>,
}

/// One virtual host. Its objects do not name it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct VhostDefinitions {
    /// The compatible version.
    pub rabbit_version: String,
    /// The compatible version.
    pub rabbitmq_version: String,
    /// Product name.
    pub product_name: String,
    /// Product version.
    pub product_version: String,
    /// `single_virtual_host`.
    pub rabbitmq_definition_format: String,
    /// Name of the virtual host that was exported.
    pub original_vhost_name: String,
    /// What this is.
    pub explanation: String,
    /// What the virtual host is for.
    pub description: String,
    /// What was set on the virtual host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = VhostMetadata)]
    pub metadata: Option<VhostMetadata>,
    /// Its limits.
    #[schema(value_type = Limits)]
    pub limits: BTreeMap<String, i64>,
    /// Runtime parameters, operator policies among them.
    pub parameters: Vec<ParameterEntry>,
    /// Policies.
    pub policies: Vec<PolicyEntry>,
    /// Queues.
    pub queues: Vec<QueueEntry>,
    /// Exchanges.
    pub exchanges: Vec<ExchangeEntry>,
    /// Bindings.
    pub bindings: Vec<BindingEntry>,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// Objects that are new.
    pub created: usize,
    /// Objects that were changed.
    pub updated: usize,
    /// Objects that were as asked.
    pub unchanged: usize,
    /// Objects that were left out, or left as they are although asked otherwise.
    pub skipped: usize,
    /// The same by kind, under the names of the lists; operator policies apart from other parameters.
    pub kinds: BTreeMap<String, ImportCounts>,
    /// The first of those that were left out.
    pub skipped_objects: Vec<SkippedObject>,
}

/// How many objects of a kind were treated how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportCounts {
    /// They are new.
    pub created: usize,
    /// They were changed.
    pub updated: usize,
    /// They were as asked.
    pub unchanged: usize,
    /// They were left out, or left as they are although asked otherwise.
    pub skipped: usize,
}

/// An object of an import that was left out, or left as it is although asked otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedObject {
    /// The list it stands in.
    pub section: String,
    /// Where it stands there, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its virtual host.
    pub vhost: String,
    /// Why.
    pub reason: String,
}

const REPORT: &[Query] =
    &[Query::flag("report", "`true` answers with what was created, updated, unchanged and skipped.")];

const PREFER: Header =
    Header { name: "Prefer", summary: "`return=representation` asks for the report as `report` does." };

const IMPORTED: Status = Status::new(204, "Imported");

const REPORTED: Status = Status::new(200, "Imported, and the caller asked what was done")
    .headers(&[AnswerHeader { name: "Preference-Applied", summary: "The preference that was honoured." }]);

const DOWNLOAD: &[Query] = &[Query::text("download", "File name under which a browser keeps the answer.")];

const IF_NONE_MATCH: Header = Header { name: "If-None-Match", summary: "Tags of documents the caller has." };

const EXPORTED: Status = Status::new(200, "The document").headers(&[
    AnswerHeader { name: "ETag", summary: "Tag of the document." },
    AnswerHeader { name: "Content-Disposition", summary: "The file name, when one was asked for." },
]);

const KNOWN: Status = Status::new(304, "The caller has it");

const REDIRECTED: Status = Status::new(303, "Imported, and the form asked to go elsewhere")
    .headers(&[AnswerHeader { name: "Location", summary: "Where the form asked to go." }]);

const WHOLE: &[Operation] = &[
    Operation::get(Access::Administrator, "Definitions of the whole broker")
        .query(DOWNLOAD)
        .header(IF_NONE_MATCH)
        .status(EXPORTED.gives(wire::<Definitions>()))
        .status(KNOWN),
    Operation::post(Access::Administrator, "Imports definitions")
        .takes_upload(wire::<Definitions>(), Upload::JsonOrParts)
        .query(REPORT)
        .header(PREFER)
        .status(IMPORTED)
        .status(REPORTED.gives(wire::<ImportReport>()))
        .status(REDIRECTED),
];

/// Definitions of the whole broker.
pub const DEFINITIONS: Endpoint = Endpoint::new("/definitions", WHOLE);

/// The same under its old name.
pub const ALL_CONFIGURATION: Endpoint = Endpoint::new("/all-configuration", WHOLE);

/// Definitions of a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/definitions/{vhost}",
    &[
        Operation::get(Access::Administrator, "Definitions of a virtual host")
            .query(DOWNLOAD)
            .header(IF_NONE_MATCH)
            .status(EXPORTED.gives(wire::<VhostDefinitions>()))
            .status(KNOWN),
        Operation::post(Access::Administrator, "Imports definitions into a virtual host")
            .takes_upload(wire::<VhostDefinitions>(), Upload::JsonOrParts)
            .query(REPORT)
            .header(PREFER)
            .status(IMPORTED)
            .status(REPORTED.gives(wire::<ImportReport>()))
            .status(REDIRECTED),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[DEFINITIONS, ALL_CONFIGURATION, OF_VHOST];
