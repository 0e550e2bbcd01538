//! Holds the examples of commands, for `--help` and manual pages.

/// The examples of a command: what each does, and the line to type.
pub(super) fn examples(command: &str) -> Option<&'static str> {
    Some(match command {
        "build" => BUILD,
        "resolve" => RESOLVE,
        "apply" => APPLY,
        "create" => CREATE,
        "run" => RUN,
        "delete" => DELETE,
        "cache" => CACHE,
        "config" => CONFIG,
        "doctor" => DOCTOR,
        "init" => INIT,
        "verify" => VERIFY,
        _ => return None,
    })
}

const BUILD: &str = "  # Push one image, as ${KO_DOCKER_REPO}/<package name>-<hash of import path>
  KO_DOCKER_REPO=registry.example.com/team ko build ./cmd/app

  # Two programs with two tags each, as ${KO_DOCKER_REPO}/app and …/worker
  ko build -B -t v1.2.3,latest ./cmd/app ./cmd/worker

  # The tags of a release: v1.2.3, and v1.2, v1 and latest with it
  ko build -B -t '{{semver .Git.Tag}}' ./cmd/app

  # An index for two platforms; --platform=all builds for every platform of the base
  ko build --platform=linux/amd64,linux/arm64 ./cmd/app

  # Load it into Docker or Podman on this machine, and run it
  docker run --rm $(ko build -L ./cmd/app)

  # Write it to a file, without a registry
  ko build --push=false --tarball=app.tar ./cmd/app

  # Say why it is built again
  ko build --explain ./cmd/app

  # Keep running, and build again after every change
  ko build --watch ./cmd/app
";

const RESOLVE: &str =
    "  # Build every image that the manifests refer to with ko://, and print them with the images
  ko resolve -f config/ >release.yaml

  # Include subdirectories, and only what has a label
  ko resolve -R -f config/ -l app=web

  # Look up all references, but build nothing
  ko resolve --check -f config/

  # Write down which reference became which image
  ko resolve -f config/ --image-map=images.json >release.yaml

  # Keep running, and write the file again after every change
  ko resolve --watch -f config/ --output-file=dev.yaml
";

const APPLY: &str = "  # Build every image that the manifests refer to with ko://, and apply them
  ko apply -f config/

  # Keep running, and apply again after every change
  ko apply --watch -f config/

  # Flags after -- are kubectl's
  ko apply -f config/ -- --namespace=dev --context=staging

  # Read from stdin
  cat config.yaml | ko apply -f -

  # Load images into this machine's kind cluster
  KO_DOCKER_REPO=kind.local ko apply -f config/
";

const CREATE: &str = "  # Build every image that the manifests refer to with ko://, and create them
  ko create -f config/

  # Flags after -- are kubectl's
  ko create -f config/ -- --namespace=dev
";

const RUN: &str = "  # Build a program, and run it in a pod
  ko run ./cmd/app

  # Flags after -- are kubectl's, flags after a second -- are the program's
  ko run ./cmd/app -- --namespace=dev -- --port=8080
";

const DELETE: &str = "  # All arguments go to kubectl
  ko delete -f config/ --ignore-not-found
";

const CACHE: &str = "  # Where the cache is, and how large it is
  ko cache show

  # Remove what has not been used for a week
  ko cache prune --max-age=7d

  # From one CI job to the next
  ko cache export cache.tar
  ko cache import cache.tar

  # Tests of a fresh machine compile what has changed
  CGO_ENABLED=0 ko cache serve-go --cache-from=file:///srv/cache -- go test -trimpath ./...
";

const CONFIG: &str = "  # The settings in force, and where each comes from
  ko config

  # The same with flags of `ko build`
  ko config --platform=all --ldflags=-s

  # A JSON Schema of .ko.yaml, for editors
  ko config --schema >ko.schema.json
";

const DOCTOR: &str = "  # Would a build work here, and may we push?
  ko doctor

  # The same for images that go elsewhere
  KO_DOCKER_REPO=registry.example.com/team/app ko doctor --bare

  # Only the problems, for a script
  ko doctor --output=json | jq -r '.checks[] | select(.status == \"problem\") | .message'
";

const INIT: &str = "  # Write .ko.yaml, and list what could not be taken over
  ko init

  # Look at it first
  ko init --dry-run
";

const VERIFY: &str = "  # Is it what this checkout gives?
  ko verify --source=. registry.example.com/team/app:v1.2.3

  # Is it this commit?
  ko verify --source-uri=https://github.com/team/app --commit=$COMMIT registry.example.com/team/app

  # Has the key signed it, too?
  ko verify --source=. --signature=cosign.pub registry.example.com/team/app
";
