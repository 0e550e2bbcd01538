//! What is measured: a fixture, the words of the command, and what happens
//! before each run.

use crate::fixture::Fixture;
use crate::target::{TARBALL, To};

/// One row of the tables.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// How it is called on the command line and in the results.
    pub(crate) name: &'static str,
    pub(crate) fixture: Fixture,
    /// The words after `ko`.
    pub(crate) words: Vec<String>,
    /// What `--platform` is given.
    pub(crate) platforms: &'static str,
    /// Where the images go.
    pub(crate) to: To,
    /// The size of a layer of the base, in bytes. A large one has one platform,
    /// and deflate does not shorten it.
    pub(crate) base: usize,
    /// How many layers the base has.
    pub(crate) base_layers: usize,
    /// How many references stdout has to have.
    pub(crate) images: Option<usize>,
    pub(crate) change: Change,
    /// The delay of each answer of the registry, in milliseconds.
    pub(crate) rtt: u64,
    /// Whether the registry speaks https, and wants tokens from its token server.
    pub(crate) tokens: bool,
    /// Whether the registry refuses two of a hundred requests of ours (429, 503). It
    /// refuses none of ko's, which does not survive that.
    pub(crate) flaky: bool,
    /// Whether `go build` and `crane append` take part.
    pub(crate) crane: bool,
    /// Whether ours runs once, with `--watch`, and the others in a shell's loop that
    /// hears of each edit at once; ours does so, too, and a bare `go build`.
    pub(crate) watch: bool,
    /// Whether each run begins on a machine that is born empty (`runner`), with a destination
    /// that has what was built before the change.
    pub(crate) runner: bool,
    /// Whether the change is committed there. Else `go` does not look at git.
    pub(crate) commits: bool,
    /// The memory of all processes together, in bytes, which a control group
    /// bounds: that takes root. Only ours takes part.
    pub(crate) memory: Option<u64>,
    /// Whether each run takes minutes, or root and engines: it runs only if it is
    /// asked for.
    pub(crate) slow: bool,
}

/// What happens before each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// A constant in a source file gets a value that it never had: in this
    /// directory, of a package of this name.
    Source { dir: &'static str, package: &'static str },
    /// The same, and the code gets longer, so that its addresses change
    /// everywhere in the program.
    Longer { dir: &'static str, package: &'static str },
    /// A file of kodata gets content that it never had.
    Kodata,
    /// The same commit is checked out anew: every file is new. Ours has a cache
    /// that was imported.
    Checkout,
    /// The tool's cache and the registry are emptied.
    First,
    /// The same, and Go's build cache.
    Cold,
}

/// Tekton's 8 images, as its manifests refer to them.
const TEKTON: [&str; 4] = ["resolve", "-R", "-f", "config"];
const CONTROLLER: [&str; 2] = ["build", "./cmd/controller"];
/// The package that 6 of its 8 mains import.
const SHARED: Change = Change::Source { dir: "pkg/apis/version", package: "version" };
const LEAF: Change = Change::Source { dir: "cmd/controller", package: "main" };
const LONGER: Change = Change::Longer { dir: "cmd/controller", package: "main" };
const MAIN: Change = Change::Source { dir: ".", package: "main" };
/// The programs of an archive.
const THREE: [&str; 4] = ["build", "./cmd/app00", "./cmd/app01", "./cmd/app02"];
const APP: Change = Change::Source { dir: "cmd/app00", package: "main" };

/// All scenarios that need nothing but what is made here or downloaded.
pub(crate) fn all() -> Vec<Scenario> {
    use Fixture::{Fleet, Kodata, Manifests, Many, Small, Tekton};
    let app = ["build", "./cmd/app00"];
    let small = Scenario { crane: true, ..new("noop-small", Small, &["build", "."], Change::None) };
    let rtt = Scenario { rtt: 50, ..new("noop-rtt-50", Small, &["build", "."], Change::None) };
    let tokens = Scenario { tokens: true, ..rtt.clone() };
    let tokens = Scenario { name: "noop-rtt-50-tokens", ..tokens };
    let tekton = |name, change| Scenario { images: Some(8), ..new(name, Tekton, &TEKTON, change) };
    let platforms = |scenario| Scenario { platforms: "all", ..scenario };
    let watch = |name, fixture, words: &[&str], change| Scenario {
        watch: true,
        crane: true,
        ..new(name, fixture, words, change)
    };
    let slow = |scenario| Scenario { slow: true, ..scenario };
    let runner = |name, change| slow(Scenario { runner: true, rtt: 5, ..tekton(name, change) });
    let kodata = |name, change| new(name, Kodata, &["build", "."], change);
    let yaml = |name, fixture, images| Scenario {
        images: Some(images),
        ..new(name, fixture, &["resolve", "-R", "-f", "config"], Change::None)
    };
    let local = |name, to, words: &[&str], change| {
        slow(Scenario { to, ..new(name, Fleet(3), words, change) })
    };
    let load = ["build", "-L", "./cmd/app00"];
    let edit = local("local-edit-docker", To::Docker, &load, APP);
    let nodes = local("local-edit-kind-3-nodes", To::Kind(3), &app, APP);
    let archive = format!("--tarball={TARBALL}");
    let archive = [&THREE[..], &["--push=false", &archive]].concat();
    let archive = local("local-tarball-3", To::Tarball, &archive, Change::None);
    let many = |name, change| {
        slow(Scenario { rtt: 50, base_layers: 3, change, ..yaml(name, Many(200), 200) })
    };
    let first = many("first-200-mains-rtt-50", Change::First);
    let forty = slow(yaml("first-40-mains-in-2-gib", Fleet(40), 40));
    vec![
        small,
        rtt,
        tokens,
        new("edit-small", Small, &["build", "."], MAIN),
        watch("watch-small", Small, &["build", "."], MAIN),
        watch("watch-tekton-controller", Tekton, &CONTROLLER, LEAF),
        new("noop-17-mb", Fleet(1), &app, Change::None),
        platforms(new("noop-17-mb-4-platforms", Fleet(1), &app, Change::None)),
        platforms(new("edit-17-mb-4-platforms", Fleet(1), &app, APP)),
        yaml("noop-yaml-130-references", Manifests, crate::fixture::REFERENCES),
        yaml("noop-200-files-35-mains", Fleet(crate::fixture::MAINS), crate::fixture::MAINS),
        kodata("noop-kodata", Change::None),
        kodata("edit-kodata", Change::Kodata),
        platforms(kodata("noop-kodata-4-platforms", Change::None)),
        platforms(kodata("edit-kodata-4-platforms", Change::Kodata)),
        platforms(kodata("first-kodata-4-platforms", Change::First)),
        new("noop-tekton-nop", Tekton, &["build", "./cmd/nop"], Change::None),
        new("noop-tekton-controller", Tekton, &CONTROLLER, Change::None),
        tekton("noop-tekton-8", Change::None),
        Scenario { change: Change::Checkout, ..yaml("checkout-8-mains", Fleet(8), 8) },
        tekton("checkout-tekton-8", Change::Checkout),
        new("edit-tekton-controller", Tekton, &CONTROLLER, LEAF),
        new("edit-tekton-controller-longer", Tekton, &CONTROLLER, LONGER),
        tekton("edit-tekton-8-leaf", LEAF),
        tekton("edit-tekton-8-shared", SHARED),
        Scenario { change: Change::First, memory: Some(2 << 30), ..forty },
        Scenario { flaky: true, ..first },
        many("noop-200-mains-rtt-50", Change::None),
        local("local-noop-docker", To::Docker, &load, Change::None),
        Scenario { base: 200_000_000, ..edit },
        Scenario { base: 200_000_000, ..nodes },
        Scenario { images: Some(3), ..archive },
        runner("runner-tekton-8", Change::None),
        runner("runner-tekton-8-leaf", LEAF),
        Scenario { commits: true, ..runner("runner-tekton-8-leaf-committed", LEAF) },
        runner("runner-tekton-8-shared", SHARED),
        slow(new("cold-tekton-controller", Tekton, &CONTROLLER, Change::Cold)),
        slow(tekton("cold-tekton-8", Change::Cold)),
    ]
}

/// The scenario of a project of the user's.
pub(crate) fn project(source: &str, words: &[String]) -> Scenario {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = if words.is_empty() { &TEKTON } else { &words[..] };
    let fixture = Fixture::Project(source.to_owned());
    Scenario { images: None, ..new("noop-project", fixture, words, Change::None) }
}

fn new(name: &'static str, fixture: Fixture, words: &[&str], change: Change) -> Scenario {
    Scenario {
        name,
        fixture,
        words: words.iter().map(|&word| word.to_owned()).collect(),
        platforms: "linux/amd64",
        to: To::Registry,
        base: 200_000,
        base_layers: 1,
        images: Some(1),
        change,
        rtt: 0,
        tokens: false,
        flaky: false,
        crane: false,
        watch: false,
        runner: false,
        commits: false,
        memory: None,
        slow: false,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_differ() {
        let mut names: Vec<_> = super::all().iter().map(|scenario| scenario.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
