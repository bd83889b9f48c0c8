//! The bucket's rules by which objects are deleted, as `GetBucketLifecycleConfiguration` tells them.

use aws_sdk_s3::types::ExpirationStatus;
use aws_sdk_s3::types::LifecycleRule;

use crate::observation::expiry::ExpiryRule;

/// `None` for a rule that deletes nothing by age: one that is off, moves objects to another class,
/// clears up broken uploads, or asks for tags, which nothing of Barman's has.
pub(super) fn expiry(rule: &LifecycleRule) -> Option<ExpiryRule> {
    if *rule.status() != ExpirationStatus::Enabled {
        return None;
    }
    let days = u32::try_from(rule.expiration()?.days()?).ok()?;
    let filter = rule.filter();
    let all = filter.and_then(|filter| filter.and());
    let has_tags = filter.is_some_and(|filter| filter.tag().is_some())
        || all.is_some_and(|all| !all.tags().is_empty());
    if has_tags {
        return None;
    }
    #[expect(deprecated, reason = "other stores and old rules still say it so")]
    let own = rule.prefix();
    let prefix = filter.and_then(|filter| filter.prefix());
    let prefix = prefix.or_else(|| all.and_then(|all| all.prefix())).or(own);
    let id = rule.id().unwrap_or_default().to_owned();
    Some(ExpiryRule { id, prefix: prefix.unwrap_or_default().to_owned(), days })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::LifecycleExpiration;
    use aws_sdk_s3::types::LifecycleRuleAndOperator;
    use aws_sdk_s3::types::LifecycleRuleFilter;
    use aws_sdk_s3::types::Tag;
    use aws_sdk_s3::types::builders::LifecycleRuleBuilder;

    use super::*;

    fn rule(days: i32) -> LifecycleRuleBuilder {
        let expiration = LifecycleExpiration::builder().days(days).build();
        LifecycleRule::builder().status(ExpirationStatus::Enabled).expiration(expiration).id("tidy")
    }

    fn told(rule: LifecycleRuleBuilder) -> Option<(String, u32)> {
        expiry(&rule.build().unwrap()).map(|rule| (rule.prefix, rule.days))
    }

    #[test]
    fn a_prefix_stands_in_one_of_three_places() {
        assert_eq!(told(rule(7)), Some((String::new(), 7)));
        let filter = LifecycleRuleFilter::builder().prefix("cnpg/").build();
        assert_eq!(told(rule(7).filter(filter)), Some(("cnpg/".to_owned(), 7)));
        let and = LifecycleRuleAndOperator::builder().prefix("cnpg/").object_size_less_than(9);
        let filter = LifecycleRuleFilter::builder().and(and.build()).build();
        assert_eq!(told(rule(7).filter(filter)), Some(("cnpg/".to_owned(), 7)));
        #[expect(deprecated, reason = "some still say it so")]
        let old = rule(7).prefix("old/");
        assert_eq!(told(old), Some(("old/".to_owned(), 7)));
    }

    #[test]
    fn what_deletes_nothing_of_ours_is_no_rule() {
        assert_eq!(told(rule(7).status(ExpirationStatus::Disabled)), None);
        let moving = LifecycleRule::builder().status(ExpirationStatus::Enabled);
        assert_eq!(told(moving), None);
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let filter = LifecycleRuleFilter::builder().tag(tag).build();
        assert_eq!(told(rule(7).filter(filter)), None);
        assert_eq!(told(rule(-7)), None);
    }
}
