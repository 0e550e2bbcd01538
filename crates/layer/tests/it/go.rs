//! Go itself, asked through a small program that is compiled once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

/// An entry as both sides understand it.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) dir: bool,
    pub(crate) size: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) pax: Vec<(String, Vec<u8>)>,
}

impl GoEntry {
    fn json(&self) -> Value {
        let pax: serde_json::Map<_, _> =
            self.pax.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        json!({
            "Name": self.name, "Dir": self.dir, "Size": self.size, "Body": self.body,
            "Mode": self.mode, "UID": self.uid, "GID": self.gid, "Mtime": self.mtime,
            "Pax": pax,
        })
    }

    /// The same as an entry of ours. The file is never opened.
    pub(crate) fn ours(&self) -> ko_layer::Entry {
        let entry = match (self.dir, self.body.is_empty()) {
            (true, _) => ko_layer::Entry::directory(self.name.clone()),
            (false, true) => ko_layer::Entry::file(self.name.clone(), "unused", self.size),
            (false, false) => ko_layer::Entry::bytes(self.name.clone(), self.body.clone()),
        };
        let entry = entry.mode(self.mode).owner(self.uid, self.gid).mtime(self.mtime);
        self.pax.iter().fold(entry, |entry, (key, value)| entry.pax(key, value.clone()))
    }
}

fn oracle() -> &'static Path {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    ORACLE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let program = dir.join("layer-oracle");
        let built_as = dir.join(format!("layer-oracle-{}", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle.go");
        let built = Command::new("go")
            .args(["build", "-o"])
            .args([&built_as, &source])
            .current_dir(dir)
            .envs([("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "")])
            .envs([("GOPROXY", "off"), ("GOWORK", "off")])
            .env_remove("GO111MODULE")
            .status()
            .expect("go is installed");
        assert!(built.success());
        std::fs::rename(built_as, &program).unwrap();
        program
    })
}

fn ask(args: &[&str], input: &[u8]) -> Result<String, String> {
    let mut child = Command::new(oracle())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn unhex(value: &Value) -> Vec<u8> {
    let hex = value.as_str().unwrap().as_bytes();
    hex.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The header blocks that Go writes for each entry; `None` where it refuses.
pub(crate) fn headers(entries: &[GoEntry]) -> Vec<Option<Vec<u8>>> {
    let request = json!({ "Headers": entries.iter().map(GoEntry::json).collect::<Vec<_>>() });
    let answer = ask(&["tar"], request.to_string().as_bytes()).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let headers = answer["Headers"].as_array().unwrap();
    headers.iter().map(|hex| Some(unhex(hex)).filter(|blocks| !blocks.is_empty())).collect()
}

/// The archive that Go writes.
pub(crate) fn archive(entries: &[GoEntry]) -> Vec<u8> {
    let request = json!({ "Archive": entries.iter().map(GoEntry::json).collect::<Vec<_>>() });
    let answer = ask(&["tar"], request.to_string().as_bytes()).unwrap();
    unhex(&serde_json::from_str::<Value>(&answer).unwrap()["Archive"])
}

/// The digest of what a gzip file of one member holds.
pub(crate) fn gunzip(path: &Path) -> Result<String, String> {
    ask(&["gunzip", path.to_str().unwrap()], b"").map(|digest| digest.trim_end().to_owned())
}
