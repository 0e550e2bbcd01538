//! How layers are compressed: the methods, their levels, and the identifiers
//! under which layers are known again. It compresses nothing.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to compress layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// gzip (RFC 1952), one member.
    #[default]
    Gzip,
    /// eStargz: gzip of many members with a table of contents, so that a
    /// runtime can start a container before its layers are there. To whoever
    /// does not know it, it is gzip.
    Estargz,
    /// Zstandard (RFC 8878). OCI images only.
    Zstd,
    /// None: the blob is the tar. OCI images only.
    None,
}

impl Method {
    const ALL: [Self; 4] = [Self::Gzip, Self::Estargz, Self::Zstd, Self::None];

    /// The name, as users give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Estargz => "estargz",
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }

    /// The levels that there are, where there are any. More is slower and
    /// smaller.
    pub fn levels(self) -> Option<RangeInclusive<u8>> {
        match self {
            Self::Gzip | Self::Estargz => Some(1..=9),
            Self::Zstd => Some(1..=22),
            Self::None => None,
        }
    }

    /// What the blobs of this method are.
    pub fn encoding(self) -> Encoding {
        match self {
            Self::Gzip | Self::Estargz => Encoding::Gzip,
            Self::Zstd => Encoding::Zstd,
            Self::None => Encoding::None,
        }
    }

    fn default_level(self) -> u8 {
        match self {
            Self::Gzip | Self::Estargz => GZIP_LEVEL,
            Self::Zstd => ZSTD_LEVEL,
            Self::None => 0,
        }
    }
}

/// zlib-rs' level 2. Level 1 is coded with fixed trees and gives more bytes
/// than Go's level 1, which ko uses. Part of what `gz1` means.
pub(crate) const GZIP_LEVEL: u8 = 2;

/// What zstd itself takes for its default.
const ZSTD_LEVEL: u8 = 3;

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = CompressionError;

    fn from_str(name: &str) -> Result<Self, CompressionError> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| CompressionError::Method { name: name.to_owned() })
    }
}

/// What a blob is, to those who read it: the end of its media type in the OCI
/// image-spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// `application/vnd.oci.image.layer.v1.tar+gzip`, and the one encoding
    /// that Docker's own media types have a name for.
    Gzip,
    /// `application/vnd.oci.image.layer.v1.tar+zstd`.
    Zstd,
    /// `application/vnd.oci.image.layer.v1.tar`.
    None,
}

impl Encoding {
    /// The end of the media type, with its sign: `+gzip`, `+zstd` or nothing.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => "+gzip",
            Self::Zstd => "+zstd",
            Self::None => "",
        }
    }
}

/// A method and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compression {
    method: Method,
    level: u8,
}

/// A compression that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// No method has this name.
    #[error("unknown compression {name:?}: there are gzip, estargz, zstd and none")]
    Method {
        /// The name.
        name: String,
    },
    /// The method has other levels.
    #[error("{method} has no level {level}: its levels are {} to {}", levels.start(), levels.end())]
    Level {
        /// The method.
        method: Method,
        /// The level.
        level: i64,
        /// Those that it has.
        levels: RangeInclusive<u8>,
    },
    /// The method has no levels at all.
    #[error("a level of compression was given, and {method} has none")]
    NoLevels {
        /// The method.
        method: Method,
    },
}

impl Compression {
    /// A method at a level.
    ///
    /// # Errors
    /// The method does not have that level.
    pub fn new(method: Method, level: i64) -> Result<Self, CompressionError> {
        let levels = method.levels().ok_or(CompressionError::NoLevels { method })?;
        let known = u8::try_from(level).ok().filter(|level| levels.contains(level));
        let level = known.ok_or(CompressionError::Level { method, level, levels })?;
        Ok(Self { method, level })
    }

    /// The method.
    pub fn method(self) -> Method {
        self.method
    }

    /// The version of the compressed bytes: `gz1`, `gz1-6`, `estargz1`,
    /// `zstd1-3`, `none`. The same content has the same bytes for as long as
    /// this stays the same.
    pub fn id(self) -> String {
        let (name, usual) = match self.method {
            Method::Gzip => ("gz1", Some(GZIP_LEVEL)),
            Method::Estargz => ("estargz1", Some(GZIP_LEVEL)),
            Method::Zstd => ("zstd1", None),
            Method::None => return "none".to_owned(),
        };
        match self.level {
            level if Some(level) == usual => name.to_owned(),
            level => format!("{name}-{level}"),
        }
    }

    /// The level of DEFLATE or zstd.
    pub(crate) fn level(self) -> u8 {
        self.level
    }
}

impl Default for Compression {
    fn default() -> Self {
        Method::default().into()
    }
}

/// A method at its own choice of a level: 2 for gzip and eStargz, 3 for zstd.
impl From<Method> for Compression {
    fn from(method: Method) -> Self {
        Self { method, level: method.default_level() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_level_where_it_is_not_the_usual_one() {
        for (method, level, want) in [
            ("gzip", None, "gz1"),
            ("gzip", Some(2), "gz1"),
            ("gzip", Some(1), "gz1-1"),
            ("gzip", Some(9), "gz1-9"),
            ("estargz", None, "estargz1"),
            ("estargz", Some(6), "estargz1-6"),
            ("zstd", None, "zstd1-3"),
            ("zstd", Some(1), "zstd1-1"),
            ("zstd", Some(22), "zstd1-22"),
            ("none", None, "none"),
        ] {
            let method: Method = method.parse().unwrap();
            let usual = || Ok(method.into());
            let compression = level.map_or_else(usual, |level| Compression::new(method, level));
            assert_eq!(compression.unwrap().id(), want);
        }
        assert_eq!(Compression::default().id(), "gz1");
    }

    #[test]
    fn what_there_is_not_is_refused_in_words() {
        let level = |method, level| Compression::new(method, level).unwrap_err().to_string();
        assert_eq!(level(Method::Gzip, 0), "gzip has no level 0: its levels are 1 to 9");
        assert_eq!(level(Method::Estargz, 10), "estargz has no level 10: its levels are 1 to 9");
        assert_eq!(level(Method::Zstd, -1), "zstd has no level -1: its levels are 1 to 22");
        assert_eq!(
            level(Method::Zstd, i64::MAX),
            "zstd has no level 9223372036854775807: its levels are 1 to 22"
        );
        assert_eq!(level(Method::None, 1), "a level of compression was given, and none has none");
        for name in ["", "GZIP", "xz", "gzip "] {
            let error = name.parse::<Method>().unwrap_err().to_string();
            let want =
                format!("unknown compression {name:?}: there are gzip, estargz, zstd and none");
            assert_eq!(error, want);
        }
    }

    #[test]
    fn media_types_name_the_encoding() {
        for (encoding, suffix) in
            [(Encoding::Gzip, "+gzip"), (Encoding::Zstd, "+zstd"), (Encoding::None, "")]
        {
            assert_eq!(encoding.suffix(), suffix);
        }
    }
}
