//! Finds the conventional directories of the operating system.

use std::path::PathBuf;

/// The user's home.
pub(crate) fn home_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
}

/// Where caches are kept: as Go's `os.UserCacheDir`.
pub(crate) fn cache_dir(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        let named = variable("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
        named.or_else(|| variable("HOME").map(|home| home.join(".cache")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_follow_the_variables() {
        let variable = |name: &str| match name {
            "HOME" | "USERPROFILE" => Some(PathBuf::from("/home/u")),
            _ => None,
        };
        assert_eq!(home_dir(variable), Some(PathBuf::from("/home/u")));
        if cfg!(target_os = "linux") {
            assert_eq!(cache_dir(variable), Some(PathBuf::from("/home/u/.cache")));
            let relative = |_: &str| Some(PathBuf::from("x"));
            assert_eq!(cache_dir(relative), Some(PathBuf::from("x/.cache")));
        }
    }
}
