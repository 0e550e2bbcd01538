//! The clouds of Azure: their registries, where they log in, and what they call
//! the resource that tokens are for.

use registry::Variables;

/// A cloud of Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Environment {
    /// Where Entra ID is, if nobody says otherwise.
    pub(super) authority: &'static str,
    /// The resource manager, as ko's tokens are for.
    pub(super) resource: &'static str,
}

const PUBLIC: Environment = Environment {
    authority: "https://login.microsoftonline.com",
    resource: "https://management.azure.com/",
};

const CHINA: Environment = Environment {
    authority: "https://login.chinacloudapi.cn",
    resource: "https://management.chinacloudapi.cn/",
};

const US: Environment = Environment {
    authority: "https://login.microsoftonline.us",
    resource: "https://management.usgovcloudapi.net/",
};

const GERMANY: Environment = Environment {
    authority: "https://login.microsoftonline.de",
    resource: "https://management.microsoftazure.de/",
};

/// How the hosts of registries end. ko takes any host that has one of these in
/// it, and `mcr.microsoft.com`, where all is public.
const HOSTS: [(&str, Environment); 4] = [
    (".azurecr.io", PUBLIC),
    (".azurecr.cn", CHINA),
    (".azurecr.us", US),
    (".azurecr.de", GERMANY),
];

/// What `AZURE_ENVIRONMENT` may say, in any case.
const NAMES: [(&str, Environment); 8] = [
    ("AzureCloud", PUBLIC),
    ("AzurePublicCloud", PUBLIC),
    ("AzureChinaCloud", CHINA),
    ("AzureUSGovernment", US),
    ("AzureUSGovernmentCloud", US),
    ("AzureGermanCloud", GERMANY),
    ("AzureGermanyCloud", GERMANY),
    ("AzureGovernmentCloud", US),
];

/// Is this the host of a registry?
pub(super) fn is_registry(host: &str) -> bool {
    of_host(host).is_some()
}

fn of_host(host: &str) -> Option<Environment> {
    let found = HOSTS.iter().find(|(end, _)| host.len() > end.len() && host.ends_with(end));
    found.map(|(_, environment)| *environment)
}

impl Environment {
    /// What the user says, else what the host is.
    pub(super) fn of(variables: &Variables, host: &str) -> Option<Self> {
        let Some(named) = variables.text("AZURE_ENVIRONMENT") else { return of_host(host) };
        let found = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&named));
        found.map(|(_, environment)| *environment)
    }

    /// The storage of the cloud that the user names, else of the public one: it has one
    /// resource in all of them.
    pub(super) fn of_storage(variables: &Variables) -> Option<Self> {
        let environment = Self::of(variables, ".storage.azurecr.io")?;
        Some(Self { resource: "https://storage.azure.com/", ..environment })
    }

    /// What tokens are for, in the words of OAuth 2.
    pub(super) fn scope(self) -> String {
        format!("{}.default", self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_say_which_cloud_this_is() {
        for (host, want) in [
            ("team.azurecr.io", Some(PUBLIC)),
            ("team.eastus.data.azurecr.io", Some(PUBLIC)),
            ("team.azurecr.cn", Some(CHINA)),
            ("team.azurecr.us", Some(US)),
            ("team.azurecr.de", Some(GERMANY)),
            (".azurecr.io", None),
            ("azurecr.io", None),
            ("team.azurecr.io.evil.com", None),
            ("teamazurecr.io", None),
            ("mcr.microsoft.com", None),
        ] {
            assert_eq!(of_host(host), want, "{host}");
        }
    }
}
