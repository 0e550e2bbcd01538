//! The targets that packages are made for, and what each kind of package calls them.

/// A target, by its name in Rust.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As `rustc --print target-list` has it.
    pub(crate) triple: &'static str,
    /// What the binary runs on.
    pub(crate) system: System,
    /// The processor.
    pub(crate) processor: Processor,
}

/// A system, and on Linux the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Linux, with the GNU C library of the machine.
    LinuxGnu,
    /// Linux, with all that it needs in the binary itself.
    LinuxStatic,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processor {
    /// x86-64, or amd64.
    X86_64,
    /// aarch64, or arm64.
    Aarch64,
}

/// All of them: the static ones first, which run everywhere, and those of one system and
/// processor together. Of the Windows ones of a processor, any one is packaged.
pub(crate) const TARGETS: [Target; 11] = [
    target("x86_64-unknown-linux-musl", System::LinuxStatic, Processor::X86_64),
    target("aarch64-unknown-linux-musl", System::LinuxStatic, Processor::Aarch64),
    target("x86_64-unknown-linux-gnu", System::LinuxGnu, Processor::X86_64),
    target("aarch64-unknown-linux-gnu", System::LinuxGnu, Processor::Aarch64),
    target("x86_64-apple-darwin", System::MacOs, Processor::X86_64),
    target("aarch64-apple-darwin", System::MacOs, Processor::Aarch64),
    target("x86_64-pc-windows-msvc", System::Windows, Processor::X86_64),
    target("x86_64-pc-windows-gnu", System::Windows, Processor::X86_64),
    target("x86_64-pc-windows-gnullvm", System::Windows, Processor::X86_64),
    target("aarch64-pc-windows-msvc", System::Windows, Processor::Aarch64),
    target("aarch64-pc-windows-gnullvm", System::Windows, Processor::Aarch64),
];

const fn target(triple: &'static str, system: System, processor: Processor) -> Target {
    Target { triple, system, processor }
}

impl Target {
    /// The target of a name.
    pub(crate) fn named(triple: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.triple == triple)
    }

    /// The target that this tool was itself compiled for.
    pub(crate) fn of_host() -> Option<&'static Self> {
        TARGETS.iter().find(|target| {
            target.runs_here()
                && (target.system != System::LinuxStatic || cfg!(target_env = "musl"))
        })
    }

    /// Can this machine run its binaries?
    pub(crate) fn runs_here(&self) -> bool {
        let system = match self.system {
            System::LinuxGnu => cfg!(all(target_os = "linux", target_env = "gnu")),
            System::LinuxStatic => cfg!(target_os = "linux"),
            System::MacOs => cfg!(target_os = "macos"),
            System::Windows => cfg!(windows),
        };
        let processor = match self.processor {
            Processor::X86_64 => cfg!(target_arch = "x86_64"),
            Processor::Aarch64 => cfg!(target_arch = "aarch64"),
        };
        system && processor
    }

    /// The end of an archive's name: as ko's releases have it, whose binaries need no C
    /// library either.
    pub(crate) fn in_archives(&self) -> String {
        let processor = match self.processor {
            Processor::X86_64 => "x86_64",
            Processor::Aarch64 => "arm64",
        };
        match self.system {
            System::LinuxGnu => format!("Linux_{processor}_gnu"),
            System::LinuxStatic => format!("Linux_{processor}"),
            System::MacOs => format!("Darwin_{processor}"),
            System::Windows => format!("Windows_{processor}"),
        }
    }

    /// The name of the program's file.
    pub(crate) fn program(&self) -> &'static str {
        if self.system == System::Windows { "ko.exe" } else { "ko" }
    }

    /// `process.platform` of Node.js.
    pub(crate) fn node_platform(&self) -> &'static str {
        match self.system {
            System::LinuxGnu | System::LinuxStatic => "linux",
            System::MacOs => "darwin",
            System::Windows => "win32",
        }
    }

    /// `process.arch` of Node.js.
    pub(crate) fn node_arch(&self) -> &'static str {
        match self.processor {
            Processor::X86_64 => "x64",
            Processor::Aarch64 => "arm64",
        }
    }
}
