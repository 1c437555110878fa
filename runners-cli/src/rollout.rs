//! What is rolled out, and to whom, as the environment says: `Features__SelfHostedRunnersEnabled`
//! and `Features__SelfHostedRelayEnabled` are `true` or `false`; `SelfHosted__EnabledTenants` and
//! `SelfHosted__RelayEnabledTenants` are ids of tenants, with commas between them, or one each in
//! variables that end in `__0`, `__1` and so on. Everybody has what is on if no tenant is named.

use anyhow::{Result, anyhow, bail};
use runners_core::{Feature, Rollout, TenantId};
use std::collections::BTreeSet;

/// Reads the roll-out from the variables of an environment.
pub(crate) fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Rollout> {
    let variables: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with("Features__") || name.starts_with("SelfHosted__"))
        .collect();
    let feature = |switch: &str, tenants: &str| -> Result<Feature> {
        Ok(Feature { enabled: enabled(&variables, switch)?, tenants: named(&variables, tenants)? })
    };
    Ok(Rollout {
        self_hosted: feature("Features__SelfHostedRunnersEnabled", "SelfHosted__EnabledTenants")?,
        relay: feature("Features__SelfHostedRelayEnabled", "SelfHosted__RelayEnabledTenants")?,
    })
}

fn enabled(variables: &[(String, String)], switch: &str) -> Result<bool> {
    match variables.iter().find(|(name, _)| name == switch) {
        None => Ok(true),
        Some((_, value)) if value.eq_ignore_ascii_case("true") => Ok(true),
        Some((_, value)) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some((_, value)) => bail!("{switch} is {value:?}: set it to true or false"),
    }
}

fn named(variables: &[(String, String)], list: &str) -> Result<BTreeSet<TenantId>> {
    let is_of_list = |name: &str| {
        let rest = name.strip_prefix(list);
        rest.is_some_and(|rest| {
            let index = rest.strip_prefix("__").unwrap_or_default();
            rest.is_empty() || (!index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    let mut tenants = BTreeSet::new();
    for (name, value) in variables.iter().filter(|(name, _)| is_of_list(name)) {
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            tenants.insert(text.parse().map_err(|error| anyhow!("{name}: {error}"))?);
        }
    }
    Ok(tenants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<Rollout> {
        read(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn everything_is_on_for_everybody_unless_said_otherwise() {
        assert_eq!(read_all(&[("PATH", "/bin")]).unwrap(), Rollout::default());
    }

    #[test]
    fn what_is_off_and_who_is_named_is_read() {
        let (one, two) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let both = format!("{one}, {two}");
        let rollout = read_all(&[
            ("Features__SelfHostedRunnersEnabled", "True"),
            ("SelfHosted__EnabledTenants", &both),
            ("Features__SelfHostedRelayEnabled", "false"),
            ("SelfHosted__RelayEnabledTenants__0", &two.to_string()),
        ])
        .unwrap();
        assert_eq!(rollout.self_hosted, Feature { enabled: true, tenants: [one, two].into() });
        assert_eq!(rollout.relay, Feature { enabled: false, tenants: [two].into() });
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
