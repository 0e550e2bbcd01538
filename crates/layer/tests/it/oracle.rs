//! Programs in Go that read layers out there: the reference implementation of
//! eStargz, and the gzip and zstd that container engines use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;

/// An entry as the program has read it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    pub(crate) name: String,
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) mode: u32,
    #[serde(rename = "UID")]
    pub(crate) uid: u32,
    #[serde(rename = "GID")]
    pub(crate) gid: u32,
    pub(crate) modified: i64,
    pub(crate) size: u64,
    /// Where the content begins in the blob.
    pub(crate) offset: u64,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) xattrs: BTreeMap<String, String>,
    /// The digest of the content.
    pub(crate) digest: String,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

fn oracle() -> &'static Path {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    ORACLE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let program = dir.join("estargz-oracle");
        let built_as = dir.join(format!("estargz-oracle-{}", std::process::id()));
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&built_as)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/estargz"))
            .envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOWORK", "off")])
            .env_remove("GO111MODULE")
            .status()
            .expect("go is installed");
        assert!(built.success());
        std::fs::rename(built_as, &program).unwrap();
        program
    })
}

fn ask(args: &[&str]) -> Result<Vec<Entry>, String> {
    let output = Command::new(oracle()).args(args).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    Ok(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Verifies an eStargz layer against the digest of its table, and reads it.
pub(crate) fn estargz(blob: &[u8], toc_digest: &str) -> Result<Vec<Entry>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), blob).unwrap();
    ask(&["estargz", file.path().to_str().unwrap(), toc_digest])
}

/// Reads a tar that is compressed with `gzip`, `zstd` or `none`: its digest
/// and its entries.
pub(crate) fn tar(method: &str, blob: &Path) -> (String, Vec<Entry>) {
    let mut entries = ask(&[method, blob.to_str().unwrap()]).unwrap();
    let whole = entries.pop().unwrap();
    (whole.digest, entries)
}
