//! Collects what a configuration will say, and what could not be taken over.

use std::collections::BTreeMap;
use std::path::Path;

use engine::{BaseReference, PlatformMatcher};

use super::image::Described;
use super::place::{below, clean, dotted, join};
use crate::config::DEFAULT_BASE_IMAGE;
use crate::mains::Main;

/// A configuration that is being made.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) base: Option<Taken<String>>,
    pub(super) overrides: BTreeMap<String, Taken<String>>,
    pub(super) platforms: Option<Taken<Vec<String>>>,
    /// What all images say of themselves.
    pub(super) image: Option<Described>,
    pub(super) builds: Vec<Build>,
    pub(crate) notes: Vec<Note>,
    /// What each program is to be based on, in the order of reading.
    bases: Vec<(usize, Taken<String>)>,
    wanted: Vec<(usize, Taken<Vec<String>>)>,
}

/// A value, and the place that it was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken<T> {
    pub(super) value: T,
    pub(super) from: String,
}

/// How a program will be built.
#[derive(Debug, Default)]
pub(super) struct Build {
    pub(super) id: String,
    /// Its directory, clean.
    pub(super) place: String,
    /// The directory of its module, clean.
    pub(super) dir: String,
    pub(super) import_path: Option<String>,
    pub(super) settings: Option<Settings>,
    /// What its image says of itself.
    pub(super) image: Option<Described>,
}

/// What a tool says of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) flags: Vec<String>,
    pub(super) ldflags: Vec<String>,
    pub(super) env: Vec<String>,
    /// What goes on the command line: variables, then flags.
    pub(super) variables: Vec<String>,
    pub(super) words: Vec<String>,
    /// What says this, and where that is.
    pub(super) what: String,
    pub(super) place: String,
}

impl Settings {
    /// Where this was said.
    pub(super) fn from(&self) -> String {
        format!("{} ({})", self.what, self.place)
    }
}

/// Something that was not taken over, or needs a look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note {
    is_taken: bool,
    /// The place: a file and a line.
    place: String,
    what: String,
    reason: String,
}

impl Note {
    /// The file, and the line in it.
    fn order(&self) -> (&str, usize) {
        let place = self.place.rsplit_once(':');
        let place = place.and_then(|(file, line)| Some((file, line.parse().ok()?)));
        place.unwrap_or((&self.place, 0))
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { is_taken, place, what, reason } = self;
        let status = if *is_taken { "taken over" } else { "not taken over" };
        write!(f, "{status}: {place}: {what}: {reason}")
    }
}

impl Draft {
    /// The program, if there is one alone.
    pub(super) fn only(&self) -> Option<usize> {
        (self.builds.len() == 1).then_some(0)
    }

    /// These programs, of which nothing is said yet.
    pub(super) fn new(work_dir: &Path, mains: Vec<Main>) -> Self {
        let parts = |path: &Path| {
            let parts = path.iter().map(|part| part.to_string_lossy());
            parts.collect::<Vec<_>>().join("/")
        };
        let here = work_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut builds: Vec<Build> = Vec::with_capacity(mains.len());
        for main in mains {
            let (place, dir) = (parts(&main.dir), parts(&main.module));
            let whole = main.import_path.as_deref().unwrap_or(&place);
            let last = whole.rsplit('/').next().filter(|last| !last.is_empty());
            let mut id = last.unwrap_or(&here).to_owned();
            if builds.iter().any(|other| other.id == id) {
                id = place.replace('/', "-");
            }
            let import_path = main.import_path;
            builds.push(Build { id, place, dir, import_path, ..Build::default() });
        }
        Self {
            base: None,
            overrides: BTreeMap::new(),
            platforms: None,
            image: None,
            builds,
            notes: Vec::new(),
            bases: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Says what is not taken over.
    pub(super) fn note(
        &mut self,
        place: impl std::fmt::Display,
        what: impl Into<String>,
        reason: impl Into<String>,
    ) {
        let (place, what, reason) = (place.to_string(), what.into(), reason.into());
        self.notes.push(Note { is_taken: false, place, what, reason });
    }

    /// Says what is taken over, and needs a look.
    pub(super) fn advise(&mut self, place: &str, what: String, reason: &str) {
        let (place, reason) = (place.to_owned(), reason.to_owned());
        self.notes.push(Note { is_taken: true, place, what, reason });
    }

    /// The program that `main` names in the directory `dir`: a package, a file of one,
    /// or a pattern that fits one alone. Else, why there is none.
    pub(super) fn program(&self, dir: &str, main: &str) -> Result<usize, String> {
        let path = clean(&join(dir, main))
            .ok_or_else(|| "it leads out of the working directory".to_owned())?;
        if let Some(above) = path.strip_suffix("...") {
            let above = above.trim_end_matches('/');
            let fits = self.builds.iter().enumerate();
            let fits = fits.filter(|(_, build)| below(&build.place, above).is_some());
            let fits: Vec<usize> = fits.map(|(at, _)| at).collect();
            return match fits[..] {
                [one] => Ok(one),
                _ => Err(format!("the pattern matches {} main packages, not one", fits.len())),
            };
        }
        let package = match path.strip_suffix(".go") {
            Some(_) => path.rsplit_once('/').map_or("", |(dir, _)| dir),
            None => path.as_str(),
        };
        self.at(package).ok_or_else(|| format!("there is no main package in {}", dotted(package)))
    }

    /// Takes over what a tool says of a program; the first that does counts.
    pub(super) fn take(&mut self, at: usize, settings: Settings) {
        let build = &mut self.builds[at];
        match &build.settings {
            None => build.settings = Some(settings),
            Some(first) => {
                let same = first.flags == settings.flags
                    && first.ldflags == settings.ldflags
                    && first.env == settings.env;
                if !same {
                    let reason = format!("{} says otherwise of the same program", first.from());
                    self.note(settings.place, settings.what, reason);
                }
            }
        }
    }

    /// The program in a clean directory.
    pub(super) fn at(&self, place: &str) -> Option<usize> {
        self.builds.iter().position(|build| build.place == place)
    }

    /// What a program is to be based on. The first that says it counts.
    pub(super) fn base(&mut self, at: usize, what: &str, base: String, from: String) {
        if let Some(base) = self.valid_base(what, base, from)
            && !self.bases.iter().any(|(other, _)| *other == at)
        {
            self.bases.push((at, base));
        }
    }

    /// A program is based on what ko takes by itself.
    pub(super) fn default_base(&mut self, at: usize) {
        let from = "what ko takes by itself".to_owned();
        self.base(at, "base", DEFAULT_BASE_IMAGE.to_owned(), from);
    }

    /// What all others are to be based on.
    pub(super) fn base_of_all(&mut self, what: &str, base: String, from: String) {
        self.base = self.valid_base(what, base, from);
    }

    fn valid_base(&mut self, what: &str, base: String, from: String) -> Option<Taken<String>> {
        if base.contains("{{") {
            self.note(from, what, "a base cannot be a template");
        } else if let Err(error) = base.parse::<BaseReference>() {
            self.note(from, what, error.to_string());
        } else {
            return Some(Taken { value: base, from });
        }
        None
    }

    /// The platforms of a program.
    pub(super) fn platforms(&mut self, at: usize, what: &str, wanted: Vec<String>, from: String) {
        if let Err(error) = PlatformMatcher::parse(&wanted) {
            self.note(from, what, error.to_string());
        } else if !self.wanted.iter().any(|(other, _)| *other == at) {
            self.wanted.push((at, Taken { value: wanted, from }));
        }
    }

    /// Decides what holds for all, and what for single programs.
    pub(super) fn settle(&mut self) {
        let bases = std::mem::take(&mut self.bases);
        let first = bases.first().map(|(_, base)| base.clone());
        let is_one = bases.windows(2).all(|pair| pair[0].1.value == pair[1].1.value);
        // A program of which nobody speaks may have any.
        let speaks = |at: usize| bases.iter().any(|(other, _)| *other == at);
        let are_all =
            (0..self.builds.len()).all(|at| speaks(at) || self.builds[at].settings.is_none());
        if self.base.is_none() && is_one && are_all {
            self.base = first;
        }
        self.base = self.base.take().filter(|base| base.value != DEFAULT_BASE_IMAGE);
        let default = self.base.as_ref().map_or(DEFAULT_BASE_IMAGE, |base| &base.value).to_owned();
        for (at, base) in bases.into_iter().filter(|(_, base)| base.value != default) {
            match self.builds[at].import_path.clone() {
                Some(path) => drop(self.overrides.insert(path, base)),
                None => {
                    let what = format!("the base {}", base.value);
                    let reason = "the program is in no module, and has no import path";
                    self.note(base.from, what, reason);
                }
            }
        }
        let wanted = std::mem::take(&mut self.wanted);
        let is_one = wanted.windows(2).all(|pair| pair[0].1.value == pair[1].1.value);
        for (at, platforms) in wanted {
            let flag = format!("--platform={}", platforms.value.join(","));
            if is_one {
                self.platforms.get_or_insert(platforms);
                continue;
            }
            let id = self.builds[at].id.clone();
            if let Some(settings) = &mut self.builds[at].settings {
                settings.words.push(flag.clone());
            }
            let reason =
                format!("programs have different ones, and .ko.yaml has one list for all: {flag}");
            self.note(platforms.from, format!("the platforms of {id}"), reason);
        }
        self.notes.sort_by(|one, other| one.order().cmp(&other.order()));
    }
}
