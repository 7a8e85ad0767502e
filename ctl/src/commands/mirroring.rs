//! Classic queue mirroring left the reference with version 4 and was never here; its commands find nothing.

use openapi::control::NODE;

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool};
use crate::exit::Failure;
use crate::output::{Answer, Format};

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CHECK_IF_CLUSTER_HAS_CLASSIC_QUEUE_MIRRORING_POLICY,
    &LIST_OPERATOR_POLICIES_WITH_CLASSIC_QUEUE_MIRRORING,
    &LIST_POLICIES_WITH_CLASSIC_QUEUE_MIRRORING,
    &REMOVE_CLASSIC_QUEUE_MIRRORING_FROM_POLICIES,
];

/// Queue mirroring left the reference with version 4, and was never here.
fn no_mirroring(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(Answer::Rows(crate::output::Rows::default()))
}

/// `list_policies_with_classic_queue_mirroring`.
pub const LIST_POLICIES_WITH_CLASSIC_QUEUE_MIRRORING: Command = Command {
    name: "list_policies_with_classic_queue_mirroring",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Monitoring,
    summary: "List all policies that enable classic queue mirroring",
    usage: "list_policies_with_classic_queue_mirroring [--no-table-headers] [--timeout <timeout>]",
    needs: Needs::AppRunning,
    format: Format::Table,
    run: no_mirroring,
    banner: |_| Some("Listing policies with classic queue mirroring ...".to_owned()),
    ..Command::BLANK
};

/// `list_operator_policies_with_classic_queue_mirroring`.
pub const LIST_OPERATOR_POLICIES_WITH_CLASSIC_QUEUE_MIRRORING: Command = Command {
    name: "list_operator_policies_with_classic_queue_mirroring",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Monitoring,
    summary: "List all operator policies that enable classic queue mirroring",
    usage: "list_operator_policies_with_classic_queue_mirroring [--no-table-headers] [--timeout <timeout>]",
    needs: Needs::AppRunning,
    format: Format::Table,
    run: no_mirroring,
    banner: |_| Some("Listing operator policies with classic queue mirroring ...".to_owned()),
    ..Command::BLANK
};

/// `check_if_cluster_has_classic_queue_mirroring_policy`.
pub const CHECK_IF_CLUSTER_HAS_CLASSIC_QUEUE_MIRRORING_POLICY: Command = Command {
    name: "check_if_cluster_has_classic_queue_mirroring_policy",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if there are policies that enable classic queue mirroring",
    usage: "check_if_cluster_has_classic_queue_mirroring_policy [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |_| Some("Checking if cluster has any classic queue mirroring policy ...".to_owned()),
    run: check_if_cluster_has_classic_queue_mirroring_policy,
    ..Command::BLANK
};

fn check_if_cluster_has_classic_queue_mirroring_policy(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(crate::commands::health::passed(call, "Cluster reported no classic queue mirroring policies".to_owned()))
}

/// `remove_classic_queue_mirroring_from_policies`.
pub const REMOVE_CLASSIC_QUEUE_MIRRORING_FROM_POLICIES: Command = Command {
    name: "remove_classic_queue_mirroring_from_policies",
    section: Section::Operations,
    summary: "Removes keys that enable classic queue mirroring from all regular and operator policies",
    usage: "remove_classic_queue_mirroring_from_policies [--timeout <timeout>]",
    endpoints: &[&NODE],
    banner: |_| {
        Some("Will remove keys that enable classic queue mirroring from all regular and operator policies".to_owned())
    },
    run: remove_classic_queue_mirroring_from_policies,
    ..Command::BLANK
};

fn remove_classic_queue_mirroring_from_policies(call: &Call) -> Result<Answer, Failure> {
    call.summary()?;
    Ok(Answer::Done)
}
