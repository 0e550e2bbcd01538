//! The Linux capabilities of a program: the words of `linux_capabilities`, and
//! the extended attribute that they become (`struct vfs_cap_data` of Linux).

/// How alike a name must be (0 to 1) to be taken for another one. The measure
/// is one that looks at how names begin.
const ALIKE: f64 = 0.85;

/// How many names are suggested at most.
const SUGGESTED: usize = 3;

/// The capabilities that Linux has a name for, by their bits.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The three sets of capabilities that a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities {
    permitted: u64,
    inheritable: u64,
    effective: u64,
}

/// Words that mean no capabilities. The messages are ko's, with the names that
/// could have been meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// A term that is a name alone, and names nothing.
    #[error("unknown capability: {name:?}{}", suggestion(name))]
    Name {
        /// The name.
        name: String,
    },
    /// A name in a clause, and it names nothing.
    #[error("{term:?}: unknown capability: {name:?}{}", suggestion(name))]
    NameInClause {
        /// The clause.
        term: String,
        /// The name.
        name: String,
    },
    /// A letter in a clause that is not `p`, `i` or `e`.
    #[error("{term:?}: unknown flag '{flag}'")]
    Flag {
        /// The clause.
        term: String,
        /// The letter.
        flag: char,
    },
}

impl Capabilities {
    /// Understands terms as ko does. A term is the name of a capability, which
    /// becomes permitted, or a clause in the manner of `cap_from_text(3)`:
    /// names with commas between them, then `+`, `-` or `=`, then letters of
    /// the sets (`p`, `i`, `e`), and more of both if need be. Clauses work on
    /// what the terms before them gave.
    ///
    /// Names may be in upper or lower case, have `cap_` before them, be `all`,
    /// or be the number of a bit up to 63.
    ///
    /// # Errors
    /// See [`CapabilityError`].
    pub fn parse(terms: &[impl AsRef<str>]) -> Result<Self, CapabilityError> {
        let mut capabilities = Self::default();
        for term in terms {
            capabilities.apply(term.as_ref())?;
        }
        Ok(capabilities)
    }

    /// The value of the attribute `security.capability`, in revision 2;
    /// `None` if there is nothing for a program to get from it, even if
    /// something is to be effective.
    pub fn xattr(&self) -> Option<[u8; 20]> {
        if self.permitted == 0 && self.inheritable == 0 {
            return None;
        }
        let words = [
            0x0200_0000 | u32::from(self.effective != 0),
            self.permitted as u32,
            self.inheritable as u32,
            (self.permitted >> 32) as u32,
            (self.inheritable >> 32) as u32,
        ];
        let mut value = [0; 20];
        for (bytes, word) in value.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Some(value)
    }

    fn apply(&mut self, term: &str) -> Result<(), CapabilityError> {
        let Some(at) = term.find(['+', '-', '=']) else {
            let bits = bits(term);
            self.permitted |=
                bits.ok_or_else(|| CapabilityError::Name { name: term.to_owned() })?;
            return Ok(());
        };
        let (names, operations) = term.split_at(at);
        let names = if names.is_empty() && operations.starts_with('=') { "all" } else { names };
        let mut mask = 0;
        for name in names.split(',') {
            mask |= bits(name).ok_or_else(|| CapabilityError::NameInClause {
                term: term.to_owned(),
                name: name.to_owned(),
            })?;
        }
        let mut remove = false;
        for operation in operations.chars() {
            let set = match operation {
                '+' | '-' => {
                    remove = operation == '-';
                    continue;
                }
                '=' => {
                    remove = false;
                    for set in [&mut self.permitted, &mut self.inheritable, &mut self.effective] {
                        *set &= !mask;
                    }
                    continue;
                }
                'p' => &mut self.permitted,
                'i' => &mut self.inheritable,
                'e' => &mut self.effective,
                flag => return Err(CapabilityError::Flag { term: term.to_owned(), flag }),
            };
            *set = if remove { *set & !mask } else { *set | mask };
        }
        Ok(())
    }
}

/// The bits of a name or number.
fn bits(name: &str) -> Option<u64> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.parse::<u32>().ok().and_then(|bit| 1_u64.checked_shl(bit));
    }
    let name = name.to_lowercase();
    if name == "all" {
        return Some((1 << NAMES.len()) - 1);
    }
    let name = name.strip_prefix("cap_").unwrap_or(&name);
    NAMES.iter().position(|known| *known == name).map(|bit| 1 << bit)
}

/// The names that are most like this one, as the end of a message.
fn suggestion(name: &str) -> String {
    let lower = name.to_lowercase();
    let lower = lower.strip_prefix("cap_").unwrap_or(&lower);
    let mut alike: Vec<(f64, &str)> = NAMES
        .iter()
        .map(|known| (strsim::jaro_winkler(lower, known), *known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<&str> = alike.iter().take(SUGGESTED).map(|(_, known)| *known).collect();
    match names.as_slice() {
        [] => String::new(),
        [names @ .., last] if !names.is_empty() => {
            format!(" (did you mean {} or {last}?)", names.join(", "))
        }
        names => format!(" (did you mean {}?)", names.concat()),
    }
}
