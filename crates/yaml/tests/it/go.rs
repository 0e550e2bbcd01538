//! ko 0.19.1 itself, asked through a small program that is compiled once; and
//! Go modules from the module proxy.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

/// The version that everything here is compared with.
const KO: &str = "github.com/google/ko/pkg/resolve@v0.19.1";

/// What is asked: files, what was made of each, and of all of them together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) selector: Option<String>,
    pub(crate) stream: String,
}

/// What ko makes of a case.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) references: Vec<Vec<String>>,
    pub(crate) difference: Option<String>,
}

/// The image of a reference, as the program computes it: FNV-1a.
pub(crate) fn image(reference: &str) -> String {
    let hash = reference.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut image = String::from("registry.example.com/r");
    write!(image, "{hash:016x}:v1").unwrap();
    image
}

/// Go, with nothing of the surroundings but the module proxy.
fn go() -> Command {
    let mut command = Command::new("go");
    command
        .envs([("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOWORK", "off")])
        .env_remove("GO111MODULE");
    command
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("these tests need Go");
    assert!(
        output.status.success(),
        "{command:?} failed; these tests need Go and the Go module proxy:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The directory of a module, downloaded if the module cache has it not.
pub(crate) fn module(module: &str) -> PathBuf {
    let directory = tempfile::tempdir().unwrap();
    let json = run(go().args(["mod", "download", "-json", module]).current_dir(directory.path()));
    let answer: Value = serde_json::from_slice(&json).unwrap();
    PathBuf::from(answer["Dir"].as_str().unwrap())
}

fn oracle() -> &'static Path {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    ORACLE.get_or_init(|| {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let main = include_str!("oracle.go");
        std::fs::write(directory.path().join("main.go"), main).unwrap();
        std::fs::write(directory.path().join("go.mod"), "module oracle\n\ngo 1.25.0\n").unwrap();
        run(go().args(["get", KO]).current_dir(directory.path()));
        run(go().args(["build", "-mod=mod", "-o", "oracle", "."]).current_dir(directory.path()));
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("yaml-oracle");
        std::fs::rename(directory.path().join("oracle"), &program).unwrap();
        program
    })
}

/// Asks about all cases in one process.
pub(crate) fn ask(cases: &[Case]) -> Vec<Answer> {
    let mut child =
        Command::new(oracle()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                let files: Vec<Value> = case
                    .files
                    .iter()
                    .map(|(text, ours)| json!({"Text": text, "Ours": ours}))
                    .collect();
                let request =
                    json!({"Files": files, "Selector": case.selector, "Stream": case.stream});
                // In one piece: serde writes each character of its own.
                stdin.write_all(format!("{request}\n").as_bytes()).unwrap();
            }
        });
        stdout.lines().map(|line| answer(&line.unwrap())).collect::<Vec<_>>()
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), cases.len());
    answers
}

fn answer(line: &str) -> Answer {
    let value: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let references = value["Refs"].as_array().into_iter().flatten();
    Answer {
        error: text("Error"),
        difference: text("Diff"),
        references: references.map(|refs| serde_json::from_value(refs.clone()).unwrap()).collect(),
    }
}
