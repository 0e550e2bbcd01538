//! Describes what a program is compiled for, in the words that `go` has for it.

use std::fmt;
use std::num::ParseIntError;

use thiserror::Error;

/// An operating system, an architecture and its variant: what an image's
/// platform says, without the parts that `go` does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// `GOOS`.
    pub os: String,
    /// `GOARCH`.
    pub arch: String,
    /// The variant as the OCI image-spec writes it (`v7`), or empty. Only
    /// those of `arm` and `amd64` reach the compiler.
    pub variant: String,
}

impl Target {
    /// The variables that choose this target, in the order in which they are
    /// set: `CGO_ENABLED=0`, `GOOS`, `GOARCH`, and `GOARM` or `GOAMD64` where
    /// the variant has one.
    ///
    /// # Errors
    /// An `arm` variant that is not `v` and a number.
    pub fn variables(&self) -> Result<Vec<(&'static str, String)>, TargetError> {
        let mut variables = vec![
            ("CGO_ENABLED", "0".to_owned()),
            ("GOOS", self.os.clone()),
            ("GOARCH", self.arch.clone()),
        ];
        if self.variant.is_empty() {
            return Ok(variables);
        }
        match self.arch.as_str() {
            "arm" => variables.extend(self.goarm()?.map(|goarm| ("GOARM", goarm))),
            "amd64" => variables.push(("GOAMD64", self.variant.clone())),
            _ => {}
        }
        Ok(variables)
    }

    /// `GOARM` of an `arm` variant: Go knows 5, 6 and 7; what is newer runs
    /// the code of 7, and what is older has none.
    fn goarm(&self) -> Result<Option<String>, TargetError> {
        let variant = &self.variant;
        let Some(number) = variant.strip_prefix('v') else {
            return Err(TargetError::Strange { variant: variant.clone() });
        };
        let number: i64 = number
            .parse()
            .map_err(|source| TargetError::NotANumber { variant: variant.clone(), source })?;
        Ok((number >= 5).then(|| number.min(7).to_string()))
    }
}

/// `os/arch`, and `/variant` where there is one.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// A variant for which `go` has no words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// An `arm` variant without the leading `v`.
    #[error("goarm failure: strange arm variant: {variant}")]
    Strange {
        /// The variant.
        variant: String,
    },
    /// An `arm` variant whose rest is not a number.
    #[error("goarm failure: cannot parse arm variant {variant:?}")]
    NotANumber {
        /// The variant.
        variant: String,
        /// What the number lacks.
        source: ParseIntError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(arch: &str, variant: &str) -> Result<Vec<String>, String> {
        let target = Target { os: "linux".into(), arch: arch.into(), variant: variant.into() };
        target
            .variables()
            .map(|all| {
                let text = |(name, value): &(&str, String)| format!("{name}={value}");
                all[2..].iter().map(text).collect()
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn variants() {
        for (arch, variant, want) in [
            ("arm", "", ["GOARCH=arm", ""]),
            ("arm", "v4", ["GOARCH=arm", ""]),
            ("arm", "v-1", ["GOARCH=arm", ""]),
            ("arm", "v5", ["GOARCH=arm", "GOARM=5"]),
            ("arm", "v6", ["GOARCH=arm", "GOARM=6"]),
            ("arm", "v7", ["GOARCH=arm", "GOARM=7"]),
            ("arm", "v8", ["GOARCH=arm", "GOARM=7"]),
            ("arm64", "v8", ["GOARCH=arm64", ""]),
            ("arm64", "nonsense", ["GOARCH=arm64", ""]),
            ("amd64", "v3", ["GOARCH=amd64", "GOAMD64=v3"]),
            ("amd64", "v1.5", ["GOARCH=amd64", "GOAMD64=v1.5"]),
            ("riscv64", "rva22", ["GOARCH=riscv64", ""]),
        ] {
            let want: Vec<_> = want.into_iter().filter(|text| !text.is_empty()).collect();
            assert_eq!(variables(arch, variant).unwrap(), want, "{arch}/{variant}");
        }
        for (variant, want) in [("", "linux/arm"), ("v6", "linux/arm/v6")] {
            let target = Target { os: "linux".into(), arch: "arm".into(), variant: variant.into() };
            assert_eq!(target.to_string(), want);
        }
        assert_eq!(
            variables("arm", "wrong-prefix").unwrap_err(),
            "goarm failure: strange arm variant: wrong-prefix"
        );
        assert_eq!(
            variables("arm", "vnot-a-number").unwrap_err(),
            "goarm failure: cannot parse arm variant \"vnot-a-number\""
        );
    }
}
