//! Names the platform of this machine in Go's words.

/// The architecture that this program was compiled for, which we take for that
/// of the machine.
pub(crate) const HOST_ARCHITECTURE: &str = go_architecture(std::env::consts::ARCH);

/// Rust's word for an architecture in Go's.
const fn go_architecture(rust: &'static str) -> &'static str {
    match rust.as_bytes() {
        b"x86_64" => "amd64",
        b"x86" => "386",
        b"aarch64" => "arm64",
        b"powerpc64" => "ppc64le",
        b"loongarch64" => "loong64",
        _ => rust,
    }
}
