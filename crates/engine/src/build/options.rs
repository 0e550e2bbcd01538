//! Holds the options of builds: configured builds, flags and environment.

use std::path::PathBuf;

use golang::{Environment, Template, Uses};
use layer::FileRule;
use oci::Platform;

use crate::image::{ImageSettings, TagSource};
use crate::libraries::CheckLibraries;

/// How programs are built.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Builds that are configured, for the programs in their directories.
    pub builds: Vec<BuildConfig>,
    /// For programs whose build says nothing else.
    pub defaults: BuildFlags,
    /// What images say of themselves, of programs without a build of their own.
    pub image: ImageSettings,
    /// The files of images of programs without a build of their own.
    pub files: Vec<ImageFile>,
    /// Omit the kodata layer if the program has no kodata.
    pub skip_empty_kodata: bool,
    /// Omit the symbol table and debug information from programs.
    pub strip: bool,
    /// Build without `-trimpath`.
    pub untrimmed: bool,
    /// What becomes of programs whose libraries the base has not.
    pub check_libraries: CheckLibraries,
    /// The prebuilt binaries of the run's only program.
    pub prebuilt: Option<Prebuilt>,
    /// `--ldflags`: in place of all that is configured, unless empty.
    pub ldflags: Vec<Template>,
    /// What templates take for now.
    pub time: jiff::Timestamp,
    /// `--disable-optimizations`.
    pub disable_optimizations: bool,
    /// The build only verifies an image: it allows harmless settings alone, even the
    /// user's own.
    pub verifies: Option<VerifiedBuild>,
}

/// What the image says of its build that a build verifies, and who verifies.
#[derive(Debug, Clone, Default)]
pub struct VerifiedBuild {
    /// Its flags of the linker, which are taken where the source leaves them open: in
    /// the place of a template that looks at variables or the time.
    pub ldflags: Option<Vec<String>>,
    /// The environment of who verifies, whose settings are allowed.
    pub caller: Environment,
}

/// A build that is configured (`builds[]` of `.ko.yaml`).
#[derive(Debug, Clone, Default)]
pub struct BuildConfig {
    /// What it is called in messages.
    pub id: String,
    /// Where `go` runs, relative to the working directory.
    pub dir: PathBuf,
    /// The package, or one of its files, relative to `dir`.
    pub main: PathBuf,
    /// How it is built. What is empty here is as in the defaults.
    pub flags: BuildFlags,
    /// Names its image, in the place of what is said of all.
    pub naming: Option<Template>,
    /// The tags of its image, in the place of what is said of all, unless empty.
    pub tags: Vec<TagSource>,
    /// What the program's file is allowed (`security.capability`), on linux.
    pub capabilities: Option<[u8; 20]>,
    /// What its image says of itself: its own settings and those of all.
    pub image: ImageSettings,
    /// Its prebuilt binaries.
    pub prebuilt: Option<Prebuilt>,
    /// The files of its image: its own or those of all.
    pub files: Vec<ImageFile>,
    /// Omit the kodata layer if the program has no kodata.
    pub skip_empty_kodata: bool,
    /// Omit the symbol table and debug information from the program.
    pub strip: bool,
    /// Build without `-trimpath`.
    pub untrimmed: bool,
    /// What becomes of it if the base has not its libraries.
    pub check_libraries: CheckLibraries,
    /// Other programs in its image.
    pub mains: Vec<ImageMain>,
}

/// Another program in an image, beside the one that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageMain {
    /// The package: an import path, or a path that begins with a dot and starts where `go`
    /// runs for the build.
    pub package: String,
    /// Where that is said, for messages.
    pub place: String,
}

/// Files that go into an image beside the program.
#[derive(Debug, Clone)]
pub struct ImageFile {
    /// Which, and where they are in the image.
    pub rule: FileRule,
    /// Whether they are templates.
    pub template: bool,
    /// For which platforms; for all if there are none.
    pub platforms: Vec<Platform>,
    /// Where that is said, for messages.
    pub place: String,
}

/// The binaries of a program that somebody else has built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prebuilt {
    /// One for each platform.
    pub files: Vec<PrebuiltFile>,
}

/// A binary that somebody else has built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrebuiltFile {
    /// The platform that it is for.
    pub platform: Platform,
    /// The file, relative to the working directory.
    pub path: PathBuf,
    /// Where that is said, for messages.
    pub place: String,
}

impl Prebuilt {
    /// The platforms that there are binaries for.
    #[must_use]
    pub fn platforms(&self) -> Vec<String> {
        self.files.iter().map(|file| file.platform.to_string()).collect()
    }

    /// The binary for a platform: the one of its variant, else one that says none.
    pub(crate) fn path_for(&self, platform: &Platform) -> Option<&PathBuf> {
        let fits = |file: &&PrebuiltFile| {
            file.platform.os == platform.os
                && file.platform.architecture == platform.architecture
                && [&platform.os_version, ""].contains(&&*file.platform.os_version)
        };
        let exact = |file: &&PrebuiltFile| file.platform.variant == platform.variant;
        let files = || self.files.iter().filter(fits);
        let any = || files().find(|file| file.platform.variant.is_empty());
        files().find(exact).or_else(any).map(|file| &file.path)
    }
}

/// Flags and environment of `go build`.
#[derive(Debug, Clone, Default)]
pub struct BuildFlags {
    /// `NAME=value`, over the environment of the process.
    pub env: Vec<String>,
    /// Flags.
    pub flags: Vec<Template>,
    /// Flags for the linker.
    pub ldflags: Vec<Template>,
}

impl BuildOptions {
    /// What is in force for a program: each of the three lists is the one of
    /// its build, or the default; they are never merged.
    pub(crate) fn of(&self, config: Option<usize>) -> BuildFlags {
        let own = config.map(|index| &self.builds[index].flags);
        let strip = config.map_or(self.strip, |index| self.builds[index].strip);
        let mut flags = BuildFlags {
            env: pick(own, &self.defaults, |flags| &flags.env),
            flags: pick(own, &self.defaults, |flags| &flags.flags),
            ldflags: if self.ldflags.is_empty() {
                pick(own, &self.defaults, |flags| &flags.ldflags)
            } else {
                self.ldflags.clone()
            },
        };
        if strip && !self.disable_optimizations {
            let stripping = ["-s", "-w"].into_iter();
            flags.ldflags.extend(stripping.filter_map(|flag| Template::parse(flag).ok()));
        }
        flags
    }

    /// Whether the directories of a build stay in the program.
    pub(crate) fn is_untrimmed(&self, config: Option<usize>) -> bool {
        config.map_or(self.untrimmed, |index| self.builds[index].untrimmed)
    }

    /// Whether the image of a program is without a layer of kodata if that has no files.
    pub(crate) fn skips_empty_kodata(&self, config: Option<usize>) -> bool {
        config.map_or(self.skip_empty_kodata, |index| self.builds[index].skip_empty_kodata)
    }

    /// What becomes of a program whose libraries the base has not.
    pub(crate) fn checks_libraries(&self, config: Option<usize>) -> CheckLibraries {
        config.map_or(self.check_libraries, |index| self.builds[index].check_libraries)
    }

    /// What the templates of all builds look at.
    pub(crate) fn uses(&self) -> Uses {
        let flags = self.builds.iter().map(|build| &build.flags).chain([&self.defaults]);
        let flags = flags.flat_map(|flags| flags.flags.iter().chain(&flags.ldflags));
        let names = self.builds.iter().flat_map(|build| {
            build.naming.iter().chain(build.tags.iter().filter_map(TagSource::template))
        });
        let templates = flags.chain(&self.ldflags).chain(names).map(Template::uses);
        let images = self.builds.iter().map(|build| &build.image).chain([&self.image]);
        templates.chain(images.map(ImageSettings::uses)).fold(Uses::default(), Uses::union)
    }
}

fn pick<T: Clone>(
    own: Option<&BuildFlags>,
    defaults: &BuildFlags,
    list: fn(&BuildFlags) -> &Vec<T>,
) -> Vec<T> {
    own.map(list).filter(|list| !list.is_empty()).unwrap_or(list(defaults)).clone()
}
