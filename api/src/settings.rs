//! Settings of the running node. What is sent is checked as a whole before anything changes.

use broker::domain::alarm::Watermark;
use broker::domain::amount::parse_bytes;
use broker::{ChangeLimits, Node};
use openapi::settings::{self as wire, Amount, NodeSettings, ResourceLimit};

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

/// Levels a log can have.
const LOG_LEVELS: [&str; 6] = ["debug", "info", "warning", "error", "critical", "none"];
/// Most times the memory there is that a disk limit may ask for; beyond it, it is a slip.
const DISK_SHARE_MAX: f64 = 1000.0;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::SETTINGS).get(get_settings).put(put_settings);
}

async fn get_settings(call: Call) -> Answer {
    let limits = call.broker()?.limits();
    let limit = |watermark| {
        Some(match watermark {
            Watermark::Absolute(bytes) => ResourceLimit::Absolute(Amount::Bytes(bytes)),
            Watermark::Relative(share) => ResourceLimit::Relative(share),
        })
    };
    Reply::json(&NodeSettings {
        memory_high_watermark: limit(limits.memory),
        disk_free_limit: limit(limits.disk),
        disk_monitoring: Some(limits.disk_monitored),
        log_level: Some((call.context.facts.log_level.get)()),
        listeners_suspended: Some(call.node().are_listeners_suspended()),
        maintenance: Some(call.node().is_in_maintenance()),
        auth_attempt_source_tracking: Some(call.broker()?.are_login_sources_tracked()),
    })
}

async fn put_settings(call: Call) -> Answer {
    let wanted: NodeSettings =
        serde_json::from_slice(&call.body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let broker = call.broker()?;
    let limits = ChangeLimits {
        memory: watermark(wanted.memory_high_watermark.as_ref(), "memory_high_watermark", 1.0)?,
        disk: watermark(wanted.disk_free_limit.as_ref(), "disk_free_limit", DISK_SHARE_MAX)?,
        disk_monitored: wanted.disk_monitoring,
    };
    if let Some(level) = &wanted.log_level
        && !LOG_LEVELS.contains(&level.as_str())
    {
        let reason = format!("level {level} is not supported. Try one of {}", LOG_LEVELS.join(", "));
        return Err(ApiError::bad_request(reason));
    }
    // What can fail comes first.
    set_listeners(call.node(), &wanted).await?;
    if limits != ChangeLimits::default() {
        broker.change_limits(limits).await?;
    }
    if let Some(level) = &wanted.log_level {
        (call.context.facts.log_level.set)(level);
    }
    if let Some(tracked) = wanted.auth_attempt_source_tracking {
        broker.track_login_sources(tracked);
    }
    Ok(Reply::no_content())
}

async fn set_listeners(node: &Node, wanted: &NodeSettings) -> Result<(), broker::Error> {
    match wanted.maintenance {
        Some(true) => node.drain().await?,
        Some(false) => node.revive().await?,
        None => {}
    }
    match wanted.listeners_suspended {
        Some(true) => node.suspend_listeners().await,
        Some(false) => node.resume_listeners().await,
        None => Ok(()),
    }
}

fn watermark(limit: Option<&ResourceLimit>, name: &str, share_max: f64) -> Result<Option<Watermark>, ApiError> {
    let refused = |why: String| Err(ApiError::bad_request(format!("{name}: {why}")));
    match limit {
        None => Ok(None),
        Some(ResourceLimit::Relative(share)) if (0.0..=share_max).contains(share) => {
            Ok(Some(Watermark::Relative(*share)))
        }
        Some(ResourceLimit::Relative(share)) => refused(format!("{share} is not between 0.0 and {share_max:.1}")),
        Some(ResourceLimit::Absolute(Amount::Bytes(bytes))) => Ok(Some(Watermark::Absolute(*bytes))),
        Some(ResourceLimit::Absolute(Amount::Text(text))) => match parse_bytes(text) {
            Some(bytes) => Ok(Some(Watermark::Absolute(bytes))),
            None => refused(format!("'{text}' is not an amount of bytes")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_shares_or_amounts() {
        let read = |limit: ResourceLimit| watermark(Some(&limit), "x", 1.0).map_err(|error| error.body);
        let text = |text: &str| ResourceLimit::Absolute(Amount::Text(text.into()));
        assert_eq!(read(ResourceLimit::Relative(0.4)), Ok(Some(Watermark::Relative(0.4))));
        assert_eq!(read(ResourceLimit::Absolute(Amount::Bytes(7))), Ok(Some(Watermark::Absolute(7))));
        assert_eq!(read(text("1GB")), Ok(Some(Watermark::Absolute(1_000_000_000))));
        for (wrong, reason) in [
            (ResourceLimit::Relative(1.1), "x: 1.1 is not between 0.0 and 1.0"),
            (ResourceLimit::Relative(f64::NAN), "x: NaN is not between 0.0 and 1.0"),
            (ResourceLimit::Relative(-0.1), "x: -0.1 is not between 0.0 and 1.0"),
            (text("much"), "x: 'much' is not an amount of bytes"),
        ] {
            assert_eq!(read(wrong).unwrap_err().unwrap()["reason"], reason);
        }
        assert_eq!(watermark(None, "x", 1.0), Ok(None));
    }
}
