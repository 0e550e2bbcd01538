//! Patterns for names of cases.

/// Whether `name` matches `pattern`, in which `*` stands for any text and `?`
/// for any one character.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            name.char_indices().any(|(at, _)| matches(rest, &name[at..])) || matches(rest, "")
        }
        Some(first) => {
            let mut name = name.chars();
            let next = name.next();
            next.is_some_and(|next| first == '?' || first == next)
                && matches(rest.as_str(), name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn table() {
        for (pattern, name, want) in [
            ("kodata/none", "kodata/none", true),
            ("kodata/none", "kodata/nones", false),
            ("kodata/*", "kodata/none", true),
            ("*", "", true),
            ("*none*", "kodata/none", true),
            ("*/n?ne", "kodata/none", true),
            ("?", "", false),
            ("*x", "kodata/none", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
