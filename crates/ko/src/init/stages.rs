//! Reads a Dockerfile: its stages with their instructions, and what its variables come to.

use std::collections::BTreeMap;

/// Variables and their values.
pub(super) type Variables = BTreeMap<String, String>;

/// A Dockerfile in its stages.
#[derive(Debug, Default)]
pub(super) struct Dockerfile {
    /// The defaults of arguments before the first stage.
    pub(super) arguments: Variables,
    pub(super) stages: Vec<Stage>,
}

#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) line: usize,
    pub(super) image: String,
    name: Option<String>,
    pub(super) instructions: Vec<Instruction>,
}

#[derive(Debug)]
pub(super) struct Instruction {
    pub(super) line: usize,
    /// In large letters.
    pub(super) word: String,
    pub(super) rest: String,
}

/// Why a text with a variable is of no use.
const UNKNOWN: &str = "it depends on a variable that the file does not set";

impl Dockerfile {
    pub(super) fn parse(text: &str) -> Self {
        let mut file = Self::default();
        for instruction in instructions(text) {
            let Instruction { line, word, rest } = &instruction;
            match (word.as_str(), file.stages.last_mut()) {
                ("FROM", _) => {
                    let words: Vec<&str> =
                        rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
                    let name = match words[..] {
                        [_, by, name, ..] if by.eq_ignore_ascii_case("as") => {
                            Some(name.to_ascii_lowercase())
                        }
                        _ => None,
                    };
                    let image = words.first().copied().unwrap_or_default().to_owned();
                    file.stages.push(Stage { line: *line, image, name, ..Stage::default() });
                }
                (_, Some(stage)) => stage.instructions.push(instruction),
                ("ARG", None) => {
                    for argument in rest.split_whitespace() {
                        if let Some((name, value)) = argument.split_once('=') {
                            let value = value.trim_matches(['"', '\'']).to_owned();
                            file.arguments.insert(name.to_owned(), value);
                        }
                    }
                }
                _ => {}
            }
        }
        file
    }

    /// The last stage and those that it stands on, which come first.
    pub(super) fn chain(&self) -> Vec<&Stage> {
        let mut chain = Vec::new();
        let mut next = self.stages.last();
        while let Some(stage) = next {
            chain.push(stage);
            next = self.below(stage);
        }
        chain.reverse();
        chain
    }

    /// The stage before it that a stage stands on.
    fn below(&self, stage: &Stage) -> Option<&Stage> {
        let image = self.image(stage).ok()?.to_ascii_lowercase();
        let before = self.stages.iter().filter(|other| other.line < stage.line);
        before.rev().find(|other| other.name.as_ref() == Some(&image))
    }

    fn image(&self, stage: &Stage) -> Result<String, &'static str> {
        let unknown = |_| "it depends on a build argument without a default";
        expanded(&stage.image, &self.arguments).map_err(unknown)
    }

    /// What the last stage is based on in the end; else, why that is of no use to ko.
    pub(super) fn base(&self) -> Result<String, &'static str> {
        let Some(first) = self.chain().first().copied() else { return Err("there is no stage") };
        let image = self.image(first)?;
        let name = image.rsplit('/').next().unwrap_or(&image);
        let name = name.split([':', '@']).next().unwrap_or(name);
        match name {
            "scratch" => {
                Err("the default base is as good as empty, and has certificates and time zones; \
                 `defaultBaseImage: scratch` is empty, which ko 0.19.1 does not know")
            }
            "golang" => Err("programs need no Go to run: the default base is used"),
            _ => Ok(image),
        }
    }
}

/// The words of an instruction, with their quotes.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (None, None, false);
    for (at, char) in text.char_indices() {
        match (char, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('"' | '\'', None) => quote = Some(char),
            (char, Some(end)) if char == end => quote = None,
            (char, None) if char.is_whitespace() => {
                words.extend(start.take().map(|start| &text[start..at]));
                continue;
            }
            _ => {}
        }
        start.get_or_insert(at);
    }
    words.extend(start.map(|start| &text[start..]));
    words
}

/// A word without its quotes, and with its variables.
pub(super) fn expanded(word: &str, variables: &Variables) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut rest = word;
    let mut quote = None;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match (char, quote) {
            ('"' | '\'', None) => quote = Some(char),
            (char, Some(end)) if char == end => quote = None,
            ('\\', None | Some('"')) => {
                let next = rest.chars().next();
                // Within quotes, others are what they are.
                if quote.is_some() && !next.is_some_and(|next| "\"$\\".contains(next)) {
                    out.push('\\');
                } else if let Some(next) = next {
                    out.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
            ('$', None | Some('"')) => {
                let (name, after) = match rest.strip_prefix('{') {
                    Some(after) => after.split_once('}').ok_or(UNKNOWN)?,
                    None => {
                        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                        rest.split_at(end.unwrap_or(rest.len()))
                    }
                };
                let (name, default) = match name.split_once(":-") {
                    Some((name, default)) => (name, Some(default)),
                    None => (name, None),
                };
                let value = variables.get(name).map(String::as_str).or(default);
                out.push_str(value.ok_or(UNKNOWN)?);
                rest = after;
            }
            (char, _) => out.push(char),
        }
    }
    Ok(out)
}

/// The instructions, each on one line, without comments.
fn instructions(text: &str) -> Vec<Instruction> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (start, mut whole) = open.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix(['\\', '`']) {
            Some(more) => {
                whole.push_str(more.trim_end());
                whole.push(' ');
                open = Some((start, whole));
            }
            None => {
                whole.push_str(line);
                found.push(instruction(start, &whole));
            }
        }
    }
    found.extend(open.map(|(start, whole)| instruction(start, whole.trim())));
    found
}

fn instruction(line: usize, text: &str) -> Instruction {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let word = word.to_ascii_uppercase();
    Instruction { line, word, rest: rest.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_docker_s() {
        let variables = Variables::from([("A".to_owned(), "a b".to_owned())]);
        for (text, want) in [
            ("", Ok("")),
            ("a  b", Ok("a|b")),
            (r#"A="x y" B='$A' C="$A-\$A" D=x\ y"#, Ok(r"A=x y|B=$A|C=a b-$A|D=x y")),
            ("${A} ${B:-c}", Ok("a b|c")),
            (r#""\x" '\"'"#, Ok(r#"\x|\""#)),
            ("$B", Err(UNKNOWN)),
            ("${A", Err(UNKNOWN)),
            ("a\"b", Ok("ab")),
        ] {
            let words = words(text).into_iter().map(|word| expanded(word, &variables));
            let words = words.collect::<Result<Vec<_>, _>>().map(|words| words.join("|"));
            assert_eq!(words, want.map(str::to_owned), "{text}");
        }
    }
}
