//! Masks the values of variables that are called like secrets, also where a template has brought
//! them into words of a command.

use std::borrow::Cow;
use std::cmp::Reverse;

use golang::Environment;

use super::redact;

/// What stands for such a value.
pub(crate) const MASK: &str = "REDACTED";

/// How long the value of a variable is that may be a secret. Shorter ones, such as `true`, are
/// also words of their own.
const SHORTEST: usize = 6;

/// The words of a command without the values of variables that are called like secrets, which
/// templates bring into them.
pub(crate) fn without_secrets<'a>(
    words: impl Iterator<Item = Cow<'a, str>>,
    environment: &Environment,
) -> Vec<String> {
    let secrets = environment.iter().filter(|(name, _)| is_secret(&name.to_string_lossy()));
    let mut secrets: Vec<_> = secrets
        .map(|(_, value)| value.to_string_lossy())
        .filter(|value| value.len() >= SHORTEST)
        .collect();
    // One may begin with another.
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    let hidden = |word: Cow<'_, str>| {
        let without = |word: String, secret: &Cow<'_, str>| word.replace(&**secret, MASK);
        redact(&secrets.iter().fold(word.into_owned(), without))
    };
    words.map(hidden).collect()
}

/// Whether a variable is called like one that holds a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    let mut parts = name.split(['_', '-', '.']);
    let first = parts.next().unwrap_or_default();
    // `PWD` is the working directory, and `AUTHOR` no secret.
    PARTS.contains(&first) && first != "PWD"
        || parts.any(|part| PARTS.contains(&part))
        || ENDS.iter().any(|end| name.ends_with(end))
}

/// Parts of names of variables that hold secrets.
const PARTS: [&str; 15] = [
    "AUTH",
    "CREDENTIAL",
    "CREDENTIALS",
    "DSN",
    "KEY",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "PRIVATE",
    "PWD",
    "SECRET",
    "SECRETS",
    "TOKEN",
];

/// How else the names of such variables end.
const ENDS: [&str; 8] =
    ["APIKEY", "AUTH", "CREDENTIALS", "PASSPHRASE", "PASSWD", "PASSWORD", "SECRET", "TOKEN"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "DB_PASS",
            "GH_PAT",
            "GOAUTH",
            "MYSQL_PWD",
            "MyToken",
            "PASSPHRASE",
            "SENTRY_DSN",
            "SSH_PRIVATE_KEY",
            "apikey",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["GIT_AUTHOR_NAME", "GOPATH", "KEYBOARD", "OLDPWD", "PATH", "PWD", "TOKENIZER"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn words_hold_no_secrets() {
        let environment = Environment::from_iter([
            ("A_TOKEN", "hunter2"),
            ("B_TOKEN", "hunter2-and-more"),
            ("USES_AUTH", "true"),
            ("VERSION", "v1.0.0"),
        ]);
        let words = ["-ldflags=-X a=hunter2-and-more -X b=hunter2 -X c=true -X d=v1.0.0"];
        let told = without_secrets(words.into_iter().map(Cow::from), &environment);
        assert_eq!(told, ["-ldflags=-X a=REDACTED -X b=REDACTED -X c=true -X d=v1.0.0"]);
    }
}
