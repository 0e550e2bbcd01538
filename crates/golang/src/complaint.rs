//! Recognizes what `go` says where its own words do not tell the way out.

/// What `go` says, all parts of it, and what a user can do about it.
const KNOWN: [(&[&str], &str); 6] = [
    (
        &["requires go >= "],
        "install that release of Go; with GOTOOLCHAIN=auto, go fetches it by itself",
    ),
    (
        &["toolchain not available"],
        "go.mod, go.work or GOTOOLCHAIN want a release of Go that cannot be fetched: name one \
         that there is",
    ),
    (
        &["build constraints exclude all Go files"],
        "these files are for other platforms, or import \"C\": CGO_ENABLED=1 builds those \
         (docs/guide/cgo.md)",
    ),
    (
        &["C compiler ", " not found"],
        "install a C compiler, or name one for the platform in CC (docs/guide/cgo.md); with \
         CGO_ENABLED=0, none is needed",
    ),
    (
        &["# runtime/cgo"],
        "CC has to name a C compiler for this platform (docs/guide/cgo.md); with CGO_ENABLED=0, \
         none is needed",
    ),
    (
        &["dial tcp", ": Get \"https://"],
        "modules come from GOPROXY: check the network, or name another proxy; `go mod vendor` \
         keeps them beside the code",
    ),
];

/// What a user can do about what `go` says.
pub(crate) fn hint(said: &str) -> Option<&'static str> {
    let says = |(parts, _): &&(&[&str], &str)| parts.iter().all(|part| said.contains(part));
    KNOWN.iter().find(says).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn the_way_out_is_told() {
        for (said, want) in [
            (
                "go: go.mod requires go >= 1.99 (running go 1.26.1; GOTOOLCHAIN=local)",
                "GOTOOLCHAIN=auto",
            ),
            ("go: download go1.99 for linux/amd64: toolchain not available", "name one"),
            (
                "package e.com/a\n\timports e.com/b: build constraints exclude all Go files in /b",
                "CGO_ENABLED=1",
            ),
            (
                "cgo: C compiler \"gcc\" not found: exec: \"gcc\": not found in $PATH",
                "install a C compiler",
            ),
            ("# runtime/cgo\ngcc: error: unrecognized option '-m64'", "CC has to name"),
            (
                "go: e.com/b@v1.0.0: Get \"https://proxy.example.com/e.com/b\": dial tcp: lookup",
                "go mod vendor",
            ),
        ] {
            assert!(hint(said).unwrap_or_default().contains(want), "{said}");
        }
        assert_eq!(hint("./main.go:3:1: undefined: x"), None);
    }
}
