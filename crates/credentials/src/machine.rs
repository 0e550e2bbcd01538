//! The machine as the sources see it: variables, files, programs and HTTP. All
//! comes from the caller, by value.

use std::fmt;
use std::path::Path;

use registry::{HelperOutput, Secret, Variables};

use crate::Sources;
use crate::http::Http;
use crate::problem::{Problem, Result};

/// No file of credentials is larger, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What the sources share.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) variables: Variables,
    pub(crate) http: Http,
    pub(crate) program_output: Option<HelperOutput>,
}

impl Machine {
    pub(crate) fn new(sources: Sources) -> Self {
        let Sources { variables, user_agent, roots, proxies, program_output, observer: _ } =
            sources;
        Self { variables, http: Http::new(user_agent, roots, proxies), program_output }
    }

    /// Reads a file.
    pub(crate) async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let failed = |source| Problem::read(path, source);
        let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
        if size > MAX_FILE {
            return Err(Problem::malformed(path.display(), "it is larger than 1 MiB"));
        }
        tokio::fs::read(path).await.map_err(failed)
    }

    /// Reads a file; `None` if it does not exist.
    pub(crate) async fn read_if_exists(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.read(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Problem::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Reads a token: the text of a file, without white space around it.
    pub(crate) async fn read_token(&self, path: &Path) -> Result<Secret> {
        let bytes = self.read(path).await?;
        Ok(Secret::new(String::from_utf8_lossy(&bytes).trim()))
    }
}

/// Reads JSON from a file. What is wrong with it is said without its values.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    place: impl fmt::Display,
    bytes: &[u8],
) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        use serde_json::error::Category;
        let problem = match error.classify() {
            // The library's words quote values of the wrong type.
            Category::Data => "a field is missing or has the wrong type",
            _ => "it is not JSON",
        };
        let at = (error.line(), error.column());
        Problem::malformed(place, format!("{problem} (line {}, column {})", at.0, at.1))
    })
}

/// A secret that must be there.
pub(crate) fn secret<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Secret, D::Error> {
    let text: String = serde::Deserialize::deserialize(deserializer)?;
    if text.is_empty() {
        return Err(serde::de::Error::custom("a secret is empty"));
    }
    Ok(Secret::new(text))
}
