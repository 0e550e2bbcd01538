//! Parses the values of flags that are more than a text: lists, integers as Go
//! writes them, and words of which there are few.

use std::ffi::OsString;
use std::num::IntErrorKind;

use clap::builder::{OsStringValueParser, TypedValueParser};
use engine::SbomFormat;

use super::csv;
use crate::progress::Progress;

/// One occurrence of a list flag.
#[derive(Debug, Clone)]
pub(crate) struct List(Vec<String>);

/// All elements of all occurrences.
pub(crate) fn elements(lists: &[List]) -> Vec<String> {
    lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
}

pub(super) fn list(text: &str) -> Result<List, String> {
    csv::record(text).map(List)
}

/// Tags: one CSV record, as of other lists, unless there are templates.
pub(super) fn tags(text: &str) -> Result<List, String> {
    if !text.contains("{{") || text.starts_with('"') {
        return list(text);
    }
    Ok(List(split_tags(text)))
}

/// Cuts tags at their commas. One in an action of a template (`{{ }}`) is part of it.
pub(crate) fn split_tags(text: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("{{") {
            at = rest.find("}}").map_or(text.len(), |end| at + end + 2);
        } else if rest.starts_with(',') {
            tags.push(text[start..at].to_owned());
            at += 1;
            start = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    tags.push(text[start..].to_owned());
    tags
}

/// The name of a file that is written. ko's own flags take the next word, whatever it
/// is; here, another flag is no name: that of the file was forgotten.
pub(super) fn written() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|name| {
        let is_flag = name != "-" && name.as_encoded_bytes().starts_with(b"-");
        if is_flag { Err("that is a flag, and the name of the file is missing") } else { Ok(name) }
    })
}

/// Go's `strconv.ParseInt` with base 0: the prefix decides the base.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => ("-", &text[1..]),
        [b'+', ..] => ("", &text[1..]),
        _ => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let (radix, digits) = prefixed
        .iter()
        .find_map(|(prefix, radix)| Some((*radix, lower.strip_prefix(prefix)?)))
        .filter(|(_, rest)| !rest.is_empty())
        .unwrap_or((10, &lower));
    // A second sign would be read by what follows.
    let digits = digits.replace('_', "");
    let valid = digits.starts_with(|first: char| first.is_digit(radix));
    let number = i64::from_str_radix(&format!("{sign}{digits}"), radix);
    let reason = match number {
        Ok(number) if valid => return Ok(number),
        Err(error) if valid && is_out_of_range(&error) => "value out of range",
        _ => "invalid syntax",
    };
    Err(format!("strconv.ParseInt: parsing {text:?}: {reason}"))
}

/// What `ko build` prints on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// References, as ko does.
    Text,
    /// One document when the run has ended.
    Json,
    /// A line for whatever happens.
    Ndjson,
}

pub(super) fn output(text: &str) -> Result<Output, String> {
    match text {
        "text" => Ok(Output::Text),
        "json" => Ok(Output::Json),
        "ndjson" => Ok(Output::Ndjson),
        _ => Err("must be text, json or ndjson".to_owned()),
    }
}

pub(super) fn progress(text: &str) -> Result<Progress, String> {
    match text {
        "auto" => Ok(Progress::Auto),
        "live" => Ok(Progress::Live),
        "plain" => Ok(Progress::Plain),
        "json" => Ok(Progress::Json),
        "quiet" => Ok(Progress::Quiet),
        _ => Err("must be auto, live, plain, json or quiet".to_owned()),
    }
}

/// The format of SBOMs, if any are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sbom(pub(crate) Option<SbomFormat>);

pub(super) fn sbom(text: &str) -> Result<Sbom, String> {
    match text {
        "spdx" => Ok(Sbom(Some(SbomFormat::Spdx))),
        "cyclonedx" => Ok(Sbom(Some(SbomFormat::CycloneDx))),
        "none" => Ok(Sbom(None)),
        _ => Err("must be spdx, cyclonedx or none".to_owned()),
    }
}

fn is_out_of_range(error: &std::num::ParseIntError) -> bool {
    matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_cut_between_templates() {
        for (text, want) in [
            ("a,b", vec!["a", "b"]),
            ("{{ semver .Git.Tag }},x", vec!["{{ semver .Git.Tag }}", "x"]),
            ("v{{ index .Env \"A,B\" }}-é,x", vec!["v{{ index .Env \"A,B\" }}-é", "x"]),
            ("a,{{ x", vec!["a", "{{ x"]),
            ("\"{{ print \"\"a\"\" }}\",x", vec!["{{ print \"a\" }}", "x"]),
        ] {
            assert_eq!(tags(text).unwrap().0, want, "{text}");
        }
    }

    #[test]
    fn integers_are_go_s() {
        for (text, want) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("+7", Some(7)),
            ("0x1F", Some(31)),
            ("017", Some(15)),
            ("0o17", Some(15)),
            ("0b101", Some(5)),
            ("1_000", Some(1000)),
            ("--7", None),
            ("-+7", None),
            ("0x", None),
            ("08", None),
            ("", None),
            ("x", None),
            ("9223372036854775808", None),
        ] {
            assert_eq!(integer(text).ok(), want, "{text:?}");
        }
    }
}
