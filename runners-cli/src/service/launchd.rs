//! A property list of launchd for a runner.

use super::Service;

/// The list.
pub(super) fn list(service: &Service) -> String {
    let word = |word: &str| format!("\n        <string>{}</string>", text(word));
    let arguments: String = service.command_line().into_iter().map(word).collect();
    let home = text(service.home.to_str().unwrap_or_default());
    let label = text(&service.label());
    let named = |user: &str| format!("\n    <key>UserName</key>\n    <string>{}</string>", text(user));
    let user = service.user.as_deref().map(named).unwrap_or_default();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by `runners service install`; `runners service uninstall` removes it. -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{label}</string>
    <key>ProgramArguments</key>
    <array>{arguments}
    </array>{user}
    <key>WorkingDirectory</key>
    <string>{home}</string>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>ThrottleInterval</key>
    <integer>15</integer>
    <key>ExitTimeOut</key>
    <integer>900</integer>
    <key>Umask</key>
    <integer>63</integer>
    <key>StandardOutPath</key>
    <string>/dev/null</string>
    <key>StandardErrorPath</key>
    <string>{home}/service.log</string>
</dict>
</plist>
"#
    )
}

/// A text between tags.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
