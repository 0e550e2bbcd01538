//! Looks at the programs that ko runs beside go: git, kubectl, and at ko itself.

use std::path::{Path, PathBuf};

use report::Check;

use crate::cli::VERSION;
use crate::environment::Process;
use crate::executables;

/// Does PATH lead to this ko?
pub(super) async fn ko(process: &Process, work_dir: &Path) -> Vec<Check> {
    const NAME: &str = "ko";
    let Some(own) = process.program() else {
        return vec![Check::ok(NAME, VERSION).fact("version", VERSION)];
    };
    let place = own.display();
    let same = |other: &Path| other.canonicalize().ok() == own.canonicalize().ok();
    let check = match executables::find(process, "ko") {
        Some(other) if !same(&other) => {
            let version = executables::said(&other, &["version"], work_dir).await;
            let version = version.unwrap_or_else(|problem| problem);
            let other = other.display();
            let message = format!(
                "{VERSION} at {place}, and PATH leads to another first: {version} at {other}"
            );
            let hint = format!("remove {other}, or put the directory of {place} before it in PATH");
            Check::warning(NAME, message).hint(hint).fact("first", other.to_string())
        }
        Some(_) => Check::ok(NAME, format!("{VERSION} at {place}, which is the first in PATH")),
        None => Check::ok(NAME, format!("{VERSION} at {place}; there is no ko in PATH")),
    };
    vec![check.fact("version", VERSION).fact("program", place.to_string())]
}

pub(super) async fn git(process: &Process, work_dir: &Path) -> Vec<Check> {
    const NAME: &str = "git";
    let Some(program) = executables::find(process, NAME) else {
        let message = "not in PATH: programs are built without their commit, and .Git in \
                       templates is empty";
        return vec![Check::warning(NAME, message).hint("install git")];
    };
    let version = match executables::said(&program, &["--version"], work_dir).await {
        Ok(version) => version.strip_prefix("git version ").unwrap_or(&version).to_owned(),
        Err(problem) => {
            return vec![Check::warning(NAME, format!("{}: {problem}", program.display()))];
        }
    };
    let words = ["rev-parse", "--is-shallow-repository", "--show-toplevel"];
    let found = executables::said(&program, &words, work_dir).await;
    let at = format!("{version} at {}", program.display());
    let check = match &found {
        Ok(found) => match found.split_once('\n') {
            Some(("true", repository)) => {
                let message = format!("{at}; {repository} is a shallow clone, without tags");
                Check::warning(NAME, message)
                    .hint("`git fetch --unshallow --tags`; `fetch-depth: 0` for actions/checkout")
            }
            Some((_, repository)) => {
                Check::ok(NAME, format!("{at}; the repository is {repository}"))
            }
            None => Check::ok(NAME, at),
        },
        Err(problem) if problem.contains("not a git repository") => {
            Check::ok(NAME, format!("{at}; there is no repository here"))
        }
        Err(problem) if problem.contains("dubious ownership") => {
            let message = format!("{at} refuses the repository, which is another user's");
            let dir = work_dir.display();
            let repository = problem.lines().find_map(|line| {
                line.trim().strip_prefix("git config --global --add safe.directory ")
            });
            let repository = repository.map_or_else(|| dir.to_string(), str::to_owned);
            Check::problem(NAME, message)
                .hint(format!("`git config --global --add safe.directory {repository}`"))
        }
        Err(problem) => {
            let problem = problem.lines().next().unwrap_or_default();
            Check::warning(NAME, format!("{at}: {problem}"))
        }
    };
    vec![check.fact("program", program.display().to_string()).fact("version", version)]
}

pub(super) async fn kubectl(process: &Process, work_dir: &Path) -> Vec<Check> {
    const NAME: &str = "kubectl";
    let Some(program) = executables::find(process, NAME) else {
        let message = "not in PATH: ko apply, create, delete and run need it";
        return vec![
            Check::warning(NAME, message)
                .hint("install it: https://kubernetes.io/docs/tasks/tools"),
        ];
    };
    let version = executables::said(&program, &["version", "--client"], work_dir).await;
    let version = match &version {
        Ok(text) => {
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("Client Version: ").unwrap_or(first)
        }
        Err(problem) => {
            return vec![Check::warning(NAME, format!("{}: {problem}", program.display()))];
        }
    };
    let at = format!("{version} at {}", program.display());
    let missing = missing_kubeconfigs(process, work_dir);
    let check = if let [first, ..] = &missing[..] {
        let message = format!("{at}; KUBECONFIG names {}, which is not there", first.display());
        Check::warning(NAME, message).hint("set KUBECONFIG to a file that is there, or unset it")
    } else {
        match executables::said(&program, &["config", "current-context"], work_dir).await {
            Ok(context) => Check::ok(NAME, format!("{at}; the context is {context}")),
            Err(_) => Check::ok(NAME, format!("{at}; there is no context, and so no cluster")),
        }
    };
    vec![check.fact("program", program.display().to_string()).fact("version", version)]
}

/// kubectl says nothing of a file that is not there.
fn missing_kubeconfigs(process: &Process, work_dir: &Path) -> Vec<PathBuf> {
    let named = process.variable("KUBECONFIG").unwrap_or_default();
    let named = std::env::split_paths(named).filter(|path| !path.as_os_str().is_empty());
    named.filter(|path| !work_dir.join(path).exists()).collect()
}
