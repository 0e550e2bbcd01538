//! Finds out who may open a socket, on systems where files have groups.

use std::path::Path;

/// The group of a file, by name.
#[cfg(unix)]
pub(super) fn group_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let gid = std::fs::metadata(path).ok()?.gid();
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    name_of(&groups, gid)
}

/// Elsewhere files have none.
#[cfg(not(unix))]
pub(super) fn group_of(_: &Path) -> Option<String> {
    None
}

/// The name of a group in `/etc/group` (`group(5)`).
#[cfg(unix)]
fn name_of(groups: &str, gid: u32) -> Option<String> {
    let gid = gid.to_string();
    let line = groups.lines().find(|line| line.split(':').nth(2) == Some(&gid))?;
    line.split(':').next().map(str::to_owned)
}

#[cfg(all(test, unix))]
mod tests {
    use super::name_of;

    #[test]
    fn groups_have_names() {
        let groups = "root:x:0:\ndocker:x:998:me\n";
        assert_eq!(name_of(groups, 998).as_deref(), Some("docker"));
        assert_eq!(name_of(groups, 98), None);
    }
}
