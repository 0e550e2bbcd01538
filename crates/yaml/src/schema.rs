//! Decides which plain scalars are strings. The rules are go-yaml's, with which
//! ko reads YAML: the core schema of YAML 1.2.2 with some of 1.1 (binary
//! numbers, underscores, timestamps, the merge key).

/// The words that are not strings.
const WORDS: [&str; 23] = [
    "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", ".nan",
    ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
];

/// Words that YAML 1.1 readers take for something else.
const OLD_WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "<<", "="];

/// Whether a plain scalar without a tag is null.
pub(crate) fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

/// Whether a plain scalar without a tag is a string.
pub(crate) fn is_string(plain: &str) -> bool {
    if WORDS.contains(&plain) || plain == "<<" {
        return false;
    }
    match plain.as_bytes()[0] {
        b'.' => !plain.parse::<f64>().is_ok_and(f64::is_finite),
        b'0'..=b'9' | b'+' | b'-' => !(is_timestamp(plain) || is_number(plain)),
        _ => true,
    }
}

/// Whether `value` can stand without quotes wherever a plain scalar can, and
/// every reader takes it for that string. Narrow on purpose: image references
/// pass, whatever needs a second thought is quoted.
pub(crate) fn is_plain(value: &str) -> bool {
    is_simple(value)
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !value.ends_with(':')
        && is_string(value)
        && !OLD_WORDS.contains(&value.to_ascii_lowercase().as_str())
        && (value.contains('/') || value.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Whether `value` consists of characters that mean themselves in the middle
/// of a scalar of any style.
pub(crate) fn is_simple(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/+@:".contains(&b))
}

fn is_number(plain: &str) -> bool {
    let plain = plain.replace('_', "");
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let radix = |prefix: [&str; 2], radix| {
        prefix.iter().find_map(|prefix| digits.strip_prefix(prefix)).map(|digits| {
            !digits.starts_with(['+', '-']) && u64::from_str_radix(digits, radix).is_ok()
        })
    };
    if let Some(is) = radix(["0x", "0X"], 16)
        .or_else(|| radix(["0b", "0B"], 2))
        .or_else(|| radix(["0o", "0O"], 8))
    {
        return is;
    }
    // Rust's grammar of numbers is this one, plus words.
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_timestamp(plain: &str) -> bool {
    let (date, time) = match plain.find(['T', 't', ' ']) {
        Some(at) => (&plain[..at], Some(&plain[at..])),
        None => (plain, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && field(month, 1, 12)
        && field(day, 1, 31)
        && time.is_none_or(is_time)
}

/// `Thh:mm:ss[.f](Z|±hh:mm)`, or ` hh:mm:ss[.f]` without a zone.
fn is_time(time: &str) -> bool {
    let clock = if let Some(clock) = time.strip_prefix(' ') {
        clock
    } else if let Some(clock) = time[1..].strip_suffix('Z') {
        clock
    } else {
        let Some(at) = time[1..].rfind(['+', '-']) else {
            return false;
        };
        let (clock, zone) = time[1..].split_at(at);
        let Some((hours, minutes)) = zone[1..].split_once(':') else {
            return false;
        };
        if !(hours.len() == 2 && minutes.len() == 2 && field(hours, 0, 24) && field(minutes, 0, 59))
        {
            return false;
        }
        clock
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else {
        return false;
    };
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    field(hours, 0, 23)
        && field(minutes, 0, 59)
        && field(seconds, 0, 59)
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

/// One or two digits between `low` and `high`.
fn field(digits: &str, low: u8, high: u8) -> bool {
    digits.len() <= 2
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits.parse::<u8>().is_ok_and(|value| (low..=high).contains(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_strings_or_not_as_go_yaml_reads_them() {
        for plain in [
            "",
            "~",
            "null",
            "true",
            "FALSE",
            "<<",
            "1",
            "-1",
            "+1",
            "0x1F",
            "0b101",
            "0o17",
            "0777",
            "1_000",
            "1.5",
            ".5",
            "1.",
            "-.5",
            "1e3",
            "-.inf",
            ".nan",
            "2001-01-02",
            "2001-1-2T3:4:5Z",
            "2001-01-02t03:04:05.6+01:00",
            "2001-01-02 03:04:05",
            "18446744073709551616",
        ] {
            assert!(!is_string(plain), "{plain:?}");
        }
        for plain in [
            "v1",
            "yes",
            "on",
            "nULL",
            "apps/v1",
            "0x",
            "0xg",
            "1.2.3",
            "-",
            "--",
            ".",
            "+x",
            "2001-13-01",
            "2001-00-01",
            "2001-01-32",
            "2001-001-02",
            "2001-+1-02",
            "20011-01-02",
            "2x01-01-02",
            "2001-01-02T24:04:05Z",
            "2001-01-02T03:60:05Z",
            "2001-01-02T03:04:60Z",
            "2001-01-02T03:04:05.Z",
            "2001-01-02T03:04:05.xZ",
            "2001-01-02T03:04:05",
            "2001-01-02T03:04Z",
            "2001-01-02T03:04:05+0100",
            "2001-01-02T03:04:05+1:00",
            "2001-01-02T03:04:05+25:00",
            "2001-01-02T03:04:05+01:60",
            "1:20",
            "0b2",
            "é",
            "infinity",
            "-inf",
            "1e999",
            "2001-01-02x",
        ] {
            assert!(is_string(plain), "{plain:?}");
        }
    }

    #[test]
    fn null_is_written_in_five_ways() {
        for plain in ["", "~", "null", "Null", "NULL"] {
            assert!(is_null(plain), "{plain:?}");
        }
        for plain in ["nULL", "0", "false", "~~", "none"] {
            assert!(!is_null(plain), "{plain:?}");
        }
    }

    #[test]
    fn only_what_is_plainly_a_string_stays_plain() {
        for value in [
            "registry.example.com/app@sha256:abc",
            "localhost:5000/x",
            "ko.local/app:latest",
            "busybox",
            "1password/cli",
        ] {
            assert!(is_plain(value), "{value:?}");
        }
        for value in [
            "",
            "no",
            "N",
            "null",
            "12",
            "1e3",
            "a b",
            "a:",
            "-a",
            "a#b",
            "a, b",
            "é",
            "12:30",
            ".5/x",
            "@a",
            "2001-01-02",
        ] {
            assert!(!is_plain(value), "{value:?}");
        }
    }
}
