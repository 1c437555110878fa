//! A unit of systemd for a runner.
//!
//! It takes from the runner what no browser needs. What browsers do need stays: user namespaces (their
//! own sandbox), memory that is written and then executed (JavaScript), shared memory and `/tmp`.

use super::Service;

/// How long a start may take, registering included, and a stop, whose runner drains for ten minutes
/// unless its settings say otherwise.
const START_MAX: &str = "5min";
const STOP_MAX: &str = "15min";

/// What is taken from a runner of one user, by that user's own service manager.
const OF_A_USER: &str = "\
LockPersonality=yes
NoNewPrivileges=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
";

/// What is taken besides from a runner of the machine.
const OF_THE_MACHINE: &str = "\
CapabilityBoundingSet=
KeyringMode=private
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
";

/// The unit.
pub(super) fn unit(service: &Service) -> String {
    let Service { name, home, user, .. } = service;
    let command: Vec<_> = service.command_line().into_iter().map(quoted).collect();
    let command = command.join(" ");
    let home = home.to_str().unwrap_or_default();
    let (of_machine, wanted_by, network) = match user {
        Some(user) => (
            format!("User={user}\nReadWritePaths={}\n{OF_THE_MACHINE}", quoted(home)),
            "multi-user.target",
            "After=network-online.target\nWants=network-online.target\n",
        ),
        None => (String::new(), "default.target", ""),
    };
    // A path of its own is not split at blanks, and not quoted.
    let home = home.replace('%', "%%");
    format!(
        "# Written by `runners service install`; `runners service uninstall` removes it.
[Unit]
Description=Runner of browser tests ({name})
{network}StartLimitIntervalSec=10min
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
WorkingDirectory={home}
StandardOutput=null
StandardError=journal
Restart=on-failure
RestartSec=15
TimeoutStartSec={START_MAX}
TimeoutStopSec={STOP_MAX}
WatchdogSec=90
# The runner is told to end, and looks after its browsers; what is left after it is killed.
KillMode=mixed
UMask=0077
{OF_A_USER}{of_machine}
[Install]
WantedBy={wanted_by}
"
    )
}

/// A word of a command line: within quotes, with what systemd would take for something else doubled.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '%' | '$' => quoted.extend([letter, letter]),
            _ => quoted.push(letter),
        }
    }
    let plain = quoted == text && !text.is_empty() && !text.contains([' ', '\'', ';', '#']);
    if plain { quoted } else { format!("\"{quoted}\"") }
}
