//! What shells are told: the answers of `ko __complete`, and scripts that a
//! real shell understands; and help, which tells people the same.

use crate::fixture::sandbox;
use std::process::Command;

/// `ko __complete` with words, split at spaces; the last may be empty.
fn complete(words: &str) -> (String, String) {
    let output = sandbox().run(["__complete"].into_iter().chain(words.split(' '))).output();
    let output = output.success();
    (output.stdout, output.stderr)
}

/// The candidates without their descriptions, and the directive.
fn candidates(words: &str) -> (Vec<String>, String) {
    let (stdout, stderr) = complete(words);
    let mut lines: Vec<String> =
        stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect();
    let directive = lines.pop().unwrap();
    let named = match directive.as_str() {
        ":0" => "ShellCompDirectiveDefault",
        ":4" => "ShellCompDirectiveNoFileComp",
        other => panic!("{other}"),
    };
    assert_eq!(stderr, format!("Completion ended with directive: {named}\n"));
    (lines, directive)
}

#[test]
fn answers() {
    for (words, want, directive) in [
        ("bui", &["build"][..], ":4"),
        ("-v bui", &["build"], ":4"),
        ("--verbose=false -- bui", &["build"], ":4"),
        ("xyz", &[], ":4"),
        // Aliases and what is hidden are understood, but not offered.
        ("pub", &[], ":4"),
        ("aut", &[], ":4"),
        ("__comp", &[], ":4"),
        ("auth ", &["get", "login", "logout", "token"], ":4"),
        ("auth lo", &["login", "logout"], ":4"),
        ("auth nope ", &[], ":0"),
        ("completion ", &["bash", "fish", "powershell", "zsh"], ":4"),
        ("completion bash ", &[], ":4"),
        ("completion zsh --", &["--verbose", "--help", "--no-descriptions"], ":4"),
        ("help bu", &["build"], ":4"),
        ("help build ", &[], ":4"),
        ("help nope ", &[], ":4"),
        ("help auth g", &["get"], ":4"),
        ("help -", &["--verbose", "-v", "--help", "-h"], ":4"),
        // Files, and what only the user knows.
        ("build ", &[], ":0"),
        ("build ./x ", &[], ":0"),
        ("version ", &[], ":0"),
        ("login ", &[], ":0"),
        ("build --image-refs ", &[], ":0"),
        ("build --image-refs=", &[], ":0"),
        ("build -t ", &[], ":0"),
        ("build -Pt ", &[], ":0"),
        ("build --push= ", &[], ":0"),
        ("build -- --t", &[], ":0"),
        // Flags.
        ("build --pla", &["--platform"], ":4"),
        ("publish --pla", &["--platform"], ":4"),
        ("build --tags a --tag", &["--tag-only", "--tags"], ":4"),
        ("build -ta --tag", &["--tag-only", "--tags"], ":4"),
        ("build --push --pu", &[], ":4"),
        ("build --push --pr", &["--preserve-import-paths"], ":4"),
        ("build -PB --preserve", &[], ":4"),
        ("build -B=false --base-i", &[], ":4"),
        ("build -j", &["-j"], ":4"),
        ("build -t --pla --pla", &["--platform"], ":4"),
        ("login --p", &["--password", "--password-stdin"], ":4"),
        ("version -", &["--verbose", "-v", "--help", "-h"], ":4"),
        ("-", &["--help", "-h", "--verbose", "-v"], ":4"),
        // With help, nothing else counts; with nonsense, nothing does.
        ("build --help ", &[], ":4"),
        ("nope ", &[], ":0"),
        ("build --bogus ", &[], ":0"),
        ("build -x ", &[], ":0"),
    ] {
        let (found, answered) = candidates(words);
        assert_eq!(
            (found, answered.as_str()),
            (want.iter().map(|&name| name.to_owned()).collect(), directive),
            "{words:?}"
        );
    }
}

#[test]
fn descriptions_are_those_of_help() {
    let (stdout, _) = complete("build --image-u");
    assert_eq!(stdout, "--image-user\tThe default user the image should be run as.\n:4\n");
    let (stdout, _) = complete("vers");
    assert_eq!(stdout, "version\tPrint ko version.\n:4\n");
    let sandbox = sandbox();
    let output = sandbox.run(["__completeNoDesc", "vers"]).output().success();
    assert_eq!(output.stdout, "version\n:4\n");
    let output = sandbox.run(["__complete"]).output().failure(1);
    assert_eq!(output.stderr, "Error: requires at least 1 arg(s), only received 0\n");
}

#[test]
fn a_password_is_not_repeated() {
    for words in [
        "login -p hunter2 ",
        "login -phunter2 -",
        "login --password=hunter2 r.io hunter2 ",
        "login -X hunter2 ",
    ] {
        let (stdout, stderr) = complete(words);
        assert!(!format!("{stdout}{stderr}").contains("hunter2"), "{words}: {stdout}{stderr}");
    }
}

/// What bash would offer for a line, with the script that is printed.
fn bash(script: &str, words: &str) -> Vec<String> {
    let ko = env!("CARGO_BIN_EXE_ko");
    let lines = format!(
        "set -eu\n\
         source <('{ko}' {script})\n\
         spec=$(complete -p ko)\n\
         COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         set -- ${{spec#*-F }}\n\
         $1 ko \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\" || true\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let output = Command::new("bash").args(["--norc", "-c", &lines]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{words}: {stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_with_the_script_that_is_sourced() {
    for script in ["completion", "completion bash", "completion bash --no-descriptions"] {
        assert_eq!(bash(script, "ko bui"), ["build"]);
        assert_eq!(bash(script, "ko build --pla"), ["--platform"]);
    }
    assert_eq!(bash("completion", "ko build --push --tag"), ["--tag-only", "--tags"]);
    assert_eq!(bash("completion", "ko completion f"), ["fish"]);
    assert_eq!(bash("completion", "ko help bu"), ["build"]);
    assert_eq!(bash("completion", "ko aut"), Vec::<String>::new());
}

#[test]
fn every_shell_has_a_script() {
    let sandbox = sandbox();
    for (shell, first, flag) in [
        ("bash", "_ko() {", "--platform"),
        ("fish", "# Print an optspec", "-l platform"),
        ("powershell", "\nusing namespace", "--platform"),
        ("zsh", "#compdef ko\n", "--platform="),
    ] {
        let script = sandbox.run(["completion", shell]).output().success().stdout;
        assert!(script.starts_with(first) && script.contains(flag), "{shell}: {script}");
        assert!(!script.contains("auth") && !script.contains("__complete"), "{shell}");
        let bare = sandbox.run(["completion", shell, "--no-descriptions"]).output().success();
        assert!(!bare.stdout.contains("Enable debug logs"), "{shell}");
        // Shells that are here may judge.
        let checked = match shell {
            "zsh" | "fish" => Command::new(shell).args(["-n", "-c", &script]).output(),
            _ => continue,
        };
        if let Ok(checked) = checked {
            assert!(checked.status.success(), "{shell}: {checked:?}");
        }
    }
}

#[test]
fn what_completion_cannot_do() {
    let sandbox = sandbox();
    for (words, want) in [
        (&["completion", "tcsh"][..], "Error: unknown command \"tcsh\" for \"ko completion\"\n"),
        (&["completion", "bash", "x"], "Error: unknown command \"x\" for \"ko completion bash\"\n"),
    ] {
        let output = sandbox.run(words).output().failure(1);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", want));
    }
}

#[test]
fn every_command_has_help_on_stdout() {
    let sandbox = sandbox();
    let commands = [
        "",
        "auth",
        "auth get",
        "auth login",
        "auth logout",
        "auth token",
        "build",
        "completion",
        "completion bash",
        "completion fish",
        "completion powershell",
        "completion zsh",
        "config",
        "help",
        "login",
        "publish",
        "version",
    ];
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let flag = |flag| sandbox.run(words.iter().copied().chain([flag])).output().success();
        let (long, short) = (flag("--help"), flag("-h"));
        let topic = sandbox.run(["help"].into_iter().chain(words.clone())).output().success();
        assert_eq!(long.stderr, "", "{command}");
        assert!(long.stdout.contains("-v, --verbose"), "{command}: {}", long.stdout);
        assert_eq!((&short.stdout, &topic.stdout), (&long.stdout, &long.stdout), "{command}");
    }
    let root = sandbox.run([""; 0]).output().success();
    assert_eq!(root.stdout, sandbox.run(["help"]).output().stdout);
    let mut names = root.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names: Vec<&str> =
        names.by_ref().map_while(|line| line.split_whitespace().next()).collect();
    assert!(names.is_sorted() && names.contains(&"login"), "{names:?}");
    assert!(!names.contains(&"auth") && !names.contains(&"__complete"), "{names:?}");
}

#[test]
fn an_unknown_topic_is_told_beside_the_help() {
    let sandbox = sandbox();
    let output = sandbox.run(["help", "nope"]).output().success();
    assert_eq!(output.stdout, "");
    assert!(output.stderr.starts_with("Unknown help topic [`nope`]\n"), "{}", output.stderr);
    assert!(output.stderr.contains("Commands:"), "{}", output.stderr);
}

#[test]
fn verbose_may_stand_anywhere() {
    let sandbox = sandbox();
    for words in [
        "-v version",
        "version -v",
        "--verbose version",
        "version --verbose=false",
        "-v=T version -v",
        "auth -v get --help",
    ] {
        let _ = sandbox.run(words.split(' ')).output().success();
    }
    let output = sandbox.run(["version", "--verbose=maybe"]).output().failure(1);
    assert!(output.stderr.contains("\"-v, --verbose\""), "{}", output.stderr);
}
