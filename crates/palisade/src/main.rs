//! The `palisade` command line: flags in, exit codes out. What it does lives in the crates below it.

/// Writes a line to standard error. Unlike `eprintln!` it does not end a proxy whose standard error went away.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}

mod admin;
mod alert_book;
mod alerting;
mod authenticating;
mod automatic;
mod bundle_folder;
mod collected;
mod collecting;
mod commands;
mod configuration;
mod configured;
mod control;
mod data_folder;
mod decision;
mod descriptors;
mod dismissed;
mod environment;
mod events;
mod excepted;
mod excepting;
mod exchange;
mod explaining;
mod fetch;
mod files;
mod flags;
mod followed;
mod idle;
mod journal;
mod lists;
mod memory;
mod modes;
mod object_files;
mod offered;
mod outlets;
mod policies;
mod policing;
mod policy_text;
mod recording;
mod replays;
mod request;
mod restart;
mod rules;
mod serving;
mod shared;
mod sign_on;
mod sites;
mod snapshot;
mod specifications;
mod suggesting;
mod tls;
mod traces;
mod waiting;
mod watch;
mod workload_api;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use commands::migrate::MigrateCommand;
use flags::{AlertsCommand, Command, EventsCommand, Flags, PolicyCommand, RulesCommand, SimCommand};

fn main() -> ExitCode {
    let flags = Flags::parse_from(commands::authz::normalised(std::env::args_os()));
    let outcome = match flags.command {
        Command::Explain(explain) => commands::explain::run(&explain),
        Command::Check(check) => commands::check::run(&check),
        Command::Profile(profile) => commands::profile::run(&profile),
        Command::Rules(RulesCommand::Fetch(fetch)) => fetch::run(&fetch),
        Command::Rules(RulesCommand::List(list)) => commands::rules::list(&list),
        Command::Rules(RulesCommand::Show(show)) => commands::rules::show(&show),
        Command::Policy(PolicyCommand::Match(flags)) => commands::policy::matching::run(&flags),
        Command::Policy(PolicyCommand::Eval(flags)) => commands::policy::eval::run(&flags),
        Command::Policy(PolicyCommand::Check(flags)) => commands::policy::check::run(&flags),
        Command::Policy(PolicyCommand::Suggest(flags)) => commands::policy::suggest::run(&flags),
        Command::Alerts(AlertsCommand::Test(test)) => commands::alerts::test(&test),
        Command::Run(run) => commands::run::run(&run),
        Command::Control(control) => commands::control::run(&control),
        Command::Console(console) => commands::console::run(&console),
        Command::Gateway(gateway) => commands::gateway::run(&gateway),
        Command::Migrate(MigrateCommand::IngressNginx(flags)) => commands::migrate::run(&flags),
        Command::Authz(authz) => commands::authz::run(&authz),
        Command::Events(EventsCommand::Query(flags)) => commands::events::query(&flags),
        Command::Events(EventsCommand::Tail(flags)) => commands::events::tail(&flags),
        Command::Events(EventsCommand::Fields) => commands::events::fields(),
        Command::Replay(replay) => commands::replay::run(&replay),
        Command::Operator(operator) => commands::operator::run(&operator),
        Command::Health(health) => commands::health::run(&health),
        Command::Inject(inject) => commands::inject::run(&inject),
        Command::Webhook(webhook) => commands::webhook::run(&webhook),
        Command::Drain(drain) => commands::drain::run(&drain),
        Command::Password(password) => commands::password::run(&password),
        Command::Sim(SimCommand::Server(server)) => commands::sim::server(&server),
        Command::Sim(SimCommand::Client(client)) => commands::sim::client(&client),
        Command::Demo(demo) => commands::demo::run(&demo),
        Command::Config(which) => commands::config(&which),
        Command::Crdgen => commands::operator::crdgen(),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man(man) => commands::manual::man(&man),
    };
    match outcome {
        Ok(Finding::Nothing) => ExitCode::SUCCESS,
        Ok(Finding::Something) => ExitCode::from(1),
        // A reader that went away (`| head`) has what it wanted.
        Err(error) if error.chain().any(is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            say!("palisade: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What a command found: the difference between exit 0 and exit 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// All is well.
    Nothing,
    /// A denial, an error in rules: the answer that a script looks for.
    Something,
}
