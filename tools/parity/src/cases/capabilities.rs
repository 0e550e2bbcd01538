//! `linux_capabilities`: the attribute of the binary's entry, byte for byte.

use super::modules::stamped;
use super::three;
use crate::case::Case;
use testkit::base::{Format, Image, Index};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = lists();
    cases.extend(terms());
    cases.extend(wrong());
    cases.extend(builds());
    cases
}

/// A case with `linux_capabilities:` and what follows it.
fn with(name: &str, value: &str) -> Case {
    let settings = format!("builds:\n- main: ./cmd/web\n  linux_capabilities: {value}\n");
    Case::build(name, "./cmd/web").module(stamped).file(".ko.yaml", &settings)
}

/// How the list is written.
fn lists() -> Vec<Case> {
    vec![
        with("capabilities/one", "[net_bind_service]"),
        with("capabilities/two", "[net_bind_service, chown]"),
        with("capabilities/twice", "[chown, chown]"),
        with("capabilities/text", "net_bind_service"),
        with("capabilities/text-of-two", "net_bind_service chown"),
        with("capabilities/text-with-commas", "net_bind_service,chown=p"),
        with("capabilities/empty", "[]"),
        with("capabilities/null", ""),
        with("capabilities/key-in-capitals", "[]\n  LINUX_CAPABILITIES: [kill]")
            .file(".ko.yaml", "builds:\n- main: ./cmd/web\n  Linux_Capabilities: [kill]\n"),
        with("capabilities/block", "\n  - net_bind_service\n  - net_raw=ep"),
        with("capabilities/number-in-yaml", "[10, 12]"),
        with("capabilities/prefix", "[CAP_NET_BIND_SERVICE]"),
        with("capabilities/any-case", "[Cap_Net_Bind_Service, NET_raw]"),
        with("capabilities/number", "['10']"),
        with("capabilities/largest-number", "['63']"),
        with("capabilities/number-of-the-second-word", "['40', '33']"),
        with("capabilities/second-word", "[checkpoint_restore, bpf, perfmon]"),
        with("capabilities/both-words", "[chown, checkpoint_restore]"),
        with("capabilities/all", "[all]"),
        with("capabilities/all-in-capitals", "[ALL]"),
        with(
            "capabilities/every-one",
            "[chown, dac_override, dac_read_search, fowner, fsetid, kill, setgid, setuid, setpcap, linux_immutable, net_bind_service, net_broadcast, net_admin, net_raw, ipc_lock, ipc_owner, sys_module, sys_rawio, sys_chroot, sys_ptrace, sys_pacct, sys_admin, sys_boot, sys_nice, sys_resource, sys_time, sys_tty_config, mknod, lease, audit_write, audit_control, setfcap, mac_override, mac_admin, syslog, wake_alarm, block_suspend, audit_read, perfmon, bpf, checkpoint_restore]",
        ),
    ]
}

/// What a term may be.
fn terms() -> Vec<Case> {
    let term = |name, term: &str| with(name, &format!("['{term}']"));
    let two = |name, first: &str, then: &str| with(name, &format!("['{first}', '{then}']"));
    vec![
        term("capabilities/effective-and-permitted", "net_bind_service=ep"),
        term("capabilities/permitted", "net_bind_service=p"),
        term("capabilities/effective-alone", "net_bind_service=e"),
        term("capabilities/inheritable", "net_bind_service=i"),
        term("capabilities/all-three", "net_bind_service=eip"),
        term("capabilities/plus", "net_bind_service+ep"),
        term("capabilities/minus", "net_bind_service-ep"),
        term("capabilities/several-names", "net_raw,net_admin,chown+p"),
        term("capabilities/several-operations", "net_raw=p+i-p+e"),
        term("capabilities/equals-nothing", "net_raw="),
        term("capabilities/equals-of-all", "=ep"),
        term("capabilities/equals-alone", "="),
        term("capabilities/all-with-operation", "all=p"),
        term("capabilities/letters-in-another-order", "net_raw=pe"),
        term("capabilities/letters-twice", "net_raw=pp"),
        two("capabilities/later-takes-away", "all=ep", "chown-p"),
        two("capabilities/later-adds", "chown=p", "kill+i"),
        two("capabilities/later-clears", "chown=eip", "all="),
        two("capabilities/bare-then-effective", "chown", "chown+e"),
        two("capabilities/effective-of-another", "chown=p", "kill=e"),
        term("capabilities/number-with-operation", "10=ep"),
    ]
}

/// What no capability is.
fn wrong() -> Vec<Case> {
    let term = |name, term: &str| with(name, &format!("['{term}']"));
    vec![
        term("capabilities/unknown", "bogus").fails("unknown capability: \"bogus\""),
        term("capabilities/unknown-with-operation", "bogus=p")
            .fails("unknown capability: \"bogus\""),
        term("capabilities/unknown-of-several", "chown,bogus=p")
            .fails("unknown capability: \"bogus\""),
        term("capabilities/unknown-letter", "chown=x").fails("unknown flag 'x'"),
        term("capabilities/number-too-large", "64").fails("unknown capability: \"64\""),
        term("capabilities/number-negative", "-1").fails("linux_capabilities: "),
        term("capabilities/nothing", "").fails("unknown capability: \"\""),
        term("capabilities/spaces-around", " chown ").fails("linux_capabilities: "),
        term("capabilities/space-inside", "chown kill").fails("linux_capabilities: "),
    ]
}

/// What is said of a build.
const CONFIG: &str = "stderr Using build config #0 for example.com/app/cmd/web";

/// Which binaries have it.
fn builds() -> Vec<Case> {
    let settings = |name, words: &str, settings: &str| {
        Case::build(name, words).module(stamped).file(".ko.yaml", settings)
    };
    let one = "builds:\n- main: ./cmd/web\n  linux_capabilities: net_bind_service=ep\n";
    vec![
        settings("capabilities/of-one-build", "./cmd/web ./cmd/worker", one),
        settings("capabilities/of-another-build", "./cmd/worker", one),
        settings(
            "capabilities/of-two-builds",
            "./cmd/web ./cmd/worker",
            "builds:\n- {main: ./cmd/web, linux_capabilities: [chown]}\n- {main: ./cmd/worker, linux_capabilities: [kill]}\n",
        ),
        settings(
            "capabilities/of-the-last-build",
            "./cmd/web",
            "builds:\n- {main: ./cmd/web, linux_capabilities: [chown]}\n- {main: ./cmd/web}\n",
        ),
        settings("capabilities/platforms", "./cmd/web --bare --platform=all", one)
            .base(three(Format::Docker))
            .differs(CONFIG, Some("x"), super::ONCE),
        settings("capabilities/not-on-windows", "./cmd/web --bare --platform=all", one)
            .base(
                Index::docker()
                    .image(Image::docker("linux/amd64"))
                    .image(Image::docker("windows/amd64:10.0.17763.1234"))
                    .build(),
            )
            .differs(CONFIG, Some("x"), super::ONCE),
        settings(
            "capabilities/unknown-on-windows",
            "./cmd/web --platform=windows",
            "builds:\n- {main: ./cmd/web, linux_capabilities: [bogus]}\n",
        )
        .base(
            Index::docker()
                .image(Image::docker("windows/amd64:10.0.17763.1234"))
                .image(Image::docker("linux/amd64"))
                .build(),
        )
        .fails("unknown capability: \"bogus\""),
        settings(
            "capabilities/and-flags",
            "./cmd/web --disable-optimizations",
            &format!("{one}  flags: [-tags, feature]\n"),
        ),
        settings("capabilities/and-epochs", "./cmd/web", one)
            .env("SOURCE_DATE_EPOCH", "1000")
            .env("KO_DATA_DATE_EPOCH", "2000"),
    ]
}
