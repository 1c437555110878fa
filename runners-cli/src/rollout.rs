//! What is rolled out, and to whom, as the environment says: `Features__SelfHostedRunnersEnabled`
//! and `Features__SelfHostedRelayEnabled` are `true` or `false`; `SelfHosted__EnabledTenants` and
//! `SelfHosted__RelayEnabledTenants` are ids of tenants, with commas between them, or one each in
//! variables that end in `__0`, `__1` and so on. Everybody has what is on if no tenant is named.
//! `Docker__DefaultImage` is read here too, since it is of the same kind.

use crate::settings::{DockerSection, Features, SelfHosted};
use anyhow::{Result, anyhow, bail};
use runners_core::TenantId;

/// Reads what the variables of an environment say of the roll-out.
pub(crate) fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<(Features, SelfHosted)> {
    let variables: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with("Features__") || name.starts_with("SelfHosted__"))
        .collect();
    let features = Features {
        self_hosted_runners_enabled: enabled(&variables, "Features__SelfHostedRunnersEnabled")?,
        self_hosted_relay_enabled: enabled(&variables, "Features__SelfHostedRelayEnabled")?,
    };
    let self_hosted = SelfHosted {
        enabled_tenants: named(&variables, "SelfHosted__EnabledTenants")?,
        relay_enabled_tenants: named(&variables, "SelfHosted__RelayEnabledTenants")?,
    };
    Ok((features, self_hosted))
}

/// Reads what the variables of an environment say of containers.
pub(crate) fn docker(variables: &[(String, String)]) -> DockerSection {
    let image = variables.iter().find(|(name, value)| name == "Docker__DefaultImage" && !value.is_empty());
    DockerSection { default_image: image.map(|(_, value)| value.clone()) }
}

fn enabled(variables: &[(String, String)], switch: &str) -> Result<Option<bool>> {
    match variables.iter().find(|(name, _)| name == switch) {
        None => Ok(None),
        Some((_, value)) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some((_, value)) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some((_, value)) => bail!("{switch} is {value:?}: set it to true or false"),
    }
}

fn named(variables: &[(String, String)], list: &str) -> Result<Option<Vec<TenantId>>> {
    let is_of_list = |name: &str| {
        let rest = name.strip_prefix(list);
        rest.is_some_and(|rest| {
            let index = rest.strip_prefix("__").unwrap_or_default();
            rest.is_empty() || (!index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    let mut tenants = None;
    for (name, value) in variables.iter().filter(|(name, _)| is_of_list(name)) {
        let tenants: &mut Vec<TenantId> = tenants.get_or_insert_default();
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            tenants.push(text.parse().map_err(|error| anyhow!("{name}: {error}"))?);
        }
    }
    Ok(tenants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<(Features, SelfHosted)> {
        read(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn an_environment_that_says_nothing_changes_nothing() {
        assert_eq!(read_all(&[("PATH", "/bin")]).unwrap(), Default::default());
    }

    #[test]
    fn what_is_off_and_who_is_named_is_read() {
        let (one, two) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let both = format!("{one}, {two}");
        let (features, self_hosted) = read_all(&[
            ("Features__SelfHostedRunnersEnabled", "True"),
            ("SelfHosted__EnabledTenants", &both),
            ("Features__SelfHostedRelayEnabled", "false"),
            ("SelfHosted__RelayEnabledTenants__0", &two.to_string()),
        ])
        .unwrap();
        assert_eq!(features.self_hosted_runners_enabled, Some(true));
        assert_eq!(features.self_hosted_relay_enabled, Some(false));
        assert_eq!(self_hosted.enabled_tenants, Some(vec![one, two]));
        assert_eq!(self_hosted.relay_enabled_tenants, Some(vec![two]));
    }

    #[test]
    fn the_image_of_jobs_that_name_none_is_read() {
        let told =
            |value: &str| docker(&[("Docker__DefaultImage".to_owned(), value.to_owned())]).default_image;
        assert_eq!(told("suites/python:3").as_deref(), Some("suites/python:3"));
        assert_eq!(told(""), None);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_variable() {
        let told = |variable, value| read_all(&[(variable, value)]).unwrap_err().to_string();
        let switch = told("Features__SelfHostedRelayEnabled", "yes");
        assert_eq!(switch, "Features__SelfHostedRelayEnabled is \"yes\": set it to true or false");
        let tenant = told("SelfHosted__EnabledTenants__3", "acme");
        assert!(tenant.starts_with("SelfHosted__EnabledTenants__3: \"acme\" is not an id"), "{tenant}");
    }
}
