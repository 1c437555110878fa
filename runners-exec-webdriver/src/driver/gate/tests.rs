//! The gate, asked as a browser asks it.

use super::*;
use runners_core::SystemClock;

struct Asker {
    gate: Gate,
}

/// Answers each name with the first of these that is left, and nobody's name with none.
#[derive(Debug, Default)]
struct Turning(Mutex<Vec<Vec<&'static str>>>);

#[async_trait]
impl Names for Turning {
    async fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut left = self.0.lock().unwrap();
        if left.is_empty() {
            return Err(io::Error::other("nobody knows it"));
        }
        let addresses = left.remove(0).into_iter();
        Ok(addresses.map(|address| (address.parse::<IpAddr>().unwrap(), port).into()).collect())
    }
}

impl Asker {
    async fn of(egress: Egress) -> Self {
        Self::with_names(egress, &[]).await
    }

    async fn with_names(egress: Egress, names: &[&[&'static str]]) -> Self {
        let clock = Arc::new(SystemClock::default());
        let names = Turning(Mutex::new(names.iter().map(|one| one.to_vec()).collect()));
        let gate = Gate::with_names(Arc::new(egress), clock, Ipv4Addr::LOCALHOST.into(), Box::new(names))
            .await
            .unwrap();
        Self { gate }
    }

    /// Asks for a host by its name, and answers what is said to that.
    async fn ask(&self, host: &str, port: u16) -> (u8, TcpStream) {
        let length = u8::try_from(host.len()).unwrap();
        let request = [&[VERSION, CONNECT, 0, 3, length], host.as_bytes(), &port.to_be_bytes()].concat();
        self.say(&request).await
    }

    async fn say(&self, request: &[u8]) -> (u8, TcpStream) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.gate.port())).await.unwrap();
        stream.write_all(&[VERSION, 2, 1, WITHOUT_PASSWORD]).await.unwrap();
        assert_eq!(read(&mut stream).await.unwrap(), [VERSION, WITHOUT_PASSWORD]);
        stream.write_all(request).await.unwrap();
        let [version, said, ..] = read::<10>(&mut stream).await.unwrap();
        assert_eq!(version, VERSION);
        (said, stream)
    }
}

/// A server that says one word, and its port.
async fn server() -> (JoinSet<()>, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"here").await.unwrap();
        }
    });
    (serving, port)
}

#[tokio::test]
async fn what_is_allowed_is_connected_to_and_carried_both_ways() {
    let (_serving, port) = server().await;
    let asker = Asker::of(Egress::browsing()).await;
    for host in ["127.0.0.1", "localhost", "shop.localhost", "LOCALHOST"] {
        let (said, mut stream) = asker.ask(host, port).await;
        assert_eq!(said, Answer::Granted as u8, "{host}");
        assert_eq!(read(&mut stream).await.unwrap(), *b"here", "{host}");
    }
    let by_address = [&[VERSION, CONNECT, 0, 1, 127, 0, 0, 1][..], &port.to_be_bytes()].concat();
    let (said, mut stream) = asker.say(&by_address).await;
    assert_eq!((said, read(&mut stream).await.unwrap()), (Answer::Granted as u8, *b"here"));
}

#[tokio::test]
async fn the_address_that_a_name_leads_to_is_what_counts_each_time() {
    let (_serving, port) = server().await;
    let names: &[&[&str]] = &[&["127.0.0.1"], &["169.254.169.254"], &["169.254.1.1", "127.0.0.1"], &[]];
    let asker = Asker::with_names(Egress::browsing(), names).await;
    let url = format!("http://shop.example:{port}/");
    let (said, mut stream) = asker.ask("shop.example", port).await;
    assert_eq!((said, read(&mut stream).await.unwrap()), (Answer::Granted as u8, *b"here"));
    let (said, _) = asker.ask("shop.example", port).await;
    assert_eq!(said, Answer::NotAllowed as u8, "it leads elsewhere now");
    let told = asker.gate.unreached(&url).unwrap();
    assert!(told.starts_with("not allowed: 169.254.169.254 is a"), "{told}");
    let (said, mut stream) = asker.ask("shop.example", port).await;
    assert_eq!((said, read(&mut stream).await.unwrap()), (Answer::Granted as u8, *b"here"), "by the other");
    assert_eq!(asker.gate.unreached(&url), None, "it was reached");
    for told in ["shop.example has no address", "shop.example was not found: nobody knows it"] {
        let (said, _) = asker.ask("shop.example", port).await;
        assert_eq!((said, asker.gate.unreached(&url).as_deref()), (Answer::Unreachable as u8, Some(told)));
    }
}

#[tokio::test]
async fn a_host_that_is_not_on_the_list_is_not_looked_up() {
    let names: &[&[&str]] = &[&["127.0.0.1"]];
    let asker = Asker::with_names(Egress::browsing().allow_host("shop.example"), names).await;
    let (said, _) = asker.ask("elsewhere.example", 443).await;
    assert_eq!(said, Answer::NotAllowed as u8);
    let told = asker.gate.unreached("https://elsewhere.example/").unwrap();
    assert!(told.contains("is not on the operator's list"), "{told}");
}

#[tokio::test]
async fn metadata_and_link_local_addresses_are_never_connected_to() {
    let asker = Asker::of(Egress::browsing()).await;
    for host in
        ["169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "metadata.google.internal", "0.0.0.0"]
    {
        let (said, _) = asker.ask(host, 80).await;
        assert_eq!(said, Answer::NotAllowed as u8, "{host}");
    }
    assert!(asker.gate.unreached("http://169.254.169.254/latest").unwrap().contains("metadata"));
    assert!(asker.gate.unreached("http://[fe80::1]/").unwrap().contains("link-local"));
    assert_eq!(asker.gate.unreached("http://example.org/"), None);
}

#[tokio::test]
async fn where_nobody_listens_is_told_and_forgotten_once_somebody_does() {
    let asker = Asker::of(Egress::browsing()).await;
    let (serving, port) = server().await;
    drop(serving);
    let url = format!("http://127.0.0.1:{port}/");
    asker.gate.door.note("127.0.0.1".to_owned(), port, "somebody was not there".to_owned());
    assert_eq!(asker.gate.unreached(&url).as_deref(), Some("somebody was not there"));
    asker.gate.door.forget("127.0.0.1", port);
    assert_eq!(asker.gate.unreached(&url), None);
    for number in 0..2 * NOTES_MAX {
        asker.gate.door.note(format!("host-{number}"), 80, String::new());
    }
    assert_eq!(asker.gate.door.notes().len(), NOTES_MAX);
    assert!(asker.gate.unreached(&format!("http://host-{}/", 2 * NOTES_MAX - 1)).is_some());
}

#[tokio::test]
async fn only_connecting_is_offered() {
    let asker = Asker::of(Egress::browsing()).await;
    let (said, _) = asker.say(&[VERSION, 3, 0, 1, 127, 0, 0, 1, 0, 80]).await;
    assert_eq!(said, Answer::UnknownCommand as u8);
}
