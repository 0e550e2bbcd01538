//! What is shown while a run goes on: to a person at a terminal, to a log, to a
//! program.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use testkit::sandbox::{Output, Run};
use testkit::service::wait_for;

use crate::errors::interrupt::{endless_compiler, started};
use crate::fixture::Fixture;
use crate::leftovers;
use crate::services::terminal;
use crate::spy::Spy;

/// Runs with a person in front of standard error, and returns what came there.
fn watched(run: Run<'_>) -> (Output, String) {
    on_terminal(run.env("TERM", "xterm").env_remove("CI").env_remove("NO_COLOR"))
}

/// Runs with standard error on a terminal, and returns what came there.
fn on_terminal(run: Run<'_>) -> (Output, String) {
    let (mut screen, name) = terminal();
    let stderr = File::options().read(true).write(true).open(name).unwrap();
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        // The last descriptor of the other side is closed: EIO.
        let _ = screen.read_to_end(&mut seen);
        String::from_utf8(seen).unwrap()
    });
    let output = run.stderr(Stdio::from(stderr)).output();
    (output, reader.join().unwrap())
}

/// A text without what a terminal obeys.
fn plain(text: &str) -> String {
    console::strip_ansi_codes(text).replace('\r', "")
}

#[test]
fn a_person_sees_one_line_for_each_image() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    let (output, seen) = watched(fixture.build("-B ./cmd/one ./cmd/two"));
    let output = output.success();
    assert_eq!(output.stdout.lines().count(), 2);
    let text = plain(&seen);
    assert!(!text.contains("Publishing"), "{text}");
    for wanted in [" built example.com/app/cmd/one ", " built example.com/app/cmd/two ", "2 built"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(seen.contains("\x1b[32m"), "colours: {seen:?}");
    // What was drawn is taken away before the lines that stay.
    let drawn = seen.matches("\x1b[?2026h").count();
    assert!(drawn == 0 || seen.contains("A\x1b[J"), "{seen:?}");

    let again = fixture.build("-B ./cmd/one ./cmd/two").env("NO_COLOR", "1");
    let (_, seen) = on_terminal(again.env("TERM", "xterm").env_remove("CI"));
    assert!(seen.contains("2 fresh") && !seen.contains("\x1b[32m"), "{seen}");
}

#[test]
fn a_person_sees_why_a_run_failed() {
    let fixture = Fixture::new();
    let _ = fixture.module().broken_main("cmd/two");
    let (output, seen) = watched(fixture.build("-B ./cmd/two"));
    let _ = output.failure(1);
    assert!(seen.contains("\x1b[31m\x1b[1mError: \x1b[0m"), "{seen:?}");
    assert!(plain(&seen).contains("\nError: ") || plain(&seen).starts_with("Error: "), "{seen:?}");
}

#[test]
fn logs_have_ko_s_lines() {
    let fixture = Fixture::new();
    for variables in [[("TERM", "xterm"), ("CI", "true")], [("TERM", "dumb"), ("CI", "")]] {
        let run = fixture.build("-B --rebuild .");
        let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
        let (_, seen) = on_terminal(run);
        assert!(seen.contains("Building example.com/app for linux/amd64"), "{seen}");
        assert!(!seen.contains('\x1b'), "{seen:?}");
    }
}

#[test]
fn who_wants_quiet_has_it() {
    let fixture = Fixture::new();
    let output = fixture.build("-B -q .").output().success();
    assert_eq!(output.stderr, "");
    let output = fixture.build("-B --progress=quiet ./none").output().failure(1);
    assert!(output.stderr.starts_with("Error: "), "{}", output.stderr);
}

#[test]
fn programs_read_lines_of_json() {
    let fixture = Fixture::new();
    let output = fixture.build("-B --progress=json .").output().success();
    let lines: Vec<Value> =
        output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = |line: &Value| line["message"].as_str().unwrap().to_owned();
    assert!(lines.iter().any(|line| message(line).starts_with("Building example.com/app")));
    let output = fixture.build("-B --progress=json ./none").output().failure(1);
    let last: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["level"], "error");
}

#[test]
fn github_shows_a_group_and_where_the_code_is_wrong() {
    let fixture = Fixture::new();
    let _ = fixture.module().broken_main("cmd/two");
    let run = fixture.build("-B ./cmd/two").env("GITHUB_ACTIONS", "true");
    let stderr = run.output().failure(1).stderr;
    assert!(stderr.starts_with("::group::ko\n"), "{stderr}");
    let end = stderr.find("::endgroup::\n").unwrap();
    let error = stderr.find("Error: ").unwrap();
    let place = stderr.find("::error file=cmd/two/main.go,line=").unwrap();
    assert!(end < error && error < place, "{stderr}");
    // Places are named from the root of the repository.
    let run = fixture.build("-B ./cmd/two").env("GITHUB_ACTIONS", "true");
    let run = run.env("GITHUB_WORKSPACE", fixture.sandbox.work().parent().unwrap());
    let stderr = run.output().failure(1).stderr;
    let name = fixture.sandbox.work();
    let name = name.file_name().unwrap().to_string_lossy();
    let place = format!("::error file={name}/cmd/two/main.go,line=");
    assert!(stderr.contains(&place), "{stderr}");
}

/// A build in the foreground of a terminal of its own, with another `go`.
fn in_foreground<'a>(fixture: &'a Fixture, go: &Spy, terminal: &str) -> Run<'a> {
    let script = format!(r#"exec setsid --ctty --wait "$0" "$@" <'{terminal}' 2>'{terminal}'"#);
    let under = ["sh".to_owned(), "-c".to_owned(), script];
    let run = fixture.sandbox.run_under(&under, ["build", "--bare", "--rebuild", "."]);
    run.env("KO_GO_PATH", go.program()).env("TERM", "xterm").env_remove("CI")
}

#[test]
fn a_terminal_that_is_gone_ends_the_run() {
    let fixture = Fixture::new();
    let compiler = endless_compiler(&fixture);
    let (keyboard, name) = terminal();
    let running = in_foreground(&fixture, &compiler, &name).start();
    wait_for("the compiler", || started(&fixture));
    drop(keyboard);
    let _ = running.wait().failure(1);
    leftovers::assert_none(&fixture.sandbox, &[]);
}

/// As an ssh does that `go` has started: it asks on the terminal, without an echo.
const ASKS: &str = r#"case $1 in list | build)
stty -echo </dev/tty
printf 'Password for %s: ' "$1" >/dev/tty
read -r word </dev/tty
stty echo </dev/tty
echo >/dev/tty
echo "$1 $word" >>"$TMPDIR/words" ;;
esac"#;

#[test]
fn go_may_ask_for_something() {
    let fixture = Fixture::new();
    let spy = Spy::with_script(&fixture.sandbox, ASKS);
    let (mut keyboard, name) = terminal();
    let mut screen = keyboard.try_clone().unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let shown = Arc::clone(&seen);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = screen.read(&mut buffer) {
            shown.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
    let running = in_foreground(&fixture, &spy, &name).start();
    for asked in ["Password for list: ", "Password for build: "] {
        wait_for("the question", || seen.lock().unwrap().contains(asked));
        keyboard.write_all(b"secret\n").unwrap();
    }
    let _ = running.wait().success();
    // What is on the screen is read by another thread.
    let built = || plain(&seen.lock().unwrap()).contains(" built example.com/app ");
    wait_for("the last line", built);
    let words = fs::read_to_string(fixture.sandbox.tmp().join("words")).unwrap();
    assert_eq!(words, "list secret\nbuild secret\n");
    let seen = seen.lock().unwrap().clone();
    assert!(!seen.contains("secret"), "{seen:?}");
    for asked in ["Password for list: ", "Password for build: "] {
        let (_, rest) = seen.split_once(asked).unwrap();
        assert!(rest.starts_with("\r\n"), "something was drawn: {seen:?}");
    }
}
