//! Types a command line anew, so that it does what was meant: for hints, which are
//! best if they can be copied.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;

use super::typed::Typed;
use crate::shell;

/// The flags that choose how images are named, which a name of its own takes the place of.
const NAMERS: [&str; 5] = ["--bare", "-B", "--base-import-paths", "-P", "--preserve-import-paths"];

/// Flags of docker and kubectl whose values may be secrets: no hint shows them.
const SECRET: [&str; 6] = ["--build-arg", "--secret", "--env", "-e", "--token", "--password"];

/// May these words be shown?
fn may_be_shown(words: &[String]) -> bool {
    let is_secret = |word: &String| {
        let flag = word.split('=').next().unwrap_or_default();
        SECRET.contains(&flag)
    };
    !words.iter().any(is_secret)
}

/// A name with a tag as `docker build -t` takes it: the name, and the tag. `None` for a
/// text that is no such thing, or nothing but a tag.
pub(super) fn name_and_tag(text: &str) -> Option<(&str, &str)> {
    let after_host = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text[after_host..].find(':') {
        Some(colon) => (&text[..after_host + colon], &text[after_host + colon + 1..]),
        None if after_host > 0 => (text, "latest"),
        None => return None,
    };
    let is_plain = |text: &str| {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-/:".contains(char);
        !text.is_empty() && text.chars().all(is_plain)
    };
    (is_plain(name) && is_plain(tag)).then_some((name, tag))
}

/// The command that gives an image a name and tag of its own, with all else that was typed;
/// `words` begin with the command. `None` for commands of several images.
pub(super) fn named(words: &[String], text: &str) -> Option<String> {
    let (name, tag) = name_and_tag(text)?;
    let [command, words @ ..] = words else { return None };
    let is_of_programs = ["build", "publish", "run"].contains(&command.as_str());
    if !is_of_programs || !may_be_shown(words) {
        return None;
    }
    let tag_of = |text: &str| match name_and_tag(text) {
        Some((of, tag)) if of == name => tag.to_owned(),
        _ => text.to_owned(),
    };
    let mut typed = vec![command.clone()];
    let mut flags = Some(["--bare", "-t"]);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            typed.push(word.clone());
            typed.extend(words.cloned());
            break;
        }
        let Some(value) = tags(word, &mut words) else {
            if !NAMERS.contains(&word.as_str()) {
                typed.push(word.clone());
            }
            continue;
        };
        let tags: Vec<String> = value.split(',').map(tag_of).collect();
        typed.extend(flags.take().into_iter().flatten().map(str::to_owned));
        match typed.last() {
            Some(last) if last == "-t" => {}
            _ => typed.push("-t".to_owned()),
        }
        typed.push(tags.join(","));
    }
    if flags.is_some() {
        typed.extend(["--bare".to_owned(), "-t".to_owned(), tag.to_owned()]);
    }
    let line = shell::line(typed.iter().map(String::as_str));
    Some(format!("KO_DOCKER_REPO={} ko {line}", shell::word(name)))
}

/// The value of a flag for tags, if the word is one.
fn tags(word: &str, rest: &mut std::slice::Iter<'_, String>) -> Option<String> {
    let (flag, value) = match word.split_once('=') {
        Some((flag, value)) => (flag, Some(value)),
        None => (word, None),
    };
    match (flag, word.strip_prefix("-t")) {
        ("-t" | "--tag" | "--tags", _) => {
            Some(value.map_or_else(|| rest.next().cloned().unwrap_or_default(), str::to_owned))
        }
        (_, Some(value)) => Some(value.to_owned()),
        _ => None,
    }
}

/// The programs among words that are no longer read: those that can be nothing else.
pub(super) fn programs(words: &[String]) -> Vec<&str> {
    let is_program = |word: &str| {
        let first = word.split('/').next().unwrap_or_default();
        word.starts_with("./")
            || word.starts_with("../")
            || word.starts_with("ko://")
            || (word.contains('/') && first.contains('.') && !first.starts_with('-'))
    };
    let before = [None].into_iter().chain(words.iter().map(Some));
    let is_tag = |before: Option<&String>| {
        before.is_some_and(|before| ["-t", "--tag", "--tags"].contains(&before.as_str()))
    };
    let words = words.iter().map(String::as_str).zip(before);
    words
        .filter(|(word, before)| is_program(word) && !is_tag(*before))
        .map(|(word, _)| word)
        .collect()
}

/// A boolean flag with its value in a word of its own, which is read as something else: as
/// it should be typed.
pub(crate) fn boolean(arguments: &[OsString]) -> Option<String> {
    let mut root = super::command();
    root.build();
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    let mut typed = Typed::new(&root, false);
    for pair in words.windows(2) {
        let [word, value] = pair else { return None };
        let flags = typed.flags.len();
        typed.read(std::slice::from_ref(word)).ok()?;
        let is_boolean = typed.flags.len() > flags && typed.awaits_value.is_none();
        if is_boolean && !word.contains('=') && ["true", "false"].contains(&value.as_str()) {
            return Some(format!("{word}={value}"));
        }
    }
    None
}

/// The flag that has named a file, as it was typed.
pub(crate) fn flag_of(arguments: &[OsString], file: &Path) -> Option<String> {
    let words = || arguments.iter().map(|word| word.to_string_lossy());
    let file = file.to_string_lossy();
    let named = |(word, next): (Cow<'_, str>, Option<Cow<'_, str>>)| {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (&*word, next.as_deref()),
        };
        (flag.starts_with("--") && value == Some(&*file)).then(|| flag.to_owned())
    };
    let next = words().skip(1).map(Some).chain([None]);
    words().take_while(|word| word != "--").zip(next).find_map(named)
}

/// A command of kubectl with a flag of its own behind `--`: `words` begin with the command,
/// and `flag` is the word at `at`.
pub(super) fn behind_dashes(words: &[String], at: usize) -> Option<String> {
    let flag = words.get(at).filter(|_| may_be_shown(words))?;
    let others = words.iter().enumerate().filter(|(index, _)| *index != at);
    let mut typed: Vec<&str> = others.map(|(_, word)| word.as_str()).collect();
    if !typed.contains(&"--") {
        typed.push("--");
    }
    typed.push(flag);
    Some(format!("ko {}", shell::line(typed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_name_with_a_tag_is_taken_apart() {
        for (line, text, want) in [
            (
                "build -t acme/api:v1 ./cmd/api",
                "acme/api:v1",
                Some("KO_DOCKER_REPO=acme/api ko build --bare -t v1 ./cmd/api"),
            ),
            (
                "build ./cmd/api --tag=acme/api:v1 --platform all",
                "acme/api:v1",
                Some("KO_DOCKER_REPO=acme/api ko build ./cmd/api --bare -t v1 --platform all"),
            ),
            (
                "build -B -t r.io/a:v1,r.io/a:v2 -tr.io/a -- .",
                "r.io/a:v1",
                Some("KO_DOCKER_REPO=r.io/a ko build --bare -t v1,v2 -t latest -- ."),
            ),
            (
                "build . -t localhost:5000/app",
                "localhost:5000/app",
                Some("KO_DOCKER_REPO=localhost:5000/app ko build . --bare -t latest"),
            ),
            ("build -t app:v1", "app:v1", Some("KO_DOCKER_REPO=app ko build --bare -t v1")),
            ("build -t app:$(v)", "app:$(v)", None),
            ("build -t v1", "v1", None),
            ("build -t app:v1 --build-arg=TOKEN=x .", "app:v1", None),
            ("resolve -t a/b:v1 -f x", "a/b:v1", None),
        ] {
            assert_eq!(named(&words(line), text).as_deref(), want, "{line}");
        }
    }

    #[test]
    fn programs_are_recognized() {
        let line = words("Dockerfile ./cmd/api . --x=a.b/c example.com/app/cmd ../x a/b -t a.b/c");
        assert_eq!(programs(&line), ["./cmd/api", "example.com/app/cmd", "../x"]);
    }

    #[test]
    fn values_of_booleans_stand_behind_a_sign() {
        for (line, want) in [
            ("ko build --push false ./x", Some("--push=false")),
            ("ko build -L false", Some("-L=false")),
            ("ko resolve -f x --recursive true", Some("--recursive=true")),
            ("ko build -t --push false", None),
            ("ko build --push=true false", None),
            ("ko build ./false", None),
            ("ko build -- --push false", None),
        ] {
            let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(boolean(&line).as_deref(), want, "{line:?}");
        }
    }

    #[test]
    fn files_are_named_by_flags() {
        for (line, want) in [
            ("ko build --timings out/f", Some("--timings")),
            ("ko build ./x --metadata-file=out/f --quiet", Some("--metadata-file")),
            ("ko build out/f", None),
            ("ko build ./x -- --x=out/f", None),
        ] {
            let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(flag_of(&line, Path::new("out/f")).as_deref(), want, "{line:?}");
        }
    }

    #[test]
    fn flags_of_kubectl_go_behind_dashes() {
        for (line, at, want) in [
            ("apply --dry-run=client -f x", 1, "ko apply -f x -- --dry-run=client"),
            ("apply -f x --dry-run=server -- -n a", 3, "ko apply -f x -- -n a --dry-run=server"),
        ] {
            assert_eq!(behind_dashes(&words(line), at).as_deref(), Some(want));
        }
        assert_eq!(behind_dashes(&words("apply --dry-run=client -- --token=x"), 1), None);
    }
}
