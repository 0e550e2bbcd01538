//! Matches label selectors as Kubernetes writes them (API concepts, "Labels and
//! Selectors"), with its rules for keys and values.

mod grammar;
mod validate;

use std::fmt;

/// A selector: all of its requirements have to be met. Without any it matches
/// everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// One requirement on the labels of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Sorted, without duplicates; one value where the operator compares.
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Exists,
    DoesNotExist,
    /// `=`, `==` and `in`.
    In,
    /// `!=` and `notin`.
    NotIn,
    GreaterThan,
    LessThan,
}

/// Why a text is no selector, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse selector: {reason}")]
pub struct SelectorError {
    reason: String,
}

impl Selector {
    /// Parses a selector: requirements separated by commas, each of them `k`,
    /// `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, `k>1` or
    /// `k<1`.
    ///
    /// # Errors
    ///
    /// What does not follow the grammar, or is not a label's key or value.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        grammar::parse(text)
            .map(|requirements| Self { requirements })
            .map_err(|reason| SelectorError { reason })
    }

    /// Whether labels match; `lookup` gives the value of a label, if it is
    /// there.
    pub fn matches(&self, lookup: impl Fn(&str) -> Option<String>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| requirement.matches(lookup(&requirement.key).as_deref()))
    }

    /// The requirements, in the order they are written.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }
}

impl Requirement {
    /// Whether a label with this value, or its absence, is what is required.
    #[must_use]
    pub fn matches(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|listed| listed == value);
        let compare = |holds: fn(&i64, &i64) -> bool| {
            let number = |text: &str| text.parse::<i64>().ok();
            value.and_then(number).is_some_and(|value| {
                self.values
                    .first()
                    .and_then(|bound| number(bound))
                    .is_some_and(|bound| holds(&value, &bound))
            })
        };
        match self.operator {
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::In => value.is_some_and(is_listed),
            Operator::NotIn => !value.is_some_and(is_listed),
            Operator::GreaterThan => compare(i64::gt),
            Operator::LessThan => compare(i64::lt),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        Selector::parse(selector).unwrap().matches(|key| {
            labels.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_operator_matches_as_documented() {
        let labels = [("app", "web"), ("tier", ""), ("n", "5")];
        for (selector, expected) in [
            ("", true),
            ("app", true),
            ("App", false),
            ("!app", false),
            ("!other", true),
            ("app=web", true),
            ("app == web", true),
            ("app=", false),
            ("tier=", true),
            ("tier", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (web, db)", true),
            ("app in (db)", false),
            ("other in ()", false),
            ("tier in ()", true),
            ("app notin (db)", true),
            ("other notin (db)", true),
            ("n>4", true),
            ("n>5", false),
            ("n<6", true),
            ("n < 4", false),
            ("app>1", false),
            ("other<1", false),
            ("app=web,tier,!x", true),
            ("app=web,x", false),
            ("in in (in)", false),
            ("x.example.com/y!=1", true),
        ] {
            assert_eq!(matches(selector, &labels), expected, "{selector:?}");
        }
    }

    #[test]
    fn requirements_are_shown_as_they_are_read() {
        for text in ["k", "!k", "k in (a,b)", "k notin (,a)", "k>1", "k<1"] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.requirements()[0].to_string(), text);
        }
    }
}
