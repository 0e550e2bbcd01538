//! Platforms, and which images of a base index a user asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::descriptor::or_empty;

/// What an image runs on (OCI image-spec, "Image Index", `platform`). In a
/// request an empty field means "any".
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// CPU architecture, in Go's words.
    #[serde(default, deserialize_with = "or_empty")]
    pub architecture: String,
    /// Operating system, in Go's words.
    #[serde(default, deserialize_with = "or_empty")]
    pub os: String,
    /// Version of the operating system (Windows).
    #[serde(
        default,
        rename = "os.version",
        deserialize_with = "or_empty",
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// Required features of the operating system.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "or_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// Variant of the architecture: `v7` of arm, `v3` of amd64.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Reserved by the specification.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// A text that is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too many slashes in platform spec: {0}")]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;

    /// `os[/arch[/variant]][:osversion]`, each part possibly empty.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let text = text.trim();
        let mut sides = text.split(':');
        let mut parts =
            sides.next().unwrap_or_default().split('/').map(|part| part.trim().to_owned());
        // With a second colon ko takes no version at all.
        let os_version = match (sides.next(), sides.next()) {
            (Some(version), None) => version.trim().to_owned(),
            _ => String::new(),
        };
        let platform = Self {
            os: parts.next().unwrap_or_default(),
            architecture: parts.next().unwrap_or_default(),
            variant: parts.next().unwrap_or_default(),
            os_version,
            ..Self::default()
        };
        match parts.next() {
            Some(_) => Err(PlatformError(text.to_owned())),
            None => Ok(platform),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if !self.architecture.is_empty() {
            write!(f, "/{}", self.architecture)?;
        }
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        if !self.os_version.is_empty() {
            write!(f, ":{}", self.os_version)?;
        }
        Ok(())
    }
}

impl Platform {
    /// Is it Windows, whose layers are laid out differently?
    pub fn is_windows(&self) -> bool {
        self.os == "windows"
    }

    /// Does a base for `self` serve a request for `wanted`?
    fn serves(&self, wanted: &Platform) -> bool {
        let same = |have: &str, want: &str| want.is_empty() || have == want;
        same(&self.os, &wanted.os)
            && same(&self.architecture, &wanted.architecture)
            && same(&self.variant, &wanted.variant)
            && self.serves_version(&wanted.os_version)
    }

    /// The version must be equal; on Windows, a request of three parts is also
    /// served by a base of four, because the last is only the patch level.
    fn serves_version(&self, wanted: &str) -> bool {
        if wanted.is_empty() || wanted == self.os_version {
            return true;
        }
        self.is_windows()
            && wanted.matches('.').count() == 2
            && self.os_version.matches('.').count() == 3
            && self.os_version.rsplit_once('.').is_some_and(|(release, _)| release == wanted)
    }
}

/// Platforms that bases are often for, as they are asked for.
pub const COMMON_PLATFORMS: [&str; 16] = [
    "all",
    "linux/386",
    "linux/amd64",
    "linux/arm",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/loong64",
    "linux/mips64le",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
    "windows/arm64",
    "freebsd/amd64",
    "freebsd/arm64",
];

/// How alike two platforms must be (0 to 1) for one to be taken for the other.
const ALIKE: f64 = 0.75;

impl Platform {
    /// The one of these that was probably meant: of another spelling
    /// (`linux/x86_64`), without its operating system, or mistyped.
    pub fn nearest<'a>(&self, available: &'a [Platform]) -> Option<&'a Platform> {
        let meant = self.in_go_s_words();
        if let Some(served) = available.iter().find(|platform| platform.serves(&meant)) {
            return Some(served);
        }
        let machine = |platform: &Platform| match meant.variant.is_empty() {
            true => platform.architecture.clone(),
            false => format!("{}{}", platform.architecture, platform.variant),
        };
        let alike = |platform: &Platform| {
            let alike = strsim::normalized_damerau_levenshtein;
            (alike(&meant.os, &platform.os) + alike(&machine(&meant), &machine(platform))) / 2.0
        };
        let rated = available.iter().map(|platform| (alike(platform), platform));
        let nearest = rated.min_by(|one, other| other.0.total_cmp(&one.0));
        nearest.filter(|(alike, _)| *alike >= ALIKE).map(|(_, platform)| platform)
    }

    /// The same with the architecture that Go has for the words of others.
    fn in_go_s_words(&self) -> Platform {
        let mut platform = self.clone();
        if platform.architecture.is_empty() {
            platform.architecture = std::mem::replace(&mut platform.os, "linux".to_owned());
        }
        let (architecture, variant) = match platform.architecture.to_lowercase().as_str() {
            "x86_64" | "x86-64" | "x64" => ("amd64", ""),
            "aarch64" | "armv8" => ("arm64", ""),
            "i386" | "i686" | "x86" => ("386", ""),
            "armhf" | "armv7" | "armv7l" => ("arm", "v7"),
            "armel" | "armv6" | "armv6l" => ("arm", "v6"),
            _ => return platform,
        };
        platform.architecture = architecture.to_owned();
        platform.variant = variant.to_owned();
        platform
    }
}

/// Which platforms are wanted: all that the base has, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PlatformMatcher {
    /// Whatever the base has.
    All,
    /// Those that serve one of these.
    Any(Vec<Platform>),
}

impl PlatformMatcher {
    /// Reads the elements of a `--platform` list: `all` first means all; an
    /// element that stands alone is split at its commas.
    ///
    /// # Errors
    /// An element with more than two slashes.
    pub fn parse<S: AsRef<str>>(elements: &[S]) -> Result<Self, PlatformError> {
        let elements: Vec<&str> = match elements {
            [one] => one.as_ref().split(',').collect(),
            many => many.iter().map(AsRef::as_ref).collect(),
        };
        if elements.first() == Some(&"all") {
            return Ok(Self::All);
        }
        elements.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self::Any)
    }

    /// Is an image of a base index wanted? `None` is a descriptor that names no
    /// platform. Attestations, which have the platform `unknown`, never are.
    pub fn matches(&self, base: Option<&Platform>) -> bool {
        if base.is_some_and(|base| base.os == "unknown" || base.architecture == "unknown") {
            return false;
        }
        match (self, base) {
            (Self::All, _) => true,
            (Self::Any(_), None) => false,
            (Self::Any(wanted), Some(base)) => wanted.iter().any(|wanted| base.serves(wanted)),
        }
    }
}

impl fmt::Display for PlatformMatcher {
    /// As ko prints the list in its errors: `[linux/amd64 linux/arm64]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("[all]"),
            Self::Any(wanted) => {
                let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", wanted.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn parsing_and_printing() {
        for (text, printed) in [
            ("linux/arm64/v8", "linux/arm64/v8"),
            (" linux/amd64 ", "linux/amd64"),
            ("windows/amd64:10.0.17763.1", "windows/amd64:10.0.17763.1"),
            ("windows", "windows"),
            ("windows/amd64:10:1", "windows/amd64"),
            ("", ""),
        ] {
            assert_eq!(platform(text).to_string(), printed);
        }
        assert_eq!(
            "linux/a/b/c".parse::<Platform>().unwrap_err().to_string(),
            "too many slashes in platform spec: linux/a/b/c"
        );
    }

    #[test]
    fn matching_is_ko_s() {
        let amd64 = "linux/amd64";
        for (base, wanted, want) in [
            (None, vec!["all"], true),
            (None, vec![amd64], false),
            (Some("windows/amd64"), vec!["linux"], false),
            (Some("linux/arm64/v3"), vec![amd64, "linux/arm64"], true),
            (Some("linux/arm64/v3"), vec![amd64, "linux/arm64/v4"], false),
            (Some("linux/amd64"), vec![], false),
            (Some("windows/amd64:10.0.17763.1234"), vec!["windows/amd64:10.0.17763.1234"], true),
            (Some("windows/amd64:10.0.17763.1234"), vec!["windows/amd64:10.0.17763"], true),
            (Some("windows/amd64:10.0.17763.1234"), vec!["windows"], true),
            (Some("windows/amd64:10.0.17763.1234"), vec!["windows/amd64:10.0"], false),
            (Some("windows/amd64:10.0.17763.1234"), vec!["windows/amd64:10"], false),
            (Some("linux/amd64:10.0.17763.1234"), vec!["linux/amd64:10.0.17763"], false),
            (Some("windows/amd64:10.0.17763"), vec!["windows/amd64:10.0.17763.1234"], false),
            (Some("windows/amd64:1.2.3.4.5"), vec!["windows/amd64:1.2.3.4"], false),
            (Some("unknown/unknown"), vec!["all"], false),
            (Some("linux/unknown"), vec!["all"], false),
            (Some("linux/amd64"), vec!["linux/arm64,linux/amd64"], true),
            (Some("linux/amd64"), vec!["/amd64"], true),
            (Some("linux/amd64"), vec![""], true),
        ] {
            let matcher = PlatformMatcher::parse(&wanted).unwrap();
            let base_platform = base.map(platform);
            assert_eq!(matcher.matches(base_platform.as_ref()), want, "{base:?} for {wanted:?}");
        }
    }

    #[test]
    fn the_nearest_platform_is_the_one_that_was_meant() {
        let available = [
            "linux/386",
            "linux/amd64",
            "linux/arm/v6",
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/s390x",
            "windows/amd64:10.0.17763.1",
        ];
        let available: Vec<Platform> = available.into_iter().map(platform).collect();
        for (wanted, want) in [
            ("linux/amd65", Some("linux/amd64")),
            ("linux/x86_64", Some("linux/amd64")),
            ("linux/aarch64", Some("linux/arm64/v8")),
            ("linux/armhf", Some("linux/arm/v7")),
            ("linux/arm/v5", Some("linux/arm/v6")),
            ("arm64", Some("linux/arm64/v8")),
            ("lunix/arm64", Some("linux/arm64/v8")),
            ("window/amd64", Some("windows/amd64:10.0.17763.1")),
            ("windows/amd64:10.0.1", Some("windows/amd64:10.0.17763.1")),
            ("linux/riscv64", None),
            ("linux/vax", None),
            ("plan9/mips", None),
        ] {
            let found = platform(wanted).nearest(&available).map(ToString::to_string);
            assert_eq!(found.as_deref(), want, "{wanted}");
        }
        assert_eq!(platform("linux/amd64").nearest(&[]), None);
    }

    #[test]
    fn words_of_others_are_go_s() {
        for (words, want) in [
            ("x86-64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("Linux/ARMv8", "Linux/arm64"),
            ("windows/x86", "windows/386"),
            ("i686", "linux/386"),
            ("armv7l", "linux/arm/v7"),
            ("armel", "linux/arm/v6"),
            ("linux/armv6l", "linux/arm/v6"),
            ("linux/mips/softfloat", "linux/mips/softfloat"),
        ] {
            assert_eq!(platform(words).in_go_s_words().to_string(), want, "{words}");
        }
    }

    #[test]
    fn lists_are_printed_as_ko_prints_them() {
        let matcher = PlatformMatcher::parse(&["linux/s390x", "linux/arm64/v8"]).unwrap();
        assert_eq!(matcher.to_string(), "[linux/s390x linux/arm64/v8]");
        assert_eq!(PlatformMatcher::parse(&["all"]).unwrap().to_string(), "[all]");
    }

    /// A platform as a user asks for it; any field but `os` may be empty.
    fn any_platform() -> impl Strategy<Value = Platform> {
        let fields = (
            "[a-z0-9]{1,9}",
            "[a-z0-9]{0,9}",
            "[a-z0-9]{0,3}",
            "([0-9]{1,5}(\\.[0-9]{1,5}){0,3})?",
        );
        fields.prop_map(|(os, architecture, variant, os_version)| Platform {
            os,
            architecture,
            variant,
            os_version,
            ..Platform::default()
        })
    }

    proptest! {
        /// With each slash written, and whatever the blanks, the fields come
        /// back; what is printed does too, unless a variant lacks its
        /// architecture.
        #[test]
        fn platforms_survive_their_text(platform in any_platform(), blanks in "[ \t]{0,2}") {
            let Platform { os, architecture, variant, os_version, .. } = &platform;
            let b = blanks;
            let text = format!("{b}{os}{b}/{b}{architecture}{b}/{b}{variant}{b}:{b}{os_version}{b}");
            prop_assert_eq!(text.parse::<Platform>(), Ok(platform.clone()));
            if variant.is_empty() || !architecture.is_empty() {
                prop_assert_eq!(platform.to_string().parse::<Platform>(), Ok(platform.clone()));
            }
            let longer = format!("{os}/{architecture}/{variant}/:{os_version}");
            prop_assert!(longer.parse::<Platform>().is_err());
        }

        /// A base serves a request for itself. To ask for less, or for more
        /// besides, keeps what matches; to ask for another field loses it.
        #[test]
        fn matching_is_monotone(base in any_platform(), other in any_platform(), cleared in 0..16_u8) {
            let mut wanted = base.clone();
            let fields =
                [&mut wanted.os, &mut wanted.architecture, &mut wanted.variant, &mut wanted.os_version];
            for (bit, field) in fields.into_iter().enumerate() {
                if cleared & 1 << bit != 0 {
                    field.clear();
                }
            }
            for list in [vec![wanted.clone()], vec![other.clone(), wanted.clone()], vec![wanted, other]] {
                prop_assert!(PlatformMatcher::Any(list).matches(Some(&base)));
            }
            prop_assert!(PlatformMatcher::All.matches(Some(&base)));
            prop_assert!(!PlatformMatcher::Any(vec![]).matches(Some(&base)));
            for field in 0..4 {
                let mut wrong = base.clone();
                [&mut wrong.os, &mut wrong.architecture, &mut wrong.variant, &mut wrong.os_version][field]
                    .push('x');
                prop_assert!(!PlatformMatcher::Any(vec![wrong]).matches(Some(&base)));
            }
        }

        /// One element with commas is the list of its parts.
        #[test]
        fn commas_divide_a_list(platforms in proptest::collection::vec(any_platform(), 1..5)) {
            let texts: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            prop_assume!(texts[0] != "all");
            let divided = PlatformMatcher::parse(&texts).unwrap();
            prop_assert_eq!(&PlatformMatcher::parse(&[texts.join(",")]).unwrap(), &divided);
            prop_assert_eq!(divided.to_string(), format!("[{}]", texts.join(" ")));
        }

        #[test]
        fn more_than_two_slashes_are_refused(text in "[a-z/: ]{0,12}") {
            let side = text.trim().split(':').next().unwrap_or_default();
            prop_assert_eq!(text.parse::<Platform>().is_err(), side.matches('/').count() > 2);
        }
    }
}
