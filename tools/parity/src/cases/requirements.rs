//! Modules that require others, which a module cache in the working directory
//! has: no test needs a network.

use super::modules::write;
use std::path::Path;

/// A module of the cache: path, path with its capitals escaped, version, and
/// the sums of its files and of its `go.mod`.
const MODULES: [[&str; 5]; 4] = [
    [
        "example.com/dep",
        "example.com/dep",
        "v1.0.0",
        "ZVUvjpl84O6Mg7ZMWKVic3t51vbQ1/pk1RmmPqJoPTI=",
        "mhh2qvuaNXbD3WzHShoyLc7Bf3qxrveNlTFLAYg2RJ8=",
    ],
    [
        "example.com/Upper/Case",
        "example.com/!upper/!case",
        "v1.2.3-0.20240102030405-abcdefabcdef",
        "0Qq5geYp2ke1eugsSkO352z55s9bqOdmP7ASh5oTB6Q=",
        "DjviWQdA2HYqUU9WNGCkGkMCPn+Mu55whPmK1oODnTs=",
    ],
    [
        "example.com/old",
        "example.com/old",
        "v2.0.0+incompatible",
        "sKxRzkYSdaKxIB45q3jjXPaGWfT092jMwXHtx3OhhjE=",
        "nndUtwJSGih0FBv0Tc1KYXyyCQK6J1GXLlqJ3TN3tjg=",
    ],
    [
        "example.com/fork",
        "example.com/fork",
        "v1.5.0",
        "2Qq5geYp2ke1eugsSkO352z55s9bqOdmP7ASh5oTB6Q=",
        "aG2jRfEBH3QHSWTujiw8F39Kh20e41Pc3o3MMI2tf+0=",
    ],
];

/// What is in each of them.
const SOURCE: &str = "package source\n\n// Text is said.\nconst Text = \"said\"\n";

/// Where the cache is: the value of `GOMODCACHE`.
pub(super) const CACHE: &str = "{work}/mod";

/// `cmd/web` with three modules of unusual versions and names.
pub(super) fn required(dir: &Path) {
    cache(dir);
    main(dir, &["dep", "Upper/Case", "old"]);
    go_mod(dir, &MODULES[..3], "");
    write(dir, "cmd/worker/main.go", "package main\n\nfunc main() {}\n");
}

/// A module that is replaced, at the version that is required, by another.
pub(super) fn forked(dir: &Path) {
    cache(dir);
    main(dir, &["dep", "old"]);
    let fork = "\nreplace example.com/dep v1.0.0 => example.com/fork v1.5.0\n";
    go_mod(dir, &[MODULES[0], MODULES[2]], fork);
}

/// A module that is replaced by a directory, whatever its version.
pub(super) fn replaced(dir: &Path) {
    cache(dir);
    main(dir, &["dep", "old"]);
    go_mod(dir, &[MODULES[0], MODULES[2]], "\nreplace example.com/dep => ./forks/dep\n");
    write(dir, "forks/dep/go.mod", "module example.com/dep\n");
    write(dir, "forks/dep/dep.go", SOURCE);
}

/// [`required`], with the sources of the modules beside it.
pub(super) fn vendored(dir: &Path) {
    required(dir);
    std::fs::remove_dir_all(dir.join("mod")).expect("the directory is ours");
    let mut list = String::new();
    for [path, _, version, ..] in &MODULES[..3] {
        write(dir, &format!("vendor/{path}/source.go"), SOURCE);
        list.push_str(&format!("# {path} {version}\n## explicit\n{path}\n"));
    }
    write(dir, "vendor/modules.txt", &list);
}

fn main(dir: &Path, imports: &[&str]) {
    let mut text = "package main\n\nimport (\n".to_owned();
    let mut printed = Vec::new();
    for (number, path) in imports.iter().enumerate() {
        text.push_str(&format!("\tp{number} \"example.com/{path}\"\n"));
        printed.push(format!("p{number}.Text"));
    }
    text.push_str(&format!(")\n\nfunc main() {{\n\tprintln({})\n}}\n", printed.join(", ")));
    write(dir, "cmd/web/main.go", &text);
}

fn go_mod(dir: &Path, modules: &[[&str; 5]], rest: &str) {
    let mut text = "module example.com/app\n\ngo 1.21\n\nrequire (\n".to_owned();
    for [path, _, version, ..] in modules {
        text.push_str(&format!("\t{path} {version}\n"));
    }
    write(dir, "go.mod", &format!("{text})\n{rest}"));
    let mut sums = String::new();
    for [path, _, version, files, go_mod] in MODULES {
        sums.push_str(&format!("{path} {version} h1:{files}\n"));
        sums.push_str(&format!("{path} {version}/go.mod h1:{go_mod}\n"));
    }
    write(dir, "go.sum", &sums);
}

/// Writes the cache as `go mod download` would, but for the archives. go makes
/// the locks when it wants them; they are no results.
fn cache(dir: &Path) {
    write(dir, "mod/cache/lock", "");
    for [path, escaped, version, files, _] in MODULES {
        let go_mod = format!("module {path}\n");
        let unpacked = format!("mod/{escaped}@{version}");
        write(dir, &format!("{unpacked}/source.go"), SOURCE);
        if !version.ends_with("+incompatible") {
            write(dir, &format!("{unpacked}/go.mod"), &go_mod);
        }
        let downloaded = format!("mod/cache/download/{escaped}/@v/{version}");
        write(dir, &format!("{downloaded}.mod"), &go_mod);
        // With a time, since Go 1.27 writes one into it that has none.
        let info = format!("{{\"Version\":\"{version}\",\"Time\":\"0001-01-01T00:00:00Z\"}}");
        write(dir, &format!("{downloaded}.info"), &info);
        write(dir, &format!("{downloaded}.ziphash"), &format!("h1:{files}"));
        write(dir, &format!("{downloaded}.lock"), "");
    }
}
