//! Parses sizes and durations.

use std::time::Duration;

/// A number of bytes: `500MB`, `2GiB`, `1.5g`. Letters alone are powers of
/// 1024, as those of `du`.
///
/// # Errors
/// The text is something else.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(NO_SIZE.to_owned()),
    };
    let bytes = decimal(number).ok_or(NO_SIZE)? * factor;
    // More than that is no disk.
    if bytes < 1e18 { Ok(bytes as u64) } else { Err(NO_SIZE.to_owned()) }
}

const NO_SIZE: &str = "want a size such as 500MB or 2GiB";

/// How long a run may take, of which nothing is no time at all.
///
/// # Errors
/// The text is something else.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Ok(Duration::ZERO) => {
            Err("must be longer than 0; without the flag, there is no limit".to_owned())
        }
        Ok(duration) => Ok(duration),
        Err(_) => Err("want a duration such as 90s or 10m".to_owned()),
    }
}

/// A time span: `500ms`, `90m`, `12h`, `30d`, `1w12h`.
///
/// # Errors
/// The text is something else.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let mut seconds = 0.0;
    let mut rest = text;
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    loop {
        let digits = rest.find(|char: char| char.is_ascii_alphabetic()).ok_or(NO_DURATION)?;
        let (number, unit) = rest.split_at(digits);
        let unit_of = |(name, factor)| Some((unit.strip_prefix(name)?, factor));
        let (after, factor) = UNITS.into_iter().find_map(unit_of).ok_or(NO_DURATION)?;
        seconds += decimal(number).ok_or(NO_DURATION)? * factor;
        rest = after;
        if rest.is_empty() {
            return Duration::try_from_secs_f64(seconds).map_err(|_| NO_DURATION.to_owned());
        }
    }
}

/// The units of time, in seconds. One that another begins with comes after that.
const UNITS: [(&str, f64); 6] = [
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 24.0 * 3600.0),
    ("w", 7.0 * 24.0 * 3600.0),
];

const NO_DURATION: &str = "want a duration such as 12h or 30d";

/// A number without sign and exponent.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain && !text.starts_with('.') && !text.ends_with('.'))
}

/// A number of bytes for people to read.
pub(crate) fn readable(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("17B", Some(17)),
            ("500MB", Some(500_000_000)),
            ("2GiB", Some(2 << 30)),
            ("1.5g", Some(3 << 29)),
            ("1tb", Some(1_000_000_000_000)),
            ("", None),
            ("MB", None),
            ("-1", None),
            ("1 GB", None),
            ("1e3", None),
            (".5G", None),
            ("1.G", None),
            ("1GBB", None),
            ("10000000TB", None),
            ("inf", None),
        ] {
            assert_eq!(size(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn durations() {
        for (text, want) in [
            ("0", Some(0)),
            ("30s", Some(30)),
            ("90m", Some(5400)),
            ("1.5h", Some(5400)),
            ("30d", Some(2_592_000)),
            ("1w12h", Some(648_000)),
            ("", None),
            ("30", None),
            ("d", None),
            ("-1h", None),
            ("1y", None),
            ("1h30", None),
            ("99999999999999999999d", None),
        ] {
            let want = want.map(Duration::from_secs);
            assert_eq!(duration(text).ok(), want, "{text:?}");
        }
        assert_eq!(duration("1m500ms"), Ok(Duration::from_millis(60_500)));
    }

    #[test]
    fn a_timeout_is_some_time() {
        assert_eq!(timeout("500ms"), Ok(Duration::from_millis(500)));
        for (text, want) in [
            ("0", "longer than 0"),
            ("0s", "longer than 0"),
            ("5", "such as 90s or 10m"),
            ("-1s", "such as 90s or 10m"),
        ] {
            let error = timeout(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn amounts_are_shown_in_the_unit_that_suits_them() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_570, "1.0 MiB"),
            (10 << 30, "10.0 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(readable(bytes), want);
        }
    }
}
