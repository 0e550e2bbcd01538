//! What the tests share: running everything on a text, and comparing with ko.

use yaml::{Error, File, Mode, Selector, Source};

use crate::go::{self, Case};

/// Parses a text as ko would.
pub(crate) fn parse(text: &str) -> Result<File<'_>, Error> {
    File::parse(&Source { name: "f.yaml", bytes: text.as_bytes() }, Mode::Whole)
}

/// Parses a text with references inside longer strings.
pub(crate) fn parse_embedded(text: &str) -> Result<File<'_>, Error> {
    File::parse(&Source { name: "f.yaml", bytes: text.as_bytes() }, Mode::Embedded)
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

/// Asserts that ko refuses and accepts the same cases, finds the same
/// references, and that our output is its as data; returns how many it refuses.
pub(crate) fn compare(ours: &[Ours]) -> usize {
    let cases: Vec<Case> = ours.iter().map(|ours| ours.case.clone()).collect();
    let mut wrong = Vec::new();
    let mut refused = 0;
    for (ours, answer) in ours.iter().zip(go::ask(&cases)) {
        let text = || {
            let texts: Vec<String> =
                ours.case.files.iter().map(|(text, _)| text.chars().take(600).collect()).collect();
            format!("{:?} {texts:?}", ours.case.selector)
        };
        match (&ours.references, &answer.error) {
            (Err(_), Some(_)) => refused += 1,
            (Ok(_), Some(error)) => wrong.push(format!("only ko refuses: {error}: {}", text())),
            (Err(error), None) => wrong.push(format!("only we refuse: {error}: {}", text())),
            (Ok(references), None) => {
                if *references != answer.references {
                    wrong.push(format!(
                        "references {references:?} instead of {:?}: {}",
                        answer.references,
                        text()
                    ));
                }
                if let Some(difference) = &answer.difference {
                    let difference: String = difference.chars().take(2000).collect();
                    wrong.push(format!("{difference}: {}", text()));
                }
            }
        }
    }
    let shown: Vec<String> = wrong.iter().take(25).cloned().collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ours.len(), shown.join("\n\n"));
    refused
}
