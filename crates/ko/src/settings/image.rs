//! What images hold beside their program: the flags about labels, times, SBOM and debugger.

use std::collections::BTreeMap;
use std::path::Path;

use engine::{
    BuildOptions, CheckLibraries, DebugOptions, DelveVersion, ImageOptions, Prebuilt, Repository,
    SbomOptions, Timestamp,
};

use crate::cli::{ImageArgs, VERSION, elements};
use crate::config;
use crate::environment::Process;
use crate::error::{CommandError, Result};

/// `--check-libs` is for all images, whatever their builds say.
pub(super) fn check_libraries(typed: &str, build: &mut BuildOptions) -> Result<()> {
    if typed.is_empty() {
        return Ok(());
    }
    let check = CheckLibraries::parse(typed).ok_or_else(|| {
        CommandError::new(format!(
            "invalid argument {typed:?} for \"--check-libs\" flag: must be warn, error or off"
        ))
    })?;
    build.check_libraries = check;
    build.builds.iter_mut().for_each(|build| build.check_libraries = check);
    Ok(())
}

/// The binaries of `--prebuilt`.
pub(super) fn prebuilt(typed: Vec<String>) -> Result<Option<Prebuilt>> {
    let mut prebuilt = Prebuilt::default();
    for pair in typed {
        let wrong = |reason: String| {
            let hint = "write PLATFORM=PATH, as in linux/arm64=dist/app".to_owned();
            CommandError::new(format!(
                "invalid argument {pair:?} for \"--prebuilt\" flag: {reason}"
            ))
            .hint(Some(hint))
        };
        let (platform, path) =
            pair.split_once('=').ok_or_else(|| wrong("there is no '='".to_owned()))?;
        config::add_prebuilt(&mut prebuilt, platform, path, "--prebuilt").map_err(wrong)?;
    }
    Ok(Some(prebuilt).filter(|prebuilt| !prebuilt.files.is_empty()))
}

pub(super) fn image(process: &Process, arguments: &ImageArgs) -> Result<ImageOptions> {
    let created = epoch(process, "SOURCE_DATE_EPOCH")?.map(|(_, time)| time);
    let kodata_created = epoch(process, "KO_DATA_DATE_EPOCH")?;
    let pairs = |elements: Vec<String>, wrong: fn(&str) -> String| {
        let pair = |element: String| match element.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(CommandError::new(wrong(&element))
                .hint(Some("write key=value, as in team=web".to_owned()))),
        };
        elements.into_iter().map(pair).collect::<Result<BTreeMap<_, _>>>()
    };
    let label = |element: &str| format!("invalid label flag: {element}");
    let annotation = |element: &str| format!("missing '=' in annotation: {element}");
    Ok(ImageOptions {
        labels: pairs(elements(&arguments.image_label), label)?,
        annotations: pairs(elements(&arguments.image_annotation), annotation)?,
        user: Some(arguments.image_user.clone()).filter(|user| !user.is_empty()),
        created,
        kodata_created,
    })
}

/// What templates take for now: `SOURCE_DATE_EPOCH`, else the clock.
pub(crate) fn now(process: &Process) -> Result<jiff::Timestamp> {
    let epoch = epoch(process, "SOURCE_DATE_EPOCH")?;
    let epoch = epoch.and_then(|(seconds, _)| jiff::Timestamp::from_second(seconds).ok());
    Ok(epoch.unwrap_or_else(jiff::Timestamp::now))
}

/// A variable that holds seconds since 1970: the number, and the time in UTC.
fn epoch(process: &Process, name: &str) -> Result<Option<(i64, Timestamp)>> {
    let Some(text) = process.text(name) else { return Ok(None) };
    let wrong = |reason: &str| {
        CommandError::new(format!(
            "the environment variable {name} should be the number of seconds since January 1st 1970, 00:00 UTC, got: {reason}"
        ))
    };
    let seconds: i64 = text
        .parse()
        .map_err(|_| wrong(&format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
    let time = Timestamp::from_epoch(seconds)
        .ok_or_else(|| wrong(&format!("{text}: a year before 0 or after 9999")))?;
    Ok(Some((seconds, time)))
}

/// Where what is attached to images goes, if not beside them.
pub(super) fn cosign_repository(process: &Process) -> Result<Option<Repository>> {
    let repository = process.text("COSIGN_REPOSITORY").map(|text| {
        text.parse::<Repository>()
            .map_err(|error| CommandError::of(&error).context("parsing $COSIGN_REPOSITORY"))
    });
    repository.transpose()
}

/// How SBOMs are made, if they are.
pub(super) fn sbom(
    process: &Process,
    arguments: &ImageArgs,
    publishing: &config::Publishing,
) -> Result<Option<SbomOptions>> {
    let attach = publishing.sbom_attach()?;
    let Some(format) = arguments.sbom.0 else { return Ok(None) };
    Ok(Some(SbomOptions {
        format,
        version: VERSION.to_owned(),
        dir: Some(&arguments.sbom_dir).filter(|dir| !dir.is_empty()).map(|dir| {
            // Files are named without `./`, as in ko.
            let path = Path::new(dir);
            path.strip_prefix(".").unwrap_or(path).to_owned()
        }),
        repository: cosign_repository(process)?,
        attach,
    }))
}

/// How programs are debugged, if they are. What is wrong is an error also where
/// nothing is debugged.
pub(super) fn debug(
    arguments: &ImageArgs,
    locked: Option<DelveVersion>,
) -> Result<Option<DebugOptions>> {
    let wrong = |value: &str, flag: &str, reason: &str| {
        CommandError::new(format!("invalid argument {value:?} for \"{flag}\" flag: {reason}"))
    };
    let port = u16::try_from(arguments.debug_port).ok().filter(|port| *port != 0);
    let port = port.ok_or_else(|| {
        let value = arguments.debug_port.to_string();
        wrong(&value, "--debug-port", "must be from 1 to 65535")
    })?;
    let version = match &*arguments.debug_version {
        "" => locked.unwrap_or_default(),
        version => version.parse().map_err(|error: engine::DelveVersionError| {
            wrong(version, "--debug-version", &error.to_string())
        })?,
    };
    let options = DebugOptions { version, port, start: arguments.debug_continue };
    Ok(arguments.debug.then_some(options))
}
