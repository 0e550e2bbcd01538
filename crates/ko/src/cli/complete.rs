//! Completes command lines: `ko __complete` answers the completion scripts of
//! shells (cobra's protocol, which ko's own scripts speak).

use clap::{Arg, ArgAction, Command};

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

/// The words before the one that is being completed.
struct Typed<'a> {
    root: &'a Command,
    command: &'a Command,
    /// Commands that were asked about with `ko help`.
    is_help: bool,
    flags: Vec<&'a Arg>,
    /// Words that are neither flags nor commands.
    positionals: usize,
    /// Whether `--` has ended the flags.
    only_words: bool,
    /// Whether the last flag waits for its value.
    awaits_value: bool,
}

/// Completes the last of the words after `ko`.
pub(crate) fn complete(words: &[String]) -> Completion {
    let mut root = super::command();
    root.build();
    let Some((last, before)) = words.split_last() else {
        return Completion::none(Directive::Default);
    };
    let Some(typed) = Typed::read(&root, before) else {
        return Completion::none(Directive::Default);
    };
    if typed.flags.iter().any(|flag| flag.get_id() == "help") {
        return Completion::none(Directive::NoFiles);
    }
    if typed.awaits_value {
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

impl<'a> Typed<'a> {
    /// Reads the words as pflag does. Nothing, if they name an unknown
    /// command or flag.
    fn read(root: &'a Command, words: &[String]) -> Option<Self> {
        let mut typed = Self {
            root,
            command: root,
            is_help: false,
            flags: Vec::new(),
            positionals: 0,
            only_words: false,
            awaits_value: false,
        };
        for word in words {
            if typed.awaits_value {
                typed.awaits_value = false;
            } else if typed.only_words {
                typed.word(word)?;
            } else if word == "--" {
                typed.only_words = true;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, has_value) = match long.split_once('=') {
                    Some((name, _)) => (name, true),
                    None => (long, false),
                };
                let flag = typed.flag(|flag| flag.get_long() == Some(name))?;
                typed.awaits_value = takes_value(flag) && !has_value;
            } else if word.len() > 1 && word.starts_with('-') {
                typed.letters(&word[1..])?;
            } else {
                typed.word(word)?;
            }
        }
        Some(typed)
    }

    fn flag(&mut self, is_it: impl Fn(&Arg) -> bool) -> Option<&'a Arg> {
        let flag = flags_of(self.command).find(|flag| is_it(flag))?;
        self.flags.push(flag);
        Some(flag)
    }

    /// Reads letters behind one dash.
    fn letters(&mut self, letters: &str) -> Option<()> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            let flag = self.flag(|flag| flag.get_short() == Some(letter))?;
            if takes_value(flag) {
                self.awaits_value = rest.is_empty();
                break;
            }
            if rest.starts_with('=') {
                break;
            }
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let sub = self.command.find_subcommand(word).filter(|_| self.positionals == 0);
        match sub {
            Some(sub) if sub.get_name() == "help" && !self.is_help => {
                (self.command, self.is_help) = (self.root, true);
            }
            Some(sub) => self.command = sub,
            None if std::ptr::eq(self.command, self.root) && !self.is_help => return None,
            None => self.positionals += 1,
        }
        Some(())
    }

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

fn flags_of(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional())
}

/// Does the next word belong to the flag? A boolean's value only stands
/// behind `=`.
fn takes_value(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append) && !flag.is_require_equals_set()
}
