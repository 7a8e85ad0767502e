//! Spans of time as arguments of streams name them.

/// A number above zero and one unit, in milliseconds; longer than fits is as long as fits.
#[must_use]
pub fn age_ms(text: &str) -> Option<u64> {
    const SECOND_MS: u64 = 1_000;
    const DAY_MS: u64 = 24 * 60 * 60 * SECOND_MS;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if !number.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let unit_ms = match unit {
        "Y" => 365 * DAY_MS,
        "M" => 30 * DAY_MS,
        "D" => DAY_MS,
        "h" => 60 * 60 * SECOND_MS,
        "m" => 60 * SECOND_MS,
        "s" => SECOND_MS,
        _ => return None,
    };
    Some(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_make_an_age() {
        for (text, expected) in [
            ("1s", Some(1_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("7D", Some(604_800_000)),
            ("2M", Some(5_184_000_000)),
            ("1Y", Some(31_536_000_000)),
            ("007s", Some(7_000)),
            ("99999999999999999999Y", Some(u64::MAX)),
            ("0s", None),
            ("", None),
            ("5", None),
            ("h", None),
            ("1H", None),
            ("1d", None),
            ("1h1m", None),
            ("-1h", None),
            (" 1h", None),
            ("1h ", None),
            ("1é", None),
        ] {
            assert_eq!(age_ms(text), expected, "{text:?}");
        }
    }
}
