//! Settles how images are published: how SBOMs are attached to them, and whether
//! repositories are made, each with its origin.

use engine::SbomAttach;

use super::origin::{Located, Origin};
use crate::cli::{boolean, values};
use crate::error::{CommandError, Result};
use crate::nearest::did_you_mean;

/// The settings, as they were written.
#[derive(Debug, Clone)]
pub(crate) struct Publishing {
    pub(crate) sbom_attach: Located<String>,
    pub(crate) create_repositories: Located<String>,
}

impl Publishing {
    /// What the file and the variables say. An empty text says nothing.
    pub(super) fn of(
        sbom_attach: Option<Located<String>>,
        create_repositories: Option<Located<String>>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |text: &Located<String>| !text.value.is_empty();
        let default = |text: &str| Located::new(text.to_owned(), Origin::Default);
        let variable = |name| variable(name).map(|text| Located::new(text, Origin::Variable(name)));
        let file = Self {
            sbom_attach: sbom_attach.filter(set).unwrap_or_else(|| default("tag")),
            create_repositories: create_repositories
                .filter(set)
                .unwrap_or_else(|| default("false")),
        };
        file.under(variable("KO_SBOMATTACH"), variable("KO_CREATEREPOSITORIES"))
    }

    /// What is in force where this much is said more strongly.
    pub(crate) fn under(
        self,
        sbom_attach: Option<Located<String>>,
        create_repositories: Option<Located<String>>,
    ) -> Self {
        Self {
            sbom_attach: sbom_attach.unwrap_or(self.sbom_attach),
            create_repositories: create_repositories.unwrap_or(self.create_repositories),
        }
    }

    /// How SBOMs are attached.
    pub(crate) fn sbom_attach(&self) -> Result<SbomAttach> {
        let wrong = "must be tag, referrers, both, attestation or none";
        let text = &self.sbom_attach;
        SbomAttach::parse(&text.value)
            .ok_or_else(|| error(text, "sbomAttach", "--sbom-attach", wrong))
    }

    /// Whether repositories are made.
    pub(crate) fn create_repositories(&self) -> Result<bool> {
        let (key, flag) = ("createRepositories", "--create-repositories");
        let text = &self.create_repositories;
        boolean(&text.value).map_err(|_| error(text, key, flag, "must be true or false"))
    }
}

/// An error as the place has it that the value was given at.
fn error(text: &Located<String>, key: &str, flag: &str, reason: &str) -> CommandError {
    let error = text.origin.error(match text.origin {
        Origin::Flag(_) => {
            format!("invalid argument {:?} for \"{flag}\" flag: {reason}", text.value)
        }
        _ => format!("'{key}': {reason}, not {:?}", text.value),
    });
    let known = values("build", flag.trim_start_matches('-')).iter().copied();
    error.also(did_you_mean(&text.value, known))
}
