//! Points in time as they stand in configs: RFC 3339, as Go writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// A time in RFC 3339 as Go's `time.Time` marshals it: fractional seconds only
/// where there are some, without trailing zeros; `Z` for UTC, else `±hh:mm`.
///
/// A time that is read keeps its offset, because ko keeps it too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(String);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an RFC 3339 time")]
pub struct TimestampError(String);

impl Timestamp {
    /// Go's zero time, `0001-01-01T00:00:00Z`: what ko writes where it has no
    /// time to write.
    pub fn zero() -> Self {
        Self("0001-01-01T00:00:00Z".to_owned())
    }

    /// Seconds since 1970 in UTC. `None` outside of the years 0 to 9999, which
    /// RFC 3339 cannot write.
    pub fn from_epoch(seconds: i64) -> Option<Self> {
        let time = jiff::Timestamp::from_second(seconds).ok()?;
        let text = time.to_string();
        text.as_bytes()[0].is_ascii_digit().then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        normalise(text).map(Self).ok_or_else(|| TimestampError(text.to_owned()))
    }
}

/// `YYYY-MM-DDThh:mm:ss[.fff](Z|±hh:mm)`, written again as Go would.
fn normalise(text: &str) -> Option<String> {
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let (seconds, rest) = text.split_at(19);
    let shape = seconds.bytes().zip("dddd-dd-ddTdd:dd:dd".bytes());
    if !shape
        .into_iter()
        .all(|(byte, want)| if want == b'd' { byte.is_ascii_digit() } else { byte == want })
    {
        return None;
    }
    let part = |from: usize, to: usize| seconds[from..to].parse::<i8>().ok();
    jiff::civil::Date::new(seconds[..4].parse().ok()?, part(5, 7)?, part(8, 10)?).ok()?;
    if part(11, 13)? > 23 || part(14, 16)? > 59 || part(17, 19)? > 59 {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            // Go counts nanoseconds: what follows the ninth digit is lost.
            (rest[..digits.min(9)].trim_end_matches('0'), &rest[digits..])
        }
        None => ("", rest),
    };
    let zone = match zone.as_bytes() {
        b"Z" => "Z",
        [b'+' | b'-', h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()) =>
        {
            if zone[1..3].parse::<u8>().ok()? > 23 || zone[4..6].parse::<u8>().ok()? > 59 {
                return None;
            }
            if &zone[1..] == "00:00" { "Z" } else { zone }
        }
        _ => return None,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{seconds}{point}{fraction}{zone}"))
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_as_go_writes_them() {
        for (text, want) in [
            ("2024-02-29T01:02:03Z", "2024-02-29T01:02:03Z"),
            ("2024-02-29T01:02:03.120000000Z", "2024-02-29T01:02:03.12Z"),
            ("2024-02-29T01:02:03.000Z", "2024-02-29T01:02:03Z"),
            ("2024-02-29T01:02:03.1234567891Z", "2024-02-29T01:02:03.123456789Z"),
            ("2024-02-29T01:02:03+00:00", "2024-02-29T01:02:03Z"),
            ("2024-02-29T01:02:03.5-07:30", "2024-02-29T01:02:03.5-07:30"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().as_str(), want);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2024",
            "2023-02-29T01:02:03Z",
            "2024-02-29 01:02:03Z",
            "2024-02-29T24:02:03Z",
            "2024-02-29T01:02:60Z",
            "2024-02-29T01:02:03",
            "2024-02-29T01:02:03.Z",
            "2024-02-29T01:02:03+0100",
            "2024-02-29T01:02:03+24:00",
            "2024-02-29T01:02:03++1:+2",
            "2024-02-29T01:02:03é",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn epochs() {
        assert_eq!(Timestamp::zero().to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_epoch(0).unwrap().as_str(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_epoch(1000).unwrap().as_str(), "1970-01-01T00:16:40Z");
        assert_eq!(Timestamp::from_epoch(-62_135_596_800), Some(Timestamp::zero()));
        assert_eq!(Timestamp::from_epoch(i64::MAX), None);
    }

    fn zone() -> impl Strategy<Value = String> {
        prop_oneof![Just("Z".to_owned()), "[+-]([01][0-9]|2[0-3]):[0-5][0-9]"]
    }

    proptest! {
        /// Another library reads the same instant from the text and its normal
        /// form, which has no zero too many and is its own normal form.
        #[test]
        fn times_stay_the_same_instant(
            seconds in -62_135_596_800_i64..253_402_214_400,
            fraction in "(\\.[0-9]{1,9})?",
            zone in zone(),
        ) {
            let civil = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            let text = format!("{}{fraction}{zone}", civil.trim_end_matches('Z'));
            let time: Timestamp = text.parse().unwrap();
            let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
            prop_assert_eq!(instant(time.as_str()), instant(&text));
            prop_assert_eq!(time.as_str().parse::<Timestamp>(), Ok(time.clone()));
            let (_, fraction) = time.as_str().split_once('.').unwrap_or_default();
            let digits = fraction.trim_end_matches(|c: char| !c.is_ascii_digit());
            let digits = digits.split(['Z', '+', '-']).next().unwrap_or_default();
            prop_assert!(!digits.ends_with('0'), "{}", time);
            prop_assert_eq!(time.as_str().contains('.'), !digits.is_empty());
        }

        /// What is cut short or goes on is no time.
        #[test]
        fn a_time_ends_where_it_ends(
            seconds in -62_135_596_800_i64..253_402_214_400,
            fraction in "(\\.[0-9]{1,12})?",
            zone in zone(),
            more in "\\PC{1,3}",
            at: proptest::sample::Index,
        ) {
            let civil = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            let text = format!("{}{fraction}{zone}", civil.trim_end_matches('Z'));
            prop_assert!(text.parse::<Timestamp>().is_ok());
            let longer = text.clone() + &more;
            prop_assert!(longer.parse::<Timestamp>().is_err());
            prop_assert!(text[..at.index(text.len())].parse::<Timestamp>().is_err());
        }

        /// Epochs come back, and their texts are in the order of the times.
        #[test]
        fn epochs_survive_their_text(
            one in -62_135_596_800_i64..253_402_214_400,
            two in -62_135_596_800_i64..253_402_214_400,
        ) {
            let of = |seconds| Timestamp::from_epoch(seconds).unwrap();
            let read: jiff::Timestamp = of(one).as_str().parse().unwrap();
            prop_assert_eq!(read.as_second(), one);
            prop_assert_eq!(of(one).as_str().parse::<Timestamp>(), Ok(of(one)));
            prop_assert_eq!(of(one).as_str().cmp(of(two).as_str()), one.cmp(&two));
        }

        #[test]
        fn normal_form_is_stable(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,10})?(Z|[+-][0-2][0-9]:[0-5][0-9])") {
            if let Ok(time) = text.parse::<Timestamp>() {
                prop_assert_eq!(time.as_str().parse::<Timestamp>(), Ok(time));
            }
        }

        #[test]
        fn never_panics_on_unicode(text: String) {
            let _ = text.parse::<Timestamp>();
        }
    }
}
