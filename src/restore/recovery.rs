//! One recovery, from the base backup to a server that takes connections.

mod recovered;
mod watched;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::assessment::plan::Restore;
use crate::assessment::plan::Stop;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupWal;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillPhase;
use crate::domain::drill::PhaseName;
use crate::domain::drill::RecoveryEnd;
use crate::observation::backup::ObservedBackup;
use crate::restore::base::Base;
use crate::restore::courier::Courier;
use crate::restore::delivery::Delivery;
use crate::restore::delivery::Source;
use crate::restore::end::Ended;
use crate::restore::end::class_of;
use crate::restore::extract::put_aside;
use crate::restore::failed::Failed;
use crate::restore::history::Written;
use crate::restore::place::Durability;
use crate::restore::place::Place;
use crate::restore::programs::Programs;
pub use crate::restore::recovery::recovered::Recovered;
use crate::restore::recovery::watched::Watched;
use crate::restore::route;
use crate::restore::server::Server;
use crate::restore::settings::HBA;
use crate::restore::settings::Instructions;
use crate::restore::source_settings::prepared_transactions;
use crate::restore::traces;
use crate::restore::trouble::Trouble;

/// What is recovered, how, and where.
pub struct Recovery<'a> {
    pub source: Source,
    pub backup: &'a ObservedBackup,
    pub info: &'a BackupInfo,
    pub wal: BackupWal,
    pub plan: &'a Restore,
    pub place: Place,
    pub programs: Programs,
    /// This program, which the server asks for the log.
    pub program: PathBuf,
    pub durability: Durability,
    pub settings: Vec<(String, String)>,
}

/// What is told while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Base,
    /// So many segments of so many.
    Replay(u64, u64),
    Promote,
}

/// How far it came, whatever came of it.
#[derive(Debug, Default)]
pub struct Course {
    pub phases: Vec<DrillPhase>,
    pub predicted: Option<RecoveryEnd>,
    pub reached: Option<RecoveryEnd>,
    /// Why recovery ended, in PostgreSQL's words.
    pub reason: Option<String>,
    pub segments: u64,
}

impl Recovery<'_> {
    /// Restores, replays and promotes. What is known of the way stands in `course` in any case.
    pub async fn run(
        self,
        course: &mut Course,
        mut tell: impl FnMut(Step),
    ) -> Result<Recovered, Failed> {
        tell(Step::Base);
        let began_at = Instant::now();
        let (source, place) = (&self.source, &self.place);
        self.programs.can_run(&place.account, &self.program, place.data()).await?;
        Base { source, backup: self.backup, info: self.info, place }.restore().await?;
        course.phase(PhaseName::Base, began_at);
        self.configure().map_err(|error| Failed::storage(self.place.data(), &error))?;
        let (listener, courier) = self.courier()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&courier).go_ahead(route::replay(self.plan, &self.wal)));
        let requests = Arc::clone(&courier);
        tasks.spawn(async move {
            if let Err(error) = requests.listen(listener).await {
                tracing::warn!(%error, "the server's requests can no longer be received");
            }
        });
        let server = Server::start(&self.programs, &self.place.account, self.place.data());
        let server =
            server.map_err(|error| Failed::storage(&self.programs.path("postgres"), &error))?;
        let mut watched = Watched { server, seen: Ended::default() };
        let ended = watched.follow(&courier, course, &mut tell).await;
        // Whoever fetched ahead may stop now.
        drop(tasks);
        course.segments = courier.progress().0;
        course.predicted = courier.foretold().map(|end| route::told(&end));
        let Watched { mut server, seen } = watched;
        if ended.is_err() {
            let words = server.last_words().await;
            server.abandon().await;
            return Err(class_of(&seen, &courier.troubles(), &words));
        }
        let promised = self.read_end(&seen, course).and_then(|()| self.promised(&courier, course));
        if let Err(failed) = promised {
            server.abandon().await;
            return Err(failed);
        }
        let _ = traces::remove(&self.place.spool);
        Ok(Recovered { server, place: self.place, programs: self.programs })
    }

    fn courier(&self) -> Result<(UnixListener, Arc<Courier>), Failed> {
        let Place { spool, account, .. } = &self.place;
        let size = self.wal.segment_size;
        let delivery = Delivery::new(self.source.clone(), spool, size);
        let way = route::way(self.plan);
        let courier = Courier::new(delivery, self.place.data(), *account, way, size.bytes());
        let socket = self.place.request_socket();
        let listener = UnixListener::bind(&socket);
        let listener = listener.and_then(|it| account.give(&socket).map(|()| it));
        let listener = listener.map_err(|error| Failed::storage(&socket, &error))?;
        Ok((listener, courier))
    }

    /// The backup's own configuration names paths and libraries of the machine that it comes from.
    fn configure(&self) -> io::Result<()> {
        let data = self.place.data();
        let demanded = self.plan.window.demands.as_ref().and_then(|it| it.parameters);
        let controlled = prepared_transactions(data);
        let socket = self.place.request_socket();
        let instructions = Instructions {
            stop: &self.plan.stop,
            target_timeline: self.plan.target_timeline(),
            needs_prefetch_off: self.plan.needs_prefetch_off,
            program: &self.program,
            socket: &socket,
            sockets: self.place.sockets.path(),
            segment_size: self.wal.segment_size,
            max_prepared_transactions: demanded
                .map_or(0, |it| it.max_prepared_transactions)
                .max(controlled),
            durability: self.durability,
            further: &self.settings,
            major: self.info.server_version.unwrap_or_default() / 10_000,
        };
        for name in ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"] {
            put_aside(data, name)?;
        }
        for (name, text) in [
            ("postgresql.conf", instructions.text().as_str()),
            ("postgresql.auto.conf", ""),
            ("pg_hba.conf", HBA),
            ("pg_ident.conf", ""),
            ("recovery.signal", ""),
        ] {
            let path = data.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            self.place.account.give(&path)?;
        }
        match fs::remove_file(data.join("standby.signal")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether recovery came as far as the plan says. What is missing on the way is not foretold by the
    /// log either, and the server takes it for the end.
    fn promised(&self, courier: &Courier, course: &Course) -> Result<(), Failed> {
        if self.plan.stop != Stop::Never {
            return Ok(());
        }
        if let Some(lacking) = courier.troubles().iter().find_map(Trouble::lacking) {
            return Err(Failed::new(DrillClass::WalMissing, lacking));
        }
        let last = self.plan.window.last.segment;
        let begin = last.number(self.wal.segment_size).map(|it| it.start(self.wal.segment_size));
        match (begin, &course.reached) {
            (Ok(begin), Some(end)) if end.lsn < begin => {
                let why = format!("recovery ended at {}, and WAL segment {last} is there", end.lsn);
                Err(Failed::new(DrillClass::StoppedEarly, why))
            }
            _ => Ok(()),
        }
    }

    /// What recovery wrote down of its end.
    fn read_end(&self, seen: &Ended, course: &mut Course) -> Result<(), Failed> {
        let timeline = seen.new_timeline.ok_or_else(|| {
            Failed::new(DrillClass::StoppedEarly, "the server began no timeline of its own")
        })?;
        let written = Written::read(self.place.data(), timeline);
        let written = written.map_err(|error| Failed::storage(self.place.data(), &error))?;
        course.reason = Some(written.reason);
        course.reached = Some(RecoveryEnd {
            system_identifier: self.info.system_identifier,
            timeline: written.ended_on.value(),
            lsn: written.lsn,
            last_transaction_at: seen.last_transaction_at(),
        });
        Ok(())
    }
}

impl Course {
    pub fn phase(&mut self, name: PhaseName, began_at: Instant) {
        self.phases.push(DrillPhase { name, seconds: began_at.elapsed().as_secs_f64() });
    }
}
