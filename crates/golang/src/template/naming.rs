//! The functions for names and tags of images, which ko has none of.

/// What they are called.
pub(super) const FUNCTIONS: [&str; 2] = ["semver", "slug"];

/// The longest label of a host, and so of what many make of a branch's name.
const SLUG: usize = 63;

/// What templates see where git knows of no tag.
const NO_TAG: &str = "v0.0.0";

/// The tags of a release, the most exact first, with commas between them: `v1.2.3`
/// has `v1.2`, `v1` and `latest` as well. A pre-release has its own alone, and nothing
/// is promised of a major version 0. Without a `v`, no tag has one.
pub(super) fn semver(text: &str) -> Result<String, String> {
    if text == NO_TAG {
        return Err(format!("semver: {NO_TAG} stands for no tag: fetch the history and its tags"));
    }
    let wrong = || format!("semver: {text:?} is no version such as v1.2.3");
    let (v, version) = match text.strip_prefix('v') {
        Some(version) => ("v", version),
        None => ("", text),
    };
    let (version, metadata) = split(version, '+');
    let (numbers, pre_release) = split(version, '-');
    let numbers: Vec<&str> = numbers.split('.').collect();
    let [major, minor, patch] = numbers[..] else { return Err(wrong()) };
    if ![major, minor, patch].into_iter().all(is_number)
        || pre_release.is_some_and(|parts| !parts.split('.').all(is_pre_release))
    {
        return Err(wrong());
    }
    if metadata.is_some() {
        return Err(format!("semver: {text:?} has a +, which no tag of an image may have"));
    }
    if pre_release.is_some() {
        return Ok(text.to_owned());
    }
    let major_tag = if major == "0" { String::new() } else { format!(",{v}{major}") };
    Ok(format!("{text},{v}{major}.{minor}{major_tag},latest"))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// No leading zeros.
fn is_number(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

fn is_pre_release(part: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let digits = part.bytes().all(|byte| byte.is_ascii_digit());
    !part.is_empty() && part.bytes().all(known) && (!digits || is_number(part))
}

/// A text that may be part of any name or tag: in lower case, with a dash in the
/// place of all but letters and digits, and none at its ends.
pub(super) fn slug(text: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
    let slug: String = text.to_lowercase().chars().map(plain).take(SLUG).collect();
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_several_tags_and_a_pre_release_one() {
        for (text, want) in [
            ("v1.2.3", Some("v1.2.3,v1.2,v1,latest")),
            ("1.20.0", Some("1.20.0,1.20,1,latest")),
            ("v0.3.1", Some("v0.3.1,v0.3,latest")),
            ("v1.2.3-rc.1", Some("v1.2.3-rc.1")),
            ("v1.2.3-alpha-2.x", Some("v1.2.3-alpha-2.x")),
            ("v1.2", None),
            ("v1.2.3.4", None),
            ("v01.2.3", None),
            ("v1.2.3-", None),
            ("v1.2.3-01", None),
            ("v1.2.3-a_b", None),
            ("v1.2.3+b", None),
            ("v1.2.3-rc+b", None),
            ("release-5", None),
            ("V1.2.3", None),
            ("v0.0.0", None),
            ("", None),
        ] {
            assert_eq!(semver(text).ok().as_deref(), want, "{text}");
        }
        let error = semver("v1.2.3+b").unwrap_err();
        assert_eq!(error, "semver: \"v1.2.3+b\" has a +, which no tag of an image may have");
    }

    #[test]
    fn slugs_fit_everywhere() {
        for (text, want) in [
            ("feature/Über_Änderung", "feature--ber--nderung"),
            ("main", "main"),
            ("/-x-/", "x"),
            ("", ""),
        ] {
            assert_eq!(slug(text), want, "{text}");
        }
        assert_eq!(slug(&"a/".repeat(99)).len(), 63);
    }
}
