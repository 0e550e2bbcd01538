//! Looks at go, and at the module in the working directory.

use std::path::Path;

use engine::{Environment, probe};
use report::Check;

use crate::environment::Process;
use crate::error::CommandError;

pub(super) async fn check(
    process: &Process,
    environment: Environment,
    work_dir: &Path,
) -> Vec<Check> {
    let program = process.variable("KO_GO_PATH").map(ToOwned::to_owned);
    let found = match probe::go(program, environment, work_dir.to_owned()).await {
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
    vec![go, of_module(module)]
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
