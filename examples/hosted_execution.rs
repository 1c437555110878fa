//! Hosted execution: two tenants whose jobs run on the operator's machines, one of whom moves to
//! machines of its own without a word to those who submit.
//!
//! `cargo run -p runners-examples --example hosted_execution`

use runners_core::{PoolId, PoolSpec, Principal, Route, Scope, Sharing, TenantId, prelude::*};

/// Asks who executes it.
#[derive(serde::Serialize, serde::Deserialize)]
struct WhoAreYou;

impl Command for WhoAreYou {
    const KIND: &'static str = "who-are-you";
    type Result = String;
}

/// The name by which jobs say where they are to run.
const PRODUCTION: &str = "production";

/// A pool of a tenant with one runner in it, which answers with the name of the pool.
async fn pool_with_a_runner(
    control: &ControlPlane,
    tenant: TenantId,
    spec: PoolSpec,
) -> Result<(PoolId, Runner), Error> {
    let management = control.management(Principal::Operator).within(tenant)?;
    let name = spec.name.clone();
    let pool = management.create_pool(spec).await?.id;
    let runner = management.register_runner(pool, &name).await?.view.id;
    let runner = Runner::builder(control.caller(Principal::Runner { tenant, pool, runner }))
        .executor(move |WhoAreYou, _: Attempt| {
            let name = name.clone();
            async move { Ok(name) }
        })
        .start();
    Ok((pool, runner))
}

/// Submits a job of a tenant to its environment, and reads who has executed it.
async fn ask(control: &ControlPlane, tenant: TenantId) -> Result<String, Error> {
    let client = Client::new(control.caller(Principal::Api { tenant, scopes: Scope::ALL.into() }));
    let options = JobOptions { environment: Some(PRODUCTION.to_owned()), ..JobOptions::default() };
    client.submit(&(WhoAreYou, options)).await?.result().await
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let operator = control.management(Principal::Operator);

    // The operator's machines, for every tenant. `Sharing::With` would name some.
    let cloud = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new("the operator's cloud") };
    let (_, of_operator) = pool_with_a_runner(&control, TenantId::OPERATOR, cloud).await?;

    // Two tenants, who are guests there: an environment of theirs leads to it, and no pool of theirs does.
    let (acme, globex) =
        (operator.create_tenant("acme").await?.id, operator.create_tenant("globex").await?.id);
    for tenant in [acme, globex] {
        operator.within(tenant)?.route_environment(PRODUCTION, Route::Hosted).await?;
        println!("{tenant}: executed by {}", ask(&control, tenant).await?);
    }

    // Acme gets machines of its own. Those who submit go on as before.
    let (rack, of_acme) = pool_with_a_runner(&control, acme, PoolSpec::new("acme's rack")).await?;
    operator.within(acme)?.route_environment(PRODUCTION, Route::Pool(rack)).await?;
    let (acmes, globexs) = (ask(&control, acme).await?, ask(&control, globex).await?);
    println!("{acme}: executed by {acmes}\n{globex}: executed by {globexs}");
    assert_eq!((&*acmes, &*globexs), ("acme's rack", "the operator's cloud"));

    of_acme.drain().await?;
    of_operator.drain().await?;
    control.stop().await
}
