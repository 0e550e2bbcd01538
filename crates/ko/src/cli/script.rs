//! Writes the completion scripts for shells.

use clap::{Args, Command, CommandFactory as _, Subcommand};
use clap_complete::Shell;

/// The arguments of `ko completion`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    #[command(subcommand)]
    pub(crate) shell: Option<CompletionShell>,
}

/// The shells.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum CompletionShell {
    /// Generate the autocompletion script for bash
    #[command(after_help = "To complete in this shell:\n  $ source <(ko completion bash)")]
    Bash(ShellArgs),
    /// Generate the autocompletion script for fish
    #[command(after_help = "To complete in this shell:\n  $ ko completion fish | source")]
    Fish(ShellArgs),
    /// Generate the autocompletion script for powershell
    #[command(
        after_help = "To complete in this shell:\n  PS> ko completion powershell | Out-String | Invoke-Expression"
    )]
    Powershell(ShellArgs),
    /// Generate the autocompletion script for zsh
    #[command(after_help = "To complete in this shell:\n  $ source <(ko completion zsh)")]
    Zsh(ShellArgs),
}

/// The arguments of each.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ShellArgs {
    /// disable completion descriptions
    #[arg(long)]
    no_descriptions: bool,
}

/// The script for a shell; without one, for bash, so that
/// `source <(ko completion)` works.
pub(crate) fn script(shell: Option<CompletionShell>) -> String {
    let (shell, arguments) = match shell {
        Some(CompletionShell::Bash(arguments)) => (Shell::Bash, arguments),
        Some(CompletionShell::Fish(arguments)) => (Shell::Fish, arguments),
        Some(CompletionShell::Powershell(arguments)) => (Shell::PowerShell, arguments),
        Some(CompletionShell::Zsh(arguments)) => (Shell::Zsh, arguments),
        None => (Shell::Bash, ShellArgs { no_descriptions: false }),
    };
    // Before pflag's rules: to them a boolean has a value, which scripts would
    // want to complete.
    let mut command = visible(&super::Cli::command(), arguments.no_descriptions);
    let topics: Vec<Command> = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .map(|sub| {
            let topic = Command::new(sub.get_name().to_owned());
            topic.about(sub.get_about().cloned().unwrap_or_default())
        })
        .collect();
    command = command.mut_subcommand("help", |help| help.subcommands(topics));
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "ko", &mut text);
    String::from_utf8(text).expect("scripts are made of texts")
}

/// A command without what it hides and, if so wanted, without descriptions.
fn visible(command: &Command, bare: bool) -> Command {
    let mut shown = Command::new(command.get_name().to_owned())
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .visible_aliases(command.get_visible_aliases().map(str::to_owned).collect::<Vec<_>>());
    if !bare {
        shown = shown.about(command.get_about().cloned().unwrap_or_default());
    }
    let arguments = command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned();
    shown = shown.args(arguments.map(|arg| if bare { arg.help("") } else { arg }));
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown.subcommands(subcommands.map(|sub| visible(sub, bare)))
}
