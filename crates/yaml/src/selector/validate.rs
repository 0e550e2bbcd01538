//! Checks the keys and values of labels by Kubernetes' rules.

const KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must \
                   start and end with an alphanumeric character";
const PREFIX: &str = "prefix part a lowercase RFC 1123 subdomain must consist of lower case \
                      alphanumeric characters, '-' or '.', and must start and end with an \
                      alphanumeric character";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, \
                     '-', '_' or '.', and must start and end with an alphanumeric character";

/// The bytes that a name or a value may have.
const LONGEST: usize = 63;
/// The bytes that the prefix of a key may have.
const LONGEST_PREFIX: usize = 253;

/// `[prefix/]name`: a name, and a DNS subdomain (RFC 1123) before it.
pub(super) fn key(key: &str) -> Result<(), String> {
    let refuse = |reason: &str| Err(format!("key: Invalid value: {key:?}: {reason}"));
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => {
            return refuse(
                "a valid label key must be a name with an optional DNS subdomain prefix and '/' \
                 (e.g. 'example.com/MyName')",
            );
        }
        Some(("", _)) => return refuse("prefix part must be non-empty"),
        Some((prefix, _)) if prefix.len() > LONGEST_PREFIX => {
            return refuse("prefix part must be no more than 253 bytes");
        }
        Some((prefix, _)) if !is_subdomain(prefix) => return refuse(PREFIX),
        Some((_, name)) => name,
    };
    if name.is_empty() {
        refuse("name part must be non-empty")
    } else if name.len() > LONGEST {
        refuse("name part must be no more than 63 bytes")
    } else if is_name(name) {
        Ok(())
    } else {
        refuse(KEY)
    }
}

/// Values are names, or empty.
pub(super) fn values(key: &str, values: &[String]) -> Result<(), String> {
    for (i, value) in values.iter().enumerate() {
        let reason = if value.len() > LONGEST {
            "must be no more than 63 bytes"
        } else if !value.is_empty() && !is_name(value) {
            VALUE
        } else {
            continue;
        };
        return Err(format!("values[{i}][{key}]: Invalid value: {value:?}: {reason}"));
    }
    Ok(())
}

/// What `>` and `<` compare with.
pub(super) fn integer(values: &[String]) -> Result<(), String> {
    match values.iter().find(|value| value.parse::<i64>().is_err()) {
        Some(value) => Err(format!(
            "values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an \
             integer"
        )),
        None => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_subdomain(name: &str) -> bool {
    let is_alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.split('.').all(|label| {
        let label = label.as_bytes();
        label.first().is_some_and(is_alphanumeric)
            && label.last().is_some_and(is_alphanumeric)
            && label.iter().all(|b| is_alphanumeric(b) || *b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_kubernetes() {
        let longest = [format!("{}/b", "a".repeat(253)), "a".repeat(63)];
        for good in
            ["a", "A.b_c-1", "example.com/A", "a-b.c/d", longest[0].as_str(), longest[1].as_str()]
        {
            assert_eq!(key(good), Ok(()));
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a b",
            "é",
            "/a",
            "a/",
            "a/b/c",
            "A.com/b",
            "a..b/c",
            "-a.b/c",
            &"a".repeat(64),
            &format!("{}/b", "a".repeat(254)),
        ] {
            assert!(key(bad).is_err(), "{bad:?}");
        }
        let error = key("a/b/c").unwrap_err();
        assert!(error.contains("must be a name with an optional DNS subdomain"), "{error}");
    }

    #[test]
    fn values_follow_kubernetes() {
        let check = |value: &str| values("k", &[value.to_owned()]);
        for good in ["", "a.B_c-1", &"a".repeat(63)] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["-", ".a", "a_", "a/b", "é", &"a".repeat(64)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(integer(&["5".to_owned()]).is_ok() && integer(&[String::new()]).is_err());
    }
}
