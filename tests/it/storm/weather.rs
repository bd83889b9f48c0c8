//! What befalls the requests to a store in a storm.

use std::time::Duration;

use chrono::TimeDelta;
use test_servers::s3::Fault;
use test_servers::s3::Operation;

use crate::storm::dice::Dice;

/// More than any limit of ours.
const LARGE: u64 = 16 << 20;

/// One request in three is met by some fault; how bad it is changes with the seed.
pub(super) fn storm(mut dice: Dice) -> impl FnMut(Operation) -> Option<Fault> + Send + 'static {
    let worse_than = 60 + dice.below(30);
    move |_| {
        if dice.below(100) < worse_than {
            return None;
        }
        let fault = match dice.below(23) {
            0 => Fault::SlowDown,
            1 => Fault::TooManyRequests,
            2 => Fault::InternalError,
            3 => Fault::Unauthorized,
            4 => Fault::AccessDenied,
            5 => Fault::RequestTimeTooSkewed,
            6 => Fault::NoSuchKey,
            7 => Fault::PermanentRedirect { region: "eu-west-1".to_owned() },
            8 => Fault::RedirectToLogin,
            9 => Fault::HtmlPage,
            10 => Fault::EmptyBody,
            11 => Fault::Gateway { status: 502 },
            12 => Fault::CutBody,
            13 => Fault::XmlCutInTag,
            14 => Fault::XmlCutBetweenElements,
            15 => Fault::Slow(Duration::from_secs(dice.below(60))),
            16 => Fault::Reset,
            17 => Fault::Hang,
            18 => Fault::Drip { status: either(dice.below(2)) },
            19 => Fault::HalfBody,
            20 => Fault::LargeBody { status: either(dice.below(2)), bytes: LARGE },
            21 => Fault::StaleList,
            // From a day early to a day late.
            _ => Fault::WrongDate(TimeDelta::seconds(
                86_400 - i64::try_from(dice.below(172_800)).unwrap(),
            )),
        };
        Some(fault)
    }
}

/// By how much a clock is wrong from now on: not at all, by less than is tolerated, by a time zone, by a
/// day, or by years.
pub(super) fn skew(dice: &mut Dice) -> TimeDelta {
    let much = match dice.below(5) {
        0 => TimeDelta::zero(),
        1 => TimeDelta::minutes(4),
        2 => TimeDelta::hours(1),
        3 => TimeDelta::days(1),
        _ => TimeDelta::days(3_650),
    };
    if dice.below(2) == 0 { much } else { -much }
}

const fn either(roll: u64) -> u16 {
    if roll == 0 { 200 } else { 403 }
}
