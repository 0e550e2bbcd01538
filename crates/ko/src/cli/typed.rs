//! Reads words by pflag's rules against clap's declarations: for completion, and
//! to say in pflag's words why clap refuses them.

use clap::{Arg, ArgAction, Command};

/// Words, as far as they were read.
pub(super) struct Typed<'a> {
    pub(super) root: &'a Command,
    pub(super) command: &'a Command,
    /// Commands that were asked about with `ko help`.
    pub(super) is_help: bool,
    pub(super) flags: Vec<&'a Arg>,
    /// Words that are neither flags nor commands.
    pub(super) positionals: usize,
    /// How many words were read, without the one that was refused.
    pub(super) read: usize,
    /// Whether `--` has ended the flags.
    pub(super) only_words: bool,
    /// The last flag, as pflag names it, if its value has not come.
    pub(super) awaits_value: Option<String>,
    /// Whether errors name flags without what is behind them, which may be a
    /// password.
    names_only: bool,
}

impl<'a> Typed<'a> {
    /// Nothing was typed; `root` is built.
    pub(super) fn new(root: &'a Command, names_only: bool) -> Self {
        Self {
            root,
            command: root,
            is_help: false,
            flags: Vec::new(),
            positionals: 0,
            read: 0,
            only_words: false,
            awaits_value: None,
            names_only,
        }
    }

    /// Reads the words up to an unknown flag.
    ///
    /// # Errors
    /// What pflag says of that flag.
    pub(super) fn read(&mut self, words: &[String]) -> Result<(), String> {
        for word in words {
            if self.awaits_value.take().is_some() {
                self.read += 1;
                continue;
            }
            match word.strip_prefix('-') {
                Some("-") if !self.only_words => self.only_words = true,
                Some(flag) if !self.only_words && !flag.is_empty() => {
                    match flag.strip_prefix('-') {
                        Some(long) => self.long(long)?,
                        None => self.letters(flag)?,
                    }
                }
                _ => self.word(word),
            }
            self.read += 1;
        }
        Ok(())
    }

    /// Is the first word no command?
    pub(super) fn is_unknown(&self) -> bool {
        self.positionals > 0 && std::ptr::eq(self.command, self.root) && !self.is_help
    }

    fn long(&mut self, long: &str) -> Result<(), String> {
        let (name, has_value) = match long.split_once('=') {
            Some((name, _)) => (name, true),
            None => (long, false),
        };
        if long.starts_with(['-', '=']) {
            let shown = if self.names_only { name } else { long };
            return Err(format!("bad flag syntax: --{shown}"));
        }
        let flag = flags_of(self.command).find(|flag| flag.get_long() == Some(name));
        let flag = flag.ok_or_else(|| format!("unknown flag: --{name}"))?;
        self.flags.push(flag);
        if takes_value(flag) && !has_value {
            self.awaits_value = Some(format!("--{name}"));
        }
        Ok(())
    }

    /// Reads letters behind one dash.
    fn letters(&mut self, letters: &str) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let after = at + letter.len_utf8();
            let end = if self.names_only { after } else { letters.len() };
            let shown = || format!("'{letter}' in -{}", &letters[at..end]);
            let flag = flags_of(self.command).find(|flag| flag.get_short() == Some(letter));
            let flag = flag.ok_or_else(|| format!("unknown shorthand flag: {}", shown()))?;
            self.flags.push(flag);
            let rest = &letters[after..];
            if takes_value(flag) {
                self.awaits_value = rest.is_empty().then(shown);
                break;
            }
            if rest.starts_with('=') {
                break;
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str) {
        let may_be_command = self.positionals == 0 && !self.only_words;
        match self.command.find_subcommand(word).filter(|_| may_be_command) {
            Some(sub) if sub.get_name() == "help" && !self.is_help => {
                (self.command, self.is_help) = (self.root, true);
            }
            Some(sub) => self.command = sub,
            None => self.positionals += 1,
        }
    }
}

pub(super) fn flags_of(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional())
}

/// Does the next word belong to the flag? A boolean's value only stands
/// behind `=`.
pub(super) fn takes_value(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append) && !flag.is_require_equals_set()
}
