//! Reads the help of every command of ko, and finds each command and flag in
//! the tables.

use super::surface::{COMMANDS, FLAGS};
use crate::Programs;
use std::path::Path;
use std::process::Command;
use toolkit::step;
use toolkit::{Error, Result};

/// Commands that no help lists.
const HIDDEN: [&str; 1] = ["auth"];

/// Fails if ko has a command or a flag that no table has, or ours lacks one
/// that it says it has.
pub(crate) fn check(programs: &Programs) -> Result<()> {
    let mut missing = Vec::new();
    let mut left: Vec<String> = vec![String::new()];
    left.extend(HIDDEN.map(str::to_owned));
    let mut seen = 0;
    while let Some(command) = left.pop() {
        seen += 1;
        let name = format!("ko {command}").trim_end().to_owned();
        if !COMMANDS.iter().any(|(row, _)| *row == name) {
            missing.push(name.clone());
        }
        let help = help(&programs.ko, &command)?;
        for flag in flags(&help) {
            let row = FLAGS.iter().find(|row| {
                let named = row.names.split([',', ' ']).any(|one| one == flag);
                named && (row.commands.is_empty() || row.commands.contains(&command.as_str()))
            });
            match row {
                None => missing.push(format!("{name} {flag}")),
                Some(_) if flags(&self::help(&programs.ours, &command)?).contains(&flag) => {}
                Some(_) => missing.push(format!("{name} {flag}, with ours")),
            }
        }
        let below = subcommands(&help).into_iter();
        left.extend(below.map(|word| format!("{command} {word}").trim_start().to_owned()));
    }
    println!("help: {seen} commands of ko, and their flags, are in the tables");
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Found(format!("the tables of docs/parity.md lack {}", missing.join(", "))))
}

fn help(program: &Path, command: &str) -> Result<String> {
    let output =
        step::output(Command::new(program).args(command.split_whitespace()).arg("--help"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The long names of flags, at the beginnings of lines.
fn flags(help: &str) -> Vec<String> {
    let flag = |line: &str| {
        let mut words = line.trim_start().split([' ', '=', '[']);
        let first = words.next().filter(|word| word.starts_with('-'))?;
        let long = if first.starts_with("--") { Some(first) } else { words.next() };
        long.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned)
    };
    help.lines().filter(|line| line.starts_with("  ")).filter_map(flag).collect()
}

fn subcommands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| !line.starts_with("Available Commands:")).skip(1);
    let listed = listed.take_while(|line| line.starts_with("  "));
    listed.filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::{flags, subcommands};

    const HELP: &str = "A text\n  $ ko --not-one\n\nAvailable Commands:\n  build       Build\n  help        Help\n\nFlags:\n      --bare            Whether\n  -t, --tags strings    Which\n  -v, --verbose[=<bool>]  Enable\n";

    #[test]
    fn help_is_read() {
        assert_eq!(flags(HELP), ["--bare", "--tags", "--verbose"]);
        assert_eq!(subcommands(HELP), ["build", "help"]);
    }
}
