//! Takes over a Dockerfile: the base of its last stage, what that says of the image, and how
//! its programs are compiled. What else it does to an image is reported.

use super::draft::{Build, Draft, Settings};
use super::go_build::{self, GoBuild, Run};
use super::image::{Described, Image};
use super::instructions::Context;
use super::place::join;
use super::shell::commands;
use super::stages::{Dockerfile, Instruction};

/// How files come into an image.
const FILES: &str = "ko adds the program itself; other files: image.files in .ko.yaml, or kodata/ \
                     beside the program";

/// What to do about instructions that are not taken over.
const OTHERS: [(&str, &str); 12] = [
    ("COPY", FILES),
    ("ADD", FILES),
    ("RUN", "nothing runs in the image: take a base that has what this makes"),
    ("ENV", "set image.env in .ko.yaml"),
    ("WORKDIR", "set image.workdir in .ko.yaml"),
    ("EXPOSE", "set image.ports in .ko.yaml"),
    ("VOLUME", "set image.volumes in .ko.yaml"),
    ("HEALTHCHECK", "set image.healthcheck in .ko.yaml; in Kubernetes, a probe"),
    ("STOPSIGNAL", "set image.stopSignal in .ko.yaml"),
    ("USER", "set image.user in .ko.yaml, or --image-user"),
    ("LABEL", "set image.labels in .ko.yaml, or --image-label=KEY=VALUE"),
    ("SHELL", "set image.shell in .ko.yaml"),
];

/// What arguments need that are not taken over.
const ARGUMENTS: &str = "arguments: set image.args or image.cmd in .ko.yaml";

/// Takes over what a Dockerfile says: of one program, or of all that have none of their
/// own.
pub(super) fn read(draft: &mut Draft, name: &str, own: Option<usize>, text: &str) {
    let file = Dockerfile::parse(text);
    let Some(stage) = file.stages.last() else { return };
    let at = |line: usize| format!("{name}:{line}");
    match (file.base(), own) {
        (Ok(base), Some(own)) => draft.base(own, "FROM", base, at(stage.line)),
        (Ok(base), None) => draft.base_of_all("FROM", base, at(stage.line)),
        (Err(reason), own) => {
            draft.note(at(stage.line), format!("FROM {}", stage.image), reason);
            if let Some(own) = own {
                draft.default_base(own);
            }
        }
    }
    let mut reader = Reader { draft, name, own, outputs: Vec::new() };
    for Instruction { line, word, rest } in file.stages.iter().flat_map(|it| &it.instructions) {
        if word == "RUN" {
            reader.run(*line, rest);
        }
    }
    reader.image(&file);
}

struct Reader<'a> {
    draft: &'a mut Draft,
    /// The file.
    name: &'a str,
    /// The program that it is for.
    own: Option<usize>,
    /// What programs are called that it compiles.
    outputs: Vec<(String, Option<usize>)>,
}

impl Reader<'_> {
    fn note(&mut self, line: usize, what: String, reason: impl Into<String>) {
        let place = format!("{}:{line}", self.name);
        self.draft.note(place, what, reason);
    }

    /// Takes over how programs are compiled.
    fn run(&mut self, line: usize, rest: &str) {
        let Run { builds, .. } = go_build::read(rest);
        let is_build = rest.contains("go build");
        let flags = ["-ldflags", "-tags", "-gcflags"];
        let is_unread = is_build && flags.iter().any(|flag| rest.contains(flag));
        let mut is_left = builds.is_empty() && is_unread;
        let mut unread = Vec::new();
        for build in builds {
            let program = self.built(&build.packages);
            let output = build.output.as_deref().and_then(|path| path.rsplit('/').next());
            let output = output.filter(|file| !file.is_empty() && *file != ".");
            self.outputs.extend(output.map(|file| (file.to_owned(), program)));
            let GoBuild { env, flags, ldflags, left, .. } = build;
            unread.extend(left);
            if env.is_empty() && flags.is_empty() && ldflags.is_empty() {
                continue;
            }
            let Some(program) = program else {
                is_left = true;
                continue;
            };
            let what = "RUN go build".to_owned();
            let place = format!("{}:{line}", self.name);
            self.draft.take(
                program,
                Settings { env, flags, ldflags, what, place, ..Settings::default() },
            );
        }
        let reason = "put its flags into flags and ldflags of the build";
        if is_left {
            self.note(line, format!("RUN {rest}"), reason);
        } else if !unread.is_empty() {
            let reason = format!("{} is left: {reason}", unread.join(", "));
            self.note(line, format!("RUN {rest}"), reason);
        }
    }

    /// The program that packages name, if they name one.
    fn built(&self, packages: &[String]) -> Option<usize> {
        let package = match packages {
            [] => ".",
            [one] => one,
            _ => return None,
        };
        if let Some(own) = self.own.filter(|_| package == ".") {
            return Some(own);
        }
        let is_it = |build: &Build| build.import_path.as_deref() == Some(package);
        let dir = self.name.rsplit_once('/').map_or("", |(dir, _)| dir);
        let found = self.draft.program("", package).ok();
        let found = found.or_else(|| self.draft.program(&join("", dir), package).ok());
        let found = found.or_else(|| self.draft.builds.iter().position(is_it));
        found.or(self.own).or_else(|| self.draft.only())
    }

    /// The program that a file in the image is: one that is built here, by the name of its
    /// package, or of what is compiled.
    fn program(&self, path: &str) -> Option<usize> {
        let file = path.rsplit('/').next().unwrap_or(path);
        let named = self.draft.builds.iter().position(|build| build.file_name() == file);
        let named = named.or_else(|| self.draft.builds.iter().position(|build| build.id == file));
        let compiled = || {
            let (_, program) = self.outputs.iter().find(|(output, _)| output == file)?;
            program.or(self.own).or_else(|| self.draft.only())
        };
        named.or_else(compiled)
    }

    /// Takes over what the last stage says of the image.
    fn image(&mut self, file: &Dockerfile) {
        let chain = file.chain();
        for Instruction { word, rest, .. } in chain.iter().flat_map(|stage| &stage.instructions) {
            if ["COPY", "ADD"].contains(&word.as_str()) {
                self.copied(rest);
            }
        }
        let (entrypoint, cmd) = commands_of(&chain);
        let mut image = Image::default();
        let mut context = Context::default();
        let program = self.entry(&mut image, &mut context, entrypoint, cmd);
        for stage in &chain {
            context.variables.clear();
            for Instruction { line, word, rest } in &stage.instructions {
                if word == "ARG" {
                    context.argument(rest, &file.arguments);
                    continue;
                }
                let settings = context.settings(word, rest).unwrap_or_default().into_iter();
                let failed = settings.filter_map(|it| it.and_then(|more| image.add(more)).err());
                let failed: Vec<String> = failed.collect();
                let is_said = ["COPY", "ADD", "RUN"].contains(&word.as_str());
                let is_needless = match word.as_str() {
                    "COPY" | "ADD" => self.copy(rest).is_some(),
                    "RUN" => {
                        let Run { builds, has_more } = go_build::read(rest);
                        !builds.is_empty() && !has_more
                    }
                    _ => false,
                };
                let other = OTHERS.iter().find(|(other, _)| other == word);
                if let Some((_, reason)) = other
                    && (is_said && !is_needless || !failed.is_empty())
                {
                    let why = failed.iter().map(|why| format!("{why}; "));
                    let why: String = why.collect();
                    self.note(*line, format!("{word} {rest}"), format!("{why}{reason}"));
                }
            }
        }
        self.describe(program, image);
    }

    /// Notes what a copy of a program is called.
    fn copied(&mut self, rest: &str) {
        if let Some((program, to)) = self.copy(rest)
            && let Some(file) = to.rsplit('/').next().filter(|file| !file.is_empty())
        {
            self.outputs.push((file.to_owned(), Some(program)));
        }
    }

    /// The program that a `COPY` or `ADD` copies, and where to.
    fn copy<'a>(&self, rest: &'a str) -> Option<(usize, &'a str)> {
        let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
        match (words.next(), words.next(), words.next()) {
            (Some(from), Some(to), None) => Some((self.program(from)?, to)),
            _ => None,
        }
    }

    /// Takes over the arguments of what a container starts, if that is a program of ours,
    /// and returns which.
    fn entry(
        &mut self,
        image: &mut Image,
        context: &mut Context,
        entrypoint: Option<&Instruction>,
        cmd: Option<&Instruction>,
    ) -> Option<usize> {
        let mut program = None;
        let first = entrypoint.or(cmd)?;
        let entry = Entry::parse(&first.rest);
        if let Some((path, arguments)) = entry.plain().and_then(<[String]>::split_first)
            && let Some(found) = self.program(path)
            && !arguments.iter().any(|word| word.contains('/') && self.program(word).is_some())
        {
            program = Some(found);
            let here = format!("/ko-app/{}", self.draft.builds[found].file_name());
            context.program = Some((path.clone(), here));
            let arguments = arguments.to_vec();
            let taken = match entrypoint {
                Some(_) => image.add(Image { args: arguments, ..Image::default() }),
                None => image.add(Image { cmd: arguments, ..Image::default() }),
            };
            if let Err(reason) = taken {
                self.note(first.line, format!("{} {}", first.word, first.rest), reason);
            }
        } else {
            let reason = entry.reason(self.draft, self.own);
            self.note(first.line, format!("{} {}", first.word, first.rest), reason);
        }
        // Behind an entrypoint that is a text for the shell, it does not count.
        if let (Some(Instruction { rest: start, .. }), Some(cmd)) = (entrypoint, cmd)
            && !Entry::parse(start).is_shell
        {
            let entry = Entry::parse(&cmd.rest);
            let taken = match program {
                Some(_) if !entry.is_shell => {
                    image.add(Image { cmd: entry.words, ..Image::default() })
                }
                _ => Err(ARGUMENTS.to_owned()),
            };
            if let Err(reason) = taken {
                self.note(cmd.line, format!("{} {}", cmd.word, cmd.rest), reason);
            }
        }
        program
    }

    /// Gives the settings to the program that the file is for, or to all.
    fn describe(&mut self, program: Option<usize>, image: Image) {
        if image == Image::default() {
            return;
        }
        let described = match self.own.or(program).or_else(|| self.draft.only()) {
            Some(at) => &mut self.draft.builds[at].image,
            None => &mut self.draft.image,
        };
        match described {
            None => *described = Some(Described { image, from: self.name.to_owned() }),
            Some(first) if first.image == image => {}
            Some(first) => {
                let reason = format!("{} says otherwise of the same image", first.from);
                self.draft.note(self.name, "what it says of the image", reason);
            }
        }
    }
}

/// The last `ENTRYPOINT` and `CMD` of these stages. An entrypoint leaves nothing of a command
/// that a stage below has.
fn commands_of<'a>(
    chain: &[&'a super::stages::Stage],
) -> (Option<&'a Instruction>, Option<&'a Instruction>) {
    let (mut entrypoint, mut cmd) = (None, None);
    for stage in chain {
        let last = |wanted: &str| stage.instructions.iter().rfind(|it| it.word == wanted);
        if let Some(found) = last("ENTRYPOINT") {
            (entrypoint, cmd) = (Some(found), None);
        }
        cmd = last("CMD").or(cmd);
    }
    (entrypoint, cmd)
}

/// What a container starts.
#[derive(Debug)]
struct Entry {
    words: Vec<String>,
    is_shell: bool,
    /// A shell would run these words, and make nothing else of them.
    is_plain: bool,
}

impl Entry {
    fn parse(text: &str) -> Self {
        if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
            return Self { words, is_shell: false, is_plain: true };
        }
        let commands = commands(text);
        let words = commands.first().map(Vec::as_slice).unwrap_or_default();
        let words = match words {
            [first, rest @ ..] if first.text == "exec" => rest,
            words => words,
        };
        let is_plain = commands.len() == 1 && words.iter().all(|word| word.is_plain);
        let words = words.iter().map(|word| word.text.clone()).collect();
        Self { words, is_shell: true, is_plain }
    }

    fn plain(&self) -> Option<&[String]> {
        self.is_plain.then_some(&self.words[..])
    }

    /// What ko starts instead.
    fn reason(&self, draft: &Draft, own: Option<usize>) -> String {
        let [program, arguments @ ..] = &self.words[..] else {
            return "the entrypoint of an image is its program".to_owned();
        };
        let file = program.rsplit('/').next().unwrap_or(program);
        let named = draft.builds.iter().position(|build| build.id == file);
        let mut reason = match named.or(own).or_else(|| draft.only()) {
            Some(at) => {
                format!(
                    "the entrypoint of an image is its program, /ko-app/{}",
                    draft.builds[at].file_name()
                )
            }
            None => "the entrypoint of an image is its program, below /ko-app".to_owned(),
        };
        if self.is_shell {
            reason.push_str(", without a shell");
        }
        if !arguments.is_empty() {
            reason.push_str("; ");
            reason.push_str(ARGUMENTS);
        }
        reason
    }
}
