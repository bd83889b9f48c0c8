use proptest::prelude::*;

use super::*;

const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                     <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
const OBJECT: &str = "<Contents><Key>a</Key><LastModified>1970-01-01T00:01:00.000Z</LastModified>\
                      <ETag>&quot;1f&quot;</ETag><Size>1</Size>\
                      <StorageClass>STANDARD</StorageClass></Contents>";
const FOLDER: &str = "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>";
const WHOLE: &str = "<Name>bucket</Name><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated>";

/// An answer with this in it.
fn answer(inside: &str) -> String {
    format!("{BEGIN}{inside}</ListBucketResult>\n")
}

fn good() -> String {
    answer(&format!("{WHOLE}{OBJECT}{FOLDER}"))
}

fn key_in(object: &str) -> Result<String, StoreError> {
    let inside = format!("{WHOLE}<EncodingType>url</EncodingType>{object}{FOLDER}");
    page(answer(&inside).as_bytes()).map(|mut page| page.objects.remove(0).key)
}

fn object_of(key: &str) -> String {
    OBJECT.replace("<Key>a</Key>", &format!("<Key>{key}</Key>"))
}

/// The one page that all forms of the good answer mean.
fn check_good(answer: &str) {
    let found = page(answer.as_bytes()).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let object = ListedObject {
        key: "a".to_owned(),
        version: ObjectVersion::new("\"1f\"", 1),
        uploaded_at: DateTime::from_timestamp(60, 0).unwrap(),
        class: StorageClass::Standard,
    };
    assert_eq!(found.objects, [object], "{answer}");
    assert_eq!((found.folders, found.continuation), (vec!["b/".to_owned()], None), "{answer}");
}

fn check_malformed(answer: &str, expected: &str) {
    let error = page(answer.as_bytes()).unwrap_err();
    assert_eq!(error, StoreError::new(StoreErrorKind::Malformed, expected), "{answer}");
}

#[test]
fn a_whole_answer_is_a_page() {
    check_good(&good());
    check_good(&good().replace(BEGIN, "\u{feff}<ListBucketResult>"));
    check_good(&answer(&format!("\n {OBJECT}\n <!-- - --> {FOLDER} {WHOLE}")));
    check_good(&good().replace("<Key>a</Key>", "<Key><![CDATA[a]]></Key>"));
    check_good(&good().replace("</Contents>", "<Owner><ID>a<b/></ID></Owner></Contents>"));
    check_good(&good().replace("</Contents>", "<Other Key='>'/></Contents><Other/>"));
    let prefixed = good().replace("</", "</s3:").replace('<', "<s3:");
    let prefixed =
        prefixed.replace("<s3:/", "</").replace("<s3:?", "<?").replace("xmlns=", "xmlns:s3=");
    check_good(&prefixed);
}

#[test]
fn a_page_that_is_not_the_last_says_where_the_listing_goes_on() {
    let token = "<NextContinuationToken>k&amp;a+%20</NextContinuationToken>";
    let truncated = good().replace("false", "true").replace("<Name>", &format!("{token}<Name>"));
    assert_eq!(page(truncated.as_bytes()).unwrap().continuation.as_deref(), Some("k&a+%20"));
    check_good(&truncated.replace("true", "false"));
}

#[test]
fn less_than_the_store_listed_is_an_error() {
    let replaced = |part: &str, by: &str| good().replace(part, by);
    check_malformed(&replaced("<Name>bucket</Name>", ""), "the listing names no bucket");
    let truncated = "<IsTruncated>false</IsTruncated>";
    check_malformed(&replaced(truncated, ""), "the listing does not say whether it is complete");
    check_malformed(&replaced("false", "maybe"), "the listing does not say whether it is whole");
    let count = "<KeyCount>2</KeyCount>";
    check_malformed(
        &replaced(count, "<KeyCount>3</KeyCount>"),
        "the listing shows fewer keys than it counts",
    );
    check_malformed(
        &replaced(count, "<KeyCount/>"),
        "the listing does not say how many keys it shows",
    );
    check_malformed(&replaced("false", "true"), "the listing continues but does not say where");
    let keyless = "the listing shows an object without a key";
    check_malformed(&replaced("<Key>a</Key>", ""), keyless);
    let sizeless = "the listing shows no size or no time of `a`";
    for size in ["", "<Size/>", "<Size>-1</Size>", "<Size>18446744073709551616</Size>"] {
        check_malformed(&replaced("<Size>1</Size>", size), sizeless);
    }
    for time in ["", "1970-01-01", "+262142-12-31T00:00:00Z", "yesterday", "-0001-01-01T00:00:00Z"]
    {
        check_malformed(&replaced("1970-01-01T00:01:00.000Z", time), sizeless);
    }
    let nameless = "the listing shows a folder without a name";
    check_malformed(&replaced("<Prefix>b/</Prefix>", ""), nameless);
}

#[test]
fn keys_are_decoded_only_where_the_answer_says_so() {
    let encoded = object_of("a%2Bb+%25/%0A%C3%A9");
    assert_eq!(key_in(&encoded).unwrap(), "a+b %/\n\u{e9}");
    let plain = answer(&format!("{WHOLE}{encoded}{FOLDER}"));
    assert_eq!(page(plain.as_bytes()).unwrap().objects[0].key, "a%2Bb+%25/%0A%C3%A9");
    assert_eq!(key_in(&object_of("%FF")).unwrap(), "\u{fffd}");
}

#[test]
fn entities_are_resolved_and_others_refused() {
    assert_eq!(key_in(&object_of("&lt;a&amp;&gt;&quot;&apos;")).unwrap(), "<a&>\"'");
    assert_eq!(key_in(&object_of("&#233;&#xe9;&#x1;!")).unwrap(), "\u{e9}\u{e9}\u{1}!");
    for wrong in ["&eacute;", "a & b", "&amp", "&#xD800;", "&#0;", "&;", "&#;"] {
        let error = key_in(&object_of(wrong)).unwrap_err();
        assert!(error.detail.starts_with("the XML is broken at byte "), "{wrong}: {error}");
        let skipped = good().replace("STANDARD", wrong);
        let error = page(skipped.as_bytes()).unwrap_err();
        assert!(error.detail.starts_with("the XML is broken at byte "), "{wrong}: {error}");
    }
}

#[test]
fn xml_that_is_broken_anywhere_is_an_error() {
    let check = |answer: String| {
        let error = page(answer.as_bytes()).unwrap_err();
        assert!(error.detail.starts_with("the XML is broken at byte "), "{error}: {answer}");
    };
    check(good().replace("</Contents>", "</Content>"));
    check(good().replace("</StorageClass>", ""));
    check(good().replace("<Key>a</Key>", "<Key><b>a</b></Key>"));
    check(good() + "<more/>");
    check(good() + "more");
    check(good().replace("<Name>", "<!DOCTYPE a [<!ENTITY b \"c\">]><Name>"));
    check(good().replace("STANDARD", &"<a>".repeat(100_000)));
    let mut bytes = good().into_bytes();
    let at = bytes.windows(8).position(|it| it == b"STANDARD").unwrap();
    bytes[at] = 0xff;
    assert_eq!(page(&bytes).unwrap_err().detail, format!("the XML is broken at byte {at}"));
}

#[test]
fn an_answer_that_ends_early_is_an_error_wherever_it_ends() {
    let good = good();
    let whole = good.trim_end().len();
    for end in 0..whole {
        let error = page(&good.as_bytes()[..end]).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Malformed, "{}", &good[..end]);
    }
    check_good(&good[..whole]);
    check_malformed(&good[..good.find(FOLDER).unwrap()], "the XML breaks off");
}

#[test]
fn what_is_no_listing_is_told_from_a_broken_one() {
    for other in ["", " ", "{}", "<html><body/></html>", "<!DOCTYPE html><html/>", "<Error/>"] {
        check_malformed(other, "the content is not an answer from S3");
    }
    let declared = format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", good());
    check_malformed(&declared, "the content is not an answer from S3");
    assert!(is_error(b"<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code></Error>"));
    assert!(!is_error(good().as_bytes()) && !is_error(b"<html/>") && !is_error(b""));
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        keys in proptest::collection::vec((any::<String>(), any::<u64>(), 0_i64..1 << 37), 0..20),
    ) {
        let mut inside = format!("{WHOLE}<EncodingType>url</EncodingType>").replace(">2<", ">0<");
        for (key, size, at) in &keys {
            let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
            let time = DateTime::from_timestamp(*at, 0).unwrap().to_rfc3339();
            inside += &format!("<Contents><Size>{size}</Size><Key>{key}</Key>");
            inside += &format!("<LastModified>{time}</LastModified></Contents>");
        }
        let found = page(answer(&inside).as_bytes()).unwrap().objects;
        let found = found.into_iter().map(|it| (it.key, it.version.size, it.uploaded_at.timestamp()));
        prop_assert_eq!(found.collect::<Vec<_>>(), keys);
    }
}

#[test]
fn a_thawed_copy_is_read_and_a_frozen_one_is_not() {
    let class = |inside: &str| {
        let answer = format!(
            "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><Contents><Key>a</Key>\
             <LastModified>2026-01-10T00:00:00Z</LastModified><Size>1</Size>{inside}</Contents>\
             </ListBucketResult>"
        );
        page(answer.as_bytes()).unwrap().objects[0].class
    };
    let frozen = "<StorageClass>GLACIER</StorageClass>";
    let thawing = "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>";
    let thawed = "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>\
                  <RestoreExpiryDate>2026-02-10T00:00:00Z</RestoreExpiryDate></RestoreStatus>";
    assert_eq!(class(""), StorageClass::Standard);
    assert_eq!(class(frozen), StorageClass::Frozen);
    assert_eq!(class(&format!("{frozen}{thawing}")), StorageClass::Frozen);
    assert_eq!(class(&format!("{thawed}{frozen}")), StorageClass::Infrequent);
}

#[test]
fn a_store_that_knows_only_version_1_is_told() {
    let answer = "<ListBucketResult><Name>b</Name><Marker></Marker><IsTruncated>true</IsTruncated>\
                  </ListBucketResult>";
    let error = page(answer.as_bytes()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::OtherListing);
    assert!(error.to_string().contains("only version 1 of ListObjects"), "{error}");
}
