//! Warns about unknown keys: ko ignores them, and so do we, but not silently.

use super::source::SourceSpan;
use crate::nearest::nearest;

/// A key without a meaning.
#[derive(Debug)]
pub(crate) struct UnknownKey {
    name: String,
    place: SourceSpan,
    /// The keys that have one where it stands.
    known: &'static [&'static str],
}

/// More keys than this are only counted.
const SHOWN: usize = 20;

impl UnknownKey {
    /// A key where only the `known` ones have a meaning.
    pub(crate) fn new(name: String, place: SourceSpan, known: &'static [&'static str]) -> Self {
        Self { name, place, known }
    }

    /// The known key that it resembles most, if it resembles one.
    fn nearest(&self) -> Option<&'static str> {
        nearest(&self.name, self.known.iter().copied())
    }
}

/// One warning for all of them; `None` if there are none.
pub(crate) fn warning(unknown: &[UnknownKey]) -> Option<String> {
    if unknown.is_empty() {
        return None;
    }
    let mut warning = "unknown keys in the configuration are ignored:".to_owned();
    for key in unknown.iter().take(SHOWN) {
        warning.push_str(&format!("\n  {}: {}", key.place, key.name.escape_debug()));
        if let Some(nearest) = key.nearest() {
            warning.push_str(&format!(" (did you mean {nearest}?)"));
        }
    }
    if unknown.len() > SHOWN {
        warning.push_str(&format!("\n  and {} more", unknown.len() - SHOWN));
    }
    Some(warning)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::source::Source;

    #[test]
    fn the_nearest_known_key_is_named() {
        let source = Arc::new(Source::new(".ko.yaml".into(), "a\nb\n".into()));
        let known = &["defaultBaseImage", "defaultFlags", "builds"];
        let key = |name: &str| UnknownKey::new(name.into(), SourceSpan::new(&source, 2..3), known);
        for (name, nearest) in [
            ("defaultbaseimages", Some("defaultBaseImage")),
            ("DefaultBaseImge", Some("defaultBaseImage")),
            ("flags", None),
            ("defaultFlag", Some("defaultFlags")),
            ("build", Some("builds")),
            ("verification", None),
            ("", None),
        ] {
            assert_eq!(key(name).nearest(), nearest, "{name}");
        }
        assert_eq!(warning(&[]), None);
        assert_eq!(
            warning(&[key("build"), key("x\u{1b}")]).unwrap(),
            "unknown keys in the configuration are ignored:\n  .ko.yaml:2: build (did you mean builds?)\n  .ko.yaml:2: x\\u{1b}"
        );
        let many: Vec<UnknownKey> = (0..25).map(|_| key("x")).collect();
        assert!(warning(&many).unwrap().ends_with(".ko.yaml:2: x\n  and 5 more"));
    }
}
