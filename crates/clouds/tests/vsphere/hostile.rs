//! Answers that nobody should send: whatever comes, it ends, it does not panic, and it is bounded.

use pluvio_clouds::vsphere::{
    DataFormat, EVENT_BYTES_MAX, MALFORMED_BYTES_MAX, Page, Redaction, XmlError, decode_page,
};
use proptest::prelude::*;

const FULL: &str = include_str!("../fixtures/vsphere-events/full.xml");

fn render_all(page: &Page) {
    for event in page.events.iter().flatten() {
        for format in [DataFormat::Govmomi, DataFormat::ViJson] {
            let rendered = event.render(format, &Redaction::with(["a.b"]));
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&rendered.json) {
                panic!("{error}: {}", rendered.json);
            }
        }
    }
}

fn try_all(body: &[u8]) {
    if let Ok(page) = decode_page(body, "returnval") {
        render_all(&page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..400)) {
        try_all(&body);
    }

    #[test]
    fn any_pieces_of_xml_are_survived(pieces in prop::collection::vec(prop::sample::select(&[
        "<returnval", "</returnval>", "<returnval xsi:type='EventEx'>", ">", "<", "/>", "&", "&amp;", "&#x0;", ";",
        "<key>", "</key>", "<a:returnval>", "</a:returnval>", "<![CDATA[", "]]>", "<!--", "-->", "<?x", "?>", "é",
        " xsi:type=\"VmEvent\"", " xmlns:x='y'", "<vm>", "</vm>", "7", "-", "returnval>", "\r", "\u{2028}",
    ][..]), 0..60)) {
        try_all(pieces.concat().as_bytes());
    }

    #[test]
    fn a_damaged_page_keeps_most_of_its_events(at in 0..20_000_usize, byte in any::<u8>()) {
        let end = FULL[..20_000].rfind("<returnval").unwrap();
        let mut body = FULL.as_bytes()[..end].to_vec();
        let events = FULL[..end].matches("</returnval>").count();
        let at = at % body.len();
        body[at] = byte;
        if let Ok(page) = decode_page(&body, "returnval") {
            render_all(&page);
            let whole = page.events.iter().flatten().count();
            prop_assert!(whole + 2 >= events, "{whole} of {events}, byte {at} is {byte}");
        }
    }

    #[test]
    fn a_truncated_page_keeps_what_was_whole(end in 0..20_000_usize) {
        let text = &FULL[..end];
        let page = decode_page(text.as_bytes(), "returnval");
        let whole = page.map(|page| page.events.iter().flatten().count()).unwrap_or_default();
        prop_assert_eq!(whole, text.matches("</returnval>").count());
    }
}

fn one(inside: &str) -> Page {
    let body = format!("<r><returnval xsi:type='VmEvent'>{inside}</returnval></r>");
    decode_page(body.as_bytes(), "returnval").unwrap()
}

#[test]
fn deep_nesting_ends_the_event_and_not_the_process() {
    let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    let page = one(&deep);
    let malformed = page.events[0].as_ref().unwrap_err();
    assert_eq!(malformed.reason, Some(XmlError::TooDeep));
    let kept = malformed.kept(&Redaction::default());
    assert!(kept.text.len() <= MALFORMED_BYTES_MAX);
}

#[test]
fn no_damaged_byte_shows_a_secret_of_an_event_that_cannot_be_read() {
    let event = "<r><returnval xsi:type='VmEvent'><key>7</key><userName>pin1</userName>\
        <spec><password>hunter2</password></spec><privateKey><data>hunter3</data></privateKey>\
        <o><key>vnc.password</key><value xsi:type='xsd:string'>hunter4</value></o></returnval></r>";
    let redaction = Redaction::with(["userName"]);
    let mut malformed = 0;
    for at in 0..event.len() {
        for byte in b"<>/&\"'= x!?[]-" {
            let mut body = event.as_bytes().to_vec();
            body[at] = *byte;
            let Ok(page) = decode_page(&body, "returnval") else { continue };
            for broken in page.events.iter().filter_map(|event| event.as_ref().err()) {
                malformed += 1;
                let shown = format!("{:?} {broken:?} {broken}", broken.kept(&redaction));
                let shown =
                    shown + &broken.reason.as_ref().map(|it| format!("{it:?}")).unwrap_or_default();
                for secret in ["unter", "pin1"] {
                    assert!(!shown.contains(secret), "{}: {shown}", String::from_utf8_lossy(&body));
                }
            }
        }
    }
    assert!(malformed > 1000, "{malformed}");
}

#[test]
fn a_huge_event_is_refused_alone() {
    let time = "2026-11-20T10:31:22Z";
    let body = format!(
        "<r><returnval><createdTime>{time}</createdTime><a>{}</a></returnval>\
         <returnval><key>2</key></returnval></r>",
        "x".repeat(EVENT_BYTES_MAX)
    );
    let page = decode_page(body.as_bytes(), "returnval").unwrap();
    let huge = page.events[0].as_ref().unwrap_err();
    assert!(huge.reason.is_none());
    assert_eq!(huge.created_time(), time.parse().ok(), "it has its age");
    assert_eq!(page.events[1].as_ref().unwrap().key, Some(2));
}

#[test]
fn a_huge_text_is_cut_and_told() {
    let page = one(&format!("<userName>{}</userName>", "é".repeat(200_000)));
    let rendered =
        page.events[0].as_ref().unwrap().render(DataFormat::Govmomi, &Redaction::default());
    assert!(rendered.json.len() < 300_000);
    assert!(rendered.flaws[0].starts_with("`userName` was cut"), "{:?}", rendered.flaws);
}

#[test]
fn entities_are_never_defined_by_an_answer() {
    let bomb = r#"<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><r><returnval>&b;</returnval></r>"#;
    assert_eq!(decode_page(bomb.as_bytes(), "returnval").unwrap_err(), XmlError::DocType);
    let page = one("<userName>&b; &#xFFFFFFFF; &</userName>");
    assert_eq!(page.events[0].as_ref().unwrap().user_name.as_deref(), Some("&b; &#xFFFFFFFF; &"));
}

#[test]
fn many_strangers_take_no_quadratic_time() {
    let strangers: String = (0..100_000).map(|n| format!("<x{n}/>")).collect();
    let page = one(&strangers);
    let begun = std::time::Instant::now();
    render_all(&page);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
