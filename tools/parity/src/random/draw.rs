//! One random case: the elements that it is composed of.

use super::pool::{self, Base, Fixture};
use crate::case::Case;
use fastrand::Rng;
use std::fmt;

/// What a case is composed of. Its elements can be left out one by one.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    pub(super) fixture: &'static Fixture,
    pub(super) base: &'static Base,
    pub(super) elements: Vec<Element>,
}

/// A part of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// A main to build.
    Main(&'static str),
    /// A flag, with its value.
    Flag(&'static str),
    /// A variable.
    Variable(&'static str, &'static str),
    /// Lines of `.ko.yaml`.
    Setting(&'static str),
}

impl Draw {
    /// Draws a case.
    pub(super) fn new(seed: u64) -> Draw {
        let mut rng = Rng::with_seed(seed);
        let fixture = pick(&mut rng, &pool::FIXTURES);
        let base = pick(&mut rng, &pool::BASES);
        let mut elements = vec![Element::Main(word(&mut rng, fixture.mains))];
        if rng.u8(..4) == 0 {
            elements.push(Element::Main(word(&mut rng, fixture.mains)));
        }
        for _ in 0..rng.usize(..5) {
            elements.push(Element::Flag(word(&mut rng, &pool::FLAGS)));
        }
        for _ in 0..rng.usize(..3) {
            let (name, value) = *pick(&mut rng, &pool::VARIABLES);
            elements.push(Element::Variable(name, value));
        }
        let mut keys = Vec::new();
        for _ in 0..rng.usize(..4) {
            let setting = word(&mut rng, &pool::SETTINGS);
            let (key, _) = setting.split_once(':').expect("a setting has a key");
            let key = key.to_lowercase();
            // A key twice is an error, and little else would be seen.
            if fixture.has(setting) && !keys.contains(&key) {
                keys.push(key);
                elements.push(Element::Setting(setting));
            }
        }
        // One in eight has something that is wrong.
        if rng.u8(..8) == 0 {
            elements.push(pick(&mut rng, &pool::WRONG).clone());
        }
        Draw { fixture, base, elements }
    }

    /// Composes the case.
    pub(super) fn case(&self) -> Case {
        let mut case =
            Case::build("random", "").module(self.fixture.write).base((self.base.make)());
        let mut settings = String::new();
        for element in &self.elements {
            match element {
                Element::Main(main) => case.args.push((*main).to_owned()),
                Element::Flag(flag) => case.args.push((*flag).to_owned()),
                Element::Variable(name, value) => case = case.env(name, value),
                Element::Setting(setting) => settings.push_str(setting),
            }
        }
        if !settings.is_empty() {
            case = case.file(".ko.yaml", &settings);
        }
        if self.has("--push=false") {
            let mut args = case.args.clone();
            args.retain(|word| word != "--tag-only");
            args.push("--push".to_owned());
            case.pushed_by = Some(args);
        }
        case
    }

    /// Whether a flag is among the elements.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.elements.iter().any(|element| matches!(element, Element::Flag(one) if *one == flag))
    }

    /// Leaves out what a difference does not need. `still` tells what is
    /// found in a smaller draw.
    pub(super) fn shrink<F>(
        mut self,
        mut found: F,
        still: impl Fn(&Draw) -> Option<F>,
    ) -> (Draw, F) {
        let mut at = 0;
        while at < self.elements.len() {
            let mut smaller = self.clone();
            smaller.elements.remove(at);
            match still(&smaller) {
                Some(fewer) => (self, found) = (smaller, fewer),
                None => at += 1,
            }
        }
        let simple = Draw { base: &pool::BASES[0], ..self.clone() };
        if let Some(fewer) = still(&simple) {
            (self, found) = (simple, fewer);
        }
        (self, found)
    }
}

/// The case as it would stand in a table.
impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    Case::build(\"group/name\", \"\").module({})", self.fixture.name)?;
        write!(f, ".base({})", self.base.code)?;
        let mut settings = String::new();
        for element in &self.elements {
            match element {
                Element::Main(word) | Element::Flag(word) => write!(f, ".arg({word:?})")?,
                Element::Variable(name, value) => write!(f, ".env({name:?}, {value:?})")?,
                Element::Setting(setting) => settings.push_str(setting),
            }
        }
        if !settings.is_empty() {
            write!(f, ".file(\".ko.yaml\", {settings:?})")?;
        }
        writeln!(f)
    }
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    rng.choice(from).expect("no pool is empty")
}

fn word(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.usize(..from.len())]
}

#[cfg(test)]
mod tests {
    use super::{Draw, Element};

    #[test]
    fn a_seed_is_a_case() {
        for seed in 0..50 {
            assert_eq!(Draw::new(seed).to_string(), Draw::new(seed).to_string());
        }
        assert_ne!(Draw::new(1).to_string(), Draw::new(2).to_string());
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let mut draw = Draw::new(7);
        draw.elements = ["-P", "-B", "--bare", "--tag-only"].map(Element::Flag).to_vec();
        let both = |draw: &Draw| (draw.has("-B") && draw.has("--tag-only")).then_some(());
        let (small, ()) = draw.shrink((), both);
        assert_eq!(small.elements, ["-B", "--tag-only"].map(Element::Flag));
    }
}
