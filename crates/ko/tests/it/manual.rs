//! The commands of the documentation do what it says: each block of README, the guides
//! and the other pages is run by a shell, unless a comment above it says why it cannot be
//! (`<!-- not run: it needs Docker -->`).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use testkit::base::{Image, Index};
use testkit::module::Module;
use testkit::registry::TestRegistry;
use testkit::sandbox::{Output, Sandbox};

use crate::kubectl::path_with;
use crate::spy::write_executable;

/// A block of commands.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// The line that it begins on, from 1.
    line: usize,
    script: String,
    /// Why it is not run.
    reason: Option<String>,
}

/// The blocks of a page: of `sh`, and of `console` what stands behind its `$`.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut reason, mut lines) = (None, page.lines().enumerate());
    while let Some((at, line)) = lines.next() {
        let kind = line.strip_prefix("```");
        if let Some(kind) = kind {
            let body: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let script = match kind {
                "sh" => body.join("\n"),
                "console" => {
                    let typed = body.iter().filter_map(|line| line.strip_prefix("$ "));
                    typed.collect::<Vec<_>>().join("\n")
                }
                _ => continue,
            };
            blocks.push(Block { line: at + 1, script, reason: reason.take() });
        } else {
            let said = line.strip_prefix("<!-- not run: ").and_then(|it| it.strip_suffix(" -->"));
            reason = said.map(str::to_owned);
        }
    }
    blocks
}

/// All pages with commands, by their names from the root of the repository.
fn pages() -> Vec<(String, Vec<Block>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names: Vec<String> =
        ["README.md", "docs/start.md", "docs/coming-from-ko.md"].map(str::to_owned).to_vec();
    for dir in ["docs/guide", "docs/concepts", "docs/reference"] {
        let entries = fs::read_dir(root.join(dir)).unwrap();
        let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let pages = files.filter(|name| name.ends_with(".md"));
        names.extend(pages.map(|name| format!("{dir}/{name}")));
    }
    names.sort();
    let read = |name: String| {
        let blocks = blocks(&fs::read_to_string(root.join(&name)).unwrap());
        (name, blocks)
    };
    names.into_iter().map(read).filter(|(_, blocks)| !blocks.is_empty()).collect()
}

/// A shell in a project such as the pages are about: programs, manifests, a release, and a
/// registry in the place of theirs.
struct Reader {
    registry: TestRegistry,
    sandbox: Sandbox,
}

impl Reader {
    fn new() -> Self {
        let registry = TestRegistry::start();
        let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
        base.build().push(&registry, "base", "latest");
        let mut sandbox = Sandbox::new("bash");
        let bin = sandbox.root().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(PathBuf::from(env!("CARGO_BIN_EXE_ko")), bin.join("ko")).unwrap();
        write_executable(&bin.join("kubectl"), "#!/bin/sh\nexec cat >/dev/null\n");
        sandbox.set("PATH", path_with(&bin));
        sandbox.set("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
        sandbox.set("KO_DOCKER_REPO", format!("{}/team", registry.host()));
        for role in ["AUTHOR", "COMMITTER"] {
            sandbox.set(format!("GIT_{role}_NAME"), "n");
            sandbox.set(format!("GIT_{role}_EMAIL"), "n@example.com");
        }
        let manifest = "image: ko://example.com/app/cmd/app\n";
        let _ = Module::new(sandbox.work(), "example.com/app")
            .main(".")
            .main("cmd/app")
            .main("cmd/worker")
            .main("cmd/tool")
            .file("config/app.yaml", manifest)
            .file("config/job.yaml", manifest);
        let reader = Self { registry, sandbox };
        let begin = "git init -q\ngit add -A\ngit commit -qm first\ngit tag v1.2.3";
        let _ = reader.types(begin).success();
        reader
    }

    /// Types commands as a reader would who has that registry; what fails ends it.
    fn types(&self, script: &str) -> Output {
        let script = script.replace("registry.example.com", self.registry.host());
        let script = script.replace("/tmp/", &format!("{}/", self.sandbox.tmp().display()));
        self.sandbox.run(["-euo", "pipefail", "-c", &script]).output()
    }
}

#[test]
fn every_command_can_be_typed() {
    let mut failed = String::new();
    for (name, blocks) in pages() {
        // One reader types all of a page.
        let mut script = String::new();
        for Block { line, script: block, .. } in blocks.iter().filter(|it| it.reason.is_none()) {
            script += &format!("echo 'at {name}:{line}' >&2\n{block}\n");
        }
        let output = Reader::new().types(&script);
        if output.code != Some(0) {
            failed += &format!("{}\n", output.stderr);
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// Pipelines of others are not run here, but they can be read.
#[test]
fn every_block_of_yaml_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, _) in pages() {
        let page = fs::read_to_string(root.join(&name)).unwrap();
        for block in page.split("\n```yaml\n").skip(1) {
            let block = block.split("\n```").next().unwrap_or_default();
            let mut parser = granit_parser::Parser::new_from_str(block);
            let wrong = std::iter::from_fn(|| parser.next_event()).find_map(Result::err);
            assert!(wrong.is_none(), "{name}: {wrong:?} in\n{block}");
        }
    }
}

#[test]
fn most_commands_are_run() {
    let all: Vec<Block> = pages().into_iter().flat_map(|(_, blocks)| blocks).collect();
    let run = all.iter().filter(|block| block.reason.is_none()).count();
    assert!(run * 2 > all.len(), "{run} of {}", all.len());
}

#[test]
fn blocks_are_found() {
    let page = "\n```yaml\na: b\n```\n<!-- not run: it is far -->\n```sh\ngo\nhome\n```\n\
                ```console\n$ ko\nhelp\n$ ko x\n```\n";
    let block = |line, script: &str, reason: Option<&str>| Block {
        line,
        script: script.to_owned(),
        reason: reason.map(str::to_owned),
    };
    let want = [block(6, "go\nhome", Some("it is far")), block(10, "ko\nko x", None)];
    assert_eq!(blocks(page), want);
}
