//! Behind nginx, as the documentation sets it up: the dashboard under another prefix, its events, the long polls of a
//! runner, what it leaves, and a live view; over a network that cuts every connection now and then.

use crate::{
    looking::{Person, passes, picture, press, waiting, within},
    stage::{Stage, has_browser},
};
use reqwest::Client;
use runners_core::{SystemClock, sleep};
use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// Where nginx is, if it is.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = places.map(|place| place.join("nginx")).find(|program| program.is_file());
    if found.is_none() {
        println!("skipped: there is no nginx here");
    }
    found
}

/// The configuration as the documentation has it, with another server behind: what stands in `http`, and what in
/// `server`.
fn documented(upstream: &str) -> [String; 2] {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/live-view.md")).unwrap();
    let parts = page.split("```nginx\n").skip(1).map(|part| part.split("```").next().unwrap());
    let parts = parts.map(|part| part.replace("http://127.0.0.1:7878", upstream));
    let parts: [String; 2] = parts.collect::<Vec<_>>().try_into().expect("it has two parts");
    assert_eq!(parts[1].matches(upstream).count(), 2, "{}", parts[1]);
    parts
}

/// nginx on a socket in a directory, so that it needs no port. It ends with this.
struct Nginx(Child);

impl Nginx {
    fn start(program: &Path, stage: &Stage, upstream: &str) -> (Self, PathBuf) {
        let [http, server] = documented(upstream);
        let socket = stage.path("nginx.sock");
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let place =
            |name: &&str| format!("{name}_temp_path {};\n", stage.path(&format!("nginx-{name}")).display());
        let places: String = places.iter().map(place).collect();
        let configuration = format!(
            "daemon off; master_process off; pid {pid}; error_log stderr;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; {places} {http}\n server {{ listen unix:{socket}; {server} }} }}\n",
            pid = stage.path("nginx.pid").display(),
            socket = socket.display(),
        );
        let file = stage.write("nginx.conf", configuration);
        let mut command = Command::new(program);
        command.arg("-p").arg(stage.path("")).arg("-c").arg(file).args(["-e", "stderr"]);
        (Self(command.stdin(Stdio::null()).spawn().unwrap()), socket)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Leads a port to a socket of this machine, and cuts what it carries when it is told to.
struct Network {
    url: String,
    carried: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let carried = Arc::<Mutex<Vec<TcpStream>>>::default();
        let kept = Arc::clone(&carried);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                kept.lock().unwrap().push(near.try_clone().unwrap());
                let socket = socket.clone();
                thread::spawn(move || carry(near, &socket));
            }
        });
        Self { url, carried }
    }

    fn cut(&self) {
        for stream in self.carried.lock().unwrap().drain(..) {
            // It may be over.
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn carry(near: TcpStream, socket: &Path) -> io::Result<()> {
    let far = UnixStream::connect(socket)?;
    let (near_in, far_out) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || pass(near_in, far_out, |far| far.shutdown(Shutdown::Write)));
    pass(far, near, |near| near.shutdown(Shutdown::Both))
}

fn pass<W: Write>(mut from: impl Read, mut to: W, end: impl FnOnce(&W) -> io::Result<()>) -> io::Result<()> {
    // One that is cut ends the other way too.
    drop(io::copy(&mut from, &mut to));
    end(&to)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_behind_nginx_as_it_is_documented_over_a_network_that_cuts() {
    let Some(program) = program().filter(|_| has_browser()) else { return };
    let stage = Stage::new();
    let (_server, upstream) = stage.server();
    let (_nginx, socket) = Nginx::start(&program, &stage, &upstream);
    let network = Network::to(socket.clone());
    within(async {
        while UnixStream::connect(&socket).is_err() {
            sleep(&SystemClock::default(), Duration::from_millis(20)).await;
        }
    })
    .await;
    let url = &network.url;
    let person = Person::new(&stage, url, None);
    dashboard(&person, &stage).await;

    let _runner = stage.runner(url);
    let job = waiting(&stage, url, &[]);
    let grant = person.grant(&job).await;
    for _ in 0..3 {
        let mut look = person.look(&grant).await;
        assert!(picture(&mut look).await.is_some(), "there is a picture after each cut");
        network.cut();
        while picture(&mut look).await.is_some() {}
    }
    let mut look = person.look(&grant).await;
    assert!(picture(&mut look).await.is_some());
    press(&mut look).await;
    passes(&stage, url, &job, &[]).await;
    let kept = stage.run(&["artifacts", "list", &job, "--json", "-s", url]).json();
    let sizes = kept.as_array().unwrap().iter().filter_map(|left| left["length"].as_u64());
    assert!(sizes.max() > Some(1 << 20), "what is larger than nginx takes by itself has come: {kept}");
}

/// Somebody signs in to the dashboard under the prefix that nginx gives it, and follows its events.
async fn dashboard(person: &Person, stage: &Stage) {
    let url = format!("{}/runners", person.url);
    let credential = stage.read("runners-data/api-token").trim().to_owned();
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sign_in = client.post(format!("{url}/sign-in")).header("origin", &person.url);
    let sign_in = sign_in.header("content-type", "application/x-www-form-urlencoded");
    let answer = within(sign_in.body(format!("credential={credential}")).send()).await.unwrap();
    assert_eq!(answer.status(), 303, "{answer:?}");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let get = |path: &str| within(client.get(format!("{url}/{path}")).header("cookie", &cookie).send());
    let queue = get("queue").await.unwrap();
    assert_eq!(queue.status(), 200);
    let queue = queue.text().await.unwrap();
    assert!(!queue.contains("href=\"/") && !queue.contains("src=\"/"), "every address is relative");
    for asset in ["assets/dashboard.css", "assets/dashboard.js", "assets/live.js", "assets/film.js"] {
        assert!(queue.contains(asset), "{asset}");
        assert_eq!(get(asset).await.unwrap().status(), 200, "{asset}");
    }
    let mut events = get("live").await.unwrap();
    let first = within(events.chunk()).await.unwrap().unwrap();
    assert!(first.starts_with(b"retry:"), "nginx holds no events back: {first:?}");
}
