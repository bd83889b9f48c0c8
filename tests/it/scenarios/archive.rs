//! Turns what a scenario gives into the observation that listing and reading it would make.

use std::sync::Arc;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::backup::Keep;
use cnpg_backup_verifier::domain::backup_info::BackupInfo;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::object_key::BackupFile;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::storage_class::StorageClass;
use cnpg_backup_verifier::domain::timeline::TimelineHistory;
use cnpg_backup_verifier::domain::unreadable::Unreadable;
use cnpg_backup_verifier::domain::unreadable::UnreadableReason;
use cnpg_backup_verifier::observation::HistoryDamage;
use cnpg_backup_verifier::observation::Observation;
use cnpg_backup_verifier::observation::ObservedHistory;
use cnpg_backup_verifier::observation::Reading;
use cnpg_backup_verifier::observation::backup::ObservedBackup;
use cnpg_backup_verifier::observation::backup::ObservedInfo;
use cnpg_backup_verifier::observation::backup::TarObject;
use cnpg_backup_verifier::observation::content::Content;
use cnpg_backup_verifier::observation::fold::Fold;
use cnpg_backup_verifier::observation::inventory::HistoryObject;
use cnpg_backup_verifier::observation::inventory::Inventory;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::probe::DamagedSegment;
use cnpg_backup_verifier::observation::probe::SegmentContent;
use cnpg_backup_verifier::observation::probe::SegmentDamage;
use cnpg_backup_verifier::observation::probe::SegmentId;
use cnpg_backup_verifier::observation::probe::SegmentProbe;
use cnpg_backup_verifier::observation::probes::Probes;
use cnpg_backup_verifier::wal::Damage;
use cnpg_backup_verifier::wal::DamageKind;
use cnpg_backup_verifier::wal::HeaderDamage;
use cnpg_backup_verifier::wal::RecordDamage;

use crate::scenarios::file::Scenario;
use crate::scenarios::file::parse_number;
use crate::scenarios::file::parse_time;

const OUR_SYSTEM: u64 = 7_000_000_000_000_000_001;

pub(crate) struct GivenObject {
    /// Relative to the server's folder.
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) uploaded_at: Option<DateTime<Utc>>,
    pub(crate) number: Option<u64>,
    pub(crate) class: StorageClass,
}

/// A backup as a line of a scenario gives it.
pub(crate) struct GivenBackup {
    id: BackupId,
    words: Vec<String>,
}

impl GivenObject {
    /// `object PATH [SIZE] [uploaded DATE TIME]`
    pub(crate) fn parse(path: &str, words: &[&str]) -> Self {
        let (words, uploaded_at) = match words {
            [words @ .., "uploaded", date, time] => (words, Some(parse_time(date, time))),
            words => (words, None),
        };
        let size = words.first().map_or(100, |size| size.parse().unwrap());
        Self {
            key: path.to_owned(),
            size,
            uploaded_at,
            number: None,
            class: StorageClass::Standard,
        }
    }

    pub(crate) fn is_whole_segment(&self) -> bool {
        let name = self.segment_name();
        name.len() == 24 && !self.key.contains(".partial") && !self.key.contains(".backup")
    }

    pub(crate) fn segment_name(&self) -> &str {
        let name = self.key.rsplit('/').next().unwrap();
        name.split('.').next().unwrap()
    }
}

impl GivenBackup {
    pub(crate) fn parse(id: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { id: BackupId::parse(id).unwrap(), words }
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }

    /// The word after a keyword.
    fn after(&self, keyword: &str) -> Option<&str> {
        let at = self.words.iter().position(|word| word == keyword)?;
        self.words.get(at + 1).map(String::as_str)
    }

    fn time_after(&self, keyword: &str) -> Option<DateTime<Utc>> {
        let at = self.words.iter().position(|word| word == keyword)?;
        Some(parse_time(&self.words[at + 1], &self.words[at + 2]))
    }

    fn began_at(&self) -> DateTime<Utc> {
        self.id.began_at().unwrap()
    }

    fn ended_at(&self) -> DateTime<Utc> {
        self.time_after("ended").unwrap_or(self.began_at() + TimeDelta::minutes(7))
    }

    /// The text that barman would have written.
    fn info_text(&self, size: SegmentSize) -> String {
        let status = self.after("status").unwrap_or("DONE");
        let begin_time = self.began_at().format("%Y-%m-%d %H:%M:%S%:z");
        let mut text = format!("begin_time={begin_time}\nstatus={status}\nerror=None\n");
        let tablespaces = self.after("tablespaces").map_or("None".to_owned(), |oids| {
            let tuples: Vec<String> =
                oids.split(',').map(|oid| format!("('ts{oid}', {oid}, '/ts')")).collect();
            format!("[{}]", tuples.join(", "))
        });
        let system = self.after("system").map_or(OUR_SYSTEM, |it| it.parse().unwrap());
        text += &format!("systemid={system}\ntablespaces={tablespaces}\nversion=150020\n");
        if let Some(parent) = self.after("parent") {
            text += &format!("parent_backup_id={parent}\n");
        }
        let from = if self.has("standby") { "standby" } else { "primary" };
        text += &format!("backup_label='BACKUP FROM: {from}\\nSTART TIMELINE: 1\\n'\n");
        let Some(wal) = self.after("wal") else {
            return text + "end_time=None\n";
        };
        let end_time = self.ended_at().format("%Y-%m-%d %H:%M:%S%.6f%:z");
        text += &format!("end_time={end_time}\n");
        let (first, last) = wal.split_once("..").unwrap_or((wal, wal));
        let timeline: u32 = self.after("timeline").map_or(1, |it| it.parse().unwrap());
        let end_timeline = self.after("end_timeline").map_or(timeline, |it| it.parse().unwrap());
        let id = |it| cnpg_backup_verifier::domain::timeline::TimelineId::new(it).unwrap();
        let begin = parse_number(first);
        let (end, end_offset) = if self.has("boundary") {
            (parse_number(last).next(), 0)
        } else {
            (parse_number(last), 0x138)
        };
        let lsn = |number: SegmentNumber, offset: u64| number.start(size).saturating_add(offset);
        text += &format!(
            "begin_wal={}\nbegin_xlog={}\nend_wal={}\nend_xlog={}\nend_offset={end_offset}\n\
             timeline={timeline}\nxlog_segment_size={}\n",
            begin.name(id(timeline), size),
            lsn(begin, 0x28),
            end.name(id(end_timeline), size),
            lsn(end, end_offset),
            size.bytes()
        );
        text
    }

    fn observe(&self, size: SegmentSize) -> ObservedBackup {
        let uploaded_at = self.time_after("uploaded").unwrap_or(self.ended_at());
        let read = |bytes: &[u8]| {
            Ok(Some(ObservedInfo { uploaded_at, content: BackupInfo::parse(bytes) }))
        };
        let text = self.info_text(size);
        let info = match self.after("info") {
            Some("missing") => Ok(None),
            Some("empty") => read(b""),
            Some("cut") => read(&text.as_bytes()[..text.len() / 2]),
            Some("binary") => read(&[0xFF, 0xD8, 0, 1]),
            Some("unreadable") => Err(unreadable("read backup.info", UnreadableReason::Timeout)),
            Some(field) => {
                let line = |it: &&str| !it.starts_with(field.strip_prefix("without_").unwrap());
                read(text.lines().filter(line).collect::<Vec<_>>().join("\n").as_bytes())
            }
            None => read(text.as_bytes()),
        };
        let keep = match self.after("keep") {
            Some("full") => Some(Keep::Full),
            Some("standalone") => Some(Keep::Standalone),
            Some(other) => panic!("keep {other}"),
            None => None,
        };
        let is_running = self.after("status") == Some("STARTED");
        let tars = match self.after("tars") {
            Some("none") => "",
            Some(tars) => tars,
            None if is_running => "",
            None => "data.tar.bz2",
        };
        ObservedBackup {
            id: self.id.clone(),
            info,
            keep: Ok(keep),
            tars: tars.split(',').filter(|it| !it.is_empty()).map(|it| self.tar(it)).collect(),
            last_uploaded_at: uploaded_at,
        }
    }

    /// `data.tar.bz2` or `data.tar.bz2#0` with a size.
    fn tar(&self, text: &str) -> TarObject {
        let (name, size) = text.split_once('#').unwrap_or((text, "1000"));
        let key = format!("pg/base/{}/{name}", self.id);
        match ServerFolder::new("", "pg").backup_file(&key) {
            Some((_, BackupFile::Tar { contents, piece, codec })) => {
                let version = ObjectVersion::new("", size.parse().unwrap());
                let class = self.after("class").map_or(StorageClass::Standard, StorageClass::parse);
                TarObject { contents, piece, codec, version, class }
            }
            other => panic!("{name} is {other:?}"),
        }
    }
}

impl Scenario {
    pub(crate) fn observe(&self) -> Observation {
        let failed = |what: &str| {
            let found = self.unreadable.iter().find(|(it, _)| it == what);
            found.map(|(_, reason)| unreadable(&format!("list {what}"), *reason))
        };
        let backups = match failed("backups") {
            Some(unreadable) => Err(unreadable),
            None => Ok(self.backups.iter().map(|backup| backup.observe(self.size)).collect()),
        };
        let mut inventory = self.inventory();
        for (timeline, words) in &self.histories {
            let uploaded_at = match words.as_slice() {
                [.., uploaded, date, time] if uploaded == "uploaded" => parse_time(date, time),
                _ => self.now,
            };
            inventory.histories.entry(*timeline).or_insert_with(|| HistoryObject {
                codec: Codec::Bzip2,
                version: ObjectVersion::new("", 50),
                uploaded_at,
            });
        }
        let histories = self
            .histories
            .iter()
            .map(|(timeline, words)| (*timeline, observe_history(*timeline, words)))
            .collect();
        Observation {
            began_at: self.now,
            store_clock: self.store_clock,
            fully_listed_at: None,
            head_trouble: self.head_trouble,
            expiry_rules: self.expiry_rules.clone(),
            content: self.content(&backups, &inventory),
            backups,
            archive: failed("archive").map_or(Ok(inventory), Err),
            surroundings: None,
            histories,
            probes: self.probes(),
            cluster: self.cluster.as_ref().map(|cluster| Arc::new(cluster.observe())),
            orphan: self.orphan.clone(),
        }
    }

    fn content(&self, backups: &Reading<Vec<ObservedBackup>>, inventory: &Inventory) -> Content {
        let (began_at, gone) = (self.reads_since, self.gone.clone());
        let mut content = Content { began_at, gone, ..Content::default() };
        if self.reads_everything {
            let archives = inventory.timelines.iter();
            content.segments =
                archives.map(|(timeline, it)| (*timeline, it.segments().clone())).collect();
            for backup in backups.iter().flatten() {
                content.whole_backups.insert(backup.id.clone());
                content.read_at.insert(backup.id.clone(), self.now - TimeDelta::days(1));
            }
        }
        content
    }

    fn probes(&self) -> Probes {
        let mut probes = Probes::default();
        for (timeline, number, words) in &self.probes {
            let id = SegmentId { timeline: *timeline, number: *number };
            probes.insert(id, Ok(probe(words)));
        }
        probes
    }

    fn inventory(&self) -> Inventory {
        let folder = ServerFolder::new("", "pg");
        let mut fold = Fold::complete(self.size, &folder);
        for object in &self.objects {
            fold.add(&ListedObject {
                key: format!("pg/{}", object.key),
                version: ObjectVersion::new("", object.size),
                uploaded_at: object.uploaded_at.unwrap(),
                class: object.class,
            });
        }
        let mut inventory = fold.finish();
        if !self.vanished.is_empty() {
            let mut earlier = Fold::onto(inventory.clone(), &folder);
            for (timeline, number) in &self.vanished {
                earlier.add(&ListedObject {
                    key: folder.segment(number.name(*timeline, self.size), Codec::Bzip2),
                    version: ObjectVersion::new("", 100),
                    uploaded_at: self.now,
                    class: StorageClass::Standard,
                });
            }
            inventory.note_vanished(&earlier.finish());
        }
        inventory
    }
}

fn probe(words: &[String]) -> SegmentProbe {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let read = |newest_commit_at, system_identifier| {
        let newest_before = Vec::new();
        SegmentProbe::Read(SegmentContent { system_identifier, newest_commit_at, newest_before })
    };
    let damaged = |kind: DamageKind| {
        let damage = SegmentDamage::Log(Damage { at: Lsn::new(0), kind });
        SegmentProbe::Damaged(DamagedSegment { damage, replayed: None, sound: None })
    };
    match words.as_slice() {
        ["commit", date, time] => read(Some(parse_time(date, time)), OUR_SYSTEM),
        ["no", "commit"] => read(None, OUR_SYSTEM),
        ["system", system] => read(None, system.parse().unwrap()),
        ["segments", "of", size] => {
            let found = size.parse::<u64>().unwrap() << 20;
            damaged(HeaderDamage::OtherSegmentSize { found, expected: 16 << 20 }.into())
        }
        ["bad_crc"] => damaged(RecordDamage::Checksum { computed: 1, stored: 2 }.into()),
        other => panic!("probe {other:?}"),
    }
}

fn observe_history(
    timeline: cnpg_backup_verifier::domain::timeline::TimelineId,
    words: &[String],
) -> ObservedHistory {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        [words @ .., "uploaded", _, _] => words,
        words => words,
    };
    match words {
        ["malformed"] => Ok(TimelineHistory::parse(timeline, b"garbage").map_err(Into::into)),
        ["undecodable"] => Ok(Err(HistoryDamage::Undecodable("bad magic".to_owned()))),
        ["unreadable"] => Err(unreadable("read a history file", UnreadableReason::Throttled)),
        ancestors => {
            let lines = ancestors.iter().map(|it| it.replace('@', "\t") + "\tno recovery target\n");
            let text: String = lines.collect();
            Ok(TimelineHistory::parse(timeline, text.as_bytes()).map_err(Into::into))
        }
    }
}

fn unreadable(what: &str, reason: UnreadableReason) -> Unreadable {
    Unreadable { what: what.to_owned(), why: "for a test".to_owned(), reason }
}
