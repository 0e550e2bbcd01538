//! The variables, keys and files that ko reads.

use super::Answer::{Better, Different, Same};
use super::Row;

pub(super) const VARIABLES: [Row; 32] = [
    (
        "KO_DOCKER_REPO",
        Better(
            "`oci:DIR` is a directory, `oci-archive:FILE` a file, `docker://`, `podman://`, `containerd://` and `kind://` are engines; nodes of a cluster are served at once",
        ),
    ),
    ("KO_CONFIG_PATH", Same),
    ("KO_DEFAULTBASEIMAGE", Better("`ko.static` is a base that needs no registry")),
    ("KO_DEFAULTPLATFORMS", Same),
    ("KO_DEFAULTENV", Same),
    ("KO_DEFAULTFLAGS", Same),
    ("KO_DEFAULTLDFLAGS", Same),
    ("KO_BASEIMAGEOVERRIDES", Better("anything but a JSON object is an error; upper case matches")),
    ("KO_BUILDS", Same),
    ("KO_GO_PATH", Better("is used for every call of go, also for listing packages")),
    ("KO_FLAGS", Same),
    (
        "KOCACHE",
        Different(
            "holds our own cache, which is also on without it; a relative path works everywhere",
        ),
    ),
    ("KO_DATA_DATE_EPOCH", Same),
    ("KO_DATA_PATH_ALLOWED_ROOT", Better("ko 0.19.1 does not know it; the release after it does")),
    ("SOURCE_DATE_EPOCH", Better("in UTC, whatever the time zone")),
    (
        "GOOS, GOARCH, GOARM",
        Better("empty is not set; GOARM is for arm alone; one alone changes nothing in the binary"),
    ),
    (
        "GOFLAGS",
        Better(
            "works with `-modfile`, where ko refuses what it must look up itself: `.`, and everything with `builds`",
        ),
    ),
    ("CGO_ENABLED, GOAMD64 and other variables of go", Same),
    ("GOPACKAGESDRIVER", Different("packages are listed by go alone")),
    ("COSIGN_REPOSITORY", Same),
    ("DOCKER_CONFIG", Same),
    ("DOCKER_AUTH_CONFIG", Better("counts also without a docker configuration")),
    ("REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HOME", Same),
    ("GITHUB_TOKEN, GITHUB_ACTOR", Same),
    (
        "AWS_*, AZURE_*, GOOGLE_APPLICATION_CREDENTIALS",
        Better(
            "Azure also takes certificates and `az`; if a registry refuses us, the error says why a cloud gave nothing",
        ),
    ),
    ("AWS_ECR_CACHE_DIR, AWS_ECR_DISABLE_CACHE", Different("tokens of ECR are not kept in a file")),
    ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", Same),
    ("SSL_CERT_FILE, SSL_CERT_DIR", Same),
    ("TMPDIR", Same),
    (
        "DOCKER_HOST, DOCKER_API_VERSION, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY",
        Better("without, Docker's context and the usual sockets are tried; TLS is always verified"),
    ),
    ("KIND_CLUSTER_NAME", Better("the error for an unknown cluster lists those that exist")),
    ("KUBECONFIG and other variables of kubectl", Same),
];

pub(super) const KEYS: [Row; 14] = [
    ("defaultBaseImage", Same),
    ("baseImageOverrides", Better("an empty value is no override")),
    ("defaultPlatforms", Same),
    ("defaultEnv", Same),
    ("defaultFlags", Same),
    ("defaultLdflags", Same),
    ("builds", Better("an entry that nothing uses is named; the line of an error is shown")),
    ("builds[].id", Same),
    ("builds[].dir", Same),
    ("builds[].main", Same),
    ("builds[].flags", Same),
    ("builds[].ldflags", Same),
    ("builds[].env", Same),
    ("builds[].linux_capabilities", Same),
];

pub(super) const FILES: [Row; 9] = [
    (
        ".ko.yaml, .ko.yml, .ko.json, .ko.toml",
        Better("unknown keys are named, with the key that they resemble"),
    ),
    (".ko.env, .ko.dotenv and others", Different("not read: nobody is known to use them")),
    (
        "kodata/",
        Better("links may reach the repository that they are in, as they may after 0.19.1"),
    ),
    (
        "go.mod, go.work, vendor/",
        Better("the module that has a program is found without configuration"),
    ),
    (
        "~/.docker/config.json",
        Better(
            "`ko login` keeps what it does not know; what counts is in `reference/credentials.md`",
        ),
    ),
    ("containers/auth.json", Better("namespaces count, and podman's names of Docker Hub")),
    ("the file of --image-refs", Same),
    ("the directory of --oci-layout-path", Same),
    ("the file of --tarball", Better("names are in the order of the tags")),
];
