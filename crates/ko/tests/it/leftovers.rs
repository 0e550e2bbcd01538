//! What a command must not leave behind, however it ended.

use std::fs;
use std::path::Path;
use testkit::sandbox::Sandbox;

/// Looks for temporary files in the sandbox and in further directories, and
/// for processes that were started in it.
pub(crate) fn assert_none(sandbox: &Sandbox, more: &[&Path]) {
    let mut found = Vec::new();
    for dir in [sandbox.tmp(), sandbox.kocache().join("v1/tmp")] {
        found.extend(entries(&dir));
    }
    let temporary = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.starts_with(".ko-") || name.starts_with(".tmp") || name.starts_with("go-build")
    };
    let mut all = Vec::new();
    walk(&sandbox.kocache(), &mut all);
    for dir in more {
        walk(dir, &mut all);
    }
    found.extend(all.into_iter().filter(temporary));
    assert_eq!(found, Vec::<String>::new(), "temporary files stayed behind");
    assert_eq!(processes(sandbox.root()), Vec::<String>::new(), "processes stayed behind");
}

fn entries(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
}

fn walk(dir: &Path, found: &mut Vec<String>) {
    for path in entries(dir) {
        if Path::new(&path).symlink_metadata().is_ok_and(|found| found.is_dir()) {
            walk(Path::new(&path), found);
        }
        found.push(path);
    }
}

/// The command lines of processes whose environment names the directory.
fn processes(root: &Path) -> Vec<String> {
    let root = root.as_os_str().as_encoded_bytes();
    let names_root = |bytes: &[u8]| bytes.windows(root.len()).any(|window| window == root);
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let Ok(environment) = fs::read(process.join("environ")) else { continue };
        if names_root(&environment) {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}
