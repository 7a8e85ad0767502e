//! Feature flags and deprecated features: what the compatible version calls enabled and
//! denied, as tools ask for it.

use openapi::features::{self as wire, DeprecatedFeature, FeatureFlag};

use crate::call::Call;
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::FEATURE_FLAGS).get(list_flags);
    on.at(&wire::ENABLE).put(enable_flag);
    on.at(&wire::DEPRECATED).get(list_deprecated);
    on.at(&wire::DEPRECATED_USED).get(list_deprecated_used);
}

/// Name, stability, how hard it is required, and provider of each flag. All are enabled.
#[rustfmt::skip]
const FLAGS: &[(&str, &str, &str, &str)] = &[
    ("classic_mirrored_queue_version", "required", "hard", "rabbit"),
    ("classic_queue_type_delivery_support", "required", "hard", "rabbit"),
    ("detailed_queues_endpoint", "required", "soft", "rabbitmq_management"),
    ("direct_exchange_routing_v2", "required", "hard", "rabbit"),
    ("drop_unroutable_metric", "required", "hard", "rabbitmq_management_agent"),
    ("empty_basic_get_metric", "required", "hard", "rabbitmq_management_agent"),
    ("feature_flags_v2", "required", "hard", "rabbit"),
    ("implicit_default_bindings", "required", "hard", "rabbit"),
    ("khepri_db", "required", "soft", "rabbit"),
    ("listener_records_in_ets", "required", "hard", "rabbit"),
    ("maintenance_mode_status", "required", "hard", "rabbit"),
    ("message_containers", "required", "hard", "rabbit"),
    ("message_containers_deaths_v2", "required", "soft", "rabbit"),
    ("quorum_queue", "required", "hard", "rabbit"),
    ("quorum_queue_non_voters", "required", "soft", "rabbit"),
    ("rabbit_exchange_type_local_random", "required", "soft", "rabbit"),
    ("rabbitmq_4.0.0", "required", "soft", "rabbit"),
    ("rabbitmq_4.1.0", "required", "soft", "rabbit"),
    ("rabbitmq_4.2.0", "required", "soft", "rabbit"),
    ("rabbitmq_4.3.0", "stable", "none", "rabbit"),
    ("restart_streams", "required", "hard", "rabbit"),
    ("stream_filtering", "required", "hard", "rabbit"),
    ("stream_queue", "required", "hard", "rabbit"),
    ("stream_sac_coordinator_unblock_group", "required", "hard", "rabbit"),
    ("stream_single_active_consumer", "required", "hard", "rabbit"),
    ("stream_update_config_command", "required", "hard", "rabbit"),
    ("tie_binding_to_dest_with_keep_while_cond", "stable", "none", "rabbit"),
    ("topic_binding_projection_v4", "stable", "none", "rabbit"),
    ("topic_binding_projection_v5", "stable", "none", "rabbit"),
    ("track_qq_members_uids", "stable", "none", "rabbit"),
    ("tracking_records_in_ets", "required", "hard", "rabbit"),
    ("user_limits", "required", "hard", "rabbit"),
    ("virtual_host_metadata", "required", "hard", "rabbit"),
];

/// Name, whether it is permitted, phase and provider.
const DEPRECATED: &[(&str, bool, &str, &str)] = &[
    ("queue_master_locator", false, "denied_by_default", "rabbit"),
    ("global_qos", true, "denied_by_default", "rabbit"),
    ("transient_nonexcl_queues", true, "denied_by_default", "rabbit"),
    ("amqp_filter_set_bug", false, "denied_by_default", "rabbit"),
    ("amqp_address_v1", false, "denied_by_default", "rabbit"),
    ("management_metrics_collection", true, "permitted_by_default", "rabbitmq_management_agent"),
    ("classic_queue_mirroring", false, "removed", "rabbit"),
    ("ram_node_type", false, "removed", "rabbit"),
];

async fn list_flags(call: Call) -> Answer {
    let flags = FLAGS.iter().map(|(name, stability, level, provider)| FeatureFlag {
        name: (*name).to_owned(),
        desc: String::new(),
        doc_url: String::new(),
        state: "enabled".to_owned(),
        stability: (*stability).to_owned(),
        require_level: (*level).to_owned(),
        experiment_level: "supported".to_owned(),
        callbacks: Vec::new(),
        provided_by: (*provider).to_owned(),
    });
    call.list(flags, Listing::Plain)
}

async fn enable_flag(call: Call) -> Answer {
    call.require_json()?;
    let flag = call.parameter("flag");
    if FLAGS.iter().any(|(name, ..)| *name == flag) {
        Ok(Reply::no_content())
    } else {
        Err(ApiError::bad_request("unsupported"))
    }
}

async fn list_deprecated(call: Call) -> Answer {
    let features = DEPRECATED.iter().map(|(name, permitted, phase, provider)| DeprecatedFeature {
        name: (*name).to_owned(),
        state: if *permitted { "permitted" } else { "denied" }.to_owned(),
        desc: String::new(),
        deprecation_phase: (*phase).to_owned(),
        doc_url: String::new(),
        provided_by: (*provider).to_owned(),
    });
    call.list(features, Listing::Uncut)
}

/// Nothing that is deprecated is watched.
async fn list_deprecated_used(call: Call) -> Answer {
    call.list(Vec::<DeprecatedFeature>::new(), Listing::Plain)
}
