//! Nothing is sent to an address that the operator has not allowed, however it is spelled.

use crate::stage::{call, loopback};
use runners_core::{
    Egress,
    orchestration::{Region as _, RegionError},
};
use runners_region_http::{HttpRegion, RegionBuildError};
use tokio::net::TcpListener;

#[tokio::test]
async fn an_address_that_is_not_allowed_is_refused_before_anything_is_sent() {
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "10.0.0.1",
        "169.254.169.254",
        "metadata.google.internal",
    ] {
        let built = HttpRegion::builder("eu", format!("http://{host}:8080/")).build();
        assert!(matches!(built, Err(RegionBuildError::Forbidden { .. })), "{host}: {built:?}");
    }
    assert!(HttpRegion::builder("eu", "http://2130706433:8080/").egress(loopback()).build().is_ok());
}

#[tokio::test]
async fn what_a_name_leads_to_is_checked_when_the_connection_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The name passes, since it may lead to an address that is allowed; the one that it leads to here
    // is another.
    let egress = Egress::pushing().allow_network("::1".parse().unwrap());
    let region =
        HttpRegion::builder("eu", format!("http://localhost:{port}/")).egress(egress).build().unwrap();
    tokio::select! {
        ended = region.execute(call()) => {
            assert!(matches!(ended, Err(RegionError::Refused { .. } | RegionError::Unreachable { .. })), "{ended:?}");
        }
        _ = listener.accept() => panic!("it was connected to"),
    }
}
