//! What clients write.

use crate::drills::stories::Life;
use crate::drills::stories::marks::Mark;
use crate::drills::stories::one_of;
use crate::storm::dice::Dice;

/// Each is committed by itself, some microseconds after the one before.
const TICKS: u32 = 200;

impl Life<'_> {
    pub(super) async fn work(&mut self, dice: &mut Dice) {
        self.rows += 1;
        let n = self.rows;
        let statements = [
            format!("INSERT INTO kept VALUES ({n})"),
            format!(
                "INSERT INTO kept SELECT {n}, repeat(md5(i::text), 20) FROM generate_series(1, 4000) i"
            ),
            format!("BEGIN; INSERT INTO kept VALUES ({n}); ROLLBACK"),
            format!("BEGIN; SAVEPOINT a; INSERT INTO kept VALUES ({n}); RELEASE a; COMMIT"),
            format!("BEGIN; INSERT INTO pending VALUES ({n}); PREPARE TRANSACTION 'p{n}'"),
            // More than are kept in memory (`PGPROC_MAX_CACHED_SUBXIDS` in `proc.h`).
            format!(
                "DO $$ BEGIN FOR i IN 1..80 LOOP BEGIN INSERT INTO kept VALUES ({n}); \
                 EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $$"
            ),
            format!("BEGIN; SAVEPOINT a; INSERT INTO kept VALUES ({n}); ROLLBACK TO a; COMMIT"),
            "TRUNCATE kept".to_owned(),
            "SELECT txid_current()".to_owned(),
            "CREATE INDEX ON kept (n)".to_owned(),
            "VACUUM FREEZE kept".to_owned(),
            format!("SELECT pg_create_restore_point('point {n}')"),
            "SELECT pg_logical_emit_message(true, 'test', 'transactional')".to_owned(),
            "CHECKPOINT".to_owned(),
            "UPDATE kept SET filler = 'x' WHERE n % 2 = 0".to_owned(),
        ];
        let statement = one_of(dice, &statements);
        self.tell(statement.clone());
        let answer = self.primary.sql(&statement).await;
        if statement.contains("restore_point") {
            self.marks.push(Mark::point(&format!("point {n}")));
        } else if dice.below(4) == 0 && !answer.contains('/') {
            let position = self.primary.sql("SELECT pg_current_wal_insert_lsn()").await;
            self.marks.push(Mark::position(&position));
        }
        // One that stays prepared is recovered as well, now and then.
        if statement.contains("PREPARE TRANSACTION") && dice.below(3) > 0 {
            self.primary.sql(&format!("COMMIT PREPARED 'p{n}'")).await;
        }
        if dice.below(2) == 0 {
            self.primary.archive_segments(1).await;
        }
    }

    /// Many small transactions, and moments among them.
    pub(super) async fn tick(&mut self, dice: &mut Dice) {
        let (first, last) = (self.ticks + 1, self.ticks + TICKS);
        self.ticks = last;
        self.tell(format!("ticks {first} to {last}"));
        let ticking = format!(
            "DO $$ BEGIN FOR i IN {first}..{last} LOOP \
             INSERT INTO ticks VALUES (i); COMMIT; END LOOP; END $$"
        );
        self.primary.sql(&ticking).await;
        let one = u64::from(first) + dice.below(u64::from(TICKS) - 20) + 10;
        for (shift, word) in [(-1, "-"), (0, ""), (1, "+")] {
            // How many a restore to that moment has: recovery ends before the first one after it.
            let moment = format!(
                "WITH one AS (SELECT pg_xact_commit_timestamp(xmin) + interval '{shift} us' AS at \
                 FROM ticks WHERE n = {one}) \
                 SELECT extract(epoch FROM at)::numeric(20, 6), (SELECT count(*) FROM ticks \
                 WHERE pg_xact_commit_timestamp(xmin) <= at) FROM one"
            );
            let found = self.primary.sql(&moment).await;
            let (at, ticks) = found.split_once('|').unwrap();
            let told = format!("tick {one}{word}, at {at}");
            self.marks.push(Mark::moment(at, ticks.parse().unwrap(), told));
        }
    }

    /// Another database, made by copying files or by logging them.
    pub(super) async fn work_elsewhere(&mut self, dice: &mut Dice) {
        if !self.has_second_database {
            self.has_second_database = true;
            let strategy = one_of(dice, &["wal_log", "file_copy"]);
            self.tell(format!("a second database, by {strategy}"));
            self.primary.sql(&format!("CREATE DATABASE second STRATEGY {strategy}")).await;
            self.primary.sql_in("second", "CREATE TABLE kept (n int)").await;
        }
        self.tell("work in the second database");
        self.primary.sql_in("second", "INSERT INTO kept SELECT generate_series(1, 100)").await;
    }
}
