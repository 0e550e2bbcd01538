//! The programs that are built: made here, the same each time, and committed
//! to a git repository, because `go` stamps what it builds there.

use std::fmt::Write as _;
use std::path::PathBuf;

use testkit::module::{Module, fleet};
use testkit::sandbox::Sandbox;
use toolkit::checkout::Checkout;
use toolkit::{Result, git};

/// How many references [`Fixture::Manifests`] has.
pub(crate) const REFERENCES: usize = 130;

/// How many mains the manifests of a fleet refer to, and how many files there
/// are.
pub(crate) const MAINS: usize = 35;
const FILES: usize = 200;

/// The repository of the scenarios with `tekton` in their names.
const TEKTON: &str = "github.com/tektoncd/pipeline@v1.9.0";

/// What is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fixture {
    /// A program that imports nothing.
    Small,
    /// This many mains of about 17 MB, and 200 manifests in `config`, of which
    /// as many refer to one main each.
    Fleet(usize),
    /// This many programs that import nothing, each with a file of kodata, and
    /// as many manifests.
    Many(usize),
    /// One of them, and 6 MB of manifests in one file with [`REFERENCES`]
    /// references to it.
    Manifests,
    /// The small program with 200 MB of kodata in 10,000 files.
    Kodata,
    /// Tekton Pipelines, its base images replaced.
    Tekton,
    /// A module with its version, or a directory.
    Project(String),
}

/// A fixture that was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// Where commands run.
    pub(crate) dir: PathBuf,
    _checkout: Option<Checkout>,
}

impl Fixture {
    /// The name of what may be kept for it between runs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Small | Self::Kodata | Self::Many(_) => "small",
            Self::Fleet(_) | Self::Manifests => "fleet",
            Self::Tekton => "tekton",
            Self::Project(_) => "project",
        }
    }

    /// Writes it to the working directory of a sandbox, or a directory of its
    /// own. `host` is the registry with the bases.
    pub(crate) fn write(&self, sandbox: &Sandbox, host: &str) -> Result<Written> {
        let dir = sandbox.work();
        match self {
            Self::Small => drop(Module::new(&dir, "example.com/app").main(".")),
            Self::Kodata => {
                drop(Module::new(&dir, "example.com/app").main(".").kodata(".", 200, 10_000));
            }
            Self::Fleet(mains) => {
                let fleet = fleet(&dir, *mains);
                let references = fleet.import_paths();
                let mut module = fleet.module;
                for number in 0..FILES {
                    let path = references.get(number).map_or("example.com/image", String::as_str);
                    let scheme = if number < references.len() { "ko://" } else { "" };
                    let text = small_manifest(number, &format!("{scheme}{path}"));
                    module = module.file(&format!("config/{number:03}.yaml"), text);
                }
            }
            Self::Many(mains) => {
                let mut module = Module::new(&dir, "example.com/app");
                for number in 0..*mains {
                    let main = format!("cmd/app{number:03}");
                    let text = small_manifest(number, &format!("ko://example.com/app/{main}"));
                    module = module
                        .main(&main)
                        .file(&format!("{main}/kodata/name.txt"), format!("{main}\n"))
                        .file(&format!("config/{number:03}.yaml"), text);
                }
            }
            Self::Manifests => {
                let fleet = fleet(&dir, 1);
                let text = large_manifests(&fleet.import_paths()[0]);
                drop(fleet.module.file("config/release.yaml", text));
            }
            Self::Tekton => return project(TEKTON, host),
            Self::Project(source) => return project(source, host),
        }
        git::commit_all(&dir);
        Ok(Written { dir, _checkout: None })
    }
}

fn project(source: &str, host: &str) -> Result<Written> {
    let checkout = Checkout::copy(source, host)?;
    checkout.commit();
    Ok(Written { dir: checkout.dir().to_owned(), _checkout: Some(checkout) })
}

/// A deployment of 1 kB.
fn small_manifest(number: usize, image: &str) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app{number}\nspec:\n  \
         template:\n    spec:\n      containers:\n      - name: app\n        image: {image}\n        \
         env:\n"
    );
    for variable in 0..16 {
        let _ =
            writeln!(text, "        - name: VARIABLE_{variable}\n          value: \"{number}\"");
    }
    text
}

/// Definitions of resources as projects release them, 46 kB each.
fn large_manifests(import_path: &str) -> String {
    let sentence =
        "                Selects the nodes on which the thing runs, unless they are reserved.\n";
    let field = |number: usize| {
        format!(
            "            field{number}:\n              description: |-\n{}              \
             type: object\n              required: [key]\n              properties:\n                \
             key:\n                  type: string\n",
            sentence.repeat(6)
        )
    };
    let fields: String = (0..66).map(field).collect();
    let document = |number: usize| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  \
             name: things{number}.example.com\nspec:\n  image: ko://{import_path}\n  \
             versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        \
             spec:\n          properties:\n{fields}"
        )
    };
    (0..REFERENCES).map(document).collect::<Vec<_>>().join("---\n")
}

#[cfg(test)]
mod tests {
    use super::{REFERENCES, large_manifests};

    #[test]
    fn manifests_have_the_size_that_the_scenario_names() {
        let text = large_manifests("example.com/fleet/cmd/app00");
        assert_eq!(text.matches("ko://").count(), REFERENCES);
        assert_eq!(text.len() / 100_000, 60, "{}", text.len());
    }
}
