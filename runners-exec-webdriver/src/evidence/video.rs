//! A film as WebM, made and looked through by the `ffmpeg` of the machine. Without one there is none.

use super::film::Film;
use crate::within::within;
use bytes::Bytes;
use runners_core::{Clock, Timestamp};
use std::{fmt::Write as _, fs, io, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// How long making it, and looking through it, may take.
const VIDEO_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest video that is kept.
const VIDEO_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Makes a video that ends at a time; none if there is no `ffmpeg`, or if what it made cannot be
/// played to its end.
pub(super) async fn video(film: &mut Film, now: Timestamp, clock: &dyn Clock) -> Option<Bytes> {
    let pictures = film.pictures(now);
    if pictures.is_empty() {
        return None;
    }
    match within(clock, VIDEO_TIMEOUT, made(&pictures)).await {
        Some(Ok(video)) => Some(video),
        Some(Err(error)) => {
            tracing::warn!(%error, "no video was made");
            None
        }
        None => {
            tracing::warn!(limit = VIDEO_TIMEOUT.as_secs(), "a video was not made in time");
            None
        }
    }
}

async fn made(pictures: &[(Bytes, u64)]) -> io::Result<Bytes> {
    let directory = tempfile::tempdir()?;
    let list = directory.path().join("frames.txt");
    fs::write(&list, listed(pictures, directory.path())?)?;
    let video = directory.path().join("video.webm");
    // All pictures get the size of the first; sizes of this format are even.
    let shape = "scale=trunc(iw/2)*2:trunc(ih/2)*2";
    let mut make = ffmpeg();
    make.args(["-f", "concat", "-safe", "0", "-i"]).arg(&list);
    make.args(["-vf", shape, "-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M"]).arg(&video);
    done(make).await?;
    play(&video).await?;
    let bytes = fs::read(&video)?;
    if bytes.is_empty() || bytes.len() > VIDEO_BYTES_MAX {
        return Err(io::Error::other(format!("it has {} bytes, of at most {VIDEO_BYTES_MAX}", bytes.len())));
    }
    Ok(bytes.into())
}

/// Looks through a video to its end.
async fn play(video: &Path) -> io::Result<()> {
    let mut play = ffmpeg();
    play.args(["-xerror", "-i"]).arg(video).args(["-f", "null", "-"]);
    done(play).await
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-v", "error", "-y"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs it to its end; what it complains of is an error.
async fn done(mut command: Command) -> io::Result<()> {
    let output = command.output().await?;
    if output.status.success() && output.stderr.is_empty() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{}: {}", output.status, said.lines().next().unwrap_or("no word"))))
}

/// Writes the pictures, and answers the list of them with the time that each is to be seen.
fn listed(pictures: &[(Bytes, u64)], directory: &Path) -> io::Result<String> {
    let mut list = String::from("ffconcat version 1.0\n");
    for (index, (bytes, millis)) in pictures.iter().enumerate() {
        let name = picture_name(index, bytes);
        fs::write(directory.join(&name), bytes)?;
        let (seconds, rest) = (millis / 1_000, millis % 1_000);
        let _ = write!(list, "file '{name}'\nduration {seconds}.{rest:03}\n");
    }
    // The duration of the last one counts only if something follows it.
    if let Some((bytes, _)) = pictures.last() {
        let _ = writeln!(list, "file '{}'", picture_name(pictures.len() - 1, bytes));
    }
    Ok(list)
}

fn picture_name(index: usize, bytes: &Bytes) -> String {
    let kind = if bytes.starts_with(b"\x89PNG") { "png" } else { "jpg" };
    format!("{index:05}.{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_video_that_cannot_be_played_to_its_end_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let video = directory.path().join("video.webm");
        let mut make = ffmpeg();
        make.args(["-f", "lavfi", "-i", "testsrc=duration=3:size=320x200", "-c:v", "libvpx"]).arg(&video);
        match done(make).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return println!("skipped: there is no ffmpeg here");
            }
            made => made.unwrap(),
        }
        play(&video).await.unwrap();
        let bytes = fs::read(&video).unwrap();
        let mut spoilt = bytes.clone();
        spoilt[bytes.len() / 2..].fill(0x55);
        for (what, bytes) in [
            ("the half of it", &bytes[..bytes.len() / 2]),
            ("one whose end is rubbish", &spoilt),
            ("rubbish", b"<!doctype html>"),
            ("nothing", b""),
        ] {
            fs::write(&video, bytes).unwrap();
            assert!(play(&video).await.is_err(), "{what} is played");
        }
    }
}
