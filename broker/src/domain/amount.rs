//! Amounts of bytes as operators write them: a whole number and perhaps a unit.

/// Bytes meant by `value`: `k`, `M`, `G`, `T`, `P` (with or without `B`) count by 1000,
/// `Ki`, `Mi`, … by 1024; case does not matter. `None` when it is nothing of the kind.
#[must_use]
pub fn parse_bytes(value: &str) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    number.parse::<u64>().ok()?.checked_mul(factor(&unit.to_ascii_lowercase())?)
}

fn factor(unit: &str) -> Option<u64> {
    Some(match unit {
        "" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "p" | "pb" => 1_000_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        "pi" | "pib" => 1 << 50,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_count_as_they_say() {
        for (value, bytes) in [
            ("10", Some(10)),
            ("1MB", Some(1_000_000)),
            ("1mb", Some(1_000_000)),
            ("1MiB", Some(1_048_576)),
            ("2G", Some(2_000_000_000)),
            ("900000GB", Some(900_000_000_000_000)),
            ("3pi", Some(3 << 50)),
            ("10B", None),
            ("1 GB", None),
            ("1.5GB", None),
            ("-1", None),
            ("", None),
            ("99999999999999999999", None),
            ("18446744073709551615k", None),
        ] {
            assert_eq!(parse_bytes(value), bytes, "{value}");
        }
    }
}
