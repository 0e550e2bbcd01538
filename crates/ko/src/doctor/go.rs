//! Looks at go, at the platforms that it is to build for, and at the module in the working
//! directory.

use std::path::Path;

use engine::{COMMON_PLATFORMS, Environment, Platform, PlatformMatcher, probe};
use report::Check;

use crate::config::{List, Located, Origin};
use crate::environment::Process;
use crate::error::CommandError;

pub(super) async fn check(
    process: &Process,
    environment: Environment,
    work_dir: &Path,
    (platforms, takes_all): (&List, bool),
    unknown: impl Future<Output = Vec<Platform>>,
) -> Vec<Check> {
    let program = process.variable("KO_GO_PATH").map(ToOwned::to_owned);
    let (found, unknown) =
        tokio::join!(probe::go(program, environment, work_dir.to_owned()), unknown);
    let found = match found {
        Ok(found) => found,
        Err(problem) => {
            let message = CommandError::of(&problem);
            return vec![Check::problem("go", message.message()).maybe_hint(problem.hint())];
        }
    };
    let probe::FoundGo { program, version, is_known, newest_known, module } = found;
    let place = program.display().to_string();
    let is_trusted = process.text("KO_FRESH_UNPROVEN_GO").as_deref() == Some("1");
    let go = if is_known {
        Check::ok(
            "go",
            format!("{version} at {place}; its builds are known, so programs can be fresh"),
        )
    } else if is_trusted {
        let message = format!(
            "{version} at {place}; KO_FRESH_UNPROVEN_GO=1 trusts it as if it were Go {newest_known}"
        );
        Check::ok("go", message)
    } else {
        let message = format!(
            "{version} at {place} is not a release of Go whose builds are known here: \
             programs are built in each run"
        );
        let hint = format!("KO_FRESH_UNPROVEN_GO=1 trusts it as if it were Go {newest_known}");
        Check::warning("go", message).hint(hint)
    };
    let known = is_known.to_string();
    let go = go.fact("program", place).fact("version", version).fact("known", known);
    let mut checks = vec![go];
    checks.extend(of_platforms(&named(platforms), &unknown, takes_all));
    checks.push(of_module(module));
    checks
}

/// Those of the platforms that somebody has named, and Go does not know.
pub(super) async fn unknown(
    process: &Process,
    environment: Environment,
    work_dir: &Path,
    platforms: &List,
) -> Vec<Platform> {
    let program = process.variable("KO_GO_PATH").map(ToOwned::to_owned);
    let asked = named(platforms).into_iter().map(|(platform, _)| platform).collect();
    probe::unknown_platforms(program, environment, work_dir.to_owned(), asked).await
}

/// The platforms that a base should have images for: those that somebody has named, as far
/// as Go knows them.
pub(super) fn known(
    platforms: &List,
    wanted: &PlatformMatcher,
    unknown: &[Platform],
) -> Option<PlatformMatcher> {
    let is_named = platforms.items.iter().any(|item| !matches!(item.origin, Origin::Default));
    let PlatformMatcher::Any(wanted) = wanted else { return None };
    let known: Vec<Platform> =
        wanted.iter().filter(|platform| !unknown.contains(platform)).cloned().collect();
    (is_named && !known.is_empty()).then_some(PlatformMatcher::Any(known))
}

/// The platforms that somebody has named, and where. One may lack its half: then the base
/// decides.
fn named(platforms: &List) -> Vec<(Platform, Origin)> {
    let parsed =
        |Located { value, origin }: &Located<String>| match PlatformMatcher::parse(&[value]) {
            Ok(PlatformMatcher::Any(parsed)) => {
                parsed.into_iter().map(|platform| (platform, origin.clone())).collect()
            }
            _ => Vec::new(),
        };
    let named = platforms.items.iter().filter(|item| !matches!(item.origin, Origin::Default));
    let named = named.flat_map(parsed);
    named.filter(|(it, _)| !it.os.is_empty() && !it.architecture.is_empty()).collect()
}

/// Platforms that Go does not know. Bases have none of them, so images are built for the
/// others alone, if there are any; but `scratch` takes all.
fn of_platforms(named: &[(Platform, Origin)], unknown: &[Platform], takes_all: bool) -> Vec<Check> {
    const NAME: &str = "platform";
    let common: Vec<Platform> = COMMON_PLATFORMS.iter().filter_map(|it| it.parse().ok()).collect();
    let is_unknown = |(platform, _): &&(Platform, Origin)| unknown.contains(platform);
    let is_fatal = takes_all || named.iter().all(|it| is_unknown(&it));
    let check = |(platform, origin): &(Platform, Origin)| {
        let message = format!("{platform} ({origin}) is not a platform that Go builds for");
        let check = if is_fatal {
            Check::problem(NAME, message)
        } else {
            Check::warning(NAME, format!("{message}: images are built without it"))
        };
        let list = "`go tool dist list` lists them";
        match platform.nearest(&common) {
            Some(meant) => check.hint(format!("did you mean {meant}? {list}")),
            None => check.hint(list),
        }
    };
    named.iter().filter(is_unknown).map(check).collect()
}

fn of_module(module: Option<(std::path::PathBuf, Result<String, String>)>) -> Check {
    const NAME: &str = "module";
    let Some((file, path)) = module else {
        let message = "the working directory is in no Go module: there is nothing to build here";
        return Check::warning(NAME, message)
            .hint("run ko in the directory of a module; `go mod init` makes one");
    };
    let place = file.display().to_string();
    match path {
        Ok(path) => Check::ok(NAME, format!("{path} ({place})")).fact("path", path),
        Err(complaint) => {
            let hint = if complaint.contains("requires go >= ") {
                Some("install that release of Go; with GOTOOLCHAIN=auto, go fetches it by itself")
            } else {
                None
            };
            Check::problem(NAME, complaint).maybe_hint(hint)
        }
    }
    .fact("file", place)
}

#[cfg(test)]
mod tests {
    use report::Status;

    use super::*;

    #[test]
    fn unknown_platforms_are_problems_where_none_is_left() {
        let list = |words: &[&str]| {
            List::of(words.iter().map(|&word| word.to_owned()), Origin::Flag("--platform"))
        };
        let unknown: Vec<Platform> =
            ["linux/amd65", "plan10/x"].iter().map(|text| text.parse().unwrap()).collect();
        let told = |words: &[&str]| {
            let checks = of_platforms(&named(&list(words)), &unknown, false);
            let told = checks.into_iter().map(|check| (check.status, check.message, check.hint));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&["linux/amd64"]), []);
        assert_eq!(told(&["all"]), []);
        assert_eq!(
            told(&["linux/amd65"]),
            [(
                Status::Problem,
                "linux/amd65 (--platform) is not a platform that Go builds for".to_owned(),
                Some("did you mean linux/amd64? `go tool dist list` lists them".to_owned())
            )]
        );
        let some = told(&["linux/amd64,plan10/x"]);
        assert_eq!(some.len(), 1);
        assert_eq!(
            (some[0].0, some[0].2.as_deref()),
            (Status::Warning, Some("`go tool dist list` lists them"))
        );
        let on_scratch = of_platforms(&named(&list(&["linux/amd64,plan10/x"])), &unknown, true);
        assert_eq!(on_scratch[0].status, Status::Problem);
        assert!(named(&List::of(["linux/amd65".to_owned()], Origin::Default)).is_empty());
        assert!(named(&list(&["linux"])).is_empty());
    }
}
