//! What happens to the server.

use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use test_servers::postgres::Shutdown;
use test_servers::process::wait_until;

use crate::drills::stories::Life;
use crate::drills::stories::one_of;
use crate::storm::dice::Dice;

impl Life<'_> {
    /// A standby takes over, on a timeline of its own.
    pub(super) async fn fail_over(&mut self) {
        self.tell("a failover");
        let standby = self.primary.standby().await;
        self.primary.sql("INSERT INTO kept VALUES (0)").await;
        self.primary.archive_segments(1).await;
        self.primary.stop(Shutdown::Fast).await;
        standby.promote().await;
        self.primary = standby;
        self.primary.sql("INSERT INTO kept VALUES (0)").await;
        self.primary.archive_segments(1).await;
    }

    /// A restore to an earlier moment goes on where it ended.
    pub(super) async fn go_back(&mut self, dice: &mut Dice) {
        let now = self.primary.sql("SELECT clock_timestamp()").await;
        let inclusive = one_of(dice, &["on", "off"]);
        self.tell(format!("back to {now}, inclusive {inclusive}"));
        self.primary.sql("INSERT INTO kept VALUES (-1)").await;
        let count = usize::try_from(dice.below(2)).unwrap() + 1;
        self.primary.archive_segments(count).await;
        self.primary.stop(Shutdown::Fast).await;
        let backup_id = self.backups.last().unwrap().clone();
        let target =
            [("recovery_target_time", now.as_str()), ("recovery_target_inclusive", inclusive)];
        let recovery = Recovery { barman: self.barman, backup_id: &backup_id, target: &target };
        self.primary = Postgres::recover(&recovery, &self.options).await;
        self.primary.sql("INSERT INTO kept VALUES (-2)").await;
        self.primary.archive_segments(1).await;
    }

    /// A base backup of a standby, which goes again.
    pub(super) async fn back_up_standby(&mut self) {
        self.tell("a standby, and a backup of it");
        let standby = self.primary.standby().await;
        self.primary.sql("INSERT INTO kept VALUES (0)").await;
        self.primary.sql("CHECKPOINT").await;
        self.caught_up(&standby).await;
        let options = BackupOptions { codec: self.of_backups, ..BackupOptions::default() };
        let id = self.barman.backup(&standby, &options).await;
        self.tell(format!("backup {id}"));
        self.backups.push(id);
        self.primary.sql("INSERT INTO kept VALUES (0)").await;
        self.primary.archive_segments(1).await;
    }

    async fn caught_up(&self, standby: &Postgres) {
        let written = self.primary.sql("SELECT pg_current_wal_flush_lsn()").await;
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        wait_until("the standby has caught up", Duration::from_secs(60), async || {
            (standby.sql(&replayed).await == "t").then_some(())
        })
        .await;
    }

    /// A tablespace that the backups before know nothing of.
    pub(super) async fn place_later(&mut self, dice: &mut Dice) {
        self.tell("not in the backups before:");
        self.has_later_tablespace = true;
        let place = self.primary.new_directory("later");
        self.place_table(&place).await;
        self.primary.archive_segments(1).await;
        if dice.below(2) == 0 {
            self.back_up().await;
        }
    }

    /// Settings that a recovery has to have as well.
    pub(super) async fn change_settings(&mut self, dice: &mut Dice) {
        let changes = [
            ("wal_level", "logical"),
            ("wal_level", "replica"),
            ("max_connections", "250"),
            ("max_locks_per_transaction", "200"),
            ("max_prepared_transactions", "1200"),
            ("max_worker_processes", "20"),
        ];
        let (name, value) = one_of(dice, &changes);
        self.tell(format!("{name} = {value}"));
        self.primary.sql(&format!("ALTER SYSTEM SET {name} = '{value}'")).await;
        // A server that is restored from a backup of before needs them too.
        self.options = self.options.clone().with_setting(name, value);
        self.primary.restart().await;
        self.primary.sql("INSERT INTO kept VALUES (0)").await;
    }
}
