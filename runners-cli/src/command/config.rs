//! `runners config`: what may stand in the file of settings, and what counts of it.

use crate::{args::ConfigCommand, exit::Exit, settings, terminal};

pub(super) fn config(command: ConfigCommand) -> Exit {
    match command {
        ConfigCommand::Schema => terminal::print(format!("{:#}", settings::schema())),
        ConfigCommand::Show(show) => show.host.settings.print(show.host.json),
    }
    Exit::Passed
}
