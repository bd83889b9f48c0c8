//! Drills that never get to restore anything, since the log on the way cannot be read in time.

use std::time::Duration;

use serde_json::json;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::wait_until;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::Trigger;

use crate::operator_drills::FULL;
use crate::operator_drills::killed::holder;
use crate::operator_drills::report;
use crate::operator_drills::stage::LIMIT;
use crate::operator_drills::stage::Stage;

/// One in the middle, which is opened for nothing but to read the log on the way.
fn slow(stage: &Stage) -> &str {
    let segment = &stage.segments[1];
    let trigger = Trigger::always(Operation::Get).on_key(segment);
    stage.s3.inject(trigger, Fault::Slow(LIMIT));
    segment
}

#[tokio::test]
async fn reading_the_log_is_part_of_the_time_that_a_drill_has() {
    let stage = Stage::new().await;
    slow(&stage);
    let finished = stage.run(&["--kind", "full", "--timeout", "10s", "-o", "json"]).await;
    let told = report(&finished);
    assert_eq!((finished.code, &told["class"]), (Some(3), &json!("timeout")), "{finished:#?}");
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("the time was up while the log on the way is read"), "{told:#}");
    assert_eq!((stage.reports(), stage.left()), (vec![told], Vec::<String>::new()));
    assert_eq!(holder(&stage), None);
}

#[tokio::test]
async fn a_signal_ends_a_drill_that_still_reads() {
    let stage = Stage::new().await;
    let segment = slow(&stage);
    stage.s3.reset_requests();
    let mut process = Server::start("a drill", stage.command(&FULL), &stage.log_file());
    wait_until("it reads that segment", LIMIT, async || {
        let asked = stage.s3.request_log();
        asked.iter().any(|it| it.contains(segment)).then_some(())
    })
    .await;
    let status = process.stop(Signal::TERM, Duration::from_secs(30)).await;
    assert_eq!(status.code(), Some(3));
    let told = stage.reports().pop().unwrap();
    assert_eq!(told["class"], "timeout", "{told:#}");
    assert!(told["detail"].as_str().unwrap().contains("ended by a signal while"), "{told:#}");
    assert_eq!((stage.left(), holder(&stage)), (Vec::<String>::new(), None));
}
