//! A PostgreSQL server of its own for tests: on a socket in a temporary directory, as a user without
//! rights, gone with the process that has started it, however that ends.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// How often a server that starts is asked whether it answers, and how long in between.
const TRIES_MAX: u32 = 600;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Where packages put the programs of a server.
const PACKAGED: &str = "/usr/lib/postgresql";

/// A server that is running, unless it was stopped.
#[derive(Debug)]
pub struct TestServer {
    place: PathBuf,
    programs: PathBuf,
    child: Child,
    keeper: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    schemas: AtomicU32,
}

/// Keeps the server while its input is open, and removes everything when that ends: a process that was
/// killed cannot tidy up behind itself.
const KEEPER: &str = r#"
programs="$1"; place="$2"; pooler="$3"; shift 3
begin() {
    "$programs/postgres" -D "$place/data" -k "$place" "$@" >>"$place/log" 2>&1 &
    server=$!
}
finish() { kill "-$1" "$server" 2>/dev/null; wait "$server" 2>/dev/null; }
begin "$@"
while read -r word; do
    case "$word" in
        start) begin "$@" ;;
        stop) finish INT ;;
        crash) finish QUIT ;;
        pool) "$pooler" -q "$place/pgbouncer.ini" >>"$place/log" 2>&1 & pooling=$! ;;
    esac
    echo "$word"
done
[ -z "$pooling" ] || kill "$pooling"
finish QUIT
rm -rf "$place"
"#;

impl TestServer {
    /// Starts a server that may lose what it has committed if the machine stops, and nothing else.
    ///
    /// # Errors
    /// Where there is no PostgreSQL, or none that starts: why, to be told as the reason to skip.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&["-c", "fsync=off"])
    }

    /// Starts a server with settings of its own, as the arguments of `postgres`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(settings: &[&str]) -> Result<Self, String> {
        Self::start_below(&env::temp_dir(), settings)
    }

    /// The same in a new directory below `parent`, which must be on a disk if anything is measured.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_below(parent: &Path, settings: &[&str]) -> Result<Self, String> {
        let place = new_place(parent)?;
        Self::start_in(place.clone(), settings).inspect_err(|_| drop(fs::remove_dir_all(&place)))
    }

    /// Starts a standby of this server, which follows it until it is promoted (`SELECT pg_promote()`).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_standby(&self) -> Result<Self, String> {
        let place = new_place(&env::temp_dir())?;
        let copied = given_away(&place).and_then(|user| {
            let mut copy = command(&self.programs.join("pg_basebackup"), user);
            copy.arg("-h")
                .arg(&self.place)
                .args(["-U", "postgres", "-R", "-X", "stream", "-c", "fast", "-N"]);
            carried_out(copy.arg("-D").arg(place.join("data")).current_dir(&place))?;
            Self::keep(place.clone(), self.programs.clone(), user, &["-c", "fsync=off"])
        });
        copied.inspect_err(|_| drop(fs::remove_dir_all(&place)))
    }

    /// The URL of this server and of another, of which one takes writes.
    #[must_use]
    pub fn url_with(&self, other: &Self) -> String {
        let place = |server: &Self| server.place.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{},{}/postgres", place(self), place(other))
    }

    /// Puts a file beside its socket that nobody else may read. Where it is.
    ///
    /// # Errors
    /// Why it could not be put.
    pub fn put_file(&self, name: &str, contents: &str) -> Result<PathBuf, String> {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.place.join(name);
        let put = fs::write(&file, contents)
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o600)));
        put.map_err(|error| format!("{}: {error}", file.display()))?;
        given_away(&file)?;
        Ok(file)
    }

    fn start_in(place: PathBuf, settings: &[&str]) -> Result<Self, String> {
        let programs =
            programs().ok_or("there is no PostgreSQL: no initdb on the PATH, nor where packages put it")?;
        let user = given_away(&place)?;
        let mut initdb = command(&programs.join("initdb"), user);
        initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]);
        carried_out(initdb.arg("-D").arg(place.join("data")).current_dir(&place))?;
        Self::keep(place, programs, user, settings)
    }

    fn keep(
        place: PathBuf,
        programs: PathBuf,
        user: Option<(u32, u32)>,
        settings: &[&str],
    ) -> Result<Self, String> {
        let mut keeper = command(Path::new("/bin/sh"), user);
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&place);
        keeper.arg(pooler().unwrap_or_default());
        keeper.args(["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=64MB"]);
        keeper.args(settings).current_dir(&place).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = keeper.spawn().map_err(|error| format!("sh: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("sh has no input or output".to_owned());
        };
        let server = Self {
            place,
            programs,
            child,
            keeper: Mutex::new((input, BufReader::new(output))),
            schemas: AtomicU32::new(0),
        };
        server.await_answer()?;
        Ok(server)
    }

    /// The one server of this process, started by whoever asks first.
    ///
    /// # Errors
    /// As [`start`](Self::start), each time.
    pub fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<TestServer, String>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    /// The URL of its database `postgres`, over its socket.
    #[must_use]
    pub fn url(&self) -> String {
        let place = self.place.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{place}/postgres")
    }

    /// The URL of the same behind PgBouncer, which gives a connection away after each transaction. To be
    /// asked for once.
    ///
    /// # Errors
    /// Where there is no PgBouncer: why, to be told as the reason to skip.
    pub fn start_pooler(&self) -> Result<String, String> {
        pooler().ok_or("there is no pgbouncer on the PATH")?;
        let place = self.place.display();
        let settings = format!(
            "[databases]\npostgres = host={place} port=5432 user=postgres\n[pgbouncer]\nunix_socket_dir = {place}\n\
             listen_addr =\nlisten_port = 6432\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 8\n\
             max_client_conn = 1000\n"
        );
        let written = fs::write(self.place.join("pgbouncer.ini"), settings);
        written.map_err(|error| format!("pgbouncer.ini: {error}"))?;
        self.say("pool");
        for _ in 0..TRIES_MAX {
            if self.place.join(".s.PGSQL.6432").exists() {
                let place = place.to_string().replace('/', "%2F");
                return Ok(format!("postgres://postgres@{place}:6432/postgres"));
            }
            thread::park_timeout(TRY_AGAIN_AFTER);
        }
        let log = fs::read_to_string(self.place.join("log")).unwrap_or_default();
        Err(format!("pgbouncer does not answer: {}", log.trim()))
    }

    /// Its socket, for a proxy before it.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.place.join(".s.PGSQL.5432")
    }

    /// The name of a schema that nobody else has.
    #[must_use]
    pub fn fresh_schema(&self) -> String {
        format!("test_{}", self.schemas.fetch_add(1, Ordering::Relaxed))
    }

    /// Stops it as an administrator would: whoever is connected is cut off.
    pub fn stop(&self) {
        self.say("stop");
    }

    /// Stops it as a loss of power would, but for what the system has in memory.
    pub fn crash(&self) {
        self.say("crash");
    }

    /// Starts it again, and waits until it answers.
    ///
    /// # Panics
    /// If it does not answer within a minute.
    pub fn start_again(&self) {
        self.say("start");
        if let Err(why) = self.await_answer() {
            panic!("{why}");
        }
    }

    /// Says who may connect from the next start on, in the words of `pg_hba.conf`.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn allow(&self, lines: &str) {
        let written = fs::write(self.place.join("data/pg_hba.conf"), lines);
        assert!(written.is_ok(), "pg_hba.conf: {written:?}");
    }

    fn say(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = &mut *keeper;
        let mut answer = String::new();
        let said = writeln!(input, "{word}").and_then(|()| output.read_line(&mut answer));
        assert!(
            said.is_ok() && answer.trim() == word,
            "the keeper of the server is gone: {said:?} {answer:?}"
        );
    }

    fn await_answer(&self) -> Result<(), String> {
        let mut asks = Command::new(self.programs.join("pg_isready"));
        asks.arg("-q").arg("-h").arg(&self.place).stdout(Stdio::null()).stderr(Stdio::null());
        for _ in 0..TRIES_MAX {
            if asks.output().is_ok_and(|asked| asked.status.success()) {
                return Ok(());
            }
            thread::park_timeout(TRY_AGAIN_AFTER);
        }
        let log = fs::read_to_string(self.place.join("log")).unwrap_or_default();
        Err(format!("PostgreSQL does not answer: {}", log.trim()))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The end of its input is what the keeper waits for; another process may have a copy of it.
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(keeper.0, "stop");
        let mut answer = String::new();
        let _ = keeper.1.read_line(&mut answer);
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// A directory that the keeper removes.
fn new_place(parent: &Path) -> Result<PathBuf, String> {
    let place = tempfile::Builder::new().prefix("pg-").tempdir_in(parent);
    Ok(place.map_err(|error| format!("no temporary directory: {error}"))?.keep())
}

/// Gives a file to the user that a server runs as. Who that is, if it is another.
fn given_away(place: &Path) -> Result<Option<(u32, u32)>, String> {
    let user = unprivileged();
    if let Some((user, group)) = user {
        let given = std::os::unix::fs::chown(place, Some(user), Some(group));
        given.map_err(|error| format!("{} cannot be given away: {error}", place.display()))?;
    }
    Ok(user)
}

fn carried_out(command: &mut Command) -> Result<(), String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Where PgBouncer is.
fn pooler() -> Option<PathBuf> {
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let mut all = on_path.into_iter().flatten().chain([PathBuf::from("/usr/sbin")]);
    all.find_map(|place| Some(place.join("pgbouncer")).filter(|program| program.exists()))
}

/// Where the programs of a server are.
fn programs() -> Option<PathBuf> {
    let has_all = |place: &Path| {
        ["initdb", "postgres", "pg_isready"].iter().all(|program| place.join(program).exists())
    };
    let packaged = fs::read_dir(PACKAGED).into_iter().flatten().flatten();
    let mut packaged: Vec<PathBuf> = packaged.map(|version| version.path().join("bin")).collect();
    packaged.sort();
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let mut all = on_path.into_iter().flatten().chain(packaged.into_iter().rev());
    all.find(|place| has_all(place))
}

/// The user that a server runs as, if this process is root, as which it does not run.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    const NOBODY: (u32, u32) = (65_534, 65_534);
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0).then(|| {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut ids = fields.filter(|fields| fields.first() == Some(&"postgres"));
        ids.next()
            .and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))
            .unwrap_or(NOBODY)
    })
}

fn command(program: &Path, user: Option<(u32, u32)>) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    command.env_remove("PGPASSWORD").env("LC_ALL", "C");
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}
