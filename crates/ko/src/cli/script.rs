//! Holds the completion scripts for shells. Each asks `ko __complete`, and so knows
//! what the ko knows that it finds.

use clap::{Args, Subcommand};

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
    #[command(
        after_help = "To complete in this shell:\n  $ source <(ko completion bash)\n\nIn every new one:\n  $ ko completion bash >~/.local/share/bash-completion/completions/ko"
    )]
    Bash(ShellArgs),
    /// Generate the autocompletion script for elvish
    #[command(
        after_help = "To complete in this shell:\n  ~> eval (ko completion elvish | slurp)\n\nIn every new one: the same line in ~/.config/elvish/rc.elv"
    )]
    Elvish(ShellArgs),
    /// Generate the autocompletion script for fish
    #[command(
        after_help = "To complete in this shell:\n  $ ko completion fish | source\n\nIn every new one:\n  $ ko completion fish >~/.config/fish/completions/ko.fish"
    )]
    Fish(ShellArgs),
    /// Generate the autocompletion script for powershell
    #[command(
        after_help = "To complete in this shell:\n  PS> ko completion powershell | Out-String | Invoke-Expression\n\nIn every new one: the same line in $PROFILE"
    )]
    Powershell(ShellArgs),
    /// Generate the autocompletion script for zsh
    #[command(
        after_help = "To complete in this shell:\n  $ source <(ko completion zsh)\n\nIn every new one, with ~/.zfunc in $fpath before compinit:\n  $ ko completion zsh >~/.zfunc/_ko"
    )]
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
    let (script, bare) = match shell {
        None => (include_str!("completion/ko.bash"), false),
        Some(CompletionShell::Bash(arguments)) => {
            (include_str!("completion/ko.bash"), arguments.no_descriptions)
        }
        Some(CompletionShell::Elvish(arguments)) => {
            (include_str!("completion/ko.elv"), arguments.no_descriptions)
        }
        Some(CompletionShell::Fish(arguments)) => {
            (include_str!("completion/ko.fish"), arguments.no_descriptions)
        }
        Some(CompletionShell::Powershell(arguments)) => {
            (include_str!("completion/ko.ps1"), arguments.no_descriptions)
        }
        Some(CompletionShell::Zsh(arguments)) => {
            (include_str!("completion/ko.zsh"), arguments.no_descriptions)
        }
    };
    match bare {
        true => script.replace("__complete ", "__completeNoDesc "),
        false => script.to_owned(),
    }
}
