//! `runners service`: has the system start the runner of this machine.

use crate::{
    args::{ServiceArgs, ServiceCommand},
    daemon::{Home, Saved},
    exit::Exit,
    service::Service,
    terminal,
};
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::{fs, io::ErrorKind, path::PathBuf};

pub(super) fn execute(command: ServiceCommand) -> Result<Exit> {
    match command {
        ServiceCommand::Install(arguments) => install(&arguments),
        ServiceCommand::Uninstall(arguments) => uninstall(&arguments),
        ServiceCommand::Show(arguments) => show(&arguments),
    }
}

fn install(arguments: &ServiceArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    if Saved::read(&home)?.text("server").is_none() {
        bail!(
            "nothing is kept in {} that a runner could be started with: `runners register` first",
            home.directory().display()
        );
    }
    let (service, file) = service(arguments)?;
    let text = service.text()?;
    let directory = file.parent().context("--file is no path of a file")?;
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&file, &text))
        .with_context(|| format!("could not write {}", file.display()))?;
    let (on, _) = service.commands(&file);
    if arguments.json {
        terminal::print_json(&json!({ "file": file, "next": on }));
    } else {
        terminal::print(format!("{} is written; switch it on with", file.display()));
        on.iter().for_each(|command| terminal::print(format!("  {command}")));
    }
    Ok(Exit::Passed)
}

fn uninstall(arguments: &ServiceArgs) -> Result<Exit> {
    let (service, file) = service(arguments)?;
    let (_, off) = service.commands(&file);
    let removed = match fs::remove_file(&file) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(|| format!("could not remove {}", file.display())),
    };
    if arguments.json {
        terminal::print_json(&json!({ "file": file, "removed": removed, "next": off }));
    } else if removed {
        terminal::print(format!("{} is removed; if it is switched on, switch it off with", file.display()));
        off.iter().for_each(|command| terminal::print(format!("  {command}")));
    } else {
        terminal::print(format!("there is no {}", file.display()));
    }
    Ok(Exit::Passed)
}

fn show(arguments: &ServiceArgs) -> Result<Exit> {
    let (service, file) = service(arguments)?;
    let text = service.text()?;
    if arguments.json {
        terminal::print_json(&json!({ "file": file, "text": text }));
    } else {
        terminal::note(format!("{}:", file.display()));
        terminal::print(text.trim_end());
    }
    Ok(Exit::Passed)
}

fn service(arguments: &ServiceArgs) -> Result<(Service, PathBuf)> {
    let kind = arguments.kind.or_else(Service::kind_here);
    let kind = kind.context("this system has neither systemd nor launchd: choose with --kind")?;
    let service = Service {
        kind,
        name: arguments.name.clone(),
        program: std::env::current_exe().context("this program is not to be found")?,
        home: Home::at(arguments.home.home.as_deref())?.directory().to_owned(),
        user: arguments.user.clone(),
    };
    let file = arguments.file.clone().map_or_else(|| service.file(), Ok)?;
    Ok((service, file))
}
