//! Paths as Go's packages `path` and `path/filepath` clean them.

use std::path::{Component, Path, PathBuf};

/// Go's `path.Clean`: no empty and no `.` elements, no `..` that an element
/// before it answers.
#[must_use]
pub fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                _ if rooted => {}
                _ => kept.push(".."),
            },
            element => kept.push(element),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

/// A path without `.` and `..` as far as that can be known from its text, as
/// Go's `filepath.Clean` has it, but empty where that is `.`.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => {
                    normal.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => normal.push(".."),
            },
            component => normal.push(component),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (path, want) in [
            ("a//b/", "a/b"),
            ("a/./b", "a/b"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("/..", "/"),
            ("a/..", "."),
            ("/", "/"),
        ] {
            assert_eq!(clean_path(path), want, "{path}");
        }
    }

    #[test]
    fn normal_paths() {
        for (path, want) in [
            ("/a/./b/../c", "/a/c"),
            ("a/../../b", "../b"),
            ("../../x", "../../x"),
            ("/..", "/"),
            ("./", ""),
        ] {
            assert_eq!(normal(Path::new(path)), PathBuf::from(want), "{path}");
        }
    }
}
