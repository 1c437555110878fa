//! An engine of the tests' own: started by the first test, shared by those that run beside it, and stopped
//! and removed with the last, also after a panic.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};
use tempfile::TempDir;

/// The image that the tests make: the shell and a few tools of this machine.
pub(crate) const IMAGE: &str = "local/tools:1";
/// The image of pytest and Selenium of this machine, where [`Daemon::has_pytest`].
pub(crate) const PYTEST_IMAGE: &str = "local/pytest:1";
/// The image of the browser of this machine, where [`Daemon::has_browser`].
pub(crate) const BROWSER_IMAGE: &str = "local/chromium:1";
/// What is in it.
const TOOLS: &[&str] =
    &["bash", "cat", "dd", "env", "head", "id", "ls", "mkdir", "sh", "sleep", "tail", "touch", "chmod"];

/// A browser and its driver, as Debian has them.
const BROWSER: &[&str] = &["/usr/lib/chromium/chromium", "/usr/bin/chromedriver"];
/// What a browser looks for by itself.
const BESIDE: &[&str] = &[
    "/bin/sh",
    "/etc/fonts",
    "/usr/lib/chromium",
    "/usr/lib/x86_64-linux-gnu/libsoftokn3.so",
    "/usr/lib/x86_64-linux-gnu/libfreebl3.so",
    "/usr/lib/x86_64-linux-gnu/libfreeblpriv3.so",
    "/usr/share/fonts",
];

/// Python as Debian has it, and a program that tells what is needed to run suites in it: what it has mapped
/// once it has loaded them, the folders of their packages, and its own library.
const PYTHON: &str = "/usr/bin/python3";
const SHELL: &str = "/bin/sh";
const PYTEST_FILES: &str = r#"
import os, sys
import pytest
from selenium import webdriver
pytest.main(["-q", "-p", "no:cacheprovider", "--junitxml=/dev/null", "/nowhere"])
library = os.path.dirname(os.__file__)
packages = os.path.dirname(os.path.dirname(pytest.__file__))
names = {name.split(".")[0] for name in list(sys.modules)}
paths = {os.path.join(packages, name + end) for name in names for end in ("", ".py")}
paths |= {line.split()[-1] for line in open("/proc/self/maps") if line.split()[-1].startswith("/")}
print("\n".join([library, sys.executable, "/bin/sh", *paths]))
"#;

static SHARED: Mutex<Weak<Daemon>> = Mutex::new(Weak::new());

/// A running engine.
#[derive(Debug)]
pub(crate) struct Daemon {
    home: TempDir,
    child: Child,
    browser: OnceLock<bool>,
}

impl Daemon {
    /// The engine of the tests; `None`, said aloud, where there can be none.
    pub(crate) fn get() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(daemon) = shared.upgrade() {
            return Some(daemon);
        }
        match Self::start() {
            Ok(daemon) => {
                let daemon = Arc::new(daemon);
                *shared = Arc::downgrade(&daemon);
                Some(daemon)
            }
            Err(why) => {
                println!("skipped: no container engine can be started here: {why}");
                None
            }
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("docker.sock")
    }

    /// Asks it something by its own command line.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .arg("-H")
            .arg(format!("unix://{}", self.socket().display()))
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// How many containers a runner has there.
    pub(crate) fn containers_of(&self, owner: &str) -> usize {
        self.docker(&["ps", "-aq", "--filter", &format!("label=dev.runners.owner={owner}")]).lines().count()
    }

    /// How many networks a runner has there.
    pub(crate) fn networks_of(&self, owner: &str) -> usize {
        let label = format!("label=dev.runners.owner={owner}");
        self.docker(&["network", "ls", "-q", "--filter", &label]).lines().count()
    }

    /// Makes an image of the browser of this machine and its driver, once for all tests: made again, those
    /// that run would not be known by its name. Not if there is none, said aloud.
    pub(crate) fn has_browser(&self) -> bool {
        *self.browser.get_or_init(|| self.import_browser())
    }

    fn import_browser(&self) -> bool {
        if let Some(missing) = BROWSER.iter().find(|path| !Path::new(path).exists()) {
            println!("skipped: there is no {missing} here (on Debian: apt-get install chromium-driver)");
            return false;
        }
        let home = tempfile::tempdir().unwrap();
        let wrapper = home.path().join("usr/bin/chromium");
        fs::create_dir_all(wrapper.parent().unwrap()).unwrap();
        // A container without rights can make no sandbox.
        fs::write(
            &wrapper,
            "#!/bin/sh\nexec /usr/lib/chromium/chromium --no-sandbox --headless=new \"$@\"\n",
        )
        .unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        let mut files: Vec<String> = BROWSER[1..].iter().chain(BESIDE).map(ToString::to_string).collect();
        files.extend(BROWSER.iter().chain(BESIDE).flat_map(|path| libraries(Path::new(path))));
        files.sort();
        files.dedup();
        let more = ["--directory", home.path().to_str().unwrap(), "usr/bin/chromium"];
        let command = r#"CMD ["chromedriver", "--port=4444", "--allowed-ips=", "--allowed-origins=*"]"#;
        self.import_files(BROWSER_IMAGE, &files, &more, command);
        true
    }

    /// Makes an image of Python, pytest and Selenium of this machine. Not if they are not there, said aloud.
    pub(crate) fn has_pytest(&self) -> bool {
        let told = Command::new(PYTHON).args(["-c", PYTEST_FILES]).current_dir(self.home.path()).output();
        let Some(told) = told.ok().filter(|told| told.status.success()) else {
            println!(
                "skipped: there is no pytest with Selenium here (on Debian: apt-get install python3-pytest \
                 python3-selenium)"
            );
            return false;
        };
        let told = String::from_utf8_lossy(&told.stdout);
        let mut files: Vec<String> =
            told.lines().filter(|line| line.starts_with('/')).map(str::to_owned).collect();
        // By the names that they are looked for, which are not those of the files.
        let is_program = |path: &str| path.contains(".so") || path == PYTHON || path == SHELL;
        let linked = files.iter().filter(|path| is_program(path));
        let linked: Vec<String> = linked.flat_map(|path| libraries(Path::new(path))).collect();
        files.extend(linked);
        files.sort();
        files.dedup();
        // What is in a folder goes with it.
        let folders: Vec<String> = files.iter().filter(|path| Path::new(path).is_dir()).cloned().collect();
        let is_in = |path: &str, folder: &str| path != folder && Path::new(path).starts_with(folder);
        files.retain(|path| !folders.iter().any(|folder| is_in(path, folder)));
        self.import_files(PYTEST_IMAGE, &files, &[], "ENV PYTHONDONTWRITEBYTECODE=1");
        true
    }

    /// Makes an image of files of this machine, where they are.
    fn import_files(&self, name: &str, files: &[String], more: &[&str], change: &str) {
        let archive = self.home.path().join("files.tar");
        let put = Command::new("tar")
            .args(["--create", "--dereference", "--hard-dereference", "--absolute-names", "--file"])
            .arg(&archive)
            .args(["--exclude=/usr/lib/chromium/locales/[!e]*", "--exclude=/usr/lib/python3*/config-*"])
            .args(files.iter().filter(|path| Path::new(path).exists()))
            .args(more)
            .output()
            .unwrap();
        assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
        let path = "ENV PATH=/usr/bin:/bin";
        self.docker(&["import", "-c", path, "-c", change, archive.to_str().unwrap(), name]);
        fs::remove_file(archive).unwrap();
    }

    /// Makes an image of the tools of this machine, with what a line of a Containerfile changes.
    pub(crate) fn import(&self, name: &str, changes: &[&str]) {
        let file = self.home.path().join("tools.tar");
        if !file.exists() {
            fs::write(&file, tools()).unwrap();
        }
        let mut arguments = vec!["import", "-c", "ENV PATH=/bin"];
        changes.iter().for_each(|change| arguments.extend(["-c", change]));
        self.docker(&[&arguments[..], &[file.to_str().unwrap(), name]].concat());
    }

    fn start() -> Result<Self, String> {
        let by_root = Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n");
        if !by_root {
            return Err("it has to be root".to_owned());
        }
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        let at = |name: &str| home.path().join(name).display().to_string();
        let mut child = Command::new("dockerd")
            .arg(format!("--data-root={}", at("data")))
            .arg(format!("--exec-root={}", at("exec")))
            .arg(format!("--pidfile={}", at("pid")))
            .arg(format!("--host=unix://{}", at("docker.sock")))
            .args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"])
            .args(["--bridge=none"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("dockerd: {error} (on Debian: apt-get install docker.io)"))?;
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut all = String::new();
        let daemon = Self { home, child, browser: OnceLock::new() };
        loop {
            let mut line = String::new();
            if told.read_line(&mut line).is_ok_and(|read| read == 0) {
                return Err(format!("dockerd ended: {all}"));
            }
            all.push_str(&line);
            if line.contains("API listen on") {
                break;
            }
        }
        // Nobody else reads what it says, and a pipe that is full would hold it up.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        daemon.import(IMAGE, &[]);
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It stops what it runs, and lets go of what it has mounted.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).output();
        let _ = self.child.wait();
    }
}

/// A root file system with a shell.
fn tools() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut made = std::collections::BTreeSet::new();
    for folder in ["bin/", "etc/", "tmp/", "home/"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        archive.append_data(&mut header, folder, std::io::empty()).unwrap();
    }
    for tool in TOOLS {
        let path = ["/usr/bin", "/bin"].iter().map(|folder| Path::new(folder).join(tool));
        let path = path.into_iter().find(|path| path.exists()).unwrap();
        add(&mut archive, &path, &format!("bin/{tool}"));
        for library in libraries(&path).into_iter().filter(|library| made.insert(library.clone())) {
            add(&mut archive, Path::new(&library), library.trim_start_matches('/'));
        }
    }
    archive.into_inner().unwrap()
}

/// What a program is linked with.
fn libraries(program: &Path) -> Vec<String> {
    let needed = Command::new("ldd").arg(program).output().unwrap();
    let needed = String::from_utf8_lossy(&needed.stdout).into_owned();
    needed
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(str::to_owned)
        .collect()
}

fn add(archive: &mut tar::Builder<Vec<u8>>, from: &Path, to: &str) {
    let bytes = fs::read(from).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, to, &bytes[..]).unwrap();
}
