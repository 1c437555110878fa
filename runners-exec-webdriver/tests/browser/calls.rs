//! Calls between pages (WebRTC), which look for a way past every proxy: a server that tells a page under
//! which address it is seen, over UDP, and one that relays, over TCP. Both count who comes.

use crate::stage::Stage;
use runners_core::Egress;
use runners_exec_webdriver::Engine;
use serde_json::json;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// An address in no network, towards which a machine has its way out.
const OUTWARD: &str = "192.0.2.1:9";
/// How long a page may look for ways: many times as long as it takes to ask in this machine.
const TRYING_MILLIS: u64 = 10_000;
/// What every message of STUN (RFC 8489) has, and what tells an address in an answer.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

struct Servers {
    seen_over: [(SocketAddr, Arc<AtomicUsize>); 2],
}

impl Servers {
    fn open() -> Self {
        let forbidden = (own_address(), 0);
        let (mirror, mirrored) = (UdpSocket::bind(forbidden).unwrap(), Arc::new(AtomicUsize::new(0)));
        let (relay, relayed) = (TcpListener::bind(forbidden).unwrap(), Arc::new(AtomicUsize::new(0)));
        let seen_over = [
            (mirror.local_addr().unwrap(), Arc::clone(&mirrored)),
            (relay.local_addr().unwrap(), Arc::clone(&relayed)),
        ];
        thread::spawn(move || {
            let mut request = [0; 1500];
            while let Ok((length, from)) = mirror.recv_from(&mut request) {
                mirrored.fetch_add(1, Ordering::SeqCst);
                let answer = mirror_answer(&request[..length], from);
                let _ = mirror.send_to(&answer, from);
            }
        });
        thread::spawn(move || {
            for stream in relay.incoming() {
                relayed.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        Self { seen_over }
    }

    /// A page that begins a call; `window.tried` is true once it has found every way that there is, or has
    /// tried for long: what leads nowhere is not given up soon.
    fn page(&self) -> String {
        let [(mirror, _), (relay, _)] = &self.seen_over;
        format!(
            "<script>
              if (typeof RTCPeerConnection === 'undefined') window.tried = true;
              else {{
                const iceServers = [{{ urls: 'stun:{mirror}' }},
                  {{ urls: 'turn:{relay}?transport=tcp', username: 'somebody', credential: 'something' }}];
                window.call = new RTCPeerConnection({{ iceServers }});
                call.createDataChannel('it');
                call.onicegatheringstatechange = () => window.tried ||= call.iceGatheringState === 'complete';
                setTimeout(() => window.tried = true, {TRYING_MILLIS});
                call.createOffer().then(offer => call.setLocalDescription(offer));
              }}
            </script>"
        )
    }

    /// How many came over UDP and over TCP.
    fn visitors(&self) -> [usize; 2] {
        self.seen_over.each_ref().map(|(_, visitors)| visitors.load(Ordering::SeqCst))
    }
}

/// The address under which this machine would go out: Firefox makes no calls to loopback addresses. Nothing
/// is sent. Where there is no way out, another loopback address.
fn own_address() -> IpAddr {
    let asked = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(OUTWARD)?;
        socket.local_addr()
    });
    asked.map_or(Ipv4Addr::new(127, 0, 0, 2).into(), |address| address.ip())
}

/// Tells whoever asks from which address it asked, so that it need not ask again.
fn mirror_answer(request: &[u8], from: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(from) = from else { return Vec::new() };
    let Some(id) = request.get(8..20) else { return Vec::new() };
    let mut answer = vec![0x01, 0x01, 0, 12];
    answer.extend(COOKIE);
    answer.extend(id);
    answer.extend(XOR_MAPPED_ADDRESS);
    answer.extend([0, 8, 0, 1]);
    let port = from.port().to_be_bytes();
    answer.extend([port[0] ^ COOKIE[0], port[1] ^ COOKIE[1]]);
    answer.extend(from.ip().octets().iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask));
    answer
}

#[tokio::test]
async fn a_call_of_a_page_reaches_nothing_that_is_not_allowed() {
    for engine in Engine::ALL {
        let site_only = Egress::browsing().allow_host("127.0.0.1");
        let Some(stage) = Stage::open_held_to(*engine, site_only).await else { continue };
        let servers = Servers::open();
        let url = stage.page(&servers.page());
        let steps = json!([
            { "type": "navigate", "url": url },
            { "type": "waitForExpression", "expression": "window.tried === true", "timeout": 30_000 },
        ]);
        stage.passes(steps.clone()).await;
        assert_eq!(servers.visitors(), [0, 0], "{engine}");
        let has_calls = stage.js("return typeof RTCPeerConnection !== 'undefined'").await == json!(true);
        stage.close().await;

        if has_calls {
            // The same page reaches them if it may go everywhere.
            let Some(stage) = Stage::open_held_to(*engine, None).await else { continue };
            stage.site.serve("/page", &servers.page());
            let url = format!("{}/page", stage.site.origin);
            stage.passes(json!([{ "type": "navigate", "url": url }, steps[1]])).await;
            let visitors = servers.visitors();
            let calls_loopback = *engine == Engine::Chromium;
            if calls_loopback || !own_address().is_loopback() {
                assert!(visitors.iter().all(|visitors| *visitors > 0), "{engine}: {visitors:?}");
            }
            stage.close().await;
        }
    }
}
