//! What the tests share: running everything on a text, and comparing with ko.

use std::fs;
use std::path::{Path, PathBuf};

use ko_yaml::{Error, File, Mode, Selector, Source};

use crate::go::{self, Case};

/// Parses a text as ko would.
pub(crate) fn parse(text: &str) -> Result<File<'_>, Error> {
    File::parse(&Source { name: "f.yaml", bytes: text.as_bytes() }, Mode::Whole)
}

/// Parses a text with references inside longer strings.
pub(crate) fn parse_embedded(text: &str) -> Result<File<'_>, Error> {
    File::parse(&Source { name: "f.yaml", bytes: text.as_bytes() }, Mode::Embedded)
}

/// Asserts that a text is the same file, or refused in the same words, however
/// many threads parse it, and is made of its outline as well.
pub(crate) fn assert_same_on_threads(text: &str) {
    let source = Source { name: "f.yaml", bytes: text.as_bytes() };
    for mode in [Mode::Whole, Mode::Embedded] {
        let parsed = File::parse(&source, mode);
        let alone = format!("{parsed:?}");
        if let Ok(file) = parsed {
            let kept = serde_json::to_vec(&file.outline(mode)).unwrap();
            let outline = serde_json::from_slice(&kept).unwrap();
            let recalled = File::of_outline(&source, mode, outline);
            assert_eq!(format!("Ok({:?})", recalled.unwrap()), alone, "{text}");
        }
        for threads in [2, 3, 16] {
            let threads = std::num::NonZero::new(threads).unwrap();
            let shared = format!("{:?}", File::parse_on(&source, mode, threads));
            assert!(shared == alone, "{text}\n{alone}\n{shared}");
        }
    }
}

/// The file with the image of each reference.
pub(crate) fn splice(file: &File<'_>) -> String {
    let spliced = file.splice(|found| go::image(&found.value).into()).unwrap();
    String::from_utf8(spliced.to_vec()).unwrap()
}

/// The file with every reference replaced by one text.
pub(crate) fn splice_with(file: &File<'_>, image: &str) -> String {
    let spliced = file.splice(|_| image.into()).unwrap();
    String::from_utf8(spliced.to_vec()).unwrap()
}

/// The part of a stream that the file is, with the image of each reference.
pub(crate) fn manifest(file: &File<'_>) -> String {
    let spliced = file.manifest(|found| go::image(&found.value).into()).unwrap();
    String::from_utf8(spliced.to_vec()).unwrap()
}

/// What we make of a case: its references, or why we refuse it.
#[derive(Debug, Clone)]
pub(crate) struct Ours {
    pub(crate) case: Case,
    pub(crate) references: Result<Vec<Vec<String>>, Error>,
}

/// Runs parse, select, splice and manifest on `texts`.
pub(crate) fn ours(texts: &[&str], selector: Option<&str>) -> Ours {
    let selected = selector.map(|text| Selector::parse(text).unwrap());
    let mut case = Case { selector: selector.map(str::to_owned), ..Case::default() };
    let mut references = Ok(Vec::new());
    for text in texts {
        let file = parse(text).and_then(|mut file| {
            selected.as_ref().map_or(Ok(()), |selector| file.select(selector))?;
            Ok(file)
        });
        match file {
            Ok(file) => {
                case.files.push(((*text).to_owned(), splice(&file)));
                case.stream.push_str(&manifest(&file));
                if let Ok(references) = &mut references {
                    references.push(file.references().iter().map(|f| f.value.clone()).collect());
                }
            }
            Err(error) => {
                case.files.push(((*text).to_owned(), String::new()));
                references = Err(error);
            }
        }
    }
    Ours { case, references }
}

/// How ko and we see a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same references, and the same data.
    Same,
    BothRefuse,
    /// Ko's reason.
    OnlyKoRefuses(String),
    /// Our reason.
    OnlyWeRefuse(String),
    Different(String),
}

/// Asks ko about all cases.
pub(crate) fn verdicts(ours: &[Ours]) -> Vec<Verdict> {
    let cases: Vec<Case> = ours.iter().map(|ours| ours.case.clone()).collect();
    let verdict = |(ours, answer): (&Ours, go::Answer)| match (&ours.references, answer.error) {
        (Err(_), Some(_)) => Verdict::BothRefuse,
        (Ok(_), Some(error)) => Verdict::OnlyKoRefuses(error),
        (Err(error), None) => Verdict::OnlyWeRefuse(error.to_string()),
        (Ok(references), None) if *references != answer.references => {
            Verdict::Different(format!("{references:?} instead of {:?}", answer.references))
        }
        (Ok(_), None) => answer.difference.map_or(Verdict::Same, Verdict::Different),
    };
    ours.iter().zip(go::ask(&cases)).map(verdict).collect()
}

/// Asserts that ko and we see all cases alike, except that we may take YAML
/// that ko refuses if `may_take` says so; returns how many are refused.
pub(crate) fn compare(ours: &[Ours], may_take: &dyn Fn(&str) -> bool) -> usize {
    let mut refused = 0;
    let mut wrong = Vec::new();
    for (ours, verdict) in ours.iter().zip(verdicts(ours)) {
        match verdict {
            Verdict::Same => {}
            Verdict::BothRefuse => refused += 1,
            Verdict::OnlyKoRefuses(reason) if may_take(&reason) => {}
            verdict => {
                let shown = |text: &str| text.chars().take(1000).collect::<String>();
                let texts: Vec<_> = ours.case.files.iter().map(|(text, _)| shown(text)).collect();
                let verdict = shown(&format!("{verdict:?}"));
                wrong.push(format!("{verdict}: {:?} {texts:?}", ours.case.selector));
            }
        }
    }
    let shown = wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} of {}:\n{shown}", wrong.len(), ours.len());
    refused
}

/// The files below a directory that are text and whose name is asked for, in
/// the order of their paths.
pub(crate) fn texts(directory: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<(PathBuf, String)> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(texts(&path, is_wanted));
        } else if is_wanted(&entry.file_name().to_string_lossy())
            && let Ok(text) = fs::read_to_string(&path)
        {
            found.push((path, text));
        }
    }
    found
}

/// What a text says, as events without style and place.
pub(crate) fn events(text: &str) -> Result<Vec<(String, String)>, String> {
    use granit_parser::{Event, Parser};
    let options = granit_parser::options! { block_scalar_eof_without_line_feed: true };
    let mut events = Vec::new();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, _) = next.map_err(|error| format!("{error}: {text:?}"))?;
        events.push(match event {
            Event::Scalar(value, _, anchor, tag) => {
                (format!("scalar {anchor} {tag:?}"), value.into_owned())
            }
            Event::SequenceStart(_, anchor, tag) => (format!("[ {anchor} {tag:?}"), String::new()),
            Event::MappingStart(_, anchor, tag) => (format!("{{ {anchor} {tag:?}"), String::new()),
            Event::DocumentStart(..) => ("document".to_owned(), String::new()),
            other => (format!("{other:?}"), String::new()),
        });
    }
    Ok(events)
}
