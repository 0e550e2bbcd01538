//! Makes clap follow pflag's rules: a boolean takes a value only behind `=`
//! (`--push=false`), the last of several occurrences counts, a value may begin
//! with a dash, help lists commands and flags by name.

use clap::{Arg, ArgAction, Command};

use super::sections;

/// The heading of flags that every command has.
pub(super) const GLOBAL: &str = "Global Flags";

/// The command with all its subcommands, read by pflag's rules.
pub(super) fn like(command: Command) -> Command {
    like_of(command, |_| true)
}

/// The command with those subcommands read by pflag's rules that may be meant. The others
/// are there by name: there is a lot to do for each, in every run.
pub(super) fn like_of(command: Command, is_meant: impl Fn(&Command) -> bool) -> Command {
    let mut names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.sort_unstable();
    let command = names.iter().enumerate().fold(command, |command, (rank, name)| {
        command.mut_subcommand(name, |sub| {
            let sub = if is_meant(&sub) { like(sub) } else { sub };
            sub.display_order(rank)
        })
    });
    let help = format!("help for {}", command.get_name());
    let mut flags: Vec<String> =
        command.get_opts().map(|flag| flag.get_id().as_str().replace('_', "-")).collect();
    flags.sort_unstable();
    let command = command
        .args_override_self(true)
        .disable_version_flag(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .help(help)
                .help_heading(GLOBAL)
                .action(ArgAction::Help)
                .global(false),
        )
        .infer_long_args(false);
    sections::flags(command.mut_args(|arg| flag(arg, &flags)))
}

fn flag(arg: Arg, names: &[String]) -> Arg {
    if arg.is_positional() {
        return arg;
    }
    let long = arg.get_long().unwrap_or_default();
    // Flags of the same first letters keep the order of their whole names.
    let rank = names.partition_point(|name| &**name < long);
    let arg = arg.display_order(rank);
    match arg.get_action() {
        ArgAction::SetTrue => {
            let is_set = !arg.get_default_values().is_empty();
            let arg =
                if is_set { arg } else { arg.default_value("false").hide_default_value(true) };
            arg.action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .hide_possible_values(true)
                .value_parser(boolean)
                .value_name("bool")
        }
        ArgAction::Set | ArgAction::Append => {
            let is_empty =
                arg.get_default_values().iter().all(|value| value.is_empty() || value == "0");
            arg.allow_hyphen_values(true).hide_default_value(is_empty)
        }
        _ => arg,
    }
}

/// Go's `strconv.ParseBool`.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}
