//! Knows what users of Docker and kubectl type by habit, and how ko says it.

/// What to type for a flag that ko does not have; `flag` has its dashes.
pub(super) fn flag(command: &str, flag: &str) -> Option<&'static str> {
    let builds = matches!(command, "build" | "run" | "resolve" | "apply" | "create");
    let applies = matches!(command, "apply" | "create");
    Some(match flag {
        "--file" | "-f" if matches!(command, "build" | "run") => {
            "ko needs no Dockerfile: name the program, as in `ko build ./cmd/app`; its base is \
             defaultBaseImage in .ko.yaml"
        }
        "--file" if builds => "manifests are named with -f or --filename",
        "--tag" if builds => TAGS,
        "--load" if builds => "--local (-L) loads images into Docker or Podman",
        "--output" | "-o" if builds => OUTPUT,
        "--build-arg" if builds => {
            "--ldflags, or env, flags and ldflags of a build in .ko.yaml, are what `go build` gets"
        }
        "--no-cache" if builds => "--rebuild builds every program again",
        "--label" if builds => "--image-label adds labels",
        "--annotation" if builds => "--image-annotation adds annotations",
        "--target" if builds => "a program takes the place of a stage: `ko build ./cmd/app`",
        "--iidfile" if builds => "--image-refs writes the references of all images to a file",
        "--namespace" | "-n" | "--context" | "--kubeconfig" | "--server-side" | "--prune"
            if applies =>
        {
            "flags of kubectl follow --, as in `ko apply -f config -- --namespace=dev`"
        }
        _ => return None,
    })
}

/// What to type for a command that ko does not have.
pub(super) fn command(command: &str) -> Option<&'static str> {
    Some(match command {
        "push" => "`ko build` pushes what it builds to KO_DOCKER_REPO",
        "load" => "`ko build -L` loads what it builds into Docker or Podman",
        "logout" => "`ko auth logout` forgets a login",
        "deps" => "an SBOM is attached to each image: --sbom and --sbom-dir of `ko build`",
        _ => return None,
    })
}

/// A name with a tag, where a tag alone is wanted, as `docker build -t` takes it.
pub(crate) fn tag(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("an element of --tags is empty".to_owned());
    }
    let after_host = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text[after_host..].find(':') {
        Some(colon) => (&text[..after_host + colon], &text[after_host + colon + 1..]),
        None if after_host > 0 => (text, "latest"),
        None => return None,
    };
    let plain = |text: &str| {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-/:".contains(char);
        !text.is_empty() && text.chars().all(is_plain)
    };
    if !plain(name) || !plain(tag) {
        return Some(TAGS.to_owned());
    }
    Some(format!("{TAGS}: `KO_DOCKER_REPO={name} ko build --bare -t {tag}` gives that name"))
}

/// What is wrong with a value of `KO_DOCKER_REPO` that is no repository.
pub(crate) fn repository(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        return Some(format!("a repository has no scheme: KO_DOCKER_REPO={rest}"));
    }
    let after_host = text.rfind('/').map_or(0, |slash| slash + 1);
    if let Some(colon) = text[after_host..].find(':') {
        let (name, tag) = text.split_at(after_host + colon);
        return Some(format!("tags are given apart: KO_DOCKER_REPO={name} and -t {}", &tag[1..]));
    }
    let lower = text.to_lowercase();
    (lower != text && lower.parse::<engine::Repository>().is_ok())
        .then(|| format!("names of repositories are in lower case: KO_DOCKER_REPO={lower}"))
}

/// What `docker build --output` takes, where ko wants the format of what it prints.
pub(super) fn output(value: &str) -> Option<String> {
    let field =
        |name: &str| value.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let dest = field("dest").unwrap_or("FILE");
    Some(match field("type") {
        Some("docker") if field("dest").is_none() => {
            "--local (-L) loads images into Docker or Podman".to_owned()
        }
        Some("docker" | "tar") => format!("--tarball={dest} writes them to a file"),
        Some("oci") => format!("KO_DOCKER_REPO=oci-archive:{dest} writes them to a file"),
        Some("local") => format!("KO_DOCKER_REPO=oci:{dest} writes an OCI image layout"),
        Some("registry" | "image") => "KO_DOCKER_REPO says where images are pushed".to_owned(),
        Some(_) => OUTPUT.to_owned(),
        None if value.contains(['/', '.']) => OUTPUT.to_owned(),
        None => return None,
    })
}

const TAGS: &str =
    "--tags (-t) takes tags alone, and the name is made of KO_DOCKER_REPO and the import path";

const OUTPUT: &str = "--tarball=FILE, --oci-layout-path=DIR and KO_DOCKER_REPO=oci:DIR write images to files, --local (-L) loads them into Docker or Podman";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_tag_is_taken_apart() {
        for (text, want) in [
            ("r.io/team/app:v1", Some("KO_DOCKER_REPO=r.io/team/app ko build --bare -t v1")),
            (
                "localhost:5000/app",
                Some("KO_DOCKER_REPO=localhost:5000/app ko build --bare -t latest"),
            ),
            ("app:v1", Some("KO_DOCKER_REPO=app ko build --bare -t v1")),
            ("app:$(v)", Some(TAGS)),
            ("a b", None),
        ] {
            let said = tag(text);
            assert_eq!(said.is_some(), want.is_some(), "{text}");
            assert!(said.unwrap_or_default().contains(want.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn repositories_are_put_right() {
        for (text, want) in [
            ("https://r.io/team", Some("KO_DOCKER_REPO=r.io/team")),
            ("r.io/team:v1", Some("KO_DOCKER_REPO=r.io/team and -t v1")),
            ("r.io/Team", Some("KO_DOCKER_REPO=r.io/team")),
            ("r.io/Te am", None),
        ] {
            let said = repository(text);
            assert_eq!(said.is_some(), want.is_some(), "{text}");
            assert!(said.unwrap_or_default().ends_with(want.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn outputs_of_docker_have_other_names_here() {
        for (value, want) in [
            ("type=docker", "--local"),
            ("type=docker,dest=a.tar", "--tarball=a.tar "),
            ("type=tar,dest=a.tar", "--tarball=a.tar "),
            ("dest=a.tar,type=oci", "oci-archive:a.tar "),
            ("type=local,dest=out", "oci:out "),
            ("type=registry", "KO_DOCKER_REPO"),
            ("type=other", "--tarball"),
            ("./out", "--tarball"),
        ] {
            assert!(output(value).unwrap().contains(want), "{value}");
        }
        assert_eq!(output("jsn"), None);
    }
}
