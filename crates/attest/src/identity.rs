//! Says whose keyless signatures are accepted: the subject and the issuer that their
//! certificate names, each exactly or by a regular expression.

use std::fmt;

use regex_lite::Regex;

/// What a text has to be.
#[derive(Debug, Clone)]
pub enum Expected {
    /// This text.
    Exactly(String),
    /// A text in which this expression matches somewhere, as with cosign's flags: `^` and
    /// `$` make it match the whole text.
    Matching(Regex),
}

/// A text is not a valid regular expression.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text:?} is no regular expression")]
pub struct ExpressionError {
    /// The text.
    pub text: String,
    /// Why not.
    #[source]
    source: regex_lite::Error,
}

impl Expected {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// The text is not a valid regular expression.
    pub fn matching(text: &str) -> Result<Self, ExpressionError> {
        Regex::new(text)
            .map(Self::Matching)
            .map_err(|source| ExpressionError { text: text.to_owned(), source })
    }

    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Exactly(want) => text == want,
            Self::Matching(expression) => expression.is_match(text),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(text) => f.write_str(text),
            Self::Matching(expression) => write!(f, "/{expression}/"),
        }
    }
}

/// Whose signatures are accepted.
#[derive(Debug, Clone)]
pub struct ExpectedIdentity {
    /// The subject: an address, or the URI of a workflow.
    pub subject: Expected,
    /// The issuer of tokens that has identified it.
    pub issuer: Expected,
}

impl ExpectedIdentity {
    /// Whether somebody is accepted.
    #[must_use]
    pub fn accepts(&self, identity: &Identity) -> bool {
        self.subject.accepts(&identity.subject) && self.issuer.accepts(&identity.issuer)
    }
}

impl fmt::Display for ExpectedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (by {})", self.subject, self.issuer)
    }
}

/// Who has signed, by a certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The subject.
    pub subject: String,
    /// Who has identified it.
    pub issuer: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (by {})", self.subject, self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_accepted_exactly_or_by_an_expression() {
        let exactly = |text: &str| Expected::Exactly(text.to_owned());
        let matching = |text: &str| Expected::matching(text).unwrap();
        let identity =
            Identity { subject: "dev@example.com".to_owned(), issuer: "https://i".to_owned() };
        for (subject, issuer, want) in [
            (exactly("dev@example.com"), exactly("https://i"), true),
            (exactly("dev@example.com"), exactly("https://i.example.com"), false),
            (exactly("example.com"), exactly("https://i"), false),
            (exactly(""), exactly(""), false),
            (matching("@example[.]com$"), exactly("https://i"), true),
            (matching("example"), matching("^https://"), true),
            (matching("^example"), matching("^https://"), false),
        ] {
            let expected = ExpectedIdentity { subject, issuer };
            assert_eq!(expected.accepts(&identity), want, "{expected}");
        }
        assert!(Expected::matching("(").is_err());
    }
}
