//! Resolves Kubernetes manifests: replaces `ko://` references by images.
//!
//! All files are one plan: every reference of every file is known and checked
//! before anything is built, and each program is built once.

mod error;
mod files;
mod guess;
mod outline;
mod url;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::num::NonZero;

use futures::future::join_all;
use golang::Argument;
use store::Store;
use yaml::{Found, Selector};

pub use self::error::{BadReference, ResolveError};
pub use self::files::{Input, enumerate};
use self::files::{Loaded, load};
use self::guess::Guess;
use self::outline::Outlines;
pub use self::url::ManifestUrl;
use crate::build::{Memory, Program};
use crate::engine::Engine;
use crate::error::Error;
use crate::events::Event;
use crate::execute::Published;
use crate::plan::{LookedUp, Plan, PlannedProgram};

/// From so many bytes on, threads for the documents of a file pay.
const LARGE: usize = 256 << 10;

/// So much of the output is handed over at once, in bytes, or up to twice as
/// much.
const CHUNK: usize = 256 << 10;

/// The files to resolve, and how.
#[derive(Debug, Default)]
pub struct Resolution {
    /// The files, in the order of the output.
    pub inputs: Vec<Input>,
    /// Keep only what matches (`-l`).
    pub selector: Option<String>,
    /// Find references inside longer strings too (`--embedded`).
    pub embedded: bool,
}

/// A reference that was replaced.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The reference, with `ko://`.
    pub reference: String,
    /// Whether it stands inside a longer string.
    pub embedded: bool,
    /// What took its place; empty if nothing was built.
    pub image: String,
}

/// The result of a resolution.
#[derive(Debug)]
pub struct Resolved {
    /// Every reference, in the order of the output.
    pub replaced: Vec<Replaced>,
    /// Every image, once.
    pub published: Vec<Published>,
}

/// Parsed files and the programs that they refer to.
struct References<'a> {
    files: Vec<yaml::File<'a>>,
    /// By reference.
    programs: BTreeMap<String, Program>,
    planned: Vec<PlannedProgram>,
}

impl Engine {
    /// Resolves manifests, and hands the output over in chunks when all
    /// images are published: each file ends with the line `---`.
    ///
    /// # Errors
    /// A file cannot be read or is no YAML, references are no programs (all of
    /// them are in the error): then nothing was built. Or a build or a
    /// publication failed, or `out` did.
    pub async fn resolve(
        &self,
        mut resolution: Resolution,
        out: impl AsyncFnMut(Vec<u8>) -> io::Result<()>,
    ) -> Result<Resolved, ResolveError> {
        self.prepare();
        let loaded = self.load(std::mem::take(&mut resolution.inputs)).await?;
        let References { files, programs, planned } =
            self.references(&loaded, &resolution, Memory::Used).await?;
        let plan = self.plan_programs(&unique(&programs), planned).await?;
        let published = self.execute(&plan).await?;
        let images: HashMap<&str, &str> = programs
            .iter()
            .filter_map(|(reference, program)| {
                let path = program.main.import_path.as_str();
                let image = published.iter().find(|published| published.import_path == path)?;
                Some((reference.as_str(), image.reference.as_str()))
            })
            .collect();
        write(&files, &images, out).await?;
        Ok(Resolved { replaced: replaced(&files, &images), published })
    }

    /// Does everything that can be done without building: the files are read
    /// and parsed, and all references looked up.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub async fn check(&self, mut resolution: Resolution) -> Result<Resolved, ResolveError> {
        let loaded = self.load(std::mem::take(&mut resolution.inputs)).await?;
        let References { files, .. } =
            self.references(&loaded, &resolution, Memory::Ignored).await?;
        Ok(Resolved { replaced: replaced(&files, &HashMap::new()), published: Vec::new() })
    }

    /// Plans what [`resolve`](Self::resolve) would build.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), of what is done before anything is built.
    pub async fn plan_manifests(&self, mut resolution: Resolution) -> Result<Plan, ResolveError> {
        self.prepare();
        let loaded = self.load(std::mem::take(&mut resolution.inputs)).await?;
        let References { programs, planned, .. } =
            self.references(&loaded, &resolution, Memory::Used).await?;
        Ok(self.plan_programs(&unique(&programs), planned).await?)
    }

    async fn load(&self, inputs: Vec<Input>) -> Result<Vec<Loaded>, ResolveError> {
        let load = async |input| {
            let Loaded { name, bytes } = match input {
                Input::Read(name, bytes) => Loaded { name, bytes },
                Input::File(path) => load(&self.work_dir, &path).await?,
                Input::Url(url) => {
                    let bytes = url::fetch(&url, &self.network).await?;
                    Loaded { name: url.to_string(), bytes }
                }
            };
            let bytes = yaml::to_utf8(&name, bytes).map_err(ResolveError::Parse)?;
            Ok(Loaded { name, bytes })
        };
        join_all(inputs.into_iter().map(load)).await.into_iter().collect()
    }

    /// What `--embedded` found beyond ko's references, before it is judged.
    fn tell_embedded(&self, files: &[yaml::File<'_>]) {
        for file in files {
            let embedded = file.references().iter();
            for found in embedded.filter(|found| found.extent == yaml::Extent::Embedded) {
                self.planner().observer.emit(Event::EmbeddedReference {
                    reference: found.value.clone(),
                    file: file.name().to_owned(),
                    line: found.position.line,
                    column: found.position.column,
                });
            }
        }
    }

    /// The files, parsed, and the program of each reference. What they seem to
    /// refer to is looked up while they are parsed.
    async fn references<'a>(
        &self,
        loaded: &'a [Loaded],
        resolution: &Resolution,
        memory: Memory,
    ) -> Result<References<'a>, ResolveError> {
        // What a selector leaves out need not be there.
        let whole = resolution.selector.is_none();
        let guess = whole.then(|| Guess::start(self.planner(), loaded, memory)).flatten();
        let store = (whole && memory == Memory::Used).then(|| self.store());
        let files = parse(loaded, resolution, self.threads, store)?;
        self.tell_embedded(&files);
        let (programs, planned) = self.check_references(&files, guess, memory).await?;
        Ok(References { files, programs, planned })
    }

    /// The program of each reference, or all references that name none.
    async fn check_references(
        &self,
        files: &[yaml::File<'_>],
        guess: Option<Guess>,
        memory: Memory,
    ) -> Result<(BTreeMap<String, Program>, Vec<PlannedProgram>), ResolveError> {
        let mut arguments: BTreeMap<&str, Option<Argument>> = BTreeMap::new();
        for found in files.iter().flat_map(yaml::File::references) {
            // References are taken as written: what is relative is so to the
            // working directory, and keeps its name.
            arguments.entry(&found.value).or_insert_with(|| Argument::parse(&found.value).ok());
        }
        let asked: Vec<Argument> = arguments.values().flatten().cloned().collect();
        let guessed = match guess {
            Some(guess) => guess.answers(&asked).await,
            None => None,
        };
        let answers = match guessed {
            Some(answers) => answers,
            None if asked.is_empty() => Ok(LookedUp::default()),
            None => self.planner().look_up(&asked, memory).await,
        };
        let LookedUp { programs: answers, planned } = answers.map_err(Error::from)?;
        let mut answers = answers.into_iter();
        let mut programs = BTreeMap::new();
        let mut refused = HashMap::new();
        for (reference, argument) in arguments {
            match argument.and_then(|_| answers.next()) {
                Some(Ok(program)) => _ = programs.insert(reference.to_owned(), program),
                Some(Err(error)) => {
                    let reason = error.reason().map(|reason| format!(": {reason}"));
                    let text = format!("{error}{}", reason.unwrap_or_default());
                    _ = refused.insert(reference, text);
                }
                None => _ = refused.insert(reference, "importpath is empty".to_owned()),
            }
        }
        if refused.is_empty() {
            return Ok((programs, planned));
        }
        let bad =
            files.iter().flat_map(|file| file.references().iter().map(move |found| (file, found)));
        let bad = bad.filter_map(|(file, found)| {
            let reason = refused.get(found.value.as_str())?.clone();
            Some(BadReference {
                file: file.name().to_owned(),
                position: found.position,
                reference: found.value.clone(),
                reason,
            })
        });
        Err(ResolveError::References(bad.collect()))
    }
}

/// Each program once: two references may mean the same.
fn unique(programs: &BTreeMap<String, Program>) -> Vec<Program> {
    let mut unique: Vec<Program> = Vec::new();
    for program in programs.values() {
        if unique.iter().all(|other| other.main.import_path != program.main.import_path) {
            unique.push(program.clone());
        }
    }
    unique
}

/// Parses all files, several at once, or the documents of a single one; but not
/// what was parsed before, where the outlines are kept.
fn parse<'a>(
    loaded: &'a [Loaded],
    resolution: &Resolution,
    threads: NonZero<usize>,
    store: Option<&Store>,
) -> Result<Vec<yaml::File<'a>>, ResolveError> {
    let selector = match resolution.selector.as_deref() {
        Some(text) => {
            let parsed = Selector::parse(text);
            Some(parsed.map_err(ResolveError::Selector)?)
        }
        None => None,
    };
    let mode = if resolution.embedded { yaml::Mode::Embedded } else { yaml::Mode::Whole };
    let loaded_alone = loaded.len() == 1;
    let one = |loaded: &'a Loaded| {
        let source = yaml::Source { name: &loaded.name, bytes: &loaded.bytes };
        let alone = loaded_alone && source.bytes.len() >= LARGE;
        let threads = if alone { threads } else { NonZero::<usize>::MIN };
        let outlines = store.and_then(|store| Outlines::of(store, &source, mode));
        if let Some(file) = outlines.as_ref().and_then(|kept| kept.recall(&source, mode)) {
            return Ok(file);
        }
        let file = yaml::File::parse_on(&source, mode, threads);
        let mut file = file.map_err(ResolveError::Parse)?;
        if let Some(outlines) = outlines {
            outlines.keep(&file, mode);
        }
        if let Some(selector) = &selector {
            file.select(selector).map_err(ResolveError::Select)?;
        }
        Ok(file)
    };
    let parsed: Vec<Result<yaml::File<'a>, ResolveError>> = std::thread::scope(|scope| {
        let chunks = loaded.chunks(loaded.len().div_ceil(threads.get()).max(1));
        let workers: Vec<_> = chunks
            .map(|chunk| scope.spawn(move || chunk.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let joined =
            workers.into_iter().map(|worker| worker.join().expect("parsing does not panic"));
        joined.flatten().collect()
    });
    parsed.into_iter().collect()
}

/// The output of all files.
async fn write(
    files: &[yaml::File<'_>],
    images: &HashMap<&str, &str>,
    mut out: impl AsyncFnMut(Vec<u8>) -> io::Result<()>,
) -> Result<(), ResolveError> {
    let failed = ResolveError::Write;
    let mut chunk = Vec::new();
    for file in files {
        let image = |found: &Found| {
            Cow::Borrowed(images.get(found.value.as_str()).copied().unwrap_or_default())
        };
        let spliced = file
            .manifest(image)
            .map_err(|source| ResolveError::Unfit { file: file.name().to_owned(), source })?;
        for piece in spliced.pieces() {
            // A piece may be a whole file: it is never there twice.
            for part in piece.as_bytes().chunks(CHUNK) {
                chunk.extend_from_slice(part);
                if chunk.len() >= CHUNK {
                    out(std::mem::take(&mut chunk)).await.map_err(failed)?;
                }
            }
        }
    }
    out(chunk).await.map_err(failed)
}

fn replaced(files: &[yaml::File<'_>], images: &HashMap<&str, &str>) -> Vec<Replaced> {
    let each = |(file, found): (&yaml::File<'_>, &Found)| Replaced {
        file: file.name().to_owned(),
        line: found.position.line,
        column: found.position.column,
        reference: found.value.clone(),
        embedded: found.extent == yaml::Extent::Embedded,
        image: images.get(found.value.as_str()).copied().unwrap_or_default().to_owned(),
    };
    files
        .iter()
        .flat_map(|file| file.references().iter().map(move |found| (file, found)))
        .map(each)
        .collect()
}
