//! Where requests may lead: a table of URLs, in every spelling.

use super::*;

fn class(egress: &Egress, url: &str) -> Option<AddressClass> {
    match egress.check(url) {
        Ok(()) => None,
        Err(EgressError::Address { class, .. }) => Some(class),
        Err(other) => panic!("{url}: {other}"),
    }
}

#[test]
fn however_a_host_is_spelled_it_is_what_it_leads_to() {
    use AddressClass::{LinkLocal, Loopback, Metadata, Private, Reserved, Shared, UniqueLocal};
    let inside = [
        ("http://127.0.0.1/", Loopback),
        ("http://127.0.0.1./", Loopback),
        ("http://127.1/", Loopback),
        ("http://2130706433/", Loopback),
        ("http://0x7f000001/", Loopback),
        ("http://0177.0.0.1/", Loopback),
        ("http://0x7f.0.0.0x1:8080/", Loopback),
        ("http://①②⑦.0.0.1/", Loopback),
        ("http://[::1]/", Loopback),
        ("http://[::ffff:127.0.0.1]/", Loopback),
        ("http://[::ffff:7f00:1]/", Loopback),
        ("http://localhost/", Loopback),
        ("http://LOCALHOST./", Loopback),
        ("http://shop.localhost/", Loopback),
        ("http://example.org@127.0.0.1/", Loopback),
        ("http:\\\\127.0.0.1\\x", Loopback),
        ("http://10.0.0.1/", Private),
        ("http://0xa000001/", Private),
        ("http://192.168.257/", Private),
        ("http://[64:ff9b::10.0.0.1]/", Private),
        ("http://[fd12::1]/", UniqueLocal),
        ("http://100.64.0.1/", Shared),
        ("http://169.254.1.1/", LinkLocal),
        ("http://[fe80::1]/", LinkLocal),
        ("http://169.254.169.254/latest/meta-data/", Metadata),
        ("http://2852039166/", Metadata),
        ("http://0251.0376.0251.0376/", Metadata),
        ("http://[fd00:ec2::254]/", Metadata),
        ("http://[::ffff:a9fe:a9fe]/", Metadata),
        ("http://Metadata.Google.Internal/", Metadata),
        ("http://metadata.google.internal./", Metadata),
        ("http://0/", Reserved),
        ("http://[::]/", Reserved),
    ];
    let (pushing, browsing) = (Egress::pushing(), Egress::browsing());
    for (url, expected) in inside {
        assert_eq!(class(&pushing, url), Some(expected), "{url}");
        let never = matches!(expected, Metadata | LinkLocal | Reserved);
        assert_eq!(class(&browsing, url), never.then_some(expected), "{url}");
    }
    for url in
        ["https://example.org/", "http://1.1.1.1/", "http://[2606:4700::1111]/", "HTTPS://EXAMPLE.org./"]
    {
        assert_eq!(class(&pushing, url), None, "{url}");
        assert_eq!(class(&browsing, url), None, "{url}");
    }
}

#[test]
fn only_the_schemes_of_the_list_are_allowed() {
    let egress = Egress::pushing();
    for url in
        ["file:///etc/passwd", "ftp://example.org/", "javascript:alert(1)", "data:text/html,x", "about:blank"]
    {
        let error = egress.check(url).unwrap_err();
        assert!(matches!(error, EgressError::Scheme { .. }), "{url}: {error}");
        assert!(error.to_string().ends_with("use http or https"), "{error}");
    }
    assert_eq!(egress.clone().allow_scheme("DATA").check("data:text/html,x"), Ok(()));
    for url in ["", "example.org", "/path", "http://", "http://[::1", "http://a b/", "http://256.1.1.1/"] {
        assert!(matches!(egress.check(url), Err(EgressError::Malformed(_))), "{url}");
    }
}

#[test]
fn once_a_host_is_named_no_other_is_allowed() {
    let egress = Egress::pushing().allow_host("Region.Example.").allow_host("*.shop.example");
    for url in ["https://region.example/", "http://region.example.:80/x", "https://eu.shop.example/"] {
        assert_eq!(egress.check(url), Ok(()), "{url}");
    }
    for url in [
        "https://shop.example/",
        "https://evil-shop.example/",
        "https://region.example.evil.example/",
        "https://sub.region.example/",
        "http://1.1.1.1/",
    ] {
        assert!(matches!(egress.check(url), Err(EgressError::Host(_))), "{url}");
    }
    // A name on the list opens no network.
    let egress = Egress::pushing().allow_host("127.0.0.1");
    assert_eq!(class(&egress, "http://127.0.0.1/"), Some(AddressClass::Loopback));
    let egress = egress.allow_network("127.0.0.0/8".parse().unwrap());
    assert_eq!(class(&egress, "http://127.0.0.1/"), None);
}

#[test]
fn what_a_name_led_to_is_asked_again() {
    let egress = Egress::pushing();
    let error = egress.check_address([10, 0, 0, 1].into()).unwrap_err();
    assert_eq!(error.to_string(), "10.0.0.1 is a private address, and the operator has not allowed it");
    assert_eq!(Egress::browsing().check_address([10, 0, 0, 1].into()), Ok(()));
    assert!(Egress::browsing().check_address([169, 254, 169, 254].into()).is_err());
    assert_eq!(
        egress.allow_network("10.0.0.0/8".parse().unwrap()).check_address([10, 9, 9, 9].into()),
        Ok(())
    );
}
