//! What pools must keep to, and who may target them.

use crate::{
    rules::submission::{name, over_limit, text},
    values::{
        fleet::pool::{PoolSpec, Sharing},
        id::TenantId,
        reply::{RefusalCode, Refused},
    },
};

/// Checks every field of what is asked of a pool of `tenant` against its limit.
pub(crate) fn check_pool(spec: &PoolSpec, tenant: TenantId) -> Result<(), Refused> {
    name("name", &spec.name)?;
    text("description", &spec.description, PoolSpec::TEXT_BYTES_MAX)?;
    let texts = [
        ("kind", &spec.kind),
        ("region", &spec.region),
        ("scale_set", &spec.scale_set),
        ("image", &spec.image),
    ];
    for (field, value) in texts {
        value.iter().try_for_each(|value| text(field, value, PoolSpec::TEXT_BYTES_MAX))?;
    }
    if !spec.sharing.is_none() && tenant != TenantId::OPERATOR {
        let problem = "sharing: only pools of the operator can be shared";
        return Err(Refused::new(RefusalCode::Invalid, problem));
    }
    if let Sharing::With(tenants) = &spec.sharing
        && tenants.len() > Sharing::TENANTS_MAX
    {
        return Err(over_limit("sharing", tenants.len(), Sharing::TENANTS_MAX, "tenants"));
    }
    let counts = [
        ("runners_min", 0, Some(spec.runners_min)),
        ("runners_max", 1, spec.runners_max),
        ("slots_per_runner", 1, spec.slots_per_runner),
    ];
    for (field, least, count) in counts {
        let limit = PoolSpec::COUNT_MAX;
        if count.is_some_and(|count| !(least..=limit).contains(&count)) {
            let problem = format!("{field}: must be from {least} to {limit}");
            return Err(Refused::new(RefusalCode::Invalid, problem));
        }
    }
    if spec.runners_max.is_some_and(|most| most < spec.runners_min) {
        let problem = "runners_max: must not be below the fewest that it is to have";
        return Err(Refused::new(RefusalCode::Invalid, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(tenant: TenantId, change: impl FnOnce(&mut PoolSpec)) -> String {
        let mut spec = PoolSpec::new("blue");
        assert_eq!(check_pool(&spec, tenant), Ok(()));
        change(&mut spec);
        check_pool(&spec, tenant).unwrap_err().detail
    }

    #[test]
    fn each_refusal_of_a_pool_names_the_field_and_the_limit() {
        let of = TenantId::DEFAULT;
        assert!(problem(of, |spec| spec.name.clear()).starts_with("name: must not be empty"));
        let long = problem(of, |spec| spec.region = Some("x".repeat(1001)));
        assert_eq!(long, "region: has 1001 bytes, and the limit is 1000");
        assert_eq!(problem(of, |spec| spec.runners_max = Some(0)), "runners_max: must be from 1 to 1000000");
        let crossed = |spec: &mut PoolSpec| (spec.runners_min, spec.runners_max) = (3, Some(2));
        assert_eq!(problem(of, crossed), "runners_max: must not be below the fewest that it is to have");
    }

    #[test]
    fn only_the_operators_pools_can_be_shared() {
        let shared = |spec: &mut PoolSpec| spec.sharing = Sharing::Everyone;
        assert!(problem(TenantId::DEFAULT, shared).starts_with("sharing: only pools of the operator"));
        let many = (0..=1000_u64).map(|n| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            TenantId::from_bytes(bytes)
        });
        let many = Sharing::With(many.collect());
        let told = problem(TenantId::OPERATOR, |spec| spec.sharing = many);
        assert_eq!(told, "sharing: has 1001 tenants, and the limit is 1000");
    }
}
