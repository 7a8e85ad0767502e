//! The health check of certificates: which listener has one that expires within a time.
//!
//! Owns the units of time and what is told of a listener. Certificates are the broker's.

use broker::Listener;
use broker::tls::{CertificateFacts, CertificateUse};
use openapi::health as wire;
use openapi::health::CertificateHealth;

use crate::call::Call;
use crate::error::ApiError;
use crate::health::answer_with;
use crate::route::Answer;
use crate::time;

const DAY_S: i64 = 86_400;

/// Seconds of an amount of units.
fn seconds(within: &str, unit: &str) -> Result<i64, ApiError> {
    let invalid = || ApiError::bad_request("Invalid expiration value.");
    let amount: i64 = within.parse().map_err(|_| invalid())?;
    let unit_s = match unit.to_lowercase().as_str() {
        "days" => DAY_S,
        "weeks" => 7 * DAY_S,
        "months" => 365 * DAY_S / 12,
        "years" => 365 * DAY_S,
        _ => {
            return Err(ApiError::bad_request(
                "Time unit not recognised. Supported units: days, weeks, months, years.",
            ));
        }
    };
    Ok(amount.saturating_mul(unit_s))
}

pub(crate) async fn check(call: Call) -> Answer {
    let within_s = seconds(call.parameter("within"), call.parameter("unit"))?;
    let until_s = i64::try_from(time::now_s()).unwrap_or(i64::MAX).saturating_add(within_s);
    let node = &call.node().settings().node_name;
    let listeners = call.node().listeners();
    let found = listeners.iter().filter_map(|listener| {
        let certificates = listener.tls.as_ref()?.certificates();
        expiring(node, listener, &certificates, until_s)
    });
    let expired: Vec<_> = found.collect();
    let health = if expired.is_empty() {
        CertificateHealth { status: "ok".to_owned(), reason: None, expired: None }
    } else {
        let reason = Some("Certificates expiring".to_owned());
        CertificateHealth { status: "failed".to_owned(), reason, expired: Some(expired) }
    };
    answer_with(&health.status, &health)
}

/// What is told of a listener when one of its certificates is over by then.
fn expiring(
    node: &str,
    listener: &Listener,
    certificates: &[CertificateFacts],
    until_s: i64,
) -> Option<wire::ExpiringListener> {
    let of = |usage: CertificateUse| certificates.iter().filter(move |certificate| certificate.usage == usage);
    let file = |usage| of(usage).next().map(|certificate| certificate.file.display().to_string());
    let over = |usage| -> Vec<String> {
        of(usage)
            .filter(|certificate| i64::try_from(certificate.not_after_s).unwrap_or(i64::MAX) < until_s)
            .map(|certificate| time::plain(certificate.not_after_s))
            .collect()
    };
    let (own, authorities) = (over(CertificateUse::Own), over(CertificateUse::Authority));
    (!own.is_empty() || !authorities.is_empty()).then(|| wire::ExpiringListener {
        node: node.to_owned(),
        protocol: listener.protocol.clone(),
        interface: listener.address.ip().to_string(),
        port: listener.address.port(),
        certfile: file(CertificateUse::Own),
        cacertfile: file(CertificateUse::Authority),
        certfile_expires_on: own,
        cacertfile_expires_on: authorities,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_the_units_of_the_reference() {
        for (within, unit, expected) in
            [("3", "days", 259_200), ("1", "Weeks", 604_800), ("1", "months", 2_628_000), ("-1", "years", -31_536_000)]
        {
            assert_eq!(seconds(within, unit).unwrap(), expected);
        }
        assert_eq!(seconds(&i64::MAX.to_string(), "days").unwrap(), i64::MAX);
        for (within, unit, reason) in [
            ("x", "days", "Invalid expiration value."),
            ("1", "day", "Time unit not recognised. Supported units: days, weeks, months, years."),
        ] {
            let refused = serde_json::to_value(&seconds(within, unit).unwrap_err().body).unwrap();
            assert_eq!(refused["reason"], reason);
        }
    }

    #[test]
    fn a_listener_is_named_with_each_certificate_that_is_over() {
        let listener = Listener { protocol: "amqp/ssl".to_owned(), address: ([127, 0, 0, 1], 5671).into(), tls: None };
        let certificate = |file: &str, usage, not_after_s| CertificateFacts {
            file: file.into(),
            usage,
            subject: "CN=localhost".to_owned(),
            pem: String::new(),
            not_after_s,
        };
        // 2026-11-30 13:16:44
        let own = certificate("/cert.pem", CertificateUse::Own, 1_796_044_604);
        let authority = certificate("/ca.pem", CertificateUse::Authority, 1_999_999_999);
        let both = [own, authority];
        assert_eq!(expiring("n@h", &listener, &both, 1_796_044_604), None);
        let told = expiring("n@h", &listener, &both, 1_796_044_605).unwrap();
        assert_eq!(
            serde_json::to_value(told).unwrap(),
            serde_json::json!({
                "node": "n@h", "protocol": "amqp/ssl", "interface": "127.0.0.1", "port": 5671,
                "certfile": "/cert.pem", "certfile_expires_on": ["2026-11-30 13:16:44"],
                "cacertfile": "/ca.pem", "cacertfile_expires_on": [],
            })
        );
        assert_eq!(expiring("n@h", &listener, &[], i64::MAX), None);
    }
}
