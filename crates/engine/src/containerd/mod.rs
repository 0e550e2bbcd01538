//! Talks to containerd, on this machine or in the nodes of a kind cluster,
//! through its `ctr`. It asks the content store what is there, and imports what
//! is missing, under the digests of a registry.

mod error;
mod import;
mod kind;

use std::ffi::OsStr;
use std::process::{ChildStdin, Command, Output};

use cancel::Cancel;
use golang::{Environment, feed_child, run_child};

pub use self::error::NodeError;
pub(crate) use self::import::{Imported, import};

/// Where containerd is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// On this machine.
    Containerd {
        /// The namespace of its images.
        namespace: String,
    },
    /// In each node of a kind cluster.
    Kind {
        /// Its name.
        name: String,
    },
}

/// The namespace in which Kubernetes looks for images.
const KUBERNETES: &str = "k8s.io";

/// One containerd.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// What messages call it.
    pub(crate) name: String,
    /// Program and words that run something where it is, with an input.
    with_input: Vec<String>,
    /// The same without one.
    without_input: Vec<String>,
    namespace: String,
    children: Children,
}

/// How children are run: what they are started with, and what ends them.
#[derive(Debug, Clone)]
pub(crate) struct Children {
    pub(crate) environment: Environment,
    pub(crate) cancel: Cancel,
}

impl Cluster {
    /// Its nodes. Blocks.
    pub(crate) fn nodes(&self, children: &Children) -> Result<Vec<Node>, NodeError> {
        match self {
            Self::Containerd { namespace } => Ok(vec![Node {
                name: "containerd".to_owned(),
                with_input: Vec::new(),
                without_input: Vec::new(),
                namespace: namespace.clone(),
                children: children.clone(),
            }]),
            Self::Kind { name } => kind::nodes(name, children),
        }
    }
}

impl Node {
    /// A node that is a container of this provider.
    fn in_container(provider: &str, name: &str, children: &Children) -> Self {
        let owned = |arguments: &[&str]| arguments.iter().map(|&word| word.to_owned()).collect();
        Self {
            name: name.to_owned(),
            with_input: owned(&[provider, "exec", "--privileged", "-i", name]),
            without_input: owned(&[provider, "exec", "--privileged", name]),
            namespace: KUBERNETES.to_owned(),
            children: children.clone(),
        }
    }

    /// `ctr` with these words.
    fn ctr(&self, before: &[String], arguments: &[&str]) -> Command {
        let mut all = before.to_vec();
        all.extend(["ctr".to_owned(), format!("--namespace={}", self.namespace)]);
        all.extend(arguments.iter().map(|&word| word.to_owned()));
        self.children.command(&all)
    }

    /// Runs `ctr` to its end, and returns its output.
    fn run(&self, arguments: &[&str]) -> Result<String, NodeError> {
        self.children.run(self.ctr(&self.without_input, arguments))
    }

    /// Runs `ctr` to its end, which reads what `feed` writes.
    fn feed<T: Send>(
        &self,
        arguments: &[&str],
        feed: impl FnOnce(ChildStdin) -> T + Send,
    ) -> Result<(Output, T), NodeError> {
        let command = self.ctr(&self.with_input, arguments);
        let program = command.get_program().display().to_string();
        feed_child(command, &self.children.cancel, feed).map_err(NodeError::starting(&program))
    }

    /// Asks it whether it is there.
    pub(crate) fn greet(&self) -> Result<(), NodeError> {
        self.run(&["version"]).map(drop)
    }

    /// Gives an image a further name.
    pub(crate) fn tag(&self, image: &str, name: &str) -> Result<(), NodeError> {
        let tagged = self.run(&["images", "tag", "--force", image, name]);
        let node = self.name.clone();
        tagged.map(drop).map_err(|source| match source {
            NodeError::Cancelled => NodeError::Cancelled,
            source => NodeError::Tag { node, source: Box::new(source) },
        })
    }
}

impl Children {
    /// A call of a program that sees this environment alone.
    fn command(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(self.environment.iter());
        command
    }

    /// Runs a program to its end, and returns its output.
    fn run(&self, command: Command) -> Result<String, NodeError> {
        let program = command.get_program().display().to_string();
        let output = run_child(command, &self.cancel).map_err(NodeError::starting(&program))?;
        if !output.status.success() {
            return Err(NodeError::failed(&program, &output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The output of a program, both streams.
fn output_text(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::thread;

    use super::*;

    /// A node where this script runs in place of `ctr`.
    fn node(script: &str, cancel: &Cancel) -> Node {
        let path = "/usr/local/bin:/usr/bin:/bin";
        let environment = Environment::from_iter([("PATH", path)]);
        let arguments: Vec<String> = ["sh", "-c", script].map(str::to_owned).into();
        Node {
            name: "here".to_owned(),
            with_input: arguments.clone(),
            without_input: arguments,
            namespace: KUBERNETES.to_owned(),
            children: Children { environment, cancel: cancel.clone() },
        }
    }

    #[test]
    fn a_child_may_say_much_before_it_reads() {
        let script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; wc -c";
        let node = node(script, &Cancel::new());
        let (output, fed) = node.feed(&[], |mut input| input.write_all(&[1; 1 << 20])).unwrap();
        fed.unwrap();
        assert_eq!(output.stderr.len(), 300_000);
        assert_eq!(output.stdout[300_000..].trim_ascii(), (1 << 20).to_string().as_bytes());
        // One that does not read has its own reason.
        let failing = node_that_fails().feed(&[], |mut input| input.write_all(&[1; 1 << 20]));
        assert_eq!(failing.unwrap().0.status.code(), Some(3));
    }

    fn node_that_fails() -> Node {
        node("exec <&-; exit 3", &Cancel::new())
    }

    #[test]
    fn a_child_ends_with_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let script = format!("echo ready >'{}'; exec sleep 1000", fifo.display());
        let cancel = Cancel::new();
        let node = node(&script, &cancel);
        thread::scope(|scope| {
            let ended = scope.spawn(|| {
                let fed = node.feed(&[], |mut input| input.write_all(&[1; 1 << 20]).is_err());
                fed.map(drop)
            });
            assert_eq!(std::fs::read_to_string(&fifo).unwrap(), "ready\n");
            cancel.cancel();
            assert!(matches!(ended.join().unwrap(), Err(NodeError::Cancelled)));
        });
        assert!(matches!(node.run(&[]), Err(NodeError::Cancelled)));
    }
}
