//! `ko verify`: the answer, and what it rests on.

use serde::{Deserialize, Serialize};

/// The answer of a verification, as `--output=json` prints it.
///
/// Later versions add fields and verdicts and change the meaning of none: readers should
/// ignore fields that they do not know, and treat an unknown verdict as a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The version of this format, 1.
    pub version: u32,
    /// The image, by its digest where that is known.
    pub image: String,
    /// The answer.
    pub verdict: Verdict,
    /// Why the image is different, or refused; absent where it is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was proven; absent where the image is different, or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The image is what the named source gives.
    Verified,
    /// The image is what it claims to be; nobody has named the source.
    Consistent,
    /// The source gives something else.
    Different,
    /// What the image says, or who has signed it, is not accepted.
    Refused,
}

/// What was proven of an image, and what that rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The program, by its import path.
    pub program: String,
    /// The source that it was built from: a directory, or a repository at a commit.
    pub source: String,
    /// The commit that the program names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether the checkout had changes that were not committed.
    pub modified: bool,
    /// Whether every byte is the same, by the digest. Else diff_ids, configs and
    /// manifests are, and layers are compressed in another way.
    pub same_digest: bool,
    /// How many SBOMs are attached, which say the same.
    pub sboms: usize,
    /// Who has signed it; absent where that was not demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What was taken from the image, since it decides nothing that is not compared.
    pub its_word: Vec<String>,
    /// The settings that the source or the caller has chosen.
    pub built_with: Vec<String>,
    /// What was believed.
    pub trusted: Vec<String>,
    /// Whether the caches of this machine were believed.
    pub trusted_cache: bool,
}

/// Who has signed an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", untagged)]
pub enum Signature {
    /// The holder of a key.
    Key {
        /// The key, as the caller named it.
        key: String,
    },
    /// The identity that a certificate names.
    Identity {
        /// The subject of the certificate.
        identity: String,
        /// Who has identified it.
        issuer: String,
    },
}

impl Verification {
    /// The version of the format that is written here.
    pub const VERSION: u32 = 1;

    /// An image that was held to its source.
    #[must_use]
    pub fn of(image: &str, is_named: bool, found: Found) -> Self {
        let verdict = if is_named { Verdict::Verified } else { Verdict::Consistent };
        let (version, image) = (Self::VERSION, image.to_owned());
        Self { version, image, verdict, reason: None, found: Some(found) }
    }

    /// An image that does not pass.
    #[must_use]
    pub fn not(image: &str, verdict: Verdict, reason: &str) -> Self {
        let (version, image) = (Self::VERSION, image.to_owned());
        Self { version, image, verdict, reason: Some(reason.to_owned()), found: None }
    }

    /// The data, as JSON with a line end.
    #[must_use]
    pub fn json(&self) -> String {
        crate::document(self)
    }

    /// A line with the answer, and one for each thing that it rests on; nothing of an
    /// image that does not pass, which is an error.
    #[must_use]
    pub fn text(&self) -> String {
        let Some(found) = &self.found else { return String::new() };
        let mut verdict = match self.verdict {
            Verdict::Consistent => "consistent with its own claim".to_owned(),
            _ => "verified".to_owned(),
        };
        if found.trusted_cache {
            verdict.push_str(", trusting the cache of this machine");
        }
        let commit = found.commit.as_ref().map(|commit| match found.modified {
            true => format!("{commit}, with changes that are not committed"),
            false => commit.clone(),
        });
        let proven = match found.same_digest {
            true => "the digest: every byte",
            false => "diff_ids, configs and manifests; layers are compressed in another way",
        };
        let sboms = match found.sboms {
            0 => String::new(),
            sboms => format!("{sboms}, which say the same"),
        };
        let signature = match &found.signature {
            None => String::new(),
            Some(Signature::Key { key }) => format!("by the key {key}"),
            Some(Signature::Identity { identity, issuer }) => {
                format!("by {identity} (by {issuer})")
            }
        };
        let mut text = format!("{verdict}: {}\n", self.image);
        for (head, what) in [
            ("program", format!("ko://{}", found.program)),
            ("source", found.source.clone()),
            ("commit", commit.unwrap_or_default()),
            ("proven", proven.to_owned()),
            ("SBOMs", sboms),
            ("signature", signature),
            ("its word", found.its_word.join(", ")),
            ("built with", found.built_with.join(", ")),
            ("trusted", found.trusted.join(", ")),
        ] {
            if !what.is_empty() {
                text.push_str(&format!("  {head:<11}{what}\n"));
            }
        }
        text
    }
}
