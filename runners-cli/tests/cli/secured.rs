//! Over https: through a proxy that the environment names, and from a machine that nothing can
//! connect to.

use crate::{
    processes::Process,
    stage::{Stage, has_browser},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

/// A name that only a proxy knows the way to.
const NAME: &str = "control.runners.test";

/// Writes what a server of this name shows, and what those who trust it need.
pub(crate) fn certify(stage: &Stage, name: &str) {
    let (authority, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    stage.write("authority.pem", params.self_signed(&authority).unwrap().pem());
    let issuer = Issuer::new(params, authority);
    let own = CertificateParams::new([name.to_owned()]).unwrap();
    stage.write("server.pem", own.signed_by(&key, &issuer).unwrap().pem());
    stage.write("server.key", key.serialize_pem());
}

/// A server that speaks https, and its address.
fn server(stage: &Stage, listen: &str) -> (Process, SocketAddr) {
    let arguments =
        ["server", "--json", "--listen", listen, "--tls-cert", "server.pem", "--tls-key", "server.key"];
    let server = Process::start(stage.command(&arguments));
    let url = server.wait_for("listening")["url"].as_str().unwrap().to_owned();
    (server, url.strip_prefix("https://").unwrap().parse().unwrap())
}

/// A proxy that tunnels everything to one address, and tells what it was asked for.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let told = asked.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let told = told.clone();
                thread::spawn(move || tunnel(near, target, &told));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(mut near: TcpStream, target: SocketAddr, told: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(near.try_clone().ok()?).lines();
    told.lock().unwrap().push(lines.next()?.ok()?);
    while !lines.next()?.ok()?.is_empty() {}
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let mut far = TcpStream::connect(target).ok()?;
    let (mut near_out, mut far_in) = (near.try_clone().ok()?, far.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut far_in, &mut near_out);
        near_out.shutdown(Shutdown::Write)
    });
    let _ = std::io::copy(&mut near, &mut far);
    far.shutdown(Shutdown::Write).ok()
}

#[test]
fn a_runner_reaches_its_control_plane_through_a_proxy() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    certify(&stage, NAME);
    let (_server, address) = server(&stage, "127.0.0.1:0");
    let proxy = Proxy::start(address);
    let url = format!("https://{NAME}:{}", address.port());
    let through = |arguments: &[&str], token: &str| {
        let mut command = stage.command(arguments);
        command.args(["-s", &url, "--token-file", &format!("runners-data/{token}")]);
        command.env("HTTPS_PROXY", &proxy.url).env_remove("NO_PROXY").env_remove("no_proxy");
        command
    };
    let runner = Process::start(through(
        &["run", "--json", "--ca-file", "authority.pem", "--name", "tester"],
        "registration-token",
    ));
    let runner_id = runner.wait_for("enrolled")["runner"].as_str().unwrap().to_owned();
    runner.wait_for("connected");
    let ping = through(&["ping", &runner_id, "--ca-file", "authority.pem"], "api-token").output().unwrap();
    assert_eq!(ping.status.code(), Some(0), "{}", String::from_utf8_lossy(&ping.stderr));
    let asked = format!("CONNECT {NAME}:{} HTTP/1.1", address.port());
    assert!(proxy.asked().contains(&asked), "{:?}", proxy.asked());

    // Nobody is believed without the authority, and nobody is asked where no proxy is to be used.
    let refused = |mut command: Command, told: &str| {
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(2) && said.contains(told), "{said}");
    };
    refused(through(&["ping", &runner_id], "api-token"), "--ca-file");
    let count = proxy.asked().len();
    let mut direct = through(&["ping", &runner_id, "--ca-file", "authority.pem"], "api-token");
    direct.env("NO_PROXY", NAME);
    refused(direct, "could not reach");
    assert_eq!(proxy.asked().len(), count);
}

#[test]
fn a_server_tells_what_is_wrong_with_its_certificate() {
    let stage = Stage::new();
    certify(&stage, "localhost");
    stage.run(&["server", "--tls-cert", "server.pem"]).expect(2, "--tls-key");
    let swapped =
        ["server", "--listen", "127.0.0.1:0", "--tls-cert", "server.key", "--tls-key", "server.pem"];
    stage.run(&swapped).expect(2, "server.key holds no certificate");
}

/// A network of its own that answers nobody who connects to it.
#[cfg(target_os = "linux")]
struct Closed {
    name: String,
}

#[cfg(target_os = "linux")]
impl Closed {
    const OUTSIDE: &'static str = "10.213.77.1";
    const INSIDE: &'static str = "10.213.77.2";

    /// Nothing, and why, if this machine does not let us.
    fn open() -> Result<Self, String> {
        let name = format!("runners{}", std::process::id());
        let closed = Self { name };
        let name = &closed.name;
        let outer = format!("ro{}", std::process::id());
        let inner = format!("ri{}", std::process::id());
        let rules = "add table inet closed; \
                     add chain inet closed input { type filter hook input priority 0; policy drop; }; \
                     add rule inet closed input iifname lo accept; \
                     add rule inet closed input ct state established,related accept";
        do_it(&["ip", "netns", "add", name])?;
        do_it(&["ip", "link", "add", &outer, "type", "veth", "peer", "name", &inner, "netns", name])?;
        do_it(&["ip", "address", "add", &format!("{}/30", Self::OUTSIDE), "dev", &outer])?;
        do_it(&["ip", "link", "set", &outer, "up"])?;
        do_it(&["ip", "-n", name, "address", "add", &format!("{}/30", Self::INSIDE), "dev", &inner])?;
        do_it(&["ip", "-n", name, "link", "set", &inner, "up"])?;
        do_it(&["ip", "-n", name, "link", "set", "lo", "up"])?;
        do_it(&["ip", "netns", "exec", name, "nft", rules])?;
        Ok(closed)
    }

    /// The same command, inside.
    fn wrap(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        inside.current_dir(command.get_current_dir().unwrap());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }
}

#[cfg(target_os = "linux")]
impl Drop for Closed {
    fn drop(&mut self) {
        let _ = do_it(&["ip", "netns", "delete", &self.name]);
    }
}

#[cfg(target_os = "linux")]
fn do_it(line: &[&str]) -> Result<(), String> {
    let ended = Command::new(line[0]).args(&line[1..]).output();
    match ended {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => {
            Err(format!("`{}` failed: {}", line.join(" "), String::from_utf8_lossy(&ended.stderr).trim()))
        }
        Err(error) => Err(format!("`{}` could not be started: {error}", line[0])),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_runner_that_nobody_can_connect_to_does_its_work() {
    if !has_browser() {
        return;
    }
    let closed = match Closed::open() {
        Ok(closed) => closed,
        Err(why) => {
            println!("skipped: no closed network here ({why}): run as root, with iproute2 and nftables");
            return;
        }
    };
    let stage = Stage::new();
    certify(&stage, Closed::OUTSIDE);
    let (_server, address) = server(&stage, &format!("{}:0", Closed::OUTSIDE));
    let url = format!("https://{address}");
    let trusted = ["--ca-file", "authority.pem", "-s", &url];
    let mut run = stage.command(&["run", "--json", "--token-file", "runners-data/registration-token"]);
    run.args(trusted);
    let runner = Process::start(closed.wrap(&run));
    runner.wait_for("connected");

    // Silence, not even a refusal.
    let inside = format!("{}:7878", Closed::INSIDE).parse().unwrap();
    let refused = TcpStream::connect_timeout(&inside, std::time::Duration::from_millis(300)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::TimedOut);

    let page = crate::stage::page_at(Closed::OUTSIDE, "<p>from outside</p>");
    let flow = stage.flow("flow.json", &page, "from outside");
    let mut submit = stage.command(&["submit", &flow, "--wait", "--token-file", "runners-data/api-token"]);
    let submitted = submit.args(trusted).output().unwrap();
    let said = String::from_utf8_lossy(&submitted.stderr).into_owned();
    assert_eq!(submitted.status.code(), Some(0), "{said}\n{}", runner.said());
}
