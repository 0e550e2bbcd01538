//! Reads a Dockerfile: the base of its last stage. What else it does to an image is
//! reported, with what says the same to ko: `ko init` writes only keys that ko 0.19.1 reads.

use std::collections::BTreeMap;

use super::draft::Draft;

/// How files come into an image.
const FILES: &str = "ko adds the program itself; other files: image.files in .ko.yaml, or kodata/ \
                     beside the program";

/// Instructions of the last stage that ko 0.19.1 has no key for.
const OTHERS: [(&str, &str); 9] = [
    ("COPY", FILES),
    ("ADD", FILES),
    ("RUN", "nothing runs in the image: take a base that has what this makes"),
    ("ENV", "set image.env in .ko.yaml"),
    ("WORKDIR", "set image.workdir in .ko.yaml"),
    ("EXPOSE", "set image.ports in .ko.yaml"),
    ("VOLUME", "set image.volumes in .ko.yaml"),
    ("HEALTHCHECK", "set image.healthcheck in .ko.yaml; in Kubernetes, a probe"),
    ("STOPSIGNAL", "set image.stopSignal in .ko.yaml"),
];

/// Takes over what a Dockerfile says: of one program, or of all that have none of their
/// own.
pub(super) fn read(draft: &mut Draft, name: &str, own: Option<usize>, text: &str) {
    let file = Dockerfile::parse(text);
    let Some(stage) = file.stages.last() else { return };
    let at = |line: usize| format!("{name}:{line}");
    match (file.base(stage), own) {
        (Ok(base), Some(own)) => draft.base(own, "FROM", base, at(stage.line)),
        (Ok(base), None) => draft.base_of_all("FROM", base, at(stage.line)),
        (Err(reason), own) => {
            draft.note(at(stage.line), format!("FROM {}", stage.image), reason);
            if let Some(own) = own {
                draft.default_base(own);
            }
        }
    }
    let mut program = None;
    for Instruction { line, word, rest } in &stage.instructions {
        let what = format!("{word} {rest}");
        match word.as_str() {
            "ENTRYPOINT" | "CMD" => {
                let entry = Entry::parse(rest);
                // What comes second are arguments.
                match &program {
                    None => program = Some(entry.words.first().cloned().unwrap_or_default()),
                    Some(_) => {
                        let reason = "arguments: set image.args or image.cmd in .ko.yaml";
                        draft.note(at(*line), what, reason);
                        continue;
                    }
                }
                draft.note(at(*line), what, entry.reason(draft, own));
            }
            "USER" => {
                let reason = format!("set image.user in .ko.yaml, or --image-user={rest}");
                draft.note(at(*line), what, reason);
            }
            "LABEL" => {
                draft.note(
                    at(*line),
                    what,
                    "set image.labels in .ko.yaml, or --image-label=KEY=VALUE",
                );
            }
            word => {
                if let Some((_, reason)) = OTHERS.iter().find(|(other, _)| *other == word) {
                    draft.note(at(*line), what, *reason);
                }
            }
        }
    }
    let stages = file.stages.iter().flat_map(|stage| &stage.instructions);
    for Instruction { line, word, rest } in stages {
        let is_build = word == "RUN" && rest.contains("go build");
        if is_build && ["-ldflags", "-tags", "-gcflags"].iter().any(|flag| rest.contains(flag)) {
            let reason = "put its flags into flags and ldflags of the build";
            draft.note(at(*line), format!("{word} {rest}"), reason);
        }
    }
}

/// A Dockerfile in its stages.
#[derive(Debug, Default)]
struct Dockerfile {
    /// The defaults of arguments before the first stage.
    arguments: BTreeMap<String, String>,
    stages: Vec<Stage>,
}

#[derive(Debug, Default)]
struct Stage {
    line: usize,
    image: String,
    name: Option<String>,
    instructions: Vec<Instruction>,
}

#[derive(Debug)]
struct Instruction {
    line: usize,
    /// In large letters.
    word: String,
    rest: String,
}

impl Dockerfile {
    fn parse(text: &str) -> Self {
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

    /// What a stage is based on in the end; else, why that is of no use to ko.
    fn base(&self, stage: &Stage) -> Result<String, &'static str> {
        let mut image = self.expanded(&stage.image)?;
        // A stage may stand on another one before it.
        let before = self.stages.iter().take_while(|other| other.line < stage.line);
        for other in before.collect::<Vec<_>>().into_iter().rev() {
            if other.name.as_deref() == Some(&image.to_ascii_lowercase()) {
                image = self.expanded(&other.image)?;
            }
        }
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

    /// A text with its arguments.
    fn expanded(&self, text: &str) -> Result<String, &'static str> {
        let unknown = "it depends on a build argument without a default";
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (name, after) = match after.strip_prefix('{') {
                Some(after) => after.split_once('}').ok_or(unknown)?,
                None => {
                    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
                    after.split_at(end.unwrap_or(after.len()))
                }
            };
            let (name, default) = match name.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (name, None),
            };
            let value = self.arguments.get(name).map(String::as_str).or(default);
            out.push_str(value.ok_or(unknown)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
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

/// What a container starts.
#[derive(Debug)]
struct Entry {
    words: Vec<String>,
    is_shell: bool,
}

impl Entry {
    fn parse(text: &str) -> Self {
        match serde_json::from_str::<Vec<String>>(text) {
            Ok(words) => Self { words, is_shell: false },
            Err(_) => {
                let words = text.split_whitespace().map(str::to_owned).collect();
                Self { words, is_shell: true }
            }
        }
    }

    /// What ko starts instead.
    fn reason(&self, draft: &Draft, own: Option<usize>) -> String {
        let [program, arguments @ ..] = &self.words[..] else {
            return "the entrypoint of an image is its program".to_owned();
        };
        let file = program.rsplit('/').next().unwrap_or(program);
        let named = draft.builds.iter().position(|build| build.id == file);
        let mut reason = match named.or(own).or((draft.builds.len() == 1).then_some(0)) {
            Some(at) => {
                format!(
                    "the entrypoint of an image is its program, /ko-app/{}",
                    draft.builds[at].id
                )
            }
            None => "the entrypoint of an image is its program, below /ko-app".to_owned(),
        };
        if self.is_shell {
            reason.push_str(", without a shell");
        }
        if !arguments.is_empty() {
            reason.push_str("; arguments: set image.args or image.cmd in .ko.yaml");
        }
        reason
    }
}
