//! Represents the scopes that a token is good for (distribution's token
//! authentication, "Requesting a Token").

use std::collections::{BTreeMap, BTreeSet};

use oci::Repository;

/// The access that a request needs. It decides which token is asked for, and how
/// a refusal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read only.
    Pull,
    /// Read and write.
    Push,
}

/// A set of rights: actions by resource, such as `repository:a/b`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(BTreeMap<String, BTreeSet<String>>);

impl Scopes {
    /// The scopes for a request about this repository, and about the source of a
    /// mount.
    pub(crate) fn of(repository: &Repository, access: Access, from: Option<&Repository>) -> Self {
        let mut scopes = Self::default();
        let actions: &[&str] = match access {
            Access::Pull => &["pull"],
            Access::Push => &["pull", "push"],
        };
        scopes.add(repository, actions);
        if let Some(from) = from {
            scopes.add(from, &["pull"]);
        }
        scopes
    }

    fn add(&mut self, repository: &Repository, actions: &[&str]) {
        let actions_of = self.0.entry(format!("repository:{}", repository.path())).or_default();
        actions_of.extend(actions.iter().map(|&action| action.to_owned()));
    }

    /// Reads a challenge's `scope`: scopes divided by spaces. What does not
    /// look like one is kept as it is: servers may name what they like.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scopes = Self::default();
        for scope in text.split_ascii_whitespace() {
            let (resource, actions) = match scope.rsplit_once(':') {
                Some((resource, actions)) if !actions.trim_matches(',').is_empty() => {
                    (resource, actions)
                }
                _ => (scope, ""),
            };
            let actions = actions.split(',').filter(|action| !action.is_empty());
            let actions_of = scopes.0.entry(resource.to_owned()).or_default();
            actions_of.extend(actions.map(str::to_owned));
        }
        scopes
    }

    pub(crate) fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|(resource, actions)| {
            self.0.get(resource).is_some_and(|have| have.is_superset(actions))
        })
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for (resource, actions) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
    }

    /// The scopes as written in requests; `push` stands before `pull`, as some
    /// servers expect.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |(resource, actions): (&String, &BTreeSet<String>)| {
            let actions: Vec<&str> = actions.iter().rev().map(String::as_str).collect();
            match actions.as_slice() {
                [] => resource.clone(),
                actions => format!("{resource}:{}", actions.join(",")),
            }
        };
        self.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_needs_both_repositories() {
        let (to, from) = ("r.io/b/to".parse().unwrap(), "r.io/a/from".parse().unwrap());
        let scopes = Scopes::of(&to, Access::Push, Some(&from));
        assert_eq!(scopes.texts(), ["repository:a/from:pull", "repository:b/to:push,pull"]);
        assert!(scopes.contains(&Scopes::of(&to, Access::Pull, None)));
        assert!(!Scopes::of(&to, Access::Pull, None).contains(&scopes));
        let itself = Scopes::of(&to, Access::Push, Some(&to));
        assert_eq!(itself.texts(), ["repository:b/to:push,pull"]);
    }

    #[test]
    fn scopes_of_challenges() {
        for (text, want) in [
            ("repository:a:pull,push", vec!["repository:a:push,pull"]),
            ("repository:a:pull  repository:a:push x", vec!["repository:a:push,pull", "x"]),
            ("registry:catalog:*", vec!["registry:catalog:*"]),
            ("a: ::", vec!["::", "a:"]),
            ("", vec![]),
        ] {
            assert_eq!(Scopes::parse(text).texts(), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_and_survives(text: String) {
            let scopes = Scopes::parse(&text);
            let again = Scopes::parse(&scopes.texts().join(" "));
            proptest::prop_assert!(scopes.contains(&again));
        }
    }
}
