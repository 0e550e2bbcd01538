//! Splits a line of a shell into its commands and their words, and says which words are
//! what they look like: those that a shell makes something else of are of no use elsewhere.

/// A word of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The word without its quotes.
    pub(super) text: String,
    /// The shell expands nothing in it.
    pub(super) is_plain: bool,
}

/// The commands of a line, each with its words.
pub(super) fn commands(line: &str) -> Vec<Vec<Word>> {
    let mut lexer = Lexer::default();
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\'' => {
                let word = lexer.word();
                let mut is_closed = false;
                for char in chars.by_ref() {
                    if char == '\'' {
                        is_closed = true;
                        break;
                    }
                    word.text.push(char);
                }
                word.is_plain &= is_closed;
            }
            '"' => {
                let word = lexer.word();
                let mut is_closed = false;
                while let Some(char) = chars.next() {
                    match char {
                        '"' => {
                            is_closed = true;
                            break;
                        }
                        '\\' => match chars.next_if(|next| "\\\"$`".contains(*next)) {
                            Some(escaped) => word.text.push(escaped),
                            None => word.text.push('\\'),
                        },
                        char => {
                            word.is_plain &= !['$', '`'].contains(&char);
                            word.text.push(char);
                        }
                    }
                }
                word.is_plain &= is_closed;
            }
            '\\' => {
                let escaped = chars.next();
                lexer.word().text.extend(escaped);
            }
            ';' | '&' | '|' | '(' | ')' | '\n' => lexer.end_command(),
            '#' if lexer.open.is_none() => break,
            char if char.is_whitespace() => lexer.end_word(),
            char => {
                let is_first = lexer.open.is_none();
                let word = lexer.word();
                word.is_plain &= !("$`<>*?[]{}".contains(char) || is_first && char == '~');
                word.text.push(char);
            }
        }
    }
    lexer.end_command();
    lexer.commands
}

#[derive(Default)]
struct Lexer {
    commands: Vec<Vec<Word>>,
    words: Vec<Word>,
    open: Option<Word>,
}

impl Lexer {
    fn word(&mut self) -> &mut Word {
        self.open.get_or_insert(Word { text: String::new(), is_plain: true })
    }

    fn end_word(&mut self) {
        self.words.extend(self.open.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_shell_s() {
        for (line, want) in [
            ("", ""),
            ("go build -o /x .", "go,build,-o,/x,."),
            ("cd a&&go  vet;ls | wc", "cd,a / go,vet / ls / wc"),
            (r#"a 'b "c' "d 'e" \ f"#, r#"a,b "c,d 'e, f"#),
            (r#"a "\$b \x" c\$"#, r"a,$b \x,c$"),
            ("a $b \"$c\" '$d' `e` f* >g ~/h i~", "a,!$b,!$c,$d,!`e`,!f*,!>g,!~/h,i~"),
            ("a 'b", "a,!b"),
            ("a # b", "a"),
            ("a#b ''", "a#b,"),
        ] {
            let shown =
                |word: &Word| format!("{}{}", if word.is_plain { "" } else { "!" }, word.text);
            let commands = commands(line);
            let commands = commands
                .iter()
                .map(|command| command.iter().map(shown).collect::<Vec<_>>().join(","));
            assert_eq!(commands.collect::<Vec<_>>().join(" / "), want, "{line}");
        }
    }
}
