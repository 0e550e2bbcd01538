//! Compares directories as configurations name them: by their parts, without looking
//! at the disk.

/// A path below the working directory without `.` and `..`, empty for that itself.
/// `None` if it leads out.
pub(super) fn clean(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// One path below another.
pub(super) fn join(dir: &str, path: &str) -> String {
    format!("{dir}/{path}").trim_start_matches('/').to_owned()
}

/// A clean path as go takes it: `./cmd/web`.
pub(super) fn dotted(path: &str) -> String {
    if path.is_empty() { ".".to_owned() } else { format!("./{path}") }
}

/// What is left of a clean path below another.
pub(super) fn below<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    if dir.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(dir)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_their_parts() {
        for (path, want) in [
            ("", Some("")),
            (".", Some("")),
            ("./cmd/web/", Some("cmd/web")),
            ("cmd//./web", Some("cmd/web")),
            ("cmd/../web", Some("web")),
            ("..", None),
            ("a/../../b", None),
            ("/abs", None),
        ] {
            assert_eq!(clean(path).as_deref(), want, "{path}");
        }
        assert_eq!(below("cmd/web", "cmd"), Some("web"));
        assert_eq!(below("cmd", "cmd"), Some(""));
        assert_eq!(below("cmdline/web", "cmd"), None);
        assert_eq!(below("cmd", ""), Some("cmd"));
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("a", "./b"), "a/./b");
        assert_eq!([dotted(""), dotted("a/b")], [".", "./a/b"]);
    }
}
