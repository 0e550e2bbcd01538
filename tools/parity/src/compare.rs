//! Compares two observations. A difference is a finding unless the case
//! names it, with the value that ours is to have; a named difference that is
//! not there is a finding too.

use crate::observe::Observation;
use crate::run::Scene;
use crate::tar_diff;
use std::collections::BTreeSet;
use std::fmt;

/// A difference that nobody meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) field: String,
    pub(crate) ko: Option<String>,
    pub(crate) ours: Option<String>,
    /// What is known about the cause, line by line.
    pub(crate) notes: Vec<String>,
}

/// What ours knows of earlier runs of the same case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Nothing.
    None,
    /// An earlier run made the same images.
    Same,
}

/// Why a line that ko prints for each build may be missing.
pub(crate) const FRESH: &str =
    "an image that is fresh is not built again, so that no line `Building` says that it is";

/// Whether a difference is that ours builds nothing that is fresh.
fn is_fresh(field: &str, ours: Option<&String>, memory: Memory) -> bool {
    memory == Memory::Same && ours.is_none() && field.starts_with("stderr Building ")
}

/// Lists what differs and should not.
pub(crate) fn compare(
    scene: &Scene<'_>,
    ko: &Observation,
    ours: &Observation,
    memory: Memory,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut unused: Vec<_> = scene.case.differences.iter().collect();
    let (theirs, mine) = (ko.fields_beside(ours), ours.fields_beside(ko));
    let fields: BTreeSet<&String> = theirs.keys().chain(mine.keys()).collect();
    for field in fields {
        let (theirs, mine) = (theirs.get(field), mine.get(field));
        if theirs == mine {
            continue;
        }
        let named = unused.iter().position(|difference| {
            scene.fill(&difference.field) == *field
                && difference.ours.as_ref().map(|value| scene.fill(value)).as_ref() == mine
        });
        match named {
            Some(at) => drop(unused.remove(at)),
            None if is_fresh(field, mine, memory) => {}
            None => findings.push(Finding {
                field: field.clone(),
                ko: theirs.cloned(),
                ours: mine.cloned(),
                notes: match (ko.tars.get(field), ours.tars.get(field)) {
                    (Some(ko), Some(ours)) => tar_diff::diff(ko, ours),
                    _ => Vec::new(),
                },
            }),
        }
    }
    for difference in unused {
        let field = scene.fill(&difference.field);
        findings.push(Finding {
            ko: ko.fields.get(&field).cloned(),
            ours: ours.fields.get(&field).cloned(),
            field,
            notes: vec![format!(
                "the case expects a difference here ({}), with ours {:?}",
                difference.reason, difference.ours
            )],
        });
    }
    let fails = scene.case.fails.iter().filter(|_| !scene.case.refuses);
    let fails = fails.map(|phrase| ("error", phrase, "said"));
    let says = scene.case.says.iter().map(|phrase| ("stderr says", phrase, "true"));
    for (kind, phrase, wanted) in fails.chain(says) {
        let field = format!("{kind} {}", scene.fill(phrase));
        let said = ko.fields.get(&field).filter(|value| *value == wanted);
        if said.is_none() {
            let notes = vec!["the case expects ko itself to say this".to_owned()];
            let ko = ko.fields.get(&field).cloned();
            findings.push(Finding { field, ko, ours: None, notes });
        }
    }
    findings.extend(success(scene, ko));
    findings.extend(order(scene, ours));
    findings.extend(larger_layers(ko, ours));
    findings
}

/// Layers that are larger to send than ko's.
fn larger_layers(ko: &Observation, ours: &Observation) -> Vec<Finding> {
    let larger = ours.sizes.iter().filter_map(|(field, &ours)| {
        let &theirs = ko.sizes.get(field)?;
        (ours > theirs).then(|| Finding {
            field: field.clone(),
            ko: Some(format!("{theirs} bytes")),
            ours: Some(format!("{ours} bytes")),
            notes: Vec::new(),
        })
    });
    larger.collect()
}

/// A case that ko cannot do proves nothing, unless it says so.
fn success(scene: &Scene<'_>, ko: &Observation) -> Option<Finding> {
    let field = "exit code";
    let code = ko.fields.get(field).filter(|code| *code != "0")?;
    let case = scene.case;
    let meant = !case.fails.is_empty() || case.differences.iter().any(|one| one.field == field);
    (!meant).then(|| Finding {
        field: field.to_owned(),
        ko: Some(code.clone()),
        ours: None,
        notes: vec!["the case expects ko to succeed".to_owned()],
    })
}

/// Our lines on stdout come in the order of the arguments.
fn order(scene: &Scene<'_>, ours: &Observation) -> Option<Finding> {
    let wanted = &scene.case.order;
    if wanted.is_empty() {
        return None;
    }
    let fits = wanted.len() == ours.lines.len()
        && wanted.iter().zip(&ours.lines).all(|(part, line)| line.contains(part));
    (!fits).then(|| Finding {
        field: "stdout order".to_owned(),
        ko: None,
        ours: Some(ours.lines.join("\n")),
        notes: vec![format!("the case expects lines with {}", wanted.join(", "))],
    })
}

impl Finding {
    /// Adds what is known about the cause.
    pub(crate) fn note(mut self, note: &str) -> Finding {
        self.notes.push(note.to_owned());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    {}", self.field)?;
        for (who, value) in [("ko  ", &self.ko), ("ours", &self.ours)] {
            let value = value.as_deref().unwrap_or("(absent)");
            writeln!(f, "      {who}  {}", value.replace('\n', "\n            "))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "      - {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, Observation, is_fresh, larger_layers};

    #[test]
    fn only_a_second_run_may_say_less() {
        let (said, built) = ("x".to_owned(), "stderr Building example.com/app for linux/amd64");
        assert!(is_fresh(built, None, Memory::Same));
        assert!(!is_fresh(built, None, Memory::None));
        assert!(!is_fresh(built, Some(&said), Memory::Same));
        assert!(!is_fresh("stderr Using base a for b", None, Memory::Same));
    }

    #[test]
    fn no_layer_is_larger_to_send() {
        let seen = |size| Observation {
            sizes: [("layers[1]/digest".to_owned(), size)].into(),
            ..Observation::default()
        };
        assert!(larger_layers(&seen(100), &seen(100)).is_empty());
        assert!(larger_layers(&Observation::default(), &seen(100)).is_empty());
        assert_eq!(larger_layers(&seen(100), &seen(101)).len(), 1);
    }
}
