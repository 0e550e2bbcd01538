//! Completes command lines: `ko __complete` answers the completion scripts of
//! shells (cobra's protocol, which ko's own scripts speak).

use clap::{Arg, ArgAction, Command};

use super::typed::{Typed, flags_of};

/// What a shell is to do besides offering the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directive {
    /// It may offer files.
    Default,
    /// It must not.
    NoFiles,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    /// Words, and what they mean.
    candidates: Vec<(String, String)>,
    directive: Directive,
}

impl Completion {
    fn none(directive: Directive) -> Self {
        Self { candidates: Vec::new(), directive }
    }

    /// The answer on stdout: candidates, each with its description behind a
    /// tab if that is wanted, and the directive's number.
    pub(crate) fn answer(&self, descriptions: bool) -> String {
        let line = |(word, meaning): &(String, String)| match meaning.lines().next() {
            Some(meaning) if descriptions => format!("{word}\t{meaning}\n"),
            _ => format!("{word}\n"),
        };
        let lines: String = self.candidates.iter().map(line).collect();
        let number = match self.directive {
            Directive::Default => 0,
            Directive::NoFiles => 4,
        };
        format!("{lines}:{number}\n")
    }

    /// The directive in words, for those who debug a script.
    pub(crate) fn remark(&self) -> String {
        let name = match self.directive {
            Directive::Default => "ShellCompDirectiveDefault",
            Directive::NoFiles => "ShellCompDirectiveNoFileComp",
        };
        format!("Completion ended with directive: {name}\n")
    }
}

/// Completes the last of the words after `ko`.
pub(crate) fn complete(words: &[String]) -> Completion {
    let mut root = super::command();
    root.build();
    let Some((last, before)) = words.split_last() else {
        return Completion::none(Directive::Default);
    };
    let mut typed = Typed::new(&root, false);
    if typed.read(before).is_err() || typed.is_unknown() {
        return Completion::none(Directive::Default);
    }
    if typed.flags.iter().any(|flag| flag.get_id() == "help") {
        return Completion::none(Directive::NoFiles);
    }
    if typed.awaits_value.is_some() {
        return Completion::none(Directive::Default);
    }
    if last.starts_with('-') && !typed.only_words {
        // Values behind `=` are texts, or files.
        return match last.contains('=') {
            true => Completion::none(Directive::Default),
            false => typed.flags(last),
        };
    }
    typed.words(last)
}

impl Typed<'_> {
    /// Flags that begin with what was typed: the common ones first.
    fn flags(&self, typed: &str) -> Completion {
        let command = match self.root.find_subcommand("help") {
            Some(help) if self.is_help => help,
            _ => self.command,
        };
        let is_inherited = |flag: &Arg| flag.is_global_set() && !std::ptr::eq(command, self.root);
        let may_follow = |flag: &&Arg| {
            let is_list = matches!(flag.get_action(), ArgAction::Append);
            let given = self.flags.iter().any(|given| given.get_id() == flag.get_id());
            !flag.is_hide_set() && (is_list || !given)
        };
        let mut flags: Vec<&Arg> = flags_of(command).filter(may_follow).collect();
        flags.sort_by_key(|flag| (!is_inherited(flag), flag.get_long()));
        let mut candidates = Vec::new();
        for flag in flags {
            let meaning = flag.get_help().map(ToString::to_string).unwrap_or_default();
            let long = flag.get_long().map(|long| format!("--{long}"));
            let short = flag.get_short().map(|short| format!("-{short}"));
            let names = long.into_iter().chain(short).filter(|name| name.starts_with(typed));
            candidates.extend(names.map(|name| (name, meaning.clone())));
        }
        Completion { candidates, directive: Directive::NoFiles }
    }

    /// Commands that begin with what was typed.
    fn words(&self, typed: &str) -> Completion {
        let mut subcommands: Vec<&Command> = if self.positionals == 0 {
            self.command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect()
        } else {
            Vec::new()
        };
        if subcommands.is_empty() {
            let is_shell = super::is_shell(self.command);
            return Completion::none(match is_shell || self.is_help {
                true => Directive::NoFiles,
                false => Directive::Default,
            });
        }
        subcommands.sort_by_key(|sub| sub.get_name());
        let fits = subcommands.iter().filter(|sub| sub.get_name().starts_with(typed));
        let meaning = |sub: &Command| sub.get_about().map(ToString::to_string).unwrap_or_default();
        let candidates = fits.map(|sub| (sub.get_name().to_owned(), meaning(sub))).collect();
        Completion { candidates, directive: Directive::NoFiles }
    }
}
