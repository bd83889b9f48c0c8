//! What the commands are told that restore, or tell how.

use std::path::PathBuf;
use std::sync::Arc;
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
use crate::domain::asked_target::Asker;
use crate::domain::asked_target::EXPECTED;
use crate::domain::cluster::DrillKind;
use crate::domain::destination::ENDPOINT_URL;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::duration_between;
use crate::domain::lsn::Lsn;
use crate::domain::recovery_target::Question;
use crate::domain::recovery_target::Target;
use crate::domain::timeline::TimelineId;

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
    pub server: ServerConfig,
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
        reader.finish(Some(Self { chosen, question, to: arguments.to_dir.clone(), server }))
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

const POSITION: Format<Lsn> = Format {
    expected: "a position in the log such as 0/3000060",
    parse: |text| text.parse().map_err(|_| Flaw::Mismatch),
};

/// `MAXFNAMELEN` of `xlog_internal.h`, without the zero at the end.
const RESTORE_POINT_BYTES_MAX: usize = 63;

const RESTORE_POINT: Format<Arc<str>> = Format {
    expected: "the name of a restore point, of at most 63 bytes",
    parse: |text| match text.len() {
        1..=RESTORE_POINT_BYTES_MAX => Ok(text.into()),
        _ => Err(Flaw::Mismatch),
    },
};

const TIMELINE: Format<TimelineId> = Format {
    expected: "the number of a timeline, from 1 on",
    parse: |text| text.parse().ok().and_then(TimelineId::new).ok_or(Flaw::Mismatch),
};

/// What `restore-plan` needs.
pub const ONE_ARCHIVE: &str = "one archive, by --namespace and --cluster or --archive";

/// Six times as long as a recovery may take: what is not done by then hangs.
const TIMEOUT_USUAL: Duration = Duration::from_hours(12);

const TIMEOUT: Format<Duration> = Format {
    expected: "a duration from 10s to 7d, such as 6h",
    parse: |text| duration_between(text, Duration::from_secs(10), Duration::from_hours(7 * 24)),
};

const SEED: Format<u64> =
    Format { expected: "a whole number", parse: |text| text.parse().map_err(|_| Flaw::Mismatch) };

/// What a drill sets itself: with these a restored database would reach out, or go on archiving.
const OWN_SETTINGS: [&str; 4] =
    ["archive_mode", "archive_command", "archive_library", "max_logical_replication_workers"];

const SETTING: Format<(String, String)> = Format {
    expected: "a parameter of PostgreSQL and its value, such as work_mem=64MB, but none of \
               archive_mode, archive_command, archive_library, max_logical_replication_workers",
    parse: |text| {
        let is_name = |name: &str| {
            let mut chars = name.chars();
            chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
                && chars.all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '.'))
        };
        let parts = text.split_once('=').map(|(name, value)| (name.to_ascii_lowercase(), value));
        parts
            .filter(|(name, value)| is_name(name) && !value.contains(['\n', '\r', '\0']))
            .filter(|(name, _)| !OWN_SETTINGS.contains(&name.as_str()))
            .map(|(name, value)| (name, value.to_owned()))
            .ok_or(Flaw::Mismatch)
    },
};
