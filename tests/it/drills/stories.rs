//! Archives that a seed makes: a server's life with backups, failovers and losses, by the real tools.

pub(super) mod marks;
mod turns;
mod work;

use std::path::Path;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Release;
use test_servers::postgres::Shutdown;
use test_servers::rclone::Rclone;

use crate::drills::stories::marks::Mark;
use crate::storm::dice::Dice;

/// What was made, and by which server.
pub(super) struct Story {
    pub(super) release: Release,
    /// In words, for whoever has to find out why a drill failed.
    pub(super) told: Vec<String>,
    /// Places that a restore can be told to end at, in the order of the log.
    pub(super) marks: Vec<Mark>,
    /// A segment is gone that some restore needs.
    pub(super) has_lost: bool,
    /// Whoever restores an older backup comes to a tablespace for which there is no place.
    pub(super) has_later_tablespace: bool,
}

/// The primary of the moment, and how it archives.
struct Life<'a> {
    s3: &'a Rclone,
    barman: &'a Barman,
    options: Options,
    of_backups: Codec,
    primary: Postgres,
    backups: Vec<String>,
    rows: u32,
    told: Vec<String>,
    /// Its place is taken: neither a standby nor a restored server may have it too.
    has_tablespace: bool,
    has_later_tablespace: bool,
    has_second_database: bool,
    ticks: u32,
    marks: Vec<Mark>,
}

/// Any of these.
pub(super) fn one_of<T: Clone>(dice: &mut Dice, choices: &[T]) -> T {
    let at = dice.below(u64::try_from(choices.len()).unwrap());
    choices[usize::try_from(at).unwrap()].clone()
}

impl Story {
    /// Makes one archive, of a server that lived as the dice fell.
    pub(super) async fn make(s3: &Rclone, barman: &Barman, dice: &mut Dice) -> Self {
        let release = one_of(dice, &[Release::Debian, Release::Newer]);
        let segment_size = one_of(dice, &[1, 1, 2, 16]);
        let (of_wal, of_backups) = (one_of(dice, &Codec::ALL), one_of(dice, &Codec::OF_BACKUPS));
        let mut options = Options::archiving(barman, of_wal)
            .with_setting("max_prepared_transactions", "9")
            .with_setting("wal_compression", one_of(dice, &["on", "off"]))
            .with_setting("wal_level", one_of(dice, &["replica", "logical"]))
            .with_setting("track_commit_timestamp", "on");
        options.release = release;
        options.wal_segment_size = Some(segment_size);
        let primary = Postgres::start(&options).await;
        let told = vec![format!("{release:?}, {segment_size} MiB, {of_wal:?} and {of_backups:?}")];
        let mut life = Life {
            s3,
            barman,
            options,
            of_backups,
            primary,
            backups: Vec::new(),
            rows: 0,
            told,
            has_tablespace: false,
            has_later_tablespace: false,
            has_second_database: false,
            ticks: 0,
            marks: Vec::new(),
        };
        life.begin(dice).await;
        for _ in 0..dice.below(4) + 3 {
            life.go_on(dice).await;
        }
        // Something that a restore to the newest state has to bring back.
        life.work(dice).await;
        life.primary.archive_segments(1).await;
        life.primary.stop(Shutdown::Fast).await;
        let has_lost = dice.below(3) == 0;
        if has_lost {
            life.lose(dice);
        }
        let Life { told, marks, has_later_tablespace, .. } = life;
        Self { release, told, marks, has_lost, has_later_tablespace }
    }
}

impl Life<'_> {
    /// At once too: a tool may hang.
    #[expect(clippy::print_stdout, reason = "shown with the failure")]
    fn tell(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("  {what}");
        self.told.push(what);
    }

    async fn begin(&mut self, dice: &mut Dice) {
        self.primary.sql("CREATE TABLE kept (n int, filler text)").await;
        self.primary.sql("CREATE TABLE ticks (n int)").await;
        // What is prepared keeps its locks.
        self.primary.sql("CREATE TABLE pending (n int)").await;
        if dice.below(3) == 0 {
            let place = self.primary.new_directory("space");
            self.place_table(&place).await;
        }
        self.back_up().await;
    }

    async fn place_table(&mut self, place: &Path) {
        self.tell("a tablespace");
        self.has_tablespace = true;
        self.primary.sql(&format!("CREATE TABLESPACE space LOCATION '{}'", place.display())).await;
        self.primary.sql("CREATE TABLE placed (n int) TABLESPACE space").await;
        self.primary.sql("INSERT INTO placed SELECT generate_series(1, 1000)").await;
    }

    async fn back_up(&mut self) {
        // Identifiers count seconds.
        let options = BackupOptions { codec: self.of_backups, ..BackupOptions::default() };
        let id = self.barman.backup(&self.primary, &options).await;
        self.tell(format!("backup {id}"));
        self.backups.push(id);
        self.primary.archive_segments(1).await;
    }

    async fn go_on(&mut self, dice: &mut Dice) {
        match dice.below(16) {
            0 => self.back_up().await,
            1 if !self.has_tablespace => self.fail_over().await,
            2 if !self.has_tablespace => self.go_back(dice).await,
            3 => {
                self.tell("idle segments");
                self.primary.archive_segments(2).await;
            }
            4 => {
                self.tell("a crash");
                self.primary.stop(Shutdown::Immediate).await;
                self.primary.resume().await;
            }
            5 if !self.has_tablespace => self.back_up_standby().await,
            6 if !self.has_tablespace => self.place_later(dice).await,
            7 => self.change_settings(dice).await,
            8 | 9 => self.tick(dice).await,
            10 => self.work_elsewhere(dice).await,
            _ => self.work(dice).await,
        }
    }

    /// A segment goes that some restore needs.
    fn lose(&mut self, dice: &mut Dice) {
        let prefix = format!("cluster/{}/wals/", self.barman.server_name);
        let keys = self.s3.keys("backups").into_iter();
        let segments: Vec<String> =
            keys.filter(|key| key.starts_with(&prefix) && is_segment(key)).collect();
        let lost = one_of(dice, &segments);
        self.tell(format!("lost {lost}"));
        self.s3.delete("backups", &lost);
    }
}

fn is_segment(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap();
    let stem = name.split('.').next().unwrap();
    stem.len() == 24 && !name.contains(".partial") && !name.contains(".backup")
}
