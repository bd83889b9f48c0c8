use crate::domain::backup::BackupId;
use crate::observation::backup_result::ReadingEnd;

use super::*;

const SUM: ObjectSum = ObjectSum(7);

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

fn key() -> ReadingKey {
    ReadingKey::of("s3://backups/main", &BackupId::parse("20260801T020000").unwrap())
}

fn read() -> ReadBackup {
    ReadBackup { sum: SUM, objects: 1, bytes: 9, damages: Vec::new(), more: 0 }
}

fn message() -> String {
    BackupResult { key: key(), end: ReadingEnd::Read(read()) }.encode()
}

fn job(uid: &str, state: JobState) -> ObservedJob {
    ObservedJob {
        name: "read-1".to_owned(),
        uid: uid.to_owned(),
        archive: "a".to_owned(),
        backup: "20260801T020000".to_owned(),
        state,
    }
}

fn over(end: JobEnd) -> ObservedJob {
    job("1", JobState::Over { at: Some(at(0)), end })
}

/// At minute 5.
fn next(job: Option<&ObservedJob>, attempts: &Attempts) -> Step {
    next_at(5, job, attempts)
}

fn next_at(minute: i64, job: Option<&ObservedJob>, attempts: &Attempts) -> Step {
    case(minute, job, attempts, &key()).next()
}

fn stuck_at(minute: i64, job: Option<&ObservedJob>, attempts: &Attempts) -> Option<StuckCause> {
    case(minute, job, attempts, &key()).stuck()
}

fn case<'a>(
    minute: i64,
    job: Option<&'a ObservedJob>,
    attempts: &'a Attempts,
    key: &'a ReadingKey,
) -> Case<'a> {
    Case { key, sum: Some(SUM), job, attempts, now: at(minute) }
}

#[test]
fn a_job_is_created_once_and_waited_for() {
    let none = Attempts::default();
    assert_eq!(next(None, &none), Step::Create);
    for state in [
        JobState::Pending { since: Some(at(0)) },
        JobState::Pending { since: None },
        JobState::Running,
        JobState::Leaving,
    ] {
        assert_eq!(next(Some(&job("1", state.clone())), &none), Step::Wait, "{state:?}");
    }
}

#[test]
fn only_unfinished_jobs_take_room_and_one_of_an_archive_is_enough() {
    assert_eq!(room([], "a", 1), Room::Free);
    assert_eq!(room(["b"], "a", 1), Room::Taken);
    assert_eq!(room(["b"], "a", 2), Room::Free);
    assert_eq!(room(["a"], "a", 9), Room::Taken);
    let over = JobState::Over { at: None, end: JobEnd::OutOfMemory };
    assert!(!over.is_unfinished() && !JobState::Leaving.is_unfinished());
    assert!(JobState::Running.is_unfinished());
}

#[test]
fn a_result_is_taken_once_and_its_job_swept() {
    let told = over(JobEnd::Told(message()));
    let mut attempts = Attempts::default();
    assert_eq!(next(Some(&told), &attempts), Step::Take(read()));
    attempts.note_taken("1");
    assert_eq!(next(Some(&told), &attempts), Step::Sweep);
    assert_eq!(next(Some(&job("1", JobState::Leaving)), &attempts), Step::Wait);
    // Another one of the same name is another one.
    let again = ObservedJob { uid: "2".to_owned(), ..told };
    assert_eq!(next(Some(&again), &attempts), Step::Take(read()));
}

#[test]
fn what_is_no_result_is_discarded_and_never_taken() {
    let none = Attempts::default();
    let flaw = |end| match next(Some(&over(end)), &none) {
        Step::Discard(failure) => failure,
        other => panic!("{other:?}"),
    };
    let cut = message()[..60].to_owned();
    assert!(matches!(flaw(JobEnd::Told(cut)), Failure::Flaw(ResultFlaw::Malformed(_))));
    assert_eq!(flaw(JobEnd::OutOfMemory), Failure::OutOfMemory);
    let silent = flaw(JobEnd::Silent("Error".to_owned()));
    assert_eq!(silent.to_string(), "it left no result: Error");
    let key = key();
    let told = over(JobEnd::Told(message()));
    let replaced = Case { sum: Some(ObjectSum(8)), ..case(5, Some(&told), &none, &key) };
    assert_eq!(replaced.next(), Step::Discard(Failure::Flaw(ResultFlaw::Objects)));
    let other = ReadingKey::of("s3://backups/other", &BackupId::parse("20260801T020000").unwrap());
    let of_another = case(5, Some(&told), &none, &other);
    assert_eq!(of_another.next(), Step::Discard(Failure::Flaw(ResultFlaw::Key)));
}

#[test]
fn a_pod_may_be_seen_after_its_job() {
    let over = |at| job("1", JobState::Over { at, end: JobEnd::NoPod("gone".to_owned()) });
    let none = Attempts::default();
    assert_eq!(next_at(0, Some(&over(Some(at(0)))), &none), Step::Wait);
    let gone = Step::Discard(Failure::Silent("gone".to_owned()));
    assert_eq!(next_at(1, Some(&over(Some(at(0)))), &none), gone);
    assert_eq!(next_at(0, Some(&over(None)), &none), gone);
}

#[test]
fn failures_are_followed_by_pauses_and_three_of_a_day_are_stuck() {
    let mut attempts = Attempts::default();
    let failure = || Failure::Silent("Evicted".to_owned());
    let may_begin = |minute, attempts: &Attempts| next_at(minute, None, attempts) == Step::Create;
    attempts.note_failure("1", failure(), at(0));
    assert!(!may_begin(9, &attempts) && may_begin(10, &attempts));
    attempts.note_failure("2", failure(), at(20));
    assert!(!may_begin(139, &attempts) && may_begin(140, &attempts));
    assert_eq!(stuck_at(140, None, &attempts), None);
    attempts.note_failure("3", failure(), at(200));
    let why = "it left no result: Evicted".to_owned();
    assert_eq!(stuck_at(200, None, &attempts), Some(StuckCause::Failing { attempts: 3, why }));
    assert!(!may_begin(1439, &attempts));
    // The first one is a day ago.
    assert!(may_begin(1440, &attempts));
    assert_eq!(stuck_at(1440, None, &attempts), None);
}

#[test]
fn running_out_of_memory_is_told_at_once() {
    let mut attempts = Attempts::default();
    attempts.note_failure("1", Failure::OutOfMemory, at(0));
    assert_eq!(stuck_at(0, None, &attempts), Some(StuckCause::OutOfMemory { attempts: 1 }));
    assert_eq!(stuck_at(1440, None, &attempts), None);
}

#[test]
fn a_job_that_is_pending_for_long_is_told_and_no_other_is_created() {
    let none = Attempts::default();
    let pending = job("1", JobState::Pending { since: Some(at(0)) });
    assert_eq!(stuck_at(30, Some(&pending), &none), None);
    assert_eq!(stuck_at(31, Some(&pending), &none), Some(StuckCause::Pending { since: at(0) }));
    assert_eq!(next_at(600, Some(&pending), &none), Step::Wait);
}
