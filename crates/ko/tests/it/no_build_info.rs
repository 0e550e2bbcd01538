//! Programs that say nothing about themselves: packed, or not made by Go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use testkit::registry::Class;

use crate::fixture::Fixture;

/// A go that does something to each program that it has built: `$program`.
fn go_that_also(fixture: &Fixture, does: &str) -> PathBuf {
    let path = fixture.sandbox.root().join("go");
    let script = format!(
        "#!/bin/sh\ngo \"$@\" || exit\n[ \"$1\" = build ] || exit 0\n\
         while [ \"$1\" != -o ]; do shift; done\n\
         program=$2; [ -d \"$program\" ] && program=$program/app\n{does}\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn no_sbom_can_be_made_of_them() {
    for (does, problem) in [
        ("printf '#!/bin/sh\\n' > \"$program\"", "not an executable of ELF, Mach-O or PE"),
        (": > \"$program\"", "not an executable of ELF, Mach-O or PE"),
        // As a packer leaves it: the same headers, and nothing of Go's in
        // what is loaded.
        (
            "sed -i 's/ Go buildinf:/ No buildinf:/g' \"$program\"",
            "there is none: not made by Go, or packed",
        ),
        ("truncate -s 4096 \"$program\"", ""),
    ] {
        let fixture = Fixture::new();
        let go = go_that_also(&fixture, does);
        let run = fixture.build("--bare").env("KO_GO_PATH", &go);
        let output = run.output().failure(1);
        let (message, hint) = output.stderr.split_once("\nhint: ").unwrap_or_else(|| {
            panic!("{does}: {}", output.stderr);
        });
        assert!(message.contains("linux/amd64: SBOM: reading the build info of "), "{message}");
        assert!(message.ends_with(problem), "{message}");
        assert_eq!(hint, "--sbom=none builds images without an SBOM\n");
        assert!(fixture.registry.requests_of(Class::ManifestPut).is_empty());
        // To whom it does not matter, such a program is as good as another.
        let run = fixture.build("--bare --sbom=none").env("KO_GO_PATH", &go);
        // Go does not write over a file that is not its own.
        let cache = fixture.sandbox.root().join("another cache");
        let _ = run.env("KOCACHE", cache).output().success();
    }
}
