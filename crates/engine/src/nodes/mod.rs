//! containerd, on this machine or in the nodes of a kind cluster, through its
//! `ctr`. Its store of content is asked what it has; what is missing is
//! imported, under the digests of a registry.

mod error;
mod import;
mod kind;

use std::process::{Child, Command, Output, Stdio};

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
}

impl Cluster {
    /// Its nodes. Blocks.
    pub(crate) fn nodes(&self) -> Result<Vec<Node>, NodeError> {
        match self {
            Self::Containerd { namespace } => Ok(vec![Node {
                name: "containerd".to_owned(),
                with_input: Vec::new(),
                without_input: Vec::new(),
                namespace: namespace.clone(),
            }]),
            Self::Kind { name } => kind::nodes(name),
        }
    }
}

impl Node {
    /// A node that is a container of this provider.
    fn in_container(provider: &str, name: &str) -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            name: name.to_owned(),
            with_input: words(&[provider, "exec", "--privileged", "-i", name]),
            without_input: words(&[provider, "exec", "--privileged", name]),
            namespace: KUBERNETES.to_owned(),
        }
    }

    /// `ctr` with these words.
    fn ctr(&self, before: &[String], words: &[&str]) -> Command {
        let mut all = before.to_vec();
        all.extend(["ctr".to_owned(), format!("--namespace={}", self.namespace)]);
        all.extend(words.iter().map(|&word| word.to_owned()));
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]);
        command
    }

    /// Runs `ctr` to its end, and returns its output.
    fn run(&self, words: &[&str]) -> Result<String, NodeError> {
        run(&mut self.ctr(&self.without_input, words))
    }

    /// Starts `ctr`, which reads what is written to it.
    fn start(&self, words: &[&str]) -> Result<Child, NodeError> {
        let mut command = self.ctr(&self.with_input, words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(NodeError::starting(&command))
    }

    /// Gives an image a further name.
    pub(crate) fn tag(&self, image: &str, name: &str) -> Result<(), NodeError> {
        let tagged = self.run(&["images", "tag", "--force", image, name]);
        let node = self.name.clone();
        tagged.map(drop).map_err(|source| NodeError::Tag { node, source: Box::new(source) })
    }
}

/// Runs a program to its end, and returns its output.
fn run(command: &mut Command) -> Result<String, NodeError> {
    let output = command.stdin(Stdio::null()).output().map_err(NodeError::starting(command))?;
    if !output.status.success() {
        return Err(NodeError::failed(command, &output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program said, both streams.
fn told(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}
