//! Makes a record after a build: it looks at everything that the build read
//! according to the [`DepsListing`]. Nothing waits for a record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cancel::Cancel;
use golang::{BuildInfo, BuildSettings, ImportPath};
use stat::nanos_of;

use crate::checker::Checker;
use crate::confirmation::confirm;
use crate::deps_listing::{Deps, DepsListing};
use crate::embed::{self, Wanted};
use crate::flags::{Flags, Stamping};
use crate::header::Headers;
use crate::modules::Modules;
use crate::not_recorded::{End, NotRecorded};
use crate::outline::Outline;
use crate::packages::{Package, Packages};
use crate::reason::Uncacheable;
use crate::record::{FORMAT, Inputs, Nearest, Record, nearest};
use crate::releases::ReleaseLine;
use crate::rooted_path::RootedPath;
use crate::stamped_modules;
use crate::tree::{self, Dir, Filter, Refused, Single, Told};
use crate::vcs::{BinaryStamp, Places, Stamp, Unstampable};

/// A build that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Built<'a> {
    /// How it was run.
    pub settings: &'a BuildSettings,
    /// For which program.
    pub import_path: &'a ImportPath,
    /// What the binary says, read while no other build could replace it, as
    /// the layer was.
    pub info: &'a BuildInfo,
    /// What `go` says of it, asked since the build began.
    pub listing: &'a DepsListing,
    /// When it was started, or earlier: of [`Checker::begin_build`].
    pub started: SystemTime,
    /// What the caller finds the layer of the binary by: its diff_id.
    pub layer: &'a str,
    /// The record of which a check just said, before this build, that it is
    /// [`Unconfirmed`](crate::Reason::Unconfirmed).
    pub unconfirmed: Option<&'a Record>,
}

impl From<Refused> for End {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Since(path) => Self::Not(NotRecorded::DuringBuild { path }),
            Refused::Io(path, source) => Self::Not(NotRecorded::Read { path, source }),
            Refused::Name(path) => {
                Self::Uncacheable(Uncacheable::Name { path: path.display().to_string() })
            }
        }
    }
}

impl Record {
    /// Records what a build read, as the checker of this run sees it. A record may also say that builds of this kind are never
    /// fresh: keep it, for its sentence.
    ///
    /// # Errors
    /// As [`NotRecorded`] tells.
    ///
    /// With it comes what `go` said, unless that is what was kept before.
    pub fn capture(
        built: Built<'_>,
        checker: &Checker,
        cancel: &Cancel,
    ) -> Result<(Self, Option<Outline>), NotRecorded> {
        let (inputs, outline) = match inputs(built, checker, cancel) {
            Ok((inputs, outline)) => (Ok(inputs), outline),
            Err(End::Uncacheable(never)) => (Err(never), None),
            Err(End::Not(reason)) => return Err(reason),
        };
        Ok((Self { format: FORMAT, layer: built.layer.to_owned(), inputs }, outline))
    }
}

fn inputs(
    built: Built<'_>,
    checker: &Checker,
    cancel: &Cancel,
) -> Result<(Inputs, Option<Outline>), End> {
    let Built { settings, import_path, listing, .. } = built;
    let dir = &settings.dir;
    let started = nanos_of(built.started);
    // Before anything is looked at: what changes later is younger than this.
    let looked = listing.looked;
    let Deps { modes, flags, toolchain, packages } =
        listing.found.as_ref().map_err(Uncacheable::clone)?;

    let (main_dir, module) = nearest(dir, "go.mod");
    let (work_dir, work) = workspace(dir, modes.gowork.as_deref());
    let module_root = dir.ancestors().nth(main_dir.unwrap_or_default()).unwrap_or(dir);
    if module.is_none() && work_dir.is_none() || modes.gomod.is_empty() {
        return Err(Uncacheable::NoModule.into());
    }
    // In a workspace, go names no go.mod where there is none.
    if main_dir.is_some() && module_root.join("go.mod") != Path::new(&modes.gomod) {
        return Err(Uncacheable::NoModule.into());
    }
    let root = match (&work, &work_dir) {
        (Nearest::Up(_), Some(file)) => file.parent().unwrap_or(dir).to_owned(),
        _ => module_root.to_owned(),
    };
    let root = RootedPath::root(&root);
    let modules = match &work_dir {
        Some(file) => {
            let parent = file.parent().unwrap_or(file);
            let place = match work {
                Nearest::Up(_) => root.clone(),
                _ => RootedPath::absolute(parent),
            };
            Modules::find(Some((&place, file)), &root)
        }
        None => Modules::find(None, &root),
    };
    let bases: Vec<RootedPath> =
        modules.locals.iter().map(|local| local.dir.clone()).chain([root.clone()]).collect();
    let place = |path: &Path| RootedPath::of(path, &bases);

    let packages = packages
        .of(import_path)
        .ok_or_else(|| NotRecorded::Unlisted { import_path: import_path.clone() })?;
    if !stamped_modules::agrees(built.info, &packages) {
        return Err(NotRecorded::Modules.into());
    }
    let cache = &modes.gomodcache;
    let mut wanted = Wanted::new();
    let mut absent: BTreeSet<PathBuf> = BTreeSet::new();
    for package in packages.iter().copied().filter(|package| !package.standard) {
        if !package.is_cached(cache) {
            embed::want(&mut wanted, package.dir.clone(), Filter::Sources);
            let failed = |source| NotRecorded::Read { path: package.dir.clone(), source };
            let mut inner = BTreeSet::new();
            let (patterns, files) = (&package.embed_patterns, &package.embed_files);
            embed::add(&mut wanted, &mut inner, &package.dir, patterns, files).map_err(failed)?;
            absent.extend(inner.iter().map(|dir| dir.join("go.mod")));
        }
        claims(package, &modules, &mut wanted, &mut absent);
    }

    let mut singles: BTreeMap<PathBuf, RootedPath> = BTreeMap::new();
    for file in &modules.files {
        singles.insert(file.at.clone(), file.clone());
    }
    if let Some(vendor) = &modules.vendor {
        embed::want(&mut wanted, vendor.at.clone(), Filter::Sources);
        let list = vendor.join("modules.txt");
        singles.insert(list.at.clone(), list);
    }
    for path in absent {
        // Where names are listed, go.mod is among them.
        let listed = path.parent().and_then(|dir| wanted.get(dir));
        if listed.is_none_or(|(filter, _)| *filter == Filter::Named) {
            singles.entry(path.clone()).or_insert_with(|| place(&path));
        }
    }
    if let Some(profile) = &flags.profile {
        let found = if Path::new(profile).is_absolute() {
            RootedPath::absolute(Path::new(profile))
        } else {
            RootedPath::of(dir, [&root]).join(profile)
        };
        singles.insert(found.at.clone(), found);
    }

    let main = Packages::main(&packages).filter(|main| !main.standard);
    let offline = modes.offline.then_some(cache.as_path());
    // Whether that is proven has been asked before the build.
    let line = toolchain.line(true)?;
    let stamp = stamp(built, line, flags, main, offline, started, cancel)?;
    if let Some((stamp, places)) = &stamp
        && let Some(repository) = stamp.needs(places.0.as_path())
    {
        let file = place(&repository).join("go.mod");
        singles.entry(file.at.clone()).or_insert(file);
    }

    let name = |place: &RootedPath| {
        let text = place.name.to_str().map(str::to_owned);
        text.ok_or_else(|| Uncacheable::Name { path: place.at.display().to_string() })
    };
    let mut inputs = Inputs {
        looked,
        below: name(&RootedPath::of(dir, [&root]))?,
        work,
        module: main_dir,
        toolchain: toolchain.clone(),
        stamp: None,
        unconfirmed: None,
        dirs: Vec::with_capacity(wanted.len()),
        files: Vec::with_capacity(singles.len()),
    };
    if let Some((stamp, (_, package, module))) = stamp {
        inputs.stamp = Some((stamp, name(&place(&package))?, name(&place(&module))?));
    }
    if let Some(before) = &listing.before {
        before.teach(&root.at, checker);
    }
    let mut headers = Headers::new();
    for (path, (filter, names)) in &wanted {
        let dir = name(&place(path))?;
        let dir = Dir::capture(path, dir, *filter, names, started, checker, &mut headers)?;
        inputs.dirs.push(dir);
    }
    for (path, place) in &singles {
        let single = Single::capture(path, name(place)?, Told::Content, started)?;
        if single.content.is_none() {
            tree::absent(path, started)?;
        }
        inputs.files.push(single);
    }
    // Above the checkout, much happens in a directory that is none of ours.
    let repository = Places { line, dir, package: dir, module: module_root }.repository();
    let top = repository.as_deref().unwrap_or(module_root);
    for dir in dir.ancestors().take_while(|dir| dir.starts_with(top)) {
        tree::absent(&dir.join("go.work"), started)?;
    }
    confirm(&mut inputs, &root.at, checker, built.unconfirmed);
    if let Some(before) = &listing.before {
        return match before.agrees(&inputs, &headers) {
            true => Ok((inputs, None)),
            false => Err(NotRecorded::Outline.into()),
        };
    }
    let outline = Outline {
        root: root.at,
        modes: modes.clone(),
        flags: flags.clone(),
        packages: Packages::only(&packages),
        headers,
    };
    Ok((inputs, Some(outline)))
}

/// The file of the workspace, if there is one, and how it was found.
fn workspace(dir: &Path, gowork: Option<&str>) -> (Option<PathBuf>, Nearest) {
    let (up, found) = nearest(dir, "go.work");
    match gowork {
        Some("off") => (None, Nearest::Off),
        None | Some("") => match up {
            None => (None, Nearest::Up(None)),
            // go does not use the one that there is, for a reason of its own.
            Some(_) => (None, Nearest::Off),
        },
        Some(file) if found.as_deref() == Some(Path::new(file)) => (found, Nearest::Up(up)),
        Some(file) => (Some(PathBuf::from(file)), Nearest::Off),
    }
}

/// Adds what may not appear, or disappear, for an import path to mean the same
/// package as before: where each module whose path it begins with would have
/// it, and the modules in between.
fn claims(
    package: &Package,
    modules: &Modules,
    wanted: &mut Wanted,
    absent: &mut BTreeSet<PathBuf>,
) {
    let path = package.import_path.as_str();
    for local in &modules.locals {
        let Some(rest) = local.path.as_deref().and_then(|module| path.strip_prefix(module)) else {
            continue;
        };
        if !rest.is_empty() && !rest.starts_with('/') {
            continue;
        }
        let mut dir = local.dir.at.clone();
        for element in rest.split('/').filter(|element| !element.is_empty()) {
            dir.push(element);
            absent.insert(dir.join("go.mod"));
        }
        embed::want(wanted, dir, Filter::Sources);
    }
    if let Some(vendor) = &modules.vendor
        && vendor.at.is_dir()
    {
        embed::want(wanted, vendor.at.join(path), Filter::Sources);
    }
}

type Paths = (PathBuf, PathBuf, PathBuf);

/// What of version control is in the program, if `go` looks for it at all.
fn stamp(
    built: Built<'_>,
    line: ReleaseLine,
    flags: &Flags,
    main: Option<&Package>,
    offline: Option<&Path>,
    started: i64,
    cancel: &Cancel,
) -> Result<Option<(Stamp, Paths)>, End> {
    let module = main.and_then(|main| main.module.as_ref());
    let (Some(main), Some(module)) = (main, module) else {
        return Ok(None);
    };
    if flags.stamping == Stamping::Never || !module.version.is_empty() || !module.main {
        return Ok(None);
    }
    let info = built.info;
    let setting = |key: &str| {
        let found = info.settings.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    };
    let stamped = setting("vcs")
        .map(|_| (setting("vcs.revision").unwrap_or(""), setting("vcs.modified") == Some("true")));
    let binary = BinaryStamp {
        stamped,
        module: &module.path,
        version: info.main.as_ref().map_or("", |main| main.version.as_str()),
    };
    let settings = built.settings;
    let places = Places { line, dir: &settings.dir, package: &main.dir, module: &module.dir };
    match Stamp::capture(places, &settings.environment, binary, offline, started, cancel)? {
        Ok(stamp) => {
            let paths = (settings.dir.clone(), main.dir.clone(), module.dir.clone());
            Ok(Some((stamp, paths)))
        }
        Err(Unstampable::Uncacheable(never)) => Err(never.into()),
        Err(Unstampable::During) => Err(End::Not(NotRecorded::Repository)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Which workspace counts, and whether it is looked for again.
    #[test]
    fn workspaces_are_found_as_go_says() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("with/a")).unwrap();
        fs::create_dir_all(at("without/a")).unwrap();
        for file in ["with/go.work", "other.work"] {
            fs::write(at(file), "go 1.24\n").unwrap();
        }
        for (dir, gowork, file, found) in [
            ("with/a", Some("off"), None, Nearest::Off),
            // go has a reason of its own not to use the one that is there.
            ("with/a", None, None, Nearest::Off),
            ("with/a", Some(""), None, Nearest::Off),
            ("with/a", Some("with/go.work"), Some("with/go.work"), Nearest::Up(Some(1))),
            ("with/a", Some("other.work"), Some("other.work"), Nearest::Off),
            ("without/a", Some(""), None, Nearest::Up(None)),
            ("without/a", None, None, Nearest::Up(None)),
            ("without/a", Some("other.work"), Some("other.work"), Nearest::Off),
        ] {
            let named = gowork.map(|name| match name {
                "" | "off" => PathBuf::from(name),
                name => at(name),
            });
            let named = named.as_deref().and_then(Path::to_str);
            let want = (file.map(at), found);
            assert_eq!(workspace(&at(dir), named), want, "{dir}, GOWORK={gowork:?}");
        }
    }
}
