//! The hosts of Elastic Container Registry, as Amazon's credential helper takes
//! them, and where their API is.

/// A registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host<'a> {
    /// The one of all public repositories.
    Public,
    /// An account's, in a region.
    Private { account: &'a str, region: &'a str, suffix: &'static str, fips: bool },
}

/// How hosts end, and how the API's hosts do: plain, and for IPv6 as well.
const SUFFIXES: [(&str, &str, &str); 9] = [
    ("amazonaws.com", "amazonaws.com", "api.aws"),
    ("amazonaws.com.cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("amazonaws.eu", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("on.aws", "amazonaws.com", "api.aws"),
    ("on.amazonwebservices.com.cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("sc2s.sgov.gov", "sc2s.sgov.gov", "api.aws.scloud"),
    ("c2s.ic.gov", "c2s.ic.gov", "api.aws.ic.gov"),
    ("cloud.adc-e.uk", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("csp.hci.ic.gov", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
];

/// What follows `dkr` in hosts that are reached over IPv6 as well.
const DUAL_STACK: [&str; 2] = ["on.aws", "on.amazonwebservices.com.cn"];

impl<'a> Host<'a> {
    /// `None` if this is another's host.
    pub(super) fn parse(host: &'a str) -> Option<Self> {
        if matches!(host, "public.ecr.aws" | "ecr-public.aws.com") {
            return Some(Self::Public);
        }
        let (account, rest) = host.split_once('.')?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let rest = rest.strip_prefix("dkr")?.strip_prefix(['.', '-'])?.strip_prefix("ecr")?;
        let (fips, rest) = match rest.strip_prefix("-fips") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (region, suffix) = rest.strip_prefix('.')?.split_once('.')?;
        let named = region.starts_with(|c: char| c.is_ascii_alphanumeric())
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let (suffix, _, _) = SUFFIXES.iter().find(|(known, _, _)| *known == suffix)?;
        named.then_some(Self::Private { account, region, suffix, fips })
    }

    pub(super) fn region(&self) -> Option<&'a str> {
        match self {
            Self::Public => None,
            Self::Private { region, .. } => Some(region),
        }
    }

    /// Where the API is (`endpoint-rule-set.json` of the service).
    pub(super) fn endpoint(&self, wants_fips: bool, wants_dual_stack: bool) -> String {
        let Self::Private { region, suffix, fips, .. } = self else {
            return match wants_dual_stack {
                true => "https://ecr-public.us-east-1.api.aws/".to_owned(),
                false => "https://api.ecr-public.us-east-1.amazonaws.com/".to_owned(),
            };
        };
        let row = SUFFIXES.iter().find(|(known, _, _)| known == suffix);
        let (plain, dual) = row.map_or((*suffix, *suffix), |(_, plain, dual)| (*plain, *dual));
        let fips = if *fips || wants_fips { "-fips" } else { "" };
        if wants_dual_stack || DUAL_STACK.contains(suffix) {
            format!("https://ecr{fips}.{region}.{dual}/")
        } else {
            format!("https://api.ecr{fips}.{region}.{plain}/")
        }
    }
}

/// How the hosts of a region's services end.
pub(super) fn suffix(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("us-isof-", "csp.hci.ic.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("us-iso-", "c2s.ic.gov"),
    ];
    let found = partitions.iter().find(|(start, _)| region.starts_with(start));
    found.map_or("amazonaws.com", |(_, suffix)| suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_of_amazons_helper() {
        let api = |host| Host::parse(host).map(|host| host.endpoint(false, false));
        for (host, want) in [
            ("public.ecr.aws", Some("https://api.ecr-public.us-east-1.amazonaws.com/")),
            ("ecr-public.aws.com", Some("https://api.ecr-public.us-east-1.amazonaws.com/")),
            (
                "123456789012.dkr.ecr.us-west-2.amazonaws.com",
                Some("https://api.ecr.us-west-2.amazonaws.com/"),
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                Some("https://api.ecr-fips.us-gov-west-1.amazonaws.com/"),
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                Some("https://api.ecr.cn-north-1.amazonaws.com.cn/"),
            ),
            (
                "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
                Some("https://api.ecr.eusc-de-east-1.amazonaws.eu/"),
            ),
            ("123456789012.dkr-ecr.us-west-2.on.aws", Some("https://ecr.us-west-2.api.aws/")),
            (
                "123456789012.dkr-ecr-fips.us-west-2.on.aws",
                Some("https://ecr-fips.us-west-2.api.aws/"),
            ),
            (
                "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
                Some("https://ecr.cn-north-1.api.amazonwebservices.com.cn/"),
            ),
            (
                "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
                Some("https://api.ecr.us-iso-east-1.c2s.ic.gov/"),
            ),
            (
                "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                Some("https://api.ecr.us-isob-east-1.sc2s.sgov.gov/"),
            ),
            (
                "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                Some("https://api.ecr.eu-isoe-west-1.cloud.adc-e.uk/"),
            ),
            (
                "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                Some("https://api.ecr.us-isof-south-1.csp.hci.ic.gov/"),
            ),
            ("12345678901.dkr.ecr.us-west-2.amazonaws.com", None),
            ("1234567890123.dkr.ecr.us-west-2.amazonaws.com", None),
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com.evil.com", None),
            ("123456789012.dkr.ecr.us-west-2.evil.com", None),
            ("123456789012.dkr.ecr.a.b.amazonaws.com", None),
            ("123456789012.dkr.ecr..amazonaws.com", None),
            ("123456789012.dkr.ecr.-a.amazonaws.com", None),
            ("123456789012.dkrXecr.us-west-2.amazonaws.com", None),
            ("x.123456789012.dkr.ecr.us-west-2.amazonaws.com", None),
            ("evil-public.ecr.aws", None),
            ("gcr.io", None),
            ("index.docker.io", None),
        ] {
            assert_eq!(api(host).as_deref(), want, "{host}");
        }
    }

    #[test]
    fn fips_and_dual_stack_can_be_asked_for() {
        let host = Host::parse("123456789012.dkr.ecr.us-east-2.amazonaws.com").unwrap();
        for (fips, dual, want) in [
            (true, false, "https://api.ecr-fips.us-east-2.amazonaws.com/"),
            (false, true, "https://ecr.us-east-2.api.aws/"),
            (true, true, "https://ecr-fips.us-east-2.api.aws/"),
        ] {
            assert_eq!(host.endpoint(fips, dual), want);
        }
        assert_eq!(Host::Public.endpoint(false, true), "https://ecr-public.us-east-1.api.aws/");
    }

    #[test]
    fn a_regions_services_are_in_its_partition() {
        for (region, want) in [
            ("eu-west-1", "amazonaws.com"),
            ("us-gov-east-1", "amazonaws.com"),
            ("cn-northwest-1", "amazonaws.com.cn"),
            ("us-iso-west-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eusc-de-east-1", "amazonaws.eu"),
        ] {
            assert_eq!(suffix(region), want);
        }
    }
}
