//! An archive of any length without its bytes: one segment after the other, and thirty backups.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Subject;
use cnpg_backup_verifier::assessment::expectations::Expectations;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::backup_info::BackupInfo;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::object_key::TarContents;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::observation::Observation;
use cnpg_backup_verifier::observation::backup::ObservedBackup;
use cnpg_backup_verifier::observation::backup::ObservedInfo;
use cnpg_backup_verifier::observation::backup::TarObject;
use cnpg_backup_verifier::observation::fold::Fold;
use cnpg_backup_verifier::observation::inventory::Inventory;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::probes::Probes;
use cnpg_backup_verifier::observation::store_clock::StoreClock;

pub(crate) const SEGMENTS: u64 = 1_000_000;

/// Kept daily for a month.
pub(crate) const BACKUPS: u64 = 30;

/// The archive of one server: segments `1..=segments` but for the holes, evenly spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synthetic {
    pub(crate) index: usize,
    pub(crate) segments: u64,
    pub(crate) holes: u64,
    pub(crate) size: SegmentSize,
    pub(crate) codec: Codec,
    pub(crate) object_bytes: u64,
    /// When the last segment was uploaded; one came each second.
    pub(crate) newest_at: DateTime<Utc>,
}

impl Synthetic {
    pub(crate) fn new(segments: u64, holes: u64) -> Self {
        Self {
            index: 0,
            segments,
            holes,
            size: SegmentSize::DEFAULT,
            codec: Codec::Bzip2,
            object_bytes: 5_000_000,
            newest_at: DateTime::from_timestamp(1_767_268_800, 0).unwrap(),
        }
    }

    pub(crate) fn subject(&self) -> Subject {
        let server_name = format!("postgres-{:04}", self.index);
        let store = StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: Some("http://127.0.0.1:9000".to_owned()),
            region: "auto".to_owned(),
        };
        Subject {
            archive: ArchiveId {
                namespace: "databases".to_owned(),
                cluster: server_name.clone(),
                server_name: server_name.clone(),
            },
            address: Some(ArchiveAddress { store, prefix: "home".to_owned(), server_name }),
        }
    }

    pub(crate) fn folder(&self) -> ServerFolder {
        self.subject().address.unwrap().folder()
    }

    pub(crate) fn expectations() -> Expectations {
        Expectations {
            base_backup_age_max: Some(TimeDelta::hours(26)),
            wal_age_max: Some(TimeDelta::minutes(15)),
            uploading_grace: TimeDelta::minutes(10),
            retention: Some(TimeDelta::days(30)),
            check_interval: Some(TimeDelta::seconds(60)),
            ..Expectations::default()
        }
    }

    /// From one hole to the next; backups begin half-way, so that all stay usable.
    fn apart(&self) -> u64 {
        self.segments / (self.holes.max(BACKUPS) + 1)
    }

    pub(crate) fn is_hole(&self, number: u64) -> bool {
        let apart = self.apart();
        number % apart == apart / 2 && number / apart < self.holes
    }

    /// The segment that a backup begins in.
    fn begin(&self, backup: u64) -> SegmentNumber {
        let even = backup * self.segments / BACKUPS;
        SegmentNumber::new(1 + even / self.apart() * self.apart())
    }

    pub(crate) fn uploaded_at(&self, number: u64) -> DateTime<Utc> {
        let last = i64::try_from(self.segments).unwrap();
        self.newest_at + TimeDelta::seconds(i64::try_from(number).unwrap() - last)
    }

    /// When the newest segment is a minute old.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.newest_at + TimeDelta::minutes(1)
    }

    /// In the byte order of a listing.
    pub(crate) fn objects(self) -> impl Iterator<Item = ListedObject> {
        let folder = self.folder();
        let present = (1..=self.segments).filter(move |number| !self.is_hole(*number));
        present.map(move |number| {
            let name = SegmentNumber::new(number).name(TimelineId::FIRST, self.size);
            ListedObject {
                key: folder.segment(name, self.codec),
                version: ObjectVersion::new(format!("\"{number:032x}\""), self.object_bytes),
                uploaded_at: self.uploaded_at(number),
                class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
            }
        })
    }

    pub(crate) fn inventory(self) -> Inventory {
        let folder = self.folder();
        let mut fold = Fold::complete(self.size, &folder);
        self.objects().for_each(|object| fold.add(&object));
        fold.finish()
    }

    pub(crate) fn observation(self, inventory: Inventory) -> Observation {
        Observation {
            began_at: self.now(),
            store_clock: StoreClock::default(),
            fully_listed_at: None,
            head_trouble: None,
            expiry_rules: None,
            backups: Ok((0..BACKUPS).map(|it| self.backup(it)).collect()),
            archive: Ok(inventory),
            surroundings: None,
            histories: [].into(),
            probes: Probes::default(),
            content: Default::default(),
            cluster: None,
            orphan: None,
        }
    }

    pub(crate) fn backup_id(&self, backup: u64) -> BackupId {
        let began_at = self.uploaded_at(self.begin(backup).value());
        BackupId::parse(&began_at.format("%Y%m%dT%H%M%S").to_string()).unwrap()
    }

    pub(crate) fn backup_ended_at(&self, backup: u64) -> DateTime<Utc> {
        self.uploaded_at(self.begin(backup).value()) + TimeDelta::seconds(1)
    }

    /// What barman would have written.
    pub(crate) fn backup_info(&self, backup: u64) -> String {
        let first = self.begin(backup);
        format!(
            "begin_time={}\nend_time={}\nstatus=DONE\nerror=None\nsystemid=7000000000000000001\n\
             tablespaces=None\nversion=160004\nbackup_label='BACKUP FROM: primary\\n'\n\
             begin_wal={}\nbegin_xlog={}\nend_wal={}\nend_xlog={}\nend_offset=312\ntimeline=1\n\
             xlog_segment_size={}\n",
            self.uploaded_at(first.value()).format("%Y-%m-%d %H:%M:%S%:z"),
            self.backup_ended_at(backup).format("%Y-%m-%d %H:%M:%S%.6f%:z"),
            first.name(TimelineId::FIRST, self.size),
            first.start(self.size).saturating_add(0x28),
            first.next().name(TimelineId::FIRST, self.size),
            first.next().start(self.size).saturating_add(0x138),
            self.size.bytes(),
        )
    }

    fn backup(&self, backup: u64) -> ObservedBackup {
        let ended_at = self.backup_ended_at(backup);
        let content = BackupInfo::parse(self.backup_info(backup).as_bytes());
        ObservedBackup {
            id: self.backup_id(backup),
            info: Ok(Some(ObservedInfo { uploaded_at: ended_at, content })),
            keep: Ok(None),
            tars: vec![TarObject {
                class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
                contents: TarContents::DataDirectory,
                piece: 0,
                codec: Codec::Bzip2,
                version: ObjectVersion::new(format!("\"{backup:032x}\""), 4_000_000_000),
            }],
            last_uploaded_at: ended_at,
        }
    }
}
