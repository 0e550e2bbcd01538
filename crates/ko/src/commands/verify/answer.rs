//! Says what a verification has found: to people, or as JSON.

use std::process::ExitCode;

use engine::Environment;
use engine::verify::{Claims, Proof, Specimen};
use report::verification::{Found, Signature, Verdict, Verification};

use super::{CLAIM, DIFFERENT, Source};
use crate::cli::{Output, VerifyArgs};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{progress, ui};

/// An image that is what its source gives.
pub(super) struct Same<'a> {
    pub(super) specimen: &'a Specimen,
    pub(super) claims: &'a Claims,
    /// What was compared; `None` where the cache of this machine has the answer.
    pub(super) proof: Option<Proof>,
    /// Settings that the source or the caller has chosen.
    pub(super) built_with: Vec<String>,
    /// The environment of `go`.
    pub(super) environment: &'a Environment,
}

/// Says that an image is what its source gives.
pub(super) fn same(
    (arguments, output): (&VerifyArgs, Output),
    source: &Source,
    same: Same<'_>,
) -> Result<ExitCode> {
    let (name, is_named) = (same.specimen.name(), source.is_named());
    let verification = Verification::of(&name, is_named, found(arguments, source, same));
    print(output, &verification)?;
    if is_named {
        return Ok(ExitCode::SUCCESS);
    }
    ui::log("Nobody has said which source is expected: --source, or --source-uri and --commit");
    Ok(ExitCode::from(CLAIM))
}

/// Says that an image is something else, or refused.
pub(super) fn not(
    process: &Process,
    output: Output,
    (image, verdict, error): (&str, Verdict, &CommandError),
) -> Result<ExitCode> {
    ui::fail(error, &progress::marks(process));
    print(output, &Verification::not(image, verdict, error.message()))?;
    Ok(ExitCode::from(DIFFERENT))
}

fn print(output: Output, verification: &Verification) -> Result<()> {
    ui::print(&match output {
        Output::Json => verification.json(),
        _ => verification.text(),
    })
}

fn found(arguments: &VerifyArgs, source: &Source, same: Same<'_>) -> Found {
    let claims = same.claims;
    let commit = claims.commit.as_deref().unwrap_or("no commit");
    let signature = match same.specimen.signed_by() {
        Some(by) => {
            Some(Signature::Identity { identity: by.subject.clone(), issuer: by.issuer.clone() })
        }
        None if arguments.signature.is_empty() => None,
        None => Some(Signature::Key { key: arguments.signature.clone() }),
    };
    Found {
        program: claims.import_path.clone(),
        source: match source {
            Source::Dir(dir) | Source::Here(dir) => dir.display().to_string(),
            Source::Commit(url, commit) => format!("{url} at {commit}"),
            Source::Repository(url) => format!("{url} at {commit}"),
        },
        commit: claims.commit.clone(),
        modified: claims.modified,
        same_digest: same.proof.as_ref().is_none_or(|proof| proof.same_digest),
        sboms: same.proof.as_ref().map_or(0, |proof| proof.sboms),
        signature,
        its_word: its_word(claims),
        built_with: same.built_with,
        trusted: trusted(same.environment, claims, arguments.trust_cache),
        trusted_cache: arguments.trust_cache,
    }
}

/// What was taken from the image, since it decides nothing that is not compared.
fn its_word(claims: &Claims) -> Vec<String> {
    let mut said = vec![claims.go.clone()];
    said.extend(claims.base.as_ref().map(|(name, digest)| format!("{name}@{digest}")));
    said.push(claims.platforms.join(" "));
    said.extend(claims.variables.iter().map(|(name, value)| format!("{name}={value}")));
    if let Some((seconds, _)) = &claims.created {
        said.push(format!("SOURCE_DATE_EPOCH={seconds}"));
    }
    if let Some((seconds, _)) = &claims.kodata_created {
        said.push(format!("KO_DATA_DATE_EPOCH={seconds}"));
    }
    said.retain(|text| !text.is_empty());
    said
}

/// What was believed.
fn trusted(environment: &Environment, claims: &Claims, cache: bool) -> Vec<String> {
    let go = if claims.go.is_empty() { "go" } else { &claims.go };
    let mut trusted = vec![format!("{go} of this machine")];
    trusted.push(if cache { "its caches" } else { "modules by go.sum" }.to_owned());
    for name in ["GOSUMDB", "GONOSUMDB", "GOPRIVATE"] {
        let value = environment.get(name).unwrap_or_default();
        if !value.is_empty() {
            trusted.push(format!("{name}={}", value.to_string_lossy()));
        }
    }
    trusted
}
