//! Secrets in every form, whole and cut anywhere.

use super::*;
use proptest::prelude::*;

fn redacted(secrets: &[&str], text: &str) -> String {
    Redactor::new(secrets.iter().copied()).redact(text)
}

/// As [`redacted`], in pieces that end at `cuts`.
fn streamed(secrets: &[&str], text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut redactor = Redactor::new(secrets.iter().copied());
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]).collect();
    ends.sort_unstable();
    let (mut free, mut from) = (Vec::new(), 0);
    for end in ends {
        free.extend(redactor.push(&text[from..end]));
        from = end;
    }
    free.extend(redactor.finish());
    free
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = "p%ä ss/w\"rd+?";
    for text in [
        "p%ä ss/w\"rd+?",
        r#"{"key":"p%ä ss/w\"rd+?"}"#,
        "p%25%C3%A4%20ss%2Fw%22rd%2B%3F",
        "p%25%c3%a4%20ss/w%22rd+%3f",
        "p%25%C3%A4+ss%2Fw%22rd%2B%3F",
        "%70%25%C3%A4%20%73%73%2F%77%22%72%64%2B%3F",
    ] {
        let shown = redacted(&[secret], &format!("before {text} after"));
        let (before, after) = (shown.find("***").unwrap(), shown.rfind("***").unwrap());
        assert!(before == after && !shown.contains("ss"), "{text} became {shown}");
    }
}

#[test]
fn a_secret_is_found_in_html_wherever_it_was_cut() {
    let secret = "O'Neil&\"Sons\"\u{a0}<12>";
    for text in [
        "O'Neil&amp;\"Sons\"&nbsp;&lt;12&gt;",
        "O'Neil&amp;&quot;Sons&quot;&nbsp;&lt;12&gt;",
        "O'Neil&amp;&quot;Sons&quot;&nbsp;<12>",
        "O&#39;Neil&amp;&#34;Sons&#34;\u{a0}&lt;12&gt;",
        "O&#039;Neil&amp;&quot;Sons&quot;\u{a0}&lt;12&gt;",
        "O&#x27;Neil&amp;&quot;Sons&quot;\u{a0}&lt;12&gt;",
        "O&apos;Neil&amp;&quot;Sons&quot;&#160;&lt;12&gt;",
        "{&quot;key&quot;:&quot;O'Neil&amp;\\&quot;Sons\\&quot;&nbsp;&lt;12&gt;&quot;}",
    ] {
        let page = format!("<p>{text}</p>");
        let shown = redacted(&[secret], &page);
        assert!(
            shown.contains("***") && !shown.contains("Neil") && !shown.contains("12"),
            "{page} became {shown}"
        );
        for cut in 0..page.len() {
            let free = streamed(&[secret], page.as_bytes(), &[cut]);
            assert_eq!(String::from_utf8_lossy(&free), shown, "cut at {cut}");
        }
    }
    assert_eq!(redacted(&["plain"], "plain &amp; plain"), "*** &amp; ***");
    assert_eq!(forms("plain").len(), 4, "a secret without signs of HTML has no forms of its own there");
}

#[test]
fn a_secret_is_found_in_base64_wherever_it_begins() {
    for before in ["", "u", "us", "user:"] {
        for after in ["", "x", "xy", "xyz"] {
            let text = format!("{before}hunter2>>?{after}");
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let shown = redacted(&["hunter2>>?"], &format!("Authorization: Basic {encoded}=="));
                let digits = shown.strip_prefix("Authorization: Basic ").unwrap();
                let left = digits.replace("***", "").replace('=', "").len();
                assert!(left <= (encoded.len() - 11), "{encoded} became {shown}");
            }
        }
    }
}

#[test]
fn what_could_begin_a_secret_is_held_back_and_nothing_else() {
    let mut redactor = Redactor::new(["secret"]);
    assert_eq!(redactor.push(b"a line\nthe sec"), b"a line\nthe ");
    assert_eq!(redactor.push(b"ond\n"), b"second\n");
    assert_eq!(redactor.push(b"the secr"), b"the ");
    assert_eq!(redactor.push(b"et\n"), b"***\n");
    assert_eq!(redactor.push(b"it is s"), b"it is ");
    assert_eq!(redactor.finish(), b"s");
}

#[test]
fn secrets_that_overlap_or_touch_are_one_marker() {
    assert_eq!(redacted(&["abab"], "xabababx"), "x***x");
    assert_eq!(redacted(&["abcd", "cdef"], "abcdefabcd-"), "***-");
    assert_eq!(streamed(&["abcd", "cdefgh"], b"abcdefgh!", &[4, 5]), b"***!");
}

#[test]
fn a_text_that_was_cut_within_a_secret_loses_its_beginning_too() {
    let redactor = Redactor::new(["secret"]);
    assert_eq!(redactor.redact_cut("the secret is sec"), "the *** is ");
    assert_eq!(redactor.redact("the secret is sec"), "the *** is sec");
}

#[test]
fn without_secrets_everything_passes_at_once() {
    let mut redactor = Redactor::new([]);
    assert_eq!(redactor.push(b"100%"), b"100%");
    assert_eq!(redactor.finish(), b"");
}

/// Texts of few characters, so that secrets, their beginnings and their forms come up often.
fn texts() -> impl Strategy<Value = String> {
    let forms = prop_oneof![Just(0), Just(1), Just(2), Just(3), Just(4), Just(5), Just(6)];
    proptest::collection::vec((forms, "[ab%+4 1]{0,6}"), 0..8).prop_map(|pieces| {
        let secret = "a%41b +4a";
        let form = |form: i32| match form {
            0 => secret.to_owned(),
            1 => "%61%2541b%20%2B4a".to_owned(),
            2 => "a%2541b++4a".to_owned(),
            3 => STANDARD_NO_PAD.encode(secret),
            4 => URL_SAFE_NO_PAD.encode(format!("u{secret}x")),
            5 => secret[..5].to_owned(),
            _ => String::new(),
        };
        pieces.into_iter().map(|(which, text)| form(which) + &text).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_cut_gives_the_same(text in texts(), cuts: Vec<usize>) {
        let secrets = ["a%41b +4a", "b +4ab", "4a4a"];
        let whole = streamed(&secrets, text.as_bytes(), &[]);
        prop_assert_eq!(&streamed(&secrets, text.as_bytes(), &cuts), &whole);
        let every: Vec<_> = (0..text.len()).collect();
        prop_assert_eq!(&streamed(&secrets, text.as_bytes(), &every), &whole);
    }

    #[test]
    fn no_secret_survives(secret in "[ -~&&[^*]]{4,12}", before in ".{0,8}", after in ".{0,8}", cuts: Vec<usize>) {
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let mixed = format!("{before}{secret}{after}");
        let (standard, url) = (STANDARD_NO_PAD.encode(&mixed), URL_SAFE_NO_PAD.encode(&mixed));
        let text = format!("{before}{secret} {percent}{after}\n{standard}\n{url}\n");
        let free = streamed(&[&secret], text.as_bytes(), &cuts);
        let free = String::from_utf8_lossy(&free);
        for form in forms(&secret) {
            let form = String::from_utf8(form).unwrap();
            prop_assert!(!free.contains(&form), "{} is in {}", form, free);
        }
        prop_assert!(!free.to_lowercase().contains(&percent));
    }
}
