//! `palisade password`: a line for the file of users who may log in to the web console.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, anyhow};
use palisade_console::user_line;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::Finding;
use crate::flags::{PasswordFlags, UserRole};

/// Bytes of a password.
const BYTES_MAX: u64 = 4096;

/// Reads a password from standard input and prints the line.
pub(crate) fn run(flags: &PasswordFlags) -> Result<Finding> {
    let password = read().context("the password cannot be read from standard input")?;
    let password = password.trim_end_matches(['\r', '\n']);
    let line = user_line(&flags.user, flags.role == UserRole::Operator, password);
    println!("{}", line.map_err(|why| anyhow!(why))?);
    Ok(Finding::Nothing)
}

fn read() -> Result<String> {
    let stdin = std::io::stdin();
    let hidden = if stdin.is_terminal() { Some(Hidden::begin()?) } else { None };
    if hidden.is_some() {
        eprint!("password: ");
    }
    let mut password = String::new();
    stdin.lock().take(BYTES_MAX).read_line(&mut password)?;
    if hidden.is_some() {
        eprintln!();
    }
    Ok(password)
}

/// A terminal that does not show what is typed, until this goes.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
