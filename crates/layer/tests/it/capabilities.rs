//! The words of `linux_capabilities` and what becomes of them.

use std::collections::BTreeSet;

use ko_layer::{Capabilities, CapabilityError};
use proptest::prelude::*;

const NAMES: &str = "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap \
    linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner \
    sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice \
    sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap \
    mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf \
    checkpoint_restore";

const ALL: u64 = (1 << 41) - 1;

fn xattr(terms: &[&str]) -> Option<[u8; 20]> {
    let parsed = Capabilities::parse(terms);
    parsed.unwrap_or_else(|error| panic!("{terms:?}: {error}")).xattr()
}

/// The attribute, built bit by bit: bit `n` of a set is bit `n % 8` of a byte
/// of the low word, or for the second half of the bits of the high word.
fn attribute(permitted: u64, inheritable: u64, effective: bool) -> [u8; 20] {
    let mut value = [0; 20];
    value[0] = u8::from(effective);
    value[3] = 2;
    for bit in 0..64 {
        let byte = bit % 32 / 8 + if bit < 32 { 0 } else { 8 };
        for (set, start) in [(permitted, 4), (inheritable, 8)] {
            if set >> bit & 1 == 1 {
                value[start + byte] |= 1 << (bit % 8);
            }
        }
    }
    value
}

fn base64(value: [u8; 20]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(value)
}

#[test]
fn every_capability_has_its_bit_in_every_set() {
    let mut values = 0;
    for (bit, name) in NAMES.split_whitespace().enumerate() {
        let mask = 1 << bit;
        for (letters, want) in [
            ("p", attribute(mask, 0, false)),
            ("i", attribute(0, mask, false)),
            ("pi", attribute(mask, mask, false)),
            ("ep", attribute(mask, 0, true)),
            ("ei", attribute(0, mask, true)),
            ("eip", attribute(mask, mask, true)),
        ] {
            for operator in ["=", "+", "-=", "+-+"] {
                assert_eq!(xattr(&[&format!("{name}{operator}{letters}")]), Some(want), "{name}");
                values += 1;
            }
        }
        assert_eq!(xattr(&[name]), Some(attribute(mask, 0, false)), "{name}");
        assert_eq!(xattr(&[&bit.to_string()]), xattr(&[name]), "{name}");
    }
    assert_eq!(values, 41 * 6 * 4);
    // Those that are known from elsewhere.
    for (clause, want) in [
        ("chown=p", "AAAAAgEAAAAAAAAAAAAAAAAAAAA="),
        ("chown=ep", "AQAAAgEAAAAAAAAAAAAAAAAAAAA="),
        ("checkpoint_restore=eip", "AQAAAgAAAAAAAAAAAAEAAAABAAA="),
        ("net_bind_service", "AAAAAgAEAAAAAAAAAAAAAAAAAAA="),
    ] {
        assert_eq!(base64(xattr(&[clause]).unwrap()), want, "{clause}");
    }
}

#[test]
fn names_are_taken_in_every_spelling() {
    let chown = Some(attribute(1, 0, false));
    for name in ["chown", "cap_chown", "cAp_cHoWn", "CHOWN", "CAP_CHOWN", "0", "00"] {
        assert_eq!(xattr(&[name]), chown, "{name}");
    }
    assert_eq!(xattr(&["63"]), Some(attribute(1 << 63, 0, false)));
    assert_eq!(xattr(&["41"]), Some(attribute(1 << 41, 0, false)), "one without a name yet");
    for name in ["all", "ALL", "All"] {
        assert_eq!(xattr(&[name]), Some(attribute(ALL, 0, false)), "{name}");
    }
    for name in ["64", "99999999999999999999", "unknown", "", "cap_", "cap_all", "cap_0", " chown"]
    {
        let error = Capabilities::parse(&[name]).unwrap_err();
        assert_eq!(error, CapabilityError::Name { name: name.to_owned() });
    }
}

#[test]
fn clauses_are_taken_as_ko_takes_them() {
    let p = |permitted| Some(attribute(permitted, 0, false));
    let cases: [(&[&str], _); 25] = [
        (&[], None),
        (&["chown", "dac_override", "dac_read_search"], p(7)),
        (&["chown,dac_override,dac_read_search=p"], p(7)),
        (&["chown,dac_override,dac_read_search=i"], Some(attribute(0, 7, false))),
        (&["chown,dac_override,dac_read_search=e"], None),
        (&["chown,dac_override,dac_read_search=pe"], Some(attribute(7, 0, true))),
        (&["=pe"], Some(attribute(ALL, 0, true))),
        (&["chown=ie", "chown=p"], p(1)),
        (&["chown=ie", "chown="], None),
        (&["chown=ie", "chown+p"], Some(attribute(1, 1, true))),
        (&["chown=pie", "dac_override,chown-p"], Some(attribute(0, 1, true))),
        (&["="], None),
        (&["all", "="], None),
        (&["=p", "="], None),
        (&["=p", "chown-p"], p(ALL & !1)),
        (&["chown=p+i"], Some(attribute(1, 1, false))),
        (&["chown=pi-p"], Some(attribute(0, 1, false))),
        (&["chown=pi=p"], p(1)),
        (&["chown+"], None),
        (&["chown-pie"], None),
        (&["chown", "chown-e"], p(1)),
        (&["kill=e", "chown"], Some(attribute(1, 0, true))),
        (&["kill=e", "kill-e", "chown"], p(1)),
        (&["chown,chown,0=p"], p(1)),
        (&["all-p", "63+i"], Some(attribute(0, 1 << 63, false))),
    ];
    for (terms, want) in cases {
        assert_eq!(xattr(terms), want, "{terms:?}");
    }
}

#[test]
fn what_means_nothing_is_refused_in_ko_s_words() {
    for (term, want) in [
        ("bogus", r#"unknown capability: "bogus""#),
        ("", r#"unknown capability: """#),
        ("chwon", r#"unknown capability: "chwon" (did you mean chown?)"#),
        (
            "CAP_NET_BIND",
            r#"unknown capability: "CAP_NET_BIND" (did you mean net_admin or net_bind_service?)"#,
        ),
        (
            "sys_tim",
            r#"unknown capability: "sys_tim" (did you mean sys_time, sys_admin or sys_boot?)"#,
        ),
        ("chown,=pie", r#""chown,=pie": unknown capability: """#),
        ("-pie", r#""-pie": unknown capability: """#),
        ("+pie", r#""+pie": unknown capability: """#),
        ("kill,bogus+p", r#""kill,bogus+p": unknown capability: "bogus""#),
        ("kil=p", r#""kil=p": unknown capability: "kil" (did you mean kill?)"#),
        ("chown=x", r#""chown=x": unknown flag 'x'"#),
        ("chown=p,kill=p", r#""chown=p,kill=p": unknown flag ','"#),
        ("chown=P", r#""chown=P": unknown flag 'P'"#),
        ("=pé", r#""=pé": unknown flag 'é'"#),
    ] {
        assert_eq!(Capabilities::parse(&["kill", term]).unwrap_err().to_string(), want);
    }
}

/// The three sets as sets, by the letters of the clauses.
fn model(clauses: &[(Vec<u8>, String)]) -> [BTreeSet<u8>; 3] {
    let mut sets: [BTreeSet<u8>; 3] = Default::default();
    for (bits, operations) in clauses {
        let mut operator = ' ';
        for operation in operations.chars() {
            let Some(set) = "pie".find(operation) else {
                operator = operation;
                if operation == '=' {
                    for set in &mut sets {
                        set.retain(|bit| !bits.contains(bit));
                    }
                }
                continue;
            };
            match operator {
                '-' => sets[set].retain(|bit| !bits.contains(bit)),
                _ => sets[set].extend(bits),
            }
        }
    }
    sets
}

proptest! {
    #[test]
    fn clauses_are_arithmetic_on_sets(
        clauses in prop::collection::vec(
            (prop::collection::vec(0..64_u8, 1..4), "[-+=][-+=pie]{0,6}"),
            0..5,
        ),
    ) {
        let terms: Vec<String> = clauses
            .iter()
            .map(|(bits, operations)| {
                let names: Vec<String> = bits.iter().map(u8::to_string).collect();
                format!("{}{operations}", names.join(","))
            })
            .collect();
        let [permitted, inheritable, effective] = model(&clauses);
        let mask = |set: &BTreeSet<u8>| set.iter().fold(0, |mask, bit| mask | 1_u64 << bit);
        let want = attribute(mask(&permitted), mask(&inheritable), !effective.is_empty());
        let nothing = permitted.is_empty() && inheritable.is_empty();
        prop_assert_eq!(
            Capabilities::parse(&terms).unwrap().xattr(),
            (!nothing).then_some(want)
        );
    }

    #[test]
    fn any_words_are_understood_or_refused(
        terms in prop::collection::vec("[-+=,pie_a-dA-D0-9]{0,12}|\\PC{0,12}", 0..4),
    ) {
        match Capabilities::parse(&terms) {
            // The message names what is wrong.
            Err(error) => prop_assert!(error.to_string().contains("unknown")),
            Ok(capabilities) => {
                if let Some(value) = capabilities.xattr() {
                    prop_assert_eq!(&value[1..4], &[0, 0, 2]);
                    prop_assert!(value[4..].iter().any(|byte| *byte != 0));
                }
            }
        }
    }
}
