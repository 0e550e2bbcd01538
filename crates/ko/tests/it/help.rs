//! Help as people see it: one snapshot for each command, short and long.

use crate::fixture::sandbox;

/// All commands, with those that are hidden.
const COMMANDS: [&str; 26] = [
    "",
    "apply",
    "auth",
    "auth get",
    "auth login",
    "auth logout",
    "auth token",
    "build",
    "cache",
    "cache export",
    "cache import",
    "cache prune",
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
    "help",
    "login",
    "resolve",
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
        if long.stdout != short.stdout && command != "create" {
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
    assert_eq!(flags("run"), flags("build"));
    assert_eq!(flags("create"), flags("apply"));
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
