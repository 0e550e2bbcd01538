//! Groups commands and flags in help by what people look for. `-h` shows the flags
//! that are used most, `--help` all of them, with examples.

use clap::{Arg, Command};

use super::examples::examples;
use super::topics::TOPICS;

/// The commands whose flags are grouped.
const BUILDING: [&str; 6] = ["apply", "build", "create", "resolve", "run", "verify"];

/// Flags under a heading.
struct Section {
    heading: &'static str,
    /// Those that `-h` shows too.
    common: &'static [&'static str],
    other: &'static [&'static str],
}

/// A flag that has no section has the last heading.
const MORE: &str = "More";

const SECTIONS: [Section; 8] = [
    Section {
        heading: "What is expected",
        common: &["commit", "signature", "source", "source-uri", "trust-cache"],
        other: &[
            "certificate-identity",
            "certificate-identity-regexp",
            "certificate-oidc-issuer",
            "certificate-oidc-issuer-regexp",
            "trusted-root",
        ],
    },
    Section {
        heading: "Manifests",
        common: &["filename", "recursive", "selector"],
        other: &["check", "embedded", "image-map", "output-file"],
    },
    Section {
        heading: "Where images go",
        common: &["image-refs", "local", "oci-layout-path", "push", "tarball"],
        other: &[
            "create-repositories",
            "insecure-registry",
            "no-preflight",
            "retries",
            "sbom-attach",
        ],
    },
    Section {
        heading: "Names and tags",
        common: &["bare", "base-import-paths", "preserve-import-paths", "tags"],
        other: &["tag-only"],
    },
    Section {
        heading: "What goes into images",
        common: &["base", "image-label", "platform", "sbom"],
        other: &[
            "compression",
            "compression-level",
            "image-annotation",
            "image-user",
            "locked",
            "offline",
            "sbom-dir",
            "update-lock",
        ],
    },
    Section {
        heading: "Signatures",
        common: &["sign"],
        other: &["provenance", "sign-format", "signing-config", "signing-key", "yes"],
    },
    Section {
        heading: "How programs are built",
        common: &["debug", "jobs", "ldflags", "rebuild"],
        other: &[
            "cache-from",
            "cache-to",
            "check-libs",
            "debug-continue",
            "debug-port",
            "debug-version",
            "disable-optimizations",
            "prebuilt",
        ],
    },
    Section {
        heading: "Running and reporting",
        common: &["dry-run", "explain", "output", "quiet", "timings", "watch"],
        other: &["log-file", "metadata-file", "progress", "timeout", "trace-http"],
    },
];

/// Commands under a heading.
const COMMANDS: [(&str, &[&str]); 4] = [
    ("Images", &["build", "run", "verify"]),
    ("Kubernetes manifests", &["apply", "create", "delete", "resolve"]),
    ("Settings", &["base", "cache", "config", "doctor", "init", "lock", "login", "migrate"]),
    ("About ko", &["completion", "help", "version"]),
];

/// `--output` where stdout is not ko's, unless nothing is done.
const PLAN: &str = "With --dry-run, how to print the plan: text or json.";

/// `--output` of a question.
const ANSWER: &str = "How to print the answer: text or json.";

/// Gives the flags of a command their headings.
pub(super) fn flags(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let command = match examples(&name) {
        Some(examples) => command.after_long_help(format!("Examples:\n{examples}")),
        None => command,
    };
    if !BUILDING.contains(&name.as_str()) {
        return command;
    }
    command
        .after_help(format!("`ko {name} --help` shows all flags, and examples."))
        .mut_args(|arg| if arg.is_positional() { arg } else { flag(&name, arg) })
}

fn flag(command: &str, arg: Arg) -> Arg {
    let arg = match (command, arg.get_long()) {
        ("build", _) => arg,
        ("verify", Some("output")) => arg.help(ANSWER),
        (_, Some("output")) => arg.help(PLAN),
        _ => arg,
    };
    if arg.get_help_heading().is_some() {
        return arg;
    }
    let long = arg.get_long().unwrap_or_default();
    let of = |section: &&Section| section.common.contains(&long) || section.other.contains(&long);
    match SECTIONS.iter().find(of) {
        Some(section) => {
            let is_common = section.common.contains(&long);
            arg.hide_short_help(!is_common).help_heading(section.heading)
        }
        None => arg.help_heading(MORE),
    }
}

/// Gives the root help its groups of commands.
pub(super) fn commands(root: Command) -> Command {
    let visible = || root.get_subcommands().filter(|sub| !sub.is_hide_set());
    let width = visible().map(|sub| sub.get_name().len()).max().unwrap_or_default();
    let line = |sub: &Command| {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let aliases = sub.get_visible_aliases().map(|alias| format!(" [alias: {alias}]"));
        format!("  {:<width$}  {about}{}\n", sub.get_name(), aliases.collect::<String>())
    };
    let mut text = String::new();
    for (heading, names) in COMMANDS {
        text.push_str(&format!("{heading}:\n"));
        let named = names.iter().filter_map(|name| visible().find(|sub| sub.get_name() == *name));
        text.extend(named.map(line));
        text.push('\n');
    }
    let grouped =
        |sub: &&Command| COMMANDS.iter().any(|(_, names)| names.contains(&sub.get_name()));
    let others: String = visible().filter(|sub| !grouped(sub)).map(line).collect();
    if !others.is_empty() {
        text.push_str(&format!("{MORE}:\n{others}\n"));
    }
    let topics = TOPICS.map(|topic| topic.name).join(", ");
    root.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}Global Flags:\n{{options}}\n\n\
         `ko help COMMAND` shows all flags of a command, and examples; `ko help TOPIC` explains\n\
         {topics}.\n"
    ))
}
