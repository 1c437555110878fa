//! A process that goes on while a test looks at it. It is ended with the test.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

/// How long a process may take to do what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Process {
    child: Child,
    events: Receiver<String>,
    ended: Receiver<()>,
    said: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let (told, events) = mpsc::channel();
        let (closed, ended) = mpsc::channel();
        let listen = |stream: Box<dyn Read + Send>, closed: Option<Sender<()>>| {
            let (said, told) = (said.clone(), told.clone());
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    said.lock().unwrap().push_str(&format!("{line}\n"));
                    drop(told.send(line));
                }
                closed.map(|closed| closed.send(()))
            });
        };
        listen(Box::new(stdout), Some(closed));
        listen(Box::new(stderr), None);
        Self { child, events, ended, said }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has said, on both streams.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits for an event of the JSON output.
    #[track_caller]
    pub(crate) fn wait_for(&self, event: &str) -> Value {
        self.wait_until(event, |told| told["event"] == event)
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let line = self.events.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {what}; it said: {}", self.said()));
            if let Some(told) = serde_json::from_str(&line).ok().filter(|told| is_it(told)) {
                return told;
            }
        }
    }

    /// Waits for a line of text.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        loop {
            let line = self.events.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {text:?}; it said: {}", self.said()));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Ends it at once, as an outage does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let ended = self.ended.recv_timeout(PATIENCE);
        assert!(ended.is_ok(), "it did not end; it said: {}", self.said());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    /// A runner that is killed at once leaves its browsers behind, so it is asked twice before.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            self.signal(Signal::INT);
            let _ = self.ended.recv_timeout(PATIENCE);
        }
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
