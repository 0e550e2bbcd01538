//! Reads who has to have signed an image that is verified: the holder of a key, or an
//! identity, with the trusted root by which that is found out.

use std::path::Path;

use engine::{Expected, ExpectedIdentity, ExpectedSigner, SignatureKey, TrustedRoot};

use crate::cli::VerifyArgs;
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::keyless::NAME as KEYLESS;
use crate::settings;
use crate::signing::VARIABLE;

/// Who has to have signed; `None` where nobody has to.
pub(crate) fn read(process: &Process, arguments: &VerifyArgs) -> Result<Option<ExpectedSigner>> {
    let subject = (
        ("--certificate-identity", &*arguments.certificate_identity),
        ("--certificate-identity-regexp", &*arguments.certificate_identity_regexp),
    );
    let issuer = (
        ("--certificate-oidc-issuer", &*arguments.certificate_oidc_issuer),
        ("--certificate-oidc-issuer-regexp", &*arguments.certificate_oidc_issuer_regexp),
    );
    let named = &*arguments.signature;
    let (subject, issuer) = (expected(subject)?, expected(issuer)?);
    if named != KEYLESS && subject.is_none() && issuer.is_none() {
        if !arguments.trusted_root.is_empty() {
            return Err(usage("--trusted-root is for keyless signatures")
                .hint(Some(format!("--signature={KEYLESS} asks for one"))));
        }
        return Ok(match named {
            "" => None,
            _ => Some(ExpectedSigner::Key(public_key(process, named)?)),
        });
    }
    if !matches!(named, "" | KEYLESS) {
        return Err(usage(
            "--signature names a key, and --certificate-identity or --certificate-oidc-issuer \
             somebody without one",
        ));
    }
    let (Some(subject), Some(issuer)) = (subject, issuer) else {
        let message = "a keyless signature is held to an identity and to who has identified it";
        let hint = "--certificate-identity and --certificate-oidc-issuer name them, or the forms \
                    of both with -regexp";
        return Err(usage(message).hint(Some(hint.to_owned())));
    };
    let root = Box::new(trusted_root(process, arguments)?);
    let expected = ExpectedIdentity { subject, issuer };
    Ok(Some(ExpectedSigner::Identity { expected, root }))
}

fn usage(message: impl Into<String>) -> CommandError {
    CommandError::new(message).of_kind(Kind::Usage)
}

/// What two flags say, of which one may be there.
fn expected(
    ((exactly, text), (matching, expression)): ((&str, &str), (&str, &str)),
) -> Result<Option<Expected>> {
    match (text, expression) {
        ("", "") => Ok(None),
        (text, "") => Ok(Some(Expected::Exactly(text.to_owned()))),
        ("", expression) => Expected::matching(expression)
            .map(Some)
            .map_err(|error| CommandError::of(&error).context(matching).of_kind(Kind::Usage)),
        _ => Err(usage(format!("{exactly} and {matching} are one too many"))),
    }
}

/// Reads the trusted root.
fn trusted_root(process: &Process, arguments: &VerifyArgs) -> Result<TrustedRoot> {
    if arguments.trusted_root.is_empty() {
        let hint = "--trusted-root names the file; `cosign trusted-root create` writes one, with \
                    --with-default-services that of the public Sigstore";
        let message = "a keyless signature needs a trusted root, which says who vouches for it";
        return Err(usage(message).hint(Some(hint.to_owned())));
    }
    let path = settings::absolute(process, Path::new(&arguments.trusted_root))?;
    let wrong =
        |reason: String| usage(format!("reading the trusted root {}: {reason}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    TrustedRoot::parse(&text).map_err(|error| wrong(error.to_string()))
}

/// Reads a public key.
fn public_key(process: &Process, named: &str) -> Result<SignatureKey> {
    let wrong = |reason: String| usage(format!("reading the key {named} of --signature: {reason}"));
    let text = match named.strip_prefix(VARIABLE) {
        Some(name) => {
            process.text(name).ok_or_else(|| wrong("there is no such variable".to_owned()))?
        }
        None => {
            let path = settings::absolute(process, Path::new(named))?;
            std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?
        }
    };
    SignatureKey::from_pem(&text).map_err(|error| {
        let hint = "`cosign public-key --key cosign.key` prints one".to_owned();
        wrong(error.to_string()).hint(Some(hint))
    })
}
