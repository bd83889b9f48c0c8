//! What the commands are told that restore, or tell how.

mod formats;

use std::path::PathBuf;
use std::time::Duration;

use crate::config::arguments::DrillArguments;
use crate::config::arguments::DrillOutput;
use crate::config::arguments::ExpectationArguments;
use crate::config::arguments::OperatorArguments;
use crate::config::arguments::PlanOutput;
use crate::config::arguments::RestoreArguments;
use crate::config::arguments::RestorePlanArguments;
use crate::config::arguments::ServerArguments;
use crate::config::arguments::TargetArguments;
use crate::config::check::Chosen;
use crate::config::check::ChosenArchives;
use crate::config::environment::Overrides;
use crate::config::problem::ConfigError;
use crate::config::problem::ConfigProblem;
use crate::config::reader::SettingReader;
use crate::config::restore::formats::POSITION;
use crate::config::restore::formats::RESTORE_POINT;
use crate::config::restore::formats::SEED;
use crate::config::restore::formats::SETTING;
use crate::config::restore::formats::TABLESPACE;
use crate::config::restore::formats::TIMELINE;
use crate::config::restore::formats::TIMEOUT;
use crate::config::restore::formats::TIMEOUT_USUAL;
use crate::domain::asked_target::Asker;
use crate::domain::asked_target::EXPECTED;
use crate::domain::cluster::DrillKind;
use crate::domain::destination::ENDPOINT_URL;
use crate::domain::recovery_target::Question;
use crate::domain::recovery_target::Target;

/// Everything that `restore-plan` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestorePlanConfig {
    /// Names at most one archive of the configuration.
    pub chosen: ChosenArchives,
    pub question: Question,
    pub output: PlanOutput,
}

impl RestorePlanConfig {
    pub fn read(arguments: &RestorePlanArguments, asker: &Asker) -> Result<Self, ConfigError> {
        let mut reader = SettingReader::new(Overrides::from_environment());
        let chosen = Chosen {
            file: &arguments.file,
            selection: &arguments.selection,
            expectations: &arguments.expectations,
        };
        let chosen = chosen.read(&mut reader);
        let question = question(&arguments.target, asker, &mut reader);
        demand_one(&chosen, "restore-plan", &mut reader);
        let output = if arguments.bundle { PlanOutput::Bundle } else { arguments.output };
        reader.finish(Some(Self { chosen, question, output }))
    }
}

/// Everything that `restore` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreConfig {
    /// Names at most one archive of the configuration.
    pub chosen: ChosenArchives,
    pub question: Question,
    pub to: PathBuf,
    /// Tablespaces by their names or numbers, with their directories.
    pub tablespaces: Vec<(String, PathBuf)>,
    pub clean: CleanUp,
    pub server: ServerConfig,
}

/// What is removed of a restore that comes to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanUp {
    WhatWasWritten,
    Nothing,
}

/// Everything that `drill` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillConfig {
    /// Names at most one archive of the configuration.
    pub chosen: ChosenArchives,
    pub kind: DrillKind,
    /// The directory for a drill on this machine; `None` asks the operator.
    pub local: Option<PathBuf>,
    pub operator: OperatorConfig,
    /// `None` draws one.
    pub seed: Option<u64>,
    pub timeout: Duration,
    pub readings: FurtherReadings,
    pub output: DrillOutput,
    pub server: ServerConfig,
}

/// How CloudNativePG is made to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorConfig {
    /// `None` leaves it to the configuration.
    pub namespace: Option<String>,
    /// Names what is drilled; `None` where flags do.
    pub daemon: Option<String>,
    pub is_plan_only: bool,
}

/// What reads the restored data beside the checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FurtherReadings {
    pub has_dump: bool,
    pub has_amcheck: bool,
}

/// How PostgreSQL is run on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerConfig {
    /// The directory of its programs; `None` looks for them.
    pub programs: Option<PathBuf>,
    /// As whom, where this program runs as root.
    pub account: Option<String>,
    /// The superuser in the database.
    pub role: Option<String>,
    /// By name, with values.
    pub settings: Vec<(String, String)>,
}

impl RestoreConfig {
    pub fn read(arguments: &RestoreArguments, asker: &Asker) -> Result<Self, ConfigError> {
        let mut reader = SettingReader::new(Overrides::from_environment());
        let chosen = Chosen {
            file: &arguments.file,
            selection: &arguments.selection,
            expectations: &ExpectationArguments::default(),
        };
        let chosen = chosen.read(&mut reader);
        let question = question(&arguments.target, asker, &mut reader);
        demand_one(&chosen, "restore", &mut reader);
        let server = ServerConfig::read(&arguments.server, &mut reader);
        let tablespaces = arguments.tablespace.iter();
        let tablespaces =
            tablespaces.filter_map(|text| reader.flag("--tablespace", Some(text), &TABLESPACE));
        let tablespaces = tablespaces.collect();
        let clean = if arguments.no_clean { CleanUp::Nothing } else { CleanUp::WhatWasWritten };
        let to = arguments.to_dir.clone();
        reader.finish(Some(Self { chosen, question, to, tablespaces, clean, server }))
    }
}

impl DrillConfig {
    pub fn read(arguments: &DrillArguments) -> Result<Self, ConfigError> {
        let mut reader = SettingReader::new(Overrides::from_environment());
        let chosen = Chosen {
            file: &arguments.file,
            selection: &arguments.selection,
            expectations: &ExpectationArguments::default(),
        };
        let chosen = chosen.read(&mut reader);
        if arguments.operator.daemon.is_none() {
            demand_one(&chosen, "drill", &mut reader);
        }
        let seed = reader.flag("--seed", arguments.seed.as_deref(), &SEED);
        let operator = OperatorConfig::read(&arguments.operator, &mut reader);
        let timeout = reader.flag("--timeout", arguments.timeout.as_deref(), &TIMEOUT);
        let server = ServerConfig::read(&arguments.server, &mut reader);
        reader.finish(Some(Self {
            chosen,
            kind: arguments.kind.into(),
            local: arguments.local.clone(),
            operator,
            seed,
            timeout: timeout.unwrap_or(TIMEOUT_USUAL),
            readings: FurtherReadings { has_dump: arguments.dump, has_amcheck: arguments.amcheck },
            output: arguments.output,
            server,
        }))
    }
}

impl OperatorConfig {
    fn read(arguments: &OperatorArguments, reader: &mut SettingReader) -> Self {
        let OperatorArguments { plan, daemon, drill_namespace } = arguments;
        let daemon = reader.flag("--daemon", daemon.as_deref(), &ENDPOINT_URL);
        Self { namespace: drill_namespace.clone(), daemon, is_plan_only: *plan }
    }
}

impl ServerConfig {
    fn read(arguments: &ServerArguments, reader: &mut SettingReader) -> Self {
        let ServerArguments { postgres, run_as, role, set } = arguments;
        let settings = set.iter().filter_map(|text| reader.flag("--set", Some(text), &SETTING));
        Self {
            settings: settings.collect(),
            programs: postgres.clone(),
            account: run_as.clone(),
            role: role.clone(),
        }
    }
}

fn demand_one(chosen: &ChosenArchives, command: &str, reader: &mut SettingReader) {
    if chosen.archives.len() > 1 {
        let names: Vec<String> = chosen.archives.iter().map(|it| it.id.to_string()).collect();
        reader.note(ConfigProblem::new(command, ONE_ARCHIVE, names.join(", ")));
    }
}

/// Without a moment, a named backup is meant by itself.
fn question(arguments: &TargetArguments, asker: &Asker, reader: &mut SettingReader) -> Question {
    let lsn = reader.flag("--lsn", arguments.lsn.as_deref(), &POSITION);
    let name = reader.flag("--name", arguments.name.as_deref(), &RESTORE_POINT);
    let target = match (arguments.to.as_deref(), lsn, name) {
        (_, _, Some(name)) => Target::RestorePoint(name),
        (_, Some(lsn), None) => Target::Lsn(lsn),
        (Some(text), None, None) => asker.read(text).unwrap_or_else(|why| {
            reader.note(ConfigProblem::new("--to", EXPECTED, format!("{text:?}. {why}")));
            Target::Latest
        }),
        (None, None, None) if arguments.backup.is_some() => Target::Backup,
        (None, None, None) => Target::Latest,
    };
    let timeline = reader.flag("--timeline", arguments.timeline.as_deref(), &TIMELINE);
    Question { target, backup: arguments.backup.clone(), timeline }
}

/// What `restore-plan` needs.
pub const ONE_ARCHIVE: &str = "one archive, by --namespace and --cluster or --archive";
