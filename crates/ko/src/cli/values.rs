//! Knows the values of those flags that take one of a few, for completion and for
//! errors.

use engine::COMMON_PLATFORMS;

/// The values of a flag of a command, by its long name; none where any text may be one.
pub(crate) fn values(command: &str, long: &str) -> &'static [&'static str] {
    match long {
        "check-libs" => &["error", "off", "warn"],
        "compression" => &["estargz", "gzip", "none", "zstd"],
        "compression-level" => &["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        "output" if command == "build" => &["json", "ndjson", "text"],
        "output" => &["json", "text"],
        "platform" => &COMMON_PLATFORMS,
        "progress" => &["auto", "json", "live", "plain", "quiet"],
        "sbom" => &["cyclonedx", "none", "spdx"],
        "sign-format" => &["bundle", "legacy"],
        "sbom-attach" => &["attestation", "both", "none", "referrers", "tag"],
        _ => &[],
    }
}
