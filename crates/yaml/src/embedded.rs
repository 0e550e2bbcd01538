//! Finds references inside longer strings.
//!
//! A reference is `ko://` followed by an import path as Go modules allow it
//! (`golang.org/x/mod/module`, `CheckImportPath`): elements of ASCII letters,
//! digits and `-._~+`, separated by single slashes; an element does not end
//! with a dot. The scheme does not continue a longer one (`gecko://`). `@` ends
//! a path: `ko` builds what the working directory's module selects and takes no
//! versions. `ko://` without a path is text, as it is in a sentence about it.

use std::ops::Range;

use memchr::memmem;

/// What every reference starts with.
pub(crate) const SCHEME: &str = "ko://";

/// The references in `text`, as ranges of its bytes.
pub(crate) fn occurrences(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut end = 0;
    memmem::find_iter(bytes, SCHEME)
        .filter(|&at| at == 0 || !is_scheme(bytes[at - 1]))
        .filter_map(|at| {
            let path = path(&bytes[at + SCHEME.len()..]);
            // In `ko://ko://a`, the path of the first has the scheme of the second.
            let is_apart = path > 0 && at >= end;
            is_apart.then(|| {
                end = at + SCHEME.len() + path;
                at..end
            })
        })
        .collect()
}

/// Whether `value`, which starts with `ko://`, is meant as one reference: one
/// word. It need not be a good one; that is for others to say.
pub(crate) fn is_one(value: &str) -> bool {
    !value.contains(char::is_whitespace) && !value[SCHEME.len()..].contains(SCHEME)
}

/// The length of the import path that `bytes` starts with.
fn path(bytes: &[u8]) -> usize {
    let mut end = 0;
    for element in bytes.split(|&b| b == b'/') {
        let length = element.iter().take_while(|&&b| is_element(b)).count();
        if length == 0 {
            break;
        }
        end += usize::from(end > 0) + length;
        if length < element.len() {
            break;
        }
    }
    // A full stop ends a sentence; `.` and `..` are elements of a relative
    // path only where one follows.
    let path = &bytes[..end];
    path.iter().rposition(|&b| b != b'.' && b != b'/').map_or(0, |last| last + 1)
}

fn is_element(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~+".contains(&b)
}

/// Whether `b` can be part of a URI scheme (RFC 3986, section 3.1) and so
/// belongs to a longer one.
fn is_scheme(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"+-.".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_paths_bound_references() {
        for (text, found) in [
            ("--image=ko://example.com/cmd/app", vec!["ko://example.com/cmd/app"]),
            ("ko://a/b,ko://c/d", vec!["ko://a/b", "ko://c/d"]),
            ("Deploys ko://a.b/c.", vec!["ko://a.b/c"]),
            ("(ko://a/b/), \"ko://c\"", vec!["ko://a/b", "ko://c"]),
            ("ko://./cmd/x ko://../y", vec!["ko://./cmd/x", "ko://../y"]),
            ("ko://a//b", vec!["ko://a"]),
            ("ko://a/b@v1.2.3", vec!["ko://a/b"]),
            ("ko://a/b@v1/c", vec!["ko://a/b"]),
            ("ko://A/B-c_d~e+f", vec!["ko://A/B-c_d~e+f"]),
            ("gecko://a x-ko://b +ko://c", vec![]),
            ("ko:// ko://. ko:///a ko://é", vec![]),
            ("KO://a", vec![]),
            ("ko://ko://a ko://b", vec!["ko://ko", "ko://b"]),
            ("éko://a", vec!["ko://a"]),
        ] {
            let ranges = occurrences(text);
            let values: Vec<_> = ranges.into_iter().map(|range| &text[range]).collect();
            assert_eq!(values, found, "{text:?}");
        }
    }

    #[test]
    fn one_word_is_one_reference() {
        for value in ["ko://a.b/c", "ko://", "ko://a.", "ko://é"] {
            assert!(is_one(value), "{value:?}");
        }
        for value in ["ko://a ko://b", "ko://a\nb", "ko://a,ko://b"] {
            assert!(!is_one(value), "{value:?}");
        }
    }
}
