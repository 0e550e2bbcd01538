//! Help as people see it: one snapshot for each command, short and long.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::fixture::sandbox;

/// All commands, with those that are hidden.
const COMMANDS: [&str; 35] = [
    "",
    "apply",
    "auth",
    "auth get",
    "auth login",
    "auth logout",
    "auth token",
    "base",
    "base pull",
    "build",
    "cache",
    "cache export",
    "cache import",
    "cache prune",
    "cache serve-go",
    "cache show",
    "cache verify",
    "completion",
    "completion bash",
    "completion elvish",
    "completion fish",
    "completion powershell",
    "completion zsh",
    "config",
    "create",
    "delete",
    "doctor",
    "help",
    "init",
    "lock",
    "login",
    "resolve",
    "run",
    "verify",
    "version",
];

fn words(command: &str) -> impl Iterator<Item = &str> + Clone {
    command.split_whitespace()
}

#[test]
fn of_every_command() {
    let sandbox = sandbox();
    let mut all = String::new();
    for command in COMMANDS {
        let flag = |flag| sandbox.run(words(command).chain([flag])).output().success();
        let (long, short) = (flag("--help"), flag("-h"));
        assert_eq!((long.stderr.as_str(), short.stderr.as_str()), ("", ""), "{command}");
        all.push_str(&format!("==== ko {command} -h\n{}\n", short.stdout));
        // What is like another command is not shown again.
        if long.stdout != short.stdout && !["create", "run"].contains(&command) {
            all.push_str(&format!("==== ko {command} --help\n{}\n", long.stdout));
        }
        let topic = sandbox.run(["help"].into_iter().chain(words(command))).output().success();
        assert!(topic.stdout.ends_with(&long.stdout), "{command}: {}", topic.stdout);
    }
    insta::assert_snapshot!(all);
    let help = |words: &[&str]| sandbox.run(words).output().success().stdout;
    assert_eq!(help(&["publish", "-h"]), help(&["build", "-h"]));
    assert_eq!(help(&[]), help(&["help"]));
    let flags = |command: &str| {
        let help = help(&[command, "--help"]).replace(&format!("help for {command}"), "");
        let (_, flags) = help.split_once("Where images go:").unwrap();
        flags.split_once("Examples:").unwrap().0.to_owned()
    };
    // Some may go on, besides.
    let watch = "      --watch[=<bool>]\n          Keep running, and start over whenever something \
                 changes that the images are made from.\n\n";
    for (command, one) in [("build", "run"), ("apply", "create")] {
        let all = flags(command);
        assert!(all.contains(watch), "{all}");
        // Where stdout is somebody else's, it has the plan alone.
        let output = "What to print on stdout: text, json or ndjson.";
        let plan = "With --dry-run, how to print the plan: text or json.";
        assert_eq!(all.replace(watch, "").replace(output, plan), flags(one));
    }
}

/// Pages for `man`, which a formatter takes without a complaint.
#[test]
fn manual_pages() {
    let sandbox = sandbox();
    let dir = sandbox.root().join("man1");
    let _ = sandbox.run([OsStr::new("__man"), dir.as_os_str()]).output().success();
    let mut pages: Vec<PathBuf> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let names = pages.iter().map(|page| page.file_name().unwrap().to_str().unwrap());
    assert!(names.clone().any(|name| name == "ko-cache-prune.1"), "{names:?}");
    assert!(!names.clone().any(|name| name.starts_with("ko-auth") || name.contains("__")));
    let mandoc = |words: &[&str]| {
        let output = Command::new("mandoc").args(words).current_dir(&dir).output();
        let output = output.expect("`cargo xtask test` installs what the tests need");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        text
    };
    // Bold is a letter twice, with a backspace in between.
    let page = mandoc(&["-T", "ascii", "-W", "error", "ko-build.1"]);
    let mut text = String::new();
    for char in page.chars() {
        if char == '\u{8}' {
            text.pop();
        } else {
            text.push(char);
        }
    }
    for part in [
        "KO-BUILD(1)",
        "WHERE IMAGES GO",
        "--compression-level",
        "EXAMPLES",
        "# Write it to a file",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let names: Vec<&str> = names.collect();
    let _ = mandoc(&[&["-T", "lint", "-W", "error"], &names[..]].concat());
}

/// A topic that is a command too has the text of both.
#[test]
fn of_topics() {
    let sandbox = sandbox();
    let help = |name: &str| sandbox.run(["help", name]).output().success().stdout;
    assert!(help("naming").starts_with("Names and tags\n\n"));
    let cache = help("cache");
    assert!(cache.starts_with("The cache\n\n") && cache.contains("\nUsage: ko cache"), "{cache}");
}
