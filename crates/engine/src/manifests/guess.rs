//! Guesses the references of manifests without parsing them, so that they can be
//! looked up meanwhile. Nothing else depends on the guess; references that only
//! parsing finds are looked up then.

use std::collections::BTreeSet;

use golang::Argument;
use tokio::task::JoinHandle;

use super::files::Loaded;
use crate::build::{ListingError, Memory};
use crate::plan::{LookedUp, Planner};

type Answers = Result<LookedUp, ListingError>;

/// References that are being looked up.
#[derive(Debug)]
pub(super) struct Guess {
    arguments: Vec<Argument>,
    answers: JoinHandle<Answers>,
}

impl Guess {
    /// Starts to look up what files seem to refer to, if anything.
    pub(super) fn start(planner: &Planner, loaded: &[Loaded], memory: Memory) -> Option<Self> {
        let references: BTreeSet<&str> =
            loaded.iter().flat_map(|loaded| references(&loaded.bytes)).collect();
        let arguments = references.into_iter().filter_map(|text| Argument::parse(text).ok());
        let arguments: Vec<Argument> = arguments.collect();
        if arguments.is_empty() {
            return None;
        }
        let (planner, asked) = (planner.clone(), arguments.clone());
        let answers = tokio::spawn(async move { planner.look_up(&asked, memory).await });
        Some(Self { arguments, answers })
    }

    /// The answers for these arguments, if they were guessed.
    pub(super) async fn answers(self, arguments: &[Argument]) -> Option<Answers> {
        if self.arguments != arguments {
            self.answers.abort();
            return None;
        }
        match self.answers.await {
            Ok(answers) => Some(answers),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

/// The words that begin with `ko://`, but for those in comments.
fn references(bytes: &[u8]) -> impl Iterator<Item = &str> {
    memchr::memmem::find_iter(bytes, "ko://").filter_map(move |start| {
        let line = memchr::memrchr(b'\n', &bytes[..start]).map_or(0, |at| at + 1);
        let before = &bytes[line..start];
        if before.first() == Some(&b'#') || memchr::memmem::find(before, b" #").is_some() {
            return None;
        }
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"'\",]}".contains(byte);
        let length = bytes[start..].iter().position(ends).unwrap_or(bytes.len() - start);
        str::from_utf8(&bytes[start..start + length]).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::references;

    #[test]
    fn words_are_found() {
        let text = "image: ko://a/b\nx: 'ko://c' # ko://d\n#ko://e\ny: [ko://f,\"ko://g\"]\nko://h";
        let found: Vec<&str> = references(text.as_bytes()).collect();
        assert_eq!(found, ["ko://a/b", "ko://c", "ko://f", "ko://g", "ko://h"]);
    }
}
