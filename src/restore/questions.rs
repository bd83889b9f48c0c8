//! What a restored database is asked: whether every part of it answers, and what its owner wants to
//! know.
//!
//! A superuser asks, so nothing of the database may run that its owner did not put into the question:
//! names are looked up in `pg_catalog` alone, nothing can be written, no event trigger fires, and each
//! answer is awaited only so long.

pub mod answer;

use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::Config;
use tokio_postgres::NoTls;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::SimpleQueryRow;

use crate::domain::drill::CheckResult;
use crate::domain::drill_check::DrillCheck;
use crate::domain::timeline::TimelineId;
use crate::observation::recovery::Login;
use crate::restore::questions::answer::Answering;
use crate::restore::questions::answer::NO_ANSWER;
use crate::restore::questions::answer::is_right;
use crate::restore::settings::PORT;

/// How a server is reached, without the database.
#[derive(Clone, Debug)]
pub struct Access {
    config: Config,
    /// Event triggers can be switched off from this version on.
    major: u32,
}

/// What a restored server tells of its recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryTold {
    pub system_identifier: u64,
    /// The one that it writes.
    pub timeline: TimelineId,
    /// The history file of that timeline, as recovery has written it.
    pub history: String,
    pub version: String,
}

/// For a connection, and for each answer.
const CONNECT_MAX: Duration = Duration::from_secs(30);
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// More databases than a cluster has that somebody operates.
const DATABASES_MAX: usize = 1_000;

/// What was wrong, without the words of the database: they may hold data.
type Refusal = String;

impl Access {
    /// By the socket in this directory.
    pub fn local(sockets: &Path, role: &str, major: u32) -> Self {
        let mut config = Config::new();
        config.host_path(sockets).port(PORT).user(role).connect_timeout(CONNECT_MAX);
        Self { config, major }
    }

    /// Over the network, as CloudNativePG's Secret of the superuser says.
    pub fn remote(login: &Login, major: u32) -> Self {
        let Login { host, port, user, password } = login;
        let mut config = Config::new();
        config.host(host).port(*port).user(user).password(password).connect_timeout(CONNECT_MAX);
        Self { config, major }
    }

    /// What the server tells of its recovery. The timeline that it writes is in the names of its
    /// segments: what the control file says of it may be from before the promotion.
    pub async fn recovery(&self) -> Result<RecoveryTold, Refusal> {
        let system_identifier = self.system_identifier().await?;
        let client = self.connect("postgres").await?;
        let one = async |query: &str| {
            let found = value(&client, query).await?;
            found.ok_or_else(|| "the answer has no row".to_owned())
        };
        let segment = one("SELECT pg_walfile_name(pg_current_wal_lsn())").await?;
        let timeline = segment.get(..8).and_then(|it| u32::from_str_radix(it, 16).ok());
        let timeline = timeline.and_then(TimelineId::new).ok_or("it does not say its timeline")?;
        let file = format!("pg_wal/{:08X}.history", timeline.value());
        let history = one(&format!("SELECT pg_read_file('{file}')")).await?;
        let version = one("SELECT current_setting('server_version')").await?;
        Ok(RecoveryTold { system_identifier, timeline, history, version })
    }

    async fn connect(&self, database: &str) -> Result<Client, Refusal> {
        let mut config = self.config.clone();
        config.dbname(database).options(self.options());
        let connecting = timeout(CONNECT_MAX, config.connect(NoTls));
        let connected = connecting.await.map_err(|_| NO_ANSWER.to_owned())?;
        let (client, connection) = connected.map_err(|error| refusal(&error))?;
        // It ends with the client.
        tokio::spawn(connection);
        Ok(client)
    }

    fn options(&self) -> String {
        let mut settings = vec![
            "search_path=pg_catalog".to_owned(),
            "default_transaction_read_only=on".to_owned(),
            format!("statement_timeout={}", ANSWER_MAX.as_millis()),
            "lock_timeout=10000".to_owned(),
            "session_preload_libraries=".to_owned(),
            "local_preload_libraries=".to_owned(),
            "jit=off".to_owned(),
            "datestyle=ISO".to_owned(),
            "timezone=UTC".to_owned(),
        ];
        if 17 <= self.major {
            settings.push("event_triggers=off".to_owned());
        }
        settings.iter().map(|setting| format!("-c {setting}")).collect::<Vec<_>>().join(" ")
    }

    /// The system identifier that the server tells.
    pub async fn system_identifier(&self) -> Result<u64, Refusal> {
        let client = self.connect("postgres").await?;
        let text = value(&client, "SELECT system_identifier FROM pg_control_system()").await?;
        text.and_then(|it| it.parse().ok())
            .ok_or_else(|| "it does not say its identifier".to_owned())
    }

    /// Whether every database that takes connections answers.
    pub async fn databases(&self) -> CheckResult {
        let name = "databases".to_owned();
        match self.answering().await {
            Ok(answering) => CheckResult { name, is_passed: true, detail: answering.to_string() },
            Err(detail) => CheckResult { name, is_passed: false, detail },
        }
    }

    async fn answering(&self) -> Result<Answering, Refusal> {
        let client = self.connect("postgres").await?;
        // A name is in the encoding of the database that it was given in, whatever that of this one is:
        // it must not be converted on its way. The driver reads nothing else than UTF-8.
        let as_it_is = client.batch_execute("SET client_encoding TO sql_ascii").await;
        as_it_is.map_err(|error| refusal(&error))?;
        let rows = rows(
            &client,
            "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2",
            DATABASES_MAX,
        )
        .await?;
        let mut answering = Answering::default();
        for row in &rows {
            let Ok(Some(name)) = row.try_get(0) else {
                answering.unnamed = answering.unnamed.saturating_add(1);
                continue;
            };
            let of = |why: Refusal| format!("the database {name:?}: {why}");
            let client = self.connect(name).await.map_err(of)?;
            // The catalogue is read, not only a constant computed.
            value(&client, "SELECT count(*) FROM pg_class").await.map_err(of)?;
            answering.asked = answering.asked.saturating_add(1);
        }
        Ok(answering)
    }

    /// Asks, and tells whether the answer is right. Ages count back from `restored`.
    pub async fn check(&self, check: &DrillCheck, restored: Option<DateTime<Utc>>) -> CheckResult {
        let answered = self.ask(check).await;
        let judged = answered.and_then(|answer| is_right(&answer, &check.answer, restored));
        let name = check.name.clone();
        match judged {
            Ok(detail) => CheckResult { name, is_passed: true, detail },
            Err(detail) => CheckResult { name, is_passed: false, detail },
        }
    }

    /// The only value of the only row.
    async fn ask(&self, check: &DrillCheck) -> Result<String, Refusal> {
        let client = self.connect(&check.database).await?;
        let rows = rows(&client, &check.query, 2).await?;
        match rows.as_slice() {
            [row] if row.len() == 1 => Ok(text(row)?.unwrap_or_default().to_owned()),
            [] => Err("the answer has no row".to_owned()),
            [_] => Err("the answer has more than one column".to_owned()),
            _ => Err("the answer has more than one row".to_owned()),
        }
    }
}

async fn value(client: &Client, query: &str) -> Result<Option<String>, Refusal> {
    let rows = rows(client, query, 1).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(text(row)?.map(str::to_owned))
}

/// The first value. A database in `SQL_ASCII` may hold any bytes.
fn text(row: &SimpleQueryRow) -> Result<Option<&str>, Refusal> {
    row.try_get(0).map_err(|_| "the answer is no UTF-8".to_owned())
}

/// The first rows, whatever the query would give.
async fn rows(client: &Client, query: &str, max: usize) -> Result<Vec<SimpleQueryRow>, Refusal> {
    let asked = async {
        client.batch_execute("BEGIN READ ONLY").await?;
        client.batch_execute(&format!("DECLARE answer NO SCROLL CURSOR FOR {query}")).await?;
        let messages = client.simple_query(&format!("FETCH {max} FROM answer")).await?;
        client.batch_execute("ROLLBACK").await?;
        Ok(messages)
    };
    let messages = timeout(ANSWER_MAX, asked).await;
    let messages = messages.map_err(|_| "it takes too long".to_owned())?;
    let messages = messages.map_err(|error: tokio_postgres::Error| refusal(&error))?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(rows.collect())
}

/// The kind of error alone where the server tells one: its words may hold data.
fn refusal(error: &tokio_postgres::Error) -> Refusal {
    match error.code() {
        Some(code) => format!("the server refuses with SQLSTATE {}", code.code()),
        None => error.to_string(),
    }
}
