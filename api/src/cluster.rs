//! The cluster's name.

use broker::{Broker, Settings};
use openapi::cluster as wire;
use serde_json::Value;

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

/// The global parameter that holds it.
const PARAMETER: &str = "cluster_name";

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::CLUSTER_NAME).get(get_cluster_name).put(put_cluster_name);
}

/// The cluster's name: as set, else as configured, else the node's with the host's name.
pub(crate) fn name(broker: &Broker, settings: &Settings) -> String {
    match broker.directory().global_parameters.get(PARAMETER) {
        Some(Value::String(name)) => name.clone(),
        _ => default_name(settings),
    }
}

/// The name of a cluster nobody has named.
pub(crate) fn default_name(settings: &Settings) -> String {
    if let Some(name) = &settings.cluster_name {
        return name.clone();
    }
    let local = settings.node_name.split('@').next().unwrap_or_default();
    format!("{local}@{}", rustix::system::uname().nodename().to_string_lossy())
}

async fn get_cluster_name(call: Call) -> Answer {
    call.object(&wire::ClusterName { name: name(call.broker()?, call.node().settings()) })
}

async fn put_cluster_name(call: Call) -> Answer {
    let fields = call.fields()?;
    fields.require(&["name"])?;
    let Some(name) = fields.text("name")? else {
        return Err(ApiError::bad_request("the name must be text"));
    };
    call.broker()?.put_global_parameter(PARAMETER, name.into()).await?;
    Ok(Reply::no_content())
}
