//! The completion scripts in real shells, at a terminal: somebody types, and
//! presses Tab.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use testkit::sandbox::Sandbox;
use testkit::service::wait_or;

use crate::fixture::{module, sandbox};
use crate::sbom::python;
use crate::services::terminal;
use crate::spy::write_executable;

/// A shell in whose PATH the first ko is one that only says how it was called; what
/// completes is the real one.
struct Shell {
    process: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    _sandbox: Sandbox,
}

impl Shell {
    /// Starts a shell with a line that loads the script.
    fn start(words: &[&str], script: &str, load: &str) -> Shell {
        let sandbox = sandbox();
        module(&sandbox).main("cmd/app").main("cmd/web").file("results/file.txt", "");
        let bin = sandbox.root().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let ko = format!(
            "#!/bin/sh\ncase $1 in\n__complete*) exec '{}' \"$@\" ;;\nesac\n\
             printf '[ko]'; printf '<%s>' \"$@\"; echo '[/ko]'\n",
            env!("CARGO_BIN_EXE_ko")
        );
        write_executable(&bin.join("ko"), &ko);
        let text = sandbox.run(["completion", script]).output().success().stdout;
        std::fs::write(sandbox.root().join("script"), text).unwrap();
        let (keyboard, name) = terminal();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        // In a session of its own, with this terminal.
        let mut command = Command::new("sh");
        let session = "PATH=$0:$PATH; export PATH; exec setsid --ctty --wait \"$@\"";
        command.args(["-c", session]).arg(&bin).args(words).current_dir(sandbox.work());
        for name in
            ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"]
        {
            command.env(name, sandbox.root().join("home"));
        }
        command.env("TERM", "xterm").env("LANG", "C.UTF-8");
        command.stdin(open()).stdout(open()).stderr(Stdio::from(open()));
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("{words:?}: {error}: `cargo xtask test` installs what the tests need")
        });
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        let mut answers = keyboard.try_clone().unwrap();
        // It ends with the terminal.
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                // Where the cursor is, and what kind of terminal this is.
                for (question, answer) in [("\x1b[6n", "\x1b[1;1R"), ("\x1b[0c", "\x1b[?62c")] {
                    if buffer[..read].windows(4).any(|bytes| bytes == question.as_bytes()) {
                        let _ = answers.write_all(answer.as_bytes());
                    }
                }
                shown.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        let mut shell = Shell { process, keyboard, screen, _sandbox: sandbox };
        shell.keyboard.write_all(format!("{load}\r").as_bytes()).unwrap();
        // The script is loaded when the next line is run.
        assert_eq!(shell.runs("ko ready"), ["ready"]);
        shell
    }

    /// What ko is called with when a line is typed, with a tab where one is, and
    /// Enter is pressed.
    #[track_caller]
    fn runs(&mut self, line: &str) -> Vec<String> {
        self.screen.lock().unwrap().clear();
        self.keyboard.write_all(format!("{line}\r").as_bytes()).unwrap();
        let called = || {
            let screen = self.screen.lock().unwrap();
            let text = String::from_utf8_lossy(&screen);
            let (_, after) = text.rsplit_once("[ko]<")?;
            let (words, _) = after.split_once(">[/ko]")?;
            Some(words.split("><").map(str::to_owned).collect())
        };
        let shown = || {
            let screen = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
            format!("{line:?} runs no ko: {screen:?}")
        };
        wait_or(shown, || called().is_some());
        called().unwrap()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // A shell at a terminal does not end when it is asked to.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Lines, and what a shell makes of them.
#[track_caller]
fn completes(mut shell: Shell) {
    for (line, want) in [
        ("ko bui\t", &["build"][..]),
        ("ko build --image-us\t", &["build", "--image-user"]),
        ("ko build ./cmd/a\t", &["build", "./cmd/app"]),
        ("ko build example.com/app/cmd/w\t", &["build", "example.com/app/cmd/web"]),
        ("ko build ko://example.com/app/cmd/w\t", &["build", "ko://example.com/app/cmd/web"]),
        ("ko build --compression e\t", &["build", "--compression", "estargz"]),
        ("ko build --platform linux/s\t", &["build", "--platform", "linux/s390x"]),
        ("ko cache prune --max-a\t", &["cache", "prune", "--max-age"]),
        ("ko build --image-refs resu\tfi\t", &["build", "--image-refs", "results/file.txt"]),
        ("ko build --sbom-dir resu\t", &["build", "--sbom-dir", "results/"]),
    ] {
        let mut called = shell.runs(line);
        // Some leave the slash of a directory away.
        if let Some(last) = called.last_mut().filter(|last| *last == "results") {
            last.push('/');
        }
        assert_eq!(called, want, "{line:?}");
    }
}

/// The same of lists, and of values behind an equals sign.
#[track_caller]
fn completes_values(shell: &mut Shell) {
    let list = "ko build --platform linux/386,linux/s\t";
    assert_eq!(shell.runs(list), ["build", "--platform", "linux/386,linux/s390x"]);
    for (line, want) in [
        ("ko build --compression=e\t", "--compression=estargz"),
        ("ko build --platform=linux/386,linux/s\t", "--platform=linux/386,linux/s390x"),
        ("ko build --push=f\t", "--push=false"),
        ("ko build --image-refs=resu\tfi\t", "--image-refs=results/file.txt"),
    ] {
        assert_eq!(shell.runs(line), ["build", want], "{line:?}");
    }
}

#[test]
fn bash() {
    let mut shell = Shell::start(&["bash", "--norc", "-i"], "bash", "source ../script");
    completes_values(&mut shell);
    completes(shell);
}

#[test]
fn zsh() {
    let load = "autoload -U compinit; compinit -u -D; source ../script";
    let mut shell = Shell::start(&["zsh", "-f", "-i"], "zsh", load);
    completes_values(&mut shell);
    completes(shell);
}

#[test]
fn fish() {
    let mut shell = Shell::start(&["fish", "-N", "-i"], "fish", "source ../script");
    completes_values(&mut shell);
    completes(shell);
}

#[test]
fn elvish() {
    // It puts what has an equals sign or comma in it into quotes, and asks before that.
    completes(Shell::start(&["elvish", "-norc"], "elvish", "eval (slurp < ../script)"));
}

const POWERSHELL: &str = "
import sys, tree_sitter, tree_sitter_powershell
language = tree_sitter.Language(tree_sitter_powershell.language())
parse = lambda text: tree_sitter.Parser(language).parse(text).root_node
script = sys.stdin.buffer.read()
assert not parse(script).has_error, str(parse(script))
assert parse(script.replace(b'}', b'', 1)).has_error
";

/// There is no PowerShell to be had here: that a grammar of it takes the script is all
/// that is tried.
#[test]
fn powershell() {
    let script = sandbox().run(["completion", "powershell"]).output().success().stdout;
    let mut command = Command::new(python());
    command.args(["-c", POWERSHELL]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn descriptions_are_left_out_where_nobody_wants_them() {
    let sandbox = sandbox();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = sandbox.run(["completion", shell]).output().success().stdout;
        let bare =
            sandbox.run(["completion", shell, "--no-descriptions"]).output().success().stdout;
        assert!(script.contains(" __complete "), "{shell}");
        assert_eq!(bare, script.replace(" __complete ", " __completeNoDesc "), "{shell}");
    }
    let bash = sandbox.run(["completion", "bash"]).output().success().stdout;
    assert_eq!(sandbox.run(["completion"]).output().success().stdout, bash);
}
