//! What the refusals of object stores mean for a cache.

use object_store::Error;

use crate::StorageError;

/// How much of what a store says is told, in characters.
const SHOWN: usize = 300;

/// What stores of all kinds say when there is no room.
const FULL: [&str; 6] =
    ["507", "quotaexceeded", "storagefull", "insufficientstorage", "no space left", "disk full"];

/// What an error means. `place` is the bucket, which is what is missing where
/// something is written and not found.
pub(super) fn meaning(error: &Error, place: &str) -> StorageError {
    let message = text(error);
    let lower = message.to_lowercase();
    if FULL.iter().any(|words| lower.contains(words)) {
        return StorageError::Full { message };
    }
    match error {
        Error::NotFound { .. } => StorageError::NoPlace { what: place.to_owned() },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            StorageError::Denied { message }
        }
        Error::Generic { .. } => StorageError::Unreachable(message.into()),
        _ => StorageError::Unexpected { message },
    }
}

/// Does a store not know conditions?
pub(super) fn knows_no_conditions(error: &Error) -> bool {
    matches!(error, Error::NotImplemented { .. }) || text(error).contains("501")
}

/// What the store says, or what went wrong on the way, on one line: without the name of
/// the object, and without the URL, which the library puts before it.
pub(super) fn text(error: &Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    while let Some(next) = cause.and_then(std::error::Error::source) {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = Some(next);
    }
    let behind = |text: &str| {
        let (_, rest) = text.split_once("Error performing ")?;
        Some(rest.split_once(" - ")?.1.to_owned())
    };
    let text = behind(&text).unwrap_or(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}
