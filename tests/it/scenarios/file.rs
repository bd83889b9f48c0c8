//! The small language of scenario files; `tests/scenarios/README.md` describes it.

use std::path::Path;

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Subject;
use cnpg_backup_verifier::assessment::expectations::ContentExpectation;
use cnpg_backup_verifier::assessment::expectations::Expectations;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::orphan::Orphan;
use cnpg_backup_verifier::domain::schedule::Schedule;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::storage_class::StorageClass;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::domain::unreadable::UnreadableReason;
use cnpg_backup_verifier::observation::HeadTrouble;
use cnpg_backup_verifier::observation::content::Gone;
use cnpg_backup_verifier::observation::content::GoneObject;
use cnpg_backup_verifier::observation::expiry::ExpiryRule;
use cnpg_backup_verifier::observation::store_clock::ClockMove;
use cnpg_backup_verifier::observation::store_clock::StoreClock;

use crate::scenarios::archive::GivenBackup;
use crate::scenarios::archive::GivenObject;
use crate::scenarios::cluster::GivenCluster;

/// What a file says above its `---`.
pub(crate) struct Scenario {
    pub(crate) subject: Subject,
    pub(crate) now: DateTime<Utc>,
    pub(crate) size: SegmentSize,
    pub(crate) codec: String,
    class: StorageClass,
    pub(crate) expectations: Expectations,
    /// All that is stored was read to its last byte a day ago, and was right.
    pub(super) reads_everything: bool,
    pub(super) reads_since: Option<DateTime<Utc>>,
    pub(super) gone: Vec<GoneObject>,
    pub(super) expiry_rules: Option<Vec<ExpiryRule>>,
    pub(crate) objects: Vec<GivenObject>,
    pub(crate) backups: Vec<GivenBackup>,
    pub(crate) histories: Vec<(TimelineId, Vec<String>)>,
    pub(crate) probes: Vec<(TimelineId, SegmentNumber, Vec<String>)>,
    pub(crate) vanished: Vec<(TimelineId, SegmentNumber)>,
    pub(crate) unreadable: Vec<(String, UnreadableReason)>,
    pub(crate) store_clock: StoreClock,
    pub(crate) head_trouble: Option<HeadTrouble>,
    pub(crate) cluster: Option<GivenCluster>,
    pub(crate) orphan: Option<Orphan>,
}

impl Scenario {
    pub(crate) fn parse(text: &str, path: &Path) -> Self {
        let mut scenario = Self::empty();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some((&first, rest)) = words.split_first() else { continue };
            if !first.starts_with('#') {
                let known = scenario.take(first, rest);
                assert!(known, "{}: cannot understand {line:?}", path.display());
            }
        }
        scenario.date_undated();
        scenario
    }

    fn empty() -> Self {
        let server_name = "pg".to_owned();
        Self {
            subject: Subject {
                archive: ArchiveId {
                    namespace: "databases".to_owned(),
                    cluster: "pg".to_owned(),
                    server_name: server_name.clone(),
                },
                address: Some(ArchiveAddress {
                    store: StoreAddress::Directory("/backups".to_owned()),
                    prefix: String::new(),
                    server_name,
                }),
            },
            now: DateTime::UNIX_EPOCH,
            size: SegmentSize::DEFAULT,
            codec: ".bz2".to_owned(),
            class: StorageClass::Standard,
            expectations: Expectations {
                uploading_grace: TimeDelta::minutes(10),
                ..Expectations::default()
            },
            objects: Vec::new(),
            backups: Vec::new(),
            histories: Vec::new(),
            probes: Vec::new(),
            vanished: Vec::new(),
            unreadable: Vec::new(),
            store_clock: StoreClock::default(),
            head_trouble: None,
            reads_everything: false,
            reads_since: None,
            gone: Vec::new(),
            expiry_rules: None,
            cluster: None,
            orphan: None,
        }
    }

    /// What only content and what was listed before show.
    fn take_content(&mut self, word: &str, rest: &[&str]) {
        match (word, rest) {
            ("reads", [what @ .., "since", date, time]) => {
                self.reads_since = Some(parse_time(date, time));
                let base_backups_every = match what {
                    [] => Some(TimeDelta::days(7)),
                    ["wal"] => None,
                    other => panic!("{other:?}"),
                };
                self.expectations.content = Some(ContentExpectation {
                    reads_wal: true,
                    base_backups_every,
                    reads_infrequent_backups: false,
                });
            }
            ("reads", ["everything"]) => self.reads_everything = true,
            ("gone", [id, "ended", date, time, "seen", seen_date, seen_time]) => {
                self.gone.push(GoneObject {
                    what: Gone::Backup(BackupId::parse(id).unwrap()),
                    dated: parse_time(date, time),
                    last_seen_at: parse_time(seen_date, seen_time),
                });
            }
            ("lifecycle", [prefix, days]) => {
                let (id, prefix) = ("tidy".to_owned(), (*prefix).to_owned());
                let rule = ExpiryRule { id, prefix, days: days.parse().unwrap() };
                self.expiry_rules.get_or_insert_default().push(rule);
            }
            other => panic!("{other:?}"),
        }
    }

    fn take(&mut self, word: &str, rest: &[&str]) -> bool {
        match (word, rest) {
            ("now", [date, time]) => self.now = parse_time(date, time),
            ("segments", ["of", size]) => {
                self.size = SegmentSize::new(size.parse::<u64>().unwrap() << 20).unwrap();
            }
            ("endpoint", [url]) => self.set_endpoint(url),
            ("codec", [codec]) => self.codec = (*codec).to_owned(),
            ("class", [class]) => self.class = StorageClass::parse(class),
            ("codec", []) => self.codec = String::new(),
            ("grace", [duration]) => self.expectations.uploading_grace = parse_duration(duration),
            ("wal_max_age", [duration]) => {
                self.expectations.wal_age_max = Some(parse_duration(duration));
            }
            ("base_backup_max_age", [duration]) => {
                self.expectations.base_backup_age_max = Some(parse_duration(duration));
            }
            ("retention", [duration]) => {
                self.expectations.retention = Some(parse_duration(duration));
            }
            ("schedule", fields) => {
                self.expectations.schedule = Some(Schedule::parse(&fields.join(" ")).unwrap());
            }
            ("acknowledge_gap_before", [date, time]) => {
                self.expectations.acknowledge_gap_before = Some(parse_time(date, time));
            }
            ("store_clock_ahead", [duration]) => {
                self.store_clock.ahead = Some(parse_signed(duration));
            }
            ("store_clock_moved", [duration, "since", ago]) => {
                let (by, ago) = (parse_signed(duration), parse_duration(ago));
                self.store_clock.moved = Some(ClockMove { by, ago });
            }
            ("reads" | "gone" | "lifecycle", rest) => self.take_content(word, rest),
            ("head", ["refused"]) => self.head_trouble = Some(HeadTrouble::Refused),
            ("head", ["invents"]) => self.head_trouble = Some(HeadTrouble::Invents),
            ("orphan", [store]) => {
                self.subject.archive.cluster.clear();
                let object_store = Some((*store).to_owned());
                self.orphan = Some(Orphan { object_store, left_by: None });
            }
            ("cluster", rest) => self.cluster.get_or_insert_default().take(rest),
            ("snapshot", [name, rest @ ..]) => {
                self.cluster.get_or_insert_default().take_snapshot(name, rest);
            }
            ("timeline", [timeline, "wal", ranges @ ..]) => self.add_segments(timeline, ranges),
            ("object", [path, rest @ ..]) => self.objects.push(GivenObject::parse(path, rest)),
            ("history", [timeline, rest @ ..]) => {
                let words = rest.iter().map(|it| (*it).to_owned()).collect();
                self.histories.push((parse_timeline(timeline), words));
            }
            ("backup", [id, rest @ ..]) => self.backups.push(GivenBackup::parse(id, rest)),
            ("probe", [timeline, number, rest @ ..]) => {
                let words = rest.iter().map(|it| (*it).to_owned()).collect();
                self.probes.push((parse_timeline(timeline), parse_number(number), words));
            }
            ("vanished", [timeline, number]) => {
                self.vanished.push((parse_timeline(timeline), parse_number(number)));
            }
            ("unreadable", [what, reason]) => {
                let known = UnreadableReason::ALL.into_iter().find(|it| it.code() == *reason);
                self.unreadable.push(((*what).to_owned(), known.unwrap()));
            }
            _ => return false,
        }
        true
    }

    fn set_endpoint(&mut self, url: &str) {
        let store = StoreAddress::S3 {
            bucket: "backups".to_owned(),
            endpoint_url: Some(url.to_owned()),
            region: "auto".to_owned(),
        };
        self.subject.address.iter_mut().for_each(|address| address.store = store.clone());
    }

    /// `timeline 1 wal 0A..2F 34 [uploaded DATE TIME]`
    fn add_segments(&mut self, timeline: &str, words: &[&str]) {
        let timeline = parse_timeline(timeline);
        let (ranges, uploaded_at) = match words {
            [ranges @ .., "uploaded", date, time] => (ranges, Some(parse_time(date, time))),
            ranges => (ranges, None),
        };
        for range in ranges {
            let (first, last) = range.split_once("..").unwrap_or((range, range));
            for number in parse_number(first).value()..=parse_number(last).value() {
                let name = SegmentNumber::new(number).name(timeline, self.size);
                self.objects.push(GivenObject {
                    key: format!("wals/{}/{name}{}", name.folder(), self.codec),
                    size: if self.codec.is_empty() { self.size.bytes() } else { 100 },
                    uploaded_at,
                    number: Some(number),
                    class: self.class,
                });
            }
        }
    }

    /// Segments came every five minutes and the last one two minutes ago, unless a line says
    /// otherwise.
    fn date_undated(&mut self) {
        let newest = self.objects.iter().filter_map(|object| object.number).max().unwrap_or(0);
        for object in &mut self.objects {
            let before = object.number.map_or(0, |number| newest - number);
            let age = TimeDelta::minutes(2 + 5 * i64::try_from(before).unwrap());
            object.uploaded_at.get_or_insert(self.now - age);
        }
        self.objects.sort_by(|a, b| a.key.cmp(&b.key));
    }

    /// Whether another object holds the same segment.
    pub(crate) fn has_twin(&self, index: usize) -> bool {
        let lost = &self.objects[index];
        let name = lost.segment_name();
        self.objects.iter().filter(|other| other.segment_name() == name).count() > 1
    }

    /// Nothing tells that the newest segment of a timeline was ever there.
    pub(crate) fn is_newest(&self, lost: &GivenObject) -> bool {
        let (timeline, name) = (&lost.segment_name()[..8], lost.segment_name());
        let others = self.objects.iter().filter(|other| other.is_whole_segment());
        others
            .filter(|it| it.segment_name().starts_with(timeline))
            .all(|it| it.segment_name() <= name)
    }

    /// A segment without content is worse than none, and a history that contradicts a segment no
    /// longer does without it.
    pub(crate) fn is_better_without(&self, index: usize) -> bool {
        self.objects[index].size == 0
    }
}

pub(crate) fn parse_time(date: &str, time: &str) -> DateTime<Utc> {
    let text = format!("{date} {time}");
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    let parsed = formats.iter().find_map(|it| NaiveDateTime::parse_from_str(&text, it).ok());
    parsed.unwrap_or_else(|| panic!("{text:?} is no time")).and_utc()
}

pub(crate) fn parse_number(hex: &str) -> SegmentNumber {
    SegmentNumber::new(u64::from_str_radix(hex, 16).unwrap())
}

pub(crate) fn parse_timeline(text: &str) -> TimelineId {
    TimelineId::new(text.parse().unwrap()).unwrap()
}

fn parse_signed(text: &str) -> TimeDelta {
    text.strip_prefix('-').map_or_else(|| parse_duration(text), |text| -parse_duration(text))
}

fn parse_duration(text: &str) -> TimeDelta {
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().unwrap();
    match unit {
        "s" => TimeDelta::seconds(number),
        "m" => TimeDelta::minutes(number),
        "h" => TimeDelta::hours(number),
        "d" => TimeDelta::days(number),
        _ => panic!("{text:?} is no duration"),
    }
}
