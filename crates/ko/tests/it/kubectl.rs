//! The commands that run kubectl, with one that writes down what it gets: its
//! arguments, input, variables and signals.

use rustix::process::Signal;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use testkit::registry::Class;
use testkit::sandbox::Sandbox;
use testkit::service::wait_for;

use crate::errors::interrupt::{endless_compiler, interrupt, started};
use crate::fixture::{Fixture, module};
use crate::leftovers;
use crate::services;
use crate::spy::write_executable;

const POD: &str = "\
# a comment that stays
image: ko://example.com/app
";

/// Reads all of the input, whatever signals come, and ends well.
const PATIENT: &str = "exec 3<&0\ncat <&3 >stdin &\nwhile ! wait $!; do :; done";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().file("config/pod.yaml", POD);
    fixture
}

/// A kubectl that writes down what it gets.
struct Kubectl {
    dir: PathBuf,
}

impl Kubectl {
    /// One that reads what it is told to read, and ends with a status.
    fn new(sandbox: &Sandbox, status: u8) -> Self {
        let lines = format!("case \"$*\" in *'-f -'*) cat >stdin ;; esac\nexit {status}");
        Self::with_script(sandbox, &lines)
    }

    /// One that does this, in the directory of what is written down.
    fn with_script(sandbox: &Sandbox, lines: &str) -> Self {
        let dir = sandbox.root().join("kubectl");
        fs::create_dir(&dir).unwrap();
        let script = format!(
            "#!/bin/sh\ncd '{}'\necho \"$*\" >argv\nenv >env\n\
             trap 'echo SIGINT >>signals' INT\ntrap 'echo SIGTERM >>signals' TERM\n\
             : >started\n{lines}\n",
            dir.display()
        );
        write_executable(&dir.join("kubectl"), &script);
        Self { dir }
    }

    fn path(&self) -> String {
        path_with(&self.dir)
    }

    fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    /// Whether it reads its input: then whoever reads for it hears no signal any more.
    fn reads(&self) -> bool {
        fs::metadata(self.dir.join("stdin")).is_ok_and(|stdin| stdin.len() > 0)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// What it got after the documents that wake it up.
    fn manifests(&self) -> String {
        let stdin = self.read("stdin");
        stdin.strip_prefix(&"---\n".repeat(1000)).unwrap().to_owned()
    }
}

/// This machine's PATH, after another directory.
pub(crate) fn path_with(dir: &Path) -> String {
    #[allow(clippy::disallowed_methods, reason = "the real go is in it")]
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", dir.display())
}

#[test]
fn apply_streams_to_kubectl() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture.sandbox, 0);
    let words = ["apply", "-f", "config", "pos", "--", "--namespace=dev"];
    let _ = fixture.sandbox.run(words).env("PATH", kubectl.path()).output().success();
    assert_eq!(kubectl.read("argv"), "apply -f - pos --namespace=dev\n");
    let stdin = kubectl.read("stdin");
    let manifest = stdin.strip_prefix(&"---\n".repeat(1000)).unwrap();
    assert!(manifest.starts_with("# a comment that stays\n") && manifest.contains("@sha256:"));
}

#[test]
fn kubectl_s_failure_is_ours() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture.sandbox, 3);
    let run = fixture.sandbox.run(["create", "-f", "config"]).env("PATH", kubectl.path());
    let output = run.output().failure(1);
    assert!(output.stderr.ends_with("Error: error executing 'kubectl create': exit status 3\n"));
    assert_eq!(kubectl.read("argv"), "create -f -\n");
}

/// kubectl gets words that are no flags, and refuses them.
#[test]
fn files_without_a_flag_are_recognized() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture.sandbox, 1);
    for (words, hint) in [
        ("apply pod.yaml", "files are named with -f, as in `ko apply -f pod.yaml`"),
        ("create pod.yaml -- -n dev", "files are named with -f, as in `ko create -f pod.yaml`"),
        ("apply --recursive true", "did you mean --recursive=true?"),
    ] {
        let run = fixture.sandbox.run(words.split(' ')).env("PATH", kubectl.path());
        let output = run.output().failure(1);
        assert!(output.stderr.ends_with(&format!("\nhint: {hint}\n")), "{}", output.stderr);
    }
}

#[test]
fn a_failed_resolution_ends_kubectl_s_input() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture.sandbox, 0);
    let _ = fixture.module().file("config/z.yaml", "a: ko://example.com/none\n");
    let run = fixture.sandbox.run(["apply", "-f", "config"]).env("PATH", kubectl.path());
    let output = run.output().failure(1);
    assert!(output.stderr.contains("found strict reference but ko://example.com/none"));
    assert_eq!(kubectl.read("stdin"), "---\n".repeat(1000));
}

#[test]
fn without_kubectl() {
    let fixture = fixture();
    for command in ["apply", "create", "delete"] {
        let output =
            fixture.sandbox.run([command, "-f", "x"]).env("PATH", "/nowhere").output().failure(1);
        assert_eq!(
            output.stderr,
            format!(
                "Error: error: kubectl is not available. kubectl must be installed to use ko {command}\n\
                 hint: install it from https://kubernetes.io/docs/tasks/tools, or add its directory to PATH\n"
            )
        );
    }
}

#[test]
fn delete_hands_everything_over() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture.sandbox, 4);
    let words = ["delete", "-f", "config", "--namespace", "dev", "-l", "a=b"];
    let output = fixture.sandbox.run(words).env("PATH", kubectl.path()).output().failure(1);
    assert_eq!(output.stderr, "Error: exit status 4\n");
    assert_eq!(kubectl.read("argv"), "delete -f config --namespace dev -l a=b\n");
}

#[test]
fn run_starts_a_pod() {
    let fixture = fixture();
    let kubectl = Kubectl::new(&fixture.sandbox, 0);
    let words = ["run", ".", "--tags=v1", "--namespace", "gone", "--", "-n", "dev", "--", "--flag"];
    let output = fixture.sandbox.run(words).env("PATH", kubectl.path()).output().success();
    let argv = kubectl.read("argv");
    let words: Vec<&str> = argv.split_whitespace().collect();
    let [run, pod, image_flag, image, rest @ ..] = &words[..] else { panic!("{argv}") };
    assert_eq!((*run, *image_flag), ("run", "--image"));
    assert!(pod.starts_with("app-") && image.contains(&format!("/out/{pod}:v1@sha256:")), "{argv}");
    assert_eq!(
        rest.join(" "),
        "--attach --rm --restart=Never --log-flush-frequency=1s -n dev -- --flag"
    );
    assert!(output.stderr.contains(" Running \"ko://example.com/app\"\n"), "{}", output.stderr);

    let output = fixture.sandbox.run(["run"]).output().failure(1);
    assert!(output.stderr.contains("Error: ko run: no importpaths listed\n"), "{}", output.stderr);
    let output = fixture.sandbox.run(["run", "--push=false", "."]).output().failure(1);
    assert!(output.stderr.contains("expected first arg to be positional, got \"--push=false\""));
}

#[test]
fn variables_and_streams_are_kubectl_s() {
    let mut fixture = fixture();
    let script = "cat >stdin\necho to stdout\necho to stderr >&2";
    let kubectl = Kubectl::with_script(&fixture.sandbox, script);
    fixture.sandbox.set("KUBECONFIG", "/some/where");
    let run = fixture.sandbox.run(["apply", "-f", "config"]).env("PATH", kubectl.path());
    let output = run.output().success();
    assert_eq!(output.stdout, "to stdout\n");
    assert!(output.stderr.ends_with("to stderr\n"), "{}", output.stderr);
    assert!(kubectl.read("env").lines().any(|line| line == "KUBECONFIG=/some/where"));
}

#[test]
fn a_kubectl_that_dies_ends_the_build() {
    let fixture = fixture();
    let spy = endless_compiler(&fixture);
    // As soon as the compiler runs, which would never end.
    let script = format!(
        "while ! [ -e '{}' ]; do sleep 0.01; done\necho no more >&2\nexit 5",
        fixture.sandbox.root().join("started").display()
    );
    let kubectl = Kubectl::with_script(&fixture.sandbox, &script);
    let run = fixture.sandbox.run(["apply", "-f", "config"]);
    let run = run.env("PATH", kubectl.path()).env("KO_GO_PATH", spy.program());
    let output = run.output().failure(1);
    assert!(
        output.stderr.ends_with("no more\nError: error executing 'kubectl apply': exit status 5\n"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stdout, "");
    assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0);
    leftovers::assert_none(&fixture.sandbox, &[]);
}

#[test]
fn a_kubectl_that_is_killed_is_told_so() {
    let fixture = fixture();
    let kubectl = Kubectl::with_script(&fixture.sandbox, "cat >stdin\nkill -KILL $$");
    let run = fixture.sandbox.run(["apply", "-f", "config"]).env("PATH", kubectl.path());
    let output = run.output().failure(1);
    let last = output.stderr.lines().last().unwrap();
    assert_eq!(last, "Error: error executing 'kubectl apply': signal: killed");
}

#[test]
fn a_kubectl_that_refuses_the_stream_is_no_broken_pipe() {
    let fixture = fixture();
    // More than any pipe holds.
    let _ = fixture.module().file("config/z.yaml", format!("a: {}\n", "z".repeat(1 << 20)));
    for (status, last) in
        [(0, None), (7, Some("Error: error executing 'kubectl apply': exit status 7"))]
    {
        let script = format!("exec <&-\n: >closed\nexit {status}");
        let kubectl = Kubectl::with_script(&fixture.sandbox, &script);
        let run = fixture.sandbox.run(["apply", "-f", "config"]).env("PATH", kubectl.path());
        let output = run.output();
        match last {
            None => _ = output.success(),
            Some(last) => assert_eq!(output.failure(1).stderr.lines().last(), Some(last)),
        }
        assert!(kubectl.has("closed"));
        fs::remove_dir_all(&kubectl.dir).unwrap();
    }
}

#[test]
fn a_signal_while_building_is_kubectl_s_too() {
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let fixture = fixture();
        let spy = endless_compiler(&fixture);
        let kubectl = Kubectl::with_script(&fixture.sandbox, PATIENT);
        let run = fixture.sandbox.run(["apply", "-f", "config"]);
        let running = run.env("PATH", kubectl.path()).env("KO_GO_PATH", spy.program()).start();
        wait_for("the compiler and kubectl", || started(&fixture) && kubectl.reads());
        let output = interrupt(running, signal).failure(1);
        let last = output.stderr.lines().last().unwrap();
        assert_eq!(last, format!("Error: interrupted by {name}"));
        assert_eq!(kubectl.read("signals"), format!("{name}\n"));
        assert_eq!(kubectl.manifests(), "");
        leftovers::assert_none(&fixture.sandbox, &[]);
        assert_eq!(fixture.registry.counts().of(Class::ManifestPut), 0);
    }
}

#[test]
fn a_run_that_takes_too_long_ends_kubectl() {
    let fixture = fixture();
    let spy = endless_compiler(&fixture);
    let kubectl = Kubectl::with_script(&fixture.sandbox, PATIENT);
    let run = fixture.sandbox.run(["apply", "-f", "config", "--timeout=3s"]);
    let run = run.env("PATH", kubectl.path()).env("KO_GO_PATH", spy.program());
    let output = run.output().failure(1);
    assert!(output.stderr.contains("Error: timed out after 3s with "), "{}", output.stderr);
    assert_eq!(kubectl.read("signals"), "SIGTERM\n");
    assert_eq!(kubectl.manifests(), "");
    leftovers::assert_none(&fixture.sandbox, &[]);
}

/// Ends when it was told so twice, which only the one who waits for it can do.
const STUBBORN: &str = "cat >stdin\n: >fed\n\
    while ! [ \"$(wc -l <signals)\" = 2 ]; do sleep 0.01; done 2>/dev/null\nexit 6";

#[test]
fn signals_reach_a_kubectl_that_has_everything_until_it_ends() {
    let fixture = fixture();
    for words in [&["apply", "-f", "config"][..], &["delete", "-f", "-"], &["run", "."]] {
        let kubectl = Kubectl::with_script(&fixture.sandbox, STUBBORN);
        let running = fixture.sandbox.run(words).env("PATH", kubectl.path()).start();
        wait_for("kubectl to have it all", || kubectl.has("fed"));
        let send = |signal| {
            let pid = rustix::process::Pid::from_raw(running.id().try_into().unwrap()).unwrap();
            rustix::process::kill_process(pid, signal).unwrap();
        };
        send(Signal::INT);
        wait_for("the first", || kubectl.has("signals"));
        send(Signal::TERM);
        let output = running.wait().failure(1);
        let last = output.stderr.lines().last().unwrap();
        assert!(last.starts_with("Error: ") && last.ends_with("exit status 6"), "{last}");
        assert_eq!(kubectl.read("signals"), "SIGINT\nSIGTERM\n");
        fs::remove_dir_all(&kubectl.dir).unwrap();
    }
}

#[test]
fn a_terminal_s_ctrl_c_reaches_kubectl_once() {
    let fixture = fixture();
    let spy = endless_compiler(&fixture);
    let kubectl = Kubectl::with_script(&fixture.sandbox, PATIENT);
    // Another sandbox, whose program is the command in the foreground of a
    // terminal of its own.
    let (mut terminal, name) = services::terminal();
    let wrapper = fixture.sandbox.root().join("wrapper-of-ko");
    let script = format!(
        "#!/bin/sh\nexec setsid --ctty --wait '{}' \"$@\" <'{name}'\n",
        env!("CARGO_BIN_EXE_ko")
    );
    write_executable(&wrapper, &script);
    let mut sandbox = Sandbox::new(wrapper);
    let host = fixture.registry.host();
    sandbox.set("KO_DOCKER_REPO", format!("{host}/out"));
    sandbox.set("KO_DEFAULTBASEIMAGE", format!("{host}/base"));
    let _ = module(&sandbox).main(".").file("config/pod.yaml", POD);
    let run = sandbox.run(["apply", "-f", "config"]);
    let running = run.env("PATH", kubectl.path()).env("KO_GO_PATH", spy.program()).start();
    wait_for("the compiler and kubectl", || started(&fixture) && kubectl.reads());
    terminal.write_all(b"\x03").unwrap();
    let output = running.wait().failure(1);
    assert_eq!(output.stderr.lines().last(), Some("Error: interrupted by SIGINT"));
    assert_eq!(kubectl.read("signals"), "SIGINT\n");
    leftovers::assert_none(&sandbox, &[]);
}
